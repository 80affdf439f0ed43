//! Contract tests of the ports [`Carts`] and [`PriceList`]. `storefront_contract!(fresh())` makes a test of each
//! function.

use std::collections::BTreeSet;
use std::sync::Arc;

use paywright_app::{CartRef, Carts, PriceList, StoreError, Version, Versioned};
use paywright_domain::id::{CustomerId, ProviderCustomerId};
use paywright_domain::money::Percent;
use paywright_domain::storefront::{
    Address, Cart, CartId, Coupon, CouponCode, Discount, ShippingRate, TaxRate, Terms, Variant, VariantId,
};
use paywright_domain::text::{Email, Text};
use paywright_domain::{Currency, Money};
use tokio::join;

use crate::{at, order_id, usd};

/// Store of carts and prices under test, empty at first.
pub trait Shelf: Send + Sync {
    /// The port of carts.
    fn carts(&self) -> Arc<dyn Carts>;
    /// The port of the price list.
    fn prices(&self) -> Arc<dyn PriceList>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`Shelf`]; it may `.await`.
#[macro_export]
macro_rules! storefront_contract {
    ($fresh:expr) => {
        $crate::storefront_contract! { $fresh;
            a_price_list_is_updated_and_read_by_id
            an_interrupted_price_list_is_stored_completely_or_not_at_all
            terms_are_replaced_as_a_whole
            prices_stored_before_the_present_rules_are_read_unchanged
            a_stored_cart_is_read_unchanged
            a_cart_stored_before_the_present_rules_is_read_unchanged
            one_of_two_concurrent_changes_of_a_cart_succeeds
            a_customers_open_cart_is_the_newest_in_its_currency
            abandoned_carts_are_found_by_age_and_deleted
            empty_guest_carts_are_found_separately
            a_customer_has_one_stripe_customer_for_each_mode
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod storefront {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let shelf = $fresh;
                $crate::storefront_contract::$case(&shelf).await;
            })*
        }
    };
}

const NOW: i64 = 1_743_415_050;

/// Variant on the price list, at `minor` US cents.
pub fn variant(id: &str, minor: i64) -> Variant {
    Variant {
        id: VariantId::new(id).unwrap(),
        sku: Some(Text::new(format!("SKU-{id}")).unwrap()),
        name: Text::new(format!("Kaffee {id} ☕")).unwrap(),
        description: Text::new("Für Zoë").unwrap(),
        prices: [usd(minor)].into_iter().collect(),
        active: true,
    }
}

/// Terms of sale with a shipping rate, a tax rate and a coupon.
pub fn terms() -> Terms {
    let germany = "DE".parse().unwrap();
    Terms {
        shipping: vec![ShippingRate {
            id: Text::new("post").unwrap(),
            name: Text::new("Post").unwrap(),
            countries: BTreeSet::from([germany, "US".parse().unwrap()]),
            prices: [usd(490)].into_iter().collect(),
        }],
        taxes: vec![TaxRate {
            name: Text::new("VAT").unwrap(),
            country: germany,
            percent: Percent::parse("19").unwrap(),
            included: true,
            on_shipping: true,
        }],
        coupons: vec![Coupon {
            code: CouponCode::new("ten").unwrap(),
            name: Text::new("Ten off").unwrap(),
            discount: Discount::Percent(Percent::parse("10").unwrap()),
            expires_at: Some(at(NOW + 1000)),
        }],
    }
}

fn cart(n: u32, customer: Option<&str>, currency: Currency) -> Cart {
    let customer = customer.map(|it| CustomerId::new(it).unwrap());
    Cart::new(CartId(order_id(n).0), order_id(n + 1000), customer, currency, at(NOW))
}

fn ids(variants: &[Variant]) -> Vec<&str> {
    variants.iter().map(|it| it.id.as_str()).collect()
}

