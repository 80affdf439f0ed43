//! Deletion of old idempotency records and events, some at a time.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Timestamptz};
use paywright_domain::Timestamp;

use crate::rows::pg_time;
use crate::statement::statement;

/// Statement that deletes old idempotency records.
pub(crate) struct DeleteIdempotencyRecords {
    before: PgTimestamp,
    limit: i64,
}

impl DeleteIdempotencyRecords {
    pub(crate) fn of(before: Timestamp, limit: u16) -> Self {
        Self { before: pg_time(before), limit: i64::from(limit) }
    }
}

statement!(
    DeleteIdempotencyRecords => (),
    concat!(
        "DELETE FROM idempotency_records WHERE ctid = ANY (ARRAY(SELECT ctid FROM idempotency_records WHERE at < ",
        ":before ORDER BY at LIMIT :limit))",
    ),
    self {
        before: Timestamptz = self.before,
        limit: BigInt = self.limit,
    }
);

/// Statement that deletes old events, except parked ones.
pub(crate) struct DeleteEvents {
    before: PgTimestamp,
    limit: i64,
}

impl DeleteEvents {
    pub(crate) fn of(before: Timestamp, limit: u16) -> Self {
        Self { before: pg_time(before), limit: i64::from(limit) }
    }
}

statement!(
    DeleteEvents => (),
    concat!(
        "DELETE FROM webhook_inbox WHERE verdict <> 'parked' AND ctid = ANY (ARRAY(SELECT ctid FROM webhook_inbox ",
        "WHERE received_at < :before AND created_at < :before AND verdict <> 'parked' ",
        "ORDER BY received_at LIMIT :limit))",
    ),
    self {
        before: Timestamptz = self.before,
        limit: BigInt = self.limit,
    }
);
