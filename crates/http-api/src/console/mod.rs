//! `/console`: pages for the people of a shop. A page shows what a use case reads, and an act is a call of the same use case as
//! the API's, by a named operator.
//!
//! Pages are rendered here, whole, and work without JavaScript. Texts of customers are escaped by the templates.

mod act;
mod assets;
mod attention;
mod audit_trail;
mod books;
mod endpoints;
mod export;
mod keys;
mod order;
mod orders;
mod refusal;
mod session;
mod settings;
mod sign_in;
mod today;
mod token;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, Resource, Route};
use askama::Template;
use paywright_app::{AccountNames, Console, Totals};
use paywright_domain::books::SignedMoney;
use paywright_domain::{Currency, Money, Timestamp};

use crate::Api;
use crate::problem::Problem;
use crate::routes::{get, post, resource};
use session::Operator;
pub use token::ConsoleToken;

/// Needs of the console beside the use cases of the API.
#[derive(Clone)]
pub struct ConsolePages {
    /// Sign-in of operators.
    pub sign_in: Console,
    /// Every setting, in the order in which the page has them; empty for a service without settings of its own.
    pub settings: Arc<[GivenSetting]>,
    /// Daily totals.
    pub totals: Totals,
    /// Names of the accounts in exports of the books.
    pub accounts: AccountNames,
}

/// Setting as it was given, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSetting {
    /// Name, such as `http.bind`.
    pub name: String,
    /// Value; `None` for the default. A secret is replaced by words.
    pub value: Option<String>,
}

/// Path of the page to which a link leads.
const SIGN_IN: &str = "/console/sign-in";

/// Path of the first page.
const START: &str = "/console/today";

/// Content security policy: a page loads and posts to this service alone, runs no script that is written in it, and is shown in
/// no frame.
const POLICY: &str =
    "default-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Registers the routes.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .service(resource("/console", &["get"]).route(get(sign_in::start)))
        .service(resource("/console/assets/{file}", &["get"]).route(get(assets::file)))
        .service(form(SIGN_IN, get(sign_in::start), post(sign_in::begin)))
        .service(resource("/console/sign-in/{token}", &["get"]).route(get(sign_in::link)))
        .service(form("/console/sign-out", get(sign_in::start), post(sign_in::end)))
        .service(resource(START, &["get"]).route(get(today::read)))
        .service(resource("/console/orders", &["get"]).route(get(orders::list)))
        .service(resource("/console/orders/{order}", &["get"]).route(get(order::read)))
        .service(form("/console/orders/{order}/refund", get(order::of_act), post(act::refund)))
        .service(form("/console/orders/{order}/capture", get(order::of_act), post(act::capture)))
        .service(form("/console/orders/{order}/accept", get(order::of_act), post(act::accept)))
        .service(form("/console/orders/{order}/close", get(order::of_act), post(act::close)))
        .service(form("/console/orders/{order}/cancel", get(order::of_act), post(act::cancel)))
        .service(resource("/console/attention", &["get"]).route(get(attention::list)))
        .service(form("/console/attention/resolve", get(attention::of_act), post(attention::resolve)))
        .service(resource("/console/endpoints", &["get"]).route(get(endpoints::list)))
        .service(resource("/console/endpoints/{endpoint}", &["get"]).route(get(endpoints::read)))
        .service(form("/console/endpoints/{endpoint}/{act}", get(endpoints::of_act), post(endpoints::act)))
        .service(resource("/console/books", &["get"]).route(get(books::read)))
        .service(resource("/console/books/export", &["get"]).route(get(export::entries)))
        .service(resource("/console/books/tax", &["get"]).route(get(export::tax)))
        .service(resource("/console/books/payouts/{payout}", &["get"]).route(get(books::payout)))
        .service(resource("/console/keys", &["get"]).route(get(keys::list)))
        .service(resource("/console/audit", &["get"]).route(get(audit_trail::list)))
        .service(resource("/console/settings", &["get"]).route(get(settings::list)))
        .service(form("/console/settings/end", get(settings::of_act), post(settings::end)))
        .service(resource("/console/{rest:.*}", &["get"]).route(get(sign_in::nothing)));
}

/// Address to which a form is posted. Who comes back to it, by the address bar, is led to the page of the form.
fn form(path: &str, back: Route, act: Route) -> Resource {
    resource(path, &["get", "post"]).route(back).route(act)
}

/// Part of the console that a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Today,
    Orders,
    Attention,
    Events,
    Books,
    Keys,
    AuditTrail,
    Settings,
}

