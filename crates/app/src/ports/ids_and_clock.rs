use async_trait::async_trait;
use paywright_domain::{CartId, OrderId, OrderNumber, Timestamp};
use uuid::Uuid;

use crate::EndpointId;

/// Port to the clock: the current time, and pauses.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Current time.
    fn now(&self) -> Timestamp;

    /// Waits before the next attempt after the failed attempt number `attempt`, from 1. The wait is random and grows
    /// with the attempts, so that two writers that collided do not collide again.
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

    /// Fresh id of an endpoint: a UUID of version 7 with the time `now`.
    fn endpoint_id(&self, now: Timestamp) -> EndpointId {
        EndpointId(self.order_id(now).0)
    }

    /// Number for an order placed at `now` whose first number was not free.
    fn order_number(&self, now: Timestamp) -> OrderNumber {
        OrderNumber::of(self.order_id(now), now)
    }

    /// Owner of leases: two processes never have the same.
    fn lease_owner(&self) -> Uuid {
        self.random()
    }

    /// Idempotency key of a request that is made once, such as one whose caller chose no key.
    fn idempotency_key(&self) -> Uuid {
        self.random()
    }

    /// A UUID that was not drawn before, in this process or in another one.
    fn random(&self) -> Uuid;

    /// Random number of seconds from 0 to `seconds`, by which waits are spread.
    fn spread(&self, seconds: u32) -> u32;
}

/// Wakes the background loops of this process, which otherwise look for work from time to time.
pub trait WorkerWaker: Send + Sync {
    /// Wakes the worker when a committed task is due immediately.
    fn wake(&self);

    /// Wakes the relay when public facts were committed.
    fn wake_relay(&self);

    /// Wakes the deliverer when events were put into queues.
    fn wake_deliverer(&self);
}
