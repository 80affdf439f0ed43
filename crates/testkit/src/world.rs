use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{Clock, Ids, WorkerWaker};
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use crate::order_id;

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct HandClock(AtomicI64);

impl HandClock {
    /// A clock at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.unix_micros()))
    }

    /// Moves on.
    pub fn advance_seconds(&self, seconds: u32) {
        self.0.fetch_add(i64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }

    /// Sets the clock back, as whoever finds it wrong does.
    pub fn set_back_seconds(&self, seconds: u32) {
        self.0.fetch_sub(i64::from(seconds) * 1_000_000, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for HandClock {
    /// In real time, since those who are waited for take theirs.
    async fn pause(&self, attempt: u32) {
        tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(10)))).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Order ids that count up from 1.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU32);

impl Ids for CountedIds {
    fn order_id(&self, _now: Timestamp) -> OrderId {
        order_id(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Over all of a test's processes.
    fn owner(&self) -> Uuid {
        static OWNERS: AtomicU32 = AtomicU32::new(0);
        Uuid::from_u128(u128::from(OWNERS.fetch_add(1, Ordering::SeqCst)) + 1)
    }

    /// Always none: what waits in a test waits its whole time.
    fn spread(&self, _seconds: u32) -> u32 {
        0
    }
}

/// A bell that counts.
#[derive(Debug, Default)]
pub struct CountingWaker(AtomicU32);

impl CountingWaker {
    /// How often it was rung.
    pub fn woken(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl WorkerWaker for CountingWaker {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
