//! Deletion of old idempotency records and events, some at a time.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use paywright_domain::Timestamp;

use crate::failure::Failure;

const DELETE_IDEMPOTENCY_RECORDS: &str = "DELETE FROM idempotency_records WHERE (scope, key) IN (
     SELECT scope, key FROM idempotency_records WHERE at < ?1 ORDER BY at LIMIT ?2
 )";

const DELETE_EVENTS: &str = "DELETE FROM webhook_inbox WHERE event_id IN (
     SELECT event_id FROM webhook_inbox WHERE received_at < ?1 AND created_at < ?1 AND verdict <> 'parked'
     ORDER BY received_at LIMIT ?2
 )";

pub(crate) fn delete_idempotency_records(
    db: &mut SqliteConnection,
    before: Timestamp,
    limit: u16,
) -> Result<u16, Failure> {
    delete(db, DELETE_IDEMPOTENCY_RECORDS, before, limit)
}

pub(crate) fn delete_events(db: &mut SqliteConnection, before: Timestamp, limit: u16) -> Result<u16, Failure> {
    delete(db, DELETE_EVENTS, before, limit)
}

fn delete(db: &mut SqliteConnection, sql: &str, before: Timestamp, limit: u16) -> Result<u16, Failure> {
    let deleted = diesel::sql_query(sql)
        .bind::<BigInt, _>(before.unix_micros())
        .bind::<BigInt, _>(i64::from(limit))
        .execute(db)?;
    Ok(u16::try_from(deleted).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;
    use crate::plans::plan;
    use crate::{IN_MEMORY, Options, setup};

    /// Old rows are found by their age, and deleted by their key.
    #[test]
    fn old_records_and_events_are_found_by_indexes() {
        let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
        for analyzed in [false, true] {
            if analyzed {
                db.batch_execute("ANALYZE").unwrap();
            }
            for (sql, table, by_age) in [
                (
                    DELETE_IDEMPOTENCY_RECORDS,
                    "idempotency_records",
                    "SEARCH idempotency_records USING COVERING INDEX idempotency_records_by_age (at<?)",
                ),
                (DELETE_EVENTS, "webhook_inbox", "SEARCH webhook_inbox USING INDEX events_by_age (received_at<?)"),
            ] {
                let plan = plan(&mut db, sql);
                assert!(plan.iter().any(|it| it == by_age), "{plan:#?}");
                assert!(!plan.iter().any(|it| it.starts_with(&format!("SCAN {table}"))), "{plan:#?}");
                assert!(!plan.iter().any(|it| it.contains("TEMP B-TREE FOR ORDER")), "{plan:#?}");
            }
        }
    }
}
