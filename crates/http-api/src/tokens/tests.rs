use paywright_domain::id::CustomerId;
use uuid::Uuid;

use super::*;

const NOW: i64 = 1_743_415_050;

fn tokens(secret: &str) -> Tokens {
    Tokens::new(&SecretString::from(secret)).ok().unwrap()
}

/// Access that a token gives without a key set, which nothing is waited for.
fn access(tokens: &Tokens, token: &str, now: Timestamp) -> Result<Access, TokenRefusal> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(tokens.access(token, now))
}

/// Id of an order that was placed at [`NOW`].
fn order(n: u128) -> OrderId {
    let millis = u128::try_from(NOW * 1000).unwrap();
    OrderId(Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | n))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

#[test]
fn a_customers_token_gives_access_until_it_expires() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let ada = CustomerId::new("cus-ada").unwrap();
    let token = tokens.customer_token(&ada, at(NOW - 60), at(NOW)).unwrap();
    for (now, expected) in [
        (NOW - 1, Ok(Access::Customer(ada.clone()))),
        (NOW + 29, Ok(Access::Customer(ada.clone()))),
        (NOW + 30, Err(TokenRefusal::Expired)),
    ] {
        assert_eq!(access(&tokens, &token, at(now)), expected, "{now}");
    }
    for (leeway, now, taken) in [(0, NOW - 1, true), (0, NOW, false), (300, NOW + 299, true), (300, NOW + 300, false)] {
        let tokens = self::tokens(&"s".repeat(SECRET_BYTES_MIN))
            .with_rules(TokenRules { leeway_seconds: leeway, ..TokenRules::default() });
        assert_eq!(access(&tokens, &token, at(now)).is_ok(), taken, "{leeway} {now}");
    }
}

// Made by PyJWT 2.15.1: `jwt.encode(claims, "s" * 32, algorithm="HS256", headers=headers)`.
/// `{"sub": "cus-ada", "iat": NOW + 0.25, "nbf": NOW + 0.75, "exp": NOW + 600.5}`
const FRACTIONAL: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwiaWF0IjoxNzQzNDE1MDUwLjI1LCJuYmYiOjE3NDM0MTUwNTAuNzUsImV4cCI6MTc0MzQxNTY1MC41fQ.2o1czWMnmLCINqYHKLuLNFIaVUezXhbldxyzr5L1geg";
/// `{"sub": "cus-ada", "exp": NOW - 30.25}`
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1MDE5Ljc1fQ.pf4EXgM_5mEbJsStlHjQFSjxPJeSXq_018cAqgVSE_Q";
/// `{"sub": "cus-ada", "nbf": NOW + 31.5, "exp": NOW + 600.5}`
const NOT_YET: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXMtYWRhIiwibmJmIjoxNzQzNDE1MDgxLjUsImV4cCI6MTc0MzQxNTY1MC41fQ.555K7pwrDk3ovW9MmFkVMTOm6VBQEyK1Ca84mcZymEg";
/// The header has `"crit": ["http://shop.example/rule"], "http://shop.example/rule": true`.
const CRITICAL: &str = "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiaHR0cDovL3Nob3AuZXhhbXBsZS9ydWxlIl0sImh0dHA6Ly9zaG9wLmV4YW1wbGUvcnVsZSI6dHJ1ZSwidHlwIjoiSldUIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.Cqnd270SoMLKed3KzdjH5PxiZkgAyJfmbeLCN-arIeY";
/// The header has `"crit": []`.
const CRITICAL_OF_NOTHING: &str = "eyJhbGciOiJIUzI1NiIsImNyaXQiOltdLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjoxNzQzNDE1NjUwfQ.bwN6DbZqW_jVZHmP_zQzcwYUY45FvQnvxL9Rz3whuwo";

#[test]
fn a_jwt_with_fractional_times_is_accepted() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let ada = Ok(Access::Customer(CustomerId::new("cus-ada").unwrap()));
    let (expired, not_yet) = (Err(TokenRefusal::Expired), Err(TokenRefusal::NotYetValid));
    for (token, now, expected) in [
        (FRACTIONAL, NOW - 31, &not_yet),
        (FRACTIONAL, NOW - 30, &ada),
        (FRACTIONAL, NOW + 629, &ada),
        (FRACTIONAL, NOW + 630, &expired),
        (EXPIRED, NOW, &expired),
        (EXPIRED, NOW - 2, &ada),
        (NOT_YET, NOW, &not_yet),
        (NOT_YET, NOW + 1, &ada),
    ] {
        assert_eq!(&access(&tokens, token, at(now)), expected, "{token} at {now}");
    }
}