/// A variant that is written twice is stored once, as written last; pages are in the order of ids.
pub async fn a_price_list_is_updated_and_read_by_id(shelf: &impl Shelf) {
    let prices = shelf.prices();
    prices.put_variants(&[variant("b", 1), variant("a", 2), variant("B", 3)]).await.unwrap();
    let changed = Variant { active: false, sku: None, ..variant("b", 500) };
    prices.put_variants(&[variant("b", 400), changed.clone(), variant("c", 4)]).await.unwrap();
    let all = prices.variants_after(None, 10).await.unwrap();
    assert_eq!(ids(&all), ["B", "a", "b", "c"]);
    assert_eq!(all[2], changed);
    let after = VariantId::new("B").unwrap();
    assert_eq!(ids(&prices.variants_after(Some(&after), 2).await.unwrap()), ["a", "b"]);
    let some = [VariantId::new("c").unwrap(), VariantId::new("none").unwrap()];
    assert_eq!(prices.variants(&some).await.unwrap(), [variant("c", 4)]);
    assert!(prices.remove_variant(&some[0]).await.unwrap());
    assert!(!prices.remove_variant(&some[0]).await.unwrap());
    assert!(prices.variants(&some).await.unwrap().is_empty());
}

/// The future of a write is dropped while it runs.
pub async fn an_interrupted_price_list_is_stored_completely_or_not_at_all(shelf: &impl Shelf) {
    let prices = shelf.prices();
    let many: Vec<_> = (0..500).map(|it| variant(&format!("v{it:04}"), 100)).collect();
    drop(tokio::time::timeout(std::time::Duration::from_micros(300), prices.put_variants(&many)).await);
    // The next write waits for the end of the first.
    prices.put_variants(&[variant("z", 1)]).await.unwrap();
    let count = prices.variants_after(None, 1000).await.unwrap().len();
    assert!([1, 501].contains(&count), "{count}");
}

/// The terms are empty before they are set.
pub async fn terms_are_replaced_as_a_whole(shelf: &impl Shelf) {
    let prices = shelf.prices();
    assert_eq!(prices.terms().await.unwrap(), Terms::default());
    prices.put_terms(&terms()).await.unwrap();
    assert_eq!(prices.terms().await.unwrap(), terms());
    let less = Terms { taxes: Vec::new(), ..terms() };
    prices.put_terms(&less).await.unwrap();
    assert_eq!(prices.terms().await.unwrap(), less);
}

/// New prices are checked, stored ones are not: the rules may have been others when they were stored.
pub async fn prices_stored_before_the_present_rules_are_read_unchanged(shelf: &impl Shelf) {
    let prices = shelf.prices();
    let fils = Money::new(4_505, Currency::Kwd).unwrap();
    assert!(fils.to_price().is_err(), "Stripe charges steps of ten");
    let mug = Variant { prices: [fils].into_iter().collect(), ..variant("mug", 1) };
    prices.put_variants(std::slice::from_ref(&mug)).await.unwrap();
    assert_eq!(prices.variants_after(None, 10).await.unwrap(), [mug]);
    let mut older = terms();
    older.shipping[0].prices = [fils].into_iter().collect();
    assert!(older.check().is_err());
    prices.put_terms(&older).await.unwrap();
    assert_eq!(prices.terms().await.unwrap(), older);
}

