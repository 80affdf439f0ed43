//! Requirements of a checkout for a PaymentIntent, and the intent's end when one of them is lost.

use paywright_app::RateChoice;
use paywright_domain::order::{Adjustment, AdjustmentKind};
use paywright_domain::storefront::{Address, AddressField, CheckoutError, CheckoutStep, FieldEdit};
use paywright_domain::text::Text;
use paywright_testkit::Provider;

use super::*;

/// Complete address.
fn address(country: &str) -> Address {
    Address {
        first_name: Text::new("Ada").unwrap(),
        last_name: Text::new("Lovelace").unwrap(),
        address1: Text::new("1 Analytical Way").unwrap(),
        city: Text::new("New York").unwrap(),
        state: Text::new("New York").unwrap(),
        ..Address::of(country.parse().unwrap())
    }
}

impl Front {
    /// Storefront that ships to Germany and the United States, and taxes in Germany.
    async fn shipping() -> Self {
        let front = Self::open().await;
        front.store.put_terms(&terms()).await.unwrap();
        front
    }

    async fn goes_to(&self, shopper: &Shopper, address: &Address) -> Result<Session, StorefrontError> {
        let shipping_address = FieldEdit::Set(address.clone());
        self.storefront.edit_checkout(shopper, &CheckoutEdit { shipping_address, ..CheckoutEdit::default() }).await
    }

    /// Shopper with two bones for the United States, at the payment step: 24.90.
    async fn at_payment(&self) -> Shopper {
        let shopper = self.with_bones(None).await;
        self.goes_to(&shopper, &address("US")).await.unwrap();
        let session = self.storefront.advance(&shopper, None, None).await.unwrap();
        assert_eq!(session.cart.step, CheckoutStep::Payment);
        shopper
    }
}

#[tokio::test]
async fn no_intent_is_created_for_an_incomplete_checkout() {
    let front = Front::shipping().await;
    let shopper = front.with_bones(None).await;
    let missing = async || match front.pay(&shopper).await {
        Err(StorefrontError::NotReady(missing)) => missing,
        other => panic!("{other:?}"),
    };
    assert_eq!(missing().await, [CheckoutError::NoShippingAddress, CheckoutError::NoShippingRate]);
    front.goes_to(&shopper, &address("FR")).await.unwrap();
    assert_eq!(missing().await, [CheckoutError::NoShippingRates]);
    front.goes_to(&shopper, &address("US")).await.unwrap();
    assert_eq!(missing().await, [CheckoutError::NoShippingRate]);
    assert!(front.orders().await.is_empty(), "nothing was placed");
    assert_eq!(front.shop.provider().made_now(), 0);
    front.storefront.choose_shipping_rate(&shopper, None, "post").await.unwrap();
    assert_eq!(front.pay(&shopper).await.unwrap().total, usd(2490));
}

#[tokio::test]
async fn the_order_of_a_cart_has_the_rate_and_the_country_of_its_tax() {
    let front = Front::shipping().await;
    let shopper = front.with_bones(None).await;
    front.goes_to(&shopper, &address("DE")).await.unwrap();
    front.storefront.choose_shipping_rate(&shopper, None, "post").await.unwrap();
    let order = front.pay(&shopper).await.unwrap();
    let rate = |it: &Adjustment| it.tax_rate_details.map(|it| (it.percent.to_string(), it.country));
    let rates: Vec<_> = order.adjustments.iter().map(|it| (it.kind, rate(it))).collect();
    let germany = Some(("19".to_owned(), "DE".parse().ok()));
    assert_eq!(rates, [(AdjustmentKind::Shipping, None), (AdjustmentKind::TaxIncluded, germany)]);
    assert_eq!(front.shop.order(&order).await.adjustments, order.adjustments);
}

#[tokio::test]
async fn a_change_that_removes_the_shipping_rate_cancels_the_intent_first() {
    let front = Front::shipping().await;
    let shopper = front.at_payment().await;
    let first = front.pay(&shopper).await.unwrap();
    let intent = first.payable_intent().unwrap().id.clone();
    let moved = front.goes_to(&shopper, &address("DE")).await.unwrap();
    assert_eq!((moved.order.is_none(), moved.cart.shipping_rate.is_none()), (true, true));
    assert_eq!(front.shop.provider().intent_now(&intent).status, IntentStatus::Canceled);
    assert!(matches!(front.shop.order(&first).await.state, OrderState::Canceled { .. }));
    // Nor by the id of the intent: an incomplete checkout cannot be paid.
    for name in [intent.to_string(), first.id.to_string()] {
        let updated = front.storefront.update_intent(&shopper, &name, &PaymentIntentParams::default()).await;
        assert!(matches!(updated, Err(StorefrontError::NoIntent | StorefrontError::NotReady(_))), "{updated:?}");
    }
    assert!(matches!(front.pay(&shopper).await, Err(StorefrontError::NotReady(_))));
    assert_eq!(front.shop.provider().made_now(), 1);
    front.storefront.advance(&shopper, None, None).await.unwrap();
    let second = front.pay(&shopper).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(second.adjustments.len(), 2, "shipping and tax: {:?}", second.adjustments);
}

