//! A Stripe that is not there, or fails at everything.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ledger;
use crate::program::answer;
use crate::report::Outcome;
use crate::shop::{Shop, pause};

const FREEZES: usize = 3;
/// Longer than a call waits for Stripe.
const AWAY: Duration = Duration::from_secs(6);

/// On a file, with calls that need Stripe to show that it is back.
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

fn troubles() -> [Value; 6] {
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
    for mut trouble in troubles() {
        pause(1000..=2000).await;
        trouble["path"] = json!("/v1/");
        trouble["percent"] = json!(100);
        let added = answer(shop.served.http.post(&url).body(trouble.to_string())).await;
        assert_eq!(added.status, 200, "{added:?}");
        tokio::time::sleep(AWAY).await;
        answer(shop.served.http.delete(&url)).await;
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}
