//! Reads. Each function runs on one connection and sees the database as of one moment: the statements for one order are
//! in one read transaction, so a commit between them is never seen in part.

use diesel::dsl::{IntoBoxed, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use paywright_app::stored::StoredParts;
use paywright_app::{
    CompletedOrdersQuery, IdempotencyKey, IdempotencyRecord, OrderQuery, OrderRef, RecordedFact, StoredTask, Version,
    Versioned,
};
use paywright_domain::id::CustomerId;
use paywright_domain::{Order, OrderId};

use crate::failure::Failure;
use crate::installation;
use crate::orders::OrderRow;
use crate::parts::{AdjustmentRow, AnomalyRow, DisputeRow, FactRow, IntentRow, LineRow, RefundRow};
use crate::rows::{Column, IdempotencyRow, TaskRow};
use crate::schema::{
    anomalies, disputes, facts, idempotency_records, order_adjustments, order_lines, orders, payment_intents, refunds,
    tasks, webhook_inbox,
};

pub(crate) fn order(db: &mut SqliteConnection, which: &OrderRef) -> Result<Option<Versioned<Order>>, Failure> {
    snapshot(db, |db| {
        let row: Option<OrderRow<'_>> = match which {
            OrderRef::Id(id) => orders::table.find(id.0.as_bytes().as_slice()).first(db).optional()?,
            OrderRef::Number(number) => {
                orders::table.filter(orders::number.eq(number.as_str())).first(db).optional()?
            }
            OrderRef::Intent(intent) => {
                let id: Option<Vec<u8>> = payment_intents::table
                    .filter(payment_intents::provider_id.eq(intent.as_str()))
                    .select(payment_intents::order_id)
                    .first(db)
                    .optional()?;
                match id {
                    Some(id) => orders::table.find(id).first(db).optional()?,
                    None => None,
                }
            }
        };
        row.map(|row| whole(db, row)).transpose()
    })
}

/// Orders of a page, without what belongs to each.
fn page(query: &OrderQuery) -> IntoBoxed<'_, orders::table, Sqlite> {
    let mut page = orders::table.order(orders::id.desc()).limit(i64::from(query.limit)).into_boxed();
    if let Some(customer) = &query.customer {
        page = page.filter(orders::customer.eq(customer.as_str()));
    }
    if let Some(email) = &query.email {
        // By the index of addresses, which has no orders without one.
        let same = sql::<Bool>("lower(orders.email) = ").bind::<Text, _>(email.to_ascii_lowercase());
        page = page.filter(orders::email.is_not_null()).filter(same);
    }
    if let Some(state) = query.state {
        page = page.filter(orders::state.eq(state));
    }
    if let Some(currency) = query.currency {
        page = page.filter(orders::currency.eq(currency.code()));
    }
    if let Some(from) = query.placed.from {
        page = page.filter(orders::placed_at.ge(from.unix_micros()));
    }
    if let Some(until) = query.placed.until {
        page = page.filter(orders::placed_at.lt(until.unix_micros()));
    }
    if let Some(cursor) = &query.older_than {
        page = page.filter(orders::id.lt(cursor.0.as_bytes().to_vec()));
    }
    page
}

pub(crate) fn orders(db: &mut SqliteConnection, query: &OrderQuery) -> Result<Vec<Order>, Failure> {
    snapshot(db, |db| {
        let rows: Vec<OrderRow<'_>> = page(query).load(db)?;
        rows.into_iter().map(|row| Ok(whole(db, row)?.value)).collect()
    })
}

/// Condition of [`Order::is_paid`]: paid, and confirmed by Stripe if an event reported the payment. The subquery finds its
/// rows by the order's id.
pub(crate) const CONFIRMED: &str = "(
    orders.state = 'paid' AND NOT EXISTS (
        SELECT 1 FROM anomalies
        JOIN payment_intents ON payment_intents.order_id = orders.id AND payment_intents.provider_id = orders.paid_by
        WHERE anomalies.order_id = orders.id AND anomalies.provider_id = orders.paid_by
            AND anomalies.name = 'payment_not_confirmed'
            AND payment_intents.received < min(
                json_extract(anomalies.payload, '$.told.minor'), ifnull(payment_intents.capture_asked, orders.total)
            )
    )
)";

/// Condition of [`paywright_app::is_completed`]: paid and confirmed, or open after a payment that was processing. Each
/// subquery finds its rows by the order's id.
fn completed() -> String {
    format!(
        "({CONFIRMED} OR orders.state = 'open' AND EXISTS (
            SELECT 1 FROM facts
            WHERE facts.order_id = orders.id AND facts.kind = 'payment_intent.changed'
                AND json_extract(facts.payload, '$.status') = 'processing'
        ))"
    )
}

pub(crate) fn completed_orders(db: &mut SqliteConnection, query: &CompletedOrdersQuery) -> Result<Vec<Order>, Failure> {
    snapshot(db, |db| {
        let own = orders::table.filter(orders::customer.eq(query.customer.as_str())).filter(sql::<Bool>(&completed()));
        let page = own.limit(i64::from(query.limit)).offset(i64::try_from(query.offset).unwrap_or(i64::MAX));
        let rows: Vec<OrderRow<'_>> = if query.oldest_first {
            page.order(orders::id.asc()).load(db)?
        } else {
            page.order(orders::id.desc()).load(db)?
        };
        rows.into_iter().map(|row| Ok(whole(db, row)?.value)).collect()
    })
}

