//! Schedule: all waits before and between attempts, in one place.

use paywright_domain::refund::{REFUND_ATTEMPTS_MAX, RefundOrigin};
use paywright_domain::task::TaskKind;
use paywright_domain::{Decision, Order, Task, Timestamp};

use crate::ports::lease::EVENT_WAIT_SECONDS_MAX;
use crate::{App, Changes, Cursor, Version};

/// Waits before each poll of an open PaymentIntent, in seconds; the last one repeats.
const POLL_SECONDS: [u32; 11] = [30, 60, 120, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400];

/// Wait between an event that pays an order and the read that confirms the payment, in seconds. By then the payment
/// callback has usually read it, or Stripe has booked the proceeds, which the same read returns.
const CONFIRM_SECONDS: u32 = 2;

/// Waits before each poll of a pending refund, in seconds; the last one repeats. Banks take days.
const REFUND_POLL_SECONDS: [u32; 7] = [60, 600, 3600, 10_800, 21_600, 43_200, 86_400];

/// Waits before each attempt at a parked event, in seconds; the last one repeats.
const PARKED_SECONDS: [u32; 10] = [5, 15, 60, 300, 1800, 3600, 10_800, 21_600, 43_200, EVENT_WAIT_SECONDS_MAX];

/// Age from which a parked event is given up, in seconds: three days.
const PARKED_SECONDS_MAX: u32 = 3 * 86_400;

/// Number of attempts before a parked event is given up, however old it is: a process that was down for days may only
/// just have begun to process the events of the same order.
const PARKED_ATTEMPTS_MIN: u32 = 4;

/// Wait between an authorization and the notice that it expires, in seconds: one day before its end after seven days.
const AUTHORIZATION_WATCH_SECONDS: u32 = 6 * 86_400;

/// Waits before a failed task is tried again, in seconds: doubling from the first value up to the second.
const RETRY_SECONDS: (u32, u32) = (2, 600);

/// Wait before the next attempt to expire an order that could not be canceled yet, in seconds.
pub(crate) const EXPIRE_AGAIN_SECONDS: u32 = 3600;

/// Wait before the next read of something that only a person can repair, in seconds.
pub(crate) const HOPELESS_SECONDS: u32 = 86_400;

/// Wait before a refund that the Stripe balance could not cover is requested again, in seconds for each attempt so far.
pub(crate) const BALANCE_SECONDS: u32 = 3600;

/// Longest expiry of an order that can be set, in seconds: a hundred years.
pub const EXPIRE_SECONDS_MAX: u32 = 876_000 * 3600;

/// Longest wait before a poll of a PaymentIntent or a refund, in seconds.
const POLL_SECONDS_MAX: u32 = longest(longest(last(&POLL_SECONDS), last(&REFUND_POLL_SECONDS)), HOPELESS_SECONDS);

/// Longest wait before a refund that the balance could not cover is requested again, in seconds.
const BALANCE_SECONDS_MAX: u32 = BALANCE_SECONDS * REFUND_ATTEMPTS_MAX;

const fn longest(one: u32, other: u32) -> u32 {
    if one > other { one } else { other }
}

const fn last(steps: &[u32]) -> u32 {
    match steps.last() {
        Some(last) => *last,
        None => 0,
    }
}

fn step(steps: &[u32], taken: u32) -> Option<u32> {
    usize::try_from(taken).ok().and_then(|index| steps.get(index)).copied()
}

impl App {
    /// Changes of `decision`, decided at `now` on `version`, with the due times of its tasks.
    pub(crate) fn changes(&self, version: Version, decision: Decision, now: Timestamp) -> Changes {
        Changes::of(version, decision, now, |order, task| self.due_at(order, task, now))
    }

