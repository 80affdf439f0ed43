use async_trait::async_trait;
use paywright_domain::id::OrderNumber;
use paywright_domain::storefront::CartId;
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use crate::EndpointId;

/// Number of bits at the end of an order's id that the order's number shows as its last two characters, and with which
/// the id of its cart ends. With an idempotency key they are a part of the key's digest
/// ([`IdempotencyKey::order_id`](crate::IdempotencyKey::order_id)). So an order, its cart, its number and its key all lead to
/// the same one of up to 1,024 databases, should the orders of an installation ever be divided among several.
pub const ENDING_BITS: u32 = 10;

/// `id`, with the ending of the order's id.
fn with_ending_of(order: OrderId, id: Uuid) -> Uuid {
    let ending = (1_u128 << ENDING_BITS) - 1;
    Uuid::from_u128((id.as_u128() & !ending) | (order.0.as_u128() & ending))
}

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

    /// Fresh id of the cart that becomes the order `order`: a UUID of version 7 with the time `now`, which ends as the
    /// order's id does ([`ENDING_BITS`]).
    fn cart_id(&self, order: OrderId, now: Timestamp) -> CartId {
        CartId(with_ending_of(order, self.order_id(now).0))
    }

    /// Fresh id of an endpoint: a UUID of version 7 with the time `now`.
    fn endpoint_id(&self, now: Timestamp) -> EndpointId {
        EndpointId(self.order_id(now).0)
    }

    /// Fresh id of an entry of the audit trail: a UUID of version 7 with the time `now`.
    fn audit_entry_id(&self, now: Timestamp) -> Uuid {
        self.order_id(now).0
    }

    /// Fresh id of a session in the console: a UUID of version 7 with the time `now`.
    fn console_session_id(&self, now: Timestamp) -> Uuid {
        self.order_id(now).0
    }

    /// Number for the order `order`, placed at `now`, whose first number was not free. It ends with the same two
    /// characters as the first one ([`ENDING_BITS`]).
    fn order_number(&self, order: OrderId, now: Timestamp) -> OrderNumber {
        OrderNumber::of(OrderId(with_ending_of(order, self.random())), now)
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

    /// Wakes the bookkeeper when Stripe has reported a change of the balance.
    fn wake_books(&self);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IdempotencyKey;

    /// Ids with one bit set after another.
    struct Drawn(std::sync::atomic::AtomicU32);

    impl Ids for Drawn {
        fn order_id(&self, _now: Timestamp) -> OrderId {
            OrderId(self.random())
        }

        fn random(&self) -> Uuid {
            Uuid::from_u128(1 << (self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 128))
        }

        fn spread(&self, _seconds: u32) -> u32 {
            0
        }
    }

    #[test]
    fn a_key_an_order_its_numbers_and_its_cart_end_alike() {
        let (ids, now) = (Drawn(0.into()), Timestamp::from_unix_seconds(1_743_415_050).unwrap());
        let ending = |id: Uuid| id.as_u128() & ((1 << ENDING_BITS) - 1);
        let characters = |number: &OrderNumber| number.as_str().chars().rev().take(2).collect::<String>();
        for n in 0..200 {
            let key = IdempotencyKey { scope: Uuid::from_u128(n), key: n.to_string() };
            let order = key.order_id(now);
            assert_eq!(ending(order.0), ending(key.digest()));
            assert_eq!(ending(ids.cart_id(order, now).0), ending(order.0));
            let number = OrderNumber::of(order, now);
            assert_eq!(characters(&ids.order_number(order, now)), characters(&number));
        }
    }
}
