//! Statements of the lists of all orders by filters.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Untyped};
use paywright_app::{Balance, Completion, OrderFilter, TimeRange};
use paywright_domain::id::OrderNumber;

use crate::orders::READ;
use crate::rows::to_pg_micros;
use crate::statement::{filled, parameters, statement};

/// Microseconds since 1970 that no stored time reaches.
const AFTER_ALL: i64 = 253_402_300_800_000_000;

/// Parameters of `found_orders.sql`.
#[derive(Clone)]
pub(crate) struct Filter {
    number: Option<String>,
    email: Option<String>,
    completion: Option<&'static str>,
    balance: Option<&'static str>,
    placed: [PgTimestamp; 2],
    updated: [PgTimestamp; 2],
    completed: [PgTimestamp; 2],
    any_completed_at: bool,
    has_intent: bool,
    /// Whether the filter needs nothing that is derived of an order.
    any_state: bool,
}

parameters!(self: Filter {
    number: Nullable<SqlText> = self.number,
    email: Nullable<SqlText> = self.email,
    completion: Nullable<SqlText> = self.completion,
    balance: Nullable<SqlText> = self.balance,
    placed_from: Timestamptz = self.placed[0],
    placed_until: Timestamptz = self.placed[1],
    updated_from: Timestamptz = self.updated[0],
    updated_until: Timestamptz = self.updated[1],
    completed_from: Timestamptz = self.completed[0],
    completed_until: Timestamptz = self.completed[1],
    any_completed_at: Bool = self.any_completed_at,
    any_state: Bool = self.any_state,
    has_intent: Bool = self.has_intent,
});

impl Filter {
    pub(crate) fn of(filter: &OrderFilter) -> Self {
        Self {
            number: filter.number.as_ref().map(OrderNumber::as_str).map(str::to_owned),
            email: filter.email.clone(),
            completion: filter.completion.map(Completion::name),
            balance: filter.balance.map(Balance::name),
            placed: bounds(filter.placed),
            updated: bounds(filter.updated),
            completed: bounds(filter.completed),
            any_completed_at: filter.completed.is_unbounded(),
            has_intent: filter.has_intent,
            any_state: filter.completion.is_none() && filter.balance.is_none() && filter.completed.is_unbounded(),
        }
    }
}

/// First time of a range, and first time after it.
pub(crate) fn bounds(range: TimeRange) -> [PgTimestamp; 2] {
    let from = range.from.map_or(0, paywright_domain::Timestamp::unix_micros);
    let until = range.until.map_or(AFTER_ALL, paywright_domain::Timestamp::unix_micros);
    [from, until].map(|micros| PgTimestamp(to_pg_micros(micros)))
}

/// Page of the orders that a filter admits.
pub(crate) struct Page {
    pub(crate) offset: i64,
    pub(crate) limit: i64,
    pub(crate) filter: Filter,
}

parameters!(self: Page {
    offset: BigInt = self.offset,
    limit: BigInt = self.limit,
    ..Filter = self.filter,
});

/// Condition on a row of `anomalies` beside its order: the order is held for review for it, as
/// `Order::anomalies_in_review` defines it.
pub(crate) const HELD: &str = include_str!("sql/held.sql");

/// Condition on the time of the last change by which an index finds the orders.
macro_rules! by_index {
    () => {
        "updated_at >= :updated_from AND updated_at < :updated_until"
    };
}

/// The same condition for a list that another index sorts: an index does not serve `IS TRUE`.
macro_rules! by_row {
    () => {
        "(updated_at >= :updated_from AND updated_at < :updated_until) IS TRUE"
    };
}

