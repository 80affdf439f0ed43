//! Settings of the storefront.

use paywright_domain::Currency;
use serde::Deserialize;

use crate::Failure;
use crate::worker::KeepCarts;

/// Three months.
const KEEP_CARTS_DAYS: u32 = 90;
/// A hundred years.
const KEEP_CARTS_DAYS_MAX: u32 = 36_500;

/// Two hours.
const KEEP_EMPTY_CARTS_MINUTES: u32 = 120;
/// A year.
const KEEP_EMPTY_CARTS_MINUTES_MAX: u32 = 365 * 24 * 60;

/// What a storefront is offered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storefront {
    /// The currency of a cart where the storefront names none.
    currency: String,
    /// The origins whose pages may call the Spree dialect, separated by commas; `*` for all.
    allowed_origins: String,
    /// For how many days a cart that nobody changes is kept; for ever if 0.
    keep_carts_days: u32,
    /// For how many minutes a guest's cart without lines is kept; as any other if 0.
    keep_empty_carts_minutes: u32,
    /// Whether `/demo` is there: a shop front to look at.
    pub(crate) demo: bool,
}

impl Default for Storefront {
    fn default() -> Self {
        Self {
            currency: "usd".into(),
            allowed_origins: String::new(),
            keep_carts_days: KEEP_CARTS_DAYS,
            keep_empty_carts_minutes: KEEP_EMPTY_CARTS_MINUTES,
            demo: false,
        }
    }
}

impl Storefront {
    /// How long carts that were left are kept.
    pub(crate) fn keep_carts(&self) -> Result<KeepCarts, Failure> {
        if self.keep_carts_days > KEEP_CARTS_DAYS_MAX {
            return Err(format!("storefront.keep_carts_days must be at most {KEEP_CARTS_DAYS_MAX}").into());
        }
        if self.keep_empty_carts_minutes > KEEP_EMPTY_CARTS_MINUTES_MAX {
            return Err(
                format!("storefront.keep_empty_carts_minutes must be at most {KEEP_EMPTY_CARTS_MINUTES_MAX}").into()
            );
        }
        let for_ever_if_0 = |many: u32, seconds_each: u32| (many > 0).then(|| many.saturating_mul(seconds_each));
        Ok(KeepCarts {
            all: for_ever_if_0(self.keep_carts_days, 24 * 3600),
            empty: for_ever_if_0(self.keep_empty_carts_minutes, 60),
        })
    }

    /// Origins as browsers write them: without a path.
    pub(crate) fn origins(&self) -> Result<Vec<String>, Failure> {
        let origins: Vec<String> =
            self.allowed_origins.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let is_origin = |it: &String| {
            let host = it.strip_prefix("https://").or_else(|| it.strip_prefix("http://"));
            let plain = |it: u8| it.is_ascii_alphanumeric() || b"-.:[]".contains(&it);
            it == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain))
        };
        match origins.iter().find(|it| !is_origin(it)) {
            None => Ok(origins),
            Some(wrong) => {
                Err(format!("storefront.allowed_origins: {wrong} is no origin like https://shop.example").into())
            }
        }
    }

    pub(crate) fn currency(&self) -> Result<Currency, Failure> {
        Ok(self.currency.parse().map_err(|problem| format!("storefront.currency {problem}"))?)
    }
}
