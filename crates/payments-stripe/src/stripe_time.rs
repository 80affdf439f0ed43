//! What time it is at Stripe, by the `Date` of its answers (RFC 9110, section 6.6.1).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use paywright_domain::Timestamp;

/// The last time that Stripe told, and when that was heard by a clock that nobody sets.
#[derive(Debug, Default)]
pub(crate) struct StripeTime(Mutex<Option<(Duration, Instant)>>);

impl StripeTime {
    /// Takes in the `Date` header of an answer. One that cannot be read tells nothing.
    pub(crate) fn heard(&self, date: Option<&str>) {
        let date = date.and_then(|it| httpdate::parse_http_date(it).ok());
        if let Some(since_1970) = date.and_then(|it| it.duration_since(UNIX_EPOCH).ok()) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((since_1970, Instant::now()));
        }
    }

    /// How far Stripe's clock is ahead of `now`, in seconds; behind it where that is negative. It is right to a second
    /// or two: the header has whole seconds, and an answer takes a moment. `None` before Stripe has answered.
    pub(crate) fn ahead_of(&self, now: Timestamp) -> Option<i64> {
        let (told, heard) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let there = i64::try_from((told + heard.elapsed()).as_secs()).ok()?;
        Some(there - now.unix_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_the_clocks_goes_by_the_date_of_the_last_answer() {
        let (time, at) = (StripeTime::default(), |it| Timestamp::from_unix_seconds(it).unwrap());
        assert_eq!(time.ahead_of(at(0)), None);
        for unreadable in [None, Some(""), Some("yesterday")] {
            time.heard(unreadable);
            assert_eq!(time.ahead_of(at(0)), None, "{unreadable:?}");
        }
        time.heard(Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        let seconds = 784_111_777;
        for (now, difference) in [(seconds, 0), (seconds - 90, 90), (seconds + 172_800, -172_800)] {
            let seen = time.ahead_of(at(now)).unwrap();
            assert!((difference..=difference + 1).contains(&seen), "{seen}");
        }
    }
}
