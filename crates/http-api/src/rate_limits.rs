//! Rate limits per cart, per client address, and per API key that has one. Webhooks with a valid signature and health
//! checks are not limited.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use paywright_app::{ApiKey, TokenSubject};
use paywright_domain::id::CustomerId;
use tracing::Span;
use uuid::Uuid;

use crate::client_address::ClientAddress;
use crate::problem::Problem;

/// Calls per minute; unlimited if `None`. A burst may have ten seconds' worth of calls, and at least ten.
pub type PerMinute = Option<NonZeroU32>;

/// Smallest burst that any limit allows, in calls.
const BURST_MIN: u32 = 10;
/// Number of callers that are remembered before idle ones are dropped.
const CALLERS_KEPT: usize = 16_384;

/// Calls per minute for one cart, counted by its token, or by its customer if there is no token.
#[derive(Debug, Clone, Copy)]
pub struct CartLimits {
    /// All calls.
    pub calls: PerMinute,
    /// Calls that may send a request to Stripe.
    pub payment_calls: PerMinute,
    /// Attempts to apply a coupon code.
    pub coupons: PerMinute,
}

/// Calls per minute from one client address (from one /64 network for IPv6).
#[derive(Debug, Clone)]
pub struct AddressLimits {
    /// All storefront calls.
    pub calls: PerMinute,
    /// Calls that create a cart.
    pub new_carts: PerMinute,
    /// Attempts to apply a coupon code.
    pub coupons: PerMinute,
    /// Calls with a wrong API key, token or webhook signature.
    pub wrong_credentials: PerMinute,
    /// Networks without these limits: servers that call for many shoppers.
    pub exempt: Vec<IpNet>,
}

/// Loopback and private networks (RFC 1918, RFC 4193, RFC 4291): calls from them come from a proxy or from a server of
/// the shop, never from a shopper's own address.
pub fn private_networks() -> Vec<IpNet> {
    let all = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10"];
    all.iter().filter_map(|it| it.parse().ok()).collect()
}

const fn per_minute(calls: u32) -> PerMinute {
    NonZeroU32::new(calls)
}

impl Default for CartLimits {
    fn default() -> Self {
        Self { calls: per_minute(600), payment_calls: per_minute(120), coupons: per_minute(30) }
    }
}

impl Default for AddressLimits {
    fn default() -> Self {
        Self {
            calls: per_minute(1200),
            new_carts: per_minute(60),
            coupons: per_minute(60),
            wrong_credentials: per_minute(60),
            exempt: Vec::new(),
        }
    }
}

/// Kind of a storefront call, as far as limits differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    NewCart,
    Coupon,
    Payment,
    Other,
}

/// Caller whose calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shopper {
    Holder(TokenSubject),
    Customer(CustomerId),
}

/// Rate limits of a process. Clones share their counts.
#[derive(Clone)]
pub struct RateLimits(Arc<Limits>);

struct Limits {
    cart_calls: Limit<Shopper>,
    cart_payment_calls: Limit<Shopper>,
    cart_coupons: Limit<Shopper>,
    by_address: Option<ByAddress>,
    /// Limits of API keys, for each number of calls per minute that a key has.
    of_keys: Mutex<BTreeMap<NonZeroU32, Arc<Limit<Uuid>>>>,
}

struct ByAddress {
    calls: Limit<IpNet>,
    new_carts: Limit<IpNet>,
    coupons: Limit<IpNet>,
    wrong_credentials: Limit<IpNet>,
    exempt: Vec<IpNet>,
}

/// Rate limit that was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Sentence for the caller.
    sentence: &'static str,
    /// Name of the limit's setting.
    limit: &'static str,
    retry_after_seconds: u32,
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        Span::current().record("limit", too_many.limit);
        Self::too_many_requests(too_many.sentence, too_many.retry_after_seconds)
    }
}

