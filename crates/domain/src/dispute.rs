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

variant_names! {
    /// The name that Stripe gives it.
    DisputeStatus {
        WarningNeedsResponse => "warning_needs_response",
        WarningUnderReview => "warning_under_review",
        WarningClosed => "warning_closed",
        NeedsResponse => "needs_response",
        UnderReview => "under_review",
        Won => "won",
        Lost => "lost",
        Prevented => "prevented",
    }
}

impl DisputeStatus {
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

    /// Whether the bank has decided. It may decide anew: a dispute that was lost can be won later, and the reverse.
    pub const fn is_decided(self) -> bool {
        match self {
            Self::Won | Self::Lost | Self::Prevented => true,
            Self::WarningNeedsResponse
            | Self::WarningUnderReview
            | Self::WarningClosed
            | Self::NeedsResponse
            | Self::UnderReview => false,
        }
    }

    /// Its rank: events in any order end in the same status. An inquiry may become a dispute; evidence is read
    /// after it was asked for; a decision comes last.
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
        Self::named(text).ok_or(())
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

/// Why an event of a dispute is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DisputeUpdateError {
    /// It is of an intent that is not this order's.
    #[error("the disputed payment intent does not belong to the order")]
    NotOurs,
    /// It contradicts the bank's decision that is known. Events are dated in whole seconds and come in any order, so
    /// that only Stripe can say which holds: see [`Order::disputes_read`].
    #[error("the event contradicts what is known of the dispute's end")]
    ContradictsDecision,
}

impl Order {
    /// Takes in what an event of Stripe says of a dispute. The same may be said any number of times, in any order.
    pub fn update_dispute(&self, update: &Dispute, now: Timestamp) -> Result<Decision, DisputeUpdateError> {
        if self.intent(&update.intent).is_none() {
            return Err(DisputeUpdateError::NotOurs);
        }
        let Some(known) = self.disputes.iter().find(|it| it.id == update.id) else {
            return Ok(self.dispute_opened(update, now));
        };
        if known.status.is_decided() && known.status != update.status {
            return Err(DisputeUpdateError::ContradictsDecision);
        }
        let mut next = known.clone();
        if update.status.rank() > known.status.rank() {
            next.status = update.status;
            next.amount = update.amount;
            next.due_by = update.due_by.or(known.due_by);
        }
        next.withdrawn |= update.withdrawn;
        next.reinstated |= update.reinstated;
        Ok(self.dispute_changed(&next, now))
    }

    /// Takes in how disputes stand at Stripe, as they were read from there after this order was read from its store.
    /// Unlike an event this may undo a decision of the bank that is known: the commit must name the version of this
    /// order, so that nothing newer is overwritten.
    pub fn disputes_read(&self, read: &[Dispute], now: Timestamp) -> Result<Decision, DisputeUpdateError> {
        let mut decision = Decision::unchanged(self.clone());
        for dispute in read {
            let next = decision.order.dispute_read(dispute, now)?;
            decision.order = next.order;
            decision.facts.extend(next.facts);
        }
        Ok(decision)
    }

    fn dispute_read(&self, read: &Dispute, now: Timestamp) -> Result<Decision, DisputeUpdateError> {
        if self.intent(&read.intent).is_none() {
            return Err(DisputeUpdateError::NotOurs);
        }
        let Some(known) = self.disputes.iter().find(|it| it.id == read.id) else {
            return Ok(self.dispute_opened(read, now));
        };
        let next = Dispute {
            due_by: read.due_by.or(known.due_by),
            withdrawn: known.withdrawn || read.withdrawn,
            // Put back once and taken again: what counts is where the money is now.
            reinstated: read.reinstated || (known.reinstated && !read.status.takes_money()),
            ..read.clone()
        };
        Ok(self.dispute_changed(&next, now))
    }

    fn dispute_opened(&self, dispute: &Dispute, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        decision.facts.push(Fact::DisputeOpened {
            dispute: dispute.id.clone(),
            intent: dispute.intent.clone(),
            amount: dispute.amount,
            reason: dispute.reason.clone(),
            status: dispute.status,
        });
        decision.order.data.disputes.push(dispute.clone());
        decision.order.data.updated_at = now;
        decision
    }

    fn dispute_changed(&self, next: &Dispute, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        let known = decision.order.data.disputes.iter_mut().find(|it| it.id == next.id);
        let Some(known) = known.filter(|it| *it != next) else { return decision };
        decision.facts.push(Fact::DisputeChanged {
            dispute: next.id.clone(),
            before: known.status,
            status: next.status,
            withdrawn: next.withdrawn,
            reinstated: next.reinstated,
        });
        *known = next.clone();
        decision.order.data.updated_at = now;
        decision
    }

    /// Whether an intent's money is the card holder's for now, or for good.
    pub fn is_disputed(&self, intent: &IntentId) -> bool {
        self.disputes.iter().any(|it| it.intent == *intent && it.status.takes_money())
    }

