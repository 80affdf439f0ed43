//! Payments that a card holder disputes. They are made and decided at the bank; here they are only known.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{Decision, DisputeId, Fact, IntentId, Money, Order, Timestamp};

/// Where a dispute stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DisputeStatus {
    /// An inquiry: the bank asks, no money has moved.
    WarningNeedsResponse,
    /// The answer to an inquiry is read.
    WarningUnderReview,
    /// An inquiry that came to nothing. The end.
    WarningClosed,
    /// Evidence is asked for.
    NeedsResponse,
    /// Evidence is read.
    UnderReview,
    /// Decided for the shop. The end.
    Won,
    /// Decided for the card holder. The end.
    Lost,
    /// Warded off before it began. The end.
    Prevented,
}

impl DisputeStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::WarningNeedsResponse,
        Self::WarningUnderReview,
        Self::WarningClosed,
        Self::NeedsResponse,
        Self::UnderReview,
        Self::Won,
        Self::Lost,
        Self::Prevented,
    ];

    /// The name that Stripe gives it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningUnderReview => "warning_under_review",
            Self::WarningClosed => "warning_closed",
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Prevented => "prevented",
        }
    }

    /// Whether the money is the card holder's, for now or for good.
    pub const fn takes_money(self) -> bool {
        match self {
            Self::NeedsResponse | Self::UnderReview | Self::Lost => true,
            Self::WarningNeedsResponse
            | Self::WarningUnderReview
            | Self::WarningClosed
            | Self::Won
            | Self::Prevented => false,
        }
    }

    /// Its rank: news in any order end in the same status. An inquiry may become a dispute; evidence is read
    /// after it was asked for; an end stays.
    const fn rank(self) -> u8 {
        match self {
            Self::WarningNeedsResponse => 0,
            Self::WarningUnderReview => 1,
            Self::WarningClosed => 2,
            Self::NeedsResponse => 3,
            Self::UnderReview => 4,
            Self::Won | Self::Lost | Self::Prevented => 5,
        }
    }
}

impl fmt::Display for DisputeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DisputeStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// A dispute as an order remembers it, and as Stripe tells of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dispute {
    /// Its name at Stripe.
    pub id: DisputeId,
    /// The intent whose money is disputed.
    pub intent: IntentId,
    /// How much of it.
    pub amount: Money,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Why, in the bank's word.
    pub reason: String,
    /// By when evidence must be given.
    pub due_by: Option<Timestamp>,
    /// Whether the money was taken from the shop's balance.
    pub withdrawn: bool,
    /// Whether it was put back. That alone does not mean that the dispute was won.
    pub reinstated: bool,
}

/// Why news of a dispute is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DisputeNewsError {
    /// It is of an intent that is not this order's.
    #[error("the disputed payment intent does not belong to the order")]
    NotOurs,
}

impl Order {
    /// Takes in what Stripe says of a dispute. The same may be said any number of times, in any order.
    pub fn dispute_news(&self, news: &Dispute, now: Timestamp) -> Result<Decision, DisputeNewsError> {
        if self.intent(&news.intent).is_none() {
            return Err(DisputeNewsError::NotOurs);
        }
        let mut decision = Decision::unchanged(self.clone());
        let disputes = &mut decision.order.data.disputes;
        match disputes.iter_mut().find(|it| it.id == news.id) {
            None => {
                disputes.push(news.clone());
                decision.facts.push(Fact::DisputeOpened {
                    dispute: news.id.clone(),
                    intent: news.intent.clone(),
                    amount: news.amount,
                    reason: news.reason.clone(),
                    status: news.status,
                });
            }
            Some(known) => {
                let before = known.clone();
                if news.status.rank() > known.status.rank() {
                    known.status = news.status;
                    known.amount = news.amount;
                    known.due_by = news.due_by.or(known.due_by);
                }
                known.withdrawn |= news.withdrawn;
                known.reinstated |= news.reinstated;
                if *known == before {
                    return Ok(decision);
                }
                decision.facts.push(Fact::DisputeChanged {
                    dispute: news.id.clone(),
                    before: before.status,
                    status: known.status,
                    withdrawn: known.withdrawn,
                    reinstated: known.reinstated,
                });
            }
        }
        decision.order.data.updated_at = now;
        Ok(decision)
    }

    /// Whether an intent's money is the card holder's for now, or for good.
    pub fn is_disputed(&self, intent: &IntentId) -> bool {
        self.disputes.iter().any(|it| it.intent == *intent && it.status.takes_money())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::{at, placed, usd};
    use crate::{IntentSnapshot, IntentStatus, NewRefund, PaymentState, Policies, RefundError};

    fn paid() -> Order {
        let order = placed();
        let asked = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(300));
        let news = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..asked };
        order.settle(&news, &Policies::DEFAULT, at(301)).unwrap().order
    }

    fn news(status: DisputeStatus) -> Dispute {
        Dispute {
            id: DisputeId::new("du_1").unwrap(),
            intent: IntentId::new("pi_1").unwrap(),
            amount: usd(11_500),
            status,
            reason: "fraudulent".into(),
            due_by: Some(at(900)),
            withdrawn: status == DisputeStatus::NeedsResponse,
            reinstated: status == DisputeStatus::Won,
        }
    }

    #[test]
    fn a_dispute_is_followed_to_its_end_in_whatever_order_the_news_come() {
        use DisputeStatus::{Lost, NeedsResponse, UnderReview, WarningClosed, WarningNeedsResponse, Won};
        for (told, state) in [
            (vec![NeedsResponse], PaymentState::Disputed),
            (vec![NeedsResponse, UnderReview, Won], PaymentState::Paid),
            (vec![Won, UnderReview, NeedsResponse], PaymentState::Paid),
            (vec![NeedsResponse, Lost, NeedsResponse], PaymentState::Disputed),
            (vec![WarningNeedsResponse, WarningClosed], PaymentState::Paid),
            (vec![WarningNeedsResponse, NeedsResponse], PaymentState::Disputed),
        ] {
            let order = told.iter().fold(paid(), |order, it| order.dispute_news(&news(*it), at(400)).unwrap().order);
            assert_eq!(order.payment_state(), state, "{told:?}");
            let again = order.dispute_news(&news(told[0]), at(401)).unwrap();
            assert_eq!(again, Decision::unchanged(order));
        }
    }

    #[test]
    fn what_is_disputed_is_not_refunded_and_money_put_back_is_not_yet_a_win() {
        let order = paid().dispute_news(&news(DisputeStatus::NeedsResponse), at(400)).unwrap().order;
        assert_eq!(order.refund(&NewRefund::default(), at(401)), Err(RefundError::Disputed));
        let back = Dispute { reinstated: true, ..news(DisputeStatus::NeedsResponse) };
        let order = order.dispute_news(&back, at(402)).unwrap().order;
        assert_eq!((order.payment_state(), order.disputes[0].reinstated), (PaymentState::Disputed, true));
        let won = order.dispute_news(&news(DisputeStatus::Won), at(403)).unwrap().order;
        assert!(won.refund(&NewRefund::default(), at(404)).is_ok());
        let foreign = Dispute { intent: IntentId::new("pi_2").unwrap(), ..news(DisputeStatus::Won) };
        assert_eq!(won.dispute_news(&foreign, at(405)), Err(DisputeNewsError::NotOurs));
    }
}
