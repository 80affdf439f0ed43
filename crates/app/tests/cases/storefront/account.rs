//! Completed orders of a customer.

use paywright_app::OrdersPage;
use paywright_domain::storefront::{Address, FieldEdit};
use paywright_domain::text::Text;

use super::*;

#[tokio::test]
async fn a_customers_completed_orders_are_read_by_page() {
    let front = Front::open().await;
    let customer = CustomerId::new("ada").unwrap();
    let mut paid = Vec::new();
    for _ in 0..4 {
        let shopper = front.with_bones(Some("ada")).await;
        let order = front.pay(&shopper).await.unwrap();
        front.shop.provider().pay(&order.payable_intent().unwrap().id);
        assert!(front.storefront.complete(&shopper).await.unwrap().is_paid());
        front.shop.clock.advance_seconds(60);
        paid.push(order.id);
    }
    // A cart that is not paid yet.
    let shopper = front.with_bones(Some("ada")).await;
    let open = front.pay(&shopper).await.unwrap();
    for (number, size, expected) in [
        (1, 3, &[3, 2, 1][..]),
        (2, 3, &[0]),
        (1, 4, &[3, 2, 1, 0]),
        (2, 4, &[]),
        (u32::MAX, 500, &[]),
        (0, 500, &[3, 2, 1, 0]),
        (1, 0, &[3]),
    ] {
        let page = OrdersPage { number, size, oldest_first: false };
        let found = front.storefront.completed_orders(&customer, &page).await.unwrap();
        let expected: Vec<_> = expected.iter().map(|it| paid[*it]).collect();
        assert_eq!(found.orders.iter().map(|it| it.order.id).collect::<Vec<_>>(), expected, "{page:?}");
        assert_eq!(found.total, 4, "{page:?}");
        assert!(found.orders.iter().all(|it| it.cart.as_ref().is_some_and(|cart| cart.order == it.order.id)));
    }
    let by_id = |id| OrderRef::Id(id);
    let found = front.storefront.completed_order(&by_id(paid[0]), &customer).await.unwrap();
    assert_eq!(found.order.id, paid[0]);
    let eve = CustomerId::new("eve").unwrap();
    for (id, customer) in [(open.id, &customer), (paid[0], &eve)] {
        let refused = front.storefront.completed_order(&by_id(id), customer).await;
        assert!(matches!(refused, Err(StorefrontError::NoCart)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_shipment_other_than_the_carts_is_refused() {
    let front = Front::open().await;
    front.store.put_terms(&terms()).await.unwrap();
    let shopper = front.with_bones(None).await;
    let choose = async |shipment: Option<&str>| front.storefront.choose_shipping_rate(&shopper, shipment, "post").await;
    let nowhere = choose(None).await;
    assert!(matches!(nowhere, Err(StorefrontError::NoShipment)), "{nowhere:?}");
    let address = Address::of("DE".parse().unwrap());
    let edit = CheckoutEdit { shipping_address: FieldEdit::Set(address), ..CheckoutEdit::default() };
    front.storefront.edit_checkout(&shopper, &edit).await.unwrap();
    let other = choose(Some("7")).await;
    assert!(matches!(other, Err(StorefrontError::NoShipment)), "{other:?}");
    let own = front.opened(&shopper).await.cart.id.to_string();
    for shipment in [None, Some(own.as_str())] {
        let chosen = choose(shipment).await.unwrap().cart;
        assert_eq!(chosen.shipping_rate.as_ref().map(Text::as_str), Some("post"));
    }
}
