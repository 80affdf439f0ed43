//! Daily totals: what the facts of the feed add up to, so that nobody reads the whole history.

use async_trait::async_trait;
use paywright_domain::books::Day;
use paywright_domain::{Currency, Fact, Money, Timestamp};

use super::feed::Position;
use super::store::StoreError;

/// Port to the daily totals, in the database of the feed.
///
/// Each call is one transaction. `testkit::totals_contract!` checks each store against these docs.
#[async_trait]
pub trait DailyTotals: Send + Sync {
    /// Position of the last event of the feed that is in the totals; [`Position::START`] at first.
    async fn counted_until(&self) -> Result<Position, StoreError>;

    /// Reads the facts at the positions after `after` up to `until` that totals count (`order.placed`, `order.paid` and
    /// `refund.changed`), at most `limit`, in the order of their positions.
    async fn countable_facts(
        &self,
        after: Position,
        until: Position,
        limit: u16,
    ) -> Result<Vec<CountableFact>, StoreError>;

    /// Adds to the totals what the events after `addition.after` up to `addition.until` add. Returns whether it was added:
    /// if the last counted position is no longer `addition.after`, nothing is changed.
    async fn add_to_totals(&self, addition: &TotalsAddition) -> Result<bool, StoreError>;

    /// Reads the totals of the days from `from` to `until`, both included, of live or of test mode, by day and currency.
    async fn daily_totals(&self, from: Day, until: Day, livemode: bool) -> Result<Vec<DailyTotal>, StoreError>;
}

/// Fact that totals count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountableFact {
    /// Position of its event.
    pub position: Position,
    /// Time of the commit.
    pub at: Timestamp,
    /// Whether the order is in live mode.
    pub livemode: bool,
    /// The fact.
    pub fact: Fact,
    /// Amount of the refund whose change it is, if that gives back the payment that paid the order. Money that was never
    /// counted as paid, such as a second payment, is not counted as refunded either.
    pub refund: Option<Money>,
}

/// Totals to add for a part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TotalsAddition {
    /// Last position that has been counted.
    pub after: Position,
    /// Last position that is counted now.
    pub until: Position,
    /// At most one for each day, mode and currency.
    pub totals: Vec<DailyTotal>,
}

/// Totals of a day in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyTotal {
    /// Day in the time zone of the books.
    pub day: Day,
    /// Whether it is about real money.
    pub livemode: bool,
    /// Currency of the amounts.
    pub currency: Currency,
    /// Orders that were placed, with their amounts due at that time.
    pub placed: CountedSum,
    /// Orders that were paid, with the amounts received.
    pub paid: CountedSum,
    /// Refunds of these payments that succeeded. One that fails afterwards is taken away on the day on which that is known,
    /// so this may be negative.
    pub refunded: CountedSum,
}

impl DailyTotal {
    /// Totals of a day on which nothing has happened.
    pub const fn empty(day: Day, livemode: bool, currency: Currency) -> Self {
        let none = CountedSum { count: 0, minor: 0 };
        Self { day, livemode, currency, placed: none, paid: none, refunded: none }
    }

    /// Amount that was paid, less that which was refunded, in minor units. Fees and disputes are in the books.
    pub const fn net_minor(&self) -> i64 {
        self.paid.minor.saturating_sub(self.refunded.minor)
    }
}

/// Number of facts, and the sum of their amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountedSum {
    /// Number of the facts.
    pub count: i64,
    /// Sum of the amounts in minor units.
    pub minor: i64,
}

impl CountedSum {
    /// Adds other facts.
    pub const fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.minor = self.minor.saturating_add(other.minor);
    }
}
