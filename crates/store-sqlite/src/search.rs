//! Lists of all orders by filters.

use diesel::dsl::sql;
use diesel::helper_types::IntoBoxed;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use paywright_app::{OrderFilter, OrderSearch, OrderSort};
use paywright_domain::Order;

use crate::failure::Failure;
use crate::orders::OrderRow;
use crate::read::{CONFIRMED, snapshot, whole};
use crate::rows::Column;
use crate::schema::orders;

/// Amount of the row of `payment_intents` beside its anomaly and order that is neither refunded nor lost in a dispute, and went
/// back in no other way. Each subquery finds its rows by the order's id.
const TO_DECIDE: &str = "(received - refunded - ifnull((
    SELECT sum(disputes.amount) FROM disputes
    WHERE disputes.order_id = orders.id AND disputes.intent_id = anomalies.provider_id
        AND disputes.status = 'lost' AND withdrawn AND NOT reinstated
), 0) - ifnull((
    SELECT sum(closed_amount) FROM refunds
    WHERE refunds.order_id = orders.id AND refunds.intent_id = anomalies.provider_id
        AND refunds.status = 'failed'
), 0))";

/// Condition on a row of `anomalies` beside its order: the order is held for review for it, as
/// [`Order::anomalies_in_review`] defines it. Each subquery finds its rows by the order's id.
fn holds() -> String {
    format!(
        "anomalies.policy = 'hold_for_review' AND (
            anomalies.name = 'wrong_livemode'
            OR EXISTS (
                SELECT 1 FROM payment_intents
                WHERE payment_intents.order_id = orders.id
                    AND payment_intents.provider_id = anomalies.provider_id
                    AND CASE WHEN anomalies.name = 'payment_not_confirmed'
                        THEN received < min(
                            json_extract(anomalies.payload, '$.told.minor'), ifnull(capture_asked, orders.total)
                        ) OR {TO_DECIDE} > 0 AND EXISTS (
                            SELECT 1 FROM refunds
                            WHERE refunds.order_id = orders.id AND refunds.intent_id = anomalies.provider_id
                                AND origin = 'policy' AND refunds.status = 'failed'
                                AND failure = 'payment_not_confirmed'
                        )
                        ELSE {TO_DECIDE} > 0 AND (
                            accepted_at IS NULL OR received <> json_extract(anomalies.payload, '$.received.minor')
                        )
                    END
            )
        )"
    )
}

/// Condition of [`Order::awaits_money`]: open, with a payment that is processing, and not held for review. Each subquery
/// finds its rows by the order's id.
fn awaits_money() -> String {
    format!(
        "(orders.state = 'open' AND EXISTS (
            SELECT 1 FROM payment_intents WHERE payment_intents.order_id = orders.id AND status = 'processing'
        ) AND NOT EXISTS (SELECT 1 FROM anomalies WHERE anomalies.order_id = orders.id AND {}))",
        holds()
    )
}

/// Condition of [`Order::is_held_for_review`]. The orders are found by the index of the anomalies with that policy.
fn is_held() -> String {
    format!(
        "orders.id IN (SELECT anomalies.order_id FROM anomalies INDEXED BY anomalies_held WHERE policy = 'hold_for_review')
         AND EXISTS (SELECT 1 FROM anomalies WHERE anomalies.order_id = orders.id AND {})",
        holds()
    )
}

/// Condition of the statuses of a dispute that waits for the shop's answer.
const TO_ANSWER: &str = "disputes.status IN ('needs_response', 'warning_needs_response')";