impl RateLimits {
    /// Creates limits of carts, and of client addresses if those are known to be the shoppers' own.
    pub fn new(cart: CartLimits, address: Option<AddressLimits>) -> Self {
        let by_address = address.map(|it| ByAddress {
            calls: Limit::new(it.calls, "limits.address_per_minute", "too many requests from this address"),
            new_carts: Limit::new(
                it.new_carts,
                "limits.address_carts_per_minute",
                "too many new carts from this address",
            ),
            coupons: Limit::new(
                it.coupons,
                "limits.address_coupons_per_minute",
                "too many coupon codes were tried from this address",
            ),
            wrong_credentials: Limit::new(
                it.wrong_credentials,
                "limits.address_wrong_credentials_per_minute",
                "too many requests with a wrong key, token or signature from this address",
            ),
            exempt: it.exempt,
        });
        Self(Arc::new(Limits {
            cart_calls: Limit::new(cart.calls, "limits.cart_per_minute", "too many requests for this cart"),
            cart_payment_calls: Limit::new(
                cart.payment_calls,
                "limits.cart_payment_per_minute",
                "too many payment requests for this cart",
            ),
            cart_coupons: Limit::new(
                cart.coupons,
                "limits.cart_coupons_per_minute",
                "too many coupon codes were tried for this cart",
            ),
            by_address,
            of_keys: Mutex::default(),
        }))
    }

    /// Creates limits that allow every call.
    pub fn none() -> Self {
        Self::new(CartLimits { calls: None, payment_calls: None, coupons: None }, None)
    }

    /// Counts a storefront call from an address, before its body is read.
    pub(crate) fn storefront_call(&self, client: Option<ClientAddress>, kind: CallKind) -> Result<(), TooMany> {
        let Some((limits, network)) = self.of(client) else { return Ok(()) };
        limits.calls.count(&network)?;
        if kind == CallKind::NewCart { limits.new_carts.count(&network) } else { Ok(()) }
    }

    /// Counts an attempt to apply a coupon code that the cart's own limit allowed.
    pub(crate) fn coupon_tried(&self, client: Option<ClientAddress>) -> Result<(), TooMany> {
        self.of(client).map_or(Ok(()), |(limits, network)| limits.coupons.count(&network))
    }

    /// Counts a call for a cart.
    pub(crate) fn cart_call(&self, shopper: &Shopper, kind: CallKind) -> Result<(), TooMany> {
        self.0.cart_calls.count(shopper)?;
        match kind {
            CallKind::Coupon => self.0.cart_coupons.count(shopper),
            CallKind::Payment => self.0.cart_payment_calls.count(shopper),
            CallKind::NewCart | CallKind::Other => Ok(()),
        }
    }

    /// Counts a call with an API key, if the key has a limit.
    pub(crate) fn key_call(&self, key: &ApiKey) -> Result<(), TooMany> {
        let Some(rate) = key.calls_per_minute else { return Ok(()) };
        let limit = {
            let mut limits = self.0.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Limit::new(Some(rate), "calls_per_minute", "too many requests with this API key"));
            Arc::clone(limits.entry(rate).or_insert_with(new))
        };
        limit.count(&key.id)
    }

    /// Counts a call with a wrong key, token or signature.
    pub(crate) fn wrong_credentials(&self, client: Option<ClientAddress>) -> Result<(), TooMany> {
        self.of(client).map_or(Ok(()), |(limits, network)| limits.wrong_credentials.count(&network))
    }

    fn of(&self, client: Option<ClientAddress>) -> Option<(&ByAddress, IpNet)> {
        let (limits, network) = (self.0.by_address.as_ref()?, client?.network());
        (!limits.exempt.iter().any(|it| it.contains(&network))).then_some((limits, network))
    }
}

/// Rate limit of each key.
struct Limit<K: Hash + Eq + Clone> {
    rate: Option<RateLimiter<K, HashMapStateStore<K>, DefaultClock>>,
    /// Name of its setting.
    name: &'static str,
    /// Sentence for the caller.
    sentence: &'static str,
    clock: DefaultClock,
    /// Number of keys at which idle ones are dropped.
    shrink_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(rate: PerMinute, name: &'static str, sentence: &'static str) -> Self {
        let clock = DefaultClock::default();
        let quota = |it: NonZeroU32| {
            let burst = NonZeroU32::new(it.get() / 6).filter(|it| it.get() > BURST_MIN);
            Quota::per_minute(it).allow_burst(burst.or(NonZeroU32::new(BURST_MIN)).unwrap_or(it))
        };
        let rate = rate.map(|it| RateLimiter::hashmap_with_clock(quota(it), clock.clone()));
        Self { rate, name, sentence, clock, shrink_at: AtomicUsize::new(CALLERS_KEPT) }
    }

