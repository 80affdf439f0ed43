//! The bookkeeper: one step of keeping the books.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paywright_domain::books::{Day, EntryError};
use paywright_domain::id::InstallationId;
use paywright_domain::money::MoneyError;
use paywright_domain::{OrderId, Timestamp};
use thiserror::Error;
use tracing::Instrument;
use uuid::Uuid;

use super::compare::Comparison;
use super::reads::BooksAccess;
use super::{BooksZone, StatementError, UnknownZone};
use crate::stripe_clock::moved_by;
use crate::warnings::Warnings;
use crate::{
    AccountEventContext, App, Books, BooksChanges, BooksState, Clock, CreatedRange, Cursor, CursorDue, Cursors,
    GatewayError, Ids, Lease, Orders, ProviderBalance, StoreError, Version, Versioned, Work, WorkId, traces,
};

/// Name of the cursor of the books.
const BOOKS: &str = "books";

/// Length of the lease on the books, in seconds. Correctness rests on the version of the books: the lease only keeps
/// two processes from reading the same.
const LEASE_SECONDS: u32 = 300;

/// Largest number of units of work of one step, each with a commit of its own.
const UNITS_MAX: u32 = 20;

/// Time before the first day from which movements and facts are read, in seconds: a movement just before the first day
/// may belong to a fact just after its start.
pub(super) const BEFORE_START_SECONDS: u32 = 86_400;

/// Adapters behind a [`Bookkeeper`], one for each port.
#[derive(Clone)]
pub struct BookkeeperPorts {
    /// Books, in the database of the orders.
    pub books: Arc<dyn Books>,
    /// Orders.
    pub orders: Arc<dyn Orders>,
    /// Cursors of periodic work.
    pub cursors: Arc<dyn Cursors>,
    /// Stripe's balance, read behind all other requests to Stripe.
    pub balance: Arc<dyn ProviderBalance>,
    /// Clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Source of fresh ids.
    pub ids: Arc<dyn Ids>,
}

/// Settings of the books.
#[derive(Debug, Clone)]
pub struct BooksSettings {
    /// Time zone of the days.
    pub zone: BooksZone,
    /// First day; `None` for the day on which the books are begun.
    pub start: Option<Day>,
    /// Period of the walks, in seconds.
    pub walk_seconds: u32,
    /// Age from which a fact without a movement, or a movement without a fact, is a break, in seconds.
    pub grace_seconds: u32,
    /// Whether other programs take payments on the same Stripe account: their movements are booked, and are no breaks.
    pub shared_account: bool,
    /// Installation that keeps the books.
    pub installation: InstallationId,
    /// Whether the account is in live mode.
    pub livemode: bool,
}

/// Use cases of the books.
#[derive(Clone)]
pub struct Bookkeeper {
    pub(super) books: Arc<dyn Books>,
    pub(super) orders: Arc<dyn Orders>,
    pub(super) cursors: Arc<dyn Cursors>,
    pub(super) balance: Arc<dyn ProviderBalance>,
    pub(super) clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    pub(super) settings: BooksSettings,
    pub(super) warnings: Arc<Warnings>,
    owner: Uuid,
    /// Whether the next step is due at once: at the start of a process, and after an event about the balance.
    is_due: Arc<AtomicBool>,
    /// Whether this process has read again what could not be booked earlier.
    pub(super) has_read_refused: Arc<AtomicBool>,
}

