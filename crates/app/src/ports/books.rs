//! Books as they are stored: append only, in commits that name the version of the books.

use async_trait::async_trait;
use paywright_domain::books::{
    BalanceTransaction, BalanceType, Day, Entry, Payout, ReportingCategory, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, OrderNumber, PayoutId};
use paywright_domain::{Currency, IntentId, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

use super::audit_trail::AuditEntry;
use super::feed::AccountEvent;
use super::provider_balance::BalanceSum;
use super::store::{StoreError, Version, Versioned};
use crate::books::{Break, DaySummary};

/// Port to the books of the installation: what has moved the balance at Stripe, what the orders expect, and the days
/// that are closed.
///
/// Each call is one transaction. A commit names the version of the books that it was decided on, so that of two processes
/// one writes. Balance transactions and entries are never changed or deleted.
#[async_trait]
pub trait Books: Send + Sync {
    /// Reads the state of the books. `None` before their first commit.
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError>;

    /// Writes all of `changes`, or nothing. [`StoreError::Conflict`] if the version is stale.
    ///
    /// Balance transactions and entries whose ids are stored already stay unchanged, as do the members of a payout and
    /// closed days. Each new one that has a clearing account is added to its [`ClearingItem`].
    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError>;

    /// Returns which of these balance transactions are stored.
    async fn known_transactions(&self, ids: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError>;

    /// Finds the orders of PaymentIntents, past ones included; those of no order are left out.
    async fn orders_of_intents(&self, intents: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError>;

    /// Reads the numbers of orders; those of no order are left out.
    async fn order_numbers(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError>;

    /// Reads a page of balance transactions, by day, creation time and id.
    async fn transactions(&self, query: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError>;

    /// Reads a page of entries of orders, by day, time and id.
    async fn entries(&self, query: &RowQuery) -> Result<Vec<BookedEntry>, StoreError>;

    /// Adds up the balance transactions of the days `from` to `to`, both included, for each balance, currency and
    /// category, in this order.
    async fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, StoreError>;

    /// Reads the closed days from `from` to `to`, both included, in their order.
    async fn closed_days(&self, from: Day, to: Day) -> Result<Vec<ClosedDay>, StoreError>;

    /// Reads payouts with the sums of their members, by creation time and id.
    async fn payouts(&self, query: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError>;

    /// Reads a page of the clearing accounts whose two sides differ, by object and currency.
    async fn open_items(&self, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError>;

    /// Reads breaks, by the time at which they were first seen and id; [`BreakQuery::Latest`] in the reverse order.
    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError>;
}

/// State of the books, which each commit replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BooksState {
    /// Time zone of the days, by its IANA name.
    pub timezone: String,
    /// First day of the books.
    pub first_day: Day,
    /// First time of the first day.
    pub start: Timestamp,
    /// Balances at the start; `None` until they are known.
    pub opening: Option<Vec<BalanceAmount>>,
    /// Last closed day and its hash; `None` before the first is closed.
    pub closed: Option<ClosedRef>,
    /// Time before which all balance transactions are read.
    pub transactions_until: Timestamp,
    /// Time before which all payouts are read.
    pub payouts_until: Timestamp,
    /// Time of the last change of an order, up to which the facts of orders are booked.
    pub orders_until: Timestamp,
    /// Latest reading of the balance that was consistent with the balance transactions read before and after it.
    pub reading: Option<BalanceReading>,
}

/// Amount of one balance at Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceAmount {
    /// Balance.
    pub balance: BalanceType,
    /// Amount.
    pub amount: SignedMoney,
}

/// Reading of Stripe's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceReading {
    /// Time before which the balance transactions that it contains were created.
    pub until: Timestamp,
    /// Sums of each balance.
    pub sums: Vec<BalanceSum>,
    /// Amounts of the books at the same time.
    pub ours: Vec<BalanceAmount>,
}

/// Reference to a closed day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedRef {
    /// The day.
    pub day: Day,
    /// SHA-256 of its statement, in hexadecimal.
    pub hash: String,
}

/// Changes of the books that are written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BooksChanges {
    /// Version that was decided on; [`Version::NEW`] for the first commit.
    pub expected: Version,
    /// State after the commit.
    pub state: BooksState,
    /// Balance transactions to append.
    pub transactions: Vec<BookedTransaction>,
    /// Entries of orders to append.
    pub entries: Vec<BookedEntry>,
    /// Payouts to store or to update.
    pub payouts: Vec<Payout>,
    /// Payouts with all the balance transactions that they contain.
    pub members: Vec<(PayoutId, Vec<BalanceTransactionId>)>,
    /// Days to close.
    pub days: Vec<ClosedDay>,
    /// Breaks to store or to update.
    pub breaks: Vec<Break>,
    /// Events of the account to store for the feed without a position, each after the earlier ones of its subject. One whose
    /// id is stored already is left out.
    pub events: Vec<AccountEvent>,
    /// Entry of the audit trail, if a person has asked for the changes.
    pub audit: Option<AuditEntry>,
}

impl BooksChanges {
    /// Changes of the state alone.
    pub const fn new(expected: Version, state: BooksState) -> Self {
        Self {
            expected,
            state,
            transactions: Vec::new(),
            entries: Vec::new(),
            payouts: Vec::new(),
            members: Vec::new(),
            days: Vec::new(),
            breaks: Vec::new(),
            events: Vec::new(),
            audit: None,
        }
    }
}

/// A stored balance transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookedTransaction {
    /// The balance transaction.
    pub transaction: BalanceTransaction,
    /// PaymentIntent of the charge, refund or dispute that caused it.
    pub intent: Option<IntentId>,
    /// Order of the PaymentIntent; `None` for movements that belong to no order of this installation.
    pub order: Option<OrderId>,
    /// Day of whose statement it is part: the day on which it was created or, if that was closed before it was read, the
    /// first open day. `None` if it was created before the first day: it is part of the opening balance.
    pub day: Option<Day>,
    /// Time at which it was read.
    pub recorded_at: Timestamp,
}

/// A stored entry that the facts of an order expect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BookedEntry {
    /// Name of the entry ([`paywright_domain::books::Expected::id`]).
    pub id: String,
    /// Order whose facts expect it.
    pub order: OrderId,
    /// Time of the fact.
    pub at: Timestamp,
    /// Day of the fact, or the first open day if that was closed before it was booked. `None` if it is before the first
    /// day.
    pub day: Option<Day>,
    /// Object that Stripe is expected to move money for.
    pub source: Source,
    /// The entry.
    pub entry: Entry,
}