/// All fields of a cart are written and read, by the cart's id and by its order's.
pub async fn a_stored_cart_is_read_unchanged(shelf: &impl Shelf) {
    let carts = shelf.carts();
    let empty = cart(1, Some("ada"), Currency::Usd);
    assert_eq!(carts.cart(CartRef::Id(empty.id)).await.unwrap(), None);
    carts.commit_cart(Version::NEW, &empty).await.unwrap();
    assert!(matches!(carts.commit_cart(Version::NEW, &empty).await, Err(StoreError::Conflict)));
    let full = empty
        .with_more(&variant("bone", 1000), 2)
        .and_then(|it| it.with_coupon(CouponCode::new("ten").unwrap(), &terms(), at(NOW)))
        .and_then(|it| {
            let address = Address { is_quick: true, ..Address::of("DE".parse().unwrap()) };
            it.with_shipping_address(Some(address)).with_shipping_rate("post", &terms())
        })
        .and_then(|it| it.with_metadata([(Text::new("a").unwrap(), Text::new("b").unwrap())].into()))
        .and_then(|it| {
            it.with_email(Email::new("ada@example.com").unwrap()).priced(
                &[variant("bone", 1000)],
                &terms(),
                at(NOW + 1),
            )
        })
        .unwrap();
    carts.commit_cart(Version(1), &full).await.unwrap();
    let stored = Versioned { version: Version(2), value: full.clone() };
    assert_eq!(carts.cart(CartRef::Id(full.id)).await.unwrap().as_ref(), Some(&stored));
    assert_eq!(carts.cart(CartRef::Order(full.order)).await.unwrap(), Some(stored));
    let other = cart(2, None, Currency::Usd).for_order(full.order, at(NOW));
    assert!(
        matches!(carts.commit_cart(Version::NEW, &other).await, Err(StoreError::Conflict)),
        "an order belongs to one cart"
    );
    let unknown = carts.commit_cart(Version(1), &cart(3, None, Currency::Usd)).await;
    assert!(matches!(unknown, Err(StoreError::Conflict)), "a cart that is not stored has no version");
}

/// An email address from before its grammar was checked is read without the check.
pub async fn a_cart_stored_before_the_present_rules_is_read_unchanged(shelf: &impl Shelf) {
    let carts = shelf.carts();
    assert!(Email::new("x@gmail").is_err());
    let older = cart(1, None, Currency::Usd).with_email(Email::restore("x@gmail").unwrap());
    carts.commit_cart(Version::NEW, &older).await.unwrap();
    let stored = Versioned { version: Version(1), value: older.clone() };
    assert_eq!(carts.cart(CartRef::Id(older.id)).await.unwrap(), Some(stored));
}

/// Two commits of the same version run at once.
pub async fn one_of_two_concurrent_changes_of_a_cart_succeeds(shelf: &impl Shelf) {
    let carts = shelf.carts();
    let empty = cart(1, None, Currency::Usd);
    carts.commit_cart(Version::NEW, &empty).await.unwrap();
    let (left, right) = (empty.clone().closed(at(NOW + 1)), empty.clone().closed(at(NOW + 2)));
    let (a, b) = join!(carts.commit_cart(Version(1), &left), carts.commit_cart(Version(1), &right));
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    let kept = carts.cart(CartRef::Id(empty.id)).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.value), (Version(2), if a.is_ok() { left } else { right }));
}

/// Carts of other customers, in other currencies and closed ones are not returned.
pub async fn a_customers_open_cart_is_the_newest_in_its_currency(shelf: &impl Shelf) {
    let carts = shelf.carts();
    let (older, newer) = (cart(1, Some("ada"), Currency::Usd), cart(2, Some("ada"), Currency::Usd));
    let others =
        [cart(3, Some("eve"), Currency::Usd), cart(4, Some("ada"), Currency::Eur), cart(5, None, Currency::Usd)];
    for cart in [&older, &newer].into_iter().chain(&others) {
        carts.commit_cart(Version::NEW, cart).await.unwrap();
    }
    let ada = CustomerId::new("ada").unwrap();
    let open = async || carts.open_cart(&ada, Currency::Usd).await.unwrap().map(|it| it.value.id);
    assert_eq!(open().await, Some(newer.id));
    carts.commit_cart(Version(1), &newer.closed(at(NOW))).await.unwrap();
    assert_eq!(open().await, Some(older.id));
    carts.commit_cart(Version(1), &older.closed(at(NOW))).await.unwrap();
    assert_eq!(open().await, None);
}

