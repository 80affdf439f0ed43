//! Closings of failed refunds, whose money went back in another way: their stories, and what must hold of them.

use std::collections::BTreeSet;

use paywright_app::{Case, cases_of};
use paywright_domain::anomaly::{AnomalyKind, NoticeKind};
use paywright_domain::refund::RefundStatus;
use paywright_domain::{Fact, Order};

use crate::acts::Act;
use crate::books::Books;
use crate::external_actions::ExternalAction;
use crate::invariants::{Checked, fail};
use crate::plan::{REFUND_FAILS, REFUND_STAYS_PENDING, Workload, story};
use crate::store::Tables;

/// Stories in which people close a refund that may fail, while others do something else with its money.
pub(crate) const CLOSINGS: &[Workload] = &[
    story(
        "two people close a refund",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::Wait(86_400), Act::Close(1)],
            &[Act::Close(1), Act::Wait(90_000), Act::Close(1)],
        ],
    ),
    story(
        "close or refund again",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::Wait(86_400), Act::Close(1), Act::Refund(None)],
            &[Act::Wait(86_400), Act::Refund(Some(300)), Act::Wait(86_400), Act::Close(2)],
        ],
    ),
    story(
        "close while the bank decides",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[
                Act::Refund(Some(600)),
                Act::Close(1),
                Act::External(ExternalAction::BankDecidesRefund(false)),
                Act::Close(1),
            ],
            &[Act::Close(1), Act::External(ExternalAction::BankDecidesRefund(true)), Act::Close(1)],
        ],
    ),
    story(
        "close while another program refunds",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::External(ExternalAction::BankDecidesRefund(false)), Act::Close(1)],
            &[Act::External(ExternalAction::Refund(500)), Act::Close(2), Act::Close(1)],
        ],
    ),
];

/// Checks what must hold after every step: a refund that a person has closed has failed, or a
/// person is told that it was made after all; it is closed once, and waits for nobody.
pub(crate) fn always(order: &Order, tables: &Tables, books: &Books) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let mut closed = BTreeSet::new();
    for fact in facts.iter().map(|it| &it.fact) {
        let Fact::RefundClosed { refund, amount, .. } = fact else { continue };
        if !closed.insert(*refund) {
            return fail("closed", format!("refund {refund} was closed twice"));
        }
        let Some(it) = order.refund_numbered(*refund).filter(|it| it.closed_at.is_some() && it.amount == *amount)
        else {
            return fail("closed", format!("refund {refund} of {amount} was closed, and the order does not say so"));
        };
        let made = AnomalyKind::Notice(NoticeKind::ClosedRefundMade { refund: *refund });
        if it.status != RefundStatus::Failed && !order.anomalies.iter().any(|it| it.kind == made) {
            return fail("closed", format!("refund {refund} was closed, is {}, and nobody is told", it.status));
        }
    }
    let shown: BTreeSet<u32> = order.refunds.iter().filter(|it| it.closed_at.is_some()).map(|it| it.number).collect();
    if shown != closed {
        return fail("closed", format!("the refunds {shown:?} are closed, and there are facts for {closed:?}"));
    }
    if closed.len() > books.closings {
        return fail("closed", format!("{} refunds are closed for {} requests", closed.len(), books.closings));
    }
    for case in cases_of(order) {
        if let Case::RefundFailed(refund) = case
            && closed.contains(&refund.number)
        {
            return fail("closed", format!("refund {} is closed, and still waits for a person", refund.number));
        }
    }
    Ok(())
}
