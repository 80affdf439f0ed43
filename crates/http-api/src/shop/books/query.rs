//! Queries and bodies of calls about the books. All problems of one are reported together.

use paywright_app::{BookedPayout, BooksZone, BreakPage, BreakPlace, BreakQuery, Period, RowPlace};
use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::text::{Note, Text};
use serde_json::Value;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::schema::OneOfBuilder;

use super::problem::invalid_period;
use crate::openapi::schema::{
    BodyObject, body_schema, integer, parameters, query, required_query, string, string_in, text,
};
use crate::problem::Problem;
use crate::reader::{FieldProblem, FieldProblems, Fields, Reader, Reason, string as read_string};
use crate::shop::{limit_parameter, page_limit};

/// Name of the parameter for the period of a statement.
pub(super) const PERIOD: &str = "period";
/// Error code for a text that is neither a day nor a month.
pub(super) const INVALID_PERIOD: &str = "invalid_period";
/// Error code for invalid fields of the resolution of a break.
pub(super) const INVALID_RESOLUTION: &str = "invalid_resolution";

/// Largest number of days of a list of payouts.
const PAYOUT_DAYS_MAX: u32 = 366;
/// Number of days of a list of payouts without `created_from`.
const PAYOUT_DAYS_DEFAULT: u32 = 30;
const SECONDS_PER_DAY: u32 = 86_400;

/// Largest number of breaks, or of balance transactions of a payout, of an answer.
const ITEMS_MAX: u16 = 1000;
/// Number of them in an answer without a `limit`.
const ITEMS_DEFAULT: u16 = 100;

/// Form of the cursor of a list of breaks: [`cursor_of_break`].
const BREAK_CURSOR: &str = "^[0-9]+\\.([0-9a-f]{2})+$";
/// Form of the cursor of the balance transactions of a payout: [`cursor_of_member`].
const MEMBER_CURSOR: &str = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?\\.[0-9]+\\.[0-9A-Za-z_]+$";

/// Name of a break: its class, a colon, and the name of an object.
type BreakName = Text<1, 400>;

const RESOLUTION: [&str; 2] = ["id", "note"];

body_schema! {
    /// Body that [`NewResolution::read`] reads.
    ResolutionBody as "NewBreakResolution" = BodyObject::of(&RESOLUTION)
        .required("id", text::<BreakName>().description(Some("Name of the break.")))
        .required("note", text::<Note>().description(Some("Explanation, for the people who read the books later.")))
        .done();
}

parameters! {
    /// Query that [`StatementQuery::read`] reads.
    StatementParameters = [
        required_query(PERIOD, "Day or month, like `2026-11-24` or `2026-11`.", string().pattern(Some(PERIOD_PATTERN))),
        query(
            "format",
            "Format of the answer.",
            string().enum_values(Some(Format::ALL.map(Format::name))).default(Some(Format::Json.name().into())),
        ),
    ];
    /// Query that [`PayoutsQuery::read`] reads.
    PayoutsParameters = [
        query(
            "created_from",
            "Earliest creation time, or the day with whose start in the time zone of the books it begins; 30 days before \
             `created_until` if absent.",
            moment_schema(),
        ),
        query(
            "created_until",
            "First creation time that is left out, or the day with whose start it begins; at most 366 days after \
             `created_from`; now if absent.",
            moment_schema(),
        ),
        query("cursor", "`next_cursor` of an earlier answer.", string().pattern(Some("^[0-9A-Za-z_]+$"))),
        limit_parameter(),
    ];
    /// Query that [`BreaksQuery::read`] reads.
    BreaksParameters = [
        query(
            "status",
            "`open` for the breaks that are neither resolved nor gone.",
            string().enum_values(Some(["open", "all"])).default(Some("open".into())),
        ),
        query("cursor", "`next_cursor` of an earlier answer of the same status.", string().pattern(Some(BREAK_CURSOR))),
        query("limit", "Number of breaks.", integer(1, ITEMS_MAX).default(Some(ITEMS_DEFAULT.into()))),
    ];
    /// Query that [`MembersQuery::read`] reads.
    MembersParameters = [
        query("cursor", "`next_cursor` of an earlier answer.", string().pattern(Some(MEMBER_CURSOR))),
        query(
            "limit",
            "Number of balance transactions.",
            integer(1, ITEMS_MAX).default(Some(ITEMS_DEFAULT.into())),
        ),
    ];
}

/// Form of a day or a month.
const PERIOD_PATTERN: &str = "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$";

fn moment_schema() -> OneOfBuilder {
    OneOfBuilder::new().item(string_in(KnownFormat::Date)).item(string_in(KnownFormat::DateTime))
}

