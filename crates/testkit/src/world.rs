use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{Clock, Ids, WorkerWaker};
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use crate::order_id;

/// Clock that moves only when the test sets it.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    /// Makes a clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.unix_micros()))
    }

    /// Sets the clock forward.
    pub fn advance_seconds(&self, seconds: u32) {
        self.0.fetch_add(i64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }

    /// Sets the clock back, as an operator who corrects it would.
    pub fn set_back_seconds(&self, seconds: u32) {
        self.0.fetch_sub(i64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for HandClock {
    /// Pauses in real time, since concurrent tasks need real time to finish.
    async fn pause(&self, attempt: u32) {
        tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(10)))).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Order ids in sequence, from 1.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU32);

impl Ids for CountedIds {
    fn order_id(&self, _now: Timestamp) -> OrderId {
        order_id(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Draws ids in sequence over all apps of a test process, so that those of orders do not depend on the entries.
    fn audit_entry_id(&self, _now: Timestamp) -> Uuid {
        static ENTRIES: AtomicU32 = AtomicU32::new(0);
        Uuid::from_u128((1 << 96) + u128::from(ENTRIES.fetch_add(1, Ordering::SeqCst)))
    }

    /// Draws owners in sequence over all apps of a test process.
    fn random(&self) -> Uuid {
        static OWNERS: AtomicU32 = AtomicU32::new(0);
        Uuid::from_u128(u128::from(OWNERS.fetch_add(1, Ordering::SeqCst)) + 1)
    }

    /// Returns no spread, so that due times are exact.
    fn spread(&self, _seconds: u32) -> u32 {
        0
    }
}

/// Waker that counts how often the worker is woken.
#[derive(Debug, Default)]
pub struct CountingWaker {
    worker: AtomicU32,
    deliverer: AtomicU32,
}

impl CountingWaker {
    /// Number of times that the worker was woken.
    pub fn woken(&self) -> u32 {
        self.worker.load(Ordering::SeqCst)
    }

    /// Number of times that the deliverer was woken.
    pub fn deliverer_woken(&self) -> u32 {
        self.deliverer.load(Ordering::SeqCst)
    }
}

impl WorkerWaker for CountingWaker {
    fn wake(&self) {
        self.worker.fetch_add(1, Ordering::SeqCst);
    }

    fn wake_relay(&self) {}

    fn wake_deliverer(&self) {
        self.deliverer.fetch_add(1, Ordering::SeqCst);
    }

    fn wake_books(&self) {}
}
