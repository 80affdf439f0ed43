//! `paywright events`: prints the feed.

use std::sync::Arc;
use std::time::Duration;

use paywright_app::{FeedPageRequest, OrderRef, Position};
use paywright_domain::OrderId;
use paywright_domain::fact::FeedEventType;
use paywright_webhook_sender::SenderSettings;

use crate::cli::{EventsCommand, EventsOptions};
use crate::database::{Schema, Stores};
use crate::serve::publisher;
use crate::settings::Settings;
use crate::stop::StopSignals;
use crate::worker::WorkerSignal;
use crate::{Failure, say};

/// Interval in which the feed is read for new events.
const INTERVAL: Duration = Duration::from_millis(200);

/// Number of events that are printed at first.
const FIRST_EVENTS: u64 = 10;

pub(crate) async fn run(options: EventsOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    let stores = database.open(1, Schema::Check).await?;
    let EventsCommand::Tail { after, types, order, no_follow } = options.command;
    tail(stores, after, types, order.as_deref(), !no_follow).await
}

/// Prints the events after the position `after`, and new ones until the process receives a signal to stop.
async fn tail(
    stores: Stores,
    after: Option<u64>,
    types: Vec<FeedEventType>,
    order: Option<&str>,
    is_following: bool,
) -> Result<(), Failure> {
    let order = match order {
        Some(name) => Some(order_named(&stores, name).await?),
        None => None,
    };
    let waker = Arc::<WorkerSignal>::default();
    let publisher = publisher((stores.feed, stores.endpoints), SenderSettings::default(), &waker)?;
    let mut signals = StopSignals::new()?;
    let mut after = match after {
        // The oldest event that is kept, whatever its position.
        Some(0) => None,
        Some(after) => Some(Position(after)),
        None => Some(publisher.before_last(FIRST_EVENTS).await?),
    };
    loop {
        let request =
            FeedPageRequest { after, limit: paywright_app::Publisher::FEED_PAGE_MAX, types: types.clone(), order };
        let page = publisher.feed_page(request).await?;
        for event in &page.events {
            say(&event.to_json());
        }
        after = Some(page.next);
        if page.has_more {
            continue;
        }
        if !is_following {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = signals.next() => return Ok(()),
        }
    }
}

async fn order_named(stores: &Stores, name: &str) -> Result<OrderId, Failure> {
    let unknown = || format!("there is no order {name}");
    let found = stores.orders.order(&OrderRef::parse(name)?).await?;
    Ok(found.ok_or_else(unknown)?.value.id)
}
