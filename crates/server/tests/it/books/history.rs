//! Books whose past is changed behind the program's back: the first day that is not as it was is told.

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};

use super::{AFTER_GRACE_SECONDS, DAY_SECONDS, Printed, Shop};
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    a_changed_past_is_one_break_of_the_first_changed_day
}

/// Statements that let a table be changed, on SQLite and on PostgreSQL.
const LET_CHANGE: [&str; 2] = [
    "DROP TRIGGER IF EXISTS balance_transactions_are_not_changed;
     DROP TRIGGER IF EXISTS balance_transactions_are_not_deleted;
     DROP TRIGGER IF EXISTS closed_days_are_not_changed;
     DROP TRIGGER IF EXISTS closed_days_are_not_deleted;",
    "DROP TRIGGER IF EXISTS append_only ON balance_transactions;
     DROP TRIGGER IF EXISTS append_only ON closed_days;",
];

/// Runs statements on the shop's database.
async fn execute(shop: &Shop, stand: &Stand, statements: &str) {
    match stand {
        Stand::Sqlite(_) => {
            let file = shop.served.folder().join("orders.db");
            let mut db = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
            db.batch_execute("PRAGMA busy_timeout = 10000").unwrap();
            db.batch_execute(LET_CHANGE[0]).unwrap();
            db.batch_execute(statements).unwrap();
        }
        Stand::Postgres(database) => {
            let client = database.client().await;
            client.batch_execute(LET_CHANGE[1]).await.unwrap();
            client.batch_execute(statements).await.unwrap();
        }
    }
}

/// Asserts that the break of the past of this day is told, alone.
fn tells(shop: &Shop, day: usize, of: &str) {
    let id = format!("history:{}", shop.day(day));
    let Printed { code, text } = shop.books(&["reconcile"]);
    assert_eq!(code, Some(1), "{of}: {text}");
    assert!(text.starts_with(&format!("{id}  (age ")) && text.ends_with("\n1 break\n"), "{of}: {text}");
    assert!(text.contains("backup"), "{of}: {text}");
}

async fn a_changed_past_is_one_break_of_the_first_changed_day(stand: &Stand) {
    let shop = Shop::start(stand, true, "books.enabled = false").await;
    shop.sell(12_450, "usd", "pm_card_visa").await;
    shop.move_clock(DAY_SECONDS).await;
    shop.agrees();
    let form = "amount=-100&currency=usd&type=adjustment&reporting_category=other_adjustment&description=Levy";
    assert_eq!(shop.served.at_stripe("/_twin/balance_transactions", form).await["net"], -100);
    shop.move_clock(3 * DAY_SECONDS + AFTER_GRACE_SECONDS).await;
    shop.agrees();
    let hashes: Vec<Value> = (0..4).map(|it| shop.statement(it)["hash"].clone()).collect();
    assert!(hashes.iter().all(Value::is_string), "four days are closed: {hashes:?}");

    // The second day's row, figures and hash; a day that is gone; a row too many; the first day's hash.
    let [day, third] = [1, 2].map(|it| shop.day(it));
    let of_day = |text: &str| format!("UPDATE closed_days SET {text} WHERE day = '{day}'");
    let row = |text: &str| format!("UPDATE balance_transactions SET {text} WHERE day = '{day}'");
    let text_of_summary = match stand {
        Stand::Sqlite(_) => ("replace(summary, '-100', '-101')", "replace(summary, '-101', '-100')"),
        Stand::Postgres(_) => {
            ("replace(summary::text, '-100', '-101')::jsonb", "replace(summary::text, '-101', '-100')::jsonb")
        }
    };
    let hash = hashes[1].as_str().unwrap();
    for (change, undo, changed) in [
        (row("description = 'Tax'"), row("description = 'Levy'"), 1),
        (row("amount = -101, net = -101"), row("amount = -100, net = -100"), 1),
        (of_day(&format!("summary = {}", text_of_summary.0)), of_day(&format!("summary = {}", text_of_summary.1)), 1),
        (of_day("hash = 'of another'"), of_day(&format!("hash = '{hash}'")), 1),
        (
            row(&format!("day = '{third}'")),
            format!("UPDATE balance_transactions SET day = '{day}' WHERE day = '{third}'"),
            1,
        ),
    ] {
        execute(&shop, stand, &change).await;
        tells(&shop, changed, &change);
        // It is told as long as it is there, and only where the past is read that far back.
        let listed = shop.json(&["breaks"])["breaks"].clone();
        let only = &listed[0];
        let expected = (&json!("history"), &json!(shop.day(changed).to_string()));
        assert_eq!((&only["class"], &only["object"]), expected, "{change}: {listed}");
        execute(&shop, stand, &undo).await;
        shop.agrees();
    }

    execute(&shop, stand, &row("fee = 1")).await;
    let since = |day: usize| shop.books(&["reconcile", "--since", &shop.day(day).to_string()]);
    assert_eq!(since(3), Printed { code: Some(0), text: "0 breaks\n".into() });
    assert_eq!(since(1).code, Some(1));
    // A check that leaves out the day does not end its break.
    assert_eq!(since(3).code, Some(1));
    execute(&shop, stand, &row("fee = 0")).await;
    shop.agrees();

    execute(&shop, stand, &format!("DELETE FROM closed_days WHERE day = '{day}'")).await;
    tells(&shop, 1, "a missing day");
}