/// Query for a page of balance transactions or entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowQuery {
    /// Condition on the rows.
    pub filter: RowFilter,
    /// Last row of the page before: its day, time and id.
    pub after: Option<(Option<Day>, Timestamp, String)>,
    /// Largest number of rows to read.
    pub limit: u16,
}

/// Condition on balance transactions or entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFilter {
    /// Rows of the days `from` to `to`, both included.
    Days {
        /// First day.
        from: Day,
        /// Last day.
        to: Day,
    },
    /// Rows of an order.
    Order(OrderId),
    /// Rows of an object.
    Source(Source),
    /// Balance transactions that a payout contains. No entry is one.
    Payout(PayoutId),
}

/// Sum of the balance transactions of one category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategorySum {
    /// Balance that they move.
    pub balance: BalanceType,
    /// Category.
    pub category: ReportingCategory,
    /// Number of balance transactions.
    pub count: u64,
    /// Sum of their gross amounts.
    pub gross: SignedMoney,
    /// Sum of their fees.
    pub fee: SignedMoney,
    /// Sum of their net amounts.
    pub net: SignedMoney,
}

impl CategorySum {
    /// Puts sums in the order of balances, currencies and categories.
    #[must_use]
    pub fn sorted(mut sums: Vec<Self>) -> Vec<Self> {
        sums.sort_by(|one, other| one.key().cmp(&other.key()));
        sums
    }

    fn key(&self) -> (BalanceType, Currency, &ReportingCategory) {
        (self.balance, self.net.currency(), &self.category)
    }
}

