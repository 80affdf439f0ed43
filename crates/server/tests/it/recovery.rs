//! Restores of a backup, by the commands of `docs/operations.md`, and recovery from Stripe's records.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use paywright_testkit::postgres::Database;
use reqwest::Method;
use serde_json::{Value, json};

use crate::background_work::shop;
use crate::guide::{commands, path_with};
use crate::program::{Answer, TIMEOUT, answer, client, two_lines};
use crate::served::Served;

/// A shop on one of the stores, with the means to back it up and restore it.
struct Restorable {
    served: Served,
    database: Option<Database>,
    /// Time of the backup.
    moment: String,
}

impl Restorable {
    async fn start(database: Option<Database>) -> Self {
        Self { served: shop(database.as_ref(), false, "").await, database, moment: String::new() }
    }

    fn folder(&self) -> &Path {
        self.served.folder()
    }

    /// Runs a block of the documentation, and returns whether it succeeded and what it printed.
    fn sh(&self, block: &str) -> (bool, String) {
        let path = path_with(&[]);
        let mut sh = Command::new("sh");
        sh.args(["-e", "-u", "-c", block]).current_dir(self.folder()).env("PATH", path).env("FILE", "orders.db");
        sh.env("BACKUP", self.folder().join("backup")).env("MOMENT", &self.moment);
        sh.env("PAYWRIGHT__DATABASE__TIMELINE_FILE", self.folder().join("timeline.json"));
        sh.env("DATABASE", self.database.as_ref().map_or_else(String::new, Database::url));
        let ran = sh.output().unwrap();
        let printed = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        (ran.status.success(), printed)
    }

    /// As [`Self::sh`], and asserts success.
    fn must(&self, block: &str) -> String {
        let (done, printed) = self.sh(block);
        assert!(done, "{block}\n{printed}");
        printed
    }

    fn back_up(&mut self) {
        let [sqlite, postgres] = commands(module_path!(), "Make a backup").try_into().unwrap();
        let printed = self.must(if self.database.is_none() { &sqlite } else { &postgres });
        printed.split_whitespace().find(|it| it.ends_with('Z')).unwrap().clone_into(&mut self.moment);
    }

    /// Stops the process and restores the backup.
    fn restore(&mut self) {
        let (process, _) = self.served.replicas.first_mut().unwrap();
        assert_eq!(process.take().unwrap().terminate(), Some(0));
        let [sqlite, postgres, ..] = steps();
        self.must(if self.database.is_none() { &sqlite } else { &postgres });
    }

    fn start_again(&mut self) {
        self.served.replicas[0].0 = Some(self.served.serve(0));
        // The old client has connections to the previous process.
        self.served.http = client();
    }

    /// Places an order with an `Idempotency-Key`.
    async fn place(&self, key: &str) -> Answer {
        let request = self.served.http.post(format!("{}/orders", self.served.replicas[0].1));
        let request = request.header("x-api-key", &self.served.key).header("idempotency-key", key);
        answer(request.header("content-type", "application/json").body(two_lines().to_string())).await
    }

    async fn refund(&self, order: &str, amount: &str, key: &str) -> Answer {
        let request = self.served.http.post(format!("{}/orders/{order}/refunds", self.served.replicas[0].1));
        let request = request.header("x-api-key", &self.served.key).header("idempotency-key", key);
        let body = json!({ "amount": amount }).to_string();
        answer(request.header("content-type", "application/json").body(body)).await
    }

    async fn intent_of(&self, order: &str) -> String {
        let made = self.served.call(Method::POST, &format!("/orders/{order}/payment-intent"), &Value::Null).await;
        made.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
    }

    async fn paid(&self, key: &str) -> String {
        let order = self.place(key).await.body["data"]["id"].as_str().unwrap().to_owned();
        let intent = self.intent_of(&order).await;
        self.served.pay(&intent, "pm_card_visa").await;
        let paid = self.served.call(Method::POST, &format!("/orders/{order}/payment"), &Value::Null).await;
        assert_eq!(paid.status, 200, "{paid:?}");
        order
    }

    async fn read(&self, order: &str) -> Value {
        self.served.call(Method::GET, &format!("/orders/{order}"), &Value::Null).await.body["data"].clone()
    }

    /// Amounts of all refunds at Stripe, in minor units, smallest first.
    async fn refunds_at_stripe(&self) -> Vec<i64> {
        let refunds = self.served.listed("/v1/refunds").await;
        let mut amounts: Vec<i64> = refunds.iter().map(|it| it["amount"].as_i64().unwrap()).collect();
        amounts.sort_unstable();
        amounts
    }
}

/// The code blocks of a restore: replace the file, restore the dump, list lost orders, recreate them, refund them,
/// audit.
fn steps() -> [String; 6] {
    commands(module_path!(), "Restore a backup").try_into().unwrap()
}

