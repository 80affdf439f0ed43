//! How fast requests are sent: Stripe counts those of an account and those of each endpoint ("Rate limits"). Who sends
//! faster is refused; so we wait here, customers before everybody else, and not for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

/// How fast requests may be sent, and how long one may wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many requests of one endpoint in a second; any number if 0.
    pub endpoint: u32,
    /// How many requests of the account in a second; any number if 0.
    pub account: u32,
    /// How long a request that a customer waits for may wait.
    pub customer_wait: Duration,
    /// How long any other may.
    pub background_wait: Duration,
}

impl Default for Pace {
    /// What Stripe allows a live account: 25 requests a second of one endpoint, 100 in all.
    fn default() -> Self {
        Self {
            endpoint: 25,
            account: 100,
            customer_wait: Duration::from_secs(2),
            background_wait: Duration::from_secs(30),
        }
    }
}

impl Pace {
    /// As fast as can be: for a stand-in.
    pub fn unlimited() -> Self {
        Self { endpoint: 0, account: 0, ..Self::default() }
    }
}

/// A request was not sent: its turn would come too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its turn to be sent would come in {wait:?} at the earliest")]
pub struct QueueTooLong {
    /// When its turn would come.
    pub wait: Duration,
}

/// Whether somebody waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    Customer,
    Background,
}

/// The slowest that Stripe's refusals make us, and the pace when all is well: in thousandths.
const SLOWEST: u32 = 125;
const FULL: u32 = 1000;
/// How much of the full pace comes back with each second without a refusal, in thousandths.
const RECOVERY: u32 = 50;
/// How many different endpoints are told apart; a shop uses a dozen.
const ENDPOINTS_MAX: usize = 64;

/// Decides when each request may be sent.
#[derive(Debug)]
pub(crate) struct Limiter {
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    account: Bucket,
    endpoints: HashMap<String, Bucket>,
    permille: u32,
    refused_at: Instant,
}

/// A bucket that holds a second's worth of requests: by the moment at which it would be full again.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// How long until a request may go, so that `reserve` of a second's worth stay for others.
    fn wait(&self, each: Duration, reserve: Duration, now: Instant) -> Duration {
        let depth = Duration::from_secs(1).saturating_sub(reserve);
        (self.full_at.saturating_duration_since(now) + each).saturating_sub(depth.max(each))
    }

    fn take(&mut self, each: Duration, now: Instant) {
        self.full_at = self.full_at.max(now) + each;
    }
}

impl Limiter {
    pub(crate) fn new(pace: Pace) -> Self {
        let now = Instant::now();
        let account = Bucket { full_at: now };
        let state = State { account, endpoints: HashMap::new(), permille: FULL, refused_at: now };
        Self { pace, state: Mutex::new(state) }
    }

    /// Done when a request of `endpoint` may be sent. A customer's takes its place in the queue; any other waits until
    /// half of the bucket is free, so that a customer who comes then goes first.
    pub(crate) async fn wait(&self, endpoint: &str, urgency: Urgency) -> Result<(), QueueTooLong> {
        let began = Instant::now();
        loop {
            let wait = match self.turn(endpoint, urgency, began) {
                Turn::Now => return Ok(()),
                Turn::TooLate(wait) => return Err(QueueTooLong { wait }),
                Turn::Taken(wait) => {
                    sleep(wait).await;
                    return Ok(());
                }
                Turn::AskAgain(wait) => wait,
            };
            sleep(wait).await;
        }
    }

    fn turn(&self, endpoint: &str, urgency: Urgency, began: Instant) -> Turn {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let permille = state.permille_at(now);
        let each = |rate: u32| {
            let full = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
            full.saturating_mul(FULL).checked_div(permille).unwrap_or(full)
        };
        let (by_account, by_endpoint) = (each(self.pace.account), each(self.pace.endpoint));
        let (reserve, patience) = match urgency {
            Urgency::Customer => (Duration::ZERO, self.pace.customer_wait),
            Urgency::Background => (Duration::from_millis(500), self.pace.background_wait),
        };
        if state.endpoints.len() >= ENDPOINTS_MAX {
            state.endpoints.clear();
        }
        let account = state.account;
        let bucket = state.endpoints.entry(endpoint.to_owned()).or_insert(Bucket { full_at: now });
        let wait = account.wait(by_account, reserve, now).max(bucket.wait(by_endpoint, reserve, now));
        if now.saturating_duration_since(began) + wait > patience {
            return Turn::TooLate(wait);
        }
        if wait > Duration::ZERO && urgency == Urgency::Background {
            return Turn::AskAgain(wait);
        }
        bucket.take(by_endpoint, now);
        state.account.take(by_account, now);
        if wait.is_zero() { Turn::Now } else { Turn::Taken(wait) }
    }

