//! Number of calls to the store of each use case: a request loads a cart, its order and the terms of sale once, and
//! again only where a comment of the use case says why.

use std::collections::BTreeMap;

use paywright_app::{ProviderEvent, ProviderUpdate};
use paywright_domain::storefront::CouponCode;
use paywright_testkit::at;

use super::store_double::StoreDouble;
use super::*;
use crate::NOW;

/// Calls of the use cases of a guest with a token, in the order of the test.
const OF_A_GUEST: [(&str, &str); 24] = [
    ("create cart", "commit_cart 1"),
    ("create cart again", "cart 1, order 1"),
    ("add item", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("add more of an item", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("set quantity", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("apply coupon", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("change currency", "cart 1, order 1, terms 1, variants 1"),
    ("update checkout", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("next", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("advance", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("validate", "cart 1, order 1, terms 1, variants 1"),
    ("first payment intent", "cart 2, commit 3, order 4, terms 1, variants 1"),
    ("payment intent again", "cart 2, order 3, terms 1, variants 1"),
    ("payment intent, new card", "cart 2, commit 2, commit_cart 1, order 5, terms 1, variants 1"),
    ("create payment", "cart 2, commit 2, commit_cart 1, order 5, terms 1, variants 1"),
    ("set quantity of a placed cart", "cart 1, commit 2, commit_cart 1, order 3, terms 1, variants 1"),
    ("set the same quantity again", "cart 1, order 1, terms 1, variants 1"),
    ("validate a placed cart", "cart 1, order 1, terms 1, variants 1"),
    ("show intent", "cart 1, order 2"),
    ("update intent", "cart 2, commit 2, commit_cart 1, order 5, terms 1, variants 1"),
    ("confirm intent", "cart 1, commit 1, order 2"),
    ("show paid intent", "cart 1, order 1"),
    ("complete", "cart 1, order 1"),
    ("order status", "cart 1, order 1"),
];

/// Calls of the use cases of a customer without a token, and of the holder of an order's token.
const OF_A_CUSTOMER: [(&str, &str); 16] = [
    ("create cart", "commit_cart 1, open_cart 2"),
    ("create cart again", "open_cart 1, order 1"),
    ("add item", "commit_cart 1, open_cart 1, order 2, terms 1, variants 1"),
    (
        "update checkout with a saved card",
        "commit_cart 1, open_cart 1, order 2, provider_customer 1, terms 1, variants 1",
    ),
    ("create payment with a saved card", "commit 3, open_cart 2, order 4, provider_customer 2, terms 1, variants 1"),
    ("payment intent again", "open_cart 2, order 3, provider_customer 1, terms 1, variants 1"),
    ("remove cart", "commit 2, open_cart 1, order 3, remove_cart 1"),
    ("associate", "cart 1, commit_cart 1, order 2, terms 1, variants 1"),
    ("show intent", "open_cart 1, order 2, orders 1"),
    ("complete", "commit 1, open_cart 1, order 2, orders 1"),
    ("complete again", "cart 1, commit_cart 1, open_cart 2, order 1, orders 1"),
    ("show paid intent by name", "order 1"),
    ("intent of an order alone", "cart 1, commit 2, order 3"),
    ("intent of an order alone, new card", "cart 1, commit 2, order 5"),
    ("show intent of an order alone", "cart 1, order 2"),
    ("confirm intent of an order alone", "cart 1, commit 1, order 2"),
];

fn card(id: &str) -> PaymentMethodId {
    PaymentMethodId::new(id).unwrap()
}

fn params(method: &str) -> PaymentIntentParams {
    PaymentIntentParams { payment_method: Some(PaymentMethodChoice::New(card(method))), amount: None }
}

/// Calls that were noted, each with the name of its use case.
type Noted = Vec<(&'static str, String)>;

/// Notes the calls of a guest who fills a cart and goes through the checkout.
async fn shopping(front: &Front, store: &StoreDouble, calls: &mut Noted) -> Shopper {
    let storefront = &front.storefront;
    let mut note = |what, made| calls.push((what, made));
    let visitor = Shopper::default();
    note("create cart", store.during(storefront.create_cart(&visitor, &Metadata::new())).await);
    let cart = storefront.create_cart(&visitor, &Metadata::new()).await.unwrap().cart;
    let guest = Shopper { subject: Some(TokenSubject::Cart(cart.id)), ..visitor };
    note("create cart again", store.during(storefront.create_cart(&guest, &Metadata::new())).await);
    note("add item", store.during(front.add(&guest, "bone", 1)).await);
    note("add more of an item", store.during(front.add(&guest, "bone", 1)).await);
    let quantity = CartEdit::SetQuantity { line: cart.line_id(1), quantity: 3 };
    note("set quantity", store.during(storefront.edit_cart(&guest, &quantity)).await);
    let coupon = CartEdit::ApplyCoupon(CouponCode::new("ten").unwrap());
    note("apply coupon", store.during(storefront.edit_cart(&guest, &coupon)).await);
    note("change currency", store.during(storefront.change_currency(&guest, Currency::Usd)).await);
    let email = Some(Email::new("ada@example.com").unwrap());
    let checkout = CheckoutEdit { email, ..CheckoutEdit::default() };
    note("update checkout", store.during(storefront.edit_checkout(&guest, &checkout)).await);
    note("next", store.during(storefront.next(&guest)).await);
    note("advance", store.during(storefront.advance(&guest, None, None)).await);
    note("validate", store.during(storefront.validate_for_payment(&guest, true)).await);
    guest
}

/// Notes the calls of a guest who pays the cart.
async fn paying(front: &Front, store: &StoreDouble, guest: &Shopper, calls: &mut Noted) {
    let storefront = &front.storefront;
    let mut note = |what, made| calls.push((what, made));
    let any = PaymentIntentParams::default();
    note("first payment intent", store.during(storefront.payment_intent(guest, &any)).await);
    note("payment intent again", store.during(storefront.payment_intent(guest, &any)).await);
    note("payment intent, new card", store.during(storefront.payment_intent(guest, &params("pm_1"))).await);
    let choice = PaymentMethodChoice::New(card("pm_2"));
    note("create payment", store.during(storefront.create_payment(guest, Some(&choice), None)).await);
    let opened = front.opened(guest).await;
    let quantity = CartEdit::SetQuantity { line: opened.cart.line_id(1), quantity: 2 };
    note("set quantity of a placed cart", store.during(storefront.edit_cart(guest, &quantity)).await);
    note("set the same quantity again", store.during(storefront.edit_cart(guest, &quantity)).await);
    note("validate a placed cart", store.during(storefront.validate_for_payment(guest, true)).await);
    note("show intent", store.during(storefront.shown_intent(guest, None)).await);
    let order = front.opened(guest).await.order.unwrap();
    let name = order.payable_intent().unwrap().id.clone();
    note("update intent", store.during(storefront.update_intent(guest, name.as_str(), &params("pm_3"))).await);
    front.shop.provider().pay(&name);
    front.shop.clock.advance_seconds(1);
    note("confirm intent", store.during(storefront.confirm_intent(guest, name.as_str())).await);
    note("show paid intent", store.during(storefront.shown_intent(guest, None)).await);
    note("complete", store.during(storefront.complete(guest)).await);
    let number = order.number.as_str();
    note("order status", store.during(storefront.order_status(guest, number)).await);
}

#[tokio::test]
async fn each_use_case_of_a_guest_makes_a_known_number_of_calls() {
    let open = Front::open().await;
    let (front, store) = open.observed();
    let mut calls = Noted::new();
    // Each part has a frame of its own: one frame with the use cases of both is too large for a test's stack.
    let guest = Box::pin(shopping(&front, &store, &mut calls)).await;
    Box::pin(paying(&front, &store, &guest, &mut calls)).await;
    let calls: Vec<_> = calls.iter().map(|(what, made)| (*what, made.as_str())).collect();
    assert_eq!(calls, OF_A_GUEST);
}

#[tokio::test]
async fn each_use_case_of_a_customer_makes_a_known_number_of_calls() {
    let open = Front::open().await;
    let (front, store) = open.observed();
    let storefront = &front.storefront;
    let mut calls = Vec::new();
    let mut note = |what: &'static str, made: String| calls.push((what, made));
    let ada = CustomerId::new("ada").unwrap();
    let bearer = Shopper { customer: Some(ada.clone()), ..Shopper::default() };
    let setup = storefront.save_card(&ada, None).await.unwrap();
    front.cards.save(setup.customer.as_str(), "pm_1");
    note("create cart", store.during(storefront.create_cart(&bearer, &Metadata::new())).await);
    note("create cart again", store.during(storefront.create_cart(&bearer, &Metadata::new())).await);
    note("add item", store.during(front.add(&bearer, "bone", 1)).await);
    let saved = PaymentMethodChoice::Saved(card("pm_1"));
    let email = Some(Email::new("ada@example.com").unwrap());
    let checkout = CheckoutEdit { email, payment_method: Some(saved.clone()), ..CheckoutEdit::default() };
    note("update checkout with a saved card", store.during(storefront.edit_checkout(&bearer, &checkout)).await);
    note(
        "create payment with a saved card",
        store.during(storefront.create_payment(&bearer, Some(&saved), None)).await,
    );
    let any = PaymentIntentParams::default();
    note("payment intent again", store.during(storefront.payment_intent(&bearer, &any)).await);
    note("remove cart", store.during(storefront.remove_cart(&bearer)).await);
    let guest = front.with_bones(None).await;
    note("associate", store.during(storefront.associate(&guest, &ada)).await);
    let order = front.pay(&bearer).await.unwrap();
    let intent = &order.payable_intent().unwrap().id;
    note("show intent", store.during(storefront.shown_intent(&bearer, None)).await);
    front.shop.provider().pay(intent);
    front.shop.clock.advance_seconds(1);
    note("complete", store.during(storefront.complete(&bearer)).await);
    note("complete again", store.during(storefront.complete(&bearer)).await);
    note("show paid intent by name", store.during(storefront.shown_intent(&bearer, Some(intent.as_str()))).await);
    let alone = front.shop.placed().await;
    let holder = Shopper { subject: Some(TokenSubject::Order(alone.id)), ..Shopper::default() };
    note("intent of an order alone", store.during(storefront.payment_intent(&holder, &any)).await);
    note("intent of an order alone, new card", store.during(storefront.payment_intent(&holder, &params("pm_2"))).await);
    note("show intent of an order alone", store.during(storefront.shown_intent(&holder, None)).await);
    let name = alone.id.to_string();
    note("confirm intent of an order alone", {
        let paid = front.shop.order(&alone).await;
        front.shop.provider().pay(&paid.payable_intent().unwrap().id);
        front.shop.clock.advance_seconds(1);
        store.during(storefront.confirm_intent(&holder, &name)).await
    });
    let calls: Vec<_> = calls.iter().map(|(what, made)| (*what, made.as_str())).collect();
    assert_eq!(calls, OF_A_CUSTOMER);
}

#[tokio::test]
async fn an_event_of_a_refund_costs_the_same_calls_whatever_the_number_of_earlier_refunds() {
    let open = Front::open().await;
    let (front, store) = open.observed();
    let shop = &front.shop;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    let event = |id: String| ProviderEvent {
        id,
        kind: "charge.refunded".into(),
        created_at: at(NOW),
        livemode: false,
        request: None,
        update: ProviderUpdate::ReadRequired(intent.clone()),
        foreign: None,
        other_version: None,
    };
    let mut calls = Vec::new();
    for refunds in [1, 4, 7] {
        while shop.provider().refunds_now().len() < refunds {
            shop.provider().refund_at_dashboard(&intent, usd(100));
        }
        for id in ["new", "known"] {
            shop.app.take_event(event(format!("evt_{id}_{refunds}")), "webhook", BTreeMap::new()).await.unwrap();
            let step = async {
                shop.after(0).await;
                Ok(())
            };
            let made = store.during(step).await;
            calls.extend((id == "known").then_some(made));
        }
        assert_eq!(shop.order(&order).await.refunds.len(), refunds);
    }
    assert!(!calls[0].contains("commit") && calls.iter().all(|it| *it == calls[0]), "{calls:?}");
}
