//! Figures that anybody can recompute: three sales, two refunds of which one fails, a lost dispute, and the payout.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{DAY_SECONDS, Shop, sums};
use crate::program::two_lines;
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    the_figures_of_sales_refunds_a_dispute_and_a_payout_are_those_of_stripe
}

/// Number of days that are closed after the clock was moved by five days, whatever the time of day.
const CLOSED_DAYS: usize = 4;

/// Number of days after the first on which the payout is made: the money of a payment is available two days later.
const PAYOUT_DAY: usize = 3;

async fn the_figures_of_sales_refunds_a_dispute_and_a_payout_are_those_of_stripe(stand: &Stand) {
    let shop = Shop::start(stand, true, "").await;
    let orders = sell(&shop).await;
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;
    shop.agrees();

    let statements: Vec<Value> = (0..CLOSED_DAYS).map(|it| shop.statement(it)).collect();
    has_the_figures_of_the_sales(&shop, &statements[0]);
    for quiet in [&statements[1], &statements[2]] {
        assert_eq!(
            (&quiet["balances"][0]["opening"], &quiet["balances"][0]["closing"]),
            (&json!(10_162), &json!(10_162))
        );
        assert_eq!((sums(&quiet["balances"][0]["activity"]), sums(&quiet["balances"][0]["payouts"])), (vec![], vec![]));
    }
    has_the_payout(&shop, &statements[PAYOUT_DAY]).await;
    has_the_figures_in_all(&shop);
    for (number, statement) in statements.iter().enumerate() {
        is_as_stripe_reports(&shop, number, statement).await;
    }
    has_a_chain_of_hashes(&shop, &statements);
    is_printed_again_to_the_byte(&shop);
    // What is left of each order at Stripe, less its fees; nothing is left to be compared.
    for (order, left) in orders.iter().zip(["108.09", "9.41", "-15.88"]) {
        has_on_its_ledger(&shop, order, left);
    }
}

fn has_on_its_ledger(shop: &Shop, order: &str, left: &str) {
    let ledger = shop.shown(&["ledger", order]);
    let (_, balances) = ledger.split_once("\n\n").unwrap();
    let at_stripe = format!("stripe:payments {} usd", left.trim_start_matches('-'));
    assert!(balances.lines().any(|it| words(it) == at_stripe) && !balances.contains("clearing:"), "{ledger}");
}

/// Makes the sales; returns the numbers of the orders.
async fn sell(shop: &Shop) -> [String; 3] {
    let (first, intent) = shop.served.payable(&two_lines()).await;
    shop.served.pay(&intent, "pm_card_visa").await;
    shop.served.until(&first, |it| it["payment_intent"]["balance"].is_object()).await;
    let (second, _) = shop.sell(1000, "usd", "pm_card_refundFail").await;
    let (third, _) = shop.sell(2000, "usd", "pm_card_createDispute").await;
    shop.refund(&first, &json!({ "amount": "12.50" }), "succeeded").await;
    shop.refund(&second, &json!({}), "failed").await;
    let disputed = shop.served.until(&third, |it| it["payment_status"] == "disputed").await;
    let dispute = disputed["disputes"][0]["id"].as_str().unwrap();
    shop.served.at_stripe(&format!("/_twin/disputes/{dispute}/close"), "outcome=lost").await;
    shop.served.until(&third, |it| it["disputes"][0]["status"] == "lost").await;
    [first, second, third]
}

/// Activity of the sales: category with count, gross, fee and net.
fn activity() -> Vec<(String, [i64; 4])> {
    let line = |category: &str, numbers| (category.to_owned(), numbers);
    vec![
        line("charge", [3, 15_450, 538, 14_912]),
        line("refund", [2, -2_250, 0, -2_250]),
        line("refund_failure", [1, 1_000, 0, 1_000]),
        line("dispute", [1, -2_000, 1_500, -3_500]),
    ]
}

fn sorted(mut sums: Vec<(String, [i64; 4])>) -> Vec<(String, [i64; 4])> {
    sums.sort_unstable();
    sums
}

fn has_the_figures_of_the_sales(shop: &Shop, statement: &Value) {
    let [balance] = statement["balances"].as_array().unwrap().as_slice() else { panic!("{statement}") };
    assert_eq!((&balance["balance_type"], &balance["currency"]), (&json!("payments"), &json!("usd")));
    assert_eq!((&balance["opening"], &balance["closing"]), (&json!(0), &json!(10_162)));
    assert_eq!(sorted(sums(&balance["activity"])), sorted(activity()));
    assert_eq!(balance["total_activity"], json!({ "count": 7, "gross": 12_200, "fee": 2_038, "net": 10_162 }));
    assert_eq!((&balance["payouts"], &statement["payouts"]), (&json!([]), &json!([])));
    assert_eq!((&statement["corrections"], &statement["exchange"]), (&json!([]), &json!([])));
    assert_eq!((&statement["status"], &statement["timezone"]), (&json!("closed"), &json!("UTC")));
    let text = shop.text_of_day(0);
    let lines: Vec<String> = text.lines().map(words).collect();
    for expected in [
        "payments USD count gross fee net",
        "opening balance 0.00",
        "charge 3 154.50 5.38 149.12",
        "refund 2 -22.50 0.00 -22.50",
        "refund_failure 1 10.00 0.00 10.00",
        "dispute 1 -20.00 15.00 -35.00",
        "total activity 7 122.00 20.38 101.62",
        "total payouts 0 0.00 0.00 0.00",
        "closing balance 101.62",
    ] {
        assert!(lines.iter().any(|it| it == expected), "{expected} is not in {text}");
    }
}

