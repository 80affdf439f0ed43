//! The real clock and real randomness; no other module uses them.

use std::time::Duration;

use async_trait::async_trait;
use paywright_app::{Clock, Ids};
use paywright_domain::{OrderId, Timestamp};
use uuid::{NoContext, Uuid};

use crate::Failure;

#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

/// The current time. A clock that is set outside the years 1970 to 9999 reads as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one implementation of Clock")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(0);
    Timestamp::from_unix_micros(micros).unwrap_or(Timestamp::EPOCH)
}

/// The current time in seconds since 1970.
pub(crate) fn unix_seconds() -> i64 {
    now().unix_seconds()
}

/// Shortest and longest pause between attempts.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(512);

#[async_trait]
impl Clock for SystemClock {
    async fn pause(&self, attempt: u32) {
        let doubled = PAUSE_MIN.saturating_mul(1 << attempt.min(16)).min(PAUSE_MAX);
        // A random part, between half of it and all of it.
        tokio::time::sleep(doubled / 2 + (doubled / 2).mul_f32(fastrand::f32())).await;
    }

    fn now(&self) -> Timestamp {
        now()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RandomIds;

impl Ids for RandomIds {
    fn order_id(&self, now: Timestamp) -> OrderId {
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let nanos = u32::try_from(now.unix_micros().rem_euclid(1_000_000) * 1000).unwrap_or(0);
        OrderId(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos)))
    }

    fn random(&self) -> Uuid {
        Uuid::from_u128(fastrand::u128(..))
    }

    fn spread(&self, seconds: u32) -> u32 {
        fastrand::u32(..=seconds)
    }
}

/// Random bytes from the operating system, for keys and secrets.
pub(crate) fn random_bytes() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("the operating system gave no random bytes: {error}"))?;
    Ok(bytes)
}
