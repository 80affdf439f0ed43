//! Closings of failed refunds, whose money went back in another way: their stories, and what must hold of them.

use std::collections::BTreeMap;

use paywright_app::{Case, cases_of};
use paywright_domain::anomaly::{AnomalyKind, NoticeKind};
use paywright_domain::refund::RefundStatus;
use paywright_domain::{Fact, IntentId, Order};

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
            &[Act::Refund(Some(600)), Act::Wait(86_400), Act::Close(1, None)],
            &[Act::Close(1, None), Act::Wait(90_000), Act::Close(1, None)],
        ],
    ),
    story(
        "close or refund again",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::Wait(86_400), Act::Close(1, None), Act::Refund(None)],
            &[Act::Wait(86_400), Act::Refund(Some(300)), Act::Wait(86_400), Act::Close(2, None)],
        ],
    ),
    story(
        "close two refunds of the same money",
        &[Act::Place, Act::CreateIntent, REFUND_FAILS, Act::Check],
        &[
            &[
                Act::Refund(Some(600)),
                Act::Wait(86_400),
                Act::Refund(Some(600)),
                Act::Wait(86_400),
                Act::Close(2, Some(600)),
                Act::Close(1, Some(0)),
                Act::Refund(None),
            ],
            &[Act::Wait(200_000), Act::Close(1, Some(600)), Act::Close(2, Some(600))],
        ],
    ),
    story(
        "close while the bank decides",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[
                Act::Refund(Some(600)),
                Act::Close(1, None),
                Act::External(ExternalAction::BankDecidesRefund(false)),
                Act::Close(1, None),
            ],
            &[Act::Close(1, None), Act::External(ExternalAction::BankDecidesRefund(true)), Act::Close(1, None)],
        ],
    ),
    story(
        "close while another program refunds",
        &[Act::Place, Act::CreateIntent, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[Act::Refund(Some(600)), Act::External(ExternalAction::BankDecidesRefund(false)), Act::Close(1, None)],
            &[Act::External(ExternalAction::Refund(500)), Act::Close(2, None), Act::Close(1, None)],
        ],
    ),
];

/// Refunds of an order as its facts tell them, in their order.
#[derive(Default)]
struct Told<'a> {
    refunds: BTreeMap<u32, (&'a IntentId, i64, RefundStatus)>,
    closed: BTreeMap<u32, i64>,
}

impl<'a> Told<'a> {
    /// Whether a refund is one of this intent.
    fn is_of(&self, number: u32, intent: &IntentId) -> bool {
        self.refunds.get(&number).is_some_and(|it| it.0 == intent)
    }

    fn read(&mut self, fact: &'a Fact) -> Checked {
        if let Fact::RefundRequested { refund, intent, amount, .. } = fact {
            self.refunds.insert(*refund, (intent, amount.minor(), RefundStatus::Requested));
        } else if let Fact::RefundChanged { refund, status, .. } = fact {
            if let Some(it) = self.refunds.get_mut(refund) {
                it.2 = *status;
            }
        } else if let Fact::RefundClosed { refund, amount, .. } = fact {
            return self.close(*refund, amount.minor());
        }
        Ok(())
    }

    fn close(&mut self, number: u32, amount: i64) -> Checked {
        let Some((intent, whole, status)) = self.refunds.get(&number).copied() else {
            return fail("closed", format!("refund {number} was closed, and nobody has requested it"));
        };
        if status != RefundStatus::Failed {
            return fail("closed", format!("refund {number} was {status} when it was closed"));
        }
        let later = self.refunds.range(number + 1..).filter(|(_, it)| it.0 == intent && it.2.holds_money());
        let later: i64 = later.map(|(_, it)| it.1).sum();
        if later >= whole {
            return fail(
                "closed",
                format!("refund {number} of {whole} was closed, and later ones of {later} are made"),
            );
        }
        if self.closed.insert(number, amount).is_some() {
            return fail("closed", format!("refund {number} was closed twice"));
        }
        Ok(())
    }
}

/// Checks what must hold after every step: a refund that a person has closed had failed, is closed once, and waits for nobody;
/// a person is told if it was made after all; and no more went back in another way than was received.
pub(crate) fn always(order: &Order, tables: &Tables, books: &Books) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let mut told = Told::default();
    for fact in facts {
        told.read(&fact.fact)?;
    }
    let closings = order.refunds.iter().filter_map(|it| Some((it.number, it.closing?.amount.minor())));
    if !closings.clone().eq(told.closed.iter().map(|(number, amount)| (*number, *amount))) {
        return fail("closed", format!("{:?} are closed by their facts, and not by the order", told.closed));
    }
    if told.closed.len() > books.closings {
        return fail("closed", format!("{} refunds are closed for {} requests", told.closed.len(), books.closings));
    }
    for intent in &order.intents {
        let closed: i64 = told.closed.iter().filter(|(it, _)| told.is_of(**it, &intent.id)).map(|(_, it)| it).sum();
        if closed > intent.received.minor() {
            return fail(
                "closed",
                format!("{closed} of {} went back in another way, of {:?}", intent.id, intent.received),
            );
        }
    }
    for refund in order.refunds.iter().filter(|it| it.closing.is_some() && it.status != RefundStatus::Failed) {
        let made = AnomalyKind::Notice(NoticeKind::ClosedRefundMade { refund: refund.number });
        if !order.anomalies.iter().any(|it| it.kind == made) {
            return fail(
                "closed",
                format!("the closed refund {} is {}, and nobody is told", refund.number, refund.status),
            );
        }
    }
    for case in cases_of(order) {
        if let Case::RefundFailed(refund) = case
            && told.closed.contains_key(&refund.number)
        {
            return fail("closed", format!("refund {} is closed, and still waits for a person", refund.number));
        }
    }
    Ok(())
}