/// Defines the query for a page in one order. Its ids are found first: what belongs to an order is read of those on the
/// page alone.
macro_rules! sorted {
    ($($(#[$meta:meta])* $name:ident by $sort:literal where $updated:ident;)*) => {$(
        $(#[$meta])*
        pub(crate) struct $name(pub(crate) Page);

        statement!($name => Untyped,
            filled!(
                concat!(
                    include_str!("sql/order.sql"), "WHERE id = ANY (ARRAY(SELECT id\n",
                    include_str!("sql/found_orders.sql"), "ORDER BY ", $sort,
                    " OFFSET :offset LIMIT :limit)) ORDER BY ", $sort,
                ),
                "{columns}" => READ,
                "{updated}" => $updated!(),
                "{held}" => HELD
            ),
            self {
                ..Page = self.0,
            }
        );
    )*};
}

sorted! {
    /// Page by id.
    ById by "id" where by_row;
    /// Page by id, newest first.
    ByIdDescending by "id DESC" where by_row;
    /// Page by number.
    ByNumber by "number" where by_row;
    /// Page by number, highest first.
    ByNumberDescending by "number DESC" where by_row;
    /// Page by the time of the last change.
    ByUpdate by "updated_at, id" where by_index;
    /// Page by the time of the last change, last changed first.
    ByUpdateDescending by "updated_at DESC, id DESC" where by_index;
}

/// Number of the orders that a filter admits.
#[derive(Clone)]
pub(crate) struct Count(pub(crate) Filter);

statement!(Count => BigInt,
    filled!(
        concat!("SELECT count(*)\n", include_str!("sql/found_orders.sql")),
        "{updated}" => by_index!(),
        "{held}" => HELD
    ),
    self {
        ..Filter = self.0,
    }
);

#[cfg(test)]
mod tests {
    use paywright_testkit::postgres::Database;

    use super::*;
    use crate::PostgresStore;
    use crate::connect::SESSION;
    use crate::plans::prepare;

    /// Arguments of a filter: any orders that were changed from a time on.
    const CHANGED_SINCE: &str = "NULL, NULL, NULL, NULL, '1970-01-01', '9999-12-31', '2025-03-31', '9999-12-31', \
                                 '1970-01-01', '9999-12-31', true, true, true";

    #[tokio::test]
    async fn a_poll_for_changed_orders_scans_an_index_from_a_time_on_and_sorts_nothing() {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        for setup in ["", "ANALYZE"] {
            let db = database.client().await;
            db.batch_execute(setup).await.unwrap();
            db.batch_execute(SESSION).await.unwrap();
            prepare::<ByUpdate>(&db, "by_update").await;
            prepare::<ByUpdateDescending>(&db, "by_update_descending").await;
            prepare::<ById>(&db, "by_id").await;
            prepare::<ByIdDescending>(&db, "by_id_descending").await;
            prepare::<ByNumber>(&db, "by_number").await;
            prepare::<ByNumberDescending>(&db, "by_number_descending").await;
            prepare::<Count>(&db, "counted").await;
            for (name, arguments, index, condition) in [
                ("by_update", "0, 100, ", "orders_by_update", Some("Index Cond: ((updated_at >=")),
                ("by_update_descending", "0, 100, ", "orders_by_update", Some("Index Cond: ((updated_at >=")),
                ("by_id", "0, 100, ", "orders_pkey", None),
                ("by_id_descending", "0, 100, ", "orders_pkey", None),
                ("by_number", "0, 100, ", "orders_number_key", None),
                ("by_number_descending", "0, 100, ", "orders_number_key", None),
                ("counted", "", "orders_by_update", Some("Index Cond: ((updated_at >=")),
            ] {
                let explain = format!("EXPLAIN EXECUTE {name} ({arguments}{CHANGED_SINCE})");
                let rows = db.query(&explain, &[]).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|it| it.get(0)).collect();
                assert!(plan.iter().any(|it| it.contains(index)), "{name}: {plan:#?}");
                if let Some(condition) = condition {
                    assert!(plan.iter().any(|it| it.contains(condition)), "{name}: {plan:#?}");
                }
                let scanned = |it: &&String| it.contains("Seq Scan") && !it.contains("Seq Scan on installation");
                assert_eq!(plan.iter().find(scanned), None, "{name}: {plan:#?}");
            }
        }
    }
}
