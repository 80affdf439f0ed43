//! Request bodies and queries about endpoints of outgoing webhooks. All problems of one are reported together.

use paywright_app::{
    AttemptOutcome, AttemptQuery, EndpointEdit, EndpointId, EndpointUrl, NewEndpoint, Position, Publisher,
};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use paywright_domain::text::Text;
use serde_json::Value;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder};
use utoipa::openapi::{KnownFormat, Ref};
use uuid::Uuid;

use crate::openapi::schema::{
    BodyObject, body_schema, integer, list, parameters, position as position_schema, query, string, string_in,
    string_of, text,
};
use crate::problem::Problem;
use crate::reader::{FieldProblems, Fields, Reader, Reason, integer as read_integer, string as read_string};
use crate::shop::events::{event_type, refusal_with_types};
use crate::shop::{limit_parameter, page_limit};

/// Error code for invalid fields of an endpoint.
pub(super) const INVALID_ENDPOINT: &str = "invalid_webhook_endpoint";
/// Name that means all types of events.
pub(super) const ALL_TYPES: &str = "*";

/// Default time for which the previous secret still signs, in seconds: a day.
const OVERLAP_SECONDS_DEFAULT: u32 = 86_400;

/// Description of an endpoint, for people.
type Description = Text<0, { Publisher::ENDPOINT_DESCRIPTION_CHARS_MAX }>;

const NEW_ENDPOINT: [&str; 4] = ["url", "description", "types", "after"];
const ENDPOINT_EDIT: [&str; 3] = ["url", "description", "types"];

body_schema! {
    /// Body that [`new_endpoint`] reads.
    NewEndpointBody as "NewWebhookEndpoint" = BodyObject::of(&NEW_ENDPOINT)
        .required("url", url_schema())
        .optional("description", text::<Description>())
        .optional("types", types_schema())
        .optional("after", position_schema())
        .done();
    /// Body that [`endpoint_edit`] reads.
    EndpointEditBody as "WebhookEndpointEdit" = BodyObject::of(&ENDPOINT_EDIT)
        .optional("url", url_schema())
        .optional("description", text::<Description>())
        .optional("types", types_schema())
        .done();
    /// Body that [`overlap_seconds`] reads.
    RotationBody as "SecretRotation" = BodyObject::of(&["overlap_seconds"])
        .optional(
            "overlap_seconds",
            integer(0, Publisher::SECRET_OVERLAP_SECONDS_MAX).default(Some(OVERLAP_SECONDS_DEFAULT.into())),
        )
        .done();
    /// Body that [`no_fields`] reads.
    EmptyBody as "EmptyBody" = BodyObject::of(&[]).done();
    /// Body that [`resend_position`] reads.
    ResendBody as "Resend" = BodyObject::of(&["position"]).required("position", position_schema()).done();
    /// Body that [`replay_after`] reads.
    ReplayBody as "Replay" = BodyObject::of(&["after"]).required("after", position_schema()).done();
}

parameters! {
    /// Query that [`EndpointsQuery::read`] reads.
    EndpointsParameters = [
        query("cursor", "`next_cursor` of an earlier answer.", string_in(KnownFormat::Uuid)),
        limit_parameter(),
    ];
    /// Query that [`AttemptsQuery::read`] reads.
    AttemptsParameters = [
        query("cursor", "`next_cursor` of an earlier answer.", string().pattern(Some("^[0-9]+\\.[0-9a-f]{32}$"))),
        limit_parameter(),
        query("outcome", "Outcome of the attempts.", string().enum_values(Some(AttemptOutcome::ALL.map(AttemptOutcome::name)))),
    ];
}

fn url_schema() -> ObjectBuilder {
    string_of("uri").max_length(Some(EndpointUrl::BYTES_MAX))
}

/// Types of events, as [`types`] reads them.
fn types_schema() -> OneOfBuilder {
    let all = list(string().enum_values(Some([ALL_TYPES])), 1, 1);
    let some: ArrayBuilder = list(Ref::from_schema_name("EventType"), 1, FeedEventType::ALL.len());
    OneOfBuilder::new().item(all).item(some.unique_items(true))
}

/// Returns the value, or refuses the body.
fn done<T>(problems: FieldProblems, value: Option<T>) -> Result<T, Problem> {
    let refuse = |it| Problem::invalid(INVALID_ENDPOINT, it);
    problems.done(value).map_err(|it| refusal_with_types(it, refuse))
}

/// Reads the body of a new endpoint.
pub(super) fn new_endpoint(body: &Fields) -> Result<NewEndpoint, Problem> {
    let mut problems = FieldProblems::default();
    let mut it = Reader::new(body, &NEW_ENDPOINT, &mut problems);
    let url = it.required("url", url);
    let description = it.optional("description", description);
    let types = types(&mut it);
    let after = it.optional("after", position);
    let new = url.map(|url| NewEndpoint {
        description: description.unwrap_or_default(),
        types: types.unwrap_or_default(),
        after,
        ..NewEndpoint::at(url)
    });
    done(problems, new)
}

/// Reads the body of an edit of an endpoint.
pub(super) fn endpoint_edit(body: &Fields) -> Result<EndpointEdit, Problem> {
    let mut problems = FieldProblems::default();
    let mut it = Reader::new(body, &ENDPOINT_EDIT, &mut problems);
    let url = it.optional("url", url);
    let description = it.optional("description", description);
    let edit = EndpointEdit { url, description, types: types(&mut it), ..EndpointEdit::default() };
    done(problems, Some(edit))
}

