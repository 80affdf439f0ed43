//! Cases of orders that wait for a person.

use paywright_domain::Order;
use paywright_domain::anomaly::Anomaly;
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::refund::{Refund, RefundStatus};

/// Matter of an order that waits for a person: nothing ends it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case<'a> {
    /// The order is held for review.
    Review(&'a Anomaly),
    /// A refund has failed and nobody has closed it, its payment has money left, and later refunds of that payment are less
    /// than it.
    RefundFailed(&'a Refund),
    /// A bank waits for the shop's answer to a dispute or an inquiry.
    DisputeToAnswer(&'a Dispute),
}

/// Cases of an order: reviews, failed refunds, and disputes.
pub fn cases_of(order: &Order) -> Vec<Case<'_>> {
    let reviews = order.anomalies_in_review().map(Case::Review);
    let failed = order.refunds.iter().filter(|it| waits(order, it)).map(Case::RefundFailed);
    let disputes = order.disputes.iter().filter(|it| awaits_answer(it)).map(Case::DisputeToAnswer);
    reviews.chain(failed).chain(disputes).collect()
}

/// Whether a refund has failed, nobody has closed it, and the refunds that were requested after it do not make up for it.
fn waits(order: &Order, refund: &Refund) -> bool {
    let is_later = |it: &&Refund| it.intent == refund.intent && it.number > refund.number && it.status.holds_money();
    let later: i64 = order.refunds.iter().filter(is_later).map(|it| it.amount.minor()).sum();
    let is_open = refund.status == RefundStatus::Failed && refund.closed_at.is_none();
    is_open && !order.left_of(&refund.intent).is_zero() && later < refund.amount.minor()
}

/// Whether a bank waits for the shop's answer to a dispute or an inquiry.
pub const fn awaits_answer(dispute: &Dispute) -> bool {
    matches!(dispute.status, DisputeStatus::NeedsResponse | DisputeStatus::WarningNeedsResponse)
}
