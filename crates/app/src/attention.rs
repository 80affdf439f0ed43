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
    /// A refund has failed, its payment has money left, and no later refund of that payment was made.
    RefundFailed(&'a Refund),
    /// A bank waits for the shop's answer to a dispute or an inquiry.
    DisputeToAnswer(&'a Dispute),
}

/// Cases of an order: reviews, failed refunds, and disputes.
pub fn cases_of(order: &Order) -> Vec<Case<'_>> {
    let reviews = order.anomalies_in_review().map(Case::Review);
    let failed = order.refunds.iter().filter(|it| waits(order, it)).map(Case::RefundFailed);
    let disputes = order.disputes.iter().filter(|it| is_to_answer(it.status)).map(Case::DisputeToAnswer);
    reviews.chain(failed).chain(disputes).collect()
}

/// Whether a refund has failed, and nothing came of it since.
fn waits(order: &Order, refund: &Refund) -> bool {
    let is_later = |it: &Refund| it.intent == refund.intent && it.number > refund.number && it.status.holds_money();
    refund.status == RefundStatus::Failed
        && !order.left_of(&refund.intent).is_zero()
        && !order.refunds.iter().any(is_later)
}

/// Whether a bank waits for the shop's answer.
const fn is_to_answer(status: DisputeStatus) -> bool {
    matches!(status, DisputeStatus::NeedsResponse | DisputeStatus::WarningNeedsResponse)
}
