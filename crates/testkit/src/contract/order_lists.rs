//! Cases of the lists of the port [`Orders`](paywright_app::Orders): all orders, those of a customer, and those that a
//! customer has completed.

use paywright_app::{
    Balance, CompletedOrdersQuery, Completion, OrderFilter, OrderQuery, OrderSearch, OrderSort, Store, TimeRange,
    is_completed,
};
use paywright_domain::anomaly::Policies;
use paywright_domain::id::CustomerId;
use paywright_domain::intent::{IntentError, IntentStatus, NewAcceptance};
use paywright_domain::order::{CancelReason, OrderState};
use paywright_domain::refund::{NewClosing, NewRefund};
use paywright_domain::task::ProviderFailure;
use paywright_domain::text::{Email, Note};
use paywright_domain::{Currency, Decision, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId};

use super::{NOW, Subject, first, requested, then, update};
use crate::{at, edit_of_lines, new_order, order_id, place};

/// Step of an order after it was placed.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// An intent is created.
    Issued,
    /// The intent has a status, as Stripe answers.
    Answered(IntentStatus),
    /// An event says that the intent succeeded.
    Reported,
    /// Stripe has no such intent.
    Missing,
    /// Stripe confirms that the intent succeeded.
    Confirmed,
    /// The order is canceled.
    Canceled,
    /// Stripe answers that the intent has received 1.00 more than the total.
    Overpaid,
    /// Another intent has received 1.00 more than the total, which is held for review.
    HeldOfAnother,
    /// Money of another amount is accepted as the payment.
    Accepted,
    /// A part of the payment is refunded, in minor units; 0 is all that is left.
    Refunded(i64),
    /// Stripe refuses the first refund.
    RefundRefused,
    /// The first refund, which failed, is closed.
    RefundClosed,
    /// An event reports that another intent has received the total too, which goes back by policy.
    SecondReported,
    /// Stripe answers that this other intent does not exist.
    SecondMissing,
    /// Stripe answers that this other intent has succeeded.
    SecondArrived,
}

const OF_ADA: [(&[Step], bool); 10] = {
    use IntentStatus::{Canceled as Ended, Processing, RequiresCapture, RequiresPaymentMethod, Succeeded};
    use Step::{Answered, Canceled, Confirmed, Issued, Missing, Reported};
    [
        (&[], false),
        (&[Answered(Succeeded)], true),
        (&[Issued, Answered(Processing)], true),
        (&[Issued, Answered(Processing), Answered(RequiresPaymentMethod)], true),
        (&[Issued, Answered(Processing), Answered(Ended), Canceled], false),
        (&[Reported], true),
        (&[Reported, Missing], false),
        (&[Reported, Missing, Confirmed], true),
        (&[Issued], false),
        (&[Answered(RequiresCapture)], false),
    ]
};

fn one_more(amount: Money) -> Money {
    amount.plus(Money::new(100, amount.currency()).unwrap()).unwrap()
}

/// Places the `n`th order for `customer` and takes it through `steps`.
pub(crate) async fn walk(store: &dyn Store, n: u32, customer: &str, steps: &[Step]) {
    let customer = Some(CustomerId::new(customer).unwrap());
    let placed = Order::place(order_id(n), NewOrder { customer, ..new_order() }, at(NOW)).unwrap();
    let mut order = placed.order.clone();
    store.commit(first(placed)).await.unwrap();
    let decision = requested(&order);
    order = decision.order.clone();
    store.commit(then(1, decision)).await.unwrap();
    for (version, (step, seconds)) in (2..).zip(steps.iter().zip(1..)) {
        let decision = stepped(&order, n, *step, seconds);
        order = decision.order.clone();
        store.commit(then(version, decision)).await.unwrap();
    }
}

