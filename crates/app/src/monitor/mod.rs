//! Monitor: reads the stored state for an operator, and sets the gauges of it when a monitoring program asks for the
//! metrics.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use futures_util::lock::Mutex;
use paywright_domain::anomaly::Mismatch;
use paywright_domain::task::TaskKind;
use paywright_domain::{Order, Timestamp};

use crate::metrics::{self, age, seconds_since_1970, set, set_of, signed, whole};
use crate::{
    App, Backlog, BalanceAmount, BooksAccess, BooksError, BooksFigures, BreakClass, EndpointDrift, EndpointWatch,
    Monitoring, StoreError, Waiting,
};

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
    /// Watch over our endpoint at Stripe; `None` if nothing checks it.
    endpoint: Option<EndpointWatch>,
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

/// State of the work for people, of the last five seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkState {
    /// Time of the reading.
    pub at: Timestamp,
    /// Work that waits in the database.
    pub backlog: Backlog,
    /// End of the last closed day of the books; `None` if no books are kept, or before they are begun.
    pub closed_until: Option<Timestamp>,
    /// Time at which this process has last listed Stripe's events to the end, or of its start.
    pub back_filled_at: Timestamp,
    /// Seconds by which Stripe's clock is ahead of this machine's; `None` before Stripe's first answer.
    pub stripe_ahead_seconds: Option<i64>,
    /// Drift of our endpoint at Stripe, in sentences; none if it is as it should be, or was not checked.
    pub endpoint_drift: Vec<&'static str>,
}

impl WorkState {
    /// Whether a task that has been due since this time is late.
    pub fn is_late_task(&self, since: Timestamp) -> bool {
        since.plus_seconds(words::TASK_SECONDS) <= self.at
    }

    /// Whether an event of this time that is not delivered is late.
    pub fn is_late_delivery(&self, since: Timestamp) -> bool {
        since.plus_seconds(words::DELIVERY_SECONDS) <= self.at
    }
}

impl Monitor {
    /// Monitor of a service. Without `books`, the gauges of the books are absent.
    pub fn new(app: App, monitoring: Arc<dyn Monitoring>, books: Option<BooksAccess>) -> Self {
        Self { app, monitoring, books, last: Arc::default(), endpoint: None, balances: Arc::default() }
    }

    /// Reads at most `limit` orders with a case that waits for a person, the oldest first.
    pub async fn orders_with_cases(&self, limit: u16) -> Result<Vec<Order>, StoreError> {
        self.monitoring.orders_with_cases(limit).await
    }

    /// The same monitor, which also tells the drift of our endpoint at Stripe.
    #[must_use]
    pub fn with_endpoint_watch(self, watch: EndpointWatch) -> Self {
        Self { endpoint: Some(watch), ..self }
    }

    /// Sets the gauges to the state of the last five seconds. If the store fails, its gauges become NaN: a value that is out
    /// of date would hide what happens. It has no timeout of its own.
    pub async fn set_gauges(&self) {
        self.set_gauges_of_this_process();
        // A store that can only be read takes no order: that is down, too.
        let reading = match self.app.ready().await {
            Ok(()) => self.reading().await,
            Err(error) => Err(error),
        };
        match reading {
            Ok(reading) => self.set_stored(Some(&reading)),
            Err(error) => {
                tracing::warn!(%error, "the state cannot be read for metrics");
                self.forget_gauges();
            }
        }
    }

