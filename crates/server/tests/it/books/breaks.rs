//! Books that do not agree: one thing is falsified at a time, and exactly that is told.

use serde_json::{Value, json};

use super::{AFTER_GRACE_SECONDS, DAY_SECONDS, Printed, Shop};
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    a_fee_that_is_wrong_by_one_cent_is_one_break
    a_row_that_is_missing_is_a_break_after_the_time_of_grace
    a_stray_row_in_a_payout_is_one_break
    an_unknown_category_is_one_break
    a_row_that_cannot_be_held_is_one_break_until_it_can_be
    a_row_with_u0000_in_its_texts_is_booked
}

/// Keeps the serving process from reading rows before they are falsified.
const BY_COMMAND_ALONE: &str = "books.enabled = false";

/// Amount of a break, in minor units.
fn usd(minor: i64) -> Value {
    json!({ "amount": minor, "currency": "usd" })
}

async fn a_fee_that_is_wrong_by_one_cent_is_one_break(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    shop.sell(12_450, "usd", "pm_card_visa").await;
    let row = shop.only("/v1/balance_transactions").await["id"].as_str().unwrap().to_owned();
    let changed = shop.served.at_stripe(&format!("/_twin/balance_transactions/{row}"), "fee=392").await;
    assert_eq!((&changed["fee"], &changed["fee_details"][0]["amount"]), (&json!(392), &json!(391)));
    shop.move_clock(AFTER_GRACE_SECONDS).await;
    let told = shop.has_one_break(&format!("fee_sum:{row}"));
    assert_eq!((&told["class"], &told["object"]), (&json!("fee_sum"), &json!(row)), "{told}");
}

async fn a_row_that_is_missing_is_a_break_after_the_time_of_grace(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    let (order, intent) = shop.sell(12_450, "usd", "pm_card_visa").await;
    let row = shop.only("/v1/balance_transactions").await["id"].as_str().unwrap().to_owned();
    let deleted = shop.served.at_stripe(&format!("/_twin/balance_transactions/{row}"), "deleted=true").await;
    assert_eq!(deleted["deleted"], true);
    let read = shop.served.until(&order, |it| it["id"].is_string()).await;
    let early = "1 not compared yet: younger than the time of grace\n0 breaks\n".to_owned();
    assert_eq!(shop.books(&["reconcile"]), Printed { code: Some(0), text: early });
    shop.move_clock(AFTER_GRACE_SECONDS).await;
    let (done, explained, said) = shop.served.run(&["explain", &order]);
    let in_books = explained.split("\nIn the books:\n").nth(1).unwrap_or_default();
    assert!(done && in_books.contains(&format!("  124.50 usd is expected for {intent}.\n")), "{explained}{said}");
    assert!(in_books.contains(&format!("\nOpen: clearing:{intent}, 124.50 usd\n")), "{explained}");
    let told = shop.has_one_break(&format!("missing_there:{intent}"));
    assert_eq!((&told["order"], &told["theirs"]), (&read["id"], &Value::Null), "{told}");
    assert_eq!(told["ours"], usd(12_450), "{told}");
}

async fn a_stray_row_in_a_payout_is_one_break(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    shop.sell(12_450, "usd", "pm_card_visa").await;
    shop.pay_out_daily().await;
    shop.move_clock(5 * DAY_SECONDS).await;
    let payout = shop.only("/v1/payouts").await["id"].as_str().unwrap().to_owned();
    let form = format!("amount=500&currency=usd&payout={payout}");
    assert_eq!(shop.served.at_stripe("/_twin/balance_transactions", &form).await["net"], 500);
    let told = shop.has_one_break(&format!("payout_sum:{payout}"));
    assert_eq!(
        (&told["ours"], &told["theirs"], &told["difference"]),
        (&usd(12_559), &usd(12_059), &usd(-500)),
        "{told}"
    );
    assert_eq!(shop.json(&["payout", &payout])["difference"], usd(-500));
}

async fn an_unknown_category_is_one_break(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    shop.sell(12_450, "usd", "pm_card_visa").await;
    let form = "amount=-100&currency=usd&type=adjustment&reporting_category=quantum_levy";
    assert_eq!(shop.served.at_stripe("/_twin/balance_transactions", form).await["net"], -100);
    shop.move_clock(AFTER_GRACE_SECONDS).await;
    let told = shop.has_one_break("unknown_category:quantum_levy");
    assert_eq!(told["theirs"], usd(-100), "{told}");
    // It is on the statement under its own name, and the statement foots.
    let statement = shop.statement(0);
    let balance = &statement["balances"][0];
    let categories = super::sums(&balance["activity"]);
    assert!(categories.contains(&("quantum_levy".to_owned(), [1, -100, 0, -100])), "{statement}");
    assert_eq!(balance["closing"], 12_059 - 100);
}

async fn a_row_that_cannot_be_held_is_one_break_until_it_can_be(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    let form = "amount=-100&currency=xts&type=adjustment&reporting_category=other_adjustment";
    let row = shop.served.at_stripe("/_twin/balance_transactions", form).await["id"].as_str().unwrap().to_owned();
    shop.sell(12_450, "usd", "pm_card_visa").await;
    let id = format!("unreadable:{row}");
    for _ in 0..2 {
        let Printed { code, text } = shop.books(&["reconcile"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.starts_with(&format!("{id}  (age ")) && text.ends_with("\n1 break\n"), "{text}");
        assert!(!text.contains("ours"), "it has no amounts: {text}");
    }
    // All others are booked.
    let closing = |shop: &Shop| shop.statement(0)["balances"][0]["closing"].clone();
    assert_eq!(closing(&shop), 12_059);
    let changed = shop.served.at_stripe(&format!("/_twin/balance_transactions/{row}"), "currency=usd").await;
    assert_eq!(changed["currency"], "usd");
    shop.agrees();
    assert_eq!(closing(&shop), 12_059 - 100);
    let all = shop.json(&["breaks", "--all"])["breaks"].clone();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["id"], &all[0]["status"]), (1, &json!(id), &json!("gone")));
}

async fn a_row_with_u0000_in_its_texts_is_booked(stand: &Stand) {
    let shop = Shop::start(stand, true, BY_COMMAND_ALONE).await;
    let form = "amount=-100&currency=usd&type=adjustment&reporting_category=quantum_%00levy&description=A%00B";
    let row = shop.served.at_stripe("/_twin/balance_transactions", form).await;
    assert_eq!((&row["description"], &row["reporting_category"]), (&json!("A\0B"), &json!("quantum_\0levy")));
    shop.has_one_break("unknown_category:quantum_\u{fffd}levy");
    assert_eq!(shop.statement(0)["balances"][0]["closing"], -100);
}