    fn count(&self, key: &K) -> Result<(), TooMany> {
        let Some(rate) = &self.rate else { return Ok(()) };
        if rate.len() >= self.shrink_at.load(Ordering::Relaxed) {
            rate.retain_recent();
            rate.shrink_to_fit();
            // The remaining callers have called within seconds: their number is bounded by the rate of answers.
            self.shrink_at.store(rate.len().saturating_mul(2).max(CALLERS_KEPT), Ordering::Relaxed);
        }
        rate.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.saturating_add(Duration::from_millis(999)).as_secs();
            TooMany {
                sentence: self.sentence,
                limit: self.name,
                retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::storefront::CartId;
    use uuid::Uuid;

    use super::*;

    fn cart(n: u128) -> Shopper {
        Shopper::Holder(TokenSubject::Cart(CartId(Uuid::from_u128(n))))
    }

    fn address(text: &str) -> ClientAddress {
        text.parse::<std::net::IpAddr>().unwrap().into()
    }

    /// Number of calls that pass in one burst.
    fn passes(call: impl Fn() -> Result<(), TooMany>) -> usize {
        (0..5000).take_while(|_| call().is_ok()).count()
    }

    #[test]
    fn each_cart_has_its_own_limit_and_a_lower_one_for_payment_calls() {
        let limits = RateLimits::new(CartLimits::default(), None);
        for (n, kind, expected) in [
            (1, CallKind::Other, 100),
            (2, CallKind::Payment, 20),
            (3, CallKind::Coupon, 10),
            (4, CallKind::NewCart, 100),
        ] {
            assert_eq!(passes(|| limits.cart_call(&cart(n), kind)), expected, "{kind:?}");
        }
        let refused = limits.cart_call(&cart(1), CallKind::Other).unwrap_err();
        assert_eq!((refused.limit, refused.retry_after_seconds), ("limits.cart_per_minute", 1));
    }

    #[test]
    fn without_address_limits_one_server_may_call_for_all_shoppers() {
        let limits = RateLimits::new(CartLimits::default(), None);
        assert_eq!(passes(|| limits.storefront_call(Some(address("203.0.113.7")), CallKind::NewCart)), 5000);
    }

    #[test]
    fn each_address_has_its_own_limits_and_exempt_ones_have_none() {
        let exempt = vec!["198.51.100.0/24".parse().unwrap()];
        let limits = RateLimits::new(CartLimits::default(), Some(AddressLimits { exempt, ..AddressLimits::default() }));
        for (text, kind, expected) in [
            ("203.0.113.7", CallKind::NewCart, 10),
            ("203.0.113.8", CallKind::Coupon, 200),
            ("203.0.113.9", CallKind::Other, 200),
            ("198.51.100.4", CallKind::NewCart, 5000),
            ("2001:db8::1", CallKind::NewCart, 10),
            // Another address of the same network counts as the same client.
            ("2001:db8::2", CallKind::NewCart, 0),
            ("2001:db8:0:1::1", CallKind::NewCart, 10),
        ] {
            assert_eq!(passes(|| limits.storefront_call(Some(address(text)), kind)), expected, "{text} {kind:?}");
        }
        assert_eq!(passes(|| limits.wrong_credentials(Some(address("203.0.113.7")))), 10);
        assert_eq!(passes(|| limits.coupon_tried(Some(address("203.0.113.8")))), 10);
    }

    #[test]
    fn each_key_has_its_own_limit_if_any() {
        let limits = RateLimits::none();
        let key = |n: u128, calls_per_minute: u32| ApiKey {
            calls_per_minute: NonZeroU32::new(calls_per_minute),
            ..ApiKey::new(Uuid::from_u128(n), String::new(), [0; 32], Vec::new(), paywright_testkit::at(0))
        };
        for (n, calls_per_minute, expected) in [(1, 600, 100), (2, 600, 100), (3, 30, 10), (4, 0, 5000), (1, 600, 0)] {
            assert_eq!(passes(|| limits.key_call(&key(n, calls_per_minute))), expected, "{n}");
        }
        assert_eq!(limits.key_call(&key(3, 30)).unwrap_err().limit, "calls_per_minute");
    }

    #[test]
    fn idle_callers_are_dropped() {
        // At this rate a caller is idle again at once.
        let limit = Limit::new(per_minute(u32::MAX), "limits.x", "too many");
        for n in 0..3 * CALLERS_KEPT {
            limit.count(&n).unwrap();
        }
        let kept = limit.rate.as_ref().unwrap().len();
        assert!(kept <= CALLERS_KEPT, "{kept}");
    }
}
