use async_trait::async_trait;
use paywright_domain::{CartId, OrderId, Timestamp};
use uuid::Uuid;

/// Port to the clock: the current time, and pauses.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Current time.
    fn now(&self) -> Timestamp;

    /// Waits after attempt number `attempt` (from 1) at something that others attempt too. The wait is random and grows
    /// with the attempts, so that two that collided do not collide again.
    async fn pause(&self, attempt: u32);
}

/// Port to randomness: fresh ids, and random delays.
pub trait Ids: Send + Sync {
    /// Fresh id of an order: a UUID of version 7 with the time `now`, so that newer orders sort later.
    fn order_id(&self, now: Timestamp) -> OrderId;

    /// Fresh id of a cart: a UUID of version 7 with the time `now`.
    fn cart_id(&self, now: Timestamp) -> CartId {
        CartId(self.order_id(now).0)
    }

    /// Fresh id of a lease owner, different in every process.
    fn owner(&self) -> Uuid;

    /// Random number of seconds from 0 to `seconds`, by which waits are spread.
    fn spread(&self, seconds: u32) -> u32;
}

/// Wakes the worker when a committed task is due immediately.
pub trait WorkerWaker: Send + Sync {
    /// Wakes the worker, which then leases the due tasks.
    fn wake(&self);
}
