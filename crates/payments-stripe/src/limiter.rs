//! How fast requests are sent: Stripe counts those of an account and those of each endpoint ("Rate limits"). Who sends
//! faster is refused; so we wait here, by shares that no crowd of shoppers can take from the rest, and not for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

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

/// On whose behalf a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Anybody with a browser.
    Shopper,
    /// A program of the shop, with an API key.
    Application,
    /// Committed tasks, which nobody waits for.
    Worker,
}

/// The share of the rate that shoppers have whatever the others do, in thousandths. They get the rest only while nobody
/// else uses it, so that no crowd of them takes all of Stripe's rate.
const SHOPPERS_SHARE: u32 = 600;
/// The share of the rate that the worker has whatever the others do, in thousandths.
const WORKER_SHARE: u32 = 150;
/// How much of a second's worth must be free before somebody goes beyond the own share.
const FREE_FOR_MORE: Duration = Duration::from_millis(500);

/// The most requests that are sent and not answered, by caller: each has a connection of its own.
const SHOPPERS_IN_FLIGHT_MAX: u16 = 48;
const APPLICATIONS_IN_FLIGHT_MAX: u16 = 48;
const WORKER_IN_FLIGHT_MAX: u16 = 32;
/// The most requests to Stripe that one process has in flight, and the most connections for them.
pub const CALLS_IN_FLIGHT_MAX: u64 = 128;

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
    shoppers: Arc<Semaphore>,
    applications: Arc<Semaphore>,
    worker: Arc<Semaphore>,
}

