//! Settings of payments.

use paywright_app::EXPIRE_SECONDS_MAX;
use paywright_domain::anomaly::{Policies, Policy};
use paywright_payments_stripe::ClientSettings;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::settings::values::Within;

/// Expiry, back-fill and policies of payments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payments {
    /// Number of hours after which an unpaid order is canceled; never if 0.
    expire_after_hours: Within<0, EXPIRE_AFTER_HOURS_MAX>,
    /// Interval at which Stripe's event list is read for events that no webhook delivered, in seconds.
    back_fill_seconds: Within<1, BACK_FILL_SECONDS_MAX>,
    /// Policy for money that was received after the order was canceled.
    paid_after_cancel: Policy,
    /// Policy for a second payment.
    second_payment: Policy,
    /// Policy for a payment of another amount.
    amount_differs: Policy,
    /// Policy for a payment in another currency.
    wrong_currency: Policy,
}

/// Margin in seconds, added to the longest duration of a request to Stripe before another process repeats the request.
const MARGIN_SECONDS: u64 = 5;
/// Default expiry: thirty days.
const EXPIRE_AFTER_HOURS: u32 = 30 * 24;
const EXPIRE_AFTER_HOURS_MAX: u32 = EXPIRE_SECONDS_MAX / 3600;
/// Longest back-fill period: a day.
const BACK_FILL_SECONDS_MAX: u32 = 24 * 3600;

impl Default for Payments {
    fn default() -> Self {
        let defaults = paywright_app::Settings::default();
        Self {
            expire_after_hours: Within::nearest(EXPIRE_AFTER_HOURS),
            back_fill_seconds: Within::nearest(defaults.back_fill_seconds),
            paid_after_cancel: defaults.policies.paid_after_cancel,
            second_payment: defaults.policies.second_payment,
            amount_differs: defaults.policies.amount_differs,
            wrong_currency: defaults.policies.wrong_currency,
        }
    }
}

impl Payments {
    /// The settings of the use cases.
    pub(crate) fn into_settings(self, client: &ClientSettings) -> paywright_app::Settings {
        let key = client.secret_key.expose_secret();
        let livemode = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        // The last attempt may begin at the deadline.
        let timeout = (client.deadline + client.attempt_timeout).as_secs().saturating_add(MARGIN_SECONDS);
        let expires = Some(self.expire_after_hours.get()).filter(|hours| *hours > 0);
        paywright_app::Settings {
            livemode,
            policies: Policies {
                paid_after_cancel: self.paid_after_cancel,
                second_payment: self.second_payment,
                amount_differs: self.amount_differs,
                wrong_currency: self.wrong_currency,
            },
            expire_after_seconds: expires.map(|hours| hours.saturating_mul(3600)),
            back_fill_seconds: self.back_fill_seconds.get(),
            provider_timeout_seconds: u32::try_from(timeout).unwrap_or(u32::MAX),
        }
    }
}
