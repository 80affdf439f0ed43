//! Decision on the result of an attempt: when is the event sent again?

use crate::ports::webhook_sender::SendResult;

/// Waits after each failed attempt of an event, in seconds: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. An
/// event has one attempt more.
const WAITS_SECONDS: [u32; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Longest wait that an endpoint can demand (`Retry-After`), in seconds.
const RETRY_AFTER_SECONDS_MAX: u32 = 86_400;

/// A random part of a wait is at most one part in this many, so that events that failed together are not sent again
/// together.
const SPREAD_PART: u32 = 10;

/// Status of an endpoint that wants no more webhooks (RFC 9110, section 15.5.11).
pub(super) const GONE: u16 = 410;

/// Meaning of the result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The endpoint accepted the event.
    Delivered,
    /// The endpoint wants no more webhooks (410 Gone).
    Gone,
    /// The event is sent again after this wait, in seconds.
    Again {
        /// Wait, in seconds.
        wait_seconds: u32,
    },
    /// The last attempt has failed.
    GivenUp,
}

impl Meaning {
    /// Meaning of a result after `tries` earlier failures. `spread` draws a number of seconds up to its argument.
    ///
    /// Success is a status of 2xx alone (Standard Webhooks 1.0, "Deliverability and reliability").
    pub(crate) fn of(result: &SendResult, tries: u32, spread: impl Fn(u32) -> u32) -> Self {
        let retry_after = match &result.answer {
            Ok(answer) if (200..300).contains(&answer.status) => return Self::Delivered,
            Ok(answer) if answer.status == GONE => return Self::Gone,
            Ok(answer) => answer.retry_after_seconds.unwrap_or_default().min(RETRY_AFTER_SECONDS_MAX),
            Err(_) => 0,
        };
        match usize::try_from(tries).ok().and_then(|it| WAITS_SECONDS.get(it)) {
            Some(wait) => {
                Self::Again { wait_seconds: wait.saturating_add(spread(wait / SPREAD_PART)).max(retry_after) }
            }
            None => Self::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EndpointAnswer, SendError, SendErrorClass};

    fn answered(status: u16, retry_after_seconds: Option<u32>) -> SendResult {
        SendResult { duration_ms: 1, answer: Ok(EndpointAnswer { status, retry_after_seconds, body: String::new() }) }
    }

    fn again(wait_seconds: u32) -> Meaning {
        Meaning::Again { wait_seconds }
    }

    #[test]
    fn only_2xx_is_success_and_410_disables() {
        for (status, meaning) in [
            (200, Meaning::Delivered),
            (204, Meaning::Delivered),
            (299, Meaning::Delivered),
            (199, again(5)),
            (300, again(5)),
            (301, again(5)),
            (400, again(5)),
            (409, again(5)),
            (410, Meaning::Gone),
            (429, again(5)),
            (500, again(5)),
        ] {
            assert_eq!(Meaning::of(&answered(status, None), 0, |_| 0), meaning, "{status}");
        }
    }

    #[test]
    fn an_event_has_ten_attempts_over_three_days() {
        let error = SendError { class: SendErrorClass::Timeout, message: String::new() };
        let failed = SendResult { duration_ms: 1, answer: Err(error) };
        let meanings: Vec<_> = (0..11).map(|tries| Meaning::of(&failed, tries, |_| 0)).collect();
        let waits = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400].map(again);
        assert_eq!(meanings, [waits.as_slice(), &[Meaning::GivenUp, Meaning::GivenUp]].concat());
    }

    #[test]
    fn waits_are_spread_by_a_tenth() {
        assert_eq!(Meaning::of(&answered(500, None), 1, |most| most), again(330));
        assert_eq!(Meaning::of(&answered(500, None), 0, |most| most), again(5));
    }

    #[test]
    fn a_demanded_wait_is_kept_up_to_a_day_and_never_shortens_the_schedule() {
        for (demanded, wait) in [(0, 5), (4, 5), (60, 60), (86_400, 86_400), (1_000_000, 86_400)] {
            assert_eq!(Meaning::of(&answered(503, Some(demanded)), 0, |_| 0), again(wait), "{demanded}");
        }
    }
}
