//! State of the work in the file, for metrics.

use std::time::Duration;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use paywright_app::{BACKLOG_COUNT_MAX, BACKLOG_QUEUES_MAX, Backlog, ConnectionUse, DB_WAIT, Monitoring, StoreError};
use paywright_domain::{Order, Timestamp};

use crate::failure::Failure;
use crate::rows::Column;
use crate::{SqliteStore, search};

/// Records the wait of a write for its turn.
pub(crate) fn waited(time: Duration) {
    metrics::histogram!(DB_WAIT).record(time);
}

/// Reads what waits ([`Backlog`]): rows of what is counted, a name within that, a number and the oldest time. Each part
/// reads a limited number of rows, by an index.
const BACKLOG: &str = "
    SELECT 'due_task' AS what, substr(key, 1, instr(key || ':', ':') - 1) AS name, count(*) AS count, min(due_at) AS oldest
    FROM (SELECT key, due_at FROM tasks WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2)
    GROUP BY 2
    UNION ALL
    SELECT 'failing_task', substr(key, 1, instr(key || ':', ':') - 1), count(*), NULL
    FROM (SELECT key FROM tasks INDEXED BY tasks_failing WHERE error IS NOT NULL LIMIT ?2)
    GROUP BY 2
    UNION ALL
    SELECT 'parked_event', '', count(*), min(received_at)
    FROM (SELECT received_at FROM webhook_inbox INDEXED BY parked_events WHERE verdict = 'parked' ORDER BY due_at LIMIT ?2)
    UNION ALL
    SELECT 'unpositioned_event', '', count(*), min(at)
    FROM (SELECT at FROM feed WHERE position > (SELECT position FROM feed_head) ORDER BY position LIMIT ?2)
    UNION ALL
    SELECT 'delivery', 'queue', count(*), min(at)
    FROM (
        SELECT (
            SELECT next.at FROM feed AS next
            WHERE next.order_id = queue.order_id AND next.position > queue.done AND next.position <= queue.last
                AND (endpoint.kinds = '[]' OR next.kind IN (SELECT value FROM json_each(endpoint.kinds)))
            ORDER BY next.position LIMIT 1
        ) AS at
        FROM webhook_queues AS queue
        CROSS JOIN webhook_endpoints AS endpoint ON endpoint.id = queue.endpoint_id
        WHERE queue.next_due_at IS NOT NULL AND endpoint.disabled_at IS NULL
        ORDER BY queue.done LIMIT ?3
    )
    UNION ALL
    SELECT 'delivery', 'endpoint', behind.count, (SELECT at FROM feed WHERE feed.position = behind.next)
    FROM (
        SELECT count(*) AS count, min(endpoint.position) + 1 AS next
        FROM webhook_endpoints AS endpoint
        WHERE disabled_at IS NULL AND endpoint.position < (SELECT position FROM feed_head)
    ) AS behind
    UNION ALL
    SELECT 'endpoint',
        CASE WHEN disabled_at IS NOT NULL THEN 'disabled' WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'enabled' END,
        count(*), NULL
    FROM webhook_endpoints
    GROUP BY 2
    UNION ALL
    SELECT 'feed', '', position, NULL FROM feed_head";

/// Row of [`BACKLOG`].
#[derive(QueryableByName)]
struct BacklogRow {
    #[diesel(sql_type = Text)]
    what: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    oldest: Option<i64>,
}

fn backlog(db: &mut SqliteConnection, now: Timestamp) -> Result<Backlog, Failure> {
    let rows: Vec<BacklogRow> = diesel::sql_query(BACKLOG)
        .bind::<BigInt, _>(now.unix_micros())
        .bind::<BigInt, _>(i64::from(BACKLOG_COUNT_MAX))
        .bind::<BigInt, _>(i64::from(BACKLOG_QUEUES_MAX))
        .load(db)?;
    let column = |name| Column("backlog", name);
    let mut backlog = Backlog::default();
    for row in rows {
        let oldest = row.oldest.map(|it| column("oldest").time(it)).transpose()?;
        backlog.add(&row.what, &row.name, column("count").read(u64::try_from(row.count))?, oldest);
    }
    Ok(backlog)
}

/// Row with the version of SQLite.
#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

fn version(db: &mut SqliteConnection) -> Result<String, Failure> {
    let Version { version } = diesel::sql_query("SELECT sqlite_version() AS version").get_result(db)?;
    Ok(format!("SQLite {version}"))
}

#[async_trait]
impl Monitoring for SqliteStore {
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        // Open connections go on reading a file that was moved away.
        if let Some(readers) = &self.readers {
            readers.place.check()?;
        }
        self.read_many(move |db| backlog(db, now)).await
    }

    async fn orders_in_review(&self, limit: u16) -> Result<Vec<Order>, StoreError> {
        self.read_many(move |db| search::orders_in_review(db, limit)).await
    }

    async fn orders_with_cases(&self, limit: u16) -> Result<Vec<Order>, StoreError> {
        self.read_many(move |db| search::orders_with_cases(db, limit)).await
    }

    async fn version(&self) -> Result<String, StoreError> {
        self.read(version).await
    }

    /// Use of the places in the queue of writes.
    fn connections(&self) -> ConnectionUse {
        self.writer.places()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans::plan;
    use crate::{IN_MEMORY, Options, setup};

    #[test]
    fn what_waits_is_found_by_indexes() {
        let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
        let steps = plan(&mut db, BACKLOG);
        for table in ["tasks", "feed", "facts"] {
            let is_whole = |it: &&String| **it == format!("SCAN {table}");
            assert_eq!(steps.iter().find(is_whole), None, "{steps:#?}");
        }
        for index in ["tasks_by_time", "tasks_failing", "parked_events", "feed_of_an_order"] {
            assert!(steps.iter().any(|it| it.contains(index)), "{index}: {steps:#?}");
        }
    }
}
