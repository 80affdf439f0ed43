//! Ownership of a cart, and how its customer finds it.

use std::collections::BTreeSet;

use super::*;

fn customer(name: &str) -> Shopper {
    Shopper { customer: Some(CustomerId::new(name).unwrap()), ..Shopper::default() }
}

#[tokio::test]
async fn concurrent_requests_of_a_customer_create_one_cart() {
    let front = Front::open().await;
    let (ada, eve) = (customer("ada"), customer("eve"));
    let ask = |shopper: Shopper| {
        let storefront = front.storefront.clone();
        tokio::spawn(async move { storefront.create_cart(&shopper, &Metadata::new()).await.unwrap().cart.id })
    };
    for _ in 0..3 {
        let made = join_all((0..16).map(|n| ask(if n % 2 == 0 { ada.clone() } else { eve.clone() }))).await;
        let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
        let of = |part: usize| made.iter().skip(part).step_by(2).collect::<BTreeSet<_>>();
        assert_eq!((of(0).len(), of(1).len()), (1, 1), "{made:?}");
        assert!(of(0).is_disjoint(&of(1)), "each customer has a cart of their own");
        for shopper in [&ada, &eve] {
            front.storefront.remove_cart(shopper).await.unwrap();
        }
    }
}

#[tokio::test]
async fn another_customer_has_no_access_to_a_customers_cart() {
    let front = Front::open().await;
    let own = front.with_bones(Some("ada")).await;
    let order = front.pay(&own).await.unwrap();
    let before = front.opened(&own).await;
    for subject in [own.subject, Some(TokenSubject::Order(order.id))] {
        let eve = Shopper { subject, ..customer("eve") };
        assert!(matches!(front.storefront.opened(&eve).await, Err(StorefrontError::NoCart)));
        assert!(matches!(front.storefront.current(&eve).await, Err(StorefrontError::NoCart)));
        assert!(matches!(front.add(&eve, "toy", 1).await, Err(StorefrontError::NoCart)));
        assert!(matches!(front.pay(&eve).await, Err(StorefrontError::NoCart)));
        assert!(matches!(front.storefront.complete(&eve).await, Err(StorefrontError::NoCart)));
        let name = order.id.to_string();
        assert!(matches!(front.storefront.confirm_intent(&eve, &name).await, Err(StorefrontError::NoCart)));
        assert!(matches!(front.storefront.shown_intent(&eve, None).await, Err(StorefrontError::NoCart)));
        let holder = Shopper { subject, ..Shopper::default() };
        assert_eq!(front.opened(&holder).await, before, "a holder of the token who is no other customer may use it");
    }
    let eve = Shopper { subject: own.subject, ..customer("eve") };
    let made = front.storefront.create_cart(&eve, &Metadata::new()).await.unwrap();
    assert_ne!(made.cart.id, before.cart.id);
    assert_eq!(front.opened(&own).await, before);
}

#[tokio::test]
async fn a_saved_card_pays_its_owners_cart_alone() {
    let front = Front::open().await;
    let ada = CustomerId::new("ada").unwrap();
    let saving = front.storefront.save_card(&ada, None).await.unwrap();
    front.cards.save(saving.customer.as_str(), "pm_1");
    let card = PaymentMethodId::new("pm_1").unwrap();
    let guest = front.with_bones(None).await;
    let with_bearer = Shopper { customer: Some(ada.clone()), ..guest.clone() };
    let payment_method = Some(PaymentMethodChoice::Saved(card));
    let edit = CheckoutEdit { payment_method, ..CheckoutEdit::default() };
    let refused = front.storefront.edit_checkout(&with_bearer, &edit).await;
    assert!(matches!(refused, Err(StorefrontError::NoCard)), "the cart is still a guest's: {refused:?}");
    front.storefront.associate(&guest, &ada).await.unwrap();
    front.storefront.edit_checkout(&with_bearer, &edit).await.unwrap();
    let holder = Shopper { is_reissued: true, ..guest.clone() };
    assert!(matches!(front.storefront.edit_checkout(&holder, &edit).await, Err(StorefrontError::NoCard)));
    assert!(matches!(front.storefront.edit_checkout(&guest, &edit).await, Err(StorefrontError::NoCart)));
}

#[tokio::test]
async fn a_customer_finds_a_complete_checkout_without_its_token() {
    let front = Front::open().await;
    // An abandoned cart that is still open.
    let left = front.with_bones(Some("ada")).await;
    let own = front.with_bones(None).await;
    front.storefront.associate(&own, &CustomerId::new("ada").unwrap()).await.unwrap();
    front.shop.clock.advance_seconds(60);
    let order = front.pay(&Shopper { is_reissued: true, ..own.clone() }).await.unwrap();
    let intent = order.payable_intent().unwrap().id.clone();
    front.shop.provider().pay(&intent);
    front.shop.app.settle_from_provider(&front.shop.provider().intent_now(&intent)).await.unwrap();
    let bearer = customer("ada");
    for _ in 0..2 {
        let complete = front.storefront.complete(&bearer).await.unwrap();
        assert_eq!(complete.order.as_ref().map(|it| it.id), Some(order.id));
        assert!(complete.is_complete());
        let shown = front.storefront.shown_intent(&bearer, None).await.unwrap();
        assert_eq!(shown.order.id, order.id);
        let which = OrderRef::Number(order.number.clone());
        let found = front.storefront.of_customer(&which, &CustomerId::new("ada").unwrap()).await.unwrap();
        assert_eq!(found.order.map(|it| it.id), Some(order.id));
    }
    for other in [customer("eve"), Shopper { currency: Some(Currency::Eur), ..customer("ada") }] {
        assert!(matches!(front.storefront.complete(&other).await, Err(StorefrontError::NoCart)));
    }
    front.shop.clock.advance_seconds(60);
    front.add(&left, "toy", 1).await.unwrap();
    assert!(
        matches!(front.storefront.complete(&bearer).await, Err(StorefrontError::Checkout(_))),
        "the new cart is meant"
    );
}