/// Format of a statement.
#[derive(Clone, Copy)]
pub(super) enum Format {
    Json,
    Csv,
    Text,
}

impl Format {
    const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Text];

    const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Text => "text",
        }
    }
}

/// Query of a statement.
pub(super) struct StatementQuery {
    pub(super) period: Period,
    pub(super) format: Format,
}

impl StatementQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &[PERIOD, "format"], &mut problems);
        let period = it.required(PERIOD, |it| Ok(read_string(it)?.parse::<Period>()));
        let format = it.optional("format", |it| {
            let name = read_string(it)?;
            let named = Format::ALL.into_iter().find(|it| it.name() == name);
            Ok(named.ok_or("must be json, csv or text")?)
        });
        let period = problems.done(period).map_err(Problem::query)?.map_err(invalid_period)?;
        Ok(Self { period, format: format.unwrap_or(Format::Json) })
    }
}

/// Time, or the start of a day in the time zone of the books.
#[derive(Clone, Copy)]
enum Moment {
    Day(Day),
    Time(Timestamp),
}

impl Moment {
    fn read(value: &Value) -> Result<Self, Reason> {
        let text = read_string(value)?;
        let day = text.parse().map(Self::Day).ok();
        let moment = day.or_else(|| text.parse().map(Self::Time).ok());
        Ok(moment.ok_or("must be a day such as 2026-11-24 or a time such as 2026-11-24T12:00:00Z")?)
    }

    fn at(self, zone: &BooksZone) -> Timestamp {
        match self {
            Self::Day(day) => zone.start_of(day),
            Self::Time(at) => at,
        }
    }
}

/// Query of a page of payouts.
pub(super) struct PayoutsQuery {
    from: Option<Moment>,
    until: Option<Moment>,
    after: Option<PayoutId>,
    pub(super) limit: u16,
}

impl PayoutsQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["created_from", "created_until", "cursor", "limit"], &mut problems);
        let from = it.optional("created_from", Moment::read);
        let until = it.optional("created_until", Moment::read);
        let after = it.optional("cursor", |it| Ok(PayoutId::new(read_string(it)?).map_err(|_| BAD_CURSOR)?));
        let limit = page_limit(&mut it);
        problems.done(Some(Self { from, until, after, limit })).map_err(Problem::query)
    }

    /// First time of the range, and the first time after it.
    pub(super) fn range(&self, zone: &BooksZone, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        let days = |count: u32| count.saturating_mul(SECONDS_PER_DAY);
        // Stripe's clock may be ahead of this one.
        let until = self.until.map_or(now.plus_seconds(SECONDS_PER_DAY), |it| it.at(zone));
        let from = self.from.map_or(until.minus_seconds(days(PAYOUT_DAYS_DEFAULT)), |it| it.at(zone));
        let problem = if from >= until {
            "must be before created_until".to_owned()
        } else if from < until.minus_seconds(days(PAYOUT_DAYS_MAX)) {
            format!("must be at most {PAYOUT_DAYS_MAX} days before created_until")
        } else {
            return Ok((from, until));
        };
        Err(Problem::query(FieldProblem::new("created_from", problem).into()))
    }

    /// Payouts of `found` after the cursor.
    pub(super) fn page<'a>(&self, found: &'a [BookedPayout]) -> Result<&'a [BookedPayout], Problem> {
        let Some(after) = &self.after else { return Ok(found) };
        let place = found.iter().position(|it| it.payout.id == *after);
        let rest = place.and_then(|it| found.get(it.saturating_add(1)..));
        rest.ok_or_else(|| Problem::query(FieldProblem::new("cursor", BAD_CURSOR).into()))
    }
}

const BAD_CURSOR: &str = "must be the next_cursor of an earlier answer of the same range";

/// Query of breaks.
pub(super) struct BreaksQuery {
    /// Whether breaks are read that are resolved or gone.
    is_of_all: bool,
    after: Option<BreakPlace>,
    pub(super) limit: u16,
}

/// Reads the `limit` of a list of breaks, or of balance transactions of a payout.
fn items_limit(query: &mut Reader<'_>) -> u16 {
    let limit = query.optional("limit", |it| {
        let limit = it.as_str().and_then(|it| it.parse().ok()).filter(|it| (1..=ITEMS_MAX).contains(it));
        Ok(limit.ok_or_else(|| format!("must be 1 to {ITEMS_MAX}"))?)
    });
    limit.unwrap_or(ITEMS_DEFAULT)
}