    /// What may be refunded of an intent's money as far as its disputes go: what is left of it, less what the bank has
    /// taken back and not returned. Refunding that would give it twice. Whether Stripe refunds the rest while a dispute
    /// is open is for Stripe to say.
    pub fn undisputed_of(&self, intent: &IntentId) -> Money {
        let left = self.left_of(intent);
        let taken = self.disputes.iter().filter(|it| it.intent == *intent && it.status.takes_money() && !it.reinstated);
        let rest = taken.into_iter().try_fold(left, |rest, it| rest.minus(it.amount));
        // More is disputed than is left, where a part was refunded before: nothing is undisputed.
        rest.unwrap_or_else(|_| Money::zero(left.currency()))
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
        let update = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..asked };
        order.settle(&update, &Policies::DEFAULT, at(301)).unwrap().order
    }

    fn update(status: DisputeStatus) -> Dispute {
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
            (vec![UnderReview, NeedsResponse], PaymentState::Disputed),
            (vec![NeedsResponse, Lost], PaymentState::Disputed),
            (vec![WarningNeedsResponse, WarningClosed], PaymentState::Paid),
            (vec![WarningNeedsResponse, NeedsResponse], PaymentState::Disputed),
        ] {
            let order =
                told.iter().fold(paid(), |order, it| order.update_dispute(&update(*it), at(400)).unwrap().order);
            assert_eq!(order.payment_state(), state, "{told:?}");
            let last = *told.last().unwrap();
            let again = order.update_dispute(&update(last), at(401)).unwrap();
            assert_eq!(again, Decision::unchanged(order));
        }
    }

    #[test]
    fn an_event_that_contradicts_a_decision_changes_nothing_and_a_read_decides() {
        use DisputeStatus::{Lost, NeedsResponse, Prevented, UnderReview, Won};
        for (known, told) in
            [(Lost, Won), (Won, Lost), (Won, NeedsResponse), (Lost, UnderReview), (Prevented, NeedsResponse)]
        {
            let order = paid().update_dispute(&update(known), at(400)).unwrap().order;
            assert_eq!(order.update_dispute(&update(told), at(401)), Err(DisputeUpdateError::ContradictsDecision));
            for read in [known, told] {
                let decided = order.disputes_read(&[update(read)], at(402)).unwrap();
                assert_eq!(decided.order.disputes[0].status, read);
                assert_eq!(decided.facts.is_empty(), read == known, "{known} read as {read}");
            }
        }
        let foreign = Dispute { intent: IntentId::new("pi_2").unwrap(), ..update(Won) };
        assert_eq!(paid().disputes_read(&[foreign], at(401)), Err(DisputeUpdateError::NotOurs));
        assert_eq!(paid().disputes_read(&[], at(401)), Ok(Decision::unchanged(paid())));
    }

    #[test]
    fn a_dispute_that_is_lost_and_then_won_leaves_the_order_paid() {
        let lost = paid().update_dispute(&update(DisputeStatus::Lost), at(400)).unwrap().order;
        assert_eq!(lost.payment_state(), PaymentState::Disputed);
        let won = lost.disputes_read(&[update(DisputeStatus::Won)], at(401)).unwrap().order;
        assert_eq!(won.payment_state(), PaymentState::Paid);
        assert!(won.refund(&NewRefund::default(), at(402)).is_ok());
    }

    #[test]
    fn only_what_is_disputed_and_not_returned_cannot_be_refunded() {
        let part = |status| Dispute { amount: usd(4000), ..update(status) };
        let refund = |minor: Option<i64>| NewRefund { amount: minor.map(usd), ..NewRefund::default() };
        for status in [DisputeStatus::NeedsResponse, DisputeStatus::Lost] {
            let order = paid().update_dispute(&part(status), at(400)).unwrap().order;
            let disputed = RefundError::Disputed { undisputed: usd(7500) };
            assert_eq!(order.refund(&refund(Some(7501)), at(401)), Err(disputed), "{status}");
            let (rest, _) = order.refund(&refund(None), at(402)).unwrap();
            assert_eq!(rest.order.refunds[0].amount, usd(7500), "{status}");
            let disputed = RefundError::Disputed { undisputed: usd(0) };
            assert_eq!(rest.order.refund(&refund(Some(1)), at(403)), Err(disputed), "{status}");
            let returned = Dispute { reinstated: true, ..part(status) };
            let order = order.update_dispute(&returned, at(404)).unwrap().order;
            assert!(order.refund(&refund(Some(11_500)), at(405)).is_ok(), "{status}");
        }
        // What was refunded before is not disputed twice.
        let (refunded, _) = paid().refund(&refund(Some(10_000)), at(399)).unwrap();
        let order = refunded.order.update_dispute(&part(DisputeStatus::Lost), at(400)).unwrap().order;
        assert_eq!(order.undisputed_of(&part(DisputeStatus::Lost).intent), usd(0));
    }

    #[test]
    fn what_is_disputed_is_not_refunded_and_money_put_back_is_not_yet_a_win() {
        let order = paid().update_dispute(&update(DisputeStatus::NeedsResponse), at(400)).unwrap().order;
        let disputed = RefundError::Disputed { undisputed: usd(0) };
        assert_eq!(order.refund(&NewRefund::default(), at(401)), Err(disputed));
        let back = Dispute { reinstated: true, ..update(DisputeStatus::NeedsResponse) };
        let order = order.update_dispute(&back, at(402)).unwrap().order;
        assert_eq!((order.payment_state(), order.disputes[0].reinstated), (PaymentState::Disputed, true));
        let won = order.update_dispute(&update(DisputeStatus::Won), at(403)).unwrap().order;
        assert!(won.refund(&NewRefund::default(), at(404)).is_ok());
        let foreign = Dispute { intent: IntentId::new("pi_2").unwrap(), ..update(DisputeStatus::Won) };
        assert_eq!(won.update_dispute(&foreign, at(405)), Err(DisputeUpdateError::NotOurs));
    }
}
