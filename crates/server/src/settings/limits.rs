//! Settings of rate limits.

use std::num::NonZeroU32;

use ipnet::IpNet;
use paywright_http_api::{AddressLimits, CartLimits, RateLimits, private_networks};
use serde::Deserialize;

use crate::settings::values::{Networks, Within, parsed};

/// Highest limit: a million calls per minute.
const PER_MINUTE_MAX: u32 = 1_000_000;
type PerMinute = Within<0, PER_MINUTE_MAX>;

/// Maximum number of calls per minute of carts and addresses; no limit if 0.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Calls for one cart.
    cart_per_minute: PerMinute,
    /// Calls for one cart that may call Stripe.
    cart_payment_per_minute: PerMinute,
    /// Coupon codes tried for one cart.
    cart_coupons_per_minute: PerMinute,
    /// Storefront calls from one client address.
    address_per_minute: PerMinute,
    /// New carts from one address.
    address_carts_per_minute: PerMinute,
    /// Coupon codes tried from one address.
    address_coupons_per_minute: PerMinute,
    /// Wrong API keys, tokens and webhook signatures from one address.
    address_wrong_credentials_per_minute: PerMinute,
    /// Addresses and networks to which limits by address do not apply, separated by commas.
    #[serde(deserialize_with = "parsed")]
    exempt_addresses: Networks,
}

impl Default for Limits {
    fn default() -> Self {
        let (cart, address) = (CartLimits::default(), AddressLimits::default());
        let of = |it: Option<NonZeroU32>| PerMinute::nearest(it.map_or(0, NonZeroU32::get));
        Self {
            cart_per_minute: of(cart.calls),
            cart_payment_per_minute: of(cart.payment_calls),
            cart_coupons_per_minute: of(cart.coupons),
            address_per_minute: of(address.calls),
            address_carts_per_minute: of(address.new_carts),
            address_coupons_per_minute: of(address.coupons),
            address_wrong_credentials_per_minute: of(address.wrong_credentials),
            exempt_addresses: Networks::default(),
        }
    }
}

/// Source of shoppers' addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientsSeen {
    /// Shoppers' addresses are unknown: a server calls for all of them.
    OneServer,
    /// Shoppers call directly.
    Directly,
    /// A trusted proxy reports shoppers' addresses.
    ByProxy,
}

impl Limits {
    /// The rate limits. Limits by address apply only if each shopper is known by an address of their own.
    pub(crate) fn rate_limits(&self, seen: ClientsSeen) -> RateLimits {
        let limit = |it: PerMinute| NonZeroU32::new(it.get());
        let cart = CartLimits {
            calls: limit(self.cart_per_minute),
            payment_calls: limit(self.cart_payment_per_minute),
            coupons: limit(self.cart_coupons_per_minute),
        };
        let exempt = |more: Vec<IpNet>| self.exempt_addresses.0.iter().copied().chain(more).collect();
        let exempt: Vec<IpNet> = match seen {
            ClientsSeen::OneServer => return RateLimits::new(cart, None),
            ClientsSeen::Directly => exempt(private_networks()),
            ClientsSeen::ByProxy => exempt(Vec::new()),
        };
        let address = AddressLimits {
            calls: limit(self.address_per_minute),
            new_carts: limit(self.address_carts_per_minute),
            coupons: limit(self.address_coupons_per_minute),
            wrong_credentials: limit(self.address_wrong_credentials_per_minute),
            exempt,
        };
        RateLimits::new(cart, Some(address))
    }
}
