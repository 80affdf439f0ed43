use async_trait::async_trait;
use paywright_domain::{OrderId, Timestamp};

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
}