/// Condition that [`paywright_app::cases_of`] finds a case. The orders that may have one are found by indexes.
fn has_cases() -> String {
    format!(
        "orders.id IN (
            SELECT anomalies.order_id FROM anomalies INDEXED BY anomalies_held WHERE policy = 'hold_for_review'
            UNION SELECT refunds.order_id FROM refunds INDEXED BY refunds_failed WHERE status = 'failed'
            UNION SELECT disputes.order_id FROM disputes INDEXED BY disputes_to_answer WHERE {TO_ANSWER}
        ) AND (
            EXISTS (SELECT 1 FROM anomalies WHERE anomalies.order_id = orders.id AND {})
            OR EXISTS (SELECT 1 FROM disputes WHERE disputes.order_id = orders.id AND {TO_ANSWER})
            OR EXISTS (
                SELECT 1 FROM refunds AS failed
                JOIN payment_intents ON payment_intents.order_id = orders.id
                    AND payment_intents.provider_id = failed.intent_id
                WHERE failed.order_id = orders.id AND failed.status = 'failed' AND failed.closed_at IS NULL
                    AND received > refunded
                    AND failed.amount > coalesce((
                        SELECT sum(later.amount) FROM refunds AS later
                        WHERE later.order_id = orders.id AND later.intent_id = failed.intent_id
                            AND later.number > failed.number AND later.status NOT IN ('failed', 'canceled')
                    ), 0)
            )
        )",
        holds()
    )
}

/// Name of [`paywright_app::Completion`].
fn completion() -> String {
    format!(
        "CASE WHEN orders.state = 'canceled' THEN 'canceled' WHEN {CONFIRMED} OR {} THEN 'complete' \
         ELSE 'open' END",
        awaits_money()
    )
}

/// Amount of `Order::amount_due`, beside the row of the PaymentIntent that paid the order.
const DUE: &str = "CASE WHEN EXISTS (
    SELECT 1 FROM anomalies
    WHERE anomalies.order_id = orders.id AND anomalies.provider_id = orders.paid_by
        AND anomalies.name = 'amount_differs' AND accepted_at IS NOT NULL
        AND json_extract(anomalies.payload, '$.received.minor') = received
) THEN received ELSE orders.total END";

/// Name of [`paywright_app::Balance`].
fn balance() -> String {
    format!(
        "CASE WHEN orders.state = 'canceled' THEN 'void' WHEN NOT {CONFIRMED} THEN 'balance_due' ELSE (
            SELECT CASE sign(received - refunded - {DUE})
                WHEN -1 THEN 'balance_due' WHEN 0 THEN 'paid' ELSE 'credit_owed'
            END
            FROM payment_intents WHERE payment_intents.order_id = orders.id AND provider_id = orders.paid_by
        ) END"
    )
}

/// Time of [`paywright_app::Completion::completed_at`].
fn completed_at() -> String {
    format!("CASE WHEN {CONFIRMED} THEN orders.state_at WHEN {} THEN orders.placed_at END", awaits_money())
}

type Found<'a> = IntoBoxed<'a, orders::table, Sqlite>;

/// Orders that `filter` admits, as [`OrderFilter::admits`] defines it.
fn found(filter: &OrderFilter) -> Found<'_> {
    let mut found = orders::table.into_boxed();
    if let Some(number) = &filter.number {
        found = found.filter(orders::number.eq(number.as_str()));
    }
    if let Some(email) = &filter.email {
        found = found.filter(orders::email.eq(email.as_str()));
    }
    if filter.has_intent {
        let exists = "EXISTS (SELECT 1 FROM payment_intents WHERE payment_intents.order_id = orders.id)";
        found = found.filter(sql::<Bool>(exists));
    }
    if let Some(wanted) = filter.completion {
        found = found.filter(sql::<Bool>(&format!("{} = '{}'", completion(), wanted.name())));
    }
    if let Some(wanted) = filter.balance {
        found = found.filter(sql::<Bool>(&format!("{} = '{}'", balance(), wanted.name())));
    }
    if let Some(from) = filter.placed.from {
        found = found.filter(orders::placed_at.ge(from.unix_micros()));
    }
    if let Some(until) = filter.placed.until {
        found = found.filter(orders::placed_at.lt(until.unix_micros()));
    }
    if let Some(from) = filter.updated.from {
        found = found.filter(orders::updated_at.ge(from.unix_micros()));
    }
    if let Some(until) = filter.updated.until {
        found = found.filter(orders::updated_at.lt(until.unix_micros()));
    }
    if let Some(from) = filter.completed.from {
        found = found.filter(sql::<Bool>(&format!("{} >= {}", completed_at(), from.unix_micros())));
    }
    if let Some(until) = filter.completed.until {
        found = found.filter(sql::<Bool>(&format!("{} < {}", completed_at(), until.unix_micros())));
    }
    found
}

