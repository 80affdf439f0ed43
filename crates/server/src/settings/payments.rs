//! Settings of payments.

use paywright_app::EXPIRE_SECONDS_MAX;
use paywright_domain::{Policies, Policy};
use paywright_payments_stripe::ClientSettings;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::settings::values::Within;

/// What the shop wants done about payments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payments {
    /// After how many hours an order that nobody has paid is canceled; never if 0.
    expire_after_hours: Within<0, EXPIRE_AFTER_HOURS_MAX>,
    /// How often the list of Stripe's events is walked for those that no webhook has brought, in seconds.
    back_fill_seconds: Within<1, BACK_FILL_SECONDS_MAX>,
    /// For each kind of money that does not fit.
    paid_after_cancel: Unwanted,
    second_payment: Unwanted,
    amount_differs: Unwanted,
    wrong_currency: Unwanted,
}

/// Treatment of money that does not fit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unwanted {
    Refund,
    HoldForReview,
}

impl Unwanted {
    const fn policy(self) -> Policy {
        match self {
            Self::Refund => Policy::Refund,
            Self::HoldForReview => Policy::HoldForReview,
        }
    }
}

impl From<Policy> for Unwanted {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Refund => Self::Refund,
            Policy::HoldForReview | Policy::Tell => Self::HoldForReview,
        }
    }
}

/// What is added to the longest that a request to Stripe can take, in seconds, before others go on with it.
const MARGIN_SECONDS: u64 = 5;
/// Thirty days.
const EXPIRE_AFTER_HOURS: u32 = 30 * 24;
const EXPIRE_AFTER_HOURS_MAX: u32 = EXPIRE_SECONDS_MAX / 3600;
/// A day.
const BACK_FILL_SECONDS_MAX: u32 = 24 * 3600;

impl Default for Payments {
    fn default() -> Self {
        let defaults = paywright_app::Settings::default();
        Self {
            expire_after_hours: Within::nearest(EXPIRE_AFTER_HOURS),
            back_fill_seconds: Within::nearest(defaults.back_fill_seconds),
            paid_after_cancel: defaults.policies.paid_after_cancel.into(),
            second_payment: defaults.policies.second_payment.into(),
            amount_differs: defaults.policies.amount_differs.into(),
            wrong_currency: defaults.policies.wrong_currency.into(),
        }
    }
}

impl Payments {
    /// The settings of the use cases.
    pub(crate) fn into_settings(self, client: &ClientSettings) -> paywright_app::Settings {
        let key = client.secret_key.expose_secret();
        let livemode = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        // The last attempt may begin at the deadline.
        let patience = (client.deadline + client.attempt_timeout).as_secs().saturating_add(MARGIN_SECONDS);
        let expires = Some(self.expire_after_hours.get()).filter(|hours| *hours > 0);
        paywright_app::Settings {
            livemode,
            policies: Policies {
                paid_after_cancel: self.paid_after_cancel.policy(),
                second_payment: self.second_payment.policy(),
                amount_differs: self.amount_differs.policy(),
                wrong_currency: self.wrong_currency.policy(),
            },
            expire_after_seconds: expires.map(|hours| hours.saturating_mul(3600)),
            back_fill_seconds: self.back_fill_seconds.get(),
            provider_timeout_seconds: u32::try_from(patience).unwrap_or(u32::MAX),
        }
    }
}
