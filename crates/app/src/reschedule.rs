//! Tasks that a clock that ran ahead has put off for too long.

use std::sync::atomic::Ordering;

use paywright_domain::{TaskKind, Timestamp};

use crate::{App, CLOCK_TOLERANCE_SECONDS, Cursor, CursorDue, LateTasks, Lease, StoreError};

/// How many tasks that are not due yet are looked at in one step.
const LOOKED_AT_MAX: u16 = 5000;

const MARK: &str = "reschedule";

impl App {
    /// Makes tasks due that are due later than any of their kind can be, if nobody has looked for them in this period.
    /// Says whether there is more to be done at once.
    pub(crate) async fn reschedule(&self, lease: &Lease) -> Result<bool, StoreError> {
        // As for the walk along the provider's messages: the first look of a process is due at once.
        let first = !self.has_rescheduled.load(Ordering::Relaxed);
        let due = CursorDue::now(lease.now, self.settings.back_fill_seconds);
        let due = if first { CursorDue { by: due.latest, ..due } } else { due };
        let Some(cursor) = self.store.lease_cursor(MARK, lease, due).await? else { return Ok(false) };
        self.has_rescheduled.store(true, Ordering::Relaxed);
        let before = cursor.value;
        let done = self.store.reschedule_tasks(&self.late_tasks(lease.now, before.as_deref())).await?;
        if done.count > 0 {
            let tasks = done.count;
            tracing::warn!(tasks, "tasks were due later than any can be, by a clock that ran ahead: they are due now");
        }
        let cursor = Cursor { value: done.next.map(|it| it.unix_micros().to_string()) };
        let more = self.goes_on(MARK, done.next.is_some(), before.as_deref(), &cursor);
        let again = if more { 0 } else { self.settings.back_fill_seconds };
        self.store.move_cursor(MARK, lease.owner, &cursor, self.clock.now().plus_seconds(again)).await?;
        Ok(more || done.count > 0)
    }

    /// Those after the last one that was looked at, beginning with the first that can be late.
    fn late_tasks(&self, now: Timestamp, looked_at: Option<&str>) -> LateTasks {
        let due_max = TaskKind::ALL.map(|kind| {
            let seconds = self.longest_wait_seconds(kind).saturating_add(CLOCK_TOLERANCE_SECONDS);
            (kind, now.plus_seconds(seconds))
        });
        let first = due_max.iter().map(|(_, due_max)| *due_max).min().unwrap_or(now);
        let looked_at = looked_at.and_then(|it| it.parse().ok()).and_then(|it| Timestamp::from_unix_micros(it).ok());
        LateTasks {
            now,
            due_max: due_max.to_vec(),
            after: looked_at.map_or(first, |it| it.max(first)),
            limit: LOOKED_AT_MAX,
        }
    }
}
