//! State of the work in the database, for metrics.

use std::time::Duration;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Nullable, Text as SqlText, Timestamptz, Untyped};
use paywright_app::{BACKLOG_COUNT_MAX, BACKLOG_QUEUES_MAX, Backlog, ConnectionUse, DB_WAIT, Monitoring, StoreError};
use paywright_domain::{Order, Timestamp};

use crate::failure::Failure;
use crate::orders::READ;
use crate::rows::{Column, pg_time};
use crate::search::HELD;
use crate::statement::{filled, statement};
use crate::{PostgresStore, whole_orders};

/// Records the wait for a connection.
pub(crate) fn waited(time: Duration) {
    metrics::histogram!(DB_WAIT).record(time);
}

/// Query for what waits at a time (`backlog.sql`).
pub(crate) struct ReadBacklog {
    now: PgTimestamp,
    count_max: i64,
    queues_max: i64,
}

impl ReadBacklog {
    fn at(now: Timestamp) -> Self {
        Self { now: pg_time(now), count_max: i64::from(BACKLOG_COUNT_MAX), queues_max: i64::from(BACKLOG_QUEUES_MAX) }
    }
}

statement!(ReadBacklog => (SqlText, SqlText, BigInt, Nullable<Timestamptz>), include_str!("sql/backlog.sql"), self {
    now: Timestamptz = self.now,
    count_max: BigInt = self.count_max,
    queues_max: BigInt = self.queues_max,
});

/// Row of [`ReadBacklog`].
type BacklogRow = (String, String, i64, Option<PgTimestamp>);

fn restored(rows: Vec<BacklogRow>) -> Result<Backlog, Failure> {
    let column = |name| Column("backlog", name);
    let mut backlog = Backlog::default();
    for (what, name, count, oldest) in rows {
        let oldest = oldest.map(|it| column("oldest").time(it)).transpose()?;
        backlog.add(&what, &name, column("count").read(u64::try_from(count))?, oldest);
    }
    Ok(backlog)
}

/// Query for the orders that are held for review. Those with an anomaly under that policy are found by an index.
pub(crate) struct OrdersInReview(i64);

statement!(OrdersInReview => Untyped,
    filled!(
        concat!(
            include_str!("sql/order.sql"),
            "WHERE id = ANY (ARRAY(SELECT id FROM orders ",
            "WHERE id = ANY (ARRAY(SELECT order_id FROM anomalies WHERE policy = 'hold_for_review')) ",
            "AND EXISTS (SELECT FROM anomalies WHERE anomalies.order_id = orders.id AND {held}) ",
            "ORDER BY id LIMIT :limit)) ORDER BY id",
        ),
        "{columns}" => READ,
        "{held}" => HELD
    ),
    self {
        limit: BigInt = self.0,
    }
);

/// Query for the orders with a case that waits for a person, as `paywright_app::cases_of` defines it. Those that may have one
/// are found by indexes.
pub(crate) struct OrdersWithCases(i64);

statement!(OrdersWithCases => Untyped,
    filled!(
        concat!(
            include_str!("sql/order.sql"),
            "WHERE id = ANY (ARRAY(SELECT id FROM orders WHERE id = ANY (ARRAY(",
            "SELECT order_id FROM anomalies WHERE policy = 'hold_for_review' ",
            "UNION SELECT order_id FROM refunds WHERE status = 'failed' ",
            "UNION SELECT order_id FROM disputes WHERE status IN ('needs_response', 'warning_needs_response')",
            ")) AND (EXISTS (SELECT FROM anomalies WHERE anomalies.order_id = orders.id AND {held}) ",
            "OR EXISTS (SELECT FROM disputes WHERE disputes.order_id = orders.id ",
            "AND status IN ('needs_response', 'warning_needs_response')) ",
            "OR EXISTS (SELECT FROM refunds AS failed WHERE failed.order_id = orders.id AND failed.status = 'failed' ",
            "AND failed.closed_at IS NULL ",
            "AND EXISTS (SELECT FROM payment_intents WHERE payment_intents.order_id = orders.id ",
            "AND provider_id = failed.intent_id AND received > refunded) ",
            "AND failed.amount > coalesce((SELECT sum(later.amount) FROM refunds AS later WHERE later.order_id = orders.id ",
            "AND later.intent_id = failed.intent_id AND later.number > failed.number ",
            "AND later.status NOT IN ('failed', 'canceled')), 0))) ",
            "ORDER BY id LIMIT :limit)) ORDER BY id",
        ),
        "{columns}" => READ,
        "{held}" => HELD
    ),
    self {
        limit: BigInt = self.0,
    }
);