/// Decision of a step on the `n`th order, so many seconds after it was placed.
fn stepped(order: &Order, n: u32, step: Step, seconds: i64) -> Decision {
    let now = at(NOW + seconds);
    let seen_of = |name: &str, status| {
        let name = format!("pi_{n}{name}");
        IntentSnapshot { as_of: now, as_of_max: now, ..update(order, &name, status) }
    };
    let seen = |status| seen_of("", status);
    let succeeded = |name: &str| seen_of(name, IntentStatus::Succeeded);
    let settled = |it: &IntentSnapshot| order.settle(it, &Policies::DEFAULT, now).unwrap();
    let read = |name: &str, it: Option<&IntentSnapshot>| {
        let intent = IntentId::new(format!("pi_{n}{name}")).unwrap();
        order.payment_read(&intent, it, &Policies::DEFAULT, now).unwrap()
    };
    match step {
        Step::Issued => settled(&seen(IntentStatus::RequiresPaymentMethod)),
        Step::Answered(status) => settled(&seen(status)),
        Step::Reported => settled(&succeeded("").delivered_by_webhook()),
        Step::Missing => read("", None),
        Step::Confirmed => read("", Some(&succeeded(""))),
        Step::Canceled => order.cancel(CancelReason::Abandoned, now).unwrap(),
        Step::Overpaid => settled(&IntentSnapshot { received: one_more(order.total), ..succeeded("") }),
        Step::HeldOfAnother => {
            let amount = one_more(order.total);
            settled(&IntentSnapshot { amount, received: amount, ..succeeded("_other") })
        }
        Step::Accepted => {
            let new = NewAcceptance { intent: None, amount: None, note: Note::new("it is enough").unwrap() };
            order.accept_payment(&new, now).unwrap()
        }
        Step::Refunded(minor) => {
            let amount = (minor > 0).then(|| Money::new(minor, order.total.currency()).unwrap());
            order.refund(&NewRefund { amount, ..NewRefund::default() }, now).unwrap().0
        }
        Step::RefundRefused => {
            order.refund_request_failed(1, 1, &ProviderFailure::Refused(IntentError::default()), now)
        }
        Step::RefundClosed => {
            let new = NewClosing { amount: None, note: Note::new("paid back in cash").unwrap() };
            order.close_refund(1, &new, now).unwrap()
        }
        Step::SecondReported => settled(&succeeded("_second").delivered_by_webhook()),
        Step::SecondMissing => read("_second", None),
        Step::SecondArrived => read("_second", Some(&succeeded("_second"))),
    }
}

/// Orders in every state are stored, among orders of another customer.
pub async fn the_completed_orders_of_a_customer_are_read_by_page_and_counted(subject: &impl Subject) {
    let store = subject.store();
    let mut completed = Vec::new();
    for (n, (steps, is_complete)) in (1..).zip(OF_ADA) {
        walk(&*store, n, "ada", steps).await;
        walk(&*store, n + 100, "bob", &[Step::Answered(IntentStatus::Succeeded)]).await;
        completed.extend(is_complete.then_some(order_id(n)));
    }
    let customer = CustomerId::new("ada").unwrap();
    let all = OrderQuery { customer: Some(customer.clone()), ..OrderQuery::newest(100) };
    let mut by_rule: Vec<OrderId> = Vec::new();
    for order in store.orders(&all).await.unwrap().into_iter().rev() {
        let facts = store.facts(order.id).await.unwrap();
        by_rule.extend(is_completed(&order, &facts).then_some(order.id));
    }
    assert_eq!(by_rule, completed, "the rule and the table agree");
    let newest_first: Vec<_> = completed.iter().rev().copied().collect();
    for (oldest_first, expected) in [(true, &completed), (false, &newest_first)] {
        for (offset, limit) in [(0, 100), (0, 2), (2, 2), (3, 1), (4, 9), (5, 9), (1_000_000_000_000, 500)] {
            let query = CompletedOrdersQuery { customer: customer.clone(), oldest_first, offset, limit };
            let page = store.completed_orders(&query).await.unwrap();
            let skipped = usize::try_from(offset).unwrap();
            let expected: Vec<_> = expected.iter().skip(skipped).take(usize::from(limit)).copied().collect();
            assert_eq!(page.iter().map(|it| it.id).collect::<Vec<_>>(), expected, "{limit} after {offset}");
            for order in page {
                assert_eq!(order.customer.as_ref(), Some(&customer));
            }
        }
    }
    for (name, count) in [("ada", 5), ("bob", 10), ("eve", 0)] {
        let counted = store.count_completed_orders(&CustomerId::new(name).unwrap()).await.unwrap();
        assert_eq!(counted, count, "{name}");
    }
}

