//! Client-side rate limiter. Stripe limits the requests of an account and of each endpoint ("Rate limits") and refuses
//! those above. Requests wait here instead, for a bounded time; each kind of caller has a share of the rate, so that
//! many shoppers cannot use up all of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

/// Limits of the request rate, and how long a request may wait for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests per second to one endpoint; 0 for no limit.
    pub endpoint: u32,
    /// Requests per second of the account; 0 for no limit.
    pub account: u32,
    /// Longest wait of a request that a shopper or an application waits for.
    pub customer_wait: Duration,
    /// Longest wait of a request of the worker or of the books.
    pub background_wait: Duration,
}

impl Default for Pace {
    /// Stripe's limits for a live account: 25 requests per second to one endpoint, 100 in all.
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
    /// No limit on the rate: for the Stripe twin.
    pub fn unlimited() -> Self {
        Self { endpoint: 0, account: 0, ..Self::default() }
    }
}

/// Error of a request that was not sent because it would have had to wait too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the rate limiter would delay it by {wait:?}")]
pub struct QueueTooLong {
    /// Time until the request could be sent.
    pub wait: Duration,
}

/// Kind of caller on whose behalf a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A storefront caller.
    Shopper,
    /// A holder of an API key.
    Application,
    /// The worker, which performs committed tasks.
    Worker,
    /// The books, which read what has moved the balance. They come last: nothing waits for them.
    Books,
}

/// Share of the rate that shoppers always have, in thousandths. They get more only while the others leave it unused.
const SHOPPERS_SHARE: u32 = 600;
/// Share of the rate that the worker always has, in thousandths.
const WORKER_SHARE: u32 = 150;
/// Unused part of one second's rate that must be left before a caller may exceed its own share.
const FREE_FOR_MORE: Duration = Duration::from_millis(500);
/// Unused part of one second's rate that must be left before the books may send. It is more than [`FREE_FOR_MORE`], so
/// that the books also wait for callers that exceed their own share.
const FREE_FOR_BOOKS: Duration = Duration::from_millis(750);

/// Most requests in flight (sent and not answered) by caller: each has a connection of its own.
const SHOPPERS_IN_FLIGHT_MAX: u16 = 48;
const APPLICATIONS_IN_FLIGHT_MAX: u16 = 48;
const WORKER_IN_FLIGHT_MAX: u16 = 30;
const BOOKS_IN_FLIGHT_MAX: u16 = 2;
/// Most requests to Stripe that one process has in flight, and most connections to Stripe.
pub const CALLS_IN_FLIGHT_MAX: u64 = 128;

/// Lowest rate after Stripe's refusals, in thousandths of the full rate.
const SLOWEST: u32 = 125;
/// Full rate, in thousandths.
const FULL: u32 = 1000;
/// Part of the full rate regained with each second without a refusal, in thousandths.
const RECOVERY: u32 = 50;
/// Most endpoints that are counted separately; Paywright uses a dozen.
const ENDPOINTS_MAX: usize = 64;

/// Decides when each request may be sent.
#[derive(Debug)]
pub(crate) struct Limiter {
    pace: Pace,
    state: Mutex<State>,
    shoppers: Arc<Semaphore>,
    applications: Arc<Semaphore>,
    worker: Arc<Semaphore>,
    books: Arc<Semaphore>,
}

/// Permit to have one request in flight; drop it when the request is answered.
#[derive(Debug)]
pub(crate) struct SendPermit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

#[derive(Debug)]
struct State {
    account: Buckets,
    endpoints: HashMap<String, Buckets>,
    permille: u32,
    refused_at: Instant,
}

/// Token bucket that holds one second's worth of requests, stored as the time at which it will be full again.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Time until a request may be sent so that `reserve` of one second's rate stays unused.
    fn wait(&self, each: Duration, reserve: Duration, now: Instant) -> Duration {
        let depth = Duration::from_secs(1).saturating_sub(reserve);
        (self.full_at.saturating_duration_since(now) + each).saturating_sub(depth.max(each))
    }

    fn take(&mut self, each: Duration, now: Instant) {
        self.full_at = self.full_at.max(now) + each;
    }
}

/// Buckets of one rate limit: for all requests, and for each caller that has a share.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    all: Bucket,
    shoppers: Bucket,
    worker: Bucket,
}

