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
use utoipa::ToSchema;

use crate::Api;
use crate::auth::application_alone;
use crate::openapi::AnyEvent;
use crate::openapi::refusals;
use crate::openapi::schema::{integer, parameters, position, query, string};
use crate::problem::Problem;
use crate::reader::{FieldProblems, Fields, Reader, Reason, echo, parse_query, string as read_string};
use crate::shop::event_pages::PageTurn;
use crate::shop::view::Envelope;
use crate::shop::{limit_parameter, order_ref, order_schema, page_limit};

/// Longest time that a call waits for an event, in seconds.
const WAIT_SECONDS_MAX: u32 = 30;
/// Period at which a waiting call reads the last position of the feed.
const POLL_PERIOD: Duration = Duration::from_millis(100);

parameters! {
    /// Query that [`EventsQuery::read`] reads.
    EventsParameters = [
        query("after", "Position after which events are read; 0 for the first ones.", position()),
        limit_parameter(),
        query("types", "Types of the events, separated by commas; all if absent.", string().pattern(Some(types_pattern()))),
        query("order", "Id or number of the events' order; all orders if absent.", order_schema()),
        query("wait", "Seconds to wait for an event if there is none yet.", integer(0, WAIT_SECONDS_MAX)),
    ];
}

/// Pattern of names of types, separated by commas.
fn types_pattern() -> String {
    let types = FeedEventType::ALL.map(|it| it.name().replace('.', "\\.")).join("|");
    format!("^({types})(,({types}))*$")
}

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
            let position = read_string(it)?.parse().map_err(|_| "must be a position: an integer of at least 0")?;
            Ok(Position(position))
        });
        let limit = page_limit(&mut it);
        let types = it.optional("types", |it| read_string(it)?.split(',').map(event_type).collect());
        let wait = it.optional("wait", |it| {
            let seconds = it.as_str().and_then(|it| it.parse().ok()).filter(|it: &u32| *it <= WAIT_SECONDS_MAX);
            let seconds = seconds.ok_or_else(|| format!("must be 0 to {WAIT_SECONDS_MAX} seconds"))?;
            Ok(Duration::from_secs(seconds.into()))
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

/// Reads the events after a position, in the order of their positions.
#[utoipa::path(
    get, path = "/events", tag = "Events", operation_id = "listEvents",
    params(EventsParameters),
    responses(
        (status = 200, description = "A page of events.", body = Envelope<EventsView>),
        refusals::ListEvents,
    ),
    security(("api_key" = ["events:read"])),
)]
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
#[derive(Serialize, ToSchema)]
#[schema(as = EventsPage)]
pub(crate) struct EventsView {
    #[schema(value_type = Vec<AnyEvent>)]
    events: Vec<Box<RawValue>>,
    /// Position to pass as `after` for the next page.
    next: u64,
    /// Whether there are more events after this page.
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