/// Closed carts and those that were changed since are not returned.
pub async fn abandoned_carts_are_found_by_age_and_deleted(shelf: &impl Shelf) {
    let carts = shelf.carts();
    for n in 1..=4 {
        carts.commit_cart(Version::NEW, &cart(n, None, Currency::Usd)).await.unwrap();
    }
    let closed = cart(2, None, Currency::Usd).closed(at(NOW));
    carts.commit_cart(Version(1), &closed).await.unwrap();
    let touched = cart(3, None, Currency::Usd).priced(&[], &terms(), at(NOW + 10)).unwrap();
    carts.commit_cart(Version(1), &touched).await.unwrap();
    let left = async |after: Option<CartId>, before: i64, limit: u16| {
        let found = carts.left_carts(after, at(before), limit).await.unwrap();
        found.into_iter().map(|it| (it.value.id, it.version)).collect::<Vec<_>>()
    };
    let named = |n: u32, version| (CartId(order_id(n).0), Version(version));
    assert_eq!(left(None, NOW + 10, 10).await, [named(1, 1), named(4, 1)]);
    assert_eq!(left(None, NOW + 11, 2).await, [named(1, 1), named(3, 2)]);
    assert_eq!(left(Some(named(3, 2).0), NOW + 11, 2).await, [named(4, 1)]);
    assert_eq!(left(None, NOW, 10).await, []);
    let (first, third) = (named(1, 1).0, named(3, 2).0);
    assert!(matches!(carts.remove_cart(Version(1), third).await, Err(StoreError::Conflict)), "changed meanwhile");
    carts.remove_cart(Version(1), first).await.unwrap();
    assert!(matches!(carts.remove_cart(Version(1), first).await, Err(StoreError::Conflict)), "it is deleted");
    assert_eq!(carts.cart(CartRef::Id(first)).await.unwrap(), None);
}

/// Carts with lines and carts of customers are not returned.
pub async fn empty_guest_carts_are_found_separately(shelf: &impl Shelf) {
    let carts = shelf.carts();
    let ada = CustomerId::new("ada").unwrap();
    for (n, customer) in [(1, None), (2, Some("ada")), (3, None), (4, None)] {
        carts.commit_cart(Version::NEW, &cart(n, customer, Currency::Usd)).await.unwrap();
    }
    let filled = cart(3, None, Currency::Usd).with_more(&variant("v1", 500), 1).unwrap();
    carts.commit_cart(Version(1), &filled).await.unwrap();
    let owned = cart(4, None, Currency::Usd).owned_by(ada).unwrap();
    carts.commit_cart(Version(1), &owned).await.unwrap();
    let found = carts.empty_guest_carts(None, at(NOW + 100), 10).await.unwrap();
    assert_eq!(found.iter().map(|it| it.value.id).collect::<Vec<_>>(), [CartId(order_id(1).0)]);
    assert!(carts.empty_guest_carts(None, at(NOW), 10).await.unwrap().is_empty(), "changed too recently");
    assert!(carts.empty_guest_carts(Some(CartId(order_id(1).0)), at(NOW + 100), 10).await.unwrap().is_empty());
}

/// The first id that is stored is kept, separately for live and test mode.
pub async fn a_customer_has_one_stripe_customer_for_each_mode(shelf: &impl Shelf) {
    let carts = shelf.carts();
    let ada = CustomerId::new("ada").unwrap();
    let id = |text: &str| ProviderCustomerId::new(text).unwrap();
    assert_eq!(carts.provider_customer(&ada, false).await.unwrap(), None);
    let (left, right) = (id("cus_1"), id("cus_2"));
    let (a, b) =
        join!(carts.keep_provider_customer(&ada, false, &left), carts.keep_provider_customer(&ada, false, &right));
    let kept = a.unwrap();
    assert_eq!(kept, b.unwrap(), "both calls return the same id");
    assert_eq!(carts.provider_customer(&ada, false).await.unwrap(), Some(kept));
    assert_eq!(carts.keep_provider_customer(&ada, true, &id("cus_3")).await.unwrap(), id("cus_3"));
}
