//! JSON form of a stored cart. A change that fails this test needs a migration, not a new expectation.
#![cfg(all(feature = "serde", feature = "storefront"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use paywright_domain::storefront::Cart;
use paywright_domain::{Currency, Money};
use serde_json::{Value, json};

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::Usd).unwrap()
}

/// A cart as the version before stored it: an address with nothing but a country, and no tax on the shipping.
#[test]
fn a_cart_of_the_version_before_is_restored_unchanged() {
    let money = |minor: i64| json!({ "minor": minor, "currency": "usd" });
    let address = json!({ "first_name": "", "last_name": "", "company": "", "address1": "", "address2": "", "city": "",
        "zipcode": "", "state": "", "country": "DE", "phone": "", "label": "" });
    let stored = json!({
        "id": "0195ead7-9d10-7000-8000-000000000001", "order": "0195ead7-9d10-7000-8000-000000000002",
        "order_named_at": 1_743_415_050_000_000_i64, "customer": null, "email": "ada@example.com", "currency": "usd",
        "lines": [{ "id": 1, "variant": "bone", "is_sold": true, "item": { "name": "Bone", "description": "",
            "sku": null, "unit_amount": money(100), "quantity": 1 } }],
        "lines_ever": 1,
        "adjustments": [{ "kind": "shipping", "label": "Post", "amount": money(10_000) },
            { "kind": "tax_included", "label": "VAT 19%", "amount": money(1613) }],
        "coupons": [], "billing_address": null, "shipping_address": address, "shipping_rate": "post",
        "special_instructions": null, "metadata": {}, "payment_method": null, "step": "payment", "closed_at": null,
        "created_at": 1_743_415_050_000_000_i64, "updated_at": 1_743_415_050_000_000_i64,
    });
    let cart: Cart = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!((cart.shipping_tax, cart.totals().unwrap().due), (None, usd(10_100)));
    let parts = cart.breakdown().unwrap();
    assert_eq!((parts.lines[0].tax_included, parts.shipping.tax_included), (usd(16), usd(1597)));
    let mut again = serde_json::to_value(&cart).unwrap();
    assert_eq!(again.as_object_mut().unwrap().remove("shipping_tax"), Some(Value::Null));
    assert_eq!(again, stored);
}