/// Query for the server's version.
#[derive(Clone)]
struct ServerVersion;

statement!(ServerVersion => SqlText, "SELECT current_setting('server_version')", self {});

#[async_trait]
impl Monitoring for PostgresStore {
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let rows: Result<Vec<BacklogRow>, Failure> = self.rows(ReadBacklog::at(now)).await;
        rows.and_then(restored).map_err(Failure::of_read)
    }

    async fn orders_in_review(&self, limit: u16) -> Result<Vec<Order>, StoreError> {
        whole_orders(self.rows(OrdersInReview(i64::from(limit))).await)
    }

    async fn orders_with_cases(&self, limit: u16) -> Result<Vec<Order>, StoreError> {
        whole_orders(self.rows(OrdersWithCases(i64::from(limit))).await)
    }

    async fn version(&self) -> Result<String, StoreError> {
        let version: Option<String> = self.row(ServerVersion).await.map_err(Failure::of_read)?;
        Ok(format!("PostgreSQL {}", version.unwrap_or_default()))
    }

    fn connections(&self) -> ConnectionUse {
        let of_lanes = self.lanes.iter().map(|it| it.pool.status());
        of_lanes.fold(ConnectionUse::default(), |sum, it| ConnectionUse {
            in_use: sum.in_use + it.size.saturating_sub(it.available),
            max: sum.max + it.max_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use paywright_testkit::postgres::Database;

    use super::*;
    use crate::connect::SESSION;
    use crate::plans::prepare;

    #[tokio::test]
    async fn what_waits_and_what_is_held_is_found_by_indexes() {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        let db = database.client().await;
        db.batch_execute(SESSION).await.unwrap();
        prepare::<ReadBacklog>(&db, "backlog").await;
        prepare::<OrdersInReview>(&db, "in_review").await;
        prepare::<OrdersWithCases>(&db, "with_cases").await;
        let plan = async |execute: &str| -> Vec<String> {
            let rows = db.query(&format!("EXPLAIN EXECUTE {execute}"), &[]).await.unwrap();
            rows.iter().map(|it| it.get(0)).collect()
        };
        let backlog = plan("backlog ('2026-01-01', 10000, 1000)").await;
        for index in ["tasks_by_time", "tasks_failing", "parked_events", "unpositioned_account_events"] {
            assert!(backlog.iter().any(|it| it.contains(index)), "{index}: {backlog:#?}");
        }
        // The endpoints are few, and the queues are the backlog itself.
        for table in ["tasks", "webhook_inbox", "facts", "feed", "account_events"] {
            let scan = format!("Seq Scan on {table} ");
            assert!(!backlog.iter().any(|it| format!("{it} ").contains(&scan)), "{table}: {backlog:#?}");
        }
        let cases = plan("with_cases (100)").await;
        for index in ["anomalies_held", "refunds_failed", "disputes_to_answer"] {
            assert!(cases.iter().any(|it| it.contains(index)), "{index}: {cases:#?}");
        }
        assert!(!cases.iter().any(|it| it.contains("Seq Scan on orders")), "{cases:#?}");
        let held = plan("in_review (1000)").await;
        assert!(held.iter().any(|it| it.contains("anomalies_held")), "{held:#?}");
        assert!(!held.iter().any(|it| it.contains("Seq Scan on orders")), "{held:#?}");
    }
}