/// Wait that one rate limit imposes on a request.
#[derive(Debug, Clone, Copy)]
struct Wait {
    wait: Duration,
    /// Whether the request is within the caller's own share, so that it may reserve its place in the queue.
    is_own_share: bool,
}

impl Buckets {
    const fn new(now: Instant) -> Self {
        let full = Bucket { full_at: now };
        Self { all: full, shoppers: full, worker: full }
    }

    /// Computes a caller's wait. Within its share a request goes as soon as the whole rate allows it; beyond its share,
    /// only while half of the rate is unused. The books have no share, and go while three quarters are unused.
    fn wait(&self, each: Duration, caller: Caller, now: Instant) -> Wait {
        let any = self.all.wait(each, Duration::ZERO, now);
        let own = match caller {
            Caller::Shopper => self.shoppers.wait(each_of_share(each, SHOPPERS_SHARE), Duration::ZERO, now),
            Caller::Application => Duration::ZERO,
            Caller::Worker => self.worker.wait(each_of_share(each, WORKER_SHARE), Duration::ZERO, now),
            Caller::Books => {
                return Wait { wait: self.all.wait(each, FREE_FOR_BOOKS, now), is_own_share: false };
            }
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
            Caller::Application | Caller::Books => {}
            Caller::Worker => self.worker.take(each_of_share(each, WORKER_SHARE), now),
        }
    }
}

/// Time that one request takes up in a bucket of `permille` of the rate.
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
            books: slots(BOOKS_IN_FLIGHT_MAX),
        }
    }

    /// Waits until a request to `endpoint` may be sent. An application's request, and one within its caller's share of
    /// the rate, reserves its place in the queue; any other waits until half of the rate is unused, so that others go
    /// first.
    pub(crate) async fn wait(&self, endpoint: &str, caller: Caller) -> Result<SendPermit, QueueTooLong> {
        let (slots, wait_max) = match caller {
            Caller::Shopper => (&self.shoppers, self.pace.customer_wait),
            Caller::Application => (&self.applications, self.pace.customer_wait),
            Caller::Worker => (&self.worker, self.pace.background_wait),
            Caller::Books => (&self.books, self.pace.background_wait),
        };
        let deadline = Instant::now() + wait_max;
        loop {
            let (wait, is_reserved) = match self.turn(endpoint, caller, deadline) {
                Turn::Reserved(wait) => (wait, true),
                Turn::TryAgain(wait) => (wait, false),
                Turn::TooLate(wait) => return Err(QueueTooLong { wait }),
            };
            sleep(wait).await;
            if is_reserved {
                break;
            }
        }
        // A caller with all of its requests in flight waits here for one of them to be answered.
        match timeout_at(deadline, Arc::clone(slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(SendPermit(slot)),
            Ok(Err(_)) | Err(_) => Err(QueueTooLong { wait: wait_max }),
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
        let may_reserve = of_account.is_own_share && of_endpoint.is_own_share;
        if wait > Duration::ZERO && !may_reserve {
            return Turn::TryAgain(wait);
        }
        buckets.take(by_endpoint, caller, now);
        state.account.take(by_account, caller, now);
        Turn::Reserved(wait)
    }

    /// Halves the rate after Stripe has refused a request with 429; it recovers a little each second.
    pub(crate) fn slow_down(&self) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.permille = (state.permille_at(now) / 2).max(SLOWEST);
        state.refused_at = now;
        tracing::warn!(permille = state.permille, "Stripe refused a request by its rate limit; sending more slowly");
    }
}

impl State {
    fn permille_at(&self, now: Instant) -> u32 {
        let seconds = now.saturating_duration_since(self.refused_at).as_secs();
        let recovered = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(RECOVERY);
        self.permille.saturating_add(recovered).min(FULL)
    }
}

