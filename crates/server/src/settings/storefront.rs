//! Settings of the storefront.

use paywright_domain::Currency;
use paywright_domain::country::CountryCode;
use serde::Deserialize;

use crate::retention::KeepCarts;
use crate::settings::values::{Origins, Within, flag, parsed};

/// Default limit for carts: three months.
const KEEP_CARTS_DAYS: u32 = 90;
/// Highest limit for carts: a hundred years.
const KEEP_CARTS_DAYS_MAX: u32 = 36_500;

/// Default limit for empty carts: two hours.
const KEEP_EMPTY_CARTS_MINUTES: u32 = 120;
/// Highest limit for empty carts: a year.
const KEEP_EMPTY_CARTS_MINUTES_MAX: u32 = 365 * 24 * 60;

/// Currency, origins, cart limits and demo shop of the storefront.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storefront {
    /// Currency of a cart for which the storefront names none.
    #[serde(deserialize_with = "parsed")]
    pub(crate) currency: Currency,
    /// Country for which shipping rates are estimated where neither the request nor the cart has one.
    #[serde(deserialize_with = "parsed")]
    pub(crate) country: CountryCode,
    /// The origins whose pages may call the Spree dialect, separated by commas; `*` for all.
    #[serde(deserialize_with = "parsed")]
    pub(crate) allowed_origins: Origins,
    /// Number of days for which an unchanged cart is kept; for ever if 0.
    keep_carts_days: Within<0, KEEP_CARTS_DAYS_MAX>,
    /// Number of minutes for which a guest's cart without lines is kept; like any other cart if 0.
    keep_empty_carts_minutes: Within<0, KEEP_EMPTY_CARTS_MINUTES_MAX>,
    /// Whether the demo shop is served at `/demo`.
    #[serde(deserialize_with = "flag")]
    pub(crate) demo: bool,
}

impl Default for Storefront {
    fn default() -> Self {
        Self {
            currency: Currency::Usd,
            country: CountryCode::US,
            allowed_origins: Origins::default(),
            keep_carts_days: Within::nearest(KEEP_CARTS_DAYS),
            keep_empty_carts_minutes: Within::nearest(KEEP_EMPTY_CARTS_MINUTES),
            demo: false,
        }
    }
}

impl Storefront {
    /// Time for which abandoned carts are kept.
    pub(crate) fn keep_carts(&self) -> KeepCarts {
        let for_ever_if_0 = |many: u32, seconds_each: u32| (many > 0).then(|| many.saturating_mul(seconds_each));
        KeepCarts {
            all: for_ever_if_0(self.keep_carts_days.get(), 24 * 3600),
            empty: for_ever_if_0(self.keep_empty_carts_minutes.get(), 60),
        }
    }
}