    /// Says what is late or waits for a person, in whole sentences without secrets, by the state of the last five seconds. It has
    /// no timeout of its own.
    pub async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        let mut said = words::of(&*self.reading().await?);
        said.extend(self.endpoint_drift().into_iter().flatten().map(|it| it.sentence().to_owned()));
        Ok(said)
    }

    /// Reads the state of the work for people. It has no timeout of its own.
    pub async fn state(&self) -> Result<WorkState, StoreError> {
        let reading = self.reading().await?;
        Ok(WorkState {
            at: reading.at,
            backlog: reading.backlog.clone(),
            closed_until: reading.books.as_ref().and_then(|it| it.closed_until),
            back_filled_at: self.app.back_filled_at(),
            stripe_ahead_seconds: self.app.stripe_ahead_seconds(),
            endpoint_drift: self.endpoint_drift().into_iter().flatten().map(EndpointDrift::sentence).collect(),
        })
    }

    /// Drift of our endpoint at Stripe, if this process has checked it.
    fn endpoint_drift(&self) -> Option<BTreeSet<EndpointDrift>> {
        self.endpoint.as_ref().and_then(EndpointWatch::found)
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
        self.set_stored(None);
    }

    /// Sets each gauge of the store, to NaN without a reading.
    fn set_stored(&self, reading: Option<&Reading>) {
        set(metrics::STORE_UP, if reading.is_some() { 1.0 } else { 0.0 });
        set_backlog(reading);
        for name in Mismatch::NAMES {
            set_of(metrics::ANOMALIES_OPEN, "name", name, known(reading, |it| whole(it.count_in_review(name))));
        }
        if self.books.is_some() {
            self.set_books(reading.and_then(|it| it.books.as_ref()));
        }
    }

    /// Sets each gauge of the books, to NaN without figures, as one of a balance that is no longer reported.
    fn set_books(&self, figures: Option<&BooksFigures>) {
        for class in BreakClass::ALL {
            let count = |it: &BooksFigures| it.open_breaks.get(&class).copied().unwrap_or(0);
            set_of(metrics::BREAKS_OPEN, "class", class.name(), known(figures, |it| whole(count(it))));
        }
        let closed_until = figures.and_then(|it| it.closed_until);
        set(metrics::LAST_STATEMENT, known(closed_until.as_ref(), |it| seconds_since_1970(*it)));
        // An alert on its age must also fire if it was never read.
        let read_at = |it: &BooksFigures| seconds_since_1970(it.balance_read_at.unwrap_or(Timestamp::EPOCH));
        set(metrics::BALANCE_READ, known(figures, read_at));
        let differences = figures.into_iter().flat_map(|it| &it.balance_differences);
        let differences: BTreeMap<_, _> = differences
            .map(|BalanceAmount { balance, amount }| ((balance.name(), amount.currency().code()), amount.minor()))
            .collect();
        let mut balances = self.balances.lock().unwrap_or_else(PoisonError::into_inner);
        balances.extend(differences.keys());
        for names in &*balances {
            let difference = known(differences.get(names), |it| signed(*it));
            metrics::set_balance_difference(names.0, names.1, difference);
        }
    }

    fn set_gauges_of_this_process(&self) {
        let used = self.monitoring.connections();
        set(metrics::POOL_IN_USE, whole(u64::try_from(used.in_use).unwrap_or(u64::MAX)));
        set(metrics::POOL_MAX, whole(u64::try_from(used.max).unwrap_or(u64::MAX)));
        let drift = self.endpoint_drift();
        for kind in EndpointDrift::ALL {
            let value = known(drift.as_ref(), |it| if it.contains(&kind) { 1.0 } else { 0.0 });
            set_of(metrics::ENDPOINT_DRIFT, "kind", kind.name(), value);
        }
        set(metrics::BACKFILL_LAG, age(Some(self.app.back_filled_at()), self.app.now()));
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

impl Reading {
    /// Number of anomalies with this name for which an order is held for review.
    fn count_in_review(&self, name: &str) -> u64 {
        let anomalies = self.in_review.iter().flat_map(Order::anomalies_in_review);
        anomalies.filter(|it| it.kind.name() == name).fold(0, |count, _| count + 1)
    }
}

/// Value of a gauge that is known, else NaN.
fn known<T>(source: Option<&T>, value: impl FnOnce(&T) -> f64) -> f64 {
    source.map_or(f64::NAN, value)
}

/// Sets each gauge of what waits, to NaN without a reading.
fn set_backlog(reading: Option<&Reading>) {
    let count = |of: &dyn Fn(&Backlog) -> u64| known(reading, |it| whole(of(&it.backlog)));
    let oldest = |of: &dyn Fn(&Backlog) -> Waiting| known(reading, |it| age(of(&it.backlog).oldest, it.at));
    for kind in TaskKind::ALL {
        let due = |it: &Backlog| it.due_tasks.get(&kind).copied().unwrap_or_default();
        let failing = |it: &Backlog| it.failing_tasks.get(&kind).copied().unwrap_or_default();
        set_of(metrics::TASKS_DUE, "kind", kind.name(), count(&|it| due(it).count));
        set_of(metrics::TASK_OLDEST, "kind", kind.name(), oldest(&due));
        set_of(metrics::TASKS_FAILING, "kind", kind.name(), count(&|it| failing(it).count));
    }
    set(metrics::PARKED, count(&|it| it.parked_events.count));
    set(metrics::PARKED_OLDEST, oldest(&|it| it.parked_events));
    set(metrics::UNPOSITIONED_OLDEST, oldest(&|it| it.unpositioned_events));
    set(metrics::DELIVERY_OLDEST, oldest(&|it| it.deliveries));
    set(metrics::FEED_POSITION, count(&|it| it.feed_position.0));
    set_of(metrics::ENDPOINTS, "state", "enabled", count(&|it| it.endpoints_enabled));
    set_of(metrics::ENDPOINTS, "state", "failing", count(&|it| it.endpoints_failing));
    set_of(metrics::ENDPOINTS, "state", "disabled", count(&|it| it.endpoints_disabled));
}
