//! Service that stores orders in a file of its own form and settles a payment once, although its event comes twice. It
//! shows where the crate is called; it is one process, and its stand-in for Stripe keeps nothing between two runs.

mod store;
mod stripe;

use std::error::Error;
use std::time::UNIX_EPOCH;

use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentPlan;
use paywright_domain::uuid::Uuid;
use paywright_domain::{Currency, Fact, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId, Task, Timestamp};

use crate::store::{Row, Store};
use crate::stripe::Stripe;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: domain-service FILE")?;
    let (store, mut stripe) = (Store::at(file), Stripe::default());

    // A customer places an order.
    let id = OrderId(Uuid::now_v7());
    let lines = vec![LineItem::new("Main product 2", Money::parse_decimal("56.00", Currency::Usd)?, 2)?];
    let new = NewOrder { lines, ..NewOrder::empty(Currency::Usd) };
    store.commit(0, Order::place(id, new, now()?)?)?;

    // The customer wants to pay. The request is committed before it is sent.
    let Row { version, order, .. } = store.load(id)?;
    // Without a decision, or with another plan, an earlier request is under way or answered.
    if let IntentPlan::Create { decision: Some(requested), .. } = order.request_intent(now()?)? {
        store.commit(version, *requested)?;
    }
    perform_tasks(&store, &mut stripe, id)?;

    // The customer pays in the browser, and Stripe sends the event twice.
    let event = stripe.pay(&store.load(id)?.order)?;
    for delivery in ["first", "second"] {
        println!("{delivery} delivery: {} facts", settle(&store, id, &event)?);
    }
    perform_tasks(&store, &mut stripe, id)?;

    let Row { order, facts, tasks, .. } = store.load(id)?;
    println!(
        "{} of {} received, {}",
        order.paid_by().map_or("nothing".into(), |it| it.received.to_string()),
        order.total,
        order.payment_state().name()
    );
    println!("facts: {}", facts.iter().map(Fact::kind).collect::<Vec<_>>().join(", "));
    println!("tasks left: {}", tasks.len());
    Ok(())
}

/// Time of the machine: the crate itself reads no clock.
fn now() -> Result<Timestamp, Box<dyn Error>> {
    Ok(Timestamp::from_unix_seconds(UNIX_EPOCH.elapsed()?.as_secs().try_into()?)?)
}

/// Decides on a snapshot of a PaymentIntent, commits the decision and returns its number of facts.
fn settle(store: &Store, id: OrderId, snapshot: &IntentSnapshot) -> Result<usize, Box<dyn Error>> {
    let Row { version, order, .. } = store.load(id)?;
    let decision = order.settle(snapshot, &Policies::DEFAULT, now()?)?;
    let facts = decision.facts.len();
    // A decision without a change of the order has no facts and no tasks.
    if decision.order != order {
        store.commit(version, decision)?;
    }
    Ok(facts)
}

/// Performs the tasks of an order. Performed again, they send the same requests, under the same idempotency keys.
fn perform_tasks(store: &Store, stripe: &mut Stripe, id: OrderId) -> Result<(), Box<dyn Error>> {
    for task in store.load(id)?.tasks.into_values() {
        match task {
            Task::CreateIntent { request } => {
                let order = store.load(id)?.order;
                let answer = stripe.create(&request.idempotency_key(id), &order, now()?)?;
                settle(store, id, &answer)?;
            }
            Task::ConfirmPayment { intent } => {
                let Row { version, order, .. } = store.load(id)?;
                let read = stripe.read(&intent);
                store.commit(version, order.payment_read(&intent, read, &Policies::DEFAULT, now()?)?)?;
            }
            // Due later: a service schedules them.
            Task::PollIntent { .. } | Task::WatchAuthorization { .. } | Task::ExpireOrder => {}
            // Follow from edits, cancellations, captures and refunds, which this service does not offer.
            Task::UpdateIntent { .. }
            | Task::CancelIntent { .. }
            | Task::CaptureIntent { .. }
            | Task::Refund { .. } => {
                return Err(format!("no such request is made here: {}", task.key()).into());
            }
        }
    }
    Ok(())
}
