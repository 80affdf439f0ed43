//! Conversion of the feed's rows and positions.

use std::borrow::Cow;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use paywright_app::stored::StoredFeedEvent;
use paywright_app::{FeedEvent, Position};
use paywright_domain::fact::FeedEventType;

use crate::failure::Failure;
use crate::rows::{Column, to_json};

/// Joins of an event in `feed` with its fact, or its account event, and with the row that has its snapshot.
pub(crate) const EVENT_JOINS: &str = "
    LEFT JOIN facts ON facts.order_id = feed.order_id AND facts.version = feed.version
        AND facts.position = feed.fact_position
    LEFT JOIN account_events AS account ON account.subject = feed.order_id AND account.number = feed.version
    LEFT JOIN feed AS of_snapshot ON of_snapshot.position = feed.position + feed.snapshot_after";

/// Columns of an event, as [`EventColumns`] reads them, after [`EVENT_JOINS`].
pub(crate) const EVENT_COLUMNS: &str = "
    feed.position AS event_position, feed.order_id AS event_order, feed.version AS event_version,
    feed.fact_position AS event_index, feed.kind AS event_kind, feed.at AS event_at, account.id AS event_id,
    facts.payload AS fact, facts.cause AS fact_cause, of_snapshot.livemode AS livemode, of_snapshot.view AS view,
    of_snapshot.personal AS personal";

/// Event, or nothing where an outer join finds none.
#[derive(QueryableByName)]
pub(crate) struct EventColumns {
    #[diesel(sql_type = Nullable<BigInt>)]
    event_position: Option<i64>,
    #[diesel(sql_type = Nullable<Binary>)]
    event_order: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    event_version: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    event_index: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    event_kind: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    event_at: Option<i64>,
    #[diesel(sql_type = Nullable<Binary>)]
    event_id: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Text>)]
    fact: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    fact_cause: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    livemode: Option<bool>,
    #[diesel(sql_type = Nullable<Text>)]
    view: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    personal: Option<String>,
}

impl EventColumns {
    pub(crate) fn restore(self) -> Result<Option<FeedEvent>, Failure> {
        let event = StoredFeedEvent {
            position: self.event_position,
            kind: self.event_kind.map(Cow::Owned),
            event_id: self.event_id.map(|it| Column("account_events", "id").uuid(&it)).transpose()?,
            order_id: self.event_order.map(|it| Column("feed", "order_id").uuid(&it)).transpose()?,
            version: self.event_version,
            fact_position: self.event_index,
            payload: self.fact.map(Cow::Owned),
            at: self.event_at,
            cause: self.fact_cause.map(Cow::Owned),
            view: self.view.map(Cow::Owned),
            personal: self.personal.map(Cow::Owned),
            livemode: self.livemode,
        };
        Ok(event.restore()?)
    }
}

/// Reads a position.
pub(crate) fn position(column: &Column, value: i64) -> Result<Position, Failure> {
    Ok(Position(column.read(u64::try_from(value))?))
}

/// Converts a position for a comparison: no stored one is above the largest value.
pub(crate) fn bound(position: Position) -> i64 {
    i64::try_from(position.0).unwrap_or(i64::MAX)
}

/// Converts types to a JSON array of their names.
pub(crate) fn kinds(types: &[FeedEventType]) -> Result<String, Failure> {
    to_json(&types.iter().map(|it| it.name()).collect::<Vec<_>>())
}
