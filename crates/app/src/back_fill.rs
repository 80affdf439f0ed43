//! Back-fill: events that no webhook has delivered, read from Stripe's list, starting where the last walk ended.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;

use paywright_domain::Timestamp;
use tracing::Instrument;

use crate::retention::EVENTS_KEPT_SECONDS_MIN;
use crate::{App, Cursor, CursorDue, GatewayError, Lease, ProviderEvent, StoreError, Work, WorkId, log, traces};

/// Age of the oldest event that a walk processes, in seconds: Stripe lists events for 30 days ("List all events"). An
/// older one, which may follow a cursor that has not been moved for long, may have been processed and deleted.
const OLDEST_SECONDS: u32 = 30 * 86_400;
const _: () = assert!(OLDEST_SECONDS < EVENTS_KEPT_SECONDS_MIN);

/// Age below which the next walk reads an event again, in seconds: an event may be listed later than one that was
/// created after it.
const SETTLED_SECONDS: u32 = 60;

/// Largest number of pages of one walk; the next step reads the rest.
const PAGES_MAX: u32 = 20;

/// Source of events that the back-fill found, and name of its cursor.
pub(crate) const BACK_FILL: &str = "back_fill";

impl App {
    /// Walks Stripe's list of events from the stored cursor on, if the cursor is due and under no lease, and processes
    /// the events that are not in the inbox. Returns whether there is more to read at once: only where the cursor has
    /// come as far as the walk, so that no event is read twice in one period.
    pub(crate) async fn back_fill(&self, lease: &Lease) -> Result<bool, StoreError> {
        // The first walk of a process is due at once: no process may have been running for a while.
        let first = !self.has_walked.load(Ordering::Relaxed);
        let due = CursorDue::now(lease.now, self.settings.back_fill_seconds);
        let due = if first { CursorDue { by: due.latest, ..due } } else { due };
        let Some(mut cursor) = self.store.cursors.lease_cursor(BACK_FILL, lease, due).await? else { return Ok(false) };
        self.has_walked.store(true, Ordering::Relaxed);
        let before = cursor.value.clone();
        let walk = Work::of(WorkId::Background(BACK_FILL)).in_trace(traces::walk(BACK_FILL));
        let more = match walk.scope(self.walk(&mut cursor)).await {
            Ok(more) => {
                if !more {
                    self.back_filled_at.store(self.clock.now().unix_micros(), Ordering::Relaxed);
                }
                more
            }
            Err(Interrupted::Store(error)) => return Err(error),
            Err(Interrupted::Gateway(error)) => {
                tracing::warn!(%error, "Stripe's list of events cannot be read now");
                false
            }
        };
        let more = self.continues_at_once(BACK_FILL, more, before.as_deref(), &cursor);
        if let Some(warning) = self.clock_warning() {
            tracing::warn!("{warning}");
        }
        let now = self.clock.now();
        let again = if more { 0 } else { self.settings.back_fill_seconds };
        self.store.cursors.move_cursor(BACK_FILL, lease.owner, &cursor, now.plus_seconds(again)).await?;
        Ok(more)
    }

    /// Time at which this process has last completed the back-fill, or of its start.
    pub(crate) fn back_filled_at(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.back_filled_at.load(Ordering::Relaxed)).unwrap_or(Timestamp::EPOCH)
    }

    async fn walk(&self, cursor: &mut Cursor) -> Result<bool, Interrupted> {
        let began = self.clock.now();
        let mut position = cursor.value.clone();
        for _ in 0..PAGES_MAX {
            let oldest = self.at_stripe(began).minus_seconds(OLDEST_SECONDS);
            let page = match self.records.events(position.as_deref(), oldest).await {
                Err(GatewayError::NotFound(_)) if position.is_some() => {
                    tracing::warn!(
                        "Stripe no longer lists the event at which the last back-fill ended; this one starts at the oldest event"
                    );
                    position = None;
                    continue;
                }
                page => page?,
            };
            // Events have times of Stripe's clock, which is known from its first answer on.
            let began_at_stripe = self.at_stripe(began);
            let oldest = began_at_stripe.minus_seconds(OLDEST_SECONDS);
            let ids: Vec<String> = page.events.iter().map(|it| it.id.clone()).collect();
            let known: HashSet<String> = self.store.inbox.known_events(&ids).await?.into_iter().collect();
            for event in page.events {
                if event.created_at < oldest {
                    tracing::debug!(event = event.id, "an event is too old to be processed");
                } else if !known.contains(&event.id) {
                    self.process_missed(event).await?;
                }
            }
            let Some((last, created_at)) = page.last else { return Ok(false) };
            if created_at.plus_seconds(SETTLED_SECONDS) <= began_at_stripe {
                cursor.value = Some(last.clone());
            }
            position = Some(last);
            if !page.more {
                return Ok(false);
            }
        }
        // On a busy account the events of the last minute can be more than one walk reads: the cursor stays before
        // them, and the next period continues from there.
        Ok(cursor.value == position)
    }

    /// Processes an event that no webhook delivered, and logs it: there is no HTTP request whose log line would.
    async fn process_missed(&self, event: ProviderEvent) -> Result<(), StoreError> {
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
            tracing::info!("event found without a webhook");
            Ok(())
        }
        .instrument(span)
        .await
    }
}

/// Why a walk ended early. Events that it has processed stay processed.
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
