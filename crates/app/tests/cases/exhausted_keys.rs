//! Requests that Stripe failed at: the history says which of the three kinds of request goes on under a new key.

use paywright_app::{Access, OrderRef};
use paywright_domain::Order;
use paywright_domain::order::CancelReason;
use paywright_domain::refund::NewRefund;
use paywright_testkit::{Trouble, edit_of_lines, usd};

use crate::{PROVIDER_TIMEOUT_SECONDS, Shop};

/// Sentences of `explain` on the failed requests of an order.
async fn failures(shop: &Shop, order: &Order) -> Vec<String> {
    let explained = shop.app.explain(&OrderRef::Id(order.id), &Access::All).await.unwrap();
    explained.timeline.into_iter().map(|it| it.sentence).filter(|it| it.starts_with("Stripe failed to")).collect()
}

#[tokio::test]
async fn a_payment_intent_request_with_an_exhausted_key_is_followed_by_a_new_attempt() {
    let shop = Shop::open().await;
    let order = shop.placed().await;
    shop.provider().will([Trouble::FailsBefore]);
    shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
    assert_eq!(
        shop.facts(&order).await,
        [
            "order.placed",
            "payment_intent.requested",
            "payment_intent.refused",
            "payment_intent.requested",
            "payment_intent.created"
        ]
    );
    assert_eq!(
        failures(&shop, &order).await,
        [
            "Stripe failed to create a PaymentIntent (revision 1, attempt 1) and repeats that answer for its idempotency key: \
          the next attempt is requested under a new key."
        ]
    );
}

#[tokio::test]
async fn an_operation_with_an_exhausted_key_begins_again_under_a_new_number() {
    for (name, number) in [("edit", 1), ("cancel", 1)] {
        let shop = Shop::open().await;
        let (order, _) = shop.payable().await;
        let which = OrderRef::Id(order.id);
        shop.provider().will([Trouble::FailsBefore]);
        if name == "edit" {
            shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap();
        } else {
            shop.app.cancel_order(&which, &Access::All, CancelReason::Abandoned).await.unwrap();
        }
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let facts = shop.facts(&order).await;
        let last = if name == "edit" { "order.edited" } else { "order.canceled" };
        assert!(facts.contains(&last), "{facts:?}");
        let sentence = format!(
            "Stripe failed to {name} the PaymentIntent (operation {number}) and repeats that answer for its idempotency \
             key: the operation is requested again under a new number and key."
        );
        assert_eq!(failures(&shop, &order).await, [sentence]);
    }
}

#[tokio::test]
async fn a_refund_with_an_exhausted_key_is_requested_again_under_a_new_key() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    shop.provider().will([Trouble::FailsBefore]);
    let refund = NewRefund { amount: Some(usd(500)), ..NewRefund::default() };
    let made = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &refund, None).await.unwrap();
    assert_eq!(
        (made.refund.attempt, made.refund.failure.as_ref().map(ToString::to_string)),
        (2, Some("provider_failed".into()))
    );
    shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    let facts = shop.facts(&order).await;
    assert_eq!(facts.get(facts.len() - 3..), Some(["refund.requested", "refund.changed", "refund.changed"].as_slice()));
    assert_eq!(
        failures(&shop, &order).await,
        ["Stripe failed to make refund 1 and repeats that answer for its idempotency key: it is requested again \
          under a new key."]
    );
}
