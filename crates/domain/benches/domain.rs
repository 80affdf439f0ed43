//! Benchmarks of the transitions of an order and of allocating an amount.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run fails")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::{IntentPlan, IntentStatus};
use paywright_domain::{Currency, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId, Timestamp};
use uuid::Uuid;

fn new_order(lines: u32) -> NewOrder {
    let price = Money::new(5600, Currency::Usd).unwrap();
    let line = |n: u32| LineItem::new(format!("Product {n}"), price, 2).unwrap();
    NewOrder { lines: (1..=lines).map(line).collect(), ..NewOrder::empty(Currency::Usd) }
}

fn decisions(criterion: &mut Criterion) {
    let now = Timestamp::from_unix_seconds(1_743_415_050).unwrap();
    let id = OrderId(Uuid::from_u128(9));
    let place = |new| Order::place(id, new, now).unwrap();
    for lines in [2, 50] {
        criterion.bench_function(&format!("place an order of {lines} lines"), |it| {
            it.iter_batched(|| new_order(lines), place, BatchSize::SmallInput);
        });
        criterion.bench_function(&format!("floor: copy an order of {lines} lines"), |it| {
            let order = place(new_order(lines)).order;
            it.iter(|| black_box(&order).clone());
        });
    }
    let IntentPlan::Create { decision: Some(requested), .. } = place(new_order(2)).order.request_intent(now).unwrap()
    else {
        return;
    };
    let mut update = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), id, requested.order.total, now);
    let issued = requested.order.settle(&update, &Policies::DEFAULT, now).unwrap().order;
    update.status = IntentStatus::Succeeded;
    update.received = issued.total;
    criterion.bench_function("settle an order of 2 lines", |it| {
        it.iter(|| black_box(&issued).settle(black_box(&update), &Policies::DEFAULT, now).unwrap());
    });
    criterion.bench_function("allocate 999,999,999,999 to 50 lines", |it| {
        let amount = Money::new(Money::MINOR_MAX, Currency::Eur).unwrap();
        let weights: Vec<u64> = (1..=50).collect();
        it.iter(|| black_box(amount).allocate(black_box(&weights)).unwrap());
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
