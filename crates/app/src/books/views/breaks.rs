//! Breaks, for people and programs.

use paywright_domain::Timestamp;
use paywright_domain::books::SignedMoney;
use serde::Serialize;
use uuid::Uuid;

use super::{SignedAmountView, Table, in_words};
use crate::books::Break;
use crate::view_value::Time;

const SECONDS_PER_DAY: i64 = 86_400;
const SECONDS_PER_HOUR: i64 = 3600;

/// List of breaks, for people and programs.
#[derive(Debug, Clone, Copy)]
pub struct BreakList<'a> {
    /// Breaks of the list.
    pub breaks: &'a [Break],
    /// Number of objects that do not agree and are younger than the time of grace, when the books were last compared;
    /// `None` in a list that is no comparison.
    pub expected: Option<u64>,
    /// Time from which the ages of the breaks are counted.
    pub now: Timestamp,
}

/// A break: two records of one amount that do not agree, or a movement that cannot be explained.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookBreak))]
pub struct BreakView {
    /// Name of the break: its class and its object.
    id: String,
    /// Class, such as `missing_there`. New classes may be added.
    class: &'static str,
    /// Stripe's id of the object, or the name of a balance, category or day.
    object: String,
    /// Id of the order that the object belongs to.
    order: Option<Uuid>,
    /// `open`, `resolved` or `gone`.
    status: &'static str,
    /// Amount that the orders or the books have.
    ours: Option<SignedAmountView>,
    /// Amount that Stripe has.
    theirs: Option<SignedAmountView>,
    /// Stripe's amount less ours, if their currencies are the same.
    difference: Option<SignedAmountView>,
    /// Time of the latest movement or fact that it is about.
    since: Time,
    first_seen: Time,
    gone_at: Option<Time>,
    resolution: Option<ResolutionView>,
    /// Next step of a person.
    next_step: &'static str,
}

/// Resolution of a break by a person.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = BookBreakResolution))]
pub struct ResolutionView {
    at: Time,
    /// Operator or application.
    by: String,
    /// Explanation.
    note: String,
}

const COLUMNS: [&str; 12] =
    ["id", "class", "object", "order", "status", ">ours", ">theirs", ">difference", "currency", "since", "age", "note"];

impl BreakList<'_> {
    /// The breaks as text: a paragraph each, and at the end their number.
    pub fn to_text(&self) -> String {
        let mut lines: Vec<String> = self.breaks.iter().map(|it| text_of(it, self.now)).collect();
        if let Some(expected) = self.expected.filter(|it| *it > 0) {
            lines.push(format!("{expected} not compared yet: younger than the time of grace"));
        }
        let number = self.breaks.len();
        lines.push(if number == 1 { "1 break".to_owned() } else { format!("{number} breaks") });
        lines.join("\n") + "\n"
    }

    /// The breaks as CSV, amounts in major units.
    pub fn to_csv(&self) -> String {
        let mut table = Table::new(COLUMNS);
        for each in self.breaks {
            table.push(row_of(each, self.now));
        }
        table.to_csv()
    }

    /// The breaks as JSON, amounts in minor units.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct ListView {
            breaks: Vec<BreakView>,
        }
        serde_json::to_string_pretty(&ListView { breaks: self.breaks.iter().map(BreakView::of).collect() })
    }
}

impl BreakView {
    /// View of a break.
    pub fn of(it: &Break) -> Self {
        Self {
            id: it.id.clone(),
            class: it.class.name(),
            object: it.object.clone(),
            order: it.order.map(|it| it.0),
            status: status(it),
            ours: it.ours.map(Into::into),
            theirs: it.theirs.map(Into::into),
            difference: it.difference().map(Into::into),
            since: Time(it.since),
            first_seen: Time(it.first_seen),
            gone_at: it.gone_at.map(Time),
            resolution: it.resolution.as_ref().map(|it| ResolutionView {
                at: Time(it.at),
                by: it.by.clone(),
                note: it.note.clone(),
            }),
            next_step: it.class.next_step(),
        }
    }
}

fn status(it: &Break) -> &'static str {
    match (it.gone_at, &it.resolution) {
        (Some(_), _) => "gone",
        (None, Some(_)) => "resolved",
        (None, None) => "open",
    }
}

fn age(it: &Break, now: Timestamp) -> String {
    let seconds = now.unix_seconds().saturating_sub(it.since.unix_seconds()).max(0);
    let (days, hours) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY / SECONDS_PER_HOUR);
    if days > 0 { format!("{days} d {hours} h") } else { format!("{hours} h {} min", seconds % SECONDS_PER_HOUR / 60) }
}

fn text_of(it: &Break, now: Timestamp) -> String {
    let order = it.order.map_or_else(String::new, |it| format!(", order {it}"));
    let amounts = if it.ours.is_none() && it.theirs.is_none() {
        String::new()
    } else {
        let difference = it.difference().map_or_else(|| "in another currency".to_owned(), |it| it.to_string());
        format!("  ours {}, Stripe's {}, difference {difference}\n", in_words(it.ours), in_words(it.theirs))
    };
    let end = match (&it.resolution, it.gone_at) {
        (_, Some(at)) => format!("  gone at {at}"),
        (Some(resolution), None) => {
            format!("  resolved at {} by {}: {:?}", resolution.at, resolution.by, resolution.note)
        }
        (None, None) => format!("  next: {}", it.class.next_step()),
    };
    format!("{}  (age {}{order})\n{amounts}{end}", it.id, age(it, now))
}

fn row_of(it: &Break, now: Timestamp) -> [String; COLUMNS.len()] {
    let amount = |it: Option<SignedMoney>| it.map(SignedMoney::to_decimal).unwrap_or_default();
    let currency = it.theirs.or(it.ours).map(|it| it.currency().code().to_owned());
    [
        it.id.clone(),
        it.class.name().to_owned(),
        it.object.clone(),
        it.order.map(|it| it.to_string()).unwrap_or_default(),
        status(it).to_owned(),
        amount(it.ours),
        amount(it.theirs),
        amount(it.difference()),
        currency.unwrap_or_default(),
        it.since.to_string(),
        age(it, now),
        it.resolution.as_ref().map(|it| it.note.clone()).unwrap_or_default(),
    ]
}