/// Orders are placed and changed between the pages.
pub async fn paging_through_orders_misses_and_repeats_none(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=23 {
        store.commit(first(place(n))).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut older_than = None;
    loop {
        let query = OrderQuery { older_than, ..OrderQuery::newest(5) };
        let page = store.orders(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 5);
        older_than = Some(last.id);
        seen.extend(page.iter().map(|it| it.id));
        let fresh = 100 + u32::try_from(seen.len()).unwrap();
        store.commit(first(place(fresh))).await.unwrap();
        let changed = place(23).order.edit(edit_of_lines(i64::from(fresh)), at(NOW)).unwrap();
        drop(store.commit(then(1, changed)).await);
    }
    assert_eq!(seen, (1..=23).rev().map(order_id).collect::<Vec<_>>());
}

/// Other customers' and guests' orders are not returned.
pub async fn a_customers_list_has_only_that_customers_orders(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=6 {
        let customer = (n % 2 == 0).then(|| paywright_domain::id::CustomerId::new("cus-bob").unwrap());
        let new = paywright_domain::NewOrder { customer, ..new_order() };
        store.commit(first(Order::place(order_id(n), new, at(NOW)).unwrap())).await.unwrap();
    }
    let query = OrderQuery {
        customer: Some(paywright_domain::id::CustomerId::new("cus-bob").unwrap()),
        ..OrderQuery::newest(2)
    };
    let page = store.orders(&query).await.unwrap();
    assert_eq!(page.iter().map(|it| it.id).collect::<Vec<_>>(), [order_id(6), order_id(4)]);
    let rest = store.orders(&OrderQuery { older_than: Some(order_id(4)), ..query }).await.unwrap();
    assert_eq!(rest.iter().map(|it| it.id).collect::<Vec<_>>(), [order_id(2)]);
}

/// Every condition alone, and several together.
pub async fn a_list_has_the_orders_that_fulfil_its_conditions(subject: &impl Subject) {
    let store = subject.store();
    for (n, steps) in (1..).zip(WAYS) {
        walk(&*store, n, if n % 3 == 0 { "bob" } else { "ada" }, steps).await;
    }
    for (n, currency, email) in [(101, Currency::Eur, "eve@example.com"), (102, Currency::Jpy, "Eve@example.com")] {
        let line = LineItem::new("Bone", Money::new(5_000, currency).unwrap(), 1).unwrap();
        let new = NewOrder { lines: vec![line], email: Some(Email::new(email).unwrap()), ..NewOrder::empty(currency) };
        store.commit(first(Order::place(order_id(n), new, at(NOW + 7)).unwrap())).await.unwrap();
    }
    let any = OrderQuery::newest(100);
    let all = store.orders(&any).await.unwrap();
    let mut queries = vec![any.clone(), OrderQuery { limit: 3, ..any.clone() }];
    queries.extend(OrderState::NAMES.map(|it| OrderQuery { state: Some(it), ..any.clone() }));
    queries.extend(
        [Currency::Usd, Currency::Eur, Currency::Chf].map(|it| OrderQuery { currency: Some(it), ..any.clone() }),
    );
    for email in ["eve@example.com", "EVE@example.com", "nobody@example.com"] {
        queries.push(OrderQuery { email: Some(email.into()), ..any.clone() });
        queries.push(OrderQuery { customer: CustomerId::new("bob").ok(), email: Some(email.into()), ..any.clone() });
    }
    for placed in [
        TimeRange { from: Some(at(NOW + 7)), until: None },
        TimeRange { from: None, until: Some(at(NOW + 7)) },
        TimeRange { from: Some(at(NOW + 1)), until: Some(at(NOW + 7)) },
    ] {
        queries.push(OrderQuery { placed, ..any.clone() });
        queries.push(OrderQuery { placed, state: Some("paid"), customer: CustomerId::new("bob").ok(), ..any.clone() });
    }
    queries.push(OrderQuery { older_than: Some(order_id(5)), state: Some("paid"), limit: 2, ..any });
    for query in queries {
        let expected: Vec<OrderId> =
            all.iter().filter(|it| query.admits(it)).take(query.limit.into()).map(|it| it.id).collect();
        let found = store.orders(&query).await.unwrap();
        assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), expected, "{query:?}");
    }
}

/// Ways of an order to each completion and each balance.
pub(crate) const WAYS: [&[Step]; 23] = {
    use IntentStatus::{Canceled as Ended, Processing, RequiresCapture, RequiresPaymentMethod, Succeeded};
    use Step::{
        Accepted, Answered, Canceled, Confirmed, HeldOfAnother, Issued, Missing, Overpaid, RefundClosed, RefundRefused,
        Refunded, Reported, SecondArrived, SecondMissing, SecondReported,
    };
    [
        &[],
        &[Issued],
        &[Answered(Succeeded)],
        &[Answered(Processing)],
        &[Answered(Processing), Answered(RequiresPaymentMethod)],
        &[Answered(RequiresCapture)],
        &[Reported],
        &[Reported, Missing],
        &[Reported, Missing, Confirmed],
        &[Answered(Succeeded), Refunded(100)],
        &[Answered(Succeeded), Refunded(0)],
        &[Answered(Ended), Canceled],
        &[Answered(Succeeded), Overpaid],
        &[Issued, HeldOfAnother, Answered(Processing)],
        &[HeldOfAnother, Accepted],
        &[HeldOfAnother, Accepted, Refunded(100)],
        &[Answered(Succeeded), Overpaid, Accepted],
        &[HeldOfAnother, Refunded(0), RefundRefused],
        &[HeldOfAnother, Refunded(0), RefundRefused, RefundClosed],
        &[HeldOfAnother, Refunded(100), RefundRefused, RefundClosed],
        &[Answered(Succeeded), SecondReported],
        &[Answered(Succeeded), SecondReported, SecondMissing, SecondArrived],
        &[Answered(Succeeded), SecondReported, SecondMissing, SecondArrived, RefundClosed],
    ]
};

