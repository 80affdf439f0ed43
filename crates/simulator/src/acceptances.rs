//! Acceptances of money of another amount than is due: their stories, and what must hold of them.

use paywright_domain::anomaly::Anomaly;
use paywright_domain::books::{Account, SalesPart, Source};
use paywright_domain::intent::CaptureMethod;
use paywright_domain::{Fact, IntentId, Money, Order};
use paywright_stripe_twin::Twin;

use crate::acts::{Act, Forgery};
use crate::books::Books;
use crate::external_actions::ExternalAction;
use crate::invariants::{Checked, fail};
use crate::plan::{PAY, REFUND_FAILS, REFUND_STAYS_PENDING, SHOWN, Workload, story};
use crate::store::{BooksTables, Tables};

const LESS_IS_DUE: Act = Act::External(ExternalAction::ChangeAmount(700));
const MORE_IS_DUE: Act = Act::External(ExternalAction::ChangeAmount(1500));
/// An order of 1000 that has received 700.
const LESS_RECEIVED: &[Act] = &[Act::Place, Act::CreateIntent, LESS_IS_DUE, PAY, Act::Check];
/// An order of 1000 that has received 1500.
const MORE_RECEIVED: &[Act] = &[Act::Place, Act::CreateIntent, MORE_IS_DUE, PAY, Act::Check];

/// Stories in which people accept money of another amount, while others do something else with it.
pub(crate) const ACCEPTANCES: &[Workload] = &[
    story("two people accept", LESS_RECEIVED, &[&[Act::Accept], &[Act::Accept, Act::Refund(Some(200))]]),
    story("accept or refund", LESS_RECEIVED, &[&[Act::Accept], &[Act::Refund(None), Act::CreateIntent, PAY]]),
    story(
        "accept after a part was refunded",
        MORE_RECEIVED,
        &[&[Act::Refund(Some(500)), Act::Accept], &[Act::External(ExternalAction::Refund(300)), Act::Accept]],
    ),
    story(
        "accept while the payment becomes known",
        SHOWN,
        &[&[LESS_IS_DUE, PAY, Act::Accept, Act::Accept], &[Act::Check, Act::Accept], &[Act::Cancel]],
    ),
    story(
        "accept after another intent has paid",
        &[Act::Place, Act::External(ExternalAction::SecondIntent), Act::CreateIntent, LESS_IS_DUE, PAY, Act::Check],
        &[&[Act::Accept, Act::Accept], &[Act::Check, Act::Accept, Act::Accept]],
    ),
    story(
        "accept what a forged event reports",
        SHOWN,
        &[&[Act::Forge(Forgery::OtherAmount), Act::Accept, Act::Accept], &[Act::Accept], &[PAY, Act::Check]],
    ),
    story(
        "refunds of an accepted payment come back",
        &[Act::Place, Act::CreateIntent, LESS_IS_DUE, REFUND_FAILS, Act::Check],
        &[&[Act::Refund(Some(300)), Act::Accept, Act::Wait(86_400), Act::Refund(Some(200))], &[Act::Accept]],
    ),
    story(
        "refunds after one that came back",
        &[Act::Place, Act::CreateIntent, MORE_IS_DUE, REFUND_STAYS_PENDING, Act::Check],
        &[
            &[
                Act::Accept,
                Act::Refund(Some(300)),
                Act::External(ExternalAction::BankDecidesRefund(false)),
                Act::Refund(Some(700)),
                Act::Wait(100),
                Act::Refund(None),
            ],
            &[Act::External(ExternalAction::BankDecidesRefund(true)), Act::Refund(None)],
        ],
    ),
    story(
        "dispute of an accepted payment",
        LESS_RECEIVED,
        &[
            &[Act::Accept],
            &[Act::External(ExternalAction::Dispute), Act::External(ExternalAction::CloseDispute(false)), Act::Accept],
        ],
    ),
];

/// Whether the amount of an anomaly was accepted.
fn accepted<'a>(order: &'a Order, intent: &'a IntentId) -> impl Iterator<Item = &'a Anomaly> {
    order.anomalies.iter().filter(move |it| it.intent.as_ref() == Some(intent) && it.accepted_at.is_some())
}