fn page(search: &OrderSearch) -> Found<'_> {
    let found = found(&search.filter);
    let sorted = match search.sort {
        OrderSort::Id => found.order(orders::id.asc()),
        OrderSort::IdDescending => found.order(orders::id.desc()),
        OrderSort::Number => found.order(orders::number.asc()),
        OrderSort::NumberDescending => found.order(orders::number.desc()),
        OrderSort::UpdatedAt => found.order((orders::updated_at.asc(), orders::id.asc())),
        OrderSort::UpdatedAtDescending => found.order((orders::updated_at.desc(), orders::id.desc())),
    };
    sorted.limit(i64::from(search.limit)).offset(i64::try_from(search.offset).unwrap_or(i64::MAX))
}

/// Reads the orders that were found, with all that belongs to them.
fn load(db: &mut SqliteConnection, found: Found<'_>) -> Result<Vec<Order>, Failure> {
    snapshot(db, |db| {
        let rows: Vec<OrderRow<'_>> = found.load(db)?;
        rows.into_iter().map(|row| Ok(whole(db, row)?.value)).collect()
    })
}

pub(crate) fn orders(db: &mut SqliteConnection, search: &OrderSearch) -> Result<Vec<Order>, Failure> {
    load(db, page(search))
}

/// Reads at most `limit` orders that are held for review.
pub(crate) fn orders_in_review(db: &mut SqliteConnection, limit: u16) -> Result<Vec<Order>, Failure> {
    let held = orders::table.filter(sql::<Bool>(&is_held())).order(orders::id.asc()).limit(i64::from(limit));
    load(db, held.into_boxed())
}

/// Reads at most `limit` orders with a case that waits for a person.
pub(crate) fn orders_with_cases(db: &mut SqliteConnection, limit: u16) -> Result<Vec<Order>, Failure> {
    let waiting = orders::table.filter(sql::<Bool>(&has_cases())).order(orders::id.asc()).limit(i64::from(limit));
    load(db, waiting.into_boxed())
}

pub(crate) fn count(db: &mut SqliteConnection, filter: &OrderFilter) -> Result<u64, Failure> {
    let count: i64 = found(filter).count().get_result(db)?;
    Column("orders", "id").read(u64::try_from(count))
}

#[cfg(test)]
mod tests {
    use paywright_app::TimeRange;
    use paywright_domain::Timestamp;

    use super::*;
    use crate::plans::plan;
    use crate::{IN_MEMORY, Options, setup};

    #[test]
    fn a_poll_for_changed_orders_searches_an_index_and_sorts_nothing() {
        let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
        let updated = TimeRange { from: Some(Timestamp::EPOCH), until: None };
        let filter = OrderFilter { updated, ..OrderFilter::default() };
        for (sort, step) in [
            (OrderSort::UpdatedAt, "SEARCH orders USING INDEX orders_by_update (updated_at>?)"),
            (OrderSort::UpdatedAtDescending, "SEARCH orders USING INDEX orders_by_update (updated_at>?)"),
        ] {
            let search = OrderSearch { filter: filter.clone(), sort, offset: 0, limit: 25 };
            let text = diesel::debug_query::<Sqlite, _>(&page(&search)).to_string();
            let text = text.split(" -- binds").next().unwrap().to_owned();
            assert_eq!(plan(&mut db, &text), [step], "{text}");
        }
    }
}