/// A closed day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedDay {
    /// The day.
    pub day: Day,
    /// SHA-256 of its statement, in hexadecimal.
    pub hash: String,
    /// Hash of the day before; `None` on the first day.
    pub previous: Option<String>,
    /// Time zone of the day, by its IANA name.
    pub timezone: String,
    /// Time at which it was closed.
    pub closed_at: Timestamp,
    /// Figures of its statement.
    pub summary: DaySummary,
}

/// Query for payouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutQuery {
    /// One payout.
    Id(PayoutId),
    /// Payouts that were created in a range of times, the first included.
    Created {
        /// First time.
        from: Timestamp,
        /// First time after the range.
        until: Timestamp,
    },
    /// Payouts that Stripe may still change, or whose members are to be read: created since `since`, not canceled or
    /// failed, and without members although they are or will be listed, or made less than [`PAYOUT_CHANGES_SECONDS`]
    /// before `now`.
    Unsettled {
        /// Earliest creation time.
        since: Timestamp,
        /// Current time.
        now: Timestamp,
    },
    /// Payouts whose members add up to another amount.
    Unequal,
}

/// Time after its creation in which a payout may still fail, in seconds: two weeks. Stripe says that a payout may fail
/// within five business days after it was paid ("The Payout object").
pub const PAYOUT_CHANGES_SECONDS: u32 = 14 * 86_400;

/// A stored payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookedPayout {
    /// The payout.
    pub payout: Payout,
    /// Sum of its members, once they are read.
    pub members: Option<MemberSum>,
}

/// Sum of the balance transactions that a payout contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberSum {
    /// Number of members.
    pub count: u64,
    /// Number of members that are stored balance transactions; the sum is of these.
    pub known: u64,
    /// Sum of their net amounts.
    pub net: SignedMoney,
}

/// Name of a clearing account: the object and the currency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClearingKey {
    /// Stripe's id of the object.
    pub object: String,
    /// Currency of the account.
    pub currency: Currency,
}

/// A clearing account: what the facts of an order expect to be moved for an object, and what was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearingItem {
    /// Object.
    pub source: Source,
    /// Order that the object belongs to, if it is one of this installation.
    pub order: Option<OrderId>,
    /// Amount that the entries of orders expect to be moved; negative if from the balance.
    pub expected: SignedMoney,
    /// Amount that was moved, in the same currency.
    pub moved: SignedMoney,
    /// Number of entries.
    pub entries: u64,
    /// Number of balance transactions.
    pub transactions: u64,
    /// Time of the latest entry or balance transaction.
    pub latest: Timestamp,
    /// Whether an entry or a balance transaction has a day: otherwise, all of it was before the first day.
    pub has_day: bool,
}

/// Query for a page of the clearing accounts whose two sides differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenItemQuery {
    /// Last account of the page before.
    pub after: Option<ClearingKey>,
    /// Whether accounts of no order are left out. Their number has no effect on the reading then.
    pub of_orders: bool,
    /// Largest number of accounts to read.
    pub limit: u16,
}

impl ClearingKey {
    /// Name of the account `item`.
    pub fn of(item: &ClearingItem) -> Self {
        Self { object: item.source.to_string(), currency: item.expected.currency() }
    }
}

/// Page of a list of breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakPage {
    /// Last break of the page before; `None` for the first page.
    pub after: Option<BreakPlace>,
    /// Largest number of breaks to read.
    pub limit: u16,
}

impl BreakPage {
    /// The first page.
    pub const fn first(limit: u16) -> Self {
        Self { after: None, limit }
    }
}

/// Place of a break in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BreakPlace {
    /// Time at which it was first seen.
    pub first_seen: Timestamp,
    /// Name.
    pub id: String,
}

impl BreakPlace {
    /// Place of `found`.
    pub fn of(found: &Break) -> Self {
        Self { first_seen: found.first_seen, id: found.id.clone() }
    }
}

/// Query for breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BreakQuery {
    /// Breaks that are neither resolved nor gone.
    Open(BreakPage),
    /// Breaks that are not gone, resolved ones included.
    Present(BreakPage),
    /// All breaks, those that are gone included, the last seen first.
    Latest(BreakPage),
    /// Breaks with these names.
    Named(Vec<String>),
}
