use std::sync::Arc;

use paywright_app::{IdempotencyKey, IdempotentRequest, OrderQuery, PlaceOrderError, PlacedOrder, Version};
use paywright_domain::id::OrderNumber;
use paywright_domain::{NewOrder, Order};
use paywright_testkit::{MockGateway, at, changes, new_order, order_id};
use uuid::Uuid;

use crate::{NOW, Shop};

fn request(key: &str, fingerprint: u8) -> IdempotentRequest {
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: key.into() };
    IdempotentRequest { key, fingerprint: [fingerprint; 32], answer: |order: &Order| order.number.to_string() }
}

async fn stored(shop: &Shop) -> usize {
    shop.store.orders.orders(&OrderQuery::newest(100)).await.unwrap().len()
}

#[tokio::test]
async fn a_placed_order_is_stored_with_its_fact() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    assert_eq!(shop.order(&order).await, order);
    assert_eq!(shop.facts(&order).await, ["order.placed"]);
}

#[tokio::test]
async fn a_repeated_request_with_the_same_key_gets_the_first_answer() {
    let shop = Shop::with(MockGateway::new()).await;
    let PlacedOrder::Now(order) = shop.app.place_order(new_order(), Some(request("k", 7))).await.unwrap() else {
        panic!("a first request places an order")
    };
    let again = shop.app.place_order(new_order(), Some(request("k", 7))).await.unwrap();
    assert_eq!(again, PlacedOrder::Before { order: order.id, answer: order.number.to_string() });
    assert_eq!(stored(&shop).await, 1);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let shop = Shop::with(MockGateway::new()).await;
    shop.app.place_order(new_order(), Some(request("k", 7))).await.unwrap();
    let refused = shop.app.place_order(new_order(), Some(request("k", 8))).await;
    assert!(matches!(refused, Err(PlaceOrderError::KeyReused)), "{refused:?}");
    assert_eq!(stored(&shop).await, 1);
}

#[tokio::test]
async fn a_number_that_is_drawn_again_keeps_its_last_two_characters() {
    let shop = Shop::with(MockGateway::new()).await;
    // Another order has the number that follows from the key.
    let taken = OrderNumber::of(request("k", 7).key.order_id(at(NOW)), at(NOW));
    let other = Order::place_as(order_id(2000), taken.clone(), new_order(), at(NOW)).unwrap();
    shop.store.orders.commit(changes(Version::NEW, other, at(NOW), at(NOW))).await.unwrap();
    let PlacedOrder::Now(order) = shop.app.place_order(new_order(), Some(request("k", 7))).await.unwrap() else {
        panic!("a first request places an order")
    };
    assert_ne!(order.number, taken);
    assert_eq!(order.number.as_str().split_at(17).1, taken.as_str().split_at(17).1, "{}", order.number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_double_click_places_one_order() {
    let shop = Arc::new(Shop::with(MockGateway::new()).await);
    let clicks: Vec<_> = (0..16)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { shop.app.place_order(new_order(), Some(request("k", 7))).await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for click in clicks {
        first += usize::from(matches!(click.await.unwrap(), PlacedOrder::Now(_)));
    }
    assert_eq!((first, stored(&shop).await), (1, 1));
}

#[tokio::test]
async fn a_refused_order_stores_nothing() {
    let shop = Shop::with(MockGateway::new()).await;
    let empty = NewOrder { lines: Vec::new(), ..new_order() };
    let refused = shop.app.place_order(empty, Some(request("k", 7))).await;
    assert!(matches!(refused, Err(PlaceOrderError::Content(_))), "{refused:?}");
    assert_eq!(stored(&shop).await, 0);
    // The corrected request may use the same key.
    assert!(matches!(shop.app.place_order(new_order(), Some(request("k", 8))).await, Ok(PlacedOrder::Now(_))));
}