    /// Time from which the worker may perform a task that was decided at `now`. A request performs its own tasks at
    /// once: for the worker they are due when the request must have ended.
    fn due_at(&self, order: &Order, task: &Task, now: Timestamp) -> Option<Timestamp> {
        let after = match task {
            Task::CreateIntent { .. }
            | Task::UpdateIntent { .. }
            | Task::CancelIntent { .. }
            | Task::CaptureIntent { .. } => Some(self.settings.provider_timeout_seconds),
            Task::Refund { refund } => match order.refund_numbered(*refund).map(|it| it.origin) {
                Some(RefundOrigin::Shop) => Some(self.settings.provider_timeout_seconds),
                Some(RefundOrigin::Policy) | None => Some(0),
                Some(RefundOrigin::Provider) => Some(self.refund_poll_seconds(0)),
            },
            Task::PollIntent { .. } => Some(self.poll_seconds(0)),
            Task::ConfirmPayment { .. } => Some(CONFIRM_SECONDS),
            Task::WatchAuthorization { .. } => Some(AUTHORIZATION_WATCH_SECONDS),
            Task::ExpireOrder => self.settings.expire_after_seconds,
        };
        after.map(|seconds| now.plus_seconds(seconds))
    }

    /// Longest wait of a task of this kind before it is due, in seconds.
    pub(crate) fn longest_wait_seconds(&self, kind: TaskKind) -> u32 {
        let (_, retry) = RETRY_SECONDS;
        let longest = match kind {
            TaskKind::CreateIntent | TaskKind::UpdateIntent | TaskKind::CancelIntent | TaskKind::CaptureIntent => retry,
            TaskKind::Refund => POLL_SECONDS_MAX.max(BALANCE_SECONDS_MAX),
            TaskKind::PollIntent | TaskKind::ConfirmPayment => POLL_SECONDS_MAX,
            TaskKind::WatchAuthorization => AUTHORIZATION_WATCH_SECONDS,
            // An order that was placed with another setting keeps its expiry.
            TaskKind::ExpireOrder => EXPIRE_SECONDS_MAX,
        };
        longest.max(self.settings.provider_timeout_seconds)
    }

    /// End of a lease that is taken at `now`. It is long enough for two calls to Stripe with all their retries.
    pub(crate) fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.settings.provider_timeout_seconds.saturating_mul(2))
    }

    /// Wait before the next poll of an open PaymentIntent, after this number of polls, in seconds.
    pub(crate) fn poll_seconds(&self, polls: u32) -> u32 {
        let [.., last] = POLL_SECONDS;
        self.spread(step(&POLL_SECONDS, polls).unwrap_or(last))
    }

    /// Wait before the next poll of a pending refund, after this number of polls, in seconds.
    pub(crate) fn refund_poll_seconds(&self, polls: u32) -> u32 {
        let [.., last] = REFUND_POLL_SECONDS;
        self.spread(step(&REFUND_POLL_SECONDS, polls).unwrap_or(last))
    }

    /// Wait before the next attempt at a parked event, after this number of attempts, in seconds.
    pub(crate) fn parked_seconds(&self, attempts: u32) -> u32 {
        let [.., last] = PARKED_SECONDS;
        self.spread(step(&PARKED_SECONDS, attempts).unwrap_or(last))
    }

    /// Wait before a failed task is tried again, after this number of attempts, in seconds.
    pub(crate) fn retry_seconds(&self, tries: u32) -> u32 {
        let (first, most) = RETRY_SECONDS;
        self.spread(first.saturating_mul(1 << tries.clamp(1, 20).saturating_sub(1)).min(most))
    }

    /// Whether a parked event that arrived at `received_at` is given up at `now`, after this number of attempts.
    pub(crate) fn is_given_up(received_at: Timestamp, attempts: u32, now: Timestamp) -> bool {
        attempts >= PARKED_ATTEMPTS_MIN && received_at.plus_seconds(PARKED_SECONDS_MAX) <= now
    }

    /// Whether a walk continues at once: where it has more to read and has moved its cursor. A walk that has not moved
    /// it would read the same again: it waits for its period, and a warning is logged once.
    pub(crate) fn continues_at_once(&self, walk: &str, has_more: bool, before: Option<&str>, after: &Cursor) -> bool {
        let has_moved = before != after.value.as_deref();
        if has_more && !has_moved {
            self.warnings.warn(format!(
                "The background walk {walk} has more to read but did not advance its cursor: it waits for its next \
                 period."
            ));
        }
        has_more && has_moved
    }

    /// Random wait between three quarters and all of `seconds`, so that work that began together spreads out.
    fn spread(&self, seconds: u32) -> u32 {
        seconds - self.ids.spread(seconds / 4)
    }
}
