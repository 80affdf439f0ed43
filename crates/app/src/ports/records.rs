use std::fmt;

use async_trait::async_trait;
use paywright_domain::dispute::Dispute;
use paywright_domain::id::ChargeId;
use paywright_domain::order::LostOrder;
use paywright_domain::refund::RefundSnapshot;
use paywright_domain::{IntentId, IntentSnapshot, OrderId, Timestamp};

use super::gateway::GatewayError;
use super::webhooks::ProviderEvent;

/// Port to Stripe's lists, for the back-fill, the audit and the recovery. A list is read page by page. Stripe's search
/// is not used: it lags behind what was done.
///
/// Each list method takes `after`, the [`Page::next`] of the page before (`None` for the first page), and returns the
/// newest objects first.
#[async_trait]
pub trait ProviderRecords: Send + Sync {
    /// Reads a page of events, the oldest first: those after the event with the id `after`, or without it those created
    /// since `since`. [`GatewayError::NotFound`] if Stripe no longer has the event `after`.
    async fn events(&self, after: Option<&str>, since: Timestamp) -> Result<EventPage, GatewayError>;

    /// Reads a page of the PaymentIntents created since `since`.
    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError>;

    /// Reads the order that a PaymentIntent was created for, as far as Stripe has it. `None` where the intent names no
    /// order of this installation.
    async fn recorded_order(&self, intent: &IntentId) -> Result<Option<RecordedOrder>, GatewayError>;

    /// Finds the PaymentIntent of a charge. `None` if Stripe has no such charge, or one without a PaymentIntent.
    async fn intent_of_charge(&self, charge: &ChargeId) -> Result<Option<IntentId>, GatewayError>;

    /// Reads a page of the refunds created since `since`.
    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError>;

    /// Reads a page of the refunds of one PaymentIntent.
    async fn refunds_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError>;

    /// Reads a page of the disputes created since `since`.
    async fn disputes(&self, after: Option<&str>, since: Timestamp) -> Result<Page<Dispute>, GatewayError>;

    /// Reads a page of the disputes of one PaymentIntent.
    async fn disputes_of(&self, intent: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError>;
}

/// An order as Stripe has it in one of its PaymentIntents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedOrder {
    /// The order, as far as Stripe has it.
    pub order: LostOrder,
    /// Whether the metadata of the intent names this installation. An intent from before installation ids names none,
    /// and may belong to another installation on the same account.
    pub names_installation: bool,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Objects of the page that may belong to this installation; others on the same account are left out.
    pub items: Vec<T>,
    /// Objects with a status that this version does not know.
    pub unknown: Vec<UnknownStatus>,
    /// Value of `after` for the next page; `None` on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Last page of a list, with these items.
    pub const fn last(items: Vec<T>) -> Self {
        Self { items, unknown: Vec::new(), next: None }
    }
}

/// A PaymentIntent, refund or dispute with a status that this version does not know: Stripe may add values to its
/// enumerations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownStatus {
    /// Stripe's id of the object.
    pub id: String,
    /// Status as Stripe spells it.
    pub status: String,
    /// Id of the PaymentIntent: the object itself, or the one that it is about.
    pub intent: IntentId,
    /// Order that its metadata names, if any.
    pub order: Option<OrderId>,
}

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has the status {}, which this version of Paywright does not know", self.id, self.status)
    }
}

/// One page of the list of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// Events of the page that could be read, the oldest first.
    pub events: Vec<ProviderEvent>,
    /// Id and creation time of the newest event of the page, whether it could be read or not; `None` for an empty page.
    pub last: Option<(String, Timestamp)>,
    /// Whether Stripe has newer events than those of this page.
    pub more: bool,
}
