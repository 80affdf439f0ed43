//! Searches for attempts of several endpoints.

use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text as SqlText, Uuid as SqlUuid};
use paywright_app::AttemptSearch;
use uuid::Uuid;

use crate::endpoint_rows::AttemptColumns;
use crate::statement::{parameters, statement};

/// Condition of a search for attempts.
macro_rules! found_attempts {
    () => {
        " FROM webhook_attempts WHERE endpoint_id = ANY (:endpoints::uuid[]) AND (:kind::text IS NULL OR kind = :kind) \
         AND (:is_delivered::boolean IS NULL OR (outcome = 'delivered') = :is_delivered) \
         AND (:any_status::boolean OR status IS NOT DISTINCT FROM :status::bigint) \
         AND (:error::text IS NULL OR (error IS NOT NULL AND strpos(lower(answer), :error) > 0))"
    };
}

/// Parameters of the condition.
#[derive(Clone)]
struct FoundAttempts {
    endpoints: Vec<Uuid>,
    kind: Option<String>,
    is_delivered: Option<bool>,
    any_status: bool,
    status: Option<i64>,
    error: Option<String>,
}

impl FoundAttempts {
    fn of(search: &AttemptSearch) -> Self {
        Self {
            endpoints: search.endpoints.iter().map(|it| it.0).collect(),
            // PostgreSQL's text cannot contain U+0000, and no stored one does.
            kind: search.kind.as_ref().map(|it| it.replace('\0', "\u{fffd}")),
            is_delivered: search.is_delivered,
            any_status: search.status.is_none(),
            status: search.status.flatten().map(i64::from),
            error: search.error_contains.as_ref().map(|it| it.replace('\0', "\u{fffd}")),
        }
    }
}

parameters!(self: FoundAttempts {
    endpoints: Array<SqlUuid> = self.endpoints,
    kind: Nullable<SqlText> = self.kind,
    is_delivered: Nullable<Bool> = self.is_delivered,
    any_status: Bool = self.any_status,
    status: Nullable<BigInt> = self.status,
    error: Nullable<SqlText> = self.error,
});

/// Query for a page of a search for attempts, the newest first.
pub(crate) struct AttemptsFound {
    condition: FoundAttempts,
    offset: i64,
    limit: i64,
}

impl AttemptsFound {
    pub(crate) fn of(search: &AttemptSearch) -> Self {
        Self { condition: FoundAttempts::of(search), offset: search.offset.into(), limit: search.limit.into() }
    }
}

statement!(
    AttemptsFound => AttemptColumns,
    concat!(
        "SELECT endpoint_id, at, event_id, kind, position, order_id, number, duration_ms, status, error, answer, outcome",
        found_attempts!(),
        " ORDER BY at DESC, event_id DESC, endpoint_id LIMIT :limit OFFSET :offset",
    ),
    self {
        limit: BigInt = self.limit,
        offset: BigInt = self.offset,
        ..FoundAttempts = self.condition,
    }
);

/// Query for their number, up to a limit.
#[derive(Clone)]
pub(crate) struct CountedAttempts {
    condition: FoundAttempts,
    limit: i64,
}

impl CountedAttempts {
    pub(crate) fn of(search: &AttemptSearch) -> Self {
        Self { condition: FoundAttempts::of(search), limit: AttemptSearch::COUNTED_MAX.into() }
    }
}

statement!(
    CountedAttempts => BigInt,
    concat!("SELECT count(*) FROM (SELECT", found_attempts!(), " LIMIT :limit) AS it"),
    self {
        limit: BigInt = self.limit,
        ..FoundAttempts = self.condition,
    }
);