/// Cursor of the breaks after this one: its time in microseconds, and its name in hexadecimal.
pub(super) fn cursor_of_break(place: &BreakPlace) -> String {
    format!("{}.{}", place.first_seen.unix_micros(), hex::encode(&place.id))
}

fn break_of_cursor(cursor: &str) -> Option<BreakPlace> {
    let (micros, id) = cursor.split_once('.')?;
    let first_seen = Timestamp::from_unix_micros(micros.parse().ok()?).ok()?;
    Some(BreakPlace { first_seen, id: String::from_utf8(hex::decode(id).ok()?).ok()? })
}

/// Cursor of the balance transactions after this one: its day, its time in microseconds, and its id.
pub(super) fn cursor_of_member(place: &RowPlace) -> String {
    let day = place.day.map(|it| it.to_string()).unwrap_or_default();
    format!("{day}.{}.{}", place.created.unix_micros(), place.id)
}

fn member_of_cursor(cursor: &str) -> Option<RowPlace> {
    let (day, rest) = cursor.split_once('.')?;
    let (micros, id) = rest.split_once('.')?;
    let day = if day.is_empty() { None } else { Some(day.parse().ok()?) };
    let created = Timestamp::from_unix_micros(micros.parse().ok()?).ok()?;
    Some(RowPlace { day, created, id: BalanceTransactionId::new(id).ok()? })
}

/// Query of the balance transactions of a payout.
pub(super) struct MembersQuery {
    pub(super) after: Option<RowPlace>,
    pub(super) limit: u16,
}

impl MembersQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["cursor", "limit"], &mut problems);
        let after = it.optional("cursor", |it| Ok(member_of_cursor(read_string(it)?).ok_or(BAD_CURSOR_OF_LIST)?));
        let limit = items_limit(&mut it);
        problems.done(Some(Self { after, limit })).map_err(Problem::query)
    }
}

const BAD_CURSOR_OF_LIST: &str = "must be the next_cursor of an earlier answer";

impl BreaksQuery {
    pub(super) fn read(query: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(query, &["status", "cursor", "limit"], &mut problems);
        let is_of_all = it.optional("status", |it| match read_string(it)? {
            "open" => Ok(false),
            "all" => Ok(true),
            _ => Err("must be open or all".into()),
        });
        let after = it.optional("cursor", |it| Ok(break_of_cursor(read_string(it)?).ok_or(BAD_CURSOR_OF_LIST)?));
        let limit = items_limit(&mut it);
        problems.done(Some(Self { is_of_all: is_of_all.unwrap_or_default(), after, limit })).map_err(Problem::query)
    }

    /// Query for the breaks and for one more, which shows that there are more.
    pub(super) fn with_one_more(&self) -> BreakQuery {
        let page = BreakPage { after: self.after.clone(), limit: self.limit.saturating_add(1) };
        if self.is_of_all { BreakQuery::Latest(page) } else { BreakQuery::Open(page) }
    }
}

/// Resolution of a break.
pub(super) struct NewResolution {
    pub(super) id: String,
    pub(super) note: Note,
}

impl NewResolution {
    pub(super) fn read(body: &Fields) -> Result<Self, Problem> {
        let mut problems = FieldProblems::default();
        let mut it = Reader::new(body, &RESOLUTION, &mut problems);
        let id = it.required("id", |it| Ok(BreakName::new(read_string(it)?)?.to_string()));
        let note = it.required("note", |it| Ok(Note::new(read_string(it)?)?));
        let read = id.zip(note).map(|(id, note)| Self { id, note });
        problems.done(read).map_err(|it| Problem::invalid(INVALID_RESOLUTION, it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_the_place_after_which_the_next_page_begins() {
        let first_seen = Timestamp::from_unix_micros(1_743_415_050_123_456).unwrap();
        let place = BreakPlace { first_seen, id: "unknown_category:é \"x\"".into() };
        assert_eq!(break_of_cursor(&cursor_of_break(&place)), Some(place.clone()));
        let id = BalanceTransactionId::new("txn_1").unwrap();
        for day in [None, Some(Day::new(2025, 3, 29).unwrap())] {
            let place = RowPlace { day, created: first_seen, id: id.clone() };
            assert_eq!(member_of_cursor(&cursor_of_member(&place)), Some(place));
        }
        for cursor in ["", ".", "1", "1.x", "1.ff", "x.61", "-1.61", "2025-03-29.1", "29.1.txn_1", "..txn_1", ".1."] {
            assert_eq!(break_of_cursor(cursor), None, "{cursor}");
            assert_eq!(member_of_cursor(cursor), None, "{cursor}");
        }
    }
}