#[expect(clippy::too_many_lines, reason = "one story from beginning to end")]
async fn stripes_records_are_recovered(database: Option<Database>) {
    let mut shop = Restorable::start(database).await;
    let old = shop.paid("old").await;
    assert_eq!(shop.refund(&old, "1.00", "first").await.status, 201);
    let kept = shop.place("kept").await.body["data"]["id"].as_str().unwrap().to_owned();
    shop.intent_of(&kept).await;
    shop.back_up();
    let refunded = shop.refund(&old, "5.00", "second").await.body["data"].clone();
    let (paid, unpaid) = (shop.paid("paid").await, shop.place("unpaid").await.body["data"].clone());
    let unpaid_id = unpaid["id"].as_str().unwrap().to_owned();
    let open = shop.intent_of(&unpaid_id).await;
    let unheard = shop.place("unheard").await.body["data"]["id"].as_str().unwrap().to_owned();
    let number = shop.read(&paid).await["number"].as_str().unwrap().to_owned();
    let edit = json!({ "line_items": [{ "name": "Bone", "amount": 900, "quantity": 1 }] });
    let edited = shop.served.call(Method::PATCH, &format!("/orders/{kept}"), &edit).await;
    assert_eq!(edited.body["data"]["amount"], "9.00", "{edited:?}");

    shop.restore();
    let [_, _, list, recreate, _, audit] = steps();
    let (complete, printed) = shop.sh(&list);
    assert!(!complete, "two orders are missing: {printed}");
    let lost_edit = "An edit was lost: repeat it, or edit the order again, before it is paid (1)";
    assert!(printed.contains(lost_edit) && printed.contains("124.50 here, but pi_"), "{printed}");
    assert!(printed.contains(" is for 9.00"), "{printed}");
    for expected in [&paid, &number, &unpaid_id, "No order is missing", "Updated (2)"] {
        assert_eq!(printed.contains(expected), expected != "No order is missing", "{expected}: {printed}");
    }
    assert!(!printed.contains(&unheard), "{printed}");
    // A repeated request is answered that its order is lost, and places no other order.
    shop.start_again();
    let repeated = shop.place("paid").await;
    assert_eq!((repeated.status, repeated.code()), (409, "order_lost"), "{repeated:?}");
    shop.served.replicas[0].0.take().unwrap().terminate();

    let printed = shop.must(&recreate);
    assert!(printed.contains("Recreated (2)") && printed.contains("No order is missing"), "{printed}");
    shop.must(&recreate);
    shop.start_again();
    let again = shop.read(&paid).await;
    assert_eq!(
        (&again["payment_status"], &again["number"], &again["amount"]),
        (&json!("paid"), &json!(number), &json!("124.50"))
    );
    for (key, order) in [("paid", &paid), ("unpaid", &unpaid_id)] {
        let repeated = shop.place(key).await;
        assert_eq!((repeated.status, repeated.replayed, &repeated.body["data"]["id"]), (201, true, &json!(order)));
    }
    assert_ne!(shop.place("unheard").await.body["data"]["id"], json!(unheard), "Stripe has no record of it");
    let operator = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let explained = shop.served.call(Method::GET, &format!("/orders/{paid}/explain"), &Value::Null).await.body;
    let actor = &explained["data"]["timeline"][0]["actor"];
    assert_eq!(*actor, json!({ "kind": "operator", "operator": operator.trim() }), "{explained}");
    // The customer can still pay on the page that was open before the restore.
    assert_eq!(shop.intent_of(&unpaid_id).await, open);
    shop.served.pay(&open, "pm_card_visa").await;
    // No webhook reports the payment: a poll finds it, half a minute after the order was recreated.
    shop.served.until_within(TIMEOUT * 2, &unpaid_id, |it| it["payment_status"] == "paid").await;

    // The lost edit is repeated.
    let edited = shop.served.call(Method::PATCH, &format!("/orders/{kept}"), &edit).await;
    assert_eq!((edited.status, &edited.body["data"]["amount"]), (200, &json!("9.00")), "{edited:?}");

    let repeated = shop.refund(&old, "5.00", "second").await;
    assert_eq!((repeated.status, repeated.replayed, &repeated.body["data"]["id"]), (201, true, &refunded["id"]));
    assert_eq!(shop.refunds_at_stripe().await, [100, 500]);
    let other = shop.refund(&old, "7.00", "third").await;
    assert_eq!(
        (other.status, &other.body["data"]["amount"], &other.body["data"]["status"]),
        (201, &json!("7.00"), &json!("succeeded"))
    );
    assert_eq!(shop.refunds_at_stripe().await, [100, 500, 700]);
    assert_eq!(shop.read(&old).await["amount_refunded"], "13.00");
    let printed = shop.must(&audit);
    assert!(printed.contains("recovered from a backup at") && printed.contains("Nothing differs"), "{printed}");
}

#[tokio::test]
async fn stripes_records_are_recovered_after_a_restore_of_a_file() {
    stripes_records_are_recovered(None).await;
}

#[tokio::test]
async fn stripes_records_are_recovered_after_a_restore_of_a_dump() {
    stripes_records_are_recovered(Some(Database::empty().await)).await;
}

