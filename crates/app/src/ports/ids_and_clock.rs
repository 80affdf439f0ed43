use paywright_domain::{OrderId, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// This moment.
    fn now(&self) -> Timestamp;
}

/// Draws names for new things.
pub trait Ids: Send + Sync {
    /// A fresh order id: a version 7 UUID of `now`, so that newer orders sort later.
    fn order_id(&self, now: Timestamp) -> OrderId;
}