#[tokio::test]
async fn a_shipping_rate_is_kept_while_the_payment_is_processing() {
    let front = Front::shipping().await;
    let shopper = front.at_payment().await;
    let intent = front.pay(&shopper).await.unwrap().payable_intent().unwrap().id.clone();
    let before = front.opened(&shopper).await;
    let refuses = async |provider: &Provider| {
        let reported = provider.intent_now(&intent);
        let refused = front.goes_to(&shopper, &address("DE")).await;
        let refused = matches!(&refused, Err(StorefrontError::Cancel(_)));
        assert!(refused && provider.intent_now(&intent).status == reported.status);
    };
    front.shop.provider().change(&intent, |it| it.status = IntentStatus::Processing);
    // Whether the store knows that it is processing or not.
    refuses(front.shop.provider()).await;
    assert_eq!(front.opened(&shopper).await.cart, before.cart, "nothing was changed");
    front.shop.app.settle_from_provider(&front.shop.provider().intent_now(&intent)).await.unwrap();
    refuses(front.shop.provider()).await;
    assert_eq!(front.opened(&shopper).await.cart, before.cart, "nothing was changed");
}

/// Whichever comes first, only a complete checkout can be paid.
#[tokio::test]
async fn an_address_change_during_a_payment_leaves_no_payable_incomplete_checkout() {
    for waits in 0..24 {
        let front = Front::shipping().await;
        let shopper = front.at_payment().await;
        let later = async {
            for _ in 0..waits {
                tokio::task::yield_now().await;
            }
            front.goes_to(&shopper, &address("DE")).await
        };
        let (paid, moved) = tokio::join!(front.pay(&shopper), later);
        moved.unwrap();
        let session = front.opened(&shopper).await;
        assert!(session.cart.shipping_rate.is_none());
        for order in front.orders().await {
            assert!(order.payable_intent().is_none(), "after {waits} steps: {order:?}");
        }
        if let Err(error) = paid {
            // The payment may have met the cart between the cancellation of its order and its next one.
            let is_told = matches!(error, StorefrontError::NotReady(_) | StorefrontError::UnderWay);
            assert!(is_told, "after {waits} steps: {error}");
        }
        assert!(matches!(front.pay(&shopper).await, Err(StorefrontError::NotReady(_))), "after {waits} steps");
    }
}

/// A cart of an older version may have an address with a country alone, and an order: it can be paid as it is.
#[tokio::test]
async fn an_incomplete_address_stored_by_an_older_version_is_kept() {
    let front = Front::shipping().await;
    let shopper = front.with_bones(None).await;
    front.goes_to(&shopper, &Address::of("US".parse().unwrap())).await.unwrap();
    front.storefront.advance(&shopper, None, None).await.unwrap();
    let order = front.pay(&shopper).await.unwrap();
    let changed = front.add(&shopper, "toy", 1).await.unwrap();
    assert_eq!(changed.order.map(|it| (it.id, it.total)), Some((order.id, usd(4990))));
}

/// Spree's quick checkout: a wallet gives an address without street, phone and state before its customer confirms.
#[tokio::test]
async fn a_partial_address_of_a_wallet_advances_the_checkout_to_delivery() {
    let front = Front::shipping().await;
    let shopper = front.with_bones(None).await;
    let wallet = Address { city: Text::new("New York").unwrap(), is_quick: true, ..Address::of("US".parse().unwrap()) };
    front.goes_to(&shopper, &wallet).await.unwrap();
    let refused = front.storefront.advance(&shopper, Some(CheckoutStep::Payment), None).await;
    assert!(matches!(refused, Err(StorefrontError::NotReady(_))), "{refused:?}");
    // The rate of the wallet's earlier address is replaced by the first one, where the caller says so.
    for (or_first, goes) in [(false, false), (true, true), (true, true)] {
        let rate = RateChoice { id: "none".to_owned(), or_first };
        let session = front.storefront.advance(&shopper, Some(CheckoutStep::Delivery), Some(&rate)).await;
        assert_eq!(session.is_ok_and(|it| it.cart.step == CheckoutStep::Delivery), goes);
        let kept = front.opened(&shopper).await.cart.step;
        assert_eq!(kept, if goes { CheckoutStep::Delivery } else { CheckoutStep::Cart }, "all of it or nothing");
    }
    let refused = front.pay(&shopper).await;
    let Err(StorefrontError::NotReady(missing)) = refused else { panic!("{refused:?}") };
    assert!(missing.contains(&CheckoutError::ShippingAddressLacks(AddressField::Street)), "{missing:?}");
    front.goes_to(&shopper, &address("US")).await.unwrap();
    let session = front.storefront.advance(&shopper, Some(CheckoutStep::Payment), None).await.unwrap();
    assert_eq!((session.cart.step, session.cart.totals().unwrap().due), (CheckoutStep::Payment, usd(2490)));
    assert_eq!(front.pay(&shopper).await.unwrap().total, usd(2490));
}