pub(crate) fn count_completed_orders(db: &mut SqliteConnection, customer: &CustomerId) -> Result<u64, Failure> {
    let own = orders::table.filter(orders::customer.eq(customer.as_str())).filter(sql::<Bool>(&completed()));
    let count: i64 = own.count().get_result(db)?;
    Column("orders", "id").read(u64::try_from(count))
}

/// Reads the other rows of an order.
pub(crate) fn whole(db: &mut SqliteConnection, row: OrderRow<'_>) -> Result<Versioned<Order>, Failure> {
    let id = row.id();
    let lines: Vec<LineRow<'_>> =
        order_lines::table.filter(order_lines::order_id.eq(id)).order(order_lines::position).load(db)?;
    let adjustments: Vec<AdjustmentRow<'_>> = order_adjustments::table
        .filter(order_adjustments::order_id.eq(id))
        .order(order_adjustments::position)
        .load(db)?;
    let intents: Vec<IntentRow<'_>> =
        payment_intents::table.filter(payment_intents::order_id.eq(id)).order(payment_intents::position).load(db)?;
    let refunds: Vec<RefundRow<'_>> =
        refunds::table.filter(refunds::order_id.eq(id)).order(refunds::number).load(db)?;
    let disputes: Vec<DisputeRow<'_>> =
        disputes::table.filter(disputes::order_id.eq(id)).order(disputes::position).load(db)?;
    let anomalies: Vec<AnomalyRow<'_>> =
        anomalies::table.filter(anomalies::order_id.eq(id)).order(anomalies::position).load(db)?;
    let parts = StoredParts {
        lines: lines.into_iter().map(LineRow::stored).collect::<Result<_, _>>()?,
        adjustments: adjustments.into_iter().map(AdjustmentRow::stored).collect::<Result<_, _>>()?,
        intents: intents.into_iter().map(IntentRow::stored).collect::<Result<_, _>>()?,
        refunds: refunds.into_iter().map(RefundRow::stored).collect::<Result<_, _>>()?,
        disputes: disputes.into_iter().map(DisputeRow::stored).collect::<Result<_, _>>()?,
        anomalies: anomalies.into_iter().map(AnomalyRow::stored).collect::<Result<_, _>>()?,
        epoch: i64::from(installation::epoch(db)?.0),
    };
    let version = Version(Column("orders", "version").count(row.version())?);
    Ok(Versioned { version, value: row.stored()?.restore(parts)? })
}

pub(crate) fn facts(db: &mut SqliteConnection, order: OrderId) -> Result<Vec<RecordedFact>, Failure> {
    let rows: Vec<FactRow<'_>> = facts::table
        .filter(facts::order_id.eq(order.0.as_bytes().as_slice()))
        .order((facts::version, facts::position))
        .load(db)?;
    rows.into_iter().map(|it| Ok(it.stored()?.restore()?)).collect()
}

pub(crate) fn tasks(db: &mut SqliteConnection, order: OrderId) -> Result<Vec<StoredTask>, Failure> {
    let rows: Vec<TaskRow> = tasks::table
        .filter(tasks::order_id.eq(order.0.as_bytes().as_slice()))
        .order((tasks::due_at, tasks::key))
        .load(db)?;
    rows.into_iter().map(TaskRow::restore).collect()
}

pub(crate) fn known_events(db: &mut SqliteConnection, ids: &[String]) -> Result<Vec<String>, Failure> {
    let known = webhook_inbox::table.filter(webhook_inbox::event_id.eq_any(ids));
    Ok(known.select(webhook_inbox::event_id).load(db)?)
}

pub(crate) fn idempotency_record(
    db: &mut SqliteConnection,
    key: &IdempotencyKey,
) -> Result<Option<IdempotencyRecord>, Failure> {
    let found: Option<IdempotencyRow<'_>> =
        idempotency_records::table.find((key.scope.as_bytes().as_slice(), key.key.as_str())).first(db).optional()?;
    found.map(IdempotencyRow::restore).transpose()
}

/// Runs `work` on the database as of one moment. Uses a savepoint, because the writer's own connection is in a
/// transaction already.
pub(crate) fn snapshot<T>(
    db: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    use diesel::connection::SimpleConnection;
    db.batch_execute("SAVEPOINT read")?;
    let result = work(db);
    db.batch_execute("RELEASE read")?;
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::plan;
    use crate::{IN_MEMORY, Options, setup};

    #[test]
    fn a_list_of_orders_is_read_by_an_index() {
        let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
        let any = OrderQuery { older_than: Some(OrderId(uuid::Uuid::max())), ..OrderQuery::newest(25) };
        for (query, step) in [
            (OrderQuery { state: Some("paid"), ..any.clone() }, "SEARCH orders USING PRIMARY KEY (id<?)"),
            (
                OrderQuery { customer: CustomerId::new("ada").ok(), ..any.clone() },
                "SEARCH orders USING INDEX orders_of_a_customer (customer=? AND id<?)",
            ),
            (
                OrderQuery { email: Some("ada@example.com".into()), ..any },
                "SEARCH orders USING INDEX orders_of_an_email (<expr>=? AND id<?)",
            ),
        ] {
            let text = diesel::debug_query::<Sqlite, _>(&page(&query)).to_string();
            let steps = plan(&mut db, text.split(" -- binds").next().unwrap());
            assert_eq!(steps, [step], "{query:?}");
        }
    }
}