#[test]
fn a_jwt_with_a_critical_header_is_refused() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    for token in [CRITICAL, CRITICAL_OF_NOTHING] {
        assert_eq!(access(&tokens, token, at(NOW)), Err(TokenRefusal::Invalid), "{token}");
    }
}

#[test]
fn a_token_not_signed_by_this_shop_gives_no_access() {
    let ours = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let theirs = tokens(&"t".repeat(SECRET_BYTES_MIN));
    let ada = CustomerId::new("cus-ada").unwrap();
    let forged = theirs.customer_token(&ada, at(NOW), at(NOW + 60)).unwrap();
    // {"alg":"none"} and {"sub":"cus-ada","exp":9999999999}
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjdXMtYWRhIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    for token in [forged.as_str(), unsigned, "", "x", &theirs.order_token(order(7))] {
        assert_eq!(access(&ours, token, at(NOW)), Err(TokenRefusal::Invalid), "{token}");
    }
}

#[test]
fn an_order_token_gives_access_to_its_order_only() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let (one, other) = (order(7), order(8));
    let token = tokens.order_token(one);
    assert_eq!(access(&tokens, &token, at(NOW)), Ok(Access::Order(one)));
    let moved = token.replace(&one.0.as_simple().to_string(), &other.0.as_simple().to_string());
    assert_eq!(access(&tokens, &moved, at(NOW)), Err(TokenRefusal::Invalid));
    assert_eq!(access(&tokens, &token[..token.len() - 2], at(NOW)), Err(TokenRefusal::Invalid));
}

#[test]
fn a_short_secret_is_refused() {
    let short = SecretString::from("s".repeat(SECRET_BYTES_MIN - 1));
    assert_eq!(Tokens::new(&short).err(), Some(TokensError::SecretTooShort));
    let current = tokens(&"s".repeat(SECRET_BYTES_MIN));
    assert_eq!(current.with_previous(&short).err(), Some(TokensError::SecretTooShort));
}

#[test]
fn an_order_token_gives_access_until_its_order_is_too_old() {
    const DAY: i64 = 24 * 3600;
    let (order, secret) = (order(7), "s".repeat(SECRET_BYTES_MIN));
    let token = tokens(&secret).order_token(order);
    for (order_days, now, expected) in [
        (Some(90), NOW + 90 * DAY - 1, Ok(Access::Order(order))),
        (Some(90), NOW + 90 * DAY, Err(TokenRefusal::TooOld)),
        (Some(1), NOW + DAY, Err(TokenRefusal::TooOld)),
        (None, NOW + 900 * DAY, Ok(Access::Order(order))),
    ] {
        let tokens = tokens(&secret).with_rules(TokenRules { order_days, ..TokenRules::default() });
        let subject = tokens.holder(&token, at(now)).and_then(|it| it.subject);
        assert_eq!(subject.is_some(), expected.is_ok(), "{order_days:?} {now}");
        assert_eq!(access(&tokens, &token, at(now)), expected, "{order_days:?} {now}");
    }
    // The signature is checked first: a forged token is not said to be too old.
    let forged = tokens(&"t".repeat(SECRET_BYTES_MIN)).order_token(order);
    assert_eq!(access(&tokens(&secret), &forged, at(NOW + 900 * DAY)), Err(TokenRefusal::Invalid));
    // An id without a time is of no order.
    let without_time = OrderId(Uuid::from_u128(7));
    let token = tokens(&secret).order_token(without_time);
    assert_eq!(access(&tokens(&secret), &token, at(NOW)), Err(TokenRefusal::TooOld));
}

#[test]
fn the_token_of_a_guests_cart_and_that_of_its_customer_are_told_apart() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let cart = CartId(Uuid::from_u128(9));
    for is_reissued in [false, true] {
        let held = tokens.holder(&tokens.cart_token(cart, is_reissued), at(NOW)).unwrap();
        assert_eq!((held.subject, held.is_reissued), (Some(TokenSubject::Cart(cart)), is_reissued));
    }
}

#[test]
fn a_customers_token_is_not_signed_for_longer_than_it_would_be_accepted() {
    let tokens = tokens(&"s".repeat(SECRET_BYTES_MIN));
    let ada = CustomerId::new("cus-ada").unwrap();
    let sign = |hours: i64| tokens.customer_token(&ada, at(NOW), at(NOW + hours * 3600)).map(drop);
    assert_eq!(sign(720), Ok(()));
    assert_eq!(sign(721), Err(TokensError::ValidTooLong { hours_max: 720 }));
}
