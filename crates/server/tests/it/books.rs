//! Books of the built program: what `paywright books` prints of complete sales, on both stores.

mod breaks;
mod figures;
mod history;
mod killed;
mod movements;

use std::process::Output;
use std::time::Duration;

use paywright_app::BooksZone;
use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use reqwest::Method;
use serde_json::{Value, json};

use crate::background_work::shop;
use crate::program::{answer, command};
use crate::served::{Served, Stand};

const DAY_SECONDS: i64 = 86_400;

/// Time in which a test places and pays its orders, in seconds, with a wide margin.
const SALES_SECONDS: i64 = 60;

/// Time after which what does not agree is a break, in seconds, with a margin.
const AFTER_GRACE_SECONDS: i64 = 2 * 3600;

/// A shop with its twin, whose books are begun and empty.
struct Shop {
    served: Served,
    /// First day of the books: the one of the sales.
    first_day: Day,
}

/// Output of a command, with its exit code.
#[derive(Debug, PartialEq, Eq)]
struct Printed {
    code: Option<i32>,
    text: String,
}

impl Printed {
    fn of(output: Output) -> Self {
        // The log is on standard error too: it counts only if there is nothing else.
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        Self { code: output.status.code(), text: String::from_utf8(text).unwrap() }
    }
}

impl Shop {
    /// Starts the shop early enough before midnight that all sales are on one day.
    async fn start(stand: &Stand, webhooks: bool, more: &str) -> Self {
        let left = DAY_SECONDS - Self::real_seconds().rem_euclid(DAY_SECONDS);
        if left < SALES_SECONDS {
            tokio::time::sleep(Duration::from_secs(u64::try_from(left + 1).unwrap())).await;
        }
        let database = match stand {
            Stand::Sqlite(_) => None,
            Stand::Postgres(database) => Some(database),
        };
        let served = shop(database, webhooks, more).await;
        let first_day = BooksZone::default().day_of(Timestamp::from_unix_seconds(Self::real_seconds()).unwrap());
        let shop = Self { served, first_day };
        shop.agrees();
        shop
    }

    fn real_seconds() -> i64 {
        i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
    }

    /// Runs `paywright books` with these arguments.
    fn books(&self, arguments: &[&str]) -> Printed {
        let arguments = [&["books"], arguments].concat();
        Printed::of(command(&arguments, self.served.folder()).output().unwrap())
    }

    /// As [`Self::books`], for a command that must succeed.
    fn shown(&self, arguments: &[&str]) -> String {
        let Printed { code, text } = self.books(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text
    }

    /// As [`Self::shown`], in JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.shown(&[arguments, &["--format", "json"]].concat())).unwrap()
    }

    /// Asserts that everything is compared, and nothing differs.
    fn agrees(&self) {
        assert_eq!(self.books(&["reconcile"]), Printed { code: Some(0), text: "0 breaks\n".into() });
    }

    /// Asserts that exactly one thing differs, that it has this name, and that nothing differs once it is resolved.
    /// Returns the break as it is listed before.
    fn has_one_break(&self, id: &str) -> Value {
        let Printed { code, text } = self.books(&["reconcile"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.starts_with(&format!("{id}  (age ")) && text.ends_with("\n1 break\n"), "{text}");
        let listed = self.json(&["breaks"])["breaks"].as_array().unwrap().clone();
        let [only] = <[Value; 1]>::try_from(listed).unwrap();
        assert_eq!((&only["id"], &only["status"]), (&json!(id), &json!("open")));
        // Not explained yet, it is told again.
        assert_eq!(self.books(&["reconcile"]).code, Some(1));
        assert_eq!(self.shown(&["resolve", id, "--note", "Explained by the test."]), "Resolved.\n");
        let trail = command(&["audit-trail", "--subject", id], self.served.folder()).output().unwrap();
        let act = format!("  break.resolved  {id}  resolved: \"Explained by the test.\"  by operator ");
        assert!(String::from_utf8_lossy(&trail.stdout).contains(&act), "{trail:?}");
        self.agrees();
        let all = self.json(&["breaks", "--all"])["breaks"].clone();
        assert_eq!((all.as_array().unwrap().len(), &all[0]["status"]), (1, &json!("resolved")), "{all}");
        only
    }

    /// The statement of the day that many days after the first, as text.
    fn text_of_day(&self, number: usize) -> String {
        self.shown(&["statement", "--day", &self.day(number).to_string()])
    }

    /// As [`Self::text_of_day`], in JSON.
    fn statement(&self, number: usize) -> Value {
        self.json(&["statement", "--day", &self.day(number).to_string()])
    }

    /// The day that many days after the first.
    fn day(&self, number: usize) -> Day {
        (0..number).fold(self.first_day, |day, _| day.next().unwrap())
    }

    /// Sells one thing; returns the order's number and the id of its intent, when Stripe's fee is known.
    async fn sell(&self, minor: u32, currency: &str, card: &str) -> (String, String) {
        let (order, intent) = self.served.payable(&one_line(minor, currency)).await;
        self.served.pay(&intent, card).await;
        let is_settled = |it: &Value| it["payment_status"] != "unpaid" && it["payment_intent"]["balance"].is_object();
        self.served.until(&order, is_settled).await;
        (order, intent)
    }

    async fn refund(&self, order: &str, body: &Value, status: &str) {
        let refunded = self.served.call(Method::POST, &format!("/orders/{order}/refunds"), body).await;
        assert_eq!(refunded.status, 201, "{refunded:?}");
        self.served.until(order, |it| it["refunds"][0]["status"] == status).await;
    }

    async fn move_clock(&self, seconds: i64) {
        let moved = self.served.at_stripe("/_twin/clock", &format!("advance={seconds}")).await;
        assert_eq!(moved["object"], "twin.account", "{moved}");
    }

    async fn pay_out_daily(&self) {
        let set = self.served.at_stripe("/_twin/account", "payouts=daily").await;
        assert_eq!(set["payouts"], "daily", "{set}");
    }

    /// Reads from the twin.
    async fn read(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.served.twin_url);
        answer(self.served.http.get(url).bearer_auth("sk_test_twin")).await.body
    }

    /// The only object that the twin lists under `path`.
    async fn only(&self, path: &str) -> Value {
        let [only] = <[Value; 1]>::try_from(self.served.listed(path).await).unwrap();
        only
    }
}

/// An order of one line.
fn one_line(minor: u32, currency: &str) -> Value {
    json!({ "currency": currency, "customer": "cus-ada", "email": "ada@example.com", "line_items": [
        { "name": "Leash", "amount": minor, "quantity": 1 },
    ] })
}

/// Count, gross, fee and net of each category of a list of the program or of the twin.
fn sums(list: &Value) -> Vec<(String, [i64; 4])> {
    let numbers = |it: &Value| ["count", "gross", "fee", "net"].map(|name| it[name].as_i64().unwrap());
    let sums = list.as_array().unwrap().iter();
    sums.map(|it| (it["reporting_category"].as_str().unwrap().to_owned(), numbers(it))).collect()
}