/// The words of a line, with one space between them.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn has_the_payout(shop: &Shop, statement: &Value) {
    let balance = &statement["balances"][0];
    assert_eq!((&balance["opening"], &balance["closing"]), (&json!(10_162), &json!(0)));
    assert_eq!(sums(&balance["payouts"]), [("payout".to_owned(), [1, -10_162, 0, -10_162])]);
    let payout = shop.only("/v1/payouts").await;
    let id = payout["id"].as_str().unwrap();
    let [movement] = statement["payouts"].as_array().unwrap().as_slice() else { panic!("{statement}") };
    assert_eq!(
        (&movement["payout"], &movement["net"], &movement["balance_after"]),
        (&json!(id), &json!(-10_162), &json!(0))
    );
    let text = shop.text_of_day(PAYOUT_DAY);
    let lines: Vec<String> = text.lines().map(words).collect();
    for expected in ["opening balance 101.62", "payout 1 -101.62 0.00 -101.62", "closing balance 0.00"] {
        assert!(lines.iter().any(|it| it == expected), "{expected} is not in {text}");
    }
    let shown = shop.json(&["payout", id]);
    assert_eq!((&shown["status"], &shown["is_reconciled"]), (&json!("paid"), &json!(true)), "{shown}");
    let members = shown["balance_transactions"].as_array().unwrap();
    let net: i64 = members.iter().map(|it| it["net"].as_i64().unwrap()).sum();
    assert_eq!((members.len(), net, &payout["amount"]), (7, 10_162, &json!(10_162)));
    assert!(members.iter().all(|it| it["order_number"].is_string()), "{shown}");
}

/// Statements of the months: one, or two if a month ends meanwhile.
fn has_the_figures_in_all(shop: &Shop) {
    let mut months: Vec<String> = (0..=PAYOUT_DAY).map(|it| shop.day(it).to_string()[..7].to_owned()).collect();
    months.dedup();
    let statements: Vec<Value> = months.iter().map(|it| shop.json(&["statement", "--month", it])).collect();
    let of = |name: &str| {
        let of_month = |it: &Value| sums(&it["balances"][0][name]);
        sorted(statements.iter().flat_map(of_month).collect())
    };
    assert_eq!(of("activity"), sorted(activity()));
    assert_eq!(of("payouts"), [("payout".to_owned(), [1, -10_162, 0, -10_162])]);
    let last = &statements.last().unwrap()["balances"][0];
    assert_eq!((&statements[0]["balances"][0]["opening"], &last["closing"]), (&json!(0), &json!(0)));
}

/// Compares a statement with the twin's own sums of that day.
async fn is_as_stripe_reports(shop: &Shop, number: usize, statement: &Value) {
    let zone = paywright_app::BooksZone::default();
    let [from, to] = [number, number + 1].map(|it| zone.start_of(shop.day(it)).unix_seconds());
    let report = shop.read(&format!("/_twin/report?interval_start={from}&interval_end={to}")).await;
    let [reported] = report["currencies"].as_array().unwrap().as_slice() else { panic!("{report}") };
    let balance = &statement["balances"][0];
    assert_eq!(
        (&balance["opening"], &balance["closing"]),
        (&reported["starting_balance"], &reported["ending_balance"])
    );
    assert_eq!(sorted(sums(&balance["activity"])), sorted(sums(&reported["activity_by_category"])));
    assert_eq!(sums(&balance["payouts"]), sums(&reported["payouts_by_category"]));
    assert_eq!(balance["total_activity"]["net"], reported["activity"]);
    assert_eq!(balance["total_payouts"]["net"], reported["payouts"]);
}

/// Makes the hash of each closed day again, of the text of its statement and the hash before it.
fn has_a_chain_of_hashes(shop: &Shop, statements: &[Value]) {
    let mut before: Option<String> = None;
    for (number, statement) in statements.iter().enumerate() {
        let text = shop.text_of_day(number);
        let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with("Hash")).collect();
        let lines = lines.join("\n") + "\n";
        let hash = hex::encode(Sha256::digest(format!("{}\n{lines}", before.clone().unwrap_or_default())));
        let named = before.as_deref().unwrap_or("none");
        assert!(text.ends_with(&format!("Hash before  {named}\nHash         {hash}\n")), "{hash} is not of {text}");
        assert_eq!((&statement["previous_hash"], &statement["hash"]), (&json!(before), &json!(hash)));
        before = Some(hash);
    }
}

fn is_printed_again_to_the_byte(shop: &Shop) {
    let print = || {
        let days = (0..CLOSED_DAYS).map(|it| shop.day(it).to_string());
        let formats = days.flat_map(|day| ["text", "csv", "json"].map(|it| (day.clone(), it)));
        formats.map(|(day, format)| shop.shown(&["statement", "--day", &day, "--format", format])).collect::<Vec<_>>()
    };
    let first = print();
    shop.agrees();
    assert_eq!(print(), first);
}
