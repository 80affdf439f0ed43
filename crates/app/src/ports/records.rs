use std::fmt;

use async_trait::async_trait;
use paywright_domain::{Dispute, IntentId, IntentSnapshot, LostOrder, OrderId, RefundSnapshot, Timestamp};

use super::gateway::GatewayError;
use super::webhooks::ProviderEvent;

/// What the provider has on record, read page by page: for what no message has told, and for those who check the
/// books. Never a search, which lags behind what was done.
#[async_trait]
pub trait ProviderRecords: Send + Sync {
    /// The next messages after the one named `after`, oldest first; or, without one, the oldest of those made
    /// since `since`. [`GatewayError::NotFound`] if the provider has forgotten the one named.
    async fn events(&self, after: Option<&str>, since: Timestamp) -> Result<EventPage, GatewayError>;

    /// Intents made since `since`, the newest first, from the one after `after` on.
    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError>;

    /// Reads which order an intent was made for, and what the provider knows of the order; `None` where the intent names no
    /// order of this installation.
    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError>;

    /// Refunds made since `since`, as [`Self::intents`].
    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError>;

    /// Refunds of one intent, as [`Self::intents`].
    async fn refunds_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError>;

    /// Disputes opened since `since`, as [`Self::intents`].
    async fn disputes(&self, after: Option<&str>, since: Timestamp) -> Result<Page<Dispute>, GatewayError>;

    /// Disputes of one intent, as they stand now; as [`Self::intents`].
    async fn disputes_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError>;
}

/// An order as the provider knows it by one of its intents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedOrder {
    /// The order, as far as it is known.
    pub order: LostOrder,
    /// Whether the intent says that it is of this installation. One from before installations had names may be of another
    /// one on the same account.
    pub names_installation: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What of it can be read as ours; the rest belongs to other programs on the same account.
    pub items: Vec<T>,
    /// Objects whose status is not known here.
    pub unknown: Vec<UnknownStatus>,
    /// What to name for the page after this one; `None` for the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The last page, of these items.
    pub const fn last(items: Vec<T>) -> Self {
        Self { items, unknown: Vec::new(), next: None }
    }
}

/// An object of the provider's whose status is newer than this program: the provider's enumerations are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownStatus {
    /// Name of the object at the provider.
    pub id: String,
    /// Status as the provider spells it.
    pub status: String,
    /// The intent that it is, or that it is about.
    pub intent: IntentId,
    /// The order that it names, if it does.
    pub order: Option<OrderId>,
}

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has the status {}, which this version of the program does not know", self.id, self.status)
    }
}

/// One page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The oldest first.
    pub events: Vec<ProviderEvent>,
    /// The last message of the page, whether it could be read or not.
    pub last: Option<(String, Timestamp)>,
    /// Whether there is more.
    pub more: bool,
}