impl Section {
    /// Address and name of each, in the order of the menu.
    const ALL: [(Self, &'static str, &'static str); 8] = [
        (Self::Today, START, "Today"),
        (Self::Orders, "/console/orders", "Orders"),
        (Self::Attention, "/console/attention", "Needs attention"),
        (Self::Events, "/console/endpoints", "Events"),
        (Self::Books, "/console/books", "Books"),
        (Self::Keys, "/console/keys", "Keys"),
        (Self::AuditTrail, "/console/audit", "Audit trail"),
        (Self::Settings, "/console/settings", "Settings"),
    ];
}

/// Head of every page of a session.
struct Frame {
    operator: String,
    role: &'static str,
    /// Field of every form of the page.
    csrf: String,
    livemode: bool,
    section: Section,
    version: &'static str,
}

impl Frame {
    fn of(api: &Api, operator: &Operator, section: Section) -> Self {
        Self {
            operator: operator.session.operator.to_string(),
            role: operator.session.role.name(),
            csrf: operator.csrf.clone(),
            livemode: api.app.livemode(),
            section,
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// Menu: address, name and whether it is the section of this page.
    fn menu(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let here = self.section;
        Section::ALL.into_iter().map(move |(section, address, name)| (address, name, section == here))
    }
}

/// Answer with a page.
fn page(status: StatusCode, template: &impl Template) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_FRAME_OPTIONS, "DENY"));
    match template.render() {
        Ok(text) => answer.content_type("text/html; charset=utf-8").body(text),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the page cannot be rendered").respond(None)
        }
    }
}

/// Page of a refusal that was decided before a handler of the console, such as one by a rate limit.
pub(crate) fn refused(problem: &Problem) -> HttpResponse {
    refusal::of(problem)
}

/// Answer that leads to another page after an act, which a reload does not repeat.
fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, address)).finish()
}

/// Code of a currency as people write it, such as `USD`.
fn code(currency: Currency) -> String {
    currency.code().to_ascii_uppercase()
}

/// Amount for people, such as `124.50 USD`.
fn amount(money: Money) -> String {
    format!("{} {}", money.to_decimal(), code(money.currency()))
}

/// Amount of the books for people, such as `-3.91 USD`.
fn signed(money: SignedMoney) -> String {
    format!("{} {}", money.to_decimal(), code(money.currency()))
}

/// Time for people in UTC, such as `2026-11-28 10:04:51 UTC`; the browser shows it in the zone of the viewer.
fn utc(at: Timestamp) -> String {
    let text = machine(at);
    format!("{} UTC", text.trim_end_matches('Z').replacen('T', " ", 1))
}

/// Time on a page: for the browser in RFC 3339, and for people in UTC.
type When = (String, String);

fn when(at: Timestamp) -> When {
    (machine(at), utc(at))
}

/// Day of a time in UTC, such as `2026-11-28`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take_while(|it| *it != 'T').collect()
}

/// Time in RFC 3339, in whole seconds.
fn machine(at: Timestamp) -> String {
    Timestamp::from_unix_seconds(at.unix_seconds()).unwrap_or(at).to_string()
}

/// Part of a sentence, and the time that follows it, if one does.
type Part = (String, Option<When>);

/// Parts of a sentence, so that the browser shows its times in the zone of the viewer.
fn parts(sentence: &str) -> Vec<Part> {
    let (mut parts, mut text) = (Vec::new(), String::new());
    for word in sentence.split_inclusive(' ') {
        let bare = word.trim_end_matches([' ', '.', ',', ';', ':', ')']);
        match bare.parse::<Timestamp>() {
            Ok(at) => {
                parts.push((std::mem::take(&mut text), Some(when(at))));
                text.push_str(word.get(bare.len()..).unwrap_or_default());
            }
            Err(_) => text.push_str(word),
        }
    }
    parts.push((text, None));
    parts
}

/// Name of a state or a reason in words: `requires_action` as `requires action`.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_a_sentence_are_found() {
        let times = |sentence: &str| {
            let shown = |(text, at): &Part| format!("{text}{}", at.as_ref().map_or("", |it| it.1.as_str()));
            parts(sentence).iter().map(shown).collect::<Vec<_>>()
        };
        let paid = "It was paid at 2026-11-28T01:23:00.389016Z.";
        assert_eq!(times(paid), ["It was paid at 2026-11-28 01:23:00 UTC", "."]);
        let two = "From 2026-11-28T01:23:00Z to 2026-11-29T00:00:00Z (late)";
        assert_eq!(times(two), ["From 2026-11-28 01:23:00 UTC", " to 2026-11-29 00:00:00 UTC", " (late)"]);
        assert_eq!(times("pi_1 received 10.00 usd."), ["pi_1 received 10.00 usd."]);
    }

    #[test]
    fn a_time_is_shown_in_whole_seconds() {
        let at: Timestamp = "2026-11-28T01:23:00.389016Z".parse().unwrap();
        assert_eq!((machine(at), utc(at)), ("2026-11-28T01:23:00Z".to_owned(), "2026-11-28 01:23:00 UTC".to_owned()));
    }
}
