//! A shop under load, to be failed and counted.

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
use crate::ledger::{Ledger, Told, Wanted, placement};
use crate::load::Caller;
use crate::program::{Process, two_lines};
use crate::report::{Counts, Outcome};
use crate::served::{IMPATIENT, Served};

/// Callers who send each call once.
const ONCE: usize = 16;
/// Callers who repeat each call until it is answered.
const REPEATING: usize = 4;
/// How many placements are acknowledged before the first fault, and after the last.
const PLACEMENTS: usize = 30;
/// How long the first call after a fault may take: then the drill has failed.
const RECOVERY_MAX: Duration = Duration::from_secs(90);

/// A shop under load.
pub(crate) struct Shop {
    pub(crate) served: Arc<Served>,
    pub(crate) processes: Vec<Option<Process>>,
    pub(crate) ledger: Arc<Ledger>,
    /// The calls by which it is seen that a fault is over.
    pub(crate) recovers_by: fn(&Wanted) -> bool,
    seen: Arc<Seen>,
    recoveries: Vec<Duration>,
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
    /// How often a load was started.
    loads: usize,
}

impl Shop {
    /// Starts `replicas` processes on a database, and a twin.
    pub(crate) async fn open(database: &str, replicas: usize, webhooks: bool, more: &str) -> Self {
        Self::open_as(database, replicas, webhooks, &format!("{IMPATIENT}\n{more}")).await
    }

    /// As [`Self::open`], with these settings alone.
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

    /// As [`Self::load`], by customers who go another way.
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

    /// Waits until some more placements are acknowledged.
    pub(crate) async fn placed_more(&self) {
        let (begun, before) = (Instant::now(), self.ledger.acknowledged(placement));
        while self.ledger.acknowledged(placement) < before + PLACEMENTS {
            assert!(begun.elapsed() < RECOVERY_MAX, "too little is placed");
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

    /// Waits until a call is acknowledged after `end`, when the fault was over.
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

    /// Refunds some payments at Stripe's dashboard.
    pub(crate) async fn refund_at_the_dashboard(&self, count: usize) {
        let intents = self.served.intents().await;
        for intent in intents.iter().filter(|it| it["status"] == "succeeded").take(count) {
            let form = format!("payment_intent={}&amount=777", intent["id"].as_str().unwrap());
            self.customer().stripe(Method::POST, "/v1/refunds", &form).await;
        }
    }

    /// Ends the load, waits for rest, and counts.
    pub(crate) async fn count(self) -> Outcome {
        assert!(self.ledger.failures() > 0, "the faults met no call");
        self.counted().await
    }

    /// As [`Self::count`], where no call may have failed.
    pub(crate) async fn count_failures(self) -> Outcome {
        let (ledger, seen) = (Arc::clone(&self.ledger), Arc::clone(&self.seen));
        let mut outcome = self.counted().await;
        if let Outcome::Counted { counts, .. } = &mut outcome {
            let repeated = [&seen.unanswered, &seen.told_to_come_again].map(|it| it.load(Ordering::SeqCst));
            counts.failed = ledger.failures() + repeated.iter().sum::<usize>();
        }
        outcome
    }

    /// As [`Self::count`], where no call has to have failed.
    pub(crate) async fn count_restored(self) -> Outcome {
        self.counted().await
    }

    /// Runs a command of the program with the settings of the shop. It has to work.
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

    /// Waits for rest and counts, where no load is left.
    pub(crate) async fn counted_at_rest(self) -> Outcome {
        let repeated = self.repeat_some().await;
        let (found, rest) = Found::at_rest(&self.served, &self.customer()).await;
        let mut counts = Counts::of(&self.ledger.entries(), &found);
        counts.doubled += repeated;
        Outcome::Counted { counts, recoveries: self.recoveries, rest }
    }

    /// Repeats placements that were acknowledged, under their keys: how many give another order.
    async fn repeat_some(&self) -> usize {
        let mut others = 0;
        let entries = self.ledger.entries();
        let keyed = entries.iter().filter(|it| it.key.is_some() && placement(&it.wanted) && it.told.is_done());
        for entry in keyed.step_by(10) {
            let Wanted::Order { mark } = &entry.wanted else { continue };
            let mut body = two_lines();
            body["metadata"] = json!({ "mark": mark });
            let again = self.customer().place_this(mark, &body).await;
            others += usize::from(entry.told != Told::Done { id: again });
        }
        others
    }
}

/// This moment, as the program takes it.
pub(crate) fn moment() -> String {
    let date = Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

/// Waits for some milliseconds.
pub(crate) async fn pause(milliseconds: RangeInclusive<u64>) {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(milliseconds))).await;
}

/// Does what blocks, with what it is done to.
pub(crate) async fn blocking<T: Send + Sync + 'static>(to: &Arc<T>, run: impl FnOnce(&T) + Send + 'static) {
    let to = Arc::clone(to);
    spawn_blocking(move || run(&to)).await.unwrap();
}
