//! Disputes of payments. The cardholder's bank opens and decides them; an order records what Stripe reports of them.

use std::fmt;

use thiserror::Error;

use crate::id::DisputeId;
use crate::{Decision, Fact, IntentId, Money, Order, Timestamp};

/// Status of a dispute, by Stripe's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DisputeStatus {
    /// Inquiry: the bank asks for information, and no money is withdrawn.
    WarningNeedsResponse,
    /// Inquiry: the bank reviews the shop's response.
    WarningUnderReview,
    /// Inquiry closed without a dispute. Final.
    WarningClosed,
    /// Dispute: the bank asks for evidence.
    NeedsResponse,
    /// Dispute: the bank reviews the evidence.
    UnderReview,
    /// Dispute decided for the shop.
    Won,
    /// Dispute decided for the cardholder.
    Lost,
    /// Dispute prevented before it was opened.
    Prevented,
}

variant_names! {
    /// Stripe's name of the status.
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
    /// Whether the disputed money is withdrawn from the shop, provisionally or finally.
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

    /// Whether the bank has decided. It may change its decision: a lost dispute can be won later, and the reverse.
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

    /// Rank of the status. Only a higher rank replaces a status, so that events in any order end in the same one: an
    /// inquiry comes before a dispute, a review after the request for evidence, and a decision last.
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

parsed_by_name! { DisputeStatus: "a status of a dispute" }

/// Dispute of a payment, as an order records it and as an event or answer of Stripe reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dispute {
    /// Stripe's id of the dispute.
    pub id: DisputeId,
    /// Id of the PaymentIntent whose payment is disputed.
    pub intent: IntentId,
    /// Disputed amount.
    pub amount: Money,
    /// Status of the dispute.
    pub status: DisputeStatus,
    /// Reason by Stripe's name, e.g. `fraudulent`.
    pub reason: String,
    /// Time by which evidence must be submitted.
    pub due_by: Option<Timestamp>,
    /// Whether the money was withdrawn from the shop's balance at Stripe.
    pub withdrawn: bool,
    /// Whether the money was reinstated to the balance. That alone does not mean that the dispute was won.
    pub reinstated: bool,
}

/// Why an update of a dispute is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DisputeUpdateError {
    /// The disputed PaymentIntent is not one of this order's.
    #[error("the disputed PaymentIntent does not belong to the order")]
    NotOurs,
    /// The event contradicts the recorded decision of the bank, or says that money of a lost dispute was reinstated: it
    /// may have been withdrawn again since. Events are dated in whole seconds and come in any order, so the dispute must be
    /// read from Stripe: see [`Order::disputes_read`].
    #[error("the event contradicts the recorded decision of the dispute")]
    ContradictsDecision,
}

impl Order {
    /// Updates a dispute by an event of Stripe. Events may repeat and come in any order.
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
        let is_lost = update.status.is_decided() && update.status.takes_money();
        if is_lost && update.reinstated && !known.reinstated {
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

    /// Updates the disputes by an answer of Stripe, which must have been read after this order was read from its store.
    /// Unlike an event it may replace a recorded decision of the bank: the commit must name the version of this order,
    /// so that nothing newer is overwritten.
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
            // Reinstated money can be withdrawn again: the status says where it is now.
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
        decision.dated(now)
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
        decision.dated(now)
    }

    /// Whether a dispute of the intent is open or lost, so that its money is withdrawn from the shop.
    pub fn is_disputed(&self, intent: &IntentId) -> bool {
        self.disputes.iter().any(|it| it.intent == *intent && it.status.takes_money())
    }

    /// Amount received by an intent that is neither refunded, by Stripe or in another way, nor lost in a dispute.
    pub(crate) fn left_to_decide_of(&self, intent: &IntentId) -> Money {
        let left = self.less_closed_refunds(intent, self.left_of(intent));
        let is_lost = |it: &&Dispute| it.intent == *intent && it.status == DisputeStatus::Lost;
        let lost = self.disputes.iter().filter(is_lost).filter(|it| it.withdrawn && !it.reinstated);
        let rest = lost.into_iter().try_fold(left, |rest, it| rest.minus(it.amount));
        rest.unwrap_or_else(|_| Money::zero(left.currency()))
    }

