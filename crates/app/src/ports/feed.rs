//! Feed: the public facts of all orders and the events of the account, each at a position of its own.

use async_trait::async_trait;
use paywright_domain::fact::FeedEventType;
use paywright_domain::{Fact, Order, OrderId, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::lease::Lease;
use super::orders::RecordedFact;
use super::store::{StoreError, Version};
use super::subject::SubjectId;
use crate::order_view::{OrderView, PersonalView};

/// Port to the feed. A commit stores its public facts and account events without a position; the relay, one process at a time under a
/// lease, gives them positions afterwards, in a transaction of its own. A position that was given in the commit could
/// become visible after a higher one, and a reader would miss it.
///
/// Each call is one transaction. `testkit::feed_contract!` checks each store against these docs.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Reads at most `limit` events that have no position, in the order in which they are to get one. Those of one subject
    /// come by version and index, and none is left out before one that is read. Their types are not read: the relay
    /// of an older version gives those of a newer one their positions too.
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError>;

    /// Leases the feed for the relay. `None` while it is under another lease; `lease.limit` has no meaning. A lease
    /// that ends later than [`Lease::until_max`] counts as none.
    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError>;

    /// Gives these events the positions after the last one, in their order, and extends the lease. Returns the position
    /// of the last event; `None` if the lease is no longer `append.lease`, and then nothing is changed.
    ///
    /// The events are those of one read by [`Self::unpositioned_events`], from the first on, in its order, with none left
    /// out. A store may refuse others with an error, and refuses an event that has a position; then nothing is changed.
    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError>;

    /// Ends the lease of the relay, if it still is this one.
    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError>;

    /// Reads the range of positions in the feed.
    async fn feed_range(&self) -> Result<FeedRange, StoreError>;

    /// Reads events in the order of their positions.
    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError>;

    /// Deletes the first events of the feed, at most `limit`, up to the first one that is not older than `before`, or
    /// that an endpoint still waits for: one whose position is before it, or that has a delivery of it left. Their
    /// snapshots go with them, and their facts stay.
    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError>;
}

/// Position of an event in the feed: 1 for the first. Positions have no gaps and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Position before the first event.
    pub const START: Self = Self(0);

    /// Position that is `count` later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

/// Name of an event among all events, with or without a position: its subject, the version, and the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventRef {
    /// Subject of the event.
    pub subject: SubjectId,
    /// Version of the order after the commit that stored the fact; of an account event, its number among those of its
    /// subject.
    pub version: Version,
    /// Index of the fact among those of its commit, from 0; 0 of an account event.
    pub index: u16,
}

/// Lease of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedLease {
    /// Process that holds the lease.
    pub owner: Uuid,
    /// Number of leases of the feed so far, this one included: with the owner, it identifies the lease.
    pub taken: u32,
}

/// Events that get their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedAppend {
    /// Lease of the relay.
    pub lease: FeedLease,
    /// Time at which the extended lease ends.
    pub until: Timestamp,
    /// Events in the order of their positions.
    pub events: Vec<EventRef>,
}

/// Positions of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeedRange {
    /// Position of the last deleted event; [`Position::START`] if none was deleted.
    pub deleted: Position,
    /// Position of the last event.
    pub last: Position,
}

/// Query for events of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedQuery {
    /// Position after which events are read.
    pub after: Position,
    /// Last position that is read.
    pub until: Position,
    /// Types of the events; all types if empty.
    pub types: Vec<FeedEventType>,
    /// Order of the events; all orders if `None`.
    pub order: Option<OrderId>,
    /// Largest number of events to read.
    pub limit: u16,
}

/// Event of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// Position of the event.
    pub position: Position,
    /// Type of the event.
    pub kind: FeedEventType,
    /// Fact or object of the account.
    pub content: EventContent,
}

/// Content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventContent {
    /// A fact of an order.
    Order(Box<OrderEvent>),
    /// An event of the account.
    Account {
        /// Number of the event among those of its subject, from 1.
        number: Version,
        /// The event.
        event: AccountEvent,
    },
}

/// Public fact of an order, as the feed shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderEvent {
    /// Order of the fact.
    pub order: OrderId,
    /// Index of the fact within its version of the order.
    pub index: u16,
    /// The fact, with the version of its order.
    pub recorded: RecordedFact,
    /// The order in that version.
    pub snapshot: OrderSnapshot,
}

