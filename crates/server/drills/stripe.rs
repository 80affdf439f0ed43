//! Stripe is unavailable, or fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::ledger;
use crate::load::Caller;
use crate::program::answer;
use crate::report::Outcome;
use crate::shop::{Shop, pause};

const FREEZES: usize = 3;
/// Duration of a freeze, longer than a call waits for Stripe.
const AWAY: Duration = Duration::from_secs(6);

/// A shop on SQLite whose recovery is shown by calls that need Stripe.
async fn shop() -> Shop {
    let mut shop = Shop::open("sqlite:orders.db", 1, true, "").await;
    shop.recovers_by = ledger::intent;
    shop.load().await;
    shop
}

pub(crate) async fn freeze() -> Outcome {
    let mut shop = shop().await;
    for _ in 0..FREEZES {
        pause(1000..=2000).await;
        shop.served.twin.as_ref().unwrap().signal("-STOP");
        tokio::time::sleep(AWAY).await;
        shop.served.twin.as_ref().unwrap().signal("-CONT");
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

/// Number of orders that are placed and paid per second, and the number of seconds.
const RATE: u64 = 50;
const LOAD_SECONDS: u64 = 120;
const WALK_EVERY_SECONDS: u64 = 30;
/// Maximum number of orders being paid simultaneously: a machine that is too slow places fewer per second.
const UNDER_WAY_MAX: usize = 64;
/// Number of events on a page.
const PAGE: u64 = 100;
/// Maximum number of pages of one walk.
const PAGES_MAX: u64 = 20;

/// Load on a shop on SQLite, with webhooks and without limits on calls to Stripe. Nothing fails: the drill measures how
/// often Stripe's event list is read.
pub(crate) async fn back_fill_load() -> Outcome {
    let settings = format!(
        "stripe.endpoint_per_second = 0\nstripe.account_per_second = 0\npayments.back_fill_seconds = {WALK_EVERY_SECONDS}"
    );
    let shop = Shop::open_as("sqlite:orders.db", 1, true, &settings).await;
    let caller = Arc::new(Caller {
        customer: shop.customer(),
        name: String::new(),
        repeats: false,
        ledger: Arc::clone(&shop.ledger),
        stop: Arc::default(),
    });
    let begun = Instant::now();
    let mut beat = tokio::time::interval(Duration::from_millis(1000 / RATE));
    let mut buying = JoinSet::new();
    for n in 0..RATE * LOAD_SECONDS {
        beat.tick().await;
        while buying.len() >= UNDER_WAY_MAX {
            buying.join_next().await;
        }
        let caller = Arc::clone(&caller);
        buying.spawn(async move { caller.buy_one(format!("load-{n}")).await });
    }
    buying.join_all().await;
    let seconds = begun.elapsed().as_secs();
    let url = format!("{}/_twin/requests", shop.served.twin_url);
    let calls = answer(shop.served.http.get(url)).await.body["GET /v1/events"].as_u64().unwrap_or_default();
    let events = u64::try_from(shop.served.listed("/v1/events").await.len()).unwrap();
    let (orders, a_minute) = (RATE * LOAD_SECONDS / seconds, calls * 60 / seconds);
    let note =
        format!("{orders} orders a second for {seconds} s; {events} events; GET /v1/events {a_minute} times a minute");
    println!("  {note}");
    let mut outcome = shop.counted_at_rest().await;
    if let Outcome::Counted { counts, .. } = &mut outcome {
        counts.notes.push(note);
        // Each event is read once after it is a minute old; those of the last minute again by each walk, up to its
        // limit.
        let needed = events.div_ceil(PAGE) + (seconds / WALK_EVERY_SECONDS + 2) * PAGES_MAX;
        counts.failed = usize::from(calls > needed);
    }
    outcome
}

fn faults() -> [Value; 6] {
    [
        json!({ "kind": "status_before", "status": 500 }),
        json!({ "kind": "status_after", "status": 500 }),
        json!({ "kind": "status_before", "status": 429 }),
        json!({ "kind": "drop_before" }),
        json!({ "kind": "drop_after" }),
        json!({ "kind": "delay", "delay_ms": 5000 }),
    ]
}

pub(crate) async fn away() -> Outcome {
    let mut shop = shop().await;
    let url = format!("{}/_twin/faults", shop.served.twin_url);
    for mut fault in faults() {
        pause(1000..=2000).await;
        fault["path"] = json!("/v1/");
        fault["percent"] = json!(100);
        let added = answer(shop.served.http.post(&url).body(fault.to_string())).await;
        assert_eq!(added.status, 200, "{added:?}");
        tokio::time::sleep(AWAY).await;
        answer(shop.served.http.delete(&url)).await;
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}