/// Leave to send a request, until it is answered.
#[derive(Debug)]
pub(crate) struct Leave(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

#[derive(Debug)]
struct State {
    account: Buckets,
    endpoints: HashMap<String, Buckets>,
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

/// The buckets of one rate: of all requests, and of those whose share of it is bounded.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    all: Bucket,
    shoppers: Bucket,
    worker: Bucket,
}

/// When a request may go by one rate.
#[derive(Debug, Clone, Copy)]
struct Wait {
    wait: Duration,
    /// Whether it is within the caller's own share, so that it may take a place in the queue.
    is_own_share: bool,
}

impl Buckets {
    const fn new(now: Instant) -> Self {
        let full = Bucket { full_at: now };
        Self { all: full, shoppers: full, worker: full }
    }

    /// A request of a caller may go at once within its own share, as far as others have left the rate free; beyond it,
    /// only while half of the rate is unused.
    fn wait(&self, each: Duration, caller: Caller, now: Instant) -> Wait {
        let any = self.all.wait(each, Duration::ZERO, now);
        let own = match caller {
            Caller::Shopper => self.shoppers.wait(each_of_share(each, SHOPPERS_SHARE), Duration::ZERO, now),
            Caller::Application => Duration::ZERO,
            Caller::Worker => self.worker.wait(each_of_share(each, WORKER_SHARE), Duration::ZERO, now),
        };
        if own.is_zero() {
            return Wait { wait: any, is_own_share: true };
        }
        let unused = self.all.wait(each, FREE_FOR_MORE, now);
        Wait { wait: own.max(any).min(unused), is_own_share: false }
    }

    fn take(&mut self, each: Duration, caller: Caller, now: Instant) {
        self.all.take(each, now);
        match caller {
            Caller::Shopper => self.shoppers.take(each_of_share(each, SHOPPERS_SHARE), now),
            Caller::Application => {}
            Caller::Worker => self.worker.take(each_of_share(each, WORKER_SHARE), now),
        }
    }
}

/// How long a request counts against a share of the rate.
fn each_of_share(each: Duration, permille: u32) -> Duration {
    each.saturating_mul(FULL).checked_div(permille).unwrap_or(each)
}

impl Limiter {
    pub(crate) fn new(pace: Pace) -> Self {
        let now = Instant::now();
        let account = Buckets::new(now);
        let state = State { account, endpoints: HashMap::new(), permille: FULL, refused_at: now };
        let slots = |many: u16| Arc::new(Semaphore::new(many.into()));
        Self {
            pace,
            state: Mutex::new(state),
            shoppers: slots(SHOPPERS_IN_FLIGHT_MAX),
            applications: slots(APPLICATIONS_IN_FLIGHT_MAX),
            worker: slots(WORKER_IN_FLIGHT_MAX),
        }
    }

    /// Done when a request of `endpoint` may be sent. One of an application, and one within its caller's share of the rate,
    /// takes its place in the queue; any other waits until half of the rate is unused, so that others go first.
    pub(crate) async fn wait(&self, endpoint: &str, caller: Caller) -> Result<Leave, QueueTooLong> {
        let (slots, patience) = match caller {
            Caller::Shopper => (&self.shoppers, self.pace.customer_wait),
            Caller::Application => (&self.applications, self.pace.customer_wait),
            Caller::Worker => (&self.worker, self.pace.background_wait),
        };
        let deadline = Instant::now() + patience;
        loop {
            let (wait, goes_then) = match self.turn(endpoint, caller, deadline) {
                Turn::Taken(wait) => (wait, true),
                Turn::AskAgain(wait) => (wait, false),
                Turn::TooLate(wait) => return Err(QueueTooLong { wait }),
            };
            sleep(wait).await;
            if goes_then {
                break;
            }
        }
        // In a queue of their own come those who wait for an answer to one of the others.
        match timeout_at(deadline, Arc::clone(slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(Leave(slot)),
            Ok(Err(_)) | Err(_) => Err(QueueTooLong { wait: patience }),
        }
    }

    fn turn(&self, endpoint: &str, caller: Caller, deadline: Instant) -> Turn {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let permille = state.permille_at(now);
        let each = |rate: u32| {
            let full = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
            full.saturating_mul(FULL).checked_div(permille).unwrap_or(full)
        };
        let (by_account, by_endpoint) = (each(self.pace.account), each(self.pace.endpoint));
        if state.endpoints.len() >= ENDPOINTS_MAX {
            state.endpoints.clear();
        }
        let of_account = state.account.wait(by_account, caller, now);
        let buckets = state.endpoints.entry(endpoint.to_owned()).or_insert(Buckets::new(now));
        let of_endpoint = buckets.wait(by_endpoint, caller, now);
        let wait = of_account.wait.max(of_endpoint.wait);
        if now + wait > deadline {
            return Turn::TooLate(wait);
        }
        let takes_place = of_account.is_own_share && of_endpoint.is_own_share;
        if wait > Duration::ZERO && !takes_place {
            return Turn::AskAgain(wait);
        }
        buckets.take(by_endpoint, caller, now);
        state.account.take(by_account, caller, now);
        Turn::Taken(wait)
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
    async fn run(limiter: &Limiter, many: u32, caller: Caller) -> (u32, Duration) {
        let began = Instant::now();
        let mut through = 0;
        for _ in 0..many {
            through += u32::from(limiter.wait("POST payment_intents ", caller).await.is_ok());
        }
        (through, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_s_worth_goes_at_once_and_the_rest_at_its_pace() {
        for (limits, seconds) in [(pace(25, 100), 3), (pace(100, 25), 3), (pace(0, 25), 3), (pace(25, 0), 3)] {
            let (through, took) = run(&Limiter::new(limits), 100, Caller::Application).await;
            assert_eq!((through, took.as_secs()), (100, seconds), "{limits:?}");
        }
        let (through, took) = run(&Limiter::new(Pace::unlimited()), 10_000, Caller::Worker).await;
        assert_eq!((through, took), (10_000, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn one_endpoint_does_not_hold_up_another() {
        let limiter = Limiter::new(pace(25, 100));
        run(&limiter, 25, Caller::Application).await;
        let began = Instant::now();
        limiter.wait("GET payment_intents ", Caller::Application).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_too_long_is_said_at_once() {
        let limiter = Limiter::new(pace(25, 100));
        let waiting: Vec<_> =
            (0..200).map(|_| async { limiter.wait("x", Caller::Application).await.map(drop) }).collect();
        let began = Instant::now();
        let done = futures_util::future::join_all(waiting).await;
        let through = done.iter().filter(|it| it.is_ok()).count();
        assert_eq!((through, began.elapsed().as_secs()), (75, 2), "a second's worth, and two more in two seconds");
        assert!(matches!(done.last(), Some(Err(QueueTooLong { wait })) if *wait > Duration::from_secs(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn customers_go_before_everybody_else() {
        let limiter = Limiter::new(pace(25, 100));
        let background = async { run(&limiter, 100, Caller::Worker).await };
        let customers = async {
            sleep(Duration::from_millis(10)).await;
            let mut longest = Duration::ZERO;
            for _ in 0..20 {
                let began = Instant::now();
                limiter.wait("POST payment_intents ", Caller::Application).await.unwrap();
                longest = longest.max(began.elapsed());
                sleep(Duration::from_millis(100)).await;
            }
            longest
        };
        let ((through, _), longest) = tokio::join!(background, customers);
        assert_eq!((through, longest), (100, Duration::ZERO), "no customer ever waits for a worker");
    }

    #[test]
    fn the_calls_in_flight_of_all_callers_are_what_is_promised() {
        let all = [SHOPPERS_IN_FLIGHT_MAX, APPLICATIONS_IN_FLIGHT_MAX, WORKER_IN_FLIGHT_MAX];
        assert_eq!(all.map(u64::from).iter().sum::<u64>(), CALLS_IN_FLIGHT_MAX);
    }

    /// Sends as a crowd does, without a pause, for so many seconds; how many got through.
    async fn crowd(limiter: &Limiter, caller: Caller, seconds: u64) -> u32 {
        let until = Instant::now() + Duration::from_secs(seconds);
        let one = || async {
            let mut through = 0;
            while Instant::now() < until {
                through += u32::from(limiter.wait("GET payment_intents ", caller).await.is_ok());
            }
            through
        };
        futures_util::future::join_all((0..300).map(|_| one())).await.into_iter().sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_shoppers_leaves_applications_and_the_worker_their_shares() {
        let limiter = Limiter::new(pace(25, 100));
        let others = |caller, every: Duration| {
            let limiter = &limiter;
            async move {
                let mut longest = Duration::ZERO;
                for _ in 0..20 {
                    sleep(every).await;
                    let began = Instant::now();
                    limiter.wait("GET payment_intents ", caller).await.unwrap();
                    longest = longest.max(began.elapsed());
                }
                longest
            }
        };
        // Four a second of an application and two of the worker.
        let (shoppers, application, worker) = tokio::join!(
            crowd(&limiter, Caller::Shopper, 10),
            others(Caller::Application, Duration::from_millis(250)),
            others(Caller::Worker, Duration::from_millis(500)),
        );
        assert!(application.max(worker) < Duration::from_millis(100), "{application:?} {worker:?}");
        // A second's worth, and 25 a second until the last of them has waited in vain, less the forty of the others.
        assert!((200..=25 + 25 * 12 - 40).contains(&shoppers), "they get what is left: {shoppers}");
    }

    #[tokio::test(start_paused = true)]
    async fn shoppers_alone_get_all_of_the_rate() {
        let through = crowd(&Limiter::new(pace(25, 100)), Caller::Shopper, 10).await;
        assert!((250..=25 + 25 * 12).contains(&through), "{through}");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_in_flight_are_bounded_for_each_caller() {
        let limiter = Limiter::new(Pace { customer_wait: Duration::from_millis(1), ..Pace::unlimited() });
        let mut held = Vec::new();
        while let Ok(leave) = limiter.wait("x", Caller::Shopper).await {
            held.push(leave);
        }
        assert_eq!(held.len(), usize::from(SHOPPERS_IN_FLIGHT_MAX));
        assert!(limiter.wait("x", Caller::Application).await.is_ok());
        held.pop();
        assert!(limiter.wait("x", Caller::Shopper).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_halves_the_pace_and_it_comes_back() {
        let limiter = Limiter::new(pace(25, 0));
        limiter.slow_down();
        run(&limiter, 12, Caller::Application).await;
        let (_, took) = run(&limiter, 10, Caller::Application).await;
        assert!(took > Duration::from_millis(600), "ten at half the pace: {took:?}");
        sleep(Duration::from_secs(30)).await;
        run(&limiter, 25, Caller::Application).await;
        let (_, took) = run(&limiter, 25, Caller::Application).await;
        assert_eq!(took.as_millis() / 10, 100, "twenty-five at the full one");
    }
}
