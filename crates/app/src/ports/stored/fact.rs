use std::borrow::Cow;

use paywright_domain::fact::FeedEventType;
use paywright_domain::{Fact, OrderId, Timestamp};
use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::{
    AccountEvent, Cause, EventContent, FeedEvent, OrderEvent, OrderSnapshot, Position, RecordedFact, StoredTask,
    SubjectId, Version,
};

/// Row of the table `facts`, without the order's id and the position.
#[expect(missing_docs, reason = "each other field is the column of its name, and `RecordedFact` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFact<'a> {
    pub version: i64,
    /// Name of the fact, for queries; the payload has it too.
    pub kind: Cow<'a, str>,
    pub payload: Cow<'a, str>,
    pub at: i64,
    pub cause: Option<Cow<'a, str>>,
}

impl<'a> StoredFact<'a> {
    /// Row of a fact of the commit that makes `version` at `at`. The facts of a commit share the document of its cause
    /// ([`Self::document`]).
    pub fn of(fact: &'a Fact, version: Version, at: Timestamp, cause: Option<&'a str>) -> Result<Self, ColumnError> {
        Ok(Self {
            version: i64::from(version.0),
            kind: text(fact.kind()),
            payload: Cow::Owned(Column("facts", "payload").document(fact)?),
            at: at.unix_micros(),
            cause: cause.map(text),
        })
    }

    /// Document of a cause.
    pub fn document(cause: &Cause) -> Result<String, ColumnError> {
        Column("facts", "cause").document(cause)
    }

    /// Restores the fact.
    pub fn restore(self) -> Result<RecordedFact, ColumnError> {
        let column = |name| Column("facts", name);
        Ok(RecordedFact {
            version: column("version").version(self.version)?,
            fact: column("payload").json(&self.payload)?,
            at: column("at").time(self.at)?,
            cause: self.cause.map(|it| column("cause").json(&it)).transpose()?,
        })
    }
}

/// Row of an event of the feed: its columns in `feed`, those of its fact in `facts` or its id in `account_events`, and what
/// it shows (`view`, `personal`, `livemode`), which each database has in another table. An outer join that finds no event
/// has NULL in all of them.
#[expect(missing_docs, reason = "each field is the column of its name, and `FeedEvent` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredFeedEvent<'a> {
    pub position: Option<i64>,
    pub kind: Option<Cow<'a, str>>,
    /// Id of an event of the account; `None` of a fact.
    pub event_id: Option<Uuid>,
    pub order_id: Option<Uuid>,
    pub version: Option<i64>,
    pub fact_position: Option<i64>,
    pub payload: Option<Cow<'a, str>>,
    pub at: Option<i64>,
    pub cause: Option<Cow<'a, str>>,
    pub view: Option<Cow<'a, str>>,
    pub personal: Option<Cow<'a, str>>,
    pub livemode: Option<bool>,
}

impl StoredFeedEvent<'_> {
    /// Restores the event, if the row has one.
    pub fn restore(self) -> Result<Option<FeedEvent>, ColumnError> {
        let Some(position) = self.position else { return Ok(None) };
        let (feed, facts) = (|name| Column("feed", name), |name| Column("facts", name));
        let snapshot = |name| Column("(snapshot)", name);
        let position = feed("position").read(u64::try_from(position).map(Position))?;
        let kind = feed("kind").found(self.kind)?;
        let newer =
            || format!("{kind} is no type of event that this version knows: use the newest version that ran here");
        let kind = feed("kind").read(FeedEventType::named(&kind).ok_or_else(newer))?;
        let subject = feed("order_id").found(self.order_id)?;
        let version = feed("version").version(feed("version").found(self.version)?)?;
        let at = feed("at").time(feed("at").found(self.at)?)?;
        let view = snapshot("view").found(self.view)?.into_owned();
        let livemode = snapshot("livemode").found(self.livemode)?;
        let content = match self.event_id {
            Some(id) => {
                let event = AccountEvent { id, subject: SubjectId(subject), kind, at, livemode, data: view };
                EventContent::Account { number: version, event }
            }
            None => EventContent::Order(Box::new(OrderEvent {
                order: OrderId(subject),
                index: feed("fact_position").read(u16::try_from(feed("fact_position").found(self.fact_position)?))?,
                recorded: RecordedFact {
                    version,
                    fact: facts("payload").json(&facts("payload").found(self.payload)?)?,
                    at,
                    cause: self.cause.map(|it| facts("cause").json(&it)).transpose()?,
                },
                snapshot: OrderSnapshot { view, personal: self.personal.map(Cow::into_owned), livemode },
            })),
        };
        Ok(Some(FeedEvent { position, kind, content }))
    }
}

/// Row of the table `tasks`, as people see it: without its keys and without the owner of its lease.
#[expect(missing_docs, reason = "each field is the column of its name, and `StoredTask` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTaskRow<'a> {
    pub payload: Cow<'a, str>,
    pub due_at: i64,
    pub taken: i64,
    pub leased_until: Option<i64>,
    pub error: Option<Cow<'a, str>>,
}

impl StoredTaskRow<'_> {
    /// Restores the task.
    pub fn restore(self) -> Result<StoredTask, ColumnError> {
        let column = |name| Column("tasks", name);
        Ok(StoredTask {
            task: column("payload").json(&self.payload)?,
            due_at: column("due_at").time(self.due_at)?,
            taken: column("taken").count(self.taken)?,
            leased_until: self.leased_until.map(|it| column("leased_until").time(it)).transpose()?,
            error: self.error.map(Cow::into_owned),
        })
    }
}
