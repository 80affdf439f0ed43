//! `paywright books reconcile` is killed at several points; the books are as if it had not been.

use std::process::Command;
use std::time::{Duration, Instant};

use paywright_testkit::postgres::{Database, connect};
use serde_json::json;

use super::{DAY_SECONDS, Printed, Shop};
use crate::program::{Process, TIMEOUT, answer, command};
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    a_reader_that_is_killed_leaves_books_that_go_on_as_if_it_had_not_been
}

/// Number of points at which the reader is killed.
const KILLS: usize = 8;

/// Time that each request to Stripe takes, in milliseconds.
const DELAY_MS: u64 = 20;

/// Number of days whose statements are compared; all of them are closed.
const DAYS: usize = 4;

/// Copy of a shop's database. With SQLite, `database` is `None`, and the file is in the shop's folder.
struct Copy {
    url: String,
    _database: Option<Database>,
}

async fn a_reader_that_is_killed_leaves_books_that_go_on_as_if_it_had_not_been(stand: &Stand) {
    let mut shop = Shop::start(stand, true, "books.enabled = false").await;
    let (order, _) = shop.sell(12_450, "usd", "pm_card_visa").await;
    shop.refund(&order, &json!({ "amount": "12.50" }), "succeeded").await;
    shop.sell(2_000, "usd", "pm_card_createDispute").await;
    // No other process may use the database while it is copied, or call the twin while requests are counted.
    let (serving, _) = shop.served.replicas.first_mut().unwrap();
    assert_eq!(serving.take().unwrap().terminate(), Some(0));
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;

    let undisturbed = copy(&shop, stand, 0).await;
    let before = requests(&shop).await;
    assert_eq!(shop.reconcile(&undisturbed), Printed { code: Some(0), text: "0 breaks\n".into() });
    let of_all = requests(&shop).await - before;
    assert!(of_all > 2 * KILLS, "{of_all} requests");
    let expected = shop.statements(&undisturbed);
    assert!(expected[0].contains("charge") && expected[3].contains("payout"), "{expected:?}");

    for number in 1..=KILLS {
        let copy = copy(&shop, stand, number).await;
        let delay = json!({ "kind": "delay", "delay_ms": DELAY_MS, "path": "/v1/", "percent": 100 });
        let faults = format!("{}/_twin/faults", shop.served.twin_url);
        assert_eq!(answer(shop.served.http.post(&faults).body(delay.to_string())).await.status, 200);
        let ended = kill_after(&shop, &copy, of_all * number / (KILLS + 1), number).await;
        assert_eq!(ended, None, "it ends before it is killed");
        assert_eq!(answer(shop.served.http.delete(&faults)).await.status, 200);
        assert_eq!(shop.reconcile(&copy), Printed { code: Some(0), text: "0 breaks\n".into() });
        assert_eq!(shop.statements(&copy), expected, "killed at the {number}th point");
    }
}

/// Kills the reader when Stripe has got that many requests, and a moment later each time, so that it is sometimes
/// waiting for Stripe and sometimes writing. Returns its exit code; `None` if the kill has ended it.
async fn kill_after(shop: &Shop, copy: &Copy, count: usize, number: usize) -> Option<i32> {
    let before = requests(shop).await;
    let reader = Process::start(shop.reconciling(copy));
    let begun = Instant::now();
    while requests(shop).await < before + count {
        assert!(begun.elapsed() < TIMEOUT, "it asks too little: {}", reader.logged());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let moment = DELAY_MS * u64::try_from(number).unwrap() / u64::try_from(KILLS).unwrap();
    tokio::time::sleep(Duration::from_millis(moment)).await;
    reader.signal("-KILL");
    reader.ended()
}

/// Number of requests for the balance and the payouts that the twin has got.
async fn requests(shop: &Shop) -> usize {
    let counts = shop.read("/_twin/requests").await;
    let of_books = ["GET /v1/balance", "GET /v1/balance_transactions", "GET /v1/payouts"];
    let sum: u64 = of_books.iter().filter_map(|it| counts[*it].as_u64()).sum();
    usize::try_from(sum).unwrap()
}

impl Shop {
    fn command_on(&self, copy: &Copy, arguments: &[&str]) -> Command {
        let mut command = command(&[&["books"], arguments].concat(), self.served.folder());
        command.env("PAYWRIGHT__DATABASE__URL", &copy.url);
        command
    }

    fn reconciling(&self, copy: &Copy) -> Command {
        self.command_on(copy, &["reconcile"])
    }

    fn reconcile(&self, copy: &Copy) -> Printed {
        Printed::of(self.reconciling(copy).output().unwrap())
    }

    /// Texts of the statements of the closed days.
    fn statements(&self, copy: &Copy) -> Vec<String> {
        let of_day = |number| {
            let day = self.day(number).to_string();
            let printed = Printed::of(self.command_on(copy, &["statement", "--day", &day]).output().unwrap());
            assert_eq!(printed.code, Some(0), "{printed:?}");
            assert!(printed.text.contains("Status       closed\n"), "{printed:?}");
            printed.text
        };
        (0..DAYS).map(of_day).collect()
    }
}

/// Copies the shop's database.
async fn copy(shop: &Shop, stand: &Stand, number: usize) -> Copy {
    match stand {
        Stand::Sqlite(_) => {
            let file = format!("copy-{number}.db");
            let (done, printed, said) = shop.served.run(&["backup", &file]);
            assert!(done, "{printed}{said}");
            Copy { url: format!("sqlite:{file}"), _database: None }
        }
        Stand::Postgres(original) => {
            let [copy, beside] = [Database::empty().await, Database::empty().await];
            let name = async |url: &str| -> String {
                connect(url).await.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0)
            };
            let (from, to) = (name(&original.url()).await, name(&copy.url()).await);
            let admin = beside.client().await;
            let begun = Instant::now();
            // A connection that was just closed may still be open at the server.
            while admin.batch_execute(&format!("DROP DATABASE IF EXISTS {to}")).await.is_err()
                || admin.batch_execute(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await.is_err()
            {
                assert!(begun.elapsed() < TIMEOUT, "{from} cannot be copied");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Copy { url: copy.url(), _database: Some(copy) }
        }
    }
}
