//! Cursors: stored positions of walks through lists, and the times of periodic work.

use async_trait::async_trait;
use paywright_domain::Timestamp;
use uuid::Uuid;

use super::lease::{CLOCK_TOLERANCE_SECONDS, Lease};
use super::store::StoreError;

/// Port to the cursors: positions in lists that are read in steps, and the times of periodic work, each leased by one
/// process at a time.
///
/// Each call is one transaction.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// Leases the cursor with this name, and creates it where there is none. `None` if it is not due at `due.by`, or is
    /// under a lease. A cursor that is due later than `due.latest` counts as due, and a lease that ends later than
    /// [`Lease::until_max`] as none: a clock that ran ahead wrote them.
    async fn lease_cursor(&self, name: &str, lease: &Lease, due: CursorDue) -> Result<Option<Cursor>, StoreError>;

    /// Moves a cursor that `owner` has leased, ends the lease, and makes the cursor due at `due_at`. Returns whether it
    /// was under a lease of `owner`; if it was not, nothing is changed.
    async fn move_cursor(
        &self,
        name: &str,
        owner: Uuid,
        cursor: &Cursor,
        due_at: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Position in a list that is read in steps, such as Stripe's events. It is stored under a name and leased by one
/// process at a time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Last item seen; `None` before the first.
    pub value: Option<String>,
}

/// Condition under which a cursor may be leased: it is due at `by`, or later than it can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorDue {
    /// Time by which the cursor must be due.
    pub by: Timestamp,
    /// Latest time at which it can be due, whichever process moved it.
    pub latest: Timestamp,
}

impl CursorDue {
    /// Condition for a cursor with this period, in seconds: it is due at `now`.
    pub fn now(now: Timestamp, period_seconds: u32) -> Self {
        let latest = now.plus_seconds(period_seconds.saturating_add(CLOCK_TOLERANCE_SECONDS));
        Self { by: now, latest }
    }
}
