use std::num::NonZeroU32;
use std::time::Instant;

use actix_web::http::Method;
use paywright_http_api::{AddressLimits, CartLimits, RateLimits};
use serde_json::{Value, json};

use crate::{Answer, ORDERS, Service};

const CART: &str = "/api/v2/storefront/cart";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Service whose shoppers have addresses of their own.
async fn limited() -> Service {
    let (mut service, _) = Service::open().await;
    service.api.rate_limits = RateLimits::new(CartLimits::default(), Some(AddressLimits::default()));
    service
}

/// Calls while the answer has `status`. Gives the number of such answers, and the first other one.
async fn until_refused(status: u16, call: impl AsyncFn() -> Answer) -> (usize, Answer) {
    for n in 0..1000 {
        let answer = call().await;
        if answer.status != status {
            return (n, answer);
        }
    }
    panic!("there is no limit");
}

#[actix_web::test]
async fn the_eleventh_new_cart_from_an_address_at_once_is_refused() {
    let service = limited().await;
    let began = Instant::now();
    let (made, refused) = until_refused(201, async || service.send(Method::POST, CART, &[JSON], b"{}").await).await;
    // One more becomes possible each second.
    let most = 10 + usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!((10..=most).contains(&made) && refused.status == 429, "{made}: {refused:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        refused.body,
        json!({ "error": "too many new carts from this address; nothing was changed: try again in 1 s" })
    );
}

#[actix_web::test]
async fn wrong_credentials_are_limited_by_address_and_valid_ones_are_not() {
    let mut service = limited().await;
    // One a minute: no further one becomes possible during the test, however slow the machine is.
    let addresses = AddressLimits { wrong_credentials: NonZeroU32::new(1), ..AddressLimits::default() };
    service.api.rate_limits = RateLimits::new(CartLimits::default(), Some(addresses));
    let order = service.placed().await;
    let path = format!("{ORDERS}/{}", order["id"].as_str().unwrap());
    let wrong_key = [("x-api-key", "pwk_wrong")];
    let (_, refused) = until_refused(401, async || service.send(Method::GET, &path, &wrong_key, b"").await).await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    let wrong_token = [("authorization", "Bearer wrong")];
    let refused = service.send(Method::GET, "/api/v2/storefront/account/orders", &wrong_token, b"").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body["error"].is_string(), "{refused:?}");
    let forged = [("stripe-signature", "forged")];
    let refused = service.send(Method::POST, "/webhooks/stripe", &forged, b"{}").await;
    assert_eq!((refused.status, refused.code()), (429, "rate_limited"), "{refused:?}");
    assert_eq!(service.call(Method::GET, &path, &Value::Null).await.status, 200, "a good key is not limited");
}

#[actix_web::test]
async fn coupon_codes_refused_by_the_limit_of_the_cart_do_not_count_for_the_address() {
    let (mut service, _) = Service::open().await;
    // One a minute: no further call becomes possible during the test, however slow the machine is.
    let addresses = AddressLimits { coupons: NonZeroU32::new(1), ..AddressLimits::default() };
    let carts = CartLimits { coupons: NonZeroU32::new(1), ..CartLimits::default() };
    service.api.rate_limits = RateLimits::new(carts, Some(addresses));
    let try_one = async |token: &str| {
        let headers = [JSON, ("x-spree-order-token", token)];
        let path = "/api/v2/storefront/cart/apply_coupon_code";
        service.send(Method::PATCH, path, &headers, br#"{"coupon_code": "GUESS"}"#).await
    };
    let new_cart = async || {
        let made = service.send(Method::POST, CART, &[JSON], b"{}").await;
        made.body["data"]["attributes"]["token"].as_str().unwrap().to_owned()
    };
    let (first, second) = (new_cart().await, new_cart().await);
    let (tried, refused) = until_refused(422, async || try_one(&first).await).await;
    assert_eq!((tried, refused.status), (10, 429), "{refused:?}");
    assert!(refused.body["error"].as_str().unwrap().contains("for this cart"), "{refused:?}");
    for _ in 0..50 {
        try_one(&first).await;
    }
    let refused = try_one(&second).await;
    assert_eq!(refused.status, 429, "ten were tried from this address: {refused:?}");
    assert!(refused.body["error"].as_str().unwrap().contains("from this address"), "{refused:?}");
}