    /// Stripe has refused a request as one too many: all go at half the pace, and a little faster each second from
    /// then on.
    pub(crate) fn slow_down(&self) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.permille = (state.permille_at(now) / 2).max(SLOWEST);
        state.refused_at = now;
        tracing::warn!(permille = state.permille, "Stripe limits the rate of requests: slowing down");
    }
}

impl State {
    fn permille_at(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.refused_at).as_secs();
        let recovered = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(RECOVERY);
        self.permille.saturating_add(recovered).min(FULL)
    }
}

enum Turn {
    Now,
    /// Its place is taken; it goes after this.
    Taken(Duration),
    AskAgain(Duration),
    TooLate(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(endpoint: u32, account: u32) -> Pace {
        Pace { endpoint, account, ..Pace::default() }
    }

    /// How many of `many` requests got through, and how long that took by the (halted) clock.
    async fn run(limiter: &Limiter, many: u32, urgency: Urgency) -> (u32, Duration) {
        let began = Instant::now();
        let mut through = 0;
        for _ in 0..many {
            through += u32::from(limiter.wait("POST payment_intents ", urgency).await.is_ok());
        }
        (through, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_s_worth_goes_at_once_and_the_rest_at_its_pace() {
        for (limits, seconds) in [(pace(25, 100), 3), (pace(100, 25), 3), (pace(0, 25), 3), (pace(25, 0), 3)] {
            let (through, took) = run(&Limiter::new(limits), 100, Urgency::Customer).await;
            assert_eq!((through, took.as_secs()), (100, seconds), "{limits:?}");
        }
        let (through, took) = run(&Limiter::new(Pace::unlimited()), 10_000, Urgency::Background).await;
        assert_eq!((through, took), (10_000, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn one_endpoint_does_not_hold_up_another() {
        let limiter = Limiter::new(pace(25, 100));
        run(&limiter, 25, Urgency::Customer).await;
        let began = Instant::now();
        limiter.wait("GET payment_intents ", Urgency::Customer).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_too_long_is_said_at_once() {
        let limiter = Limiter::new(pace(25, 100));
        let waiting: Vec<_> = (0..200).map(|_| limiter.wait("x", Urgency::Customer)).collect();
        let began = Instant::now();
        let done = futures_util::future::join_all(waiting).await;
        let through = done.iter().filter(|it| it.is_ok()).count();
        assert_eq!((through, began.elapsed().as_secs()), (75, 2), "a second's worth, and two more in two seconds");
        assert!(matches!(done.last(), Some(Err(QueueTooLong { wait })) if *wait > Duration::from_secs(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn customers_go_before_everybody_else() {
        let limiter = Limiter::new(pace(25, 100));
        let background = async { run(&limiter, 100, Urgency::Background).await };
        let customers = async {
            sleep(Duration::from_millis(10)).await;
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                let began = Instant::now();
                limiter.wait("POST payment_intents ", Urgency::Customer).await.unwrap();
                longest = longest.max(began.elapsed());
                sleep(Duration::from_millis(100)).await;
            }
            longest
        };
        let ((through, _), longest) = tokio::join!(background, customers);
        assert_eq!((through, longest), (100, Duration::ZERO), "no customer ever waits for a worker");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_pace_and_it_comes_back() {
        let limiter = Limiter::new(pace(25, 0));
        limiter.slow_down();
        run(&limiter, 12, Urgency::Customer).await;
        let (_, took) = run(&limiter, 10, Urgency::Customer).await;
        assert!(took > Duration::from_millis(600), "ten at half the pace: {took:?}");
        sleep(Duration::from_secs(30)).await;
        run(&limiter, 25, Urgency::Customer).await;
        let (_, took) = run(&limiter, 25, Urgency::Customer).await;
        assert_eq!(took.as_millis() / 10, 100, "twenty-five at the full one");
    }
}
