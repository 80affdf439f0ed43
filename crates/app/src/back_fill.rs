//! What no message has told: the provider's list of messages, walked from where the last walk ended.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use tracing::Instrument;

use crate::{App, Cursor, CursorDue, GatewayError, Lease, ProviderEvent, StoreError, WorkId, log};

/// How far a walk without a mark goes back, in seconds: as long as Stripe lists a message ("List all events").
const FIRST_WALK_SECONDS: u32 = 30 * 86_400;

/// Messages younger than this are read again by the next walk, in seconds: one that was made before another may be
/// listed after it.
const SETTLED_SECONDS: u32 = 60;

/// The most pages of one walk; the rest is for the next step.
const PAGES_MAX: u32 = 20;

/// How long messages are kept that are done with, in seconds: longer than Stripe lists them.
const KEPT_SECONDS: u32 = 45 * 86_400;

/// Source of events that were listed, and name of the mark.
pub(crate) const BACK_FILL: &str = "back_fill";

impl App {
    /// Walks the provider's messages on from the mark that the last walk has left, if that is due and nobody else
    /// is at it, and takes in what is not known. Says whether there is more to be walked at once: only where the mark
    /// has come as far as the walk has, so that no message is read twice in one period.
    pub(crate) async fn back_fill(&self, lease: &Lease) -> Result<bool, StoreError> {
        // The first walk of a process is due at once: nobody may have been there for a while.
        let first = !self.has_walked.load(Ordering::Relaxed);
        let due = CursorDue::now(lease.now, self.settings.back_fill_seconds);
        let due = if first { CursorDue { by: due.latest, ..due } } else { due };
        let Some(mut cursor) = self.store.lease_cursor(BACK_FILL, lease, due).await? else { return Ok(false) };
        self.has_walked.store(true, Ordering::Relaxed);
        let before = cursor.value.clone();
        let more = match WorkId::Background(BACK_FILL).scope(self.walk(&mut cursor)).await {
            Ok(more) => more,
            Err(Interrupted::Store(error)) => return Err(error),
            Err(Interrupted::Gateway(error)) => {
                tracing::warn!(%error, "the payment provider's list of events cannot be read now");
                false
            }
        };
        let more = self.goes_on(BACK_FILL, more, before.as_deref(), &cursor);
        if let Some(warning) = self.clock_warning() {
            tracing::warn!("{warning}");
        }
        let now = self.clock.now();
        let again = if more { 0 } else { self.settings.back_fill_seconds };
        self.store.move_cursor(BACK_FILL, lease.owner, &cursor, now.plus_seconds(again)).await?;
        if !more {
            self.store.forget_events(now.minus_seconds(KEPT_SECONDS)).await?;
        }
        Ok(more)
    }

    async fn walk(&self, cursor: &mut Cursor) -> Result<bool, Interrupted> {
        let began = self.clock.now();
        let since = began.minus_seconds(FIRST_WALK_SECONDS);
        let mut place = cursor.value.clone();
        for _ in 0..PAGES_MAX {
            let page = match self.records.events(place.as_deref(), since).await {
                Err(GatewayError::NotFound) if place.is_some() => {
                    tracing::warn!("the payment provider has forgotten where the last walk of its events ended");
                    place = None;
                    continue;
                }
                page => page?,
            };
            let ids: Vec<String> = page.events.iter().map(|it| it.id.clone()).collect();
            let known: HashSet<String> = self.store.known_events(&ids).await?.into_iter().collect();
            for event in page.events {
                if !known.contains(&event.id) {
                    self.take_missed(event).await?;
                }
            }
            let Some((last, created_at)) = page.last else { return Ok(false) };
            if created_at.plus_seconds(SETTLED_SECONDS) <= began {
                cursor.value = Some(last.clone());
            }
            place = Some(last);
            if !page.more {
                return Ok(false);
            }
        }
        // On a busy account the messages of the last moments alone are more than one walk reads: the mark stays before
        // them, and the next period goes on from there.
        Ok(cursor.value == place)
    }

    /// Takes in an event that no webhook has brought, and logs that: it has no request whose line would.
    async fn take_missed(&self, event: ProviderEvent) -> Result<(), StoreError> {
        let span = tracing::error_span!(
            "back_fill",
            event = log::LATER,
            event_type = log::LATER,
            outcome = log::LATER,
            reason = log::LATER,
            order = log::LATER,
            number = log::LATER,
            intent = log::LATER,
        );
        async {
            self.take_event(event, BACK_FILL, BTreeMap::new()).await?;
            tracing::info!("no webhook had told this");
            Ok(())
        }
        .instrument(span)
        .await
    }
}

/// Why a walk ended early. What it has taken in is kept.
enum Interrupted {
    Gateway(GatewayError),
    Store(StoreError),
}

impl From<GatewayError> for Interrupted {
    fn from(error: GatewayError) -> Self {
        Self::Gateway(error)
    }
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
