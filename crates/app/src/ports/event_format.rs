//! Port to the form of webhooks in Spree's format.

use paywright_domain::Timestamp;

use super::feed::FeedEvent;

/// Port that renders events of the feed in Spree's format, in which an event becomes several webhooks, or none.
///
/// The parts of an event have an index from 0, which depends on the event alone: whatever the subscriptions are, a part
/// has the same index.
pub trait EventFormat: Send + Sync {
    /// Renders the first part of `event` that has an index of `from` or more and that `subscriptions` name. `None` if
    /// there is no such part.
    fn part(&self, event: &FeedEvent, subscriptions: &[String], from: u32) -> Option<EventPart>;

    /// Body of a test event of the type `kind`.
    fn test_body(&self, kind: &str, at: Timestamp) -> String;
}

/// Part of an event: one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPart {
    /// Index of the part.
    pub index: u32,
    /// Name of Spree's event.
    pub name: String,
    /// JSON body.
    pub body: String,
    /// Index of the next part that the subscriptions name; `None` if this is the last one.
    pub next: Option<u32>,
}
