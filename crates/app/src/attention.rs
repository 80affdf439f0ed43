//! Cases of orders that wait for a person.

use paywright_domain::Order;
use paywright_domain::anomaly::Anomaly;
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::refund::Refund;

/// Matter of an order that waits for a person: nothing ends it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case<'a> {
    /// The order is held for review.
    Review(&'a Anomaly),
    /// A refund has failed and waits for a person ([`Order::awaits_decision`]).
    RefundFailed(&'a Refund),
    /// A bank waits for the shop's answer to a dispute or an inquiry.
    DisputeToAnswer(&'a Dispute),
}

/// Cases of an order: reviews, failed refunds, and disputes.
pub fn cases_of(order: &Order) -> Vec<Case<'_>> {
    let reviews = order.anomalies_in_review().map(Case::Review);
    let failed = order.refunds.iter().filter(|it| order.awaits_decision(it)).map(Case::RefundFailed);
    let disputes = order.disputes.iter().filter(|it| awaits_answer(it)).map(Case::DisputeToAnswer);
    reviews.chain(failed).chain(disputes).collect()
}

/// Whether a bank waits for the shop's answer to a dispute or an inquiry.
pub const fn awaits_answer(dispute: &Dispute) -> bool {
    matches!(dispute.status, DisputeStatus::NeedsResponse | DisputeStatus::WarningNeedsResponse)
}
