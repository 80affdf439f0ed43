//! Settings of payments.

use paywright_app::EXPIRE_SECONDS_MAX;
use paywright_domain::{Policies, Policy};
use paywright_payments_stripe::ClientSettings;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::Failure;

/// What the shop wants done about payments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payments {
    /// After how many hours an order that nobody has paid is canceled; never if 0.
    expire_after_hours: u32,
    /// How often the list of Stripe's events is walked for those that no webhook has brought, in seconds.
    back_fill_seconds: u32,
    /// `refund` or `hold_for_review`, for each kind of money that does not fit.
    paid_after_cancel: String,
    second_payment: String,
    amount_differs: String,
    wrong_currency: String,
}

/// What is added to the longest that a request to Stripe can take, in seconds, before others go on with it.
const MARGIN_SECONDS: u64 = 5;
/// Thirty days.
const EXPIRE_AFTER_HOURS: u32 = 30 * 24;
const EXPIRE_AFTER_HOURS_MAX: u32 = EXPIRE_SECONDS_MAX / 3600;

impl Default for Payments {
    fn default() -> Self {
        let defaults = paywright_app::Settings::default();
        let named = |policy: Policy| policy.name().to_owned();
        Self {
            expire_after_hours: EXPIRE_AFTER_HOURS,
            back_fill_seconds: defaults.back_fill_seconds,
            paid_after_cancel: named(defaults.policies.paid_after_cancel),
            second_payment: named(defaults.policies.second_payment),
            amount_differs: named(defaults.policies.amount_differs),
            wrong_currency: named(defaults.policies.wrong_currency),
        }
    }
}

impl Payments {
    /// The settings of the use cases.
    pub(crate) fn into_settings(self, client: &ClientSettings) -> Result<paywright_app::Settings, Failure> {
        let key = client.secret_key.expose_secret();
        let livemode = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        // The last attempt may begin at the deadline.
        let patience = (client.deadline + client.attempt_timeout).as_secs().saturating_add(MARGIN_SECONDS);
        let policy = |name: &str, value: &str| match Policy::named(value) {
            Some(policy @ (Policy::Refund | Policy::HoldForReview)) => Ok(policy),
            Some(Policy::Tell) | None => Err(format!("payments.{name} must be refund or hold_for_review")),
        };
        if self.expire_after_hours > EXPIRE_AFTER_HOURS_MAX {
            return Err(format!("payments.expire_after_hours must be at most {EXPIRE_AFTER_HOURS_MAX}").into());
        }
        if self.back_fill_seconds == 0 {
            return Err("payments.back_fill_seconds must be at least 1".into());
        }
        let expires = (self.expire_after_hours > 0).then_some(self.expire_after_hours);
        Ok(paywright_app::Settings {
            livemode,
            policies: Policies {
                paid_after_cancel: policy("paid_after_cancel", &self.paid_after_cancel)?,
                second_payment: policy("second_payment", &self.second_payment)?,
                amount_differs: policy("amount_differs", &self.amount_differs)?,
                wrong_currency: policy("wrong_currency", &self.wrong_currency)?,
            },
            expire_after_seconds: expires.map(|hours| hours.saturating_mul(3600)),
            back_fill_seconds: self.back_fill_seconds,
            patience_seconds: u32::try_from(patience).unwrap_or(u32::MAX),
        })
    }
}
