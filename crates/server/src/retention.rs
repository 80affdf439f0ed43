//! Background loop that deletes what is older than its setting says. Every serving process has one.

use std::fmt::Display;
use std::time::Duration;

use paywright_app::{App, FeedRetention, Publisher, RecordRetention, Storefront};
use tokio::sync::watch;

/// Interval between two looks for old rows. A look that has found more than it deletes at once is followed by another.
const INTERVAL: Duration = Duration::from_secs(60);

/// Times for which old things are kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Keep {
    pub(crate) carts: KeepCarts,
    pub(crate) feed: FeedRetention,
    pub(crate) records: RecordRetention,
}

/// Number of seconds for which unchanged carts are kept; for ever if `None`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeepCarts {
    pub(crate) all: Option<u32>,
    /// Limit for guests' carts without lines.
    pub(crate) empty: Option<u32>,
}

/// Deletes what is old, some of each kind at a time, until the worker is stopped.
pub(crate) async fn delete_old(
    app: App,
    storefront: Storefront,
    publisher: Publisher,
    keep: Keep,
    mut stopped: watch::Receiver<bool>,
) {
    while !*stopped.borrow() {
        let mut more = has_more("idempotency records and events of Stripe", app.delete_old_records(keep.records).await);
        more |= has_more("events of the feed and attempts", publisher.delete_old_events(keep.feed).await);
        if let Some(seconds) = keep.carts.empty {
            more |= has_more("carts", storefront.forget_empty_carts(seconds).await);
        }
        if let Some(seconds) = keep.carts.all {
            more |= has_more("carts", storefront.forget_left_carts(seconds).await);
        }
        if more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Whether there are more old rows of a kind.
fn has_more<E: Display>(of: &str, deleted: Result<bool, E>) -> bool {
    deleted.unwrap_or_else(|error| {
        tracing::warn!(%error, "old {of} cannot be deleted now");
        false
    })
}