/// Whether a fact is the acceptance of this amount of an intent.
fn accepts(fact: &Fact, of: &IntentId, amount: Money) -> bool {
    matches!(fact, Fact::PaymentAccepted { intent, received, .. } if intent == of && *received == amount)
}

/// Checks what must hold after every step: an order is paid by another amount than is due only where a person has accepted just
/// this amount, once, and Stripe has the money.
pub(crate) fn always(order: &Order, tables: &Tables, twin: &Twin, books: &Books) -> Checked {
    let facts = tables.facts.get(&order.id).map(Vec::as_slice).unwrap_or_default();
    let mut count = 0;
    for fact in facts.iter().map(|it| &it.fact) {
        if let Fact::PaymentAccepted { intent, received, .. } = fact {
            count += 1;
            let is_there = |it: &paywright_stripe_twin::IntentView<'_>| {
                it.id == intent.as_str()
                    && it.received >= received.minor()
                    && it.currency == order.total.currency().code()
            };
            if !twin.intents().any(|it| is_there(&it)) {
                return fail(
                    "accepted",
                    format!("{received} of {intent} was accepted, and Stripe has not received it"),
                );
            }
            if accepted(order, intent).count() != 1 {
                return fail("accepted", format!("{intent} was accepted, and its anomaly does not say so"));
            }
            if order.paid_by().is_none_or(|it| it.id != *intent) {
                return fail("accepted", format!("{intent} was accepted, and the order is {}", order.state.name()));
            }
            if order.anomalies_in_review().any(|it| it.intent.as_ref() == Some(intent)) {
                return fail("accepted", format!("{intent} was accepted, and is still held for review"));
            }
        }
        if let Fact::OrderPaid { by, amount } = fact {
            // Less may have been captured, here or elsewhere.
            let is_captured = order.capture == CaptureMethod::Manual && amount.minor() < order.total.minor();
            if *amount != order.total && !is_captured && !facts.iter().any(|it| accepts(&it.fact, by, *amount)) {
                let total = order.total;
                return fail("accepted", format!("{amount} of {total} paid the order, and nobody has accepted it"));
            }
        }
    }
    if count > books.acceptances || count > 1 {
        return fail("accepted", format!("{count} acceptances are recorded for {} requests", books.acceptances));
    }
    Ok(())
}

/// Checks that an accepted payment and its refunds are booked as its sale, and no longer as unexpected money.
pub(crate) fn are_booked(kept: &BooksTables, tables: &Tables) -> Checked {
    for order in tables.orders.values().map(|it| &it.value) {
        let Some(by) = order.paid_by().filter(|it| accepted(order, &it.id).next().is_some()) else { continue };
        let refunds = order.refunds.iter().filter(|it| it.intent == by.id).filter_map(|it| it.provider_id.clone());
        let mut sources: Vec<_> = refunds.map(|refund| Source::Refund { refund }).collect();
        sources.push(Source::Payment { intent: by.id.clone() });
        let entries: Vec<_> = kept.entries.values().filter(|it| sources.contains(&it.source)).collect();
        let currency = order.total.currency();
        let sum =
            |account: &Account| -> i64 { entries.iter().map(|it| it.entry.sum_of(account, currency).minor()).sum() };
        for account in [Account::Sales(SalesPart::Unexpected), Account::Refunds(SalesPart::Unexpected)] {
            if sum(&account) != 0 {
                return fail("accepted", format!("{account} is {} after {} was accepted", sum(&account), by.id));
            }
        }
        let missing = order.total.minor() - by.received.minor();
        let booked = sum(&Account::PaymentDifferences);
        if order.refunded_of(&by.id) == 0 && booked != missing {
            return fail("accepted", format!("{booked} is booked as the difference of {}, which is {missing}", by.id));
        }
        if order.left_of(&by.id).is_zero() {
            let parts = [SalesPart::Goods, SalesPart::Shipping, SalesPart::Discounts];
            let left = |it: SalesPart| sum(&Account::Sales(it.clone())) + sum(&Account::Refunds(it));
            if booked != 0 || parts.into_iter().any(|it| left(it) != 0) {
                return fail("accepted", format!("all of {} is refunded, and some of its sale is still booked", by.id));
            }
        }
    }
    Ok(())
}
