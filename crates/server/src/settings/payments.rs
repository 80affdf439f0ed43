//! Settings of payments.

use paywright_app::{EVENTS_KEPT_SECONDS_MIN, EXPIRE_SECONDS_MAX, RecordRetention};
use paywright_domain::anomaly::{Policies, Policy};
use paywright_payments_stripe::ClientSettings;
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
    /// Number of days for which the record of a request with an idempotency key is kept; for ever if 0.
    keep_idempotency_days: Within<0, KEEP_DAYS_MAX>,
    /// Number of days for which Stripe's events are kept.
    keep_events_days: Within<KEEP_EVENTS_DAYS_MIN, KEEP_DAYS_MAX>,
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
/// Default time for which a repeated request gets the first answer: a month.
const KEEP_IDEMPOTENCY_DAYS: u32 = 30;
/// Default time for which Stripe's events are kept: half as long again as Stripe lists them.
const KEEP_EVENTS_DAYS: u32 = 45;
const KEEP_EVENTS_DAYS_MIN: u32 = EVENTS_KEPT_SECONDS_MIN / SECONDS_PER_DAY;
/// Longest time for which records are kept, in days: a hundred years.
const KEEP_DAYS_MAX: u32 = 36_500;
const SECONDS_PER_DAY: u32 = 24 * 3600;

impl Default for Payments {
    fn default() -> Self {
        let defaults = paywright_app::Settings::default();
        Self {
            expire_after_hours: Within::nearest(EXPIRE_AFTER_HOURS),
            back_fill_seconds: Within::nearest(defaults.back_fill_seconds),
            keep_idempotency_days: Within::nearest(KEEP_IDEMPOTENCY_DAYS),
            keep_events_days: Within::nearest(KEEP_EVENTS_DAYS),
            paid_after_cancel: defaults.policies.paid_after_cancel,
            second_payment: defaults.policies.second_payment,
            amount_differs: defaults.policies.amount_differs,
            wrong_currency: defaults.policies.wrong_currency,
        }
    }
}

impl Payments {
    /// Times for which idempotency records and Stripe's events are kept.
    pub(crate) fn retention(&self) -> RecordRetention {
        let seconds = |days: u32| days.saturating_mul(SECONDS_PER_DAY);
        let idempotency_days = Some(self.keep_idempotency_days.get()).filter(|days| *days > 0);
        RecordRetention {
            idempotency_seconds: idempotency_days.map(seconds),
            events_seconds: Some(seconds(self.keep_events_days.get())),
        }
    }

    /// The settings of the use cases.
    pub(crate) fn into_settings(self, client: &ClientSettings) -> paywright_app::Settings {
        // The last attempt may begin at the deadline.
        let timeout = (client.deadline + client.attempt_timeout).as_secs().saturating_add(MARGIN_SECONDS);
        let expires = Some(self.expire_after_hours.get()).filter(|hours| *hours > 0);
        paywright_app::Settings {
            livemode: client.livemode(),
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
