//! A shop under load, in which drills cause failures.

use std::ops::RangeInclusive;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::customer::{Customer, Seen, customer};
use crate::found::Found;
use crate::ledger::{Ledger, Reply, Wanted, placement};
use crate::load::Caller;
use crate::program::{Process, two_lines};
use crate::report::{Counts, Outcome};
use crate::served::{SHORT_TIMEOUTS, Served};

/// Number of callers that send each call once.
const ONCE: usize = 16;
/// Number of callers that repeat each call until it is answered.
const REPEATING: usize = 4;
/// Minimum number of orders that are acknowledged before the first fault, and after the last.
const PLACEMENTS: usize = 30;
/// Maximum time from the end of a fault to the next acknowledged call; after it the drill fails.
const RECOVERY_MAX: Duration = Duration::from_secs(90);

/// A shop under load.
pub(crate) struct Shop {
    pub(crate) served: Arc<Served>,
    pub(crate) processes: Vec<Option<Process>>,
    pub(crate) ledger: Arc<Ledger>,
    /// Kind of call whose acknowledgement shows that a fault is over.
    pub(crate) recovers_by: fn(&Wanted) -> bool,
    seen: Arc<Seen>,
    recoveries: Vec<Duration>,
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
    /// Number of times that the load was started.
    loads: usize,
}

impl Shop {
    /// Starts `replicas` processes on a database, and a twin.
    pub(crate) async fn open(database: &str, replicas: usize, webhooks: bool, more: &str) -> Self {
        Self::open_as(database, replicas, webhooks, &format!("{SHORT_TIMEOUTS}\n{more}")).await
    }

    /// As [`Self::open`], with exactly these settings.
    pub(crate) async fn open_as(database: &str, replicas: usize, webhooks: bool, settings: &str) -> Self {
        let mut served = Served::start_with(database, replicas, webhooks, "5", settings).await;
        let processes = served.replicas.iter_mut().map(|it| it.0.take()).collect();
        Self {
            served: Arc::new(served),
            processes,
            ledger: Arc::default(),
            recovers_by: placement,
            seen: Arc::default(),
            recoveries: Vec::new(),
            stop: Arc::default(),
            callers: Vec::new(),
            loads: 0,
        }
    }

    pub(crate) fn customer(&self) -> Customer {
        customer(&self.served, &self.seen)
    }

    /// Starts the load, and waits until it is answered.
    pub(crate) async fn load(&mut self) {
        self.load_by(|it| it).await;
    }

    /// As [`Self::load`], with customers changed by `by`.
    pub(crate) async fn load_by(&mut self, by: impl Fn(Customer) -> Customer) {
        let round = self.loads;
        self.loads += 1;
        self.stop.store(false, Ordering::SeqCst);
        for n in 0..ONCE + REPEATING {
            let caller = Caller {
                customer: by(self.customer()),
                name: format!("{round}-{n}"),
                repeats: n >= ONCE,
                ledger: Arc::clone(&self.ledger),
                stop: Arc::clone(&self.stop),
            };
            self.callers.push(tokio::spawn(caller.call()));
        }
        self.placed_more().await;
    }