#[tokio::test]
async fn payments_of_lost_orders_are_refunded_once() {
    let mut shop = Restorable::start(None).await;
    shop.back_up();
    let paid = shop.paid("paid").await;
    let unpaid = shop.place("unpaid").await.body["data"]["id"].as_str().unwrap().to_owned();
    let open = shop.intent_of(&unpaid).await;
    shop.restore();
    let [.., refund, _] = steps();
    let (done, printed) = shop.sh("paywright recover --since \"$MOMENT\" --refund ORD-20260101-ZZZZZZ");
    assert!(!done && printed.contains("ORD-20260101-ZZZZZZ is not a lost order"), "{printed}");
    let (done, printed) = shop.sh("paywright recover --since \"$MOMENT\" --refund all --recreate all");
    assert!(!done && printed.contains("choose one of them"), "{printed}");
    let by_earlier_run = "2 lost orders were recreated, refunded or canceled by an earlier run";
    for expected in ["Refunded or canceled (2)", by_earlier_run] {
        let printed = shop.must(&refund);
        assert!(printed.contains(expected), "{printed}");
    }
    let (done, printed) = shop.sh(&format!("paywright recover --since \"$MOMENT\" --recreate {paid}"));
    assert!(!done && printed.contains("was decided on by an earlier run"), "{printed}");
    assert_eq!(shop.refunds_at_stripe().await, [12_450]);
    let intents = shop.served.intents().await;
    let status = |id: &str| intents.iter().find(|it| it["id"] == id).unwrap()["status"].clone();
    assert_eq!(status(&open), "canceled");
    shop.start_again();
    assert_eq!(shop.read(&paid).await["payment_status"], "refunded");
    assert_eq!(shop.read(&unpaid).await["status"], "canceled");
    let (agree, printed, _) = shop.served.run(&["audit"]);
    assert!(agree, "{printed}");
}

/// After a restore without `recover`, refunds have the same numbers and keys as lost ones: only amounts tell them
/// apart.
#[tokio::test]
async fn a_refund_after_a_restore_without_recovery_is_made_with_its_own_amount() {
    let mut shop = Restorable::start(None).await;
    let order = shop.paid("old").await;
    shop.back_up();
    assert_eq!(shop.refund(&order, "5.00", "lost").await.status, 201);
    shop.restore();
    shop.start_again();
    let made = shop.refund(&order, "7.00", "new").await;
    assert_eq!((made.status, &made.body["data"]["amount"]), (201, &json!("7.00")), "{made:?}");
    // If the back-fill has not found the lost refund yet, Stripe knows the key with another amount, and the worker uses
    // the next key.
    let all_made = |it: &Value| it["refunds"].as_array().unwrap().iter().all(|it| it["status"] == "succeeded");
    let read = shop.served.until(&order, |it| it["amount_refunded"] == "12.00" && all_made(it)).await;
    assert_eq!(shop.refunds_at_stripe().await, [500, 700]);
    let shop_made = read["refunds"].as_array().unwrap().iter().find(|it| it["origin"] == "shop").unwrap();
    assert_eq!(shop_made["amount"], "7.00");
}

#[tokio::test]
async fn a_backup_overwrites_nothing_and_names_what_it_cannot_copy() {
    let shop = Restorable::start(None).await;
    shop.must("paywright backup copy.db");
    let (done, printed) = shop.sh("paywright backup copy.db");
    assert!(!done && printed.contains("copy.db exists already"), "{printed}");
    let (done, printed) = shop.sh("PAYWRIGHT__DATABASE__URL=sqlite:none.db paywright backup other.db");
    assert!(!done && printed.contains("none.db"), "{printed}");
    assert!(!shop.folder().join("none.db").exists() && !shop.folder().join("other.db").exists());
    let (done, printed) = shop.sh("paywright backup no/such/folder/copy.db");
    assert!(!done && printed.contains("no/such/folder/copy.db"), "{printed}");
    let (done, printed) = shop.sh("PAYWRIGHT__DATABASE__URL=postgres://x@localhost/y paywright backup copy2.db");
    assert!(!done && printed.contains("pg_dump"), "{printed}");
    let (done, printed) = shop.sh("paywright recover --since 2999-01-01T00:00:00Z");
    assert!(!done && printed.contains("in the future"), "{printed}");
    let (done, printed) =
        shop.sh("PAYWRIGHT__DATABASE__URL=sqlite:typo.db paywright recover --since 2026-01-01T00:00:00Z");
    assert!(
        !done && printed.contains("typo.db does not exist") && !shop.folder().join("typo.db").exists(),
        "{printed}"
    );
    let (done, printed) = shop.sh("paywright recover --since yesterday");
    assert!(!done && printed.contains("must be a time like"), "{printed}");
    // A copy is a complete database, and other users cannot read it.
    let mode = std::fs::metadata(shop.folder().join("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    shop.must("PAYWRIGHT__DATABASE__URL=sqlite:copy.db paywright keys list");
}
