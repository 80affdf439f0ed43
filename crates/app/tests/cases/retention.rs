//! Retention of idempotency records and of Stripe's events.

use std::collections::BTreeMap;

use paywright_app::{Clock, Cursor, CursorDue, IdempotencyKey, IdempotentRequest, Lease, PlacedOrder, RecordRetention};
use paywright_domain::OrderId;
use paywright_testkit::new_order;
use uuid::Uuid;

use crate::Shop;

const DAY: u32 = 24 * 3600;
const KEEP: RecordRetention = RecordRetention { idempotency_seconds: Some(30 * DAY), events_seconds: Some(45 * DAY) };

impl Shop {
    async fn places_with_key(&self) -> OrderId {
        let key = IdempotencyKey { scope: Uuid::from_u128(1), key: "k".to_owned() };
        let request = IdempotentRequest { key, fingerprint: [0; 32], answer: |it| it.id.to_string() };
        match self.app.place_order(new_order(), Some(request)).await.unwrap() {
            PlacedOrder::Now(order) => order.id,
            PlacedOrder::Before { order, answer } => {
                assert_eq!(answer, order.to_string());
                order
            }
        }
    }

    async fn deletes(&self) {
        while self.app.delete_old_records(KEEP).await.unwrap() {}
    }

    /// Ids of Stripe's events that are stored.
    async fn stored_events(&self) -> Vec<String> {
        let all: Vec<String> = self.provider().events_now().into_iter().map(|it| it.id).collect();
        self.store.inbox.known_events(&all).await.unwrap()
    }

    /// Delivers all of Stripe's events by webhooks, and returns their ids.
    async fn receives_events(&self) -> Vec<String> {
        let events = self.provider().events_now();
        let ids = events.iter().map(|it| it.id.clone()).collect();
        for event in events {
            self.app.take_event(event, "webhook", BTreeMap::new()).await.unwrap();
        }
        ids
    }
}

#[tokio::test]
async fn a_repeated_request_gets_its_order_for_as_long_as_its_record_is_kept() {
    let shop = Shop::open().await;
    shop.provider().clock_is_ahead(0);
    let order = shop.places_with_key().await;
    for _ in 0..30 {
        shop.clock.advance_seconds(DAY);
        shop.deletes().await;
        assert_eq!(shop.places_with_key().await, order);
    }
    shop.clock.advance_seconds(1);
    shop.deletes().await;
    assert_ne!(shop.places_with_key().await, order, "the key is new again");
}

/// The cursor was not moved for long, as with an API key that may not read events, and events that webhooks delivered
/// meanwhile are deleted.
#[tokio::test]
async fn a_walk_does_not_process_events_again_that_were_deleted() {
    let shop = Shop::open().await;
    shop.provider().clock_is_ahead(0);
    shop.paid().await;
    shop.paid().await;
    let events = shop.receives_events().await;
    assert!(events.len() > 3, "{events:?}");
    let now = shop.clock.now();
    let lease = Lease { owner: Uuid::from_u128(1), now, until: now.plus_seconds(60), limit: 1 };
    assert!(shop.store.cursors.lease_cursor("back_fill", &lease, CursorDue::now(now, 300)).await.unwrap().is_some());
    let cursor = Cursor { value: events.first().cloned() };
    assert!(shop.store.cursors.move_cursor("back_fill", lease.owner, &cursor, now).await.unwrap());
    shop.clock.advance_seconds(45 * DAY);
    shop.deletes().await;
    assert_eq!(shop.stored_events().await.len(), events.len());
    shop.clock.advance_seconds(1);
    shop.deletes().await;
    assert_eq!(shop.stored_events().await, Vec::<String>::new());
    let walked = shop.provider().walked();
    shop.after(300).await;
    assert!(shop.provider().walked() > walked, "the list was read");
    assert_eq!(shop.stored_events().await, Vec::<String>::new(), "no event is stored a second time");
}

/// A clock that is far ahead would make everything old.
#[tokio::test]
async fn nothing_is_deleted_early_by_a_wrong_clock() {
    let shop = Shop::open().await;
    let order = shop.places_with_key().await;
    shop.paid().await;
    let events = shop.receives_events().await;
    shop.clock.advance_seconds(100 * DAY);
    shop.deletes().await;
    assert_eq!(shop.stored_events().await.len(), events.len(), "the time at Stripe is not known yet");
    shop.provider().clock_is_ahead(-i64::from(99 * DAY));
    shop.deletes().await;
    assert_eq!(shop.stored_events().await.len(), events.len());
    assert_eq!(shop.places_with_key().await, order);
    // The clock was right after all.
    shop.provider().clock_is_ahead(0);
    shop.deletes().await;
    assert_eq!(shop.stored_events().await, Vec::<String>::new());
}

/// Events have times of Stripe's clock: by a clock that is 40 days ahead, they are too old for the walk.
#[tokio::test]
async fn a_clock_that_is_ahead_hides_no_event_from_the_walk() {
    let shop = Shop::open().await;
    shop.paid().await;
    let events = shop.provider().events_now().len();
    shop.clock.advance_seconds(40 * DAY);
    shop.provider().clock_is_ahead(-i64::from(40 * DAY));
    shop.after(300).await;
    assert_eq!(shop.stored_events().await.len(), events);
}