    /// Amount of an intent that its disputes leave refundable: what is not refunded yet, less what disputes have
    /// withdrawn and not reinstated, which a refund would pay twice. Stripe may still refuse a refund while a dispute
    /// is open.
    pub fn undisputed_of(&self, intent: &IntentId) -> Money {
        let left = self.left_of(intent);
        let withdrawn =
            self.disputes.iter().filter(|it| it.intent == *intent && it.status.takes_money() && !it.reinstated);
        let rest = withdrawn.into_iter().try_fold(left, |rest, it| rest.minus(it.amount));
        // After a partial refund more may be disputed than is left: then nothing is refundable.
        rest.unwrap_or_else(|_| Money::zero(left.currency()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::Policies;
    use crate::intent::IntentStatus;
    use crate::order::PaymentState;
    use crate::order::tests::{at, placed, usd};
    use crate::refund::{NewRefund, RefundError};

    fn paid() -> Order {
        let order = placed();
        let created = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(300));
        let update = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
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
    fn a_dispute_ends_in_the_same_status_whatever_the_order_of_its_events() {
        use DisputeStatus::{Lost, NeedsResponse, UnderReview, WarningClosed, WarningNeedsResponse, Won};
        for (statuses, state) in [
            (vec![NeedsResponse], PaymentState::Disputed),
            (vec![NeedsResponse, UnderReview, Won], PaymentState::Paid),
            (vec![UnderReview, NeedsResponse], PaymentState::Disputed),
            (vec![NeedsResponse, Lost], PaymentState::Disputed),
            (vec![WarningNeedsResponse, WarningClosed], PaymentState::Paid),
            (vec![WarningNeedsResponse, NeedsResponse], PaymentState::Disputed),
        ] {
            let order =
                statuses.iter().fold(paid(), |order, it| order.update_dispute(&update(*it), at(400)).unwrap().order);
            assert_eq!(order.payment_state(), state, "{statuses:?}");
            let last = *statuses.last().unwrap();
            let again = order.update_dispute(&update(last), at(401)).unwrap();
            assert_eq!(again, Decision::unchanged(order));
        }
    }

    #[test]
    fn an_event_that_contradicts_a_decision_is_refused_and_a_read_at_stripe_decides() {
        use DisputeStatus::{Lost, NeedsResponse, Prevented, UnderReview, Won};
        for (known, reported) in
            [(Lost, Won), (Won, Lost), (Won, NeedsResponse), (Lost, UnderReview), (Prevented, NeedsResponse)]
        {
            let order = paid().update_dispute(&update(known), at(400)).unwrap().order;
            assert_eq!(order.update_dispute(&update(reported), at(401)), Err(DisputeUpdateError::ContradictsDecision));
            for read in [known, reported] {
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
    fn an_order_is_paid_again_when_its_lost_dispute_is_won() {
        let lost = paid().update_dispute(&update(DisputeStatus::Lost), at(400)).unwrap().order;
        assert_eq!(lost.payment_state(), PaymentState::Disputed);
        let won = lost.disputes_read(&[update(DisputeStatus::Won)], at(401)).unwrap().order;
        assert_eq!(won.payment_state(), PaymentState::Paid);
        assert!(won.refund(&NewRefund::default(), at(402)).is_ok());
    }

    #[test]
    fn only_disputed_money_that_is_not_reinstated_cannot_be_refunded() {
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
            let order = order.disputes_read(&[returned], at(404)).unwrap().order;
            assert!(order.refund(&refund(Some(11_500)), at(405)).is_ok(), "{status}");
        }
        // A dispute of more than is left after a refund leaves nothing refundable.
        let (refunded, _) = paid().refund(&refund(Some(10_000)), at(399)).unwrap();
        let order = refunded.order.update_dispute(&part(DisputeStatus::Lost), at(400)).unwrap().order;
        assert_eq!(order.undisputed_of(&part(DisputeStatus::Lost).intent), usd(0));
    }

    /// The bank decides for the shop and then against it. An event of between has the older list of movements.
    #[test]
    fn an_event_does_not_give_back_the_money_of_a_lost_dispute() {
        let of = |status, reinstated| Dispute { reinstated, ..update(status) };
        let won = paid().update_dispute(&of(DisputeStatus::Won, true), at(400)).unwrap().order;
        let read = [of(DisputeStatus::Lost, false)];
        let lost = won.disputes_read(&read, at(410)).unwrap().order;
        let late = of(DisputeStatus::Lost, true);
        for order in
            [lost.clone(), paid().update_dispute(&update(DisputeStatus::NeedsResponse), at(400)).unwrap().order]
        {
            assert_eq!(order.update_dispute(&late, at(420)), Err(DisputeUpdateError::ContradictsDecision));
            let read = order.disputes_read(&read, at(430)).unwrap().order;
            assert!(!read.disputes[0].reinstated && read.disputes[0].status == DisputeStatus::Lost);
        }
    }

    #[test]
    fn a_disputed_payment_is_not_refunded_and_reinstated_money_does_not_end_the_dispute() {
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