    /// Waits until [`PLACEMENTS`] more orders are acknowledged.
    pub(crate) async fn placed_more(&self) {
        let (begun, before) = (Instant::now(), self.ledger.acknowledged(placement));
        while self.ledger.acknowledged(placement) < before + PLACEMENTS {
            assert!(begun.elapsed() < RECOVERY_MAX, "too few orders are placed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn kill(&mut self, n: usize) {
        let process = self.processes[n].take().expect("it runs");
        process.signal("-KILL");
        spawn_blocking(|| drop(process)).await.unwrap();
    }

    pub(crate) fn signal(&self, n: usize, name: &str) {
        self.processes[n].as_ref().expect("it runs").signal(name);
    }

    pub(crate) async fn serve(&mut self, n: usize) {
        self.serve_in(n, Vec::new()).await;
    }

    /// Starts the `n`th process, with these variables in its environment.
    pub(crate) async fn serve_in(&mut self, n: usize, environment: Vec<(&'static str, String)>) {
        let served = Arc::clone(&self.served);
        let serve = move || {
            let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
            served.serve_in(n, &environment)
        };
        self.processes[n] = Some(spawn_blocking(serve).await.unwrap());
    }

    /// Waits until a call is acknowledged after `end`, the end of the fault.
    pub(crate) async fn recovered(&mut self, end: Instant) {
        loop {
            if let Some(after) = self.ledger.acknowledged_after(end, self.recovers_by) {
                self.recoveries.push(after);
                return;
            }
            assert!(end.elapsed() < RECOVERY_MAX, "nothing is acknowledged for {RECOVERY_MAX:?} after the fault");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the load.
    pub(crate) async fn quiet(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for caller in std::mem::take(&mut self.callers) {
            caller.await.unwrap();
        }
    }

    /// Refunds some payments as in Stripe's dashboard.
    pub(crate) async fn refund_at_the_dashboard(&self, count: usize) {
        let intents = self.served.intents().await;
        for intent in intents.iter().filter(|it| it["status"] == "succeeded").take(count) {
            let form = format!("payment_intent={}&amount=777", intent["id"].as_str().unwrap());
            self.customer().stripe(Method::POST, "/v1/refunds", &form).await;
        }
    }

    /// Ends the load, waits until no work is left, and counts. At least one call must have failed.
    pub(crate) async fn count(self) -> Outcome {
        assert!(self.ledger.failures() > 0, "no call failed during the faults");
        self.counted().await
    }

    /// As [`Self::count`], for drills in which no call may fail.
    pub(crate) async fn count_failures(self) -> Outcome {
        let (ledger, seen) = (Arc::clone(&self.ledger), Arc::clone(&self.seen));
        let mut outcome = self.counted().await;
        if let Outcome::Counted { counts, .. } = &mut outcome {
            let repeated = [&seen.unanswered, &seen.retried_later].map(|it| it.load(Ordering::SeqCst));
            counts.failed = ledger.failures() + repeated.iter().sum::<usize>();
        }
        outcome
    }

    /// As [`Self::count`], without requiring that a call failed.
    pub(crate) async fn count_restored(self) -> Outcome {
        self.counted().await
    }

    /// Runs a command of the program with the settings of the shop, and asserts success.
    pub(crate) async fn command(&self, arguments: &[&str]) {
        let (served, arguments) = (Arc::clone(&self.served), arguments.iter().map(|it| (*it).to_owned()).collect());
        let run = move |arguments: Vec<String>| served.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let (done, printed, said) = spawn_blocking(move || run(arguments)).await.unwrap();
        assert!(done, "{printed}{said}");
    }

    async fn counted(mut self) -> Outcome {
        self.placed_more().await;
        self.quiet().await;
        self.counted_at_rest().await
    }

    /// Waits until no work is left, and counts. The load must have ended.
    pub(crate) async fn counted_at_rest(self) -> Outcome {
        let repeated = self.repeat_some().await;
        let (found, rest) = Found::at_rest(&self.served, &self.customer()).await;
        let mut counts = Counts::of(&self.ledger.entries(), &found);
        counts.doubled += repeated;
        Outcome::Counted { counts, recoveries: self.recoveries, rest }
    }

    /// Repeats acknowledged requests to place an order, under their keys, and returns how many gave another order.
    async fn repeat_some(&self) -> usize {
        let mut others = 0;
        let entries = self.ledger.entries();
        let keyed = entries.iter().filter(|it| it.key.is_some() && placement(&it.wanted) && it.reply.is_done());
        for entry in keyed.step_by(10) {
            let Wanted::Order { mark } = &entry.wanted else { continue };
            let mut body = two_lines();
            body["metadata"] = json!({ "mark": mark });
            let again = self.customer().place_this(mark, &body).await;
            others += usize::from(entry.reply != Reply::Done { id: again });
        }
        others
    }
}

/// The current time, in the program's format.
pub(crate) fn moment() -> String {
    let date = Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// Waits for a random number of milliseconds.
pub(crate) async fn pause(milliseconds: RangeInclusive<u64>) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(milliseconds))).await;
}

/// Runs blocking code on `to`.
pub(crate) async fn blocking<T: Send + Sync + 'static>(to: &Arc<T>, run: impl FnOnce(&T) + Send + 'static) {
    let to = Arc::clone(to);
    spawn_blocking(move || run(&to)).await.unwrap();
}