fn filters() -> Vec<OrderFilter> {
    let any = OrderFilter::default();
    let mut filters = vec![any.clone()];
    filters.extend(Completion::ALL.map(|it| OrderFilter { completion: Some(it), ..any.clone() }));
    filters.extend(Balance::ALL.map(|it| OrderFilter { balance: Some(it), ..any.clone() }));
    let since = |seconds| TimeRange { from: Some(at(NOW + seconds)), until: None };
    let until = |seconds| TimeRange { from: None, until: Some(at(NOW + seconds)) };
    for seconds in 0..4 {
        for range in
            [since(seconds), until(seconds), TimeRange { until: Some(at(NOW + seconds + 1)), ..since(seconds) }]
        {
            filters.push(OrderFilter { updated: range, ..any.clone() });
            filters.push(OrderFilter { placed: range, ..any.clone() });
            filters.push(OrderFilter { completed: range, ..any.clone() });
            filters.push(OrderFilter { updated: range, balance: Some(Balance::Paid), ..any.clone() });
        }
    }
    filters.push(OrderFilter { has_intent: true, ..any.clone() });
    filters.push(OrderFilter { has_intent: true, updated: since(1), ..any.clone() });
    filters.push(OrderFilter { email: Some("ada@example.com".into()), ..any.clone() });
    filters.push(OrderFilter { email: Some("ADA@example.com".into()), ..any.clone() });
    let number = place(3).order.number.clone();
    filters.push(OrderFilter { number: Some(number.clone()), ..any.clone() });
    filters.push(OrderFilter { number: Some(number), completion: Some(Completion::Canceled), ..any });
    filters
}

/// Orders of every completion and balance are stored, several of which were changed at the same time.
pub async fn orders_are_searched_by_filters_and_counted(subject: &impl Subject) {
    let store = subject.store();
    for (n, steps) in (1..).zip(WAYS) {
        walk(&*store, n, "ada", steps).await;
    }
    let all = store.orders(&OrderQuery::newest(100)).await.unwrap();
    for wanted in Completion::ALL {
        assert!(all.iter().any(|it| Completion::of(it) == wanted), "{wanted:?}");
    }
    for wanted in Balance::ALL {
        assert!(all.iter().any(|it| Balance::of(it) == wanted), "{wanted:?}");
    }
    for filter in filters() {
        let admitted: Vec<&Order> = all.iter().filter(|it| filter.admits(it)).collect();
        assert_eq!(store.count_orders(&filter).await.unwrap(), u64::try_from(admitted.len()).unwrap(), "{filter:?}");
        for (sort, descends) in [
            (OrderSort::Id, false),
            (OrderSort::IdDescending, true),
            (OrderSort::Number, false),
            (OrderSort::NumberDescending, true),
            (OrderSort::UpdatedAt, false),
            (OrderSort::UpdatedAtDescending, true),
        ] {
            let mut expected = admitted.clone();
            expected.sort_by(|one, other| match sort {
                OrderSort::Id | OrderSort::IdDescending => one.id.cmp(&other.id),
                OrderSort::Number | OrderSort::NumberDescending => one.number.as_str().cmp(other.number.as_str()),
                OrderSort::UpdatedAt | OrderSort::UpdatedAtDescending => {
                    (one.updated_at, one.id).cmp(&(other.updated_at, other.id))
                }
            });
            if descends {
                expected.reverse();
            }
            for (offset, limit) in [(0, 500), (0, 3), (3, 3), (1_000_000_000_000, 500)] {
                let search = OrderSearch { filter: filter.clone(), sort, offset, limit };
                let page = store.search_orders(&search).await.unwrap();
                let skipped = usize::try_from(offset).unwrap();
                let expected: Vec<_> = expected.iter().skip(skipped).take(usize::from(limit)).copied().collect();
                assert_eq!(page.iter().collect::<Vec<_>>(), expected, "{search:?}");
            }
        }
    }
}
