//! When what is to be done: the one place that knows how long anything waits.

use paywright_domain::{Decision, Order, REFUND_ATTEMPTS_MAX, RefundOrigin, Task, TaskKind, Timestamp};

use crate::ports::store::EVENT_WAIT_SECONDS_MAX;
use crate::{App, Changes, Cursor, Version};

/// When an open intent is looked at: the wait before the first look, the second, and so on; the last one from
/// then on. In seconds.
const POLL_SECONDS: [u32; 11] = [30, 60, 120, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400];

/// How long after an event has told of a payment Stripe is asked for it, in seconds: a moment later the callback has
/// asked as a rule, or what came of the payment on the balance is read in the same request.
const CONFIRM_SECONDS: u32 = 2;

/// When a refund that is under way is looked at, in seconds: banks take days.
const REFUND_POLL_SECONDS: [u32; 7] = [60, 600, 3600, 10_800, 21_600, 43_200, 86_400];

/// When a message of something unknown is looked at again, in seconds.
const PARKED_SECONDS: [u32; 10] = [5, 15, 60, 300, 1800, 3600, 10_800, 21_600, 43_200, EVENT_WAIT_SECONDS_MAX];

/// How long a message may wait before it is given up, in seconds: three days.
const PARKED_AT_MOST_SECONDS: u32 = 3 * 86_400;

/// How often it is looked at before it is given up, however old it is: a process that was down for long may have just
/// begun to learn of the rest.
const PARKED_LOOKS_MIN: u32 = 4;

/// Stripe holds an authorisation for seven days; a day before that is over a person is told. In seconds.
const AUTHORIZATION_WATCH_SECONDS: u32 = 6 * 86_400;

/// How soon a task that was not done is tried again: doubling from the first to the second, in seconds.
const RETRY_SECONDS: (u32, u32) = (2, 600);

/// How soon an order that could not expire is looked at again, in seconds.
pub(crate) const EXPIRE_AGAIN_SECONDS: u32 = 3600;

/// How soon something is looked at again that only a person can mend, in seconds.
pub(crate) const HOPELESS_SECONDS: u32 = 86_400;

/// How soon a refund is asked for anew that the balance could not cover, in seconds, times the attempt.
pub(crate) const BALANCE_SECONDS: u32 = 3600;

/// The longest time after which an order can be set to be given up, in seconds: a hundred years.
pub const EXPIRE_SECONDS_MAX: u32 = 876_000 * 3600;

/// The longest wait before an open intent, or a refund under way, is looked at again, in seconds.
const POLL_SECONDS_MAX: u32 = longest(longest(last(&POLL_SECONDS), last(&REFUND_POLL_SECONDS)), HOPELESS_SECONDS);

/// The longest wait before a refund is asked for anew, in seconds.
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
    /// The changes of `decision`, decided at `now` on `version`, with the times of its tasks.
    pub(crate) fn changes(&self, version: Version, decision: Decision, now: Timestamp) -> Changes {
        Changes::of(version, decision, now, |order, task| self.due_at(order, task, now))
    }

    /// When a task that was decided at `now` is due for anybody. A request performs its own tasks at once: for
    /// others they are due when it must have ended.
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

    /// How long a task of a kind waits at the most before it is due, in seconds.
    pub(crate) fn longest_wait_seconds(&self, kind: TaskKind) -> u32 {
        let (_, retry) = RETRY_SECONDS;
        let longest = match kind {
            TaskKind::CreateIntent | TaskKind::UpdateIntent | TaskKind::CancelIntent | TaskKind::CaptureIntent => retry,
            TaskKind::Refund => POLL_SECONDS_MAX.max(BALANCE_SECONDS_MAX),
            TaskKind::PollIntent | TaskKind::ConfirmPayment => POLL_SECONDS_MAX,
            TaskKind::WatchAuthorization => AUTHORIZATION_WATCH_SECONDS,
            // An order that was placed under another setting keeps its time.
            TaskKind::ExpireOrder => EXPIRE_SECONDS_MAX,
        };
        longest.max(self.settings.provider_timeout_seconds)
    }

    /// Until when what is taken at `now` is held: a task may be several calls to the provider.
    pub(crate) fn lease_until(&self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.settings.provider_timeout_seconds.saturating_mul(2))
    }

    /// How long to wait before an open intent is looked at, after `looks` looks.
    pub(crate) fn poll_seconds(&self, looks: u32) -> u32 {
        let [.., last] = POLL_SECONDS;
        self.spread(step(&POLL_SECONDS, looks).unwrap_or(last))
    }

    /// How long to wait before a refund under way is looked at, after `looks` looks.
    pub(crate) fn refund_poll_seconds(&self, looks: u32) -> u32 {
        let [.., last] = REFUND_POLL_SECONDS;
        self.spread(step(&REFUND_POLL_SECONDS, looks).unwrap_or(last))
    }

    /// How long a parked message waits, after `looks` looks.
    pub(crate) fn parked_seconds(&self, looks: u32) -> u32 {
        let [.., last] = PARKED_SECONDS;
        self.spread(step(&PARKED_SECONDS, looks).unwrap_or(last))
    }

    /// How long to wait before a task is tried again that was tried `tries` times.
    pub(crate) fn retry_seconds(&self, tries: u32) -> u32 {
        let (first, most) = RETRY_SECONDS;
        self.spread(first.saturating_mul(1 << tries.clamp(1, 20).saturating_sub(1)).min(most))
    }

    /// Whether a message that came at `received_at` has waited long enough at `now`, after `looks` looks.
    pub(crate) fn waited_in_vain(received_at: Timestamp, looks: u32, now: Timestamp) -> bool {
        looks >= PARKED_LOOKS_MIN && received_at.plus_seconds(PARKED_AT_MOST_SECONDS) <= now
    }

    /// Whether a step that walks along a mark goes on at once: where it says that there is more, and has moved the mark.
    /// One that has not would find the same again. It waits for its period, and is logged once.
    pub(crate) fn goes_on(&self, step: &str, says_more: bool, before: Option<&str>, after: &Cursor) -> bool {
        let has_moved = before != after.value.as_deref();
        if says_more && !has_moved {
            self.warnings.warn(format!("The step {step} says that there is more to do and has not moved: it waits."));
        }
        says_more && has_moved
    }

    /// Three quarters to all of `seconds`, so that what began together does not go on together.
    fn spread(&self, seconds: u32) -> u32 {
        seconds - self.ids.spread(seconds / 4)
    }
}
