//! Stripe's clock, estimated from the `Date` header of its answers (RFC 9110, section 6.6.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use paywright_domain::Timestamp;

/// Time in the last `Date` header, and the monotonic time at which it was received.
#[derive(Debug, Default)]
pub(crate) struct StripeTime(Mutex<Option<(Duration, Instant)>>);

impl StripeTime {
    /// Records the `Date` header of an answer. A header that cannot be parsed is ignored.
    pub(crate) fn record(&self, date: Option<&str>) {
        let date = date.and_then(|it| httpdate::parse_http_date(it).ok());
        if let Some(since_1970) = date.and_then(|it| it.duration_since(UNIX_EPOCH).ok()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((since_1970, Instant::now()));
        }
    }

    /// Seconds by which Stripe's clock is ahead of `now`; negative if it is behind. Accurate to a second or two,
    /// because the header has whole seconds and an answer takes time. `None` before the first answer of Stripe.
    pub(crate) fn ahead_of(&self, now: Timestamp) -> Option<i64> {
        let (date, received) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let at_stripe = i64::try_from((date + received.elapsed()).as_secs()).ok()?;
        Some(at_stripe - now.unix_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_difference_is_computed_from_the_last_date_header() {
        let (time, at) = (StripeTime::default(), |it| Timestamp::from_unix_seconds(it).unwrap());
        assert_eq!(time.ahead_of(at(0)), None);
        for unreadable in [None, Some(""), Some("yesterday")] {
            time.record(unreadable);
            assert_eq!(time.ahead_of(at(0)), None, "{unreadable:?}");
        }
        time.record(Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        let seconds = 784_111_777;
        for (now, difference) in [(seconds, 0), (seconds - 90, 90), (seconds + 172_800, -172_800)] {
            let seen = time.ahead_of(at(now)).unwrap();
            assert!((difference..=difference + 1).contains(&seen), "{seen}");
        }
    }
}
