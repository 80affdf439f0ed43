//! Monitor: reads the stored state for an operator, and sets the gauges of it when a monitoring program asks for the
//! metrics.

mod words;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use futures_util::lock::Mutex;
use paywright_domain::anomaly::Mismatch;
use paywright_domain::task::TaskKind;
use paywright_domain::{Order, Timestamp};

use crate::metrics::{self, age, seconds_since_1970, set, set_of, signed, whole};
use crate::{App, Backlog, BalanceAmount, BooksAccess, BooksError, BooksFigures, BreakClass, Monitoring, StoreError};

/// Age up to which the gauges are not read again, in seconds: any number of programs may ask for the metrics.
const FRESH_SECONDS: u32 = 5;

/// Largest number of orders that are read because they are held for review.
const ORDERS_MAX: u16 = 1000;

/// Reads the stored state. Clones share the last reading.
#[derive(Clone)]
pub struct Monitor {
    app: App,
    monitoring: Arc<dyn Monitoring>,
    /// `None` if no books are kept.
    books: Option<BooksAccess>,
    last: Arc<Mutex<Option<Arc<Reading>>>>,
    /// Balances and currencies that have a gauge.
    balances: Arc<StdMutex<BTreeSet<(&'static str, &'static str)>>>,
}

/// Stored state at a time.
#[derive(Debug)]
struct Reading {
    at: Timestamp,
    backlog: Backlog,
    /// Orders that are held for review, up to [`ORDERS_MAX`].
    in_review: Vec<Order>,
    /// Figures of the books, if any are kept and can be read.
    books: Option<BooksFigures>,
}

impl Monitor {
    /// Monitor of a service. Without `books`, the gauges of the books are absent.
    pub fn new(app: App, monitoring: Arc<dyn Monitoring>, books: Option<BooksAccess>) -> Self {
        Self { app, monitoring, books, last: Arc::default(), balances: Arc::default() }
    }

    /// Sets the gauges to the state of the last five seconds. If the store fails, its gauges become NaN: a value that is out
    /// of date would hide what happens. It has no timeout of its own.
    pub async fn set_gauges(&self) {
        self.set_gauges_of_this_process(self.app.now());
        // A store that can only be read takes no order: that is down, too.
        let ready = self.app.ready().await;
        match ready.and(self.reading().await) {
            Ok(reading) => self.set_gauges_of(&reading),
            Err(error) => {
                tracing::warn!(%error, "the state cannot be read for metrics");
                self.forget_gauges();
            }
        }
    }

