//! Stripe's clock, as far as its answers tell it.

use paywright_domain::Timestamp;

use crate::App;

impl App {
    /// Seconds by which Stripe's clock is ahead of this machine's; `None` before Stripe's first answer.
    pub(crate) fn stripe_ahead_seconds(&self) -> Option<i64> {
        // Both gateways measure it; the worker's gateway always gets some answers.
        self.background.clock_difference_seconds().or_else(|| self.gateway.clock_difference_seconds())
    }

    /// Time at Stripe when this machine's clock shows `local`. The same before Stripe has answered for the first time.
    pub(crate) fn at_stripe(&self, local: Timestamp) -> Timestamp {
        moved_by(local, self.stripe_ahead_seconds().unwrap_or(0))
    }
}

/// Time that is `seconds` after `time`, or before it if they are negative.
pub(crate) fn moved_by(time: Timestamp, seconds: i64) -> Timestamp {
    let many = u32::try_from(seconds.unsigned_abs()).unwrap_or(u32::MAX);
    if seconds < 0 { time.minus_seconds(many) } else { time.plus_seconds(many) }
}
