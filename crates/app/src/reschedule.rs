//! Rescheduling of tasks that a process with a clock that ran ahead has made due too late.

use std::sync::atomic::Ordering;

use paywright_domain::Timestamp;
use paywright_domain::task::TaskKind;

use crate::{App, CLOCK_TOLERANCE_SECONDS, Cursor, CursorDue, LateTasks, Lease, StoreError};

/// Largest number of tasks that one step reads.
const TASKS_MAX: u16 = 5000;

/// Name of the cursor.
const RESCHEDULE: &str = "reschedule";

impl App {
    /// Makes tasks due now that are due later than any of their kind can be, if the cursor of this walk is due. Returns
    /// whether there is more to do at once.
    pub(crate) async fn reschedule(&self, lease: &Lease) -> Result<bool, StoreError> {
        // The first walk of a process is due at once, as for the back-fill.
        let first = !self.has_rescheduled.load(Ordering::Relaxed);
        let due = CursorDue::now(lease.now, self.settings.back_fill_seconds);
        let due = if first { CursorDue { by: due.latest, ..due } } else { due };
        let Some(cursor) = self.store.cursors.lease_cursor(RESCHEDULE, lease, due).await? else { return Ok(false) };
        self.has_rescheduled.store(true, Ordering::Relaxed);
        let before = cursor.value;
        let done = self.store.tasks.reschedule_tasks(&self.late_tasks(lease.now, before.as_deref())).await?;
        if done.count > 0 {
            let tasks = done.count;
            tracing::warn!(tasks, "tasks that a process with a fast clock made due too late are due now");
        }
        let cursor = Cursor { value: done.next.map(|it| it.unix_micros().to_string()) };
        let more = self.continues_at_once(RESCHEDULE, done.next.is_some(), before.as_deref(), &cursor);
        let again = if more { 0 } else { self.settings.back_fill_seconds };
        self.store.cursors.move_cursor(RESCHEDULE, lease.owner, &cursor, self.clock.now().plus_seconds(again)).await?;
        Ok(more || done.count > 0)
    }

    /// Query for the late tasks after the cursor, from the earliest due time that can be late.
    fn late_tasks(&self, now: Timestamp, cursor: Option<&str>) -> LateTasks {
        let due_max = TaskKind::ALL.map(|kind| {
            let seconds = self.longest_wait_seconds(kind).saturating_add(CLOCK_TOLERANCE_SECONDS);
            (kind, now.plus_seconds(seconds))
        });
        let first = due_max.iter().map(|(_, due_max)| *due_max).min().unwrap_or(now);
        let read_until = cursor.and_then(|it| it.parse().ok()).and_then(|it| Timestamp::from_unix_micros(it).ok());
        LateTasks {
            now,
            due_max: due_max.to_vec(),
            after: read_until.map_or(first, |it| it.max(first)),
            limit: TASKS_MAX,
        }
    }
}