    /// Says what is late or waits for a person, in whole sentences without secrets, by the state of the last five seconds. It has
    /// no timeout of its own.
    pub async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        Ok(words::of(&*self.reading().await?))
    }

    /// The state of the last five seconds. One caller reads it at a time, and the others wait for that.
    async fn reading(&self) -> Result<Arc<Reading>, StoreError> {
        let mut last = self.last.lock().await;
        let now = self.app.now();
        if let Some(reading) = &*last
            && reading.at <= now
            && now < reading.at.plus_seconds(FRESH_SECONDS)
        {
            return Ok(Arc::clone(reading));
        }
        let reading = Arc::new(self.read(now).await?);
        *last = Some(Arc::clone(&reading));
        Ok(reading)
    }

    /// Sets the gauges of the store to NaN, because it did not answer.
    pub fn forget_gauges(&self) {
        let unknown = f64::NAN;
        set(metrics::STORE_UP, 0.0);
        for kind in TaskKind::ALL.map(TaskKind::name) {
            for gauge in [metrics::TASKS_DUE, metrics::TASK_OLDEST, metrics::TASKS_FAILING] {
                set_of(gauge, "kind", kind, unknown);
            }
        }
        for gauge in [
            metrics::PARKED,
            metrics::PARKED_OLDEST,
            metrics::UNPOSITIONED_OLDEST,
            metrics::DELIVERY_OLDEST,
            metrics::FEED_POSITION,
        ] {
            set(gauge, unknown);
        }
        for state in ENDPOINT_STATES {
            set_of(metrics::ENDPOINTS, "state", state, unknown);
        }
        for name in Mismatch::NAMES {
            set_of(metrics::ANOMALIES_OPEN, "name", name, unknown);
        }
        self.forget_books();
    }

    /// Sets the gauges of the books to NaN, those of balances that are no longer reported included.
    fn forget_books(&self) {
        if self.books.is_none() {
            return;
        }
        for class in BreakClass::ALL {
            set_of(metrics::BREAKS_OPEN, "class", class.name(), f64::NAN);
        }
        set(metrics::LAST_STATEMENT, f64::NAN);
        set(metrics::BALANCE_READ, f64::NAN);
        for (balance, currency) in &*self.balances.lock().unwrap_or_else(PoisonError::into_inner) {
            metrics::set_balance_difference(balance, currency, f64::NAN);
        }
    }

    fn set_books(&self, figures: &BooksFigures) {
        for class in BreakClass::ALL {
            let count = figures.open_breaks.get(&class).copied().unwrap_or(0);
            set_of(metrics::BREAKS_OPEN, "class", class.name(), whole(count));
        }
        if let Some(until) = figures.closed_until {
            set(metrics::LAST_STATEMENT, seconds_since_1970(until));
        }
        // An alert on its age must also fire if it was never read.
        set(metrics::BALANCE_READ, seconds_since_1970(figures.balance_read_at.unwrap_or(Timestamp::EPOCH)));
        let mut balances = self.balances.lock().unwrap_or_else(PoisonError::into_inner);
        for BalanceAmount { balance, amount } in &figures.balance_differences {
            let names = (balance.name(), amount.currency().code());
            balances.insert(names);
            metrics::set_balance_difference(names.0, names.1, signed(amount.minor()));
        }
    }

    fn set_gauges_of(&self, reading: &Reading) {
        set_backlog(&reading.backlog, reading.at);
        set_anomalies(&reading.in_review);
        self.forget_books();
        if let Some(figures) = &reading.books {
            self.set_books(figures);
        }
        set(metrics::STORE_UP, 1.0);
    }

    fn set_gauges_of_this_process(&self, now: Timestamp) {
        let used = self.monitoring.connections();
        set(metrics::POOL_IN_USE, whole(u64::try_from(used.in_use).unwrap_or(u64::MAX)));
        set(metrics::POOL_MAX, whole(u64::try_from(used.max).unwrap_or(u64::MAX)));
        set(metrics::BACKFILL_LAG, age(Some(self.app.back_filled_at()), now));
        if let Some(ahead) = self.app.stripe_ahead_seconds() {
            set(metrics::CLOCK_DIFFERENCE, signed(ahead));
        }
    }

    async fn read(&self, now: Timestamp) -> Result<Reading, StoreError> {
        let backlog = self.monitoring.backlog(now).await?;
        let in_review = self.monitoring.orders_in_review(ORDERS_MAX).await?;
        let books = match &self.books {
            Some(books) => match books.figures().await {
                Ok(figures) => Some(figures),
                Err(BooksError::Store(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "the books cannot be read for metrics");
                    None
                }
            },
            None => None,
        };
        Ok(Reading { at: now, backlog, in_review, books })
    }
}

const ENDPOINT_STATES: [&str; 3] = ["enabled", "failing", "disabled"];

fn set_backlog(backlog: &Backlog, now: Timestamp) {
    for kind in TaskKind::ALL {
        let due = backlog.due_tasks.get(&kind).copied().unwrap_or_default();
        let failing = backlog.failing_tasks.get(&kind).copied().unwrap_or_default();
        set_of(metrics::TASKS_DUE, "kind", kind.name(), whole(due.count));
        set_of(metrics::TASK_OLDEST, "kind", kind.name(), age(due.oldest, now));
        set_of(metrics::TASKS_FAILING, "kind", kind.name(), whole(failing.count));
    }
    set(metrics::PARKED, whole(backlog.parked_events.count));
    set(metrics::PARKED_OLDEST, age(backlog.parked_events.oldest, now));
    set(metrics::UNPOSITIONED_OLDEST, age(backlog.unpositioned_events.oldest, now));
    set(metrics::DELIVERY_OLDEST, age(backlog.deliveries.oldest, now));
    set(metrics::FEED_POSITION, whole(backlog.feed_position.0));
    let endpoints = [backlog.endpoints_enabled, backlog.endpoints_failing, backlog.endpoints_disabled];
    for (state, count) in ENDPOINT_STATES.into_iter().zip(endpoints) {
        set_of(metrics::ENDPOINTS, "state", state, whole(count));
    }
}

fn set_anomalies(in_review: &[Order]) {
    for name in Mismatch::NAMES {
        let of_kind = in_review.iter().flat_map(Order::anomalies_in_review).filter(|it| it.kind.name() == name);
        set_of(metrics::ANOMALIES_OPEN, "name", name, whole(of_kind.fold(0, |count, _| count + 1)));
    }
}
