//! Conversion of the feed's rows and positions.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use paywright_app::{FeedEvent, OrderSnapshot, Position, RecordedFact, Version};
use paywright_domain::OrderId;
use paywright_domain::fact::FeedEventType;

use crate::failure::Failure;
use crate::rows::{Column, to_json};

/// Columns of an event, of its fact, and of its snapshot in the row `of_snapshot`, as [`EventColumns`] reads them.
pub(crate) const EVENT_COLUMNS: &str = "
    feed.position AS event_position, feed.order_id AS event_order, feed.version AS event_version,
    feed.fact_position AS event_index, feed.kind AS event_kind, facts.payload AS fact, facts.at AS fact_at,
    facts.cause AS fact_cause, of_snapshot.livemode AS livemode, of_snapshot.view AS view,
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
    #[diesel(sql_type = Nullable<Text>)]
    fact: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    fact_at: Option<i64>,
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
        let Some(at) = self.event_position else { return Ok(None) };
        let column = |name| Column("feed", name);
        let found = |name, value: Option<i64>| column(name).found(value);
        let fact = |name| Column("facts", name);
        let payload = fact("payload").found(self.fact)?;
        let kind = column("kind").found(self.event_kind)?;
        Ok(Some(FeedEvent {
            position: position(&column("position"), at)?,
            kind: column("kind").found(FeedEventType::named(&kind))?,
            order: OrderId(column("order_id").uuid(&column("order_id").found(self.event_order)?)?),
            index: column("fact_position").read(u16::try_from(found("fact_position", self.event_index)?))?,
            recorded: RecordedFact {
                version: Version(column("version").count(found("version", self.event_version)?)?),
                fact: fact("payload").json(&payload)?,
                at: fact("at").time(fact("at").found(self.fact_at)?)?,
                cause: self.fact_cause.map(|it| fact("cause").json(&it)).transpose()?,
            },
            snapshot: OrderSnapshot {
                view: column("view").found(self.view)?,
                personal: self.personal,
                livemode: column("livemode").found(self.livemode)?,
            },
        }))
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
