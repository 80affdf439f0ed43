//! Balance transactions that were made twice for one object.

use paywright_domain::books::ReportingCategory;

/// Categories with those of the movements that return their amounts.
static RETURNED: [(ReportingCategory, ReportingCategory); 3] = [
    (ReportingCategory::Charge, ReportingCategory::ChargeFailure),
    (ReportingCategory::Refund, ReportingCategory::RefundFailure),
    (ReportingCategory::Dispute, ReportingCategory::DisputeReversal),
];

/// Whether two of the movements of one object, by their categories, are the same one. An amount that was returned may be
/// moved once more: the bank may reverse its decision of a dispute, and reverse it again.
pub(super) fn has_duplicate(categories: &[&ReportingCategory]) -> bool {
    let count = |category: &ReportingCategory| categories.iter().filter(|it| **it == category).count();
    let most = |category: &ReportingCategory| {
        let of = RETURNED.iter().find(|(moved, back)| moved == category || back == category);
        of.map_or(1, |(moved, back)| if moved == category { 1 + count(back) } else { count(moved).max(1) })
    };
    categories.iter().any(|it| count(it) > most(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_that_was_returned_may_be_moved_once_more() {
        use ReportingCategory::{Charge, ChargeFailure, Dispute, DisputeReversal, Fee, Refund, RefundFailure};
        for (categories, expected) in [
            (vec![], false),
            (vec![Charge], false),
            (vec![Charge, Charge], true),
            (vec![Charge, ChargeFailure, Charge], false),
            (vec![Refund, RefundFailure], false),
            (vec![Refund, RefundFailure, RefundFailure], true),
            (vec![RefundFailure], false),
            (vec![Dispute, DisputeReversal, Dispute], false),
            (vec![Dispute, DisputeReversal, Dispute, DisputeReversal], false),
            (vec![Dispute, DisputeReversal, Dispute, Dispute], true),
            (vec![Dispute, DisputeReversal, DisputeReversal, Dispute, DisputeReversal], true),
            (vec![Dispute, Fee], false),
            (vec![Fee, Fee], true),
        ] {
            let each: Vec<&ReportingCategory> = categories.iter().collect();
            assert_eq!(has_duplicate(&each), expected, "{categories:?}");
        }
    }
}