/// Answer of the limiter to one request.
enum Turn {
    /// A place in the queue is reserved: the request goes after this wait.
    Reserved(Duration),
    /// No place is reserved: the limiter must be called again after this wait.
    TryAgain(Duration),
    /// The wait is beyond the deadline.
    TooLate(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(endpoint: u32, account: u32) -> Pace {
        Pace { endpoint, account, ..Pace::default() }
    }

    /// Sends `many` requests; counts those that passed, and the time taken by the paused clock.
    async fn run(limiter: &Limiter, many: u32, caller: Caller) -> (u32, Duration) {
        let began = Instant::now();
        let mut through = 0;
        for _ in 0..many {
            through += u32::from(limiter.wait("POST payment_intents ", caller).await.is_ok());
        }
        (through, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_requests_of_one_second_are_sent_immediately_and_the_rest_at_the_rate_limit() {
        for (limits, seconds) in [(pace(25, 100), 3), (pace(100, 25), 3), (pace(0, 25), 3), (pace(25, 0), 3)] {
            let (through, took) = run(&Limiter::new(limits), 100, Caller::Application).await;
            assert_eq!((through, took.as_secs()), (100, seconds), "{limits:?}");
        }
        let (through, took) = run(&Limiter::new(Pace::unlimited()), 10_000, Caller::Worker).await;
        assert_eq!((through, took), (10_000, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn one_endpoint_does_not_delay_another() {
        let limiter = Limiter::new(pace(25, 100));
        run(&limiter, 25, Caller::Application).await;
        let began = Instant::now();
        limiter.wait("GET payment_intents ", Caller::Application).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_would_wait_too_long_fails_immediately() {
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
    async fn an_application_never_waits_for_the_worker() {
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

    #[tokio::test(start_paused = true)]
    async fn the_books_wait_for_all_others_and_get_the_whole_rate_alone() {
        let (through, took) = run(&Limiter::new(pace(25, 100)), 100, Caller::Books).await;
        assert_eq!((through, took.as_secs()), (100, 3));
        for caller in [Caller::Shopper, Caller::Application, Caller::Worker] {
            let alone = run(&Limiter::new(pace(25, 100)), 200, caller).await;
            let limiter = Limiter::new(pace(25, 100));
            let books = async { run(&limiter, 100, Caller::Books).await };
            let ((books, took), beside) = tokio::join!(books, run(&limiter, 200, caller));
            // The books may send before the first other request: six at most are then ahead of it.
            assert_eq!(beside.0, alone.0, "{caller:?}");
            assert!(beside.1 <= alone.1 + Duration::from_millis(6 * 40), "{caller:?}: {beside:?} {alone:?}");
            assert!(took > alone.1, "{caller:?}: the books end last: {took:?}");
            assert!(books > 0, "{caller:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_books_give_up_while_others_use_the_whole_rate() {
        let limiter = Limiter::new(pace(25, 100));
        run(&limiter, 25, Caller::Application).await;
        let applications = async {
            for _ in 0..1000 {
                limiter.wait("GET payment_intents ", Caller::Application).await.unwrap();
            }
        };
        let books = async { limiter.wait("GET payment_intents ", Caller::Books).await.map(drop) };
        let ((), books) = tokio::join!(applications, books);
        assert!(books.is_err(), "they are tried again later");
    }

    #[test]
    fn the_in_flight_limits_of_all_callers_add_up_to_the_published_limit() {
        let all = [SHOPPERS_IN_FLIGHT_MAX, APPLICATIONS_IN_FLIGHT_MAX, WORKER_IN_FLIGHT_MAX, BOOKS_IN_FLIGHT_MAX];
        assert_eq!(all.map(u64::from).iter().sum::<u64>(), CALLS_IN_FLIGHT_MAX);
    }

    /// Sends from 300 tasks without a pause for so many seconds; counts the requests that passed.
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
    async fn many_shoppers_leave_applications_and_the_worker_their_shares() {
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
        // Four requests a second of an application and two of the worker.
        let (shoppers, application, worker) = tokio::join!(
            crowd(&limiter, Caller::Shopper, 10),
            others(Caller::Application, Duration::from_millis(250)),
            others(Caller::Worker, Duration::from_millis(500)),
        );
        assert!(application.max(worker) < Duration::from_millis(100), "{application:?} {worker:?}");
        // One second's worth, and 25 a second until the last of them has timed out, less the forty of the others.
        assert!((200..=25 + 25 * 12 - 40).contains(&shoppers), "they get what is left: {shoppers}");
    }

    #[tokio::test(start_paused = true)]
    async fn shoppers_get_the_whole_rate_while_no_other_caller_sends() {
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
    async fn a_refusal_halves_the_rate_and_it_recovers() {
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
