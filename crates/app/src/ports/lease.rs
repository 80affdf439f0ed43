//! Leases: time-limited exclusive claims of one process.

use paywright_domain::Timestamp;
use uuid::Uuid;

/// Request for a lease: a time-limited exclusive claim on tasks, events or a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Id of the owner, different in every process.
    pub owner: Uuid,
    /// Current time: what is due by now is leased.
    pub now: Timestamp,
    /// Time at which the lease ends.
    pub until: Timestamp,
    /// Largest number of tasks or events to lease.
    pub limit: u16,
}

/// Longest pause of a process between reading its clock and calling the store, in seconds.
const PROCESS_PAUSE_SECONDS: u32 = 3600;

/// Largest difference between the clocks of two processes on one store, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: u32 = 300;

/// Longest wait of a parked event before the next attempt, in seconds.
pub(crate) const EVENT_WAIT_SECONDS_MAX: u32 = 86_400;

impl Lease {
    /// Latest time at which a parked event can be due, whichever process parked it.
    pub fn event_due_max(&self) -> Timestamp {
        self.now.plus_seconds(EVENT_WAIT_SECONDS_MAX + CLOCK_TOLERANCE_SECONDS)
    }

    /// Latest time at which a lease of the same length can end, whichever process took it. It allows for differences
    /// between clocks, and for a process that was paused after it read its clock.
    pub fn until_max(&self) -> Timestamp {
        self.until.plus_seconds(CLOCK_TOLERANCE_SECONDS + PROCESS_PAUSE_SECONDS)
    }
}
