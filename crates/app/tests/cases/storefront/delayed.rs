//! Payments that take days at the bank, such as a bank debit.

use paywright_domain::IntentId;

use super::*;

impl Front {
    async fn bank_says(&self, intent: &IntentId, status: IntentStatus) {
        let provider = self.shop.provider();
        self.shop.clock.advance_seconds(60);
        provider.change(intent, |it| {
            it.status = status;
            it.received = if status == IntentStatus::Succeeded { it.amount } else { it.received };
        });
        self.shop.app.settle_from_provider(&provider.intent_now(intent)).await.unwrap();
    }
}

#[tokio::test]
async fn a_checkout_with_a_processing_payment_is_complete_and_not_paid() {
    let front = Front::open().await;
    let shopper = front.with_bones(Some("ada")).await;
    let bearer = Shopper { subject: None, ..shopper.clone() };
    let order = front.pay(&shopper).await.unwrap();
    let intent = order.payable_intent().unwrap().id.clone();
    front.shop.provider().change(&intent, |it| it.status = IntentStatus::Processing);
    // Whether a webhook has reported it or not.
    for reported in [false, true] {
        if reported {
            front.bank_says(&intent, IntentStatus::Processing).await;
        }
        let confirmed = front.storefront.confirm_intent(&shopper, intent.as_str()).await.unwrap();
        assert!(confirmed.order.awaits_money());
        let by_bearer = if reported { &bearer } else { &shopper };
        for who in [&shopper, by_bearer] {
            let session = front.storefront.complete(who).await.unwrap();
            assert!(session.is_complete() && !session.is_paid());
        }
    }
    let next = front.storefront.next(&shopper).await;
    assert!(matches!(next, Err(StorefrontError::Processing)), "{next:?}");
    let advanced = front.storefront.advance(&shopper, None, None).await;
    assert!(matches!(advanced, Err(StorefrontError::Processing)), "{advanced:?}");
    assert!(!front.shop.facts(&order).await.contains(&"order.paid"), "before the money was received");
    // The customer may create another cart, which is not confused with this one.
    let other = front.storefront.create_cart(&shopper, &Metadata::new()).await.unwrap();
    assert_ne!(other.cart.id, front.opened(&shopper).await.cart.id);
    assert_eq!(front.storefront.current(&bearer).await.unwrap().cart.id, other.cart.id);
    let guest = Shopper { customer: None, ..shopper.clone() };
    assert_ne!(front.storefront.create_cart(&guest, &Metadata::new()).await.unwrap().cart.id, other.cart.id);
    front.bank_says(&intent, IntentStatus::Succeeded).await;
    assert!(front.storefront.complete(&shopper).await.unwrap().is_paid());
    let facts = front.shop.facts(&order).await;
    assert_eq!(facts.iter().filter(|it| **it == "order.paid").count(), 1, "{facts:?}");
}

#[tokio::test]
async fn a_cart_can_be_paid_again_after_a_failed_bank_debit() {
    for by_token in [true, false] {
        let front = Front::open().await;
        let shopper = front.with_bones(Some("ada")).await;
        let order = front.pay(&shopper).await.unwrap();
        let intent = order.payable_intent().unwrap().id.clone();
        assert!(!front.storefront.was_completed(&order).await.unwrap(), "before the customer has paid");
        front.bank_says(&intent, IntentStatus::Processing).await;
        front.storefront.complete(&shopper).await.unwrap();
        let who = if by_token { shopper } else { Shopper { subject: None, ..shopper } };
        front.bank_says(&intent, IntentStatus::RequiresPaymentMethod).await;
        let refused = front.storefront.complete(&who).await;
        assert!(matches!(refused, Err(StorefrontError::Check(_))), "{refused:?}");
        let session = front.storefront.current(&who).await.unwrap();
        let failed = session.order.unwrap();
        assert_eq!((failed.id, failed.is_complete()), (order.id, false), "found again");
        assert!(front.storefront.was_completed(&failed).await.unwrap(), "and shown as the customer's order");
        let again = front.pay(&who).await.unwrap();
        assert_eq!((again.id, again.payable_intent().map(|it| it.id.clone())), (order.id, Some(intent.clone())));
        front.bank_says(&intent, IntentStatus::Succeeded).await;
        assert!(front.storefront.complete(&who).await.unwrap().is_paid());
        assert_eq!(front.shop.provider().made_now(), 1, "no second intent was created");
    }
}
