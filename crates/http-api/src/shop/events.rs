//! Feed of events: `GET /api/v1/shop/events`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{Access, FeedPage, FeedPageError, FeedPageRequest, OrderRef, Position, Scope};
use paywright_domain::fact::FeedEventType;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use crate::Api;
use crate::auth::application_alone;
use crate::problem::Problem;
use crate::reader::{FieldProblems, Fields, Reader, Reason, echo, parse_query, string};
use crate::shop::event_pages::PageTurn;
use crate::shop::view::Envelope;
use crate::shop::{order_ref, page_limit};

/// Longest time that a call waits for an event, in seconds.
const WAIT_SECONDS_MAX: u64 = 30;
/// Period at which a waiting call reads the last position of the feed.
const POLL_PERIOD: Duration = Duration::from_millis(100);

/// Query of a page of the feed.
struct EventsQuery {
    page: FeedPageRequest,
    /// Order of the events; all orders if `None`.
    order: Option<OrderRef>,
    /// Time to wait for an event if there is none yet.
    wait: Duration,
}

impl EventsQuery {
    fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["after", "limit", "types", "order", "wait"], &mut problems);
        let after = it.optional("after", |it| {
            let position = string(it)?.parse().map_err(|_| "must be a position: an integer of at least 0")?;
            Ok(Position(position))
        });
        let limit = page_limit(&mut it);
        let types = it.optional("types", |it| string(it)?.split(',').map(event_type).collect());
        let wait = it.optional("wait", |it| {
            let seconds = it.as_str().and_then(|it| it.parse().ok()).filter(|it| *it <= WAIT_SECONDS_MAX);
            Ok(Duration::from_secs(seconds.ok_or_else(|| format!("must be 0 to {WAIT_SECONDS_MAX} seconds"))?))
        });
        let order = query.get("order").and_then(serde_json::Value::as_str);
        problems.done(Some(())).map_err(|it| refusal_with_types(it, Problem::query))?;
        let order = order.map(order_ref).transpose()?;
        let page = FeedPageRequest { after, limit, types: types.unwrap_or_default(), order: None };
        Ok(Self { page, order, wait: wait.unwrap_or_default() })
    }
}

/// Reads the name of a type of event.
pub(crate) fn event_type(name: &str) -> Result<FeedEventType, Reason> {
    if name.is_empty() {
        return Err("has an empty item: name a type of event".into());
    }
    Ok(FeedEventType::named(name).ok_or_else(|| format!("has an unknown type of event: {}", echo(name)))?)
}

/// Refusal of fields. If the types of events are among them, the detail lists all types.
pub(crate) fn refusal_with_types(fields: FieldProblems, refuse: impl FnOnce(FieldProblems) -> Problem) -> Problem {
    let is_about_types = fields.listed().iter().any(|it| it.field().starts_with("types"));
    let problem = refuse(fields);
    if is_about_types {
        problem.with_sentences(&[format!("The types are {}", FeedEventType::ALL.map(FeedEventType::name).join(", "))])
    } else {
        problem
    }
}

impl From<FeedPageError> for Problem {
    fn from(error: FeedPageError) -> Self {
        match error {
            FeedPageError::BeyondEnd { last } => {
                let problem = format!("is beyond the end of the feed: the last position is {}", last.0);
                Self::field(StatusCode::CONFLICT, "cursor_beyond_end", "after", problem)
            }
            FeedPageError::Deleted { first } => {
                let problem = format!(
                    "is too old: events after it were deleted because of their age; the first one kept is at position \
                     {}, which is read after position {}",
                    first.0,
                    first.0.saturating_sub(1)
                );
                Self::field(StatusCode::GONE, "events_deleted", "after", problem)
            }
            FeedPageError::Store(error) => error.into(),
        }
    }
}

/// `GET /events?after=&limit=&types=&order=&wait=`: events after a position, in the order of their positions.
pub(crate) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    application_alone(&api, &request, Scope::EventsRead).await?;
    let EventsQuery { mut page, order, wait } = EventsQuery::read(&parse_query(&request)?)?;
    if let Some(which) = order {
        page.order = Some(api.app.get_order(&which, &Access::All).await?.id);
    }
    let (page, turn) = page_with_events(&api, page, wait).await?;
    let json = json_of(&page)?;
    drop(page);
    Ok(turn.answer(json))
}

/// Reads a page. While it has no event, it is read again until the time is over or the process is shutting down.
async fn page_with_events(
    api: &Api,
    mut page: FeedPageRequest,
    wait: Duration,
) -> Result<(FeedPage, PageTurn), Problem> {
    let deadline = Instant::now() + wait;
    loop {
        let turn = api.event_pages.turn().await?;
        let found = api.publisher.feed_page(page.clone()).await?;
        if !found.events.is_empty() {
            return Ok((found, turn));
        }
        // A call that waits keeps no other one waiting.
        drop(turn);
        if !has_more_before(api, &found, deadline).await? {
            return Ok((found, api.event_pages.turn().await?));
        }
        page.after = Some(found.next);
    }
}

/// Waits until there are events after a page. `false` if there are none before the deadline or the shutdown.
async fn has_more_before(api: &Api, page: &FeedPage, deadline: Instant) -> Result<bool, Problem> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || api.shutdown.has_begun() {
            return Ok(false);
        }
        if page.has_more {
            return Ok(true);
        }
        sleep(POLL_PERIOD.min(left)).await;
        if api.publisher.last_position().await? > page.next {
            return Ok(true);
        }
    }
}

/// Page of the feed.
#[derive(Serialize)]
struct EventsView {
    events: Vec<Box<RawValue>>,
    /// Position to pass as `after` for the next page.
    next: u64,
    has_more: bool,
}

/// JSON of the answer with a page.
fn json_of(page: &FeedPage) -> Result<Vec<u8>, Problem> {
    let events = page.events.iter().map(|it| RawValue::from_string(it.to_json())).collect::<Result<_, _>>();
    let answer = |events| {
        let data = EventsView { events, next: page.next.0, has_more: page.has_more };
        serde_json::to_vec(&Envelope { message: "Events", data })
    };
    events.and_then(answer).map_err(|error| {
        tracing::error!(%error, "a stored event is not JSON");
        let detail = "an event of this page cannot be read: the service's log has the details";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    })
}