fn url(value: &Value) -> Result<EndpointUrl, Reason> {
    Ok(EndpointUrl::parse(read_string(value)?)?)
}

fn description(value: &Value) -> Result<String, Reason> {
    Ok(Description::of_one_line(read_string(value)?)?.to_string())
}

/// Reads types of events; the empty list means all of them.
fn types(body: &mut Reader<'_>) -> Option<Vec<FeedEventType>> {
    let listed = body.get("types")?.as_array().map_or(1, Vec::len);
    if listed == 0 {
        body.note("types", "must name a type of event, or be [\"*\"] for all");
    }
    let is_all = |it: &Value| it == ALL_TYPES;
    let read = body.values("types", |it| if is_all(it) { Ok(None) } else { event_type(read_string(it)?).map(Some) })?;
    let types: Vec<_> = read.iter().copied().flatten().collect();
    if types.len() < read.len() && listed > 1 {
        body.note("types", "must be [\"*\"] alone for all types");
    }
    if types.iter().enumerate().any(|(place, it)| types.iter().take(place).any(|other| other == it)) {
        body.note("types", "must name each type once");
    }
    Some(types)
}

fn position(value: &Value) -> Result<Position, Reason> {
    Ok(Position(u64::try_from(read_integer(value)?).map_err(|_| "must be at least 0")?))
}

/// Reads the time for which the previous secret still signs, in seconds.
pub(super) fn overlap_seconds(body: &Fields) -> Result<u32, Problem> {
    let mut problems = FieldProblems::default();
    let overlap = Reader::new(body, &["overlap_seconds"], &mut problems).optional("overlap_seconds", |it| {
        let seconds = u32::try_from(read_integer(it)?).ok().filter(|it| *it <= Publisher::SECRET_OVERLAP_SECONDS_MAX);
        Ok(seconds.ok_or_else(|| format!("must be 0 to {}", Publisher::SECRET_OVERLAP_SECONDS_MAX))?)
    });
    done(problems, Some(overlap.unwrap_or(OVERLAP_SECONDS_DEFAULT)))
}

/// Refuses every field, in the body of a call that has none.
pub(super) fn no_fields(body: &Fields) -> Result<(), Problem> {
    let mut problems = FieldProblems::default();
    Reader::new(body, &[], &mut problems);
    done(problems, Some(()))
}

/// Reads the position of the event to send again.
pub(super) fn resend_position(body: &Fields) -> Result<Position, Problem> {
    required_position(body, "position")
}

/// Reads the position after which events are sent again.
pub(super) fn replay_after(body: &Fields) -> Result<Position, Problem> {
    required_position(body, "after")
}

fn required_position(body: &Fields, name: &'static str) -> Result<Position, Problem> {
    let mut problems = FieldProblems::default();
    let read = Reader::new(body, &[name], &mut problems).required(name, position);
    done(problems, read)
}

/// Query of a page of endpoints.
pub(super) struct EndpointsQuery {
    pub(super) after: Option<EndpointId>,
    pub(super) limit: u16,
}

impl EndpointsQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["cursor", "limit"], &mut problems);
        let after =
            it.optional("cursor", |it| Ok(EndpointId(Uuid::try_parse(read_string(it)?).map_err(|_| BAD_CURSOR)?)));
        let limit = page_limit(&mut it);
        problems.done(Some(Self { after, limit })).map_err(Problem::query)
    }
}

const BAD_CURSOR: &str = "must be the next_cursor of an earlier answer";

/// Query of a page of attempts.
#[derive(Clone, Copy)]
pub(super) struct AttemptsQuery {
    older_than: Option<(Timestamp, Uuid)>,
    outcome: Option<AttemptOutcome>,
    pub(super) limit: u16,
}

impl AttemptsQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["cursor", "limit", "outcome"], &mut problems);
        let older_than = it.optional("cursor", |it| Ok(attempt_of_cursor(read_string(it)?).ok_or(BAD_CURSOR)?));
        let outcome = it.optional("outcome", |it| {
            Ok(AttemptOutcome::named(read_string(it)?).ok_or("must be delivered, retried or failed")?)
        });
        let limit = page_limit(&mut it);
        problems.done(Some(Self { older_than, outcome, limit })).map_err(Problem::query)
    }

    /// Query for the page and for one attempt more, which shows that there is a next page.
    pub(super) const fn with_one_more(self, endpoint: EndpointId) -> AttemptQuery {
        let Self { older_than, outcome, limit } = self;
        AttemptQuery { endpoint, older_than, outcome, limit: limit + 1 }
    }
}

/// Cursor that names the last attempt of a page: its time in microseconds, and its event.
pub(super) fn cursor_of_attempt(at: Timestamp, event: Uuid) -> String {
    format!("{}.{}", at.unix_micros(), event.as_simple())
}

fn attempt_of_cursor(text: &str) -> Option<(Timestamp, Uuid)> {
    let (at, event) = text.split_once('.')?;
    Some((Timestamp::from_unix_micros(at.parse().ok()?).ok()?, Uuid::try_parse(event).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_an_attempt() {
        let attempt = (Timestamp::from_unix_micros(1_743_415_050_000_007).unwrap(), Uuid::from_u128(7));
        let cursor = cursor_of_attempt(attempt.0, attempt.1);
        assert_eq!(attempt_of_cursor(&cursor), Some(attempt));
        for text in
            ["", ".", "1", "1.", ".0", "x.00000000000000000000000000000007", &cursor[1..], &format!("{cursor}0")]
        {
            assert_ne!(attempt_of_cursor(text), Some(attempt), "{text}");
        }
    }
}
