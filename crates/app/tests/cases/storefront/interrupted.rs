//! Payments of a cart that another request changes at a chosen moment.

use super::*;

/// Request that adds a toy, of 25.00, to the shopper's cart.
fn adds_a_toy(front: &Front, shopper: &Shopper) -> impl Future<Output = ()> + Send + 'static {
    let (storefront, shopper) = (front.storefront.clone(), shopper.clone());
    async move {
        storefront.add_item(&shopper, &VariantId::new("toy").unwrap(), 1, None).await.unwrap();
    }
}

/// Amounts due of the shopper's cart, its order and its PaymentIntent.
async fn amounts(front: &Front, shopper: &Shopper) -> [paywright_domain::Money; 3] {
    let session = front.opened(shopper).await;
    let order = session.order.unwrap();
    let intent = front.shop.provider().intent_now(&order.payable_intent().unwrap().id);
    [session.cart.totals().unwrap().due, order.total, intent.amount]
}

/// The change finds no order to edit, and the order is placed with the former content.
#[tokio::test]
async fn a_cart_that_is_changed_before_its_order_is_placed_is_paid_as_changed() {
    let open = Front::open().await;
    let (front, store) = open.observed();
    let shopper = front.with_bones(None).await;
    store.interrupt("commit", 1, adds_a_toy(&open, &shopper));
    let paid = front.pay(&shopper).await.unwrap();
    assert!(store.was_interrupted());
    assert_eq!(paid.payable_intent().unwrap().amount, usd(4500));
    assert_eq!(amounts(&front, &shopper).await, [usd(4500); 3]);
}

/// The change edits the order after its placement, and before its PaymentIntent is requested.
#[tokio::test]
async fn a_payment_of_the_shown_amount_is_refused_if_the_cart_is_changed_before_its_payment_intent_is_created() {
    let open = Front::open().await;
    let (front, store) = open.observed();
    let shopper = front.with_bones(None).await;
    store.interrupt("commit", 2, adds_a_toy(&open, &shopper));
    let shown = PaymentIntentParams { payment_method: None, amount: Some("20.00".to_owned()) };
    let refused = front.storefront.payment_intent(&shopper, &shown).await.unwrap_err();
    assert!(store.was_interrupted());
    assert!(matches!(refused, StorefrontError::NotTheAmountDue { due } if due == usd(4500)), "{refused}");
    assert_eq!(amounts(&front, &shopper).await, [usd(4500); 3]);
}

/// Stripe has answered the edit of the PaymentIntent neither of the two times, and the intent has the former amount.
#[tokio::test]
async fn a_payment_intent_of_the_former_amount_is_not_shown_for_a_changed_cart() {
    let front = Front::open().await;
    let shopper = front.with_bones(None).await;
    front.pay(&shopper).await.unwrap();
    front.shop.provider().will([Trouble::LostBefore, Trouble::LostBefore]);
    front.add(&shopper, "toy", 1).await.unwrap();
    assert_eq!(amounts(&front, &shopper).await[2], usd(2000));
    let refused = front.pay(&shopper).await.unwrap_err();
    assert!(matches!(refused, StorefrontError::UnderWay), "{refused}");
    front.shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    assert_eq!(front.pay(&shopper).await.unwrap().payable_intent().unwrap().amount, usd(4500));
}
