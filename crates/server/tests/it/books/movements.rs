//! Movements that are not one charge for one order, and payments of which no webhook tells.

use reqwest::Method;
use serde_json::{Value, json};

use super::{AFTER_GRACE_SECONDS, DAY_SECONDS, Shop, sums};
use crate::program::two_lines;
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    an_order_in_euros_that_settles_in_dollars_agrees
    a_partial_capture_is_one_row
    a_payout_that_fails_after_it_was_paid_is_reversed
    payments_of_which_no_webhook_tells_agree
}

async fn an_order_in_euros_that_settles_in_dollars_agrees(stand: &Stand) {
    let shop = Shop::start(stand, true, "").await;
    let form = "settlement_currency=usd&exchange_rates[eur]=1.0837";
    assert_eq!(shop.served.at_stripe("/_twin/account", form).await["settlement_currency"], "usd");
    let (order, _) = shop.sell(10_000, "eur", "pm_card_visa").await;
    shop.refund(&order, &json!({ "amount": "50.00" }), "succeeded").await;
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;
    shop.agrees();
    let statement = shop.statement(0);
    let [balance] = statement["balances"].as_array().unwrap().as_slice() else { panic!("{statement}") };
    assert_eq!((&balance["currency"], &balance["closing"]), (&json!("usd"), &json!(10_837 - 344 - 5_419)));
    let refund = ("refund".to_owned(), [1, -5_419, 0, -5_419]);
    assert_eq!(sums(&balance["activity"]), [("charge".to_owned(), [1, 10_837, 344, 10_493]), refund]);
    // The sale in euros less the refund, and the same in dollars at the rate of the account.
    let exchange = json!([{ "currency": "eur", "amount": 5_000 }, { "currency": "usd", "amount": -(10_837 - 5_419) }]);
    assert_eq!(statement["exchange"], exchange);
    let text = shop.text_of_day(0);
    assert!(text.contains("Exchange\n") && text.contains("50.00\n") && text.contains("-54.18\n"), "{text}");
    let ledger = shop.shown(&["ledger", &order]);
    assert!(ledger.contains("eur") && ledger.contains("usd"), "{ledger}");
}

async fn a_partial_capture_is_one_row(stand: &Stand) {
    let shop = Shop::start(stand, true, "").await;
    let (order, _) = shop.served.authorized(two_lines()).await;
    let amount = json!({ "amount": "100.00" });
    let captured = shop.served.call(Method::POST, &format!("/orders/{order}/capture"), &amount).await;
    assert_eq!((captured.status, &captured.body["data"]["payment_status"]), (200, &json!("paid")), "{captured:?}");
    shop.served.until(&order, |it| it["payment_intent"]["balance"].is_object()).await;
    shop.move_clock(AFTER_GRACE_SECONDS).await;
    shop.agrees();
    let row = shop.only("/v1/balance_transactions").await;
    assert_eq!((&row["amount"], &row["reporting_category"]), (&json!(10_000), &json!("charge")));
    let statement = shop.statement(0);
    assert_eq!(sums(&statement["balances"][0]["activity"]), [("charge".to_owned(), [1, 10_000, 320, 9_680])]);
}

async fn a_payout_that_fails_after_it_was_paid_is_reversed(stand: &Stand) {
    let shop = Shop::start(stand, true, "").await;
    shop.sell(12_450, "usd", "pm_card_visa").await;
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;
    shop.agrees();
    let id = shop.only("/v1/payouts").await["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.json(&["payout", &id])["status"], "paid");
    // The amount stays on the balance: otherwise midnight could bring another payout.
    shop.served.at_stripe("/_twin/account", "payouts=manual").await;
    let failed = shop.served.at_stripe(&format!("/_twin/payouts/{id}/fail"), "failure_code=account_closed").await;
    assert_eq!(failed["status"], "failed", "{failed}");
    shop.agrees();
    let shown = shop.json(&["payout", &id]);
    assert_eq!((&shown["status"], &shown["failure_code"]), (&json!("failed"), &json!("account_closed")));
    let reversed: Vec<Value> = (5..=6).filter_map(|it| shop.reversal(it)).collect();
    let [reversed] = reversed.as_slice() else { panic!("{reversed:?}") };
    assert_eq!(
        (&reversed["payout"], &reversed["net"], &reversed["balance_after"]),
        (&json!(id), &json!(12_059), &json!(12_059))
    );
    shop.move_clock(2 * DAY_SECONDS).await;
    shop.agrees();
}

impl Shop {
    /// The reversal of a payout on the statement of a day; `None` if there is none, or the day has not begun.
    fn reversal(&self, number: usize) -> Option<Value> {
        let day = self.day(number).to_string();
        let printed = self.books(&["statement", "--day", &day, "--format", "json"]);
        let statement: Value = (printed.code == Some(0)).then(|| serde_json::from_str(&printed.text).unwrap())?;
        let payouts = statement["payouts"].as_array().unwrap().iter();
        payouts.clone().find(|it| it["reporting_category"] == "payout_reversal").cloned()
    }
}

async fn payments_of_which_no_webhook_tells_agree(stand: &Stand) {
    let shop = Shop::start(stand, false, "payments.back_fill_seconds = 1").await;
    // One is found by the callback, the other by a poll.
    let (called, intent) = shop.served.payable(&two_lines()).await;
    shop.served.pay(&intent, "pm_card_visa").await;
    let told = shop.served.call(Method::POST, &format!("/orders/{called}/payment"), &Value::Null).await;
    assert_eq!(told.status, 200, "{told:?}");
    let (_, intent) = shop.sell(1000, "usd", "pm_card_visa").await;
    shop.served.at_stripe("/v1/refunds", &format!("payment_intent={intent}&amount=400")).await;
    let (order, _) = shop.sell(2000, "usd", "pm_card_createDispute").await;
    shop.served.until(&order, |it| it["payment_status"] == "disputed").await;
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;
    shop.agrees();
    let expected =
        [("charge", [3, 15_450, 538, 14_912]), ("refund", [1, -400, 0, -400]), ("dispute", [1, -2_000, 1_500, -3_500])];
    let mut expected = expected.map(|(category, numbers)| (category.to_owned(), numbers));
    let mut shown = sums(&shop.statement(0)["balances"][0]["activity"]);
    expected.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, expected);
}