/// Event of the account, which is about no order: a break of the books, or a change of a payout. The books store it in the
/// commit of what it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEvent {
    /// Id of the event: a UUID of version 5 that follows from the subject, the type, and the occurrence where there may be
    /// several.
    pub id: Uuid,
    /// Object that it is about.
    pub subject: SubjectId,
    /// Type of the event.
    pub kind: FeedEventType,
    /// Time of the commit.
    pub at: Timestamp,
    /// Whether the account is in live mode.
    pub livemode: bool,
    /// The object as it was then, as one JSON object: `data` of the event.
    pub data: String,
}

impl FeedEvent {
    /// Name of the event among all.
    pub fn reference(&self) -> EventRef {
        match &self.content {
            EventContent::Order(it) => {
                EventRef { subject: it.order.into(), version: it.recorded.version, index: it.index }
            }
            EventContent::Account { number, event } => EventRef { subject: event.subject, version: *number, index: 0 },
        }
    }

    /// The fact of an order that it tells; `None` of an event of the account.
    pub fn of_order(&self) -> Option<&OrderEvent> {
        match &self.content {
            EventContent::Order(it) => Some(it),
            EventContent::Account { .. } => None,
        }
    }

    /// Time of the commit.
    pub fn at(&self) -> Timestamp {
        match &self.content {
            EventContent::Order(it) => it.recorded.at,
            EventContent::Account { event, .. } => event.at,
        }
    }

    /// Whether it is about real money.
    pub fn livemode(&self) -> bool {
        match &self.content {
            EventContent::Order(it) => it.snapshot.livemode,
            EventContent::Account { event, .. } => event.livemode,
        }
    }

    /// Number of bytes of the documents that it shows.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            EventContent::Order(it) => it.snapshot.bytes(),
            EventContent::Account { event, .. } => event.data.len(),
        }
    }

    /// Id of the event: a UUID of version 5 (RFC 9562, section 5.5). That of a fact follows from the fact alone. It
    /// includes the time of the decision, so that a different fact with the same version after a restore has another id.
    pub fn id(&self) -> Uuid {
        match &self.content {
            EventContent::Order(it) => {
                let name = format!("{}:{}:{}", it.recorded.version.0, it.index, it.recorded.at.unix_micros());
                Uuid::new_v5(&it.order.0, name.as_bytes())
            }
            EventContent::Account { event, .. } => event.id,
        }
    }

    /// Id of a part of the event, if it is sent in several: a UUID of version 5 that follows from the event's id, its
    /// position and the part's index. A receiver that leaves out repeated ids gets each part.
    pub fn part_id(&self, index: u32) -> Uuid {
        Uuid::new_v5(&self.id(), format!("{}:{index}", self.position.0).as_bytes())
    }
}

/// JSON documents of an order in one version, in compact form. They are stored in the commit of that version, if it
/// has public facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderSnapshot {
    /// [`OrderView`] without its personal fields.
    pub view: String,
    /// Personal fields of the view, [`PersonalView`]; `None` once they are erased.
    pub personal: Option<String>,
    /// Whether the order is in live mode.
    pub livemode: bool,
}

impl OrderSnapshot {
    /// Snapshot of `order`, if `facts` has a public fact.
    pub(crate) fn of_change(order: &Order, facts: &[Fact]) -> Option<Self> {
        facts.iter().any(|it| FeedEventType::of(it).is_some()).then(|| Self {
            view: to_json(&OrderView::without_personal_data(order), 1024).unwrap_or_default(),
            personal: to_json(&PersonalView::of(order), 128),
            livemode: order.livemode,
        })
    }

    /// Number of bytes of the documents.
    pub(crate) fn bytes(&self) -> usize {
        self.view.len() + self.personal.as_ref().map_or(0, String::len)
    }

    /// [`OrderView`] as one JSON object. Erased fields are empty.
    pub fn to_json(&self) -> String {
        let erased = || serde_json::to_string(&PersonalView::default()).unwrap_or_default();
        let personal = self.personal.clone().unwrap_or_else(erased);
        match (self.view.strip_suffix('}'), personal.strip_prefix('{')) {
            (Some(view), Some(personal)) => format!("{view},{personal}"),
            _ => self.view.clone(),
        }
    }
}

/// A view as JSON; `bytes` is the length of most. Views are plain data, for which this cannot fail.
fn to_json(view: &impl Serialize, bytes: usize) -> Option<String> {
    let mut json = Vec::with_capacity(bytes);
    serde_json::to_writer(&mut json, view).ok()?;
    String::from_utf8(json).ok()
}

/// Result of [`Feed::delete_feed_events`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeletedFeedEvents {
    /// Number of deleted events.
    pub count: u16,
    /// Whether an endpoint waits for the next event, which is older than the limit.
    pub is_held: bool,
}