/// Why the books cannot be kept or read now.
#[derive(Debug, Error)]
pub enum BooksError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stripe failed.
    #[error("Stripe's balance cannot be read: {0}")]
    Gateway(#[from] GatewayError),
    /// The figures of a statement cannot be added up.
    #[error("a statement cannot be made: {0}")]
    Summary(#[from] StatementError),
    /// Amounts cannot be added up.
    #[error("amounts of the books cannot be added: {0}")]
    Money(#[from] MoneyError),
    /// The entries of an order cannot be made.
    #[error("the order {order} cannot be booked: {error}")]
    Order {
        /// Order.
        order: OrderId,
        /// Why not.
        error: EntryError,
    },
    /// The books name a time zone that this version does not have.
    #[error("the time zone of the books: {0}")]
    Zone(#[source] UnknownZone),
    /// The day from which the past is to be checked is not one of the books.
    #[error("the day {since} is not one of the books, which have {first} to today, {today}")]
    Since {
        /// The day.
        since: Day,
        /// First day of the books.
        first: Day,
        /// Today at Stripe.
        today: Day,
    },
    /// The setting names another time zone than that in which the books are kept.
    #[error(
        "the books are kept in the time zone {stored}, and books.timezone says {set}: it cannot change once the books have begun"
    )]
    OtherZone {
        /// Time zone of the books.
        stored: String,
        /// Time zone of the setting.
        set: String,
    },
    /// The setting names another first day than the books have.
    #[error("the books begin on {stored}, and books.start says {set}: it cannot change once the books have begun")]
    OtherStart {
        /// First day of the books.
        stored: Day,
        /// First day of the setting.
        set: Day,
    },
}

impl BooksError {
    /// Whether another process wrote first, so that the same step succeeds later.
    pub(super) const fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// Outcome of one unit of work.
enum Progress {
    /// Something was committed, and there is more to do at once.
    More,
    /// All is done for now, and compared.
    Done(Comparison),
}

impl Bookkeeper {
    /// Use cases with these ports and settings, whose warnings are among those of `app` ([`App::warnings`]).
    pub fn new(ports: BookkeeperPorts, settings: BooksSettings, app: &App) -> Self {
        let BookkeeperPorts { books, orders, cursors, balance, clock, ids } = ports;
        let owner = ids.lease_owner();
        let warnings = Arc::clone(&app.warnings);
        let is_due = Arc::new(AtomicBool::new(true));
        let has_read_refused = Arc::default();
        Self { books, orders, cursors, balance, clock, ids, settings, warnings, owner, is_due, has_read_refused }
    }

    /// Access to the books without Stripe.
    pub fn access(&self) -> BooksAccess {
        BooksAccess::new(Arc::clone(&self.books), Arc::clone(&self.clock), Arc::clone(&self.ids))
    }

    /// Makes the next step of this process due at once.
    pub fn wake(&self) {
        self.is_due.store(true, Ordering::Relaxed);
    }

    /// Performs one step of the books, if they are due and no other process keeps them: reads what is new at Stripe and in
    /// the orders, closes days, and compares. Returns whether there is more to do at once.
    ///
    /// If this process dies meanwhile, another one goes on when the lease is over; what it repeats is stored already.
    pub async fn keep_books(&self) -> Result<bool, BooksError> {
        let now = self.clock.now();
        let lease = Lease { owner: self.owner, now, until: now.plus_seconds(LEASE_SECONDS), limit: 1 };
        let due = CursorDue::now(now, self.settings.walk_seconds);
        let at_once = self.is_due.swap(false, Ordering::Relaxed);
        let due = if at_once { CursorDue { by: due.latest, ..due } } else { due };
        if self.cursors.lease_cursor(BOOKS, &lease, due).await?.is_none() {
            return Ok(false);
        }
        // Each log line of the work names it.
        let span = tracing::error_span!("books", task = BOOKS);
        let result = Work::of(WorkId::Background(BOOKS))
            .in_trace(traces::walk(BOOKS))
            .scope(self.units())
            .instrument(span)
            .await;
        let more = matches!(result, Ok(true));
        let again_at = self.clock.now().plus_seconds(if more { 0 } else { self.settings.walk_seconds });
        self.cursors.move_cursor(BOOKS, self.owner, &Cursor::default(), again_at).await?;
        match result {
            // Another process has gone on with the books.
            Err(error) if error.is_conflict() => Ok(false),
            result => result,
        }
    }

    /// Performs all that is due of the books now, compares, checks the closed days from `since` on (from the first without
    /// it), and returns what does not agree; for an operator who waits for it. With `since`, the balance transactions of
    /// Stripe from that day on are read again: one that Stripe listed too late for the walk is booked as a correction.
    /// [`BooksError::Since`] unless the day is one of the books.
    pub async fn reconcile(&self, since: Option<Day>) -> Result<Comparison, BooksError> {
        if let Some(day) = since {
            self.read_again_since(day).await?;
        }
        let Comparison { expected, .. } = self.compared().await?;
        self.check_history(since).await?;
        Ok(Comparison { breaks: self.open_breaks().await?, expected })
    }

    /// Reads the balance transactions from the start of a day on again. Before the books are begun, checks nothing.
    async fn read_again_since(&self, since: Day) -> Result<(), BooksError> {
        let mut attempt = 0;
        loop {
            self.learn_time().await?;
            let Some(books) = self.books.books().await? else { return Ok(()) };
            let (first, now) = (books.value.first_day, self.stripe_now());
            let today = self.settings.zone.day_of(now);
            if since < first || since > today {
                return Err(BooksError::Since { since, first, today });
            }
            let range = CreatedRange { from: self.settings.zone.start_of(since), until: now.plus_seconds(1) };
            match self.read_range(books, range).await {
                Ok(_) => return Ok(()),
                Err(error) => self.pause_after(error, &mut attempt).await?,
            }
        }
    }

    /// Asks Stripe for anything if no answer has told the time there yet.
    async fn learn_time(&self) -> Result<(), BooksError> {
        if self.balance.clock_difference_seconds().is_none() {
            self.balance.balance().await?;
        }
        Ok(())
    }

    /// Performs all that is due of the books now, and compares.
    async fn compared(&self) -> Result<Comparison, BooksError> {
        let mut attempt = 0;
        loop {
            match self.unit().await {
                Ok(Progress::More) => attempt = 0,
                Ok(Progress::Done(compared)) => return Ok(compared),
                Err(error) => self.pause_after(error, &mut attempt).await?,
            }
        }
    }

    /// Waits for a serving process that has gone on with the books meanwhile. Any other error, and the last attempt's, is
    /// returned.
    pub(super) async fn pause_after(&self, error: BooksError, attempt: &mut u32) -> Result<(), BooksError> {
        if !error.is_conflict() || *attempt >= crate::ATTEMPTS_MAX {
            return Err(error);
        }
        *attempt += 1;
        self.clock.pause(*attempt).await;
        Ok(())
    }

    /// Performs the units of one step. Returns whether there are more.
    async fn units(&self) -> Result<bool, BooksError> {
        for _ in 0..UNITS_MAX {
            if let Progress::Done(_) = self.unit().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Performs the next unit of work that ends with a commit: a page of orders, a slice of balance transactions, a
    /// payout, or a day. At the end of all units, compares.
    async fn unit(&self) -> Result<Progress, BooksError> {
        self.learn_time().await?;
        let now = self.stripe_now();
        let books = match self.books.books().await? {
            Some(books) => books,
            None => self.begin(now).await?,
        };
        self.check_settings(&books.value)?;
        let books = self.book_orders(books).await?;
        let books = self.read_refused_again(books, now).await?;
        let (books, has_more) = self.read_transactions(books, now).await?;
        if has_more {
            return Ok(Progress::More);
        }
        let books = self.read_payouts(books, now).await?;
        // Before a reading of the balance, which adds up all open days, those that are over are closed.
        if let Some(day) = self.day_to_close(&books.value, now) {
            self.close(books, day).await?;
            return Ok(Progress::More);
        }
        let books = self.read_balance(books).await?;
        // The first reading opens the books, and a past can be closed from then on.
        if self.day_to_close(&books.value, now).is_some() {
            return Ok(Progress::More);
        }
        Ok(Progress::Done(self.compare(now).await?))
    }

    /// The time at Stripe: creation times are of Stripe's clock.
    pub(super) fn stripe_now(&self) -> Timestamp {
        moved_by(self.clock.now(), self.balance.clock_difference_seconds().unwrap_or(0))
    }

    /// Begins the books.
    async fn begin(&self, now: Timestamp) -> Result<Versioned<BooksState>, BooksError> {
        let zone = &self.settings.zone;
        let first_day = self.settings.start.unwrap_or(zone.day_of(now));
        let start = zone.start_of(first_day);
        let before = start.minus_seconds(BEFORE_START_SECONDS);
        let state = BooksState {
            timezone: zone.name().to_owned(),
            first_day,
            start,
            opening: None,
            closed: None,
            transactions_until: before,
            payouts_until: start.minus_seconds(crate::PAYOUT_CHANGES_SECONDS),
            orders_until: before,
            reading: None,
        };
        self.commit(BooksChanges::new(Version::NEW, state)).await
    }

    /// Commits changes, and returns the books after them.
    pub(super) async fn commit(&self, changes: BooksChanges) -> Result<Versioned<BooksState>, BooksError> {
        self.books.commit_books(&changes).await?;
        Ok(Versioned { version: changes.expected.next(), value: changes.state })
    }

    /// Context of the events that a commit now tells.
    pub(super) fn event_context(&self) -> AccountEventContext {
        let BooksSettings { installation, livemode, .. } = self.settings;
        AccountEventContext { installation, livemode, at: self.clock.now() }
    }

    fn check_settings(&self, state: &BooksState) -> Result<(), BooksError> {
        let set = self.settings.zone.name();
        if state.timezone != set {
            return Err(BooksError::OtherZone { stored: state.timezone.clone(), set: set.to_owned() });
        }
        match self.settings.start {
            Some(set) if set != state.first_day => Err(BooksError::OtherStart { stored: state.first_day, set }),
            _ => Ok(()),
        }
    }

    /// Day of whose statement something of `at` is part: its own or, if that is closed, the first open day. `None` if it is
    /// before the first day.
    pub(super) fn day_in_books(&self, state: &BooksState, at: Timestamp) -> Option<Day> {
        if at < state.start {
            return None;
        }
        Some(self.settings.zone.day_of(at).max(state.first_open_day()))
    }
}
