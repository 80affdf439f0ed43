use async_trait::async_trait;
use paywright_domain::{CartId, OrderId, Timestamp};
use uuid::Uuid;

/// Tells the time, and lets it pass.
#[async_trait]
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;

    /// Lets time pass after the `attempt`th attempt (from 1) at something that others are at too: longer after
    /// later ones, and by chance, so that those who met once do not meet again.
    async fn pause(&self, attempt: u32);
}

/// Draws names for new things.
pub trait Ids: Send + Sync {
    /// A fresh order id: a version 7 UUID of `now`, so that newer orders sort later.
    fn order_id(&self, now: Timestamp) -> OrderId;

    /// A fresh cart id, as [`Self::order_id`].
    fn cart_id(&self, now: Timestamp) -> CartId {
        CartId(self.order_id(now).0)
    }

    /// A fresh name for someone who holds leases: two processes never have the same.
    fn owner(&self) -> Uuid;

    /// A number of seconds up to `seconds`, by chance, so that those who wait do not come back together.
    fn spread(&self, seconds: u32) -> u32;
}

/// Wakes the worker when a committed task is due immediately.
pub trait WorkerWaker: Send + Sync {
    /// Wakes the worker, which then looks for due tasks.
    fn wake(&self);
}
