//! Lists of the Platform API: pages, filters by time, and the `meta` and `links` of an answer.

use actix_web::http::StatusCode;
use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use paywright_app::{App, TimeRange};
use paywright_domain::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::Api;
use crate::reader::{Reader, Reason};
use crate::spree::document::{Resource, Show, answer};
use crate::spree::params::{Params, text};
use crate::spree::refusal::Refusal;

/// Items on a page where the request names no number.
const PAGE_DEFAULT: u16 = 25;
/// Characters of a query that are encoded: all but those that never are (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Parameters of a list, beside the filters.
pub(super) const LIST: [&str; 6] = ["page", "per_page", "sort", "include", "fields", "filter"];

/// Page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Number of the page; the first is 1.
    number: u32,
    /// Most items of the page.
    pub(super) size: u16,
}

impl Page {
    /// Reads `page` and `per_page`. Unlike the storefront's lists, a number out of its limits is refused.
    pub(super) fn read(params: &Params) -> Result<Self, Refusal> {
        Ok(Self {
            number: params.integer_in("page", 1..=u32::MAX)?.unwrap_or(1),
            size: params.integer_in("per_page", 1..=App::SEARCH_PAGE_MAX)?.unwrap_or(PAGE_DEFAULT),
        })
    }

    /// Number of items before the page.
    pub(super) fn offset(self) -> u64 {
        u64::from(self.number - 1) * u64::from(self.size)
    }

    /// Part of `items` that is on the page.
    pub(super) fn of<T>(self, items: Vec<T>) -> Vec<T> {
        let before = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        items.into_iter().skip(before).take(usize::from(self.size)).collect()
    }
}

/// Reads the parameters of a read, of which blank ones count as absent.
pub(super) async fn read_params(request: &HttpRequest, payload: Payload) -> Result<Params, Refusal> {
    Ok(Params::read(request, payload).await?.without_blanks())
}

/// Answer with a page of a list that has `total` items.
pub(super) fn list_answer(
    api: &Api,
    request: &HttpRequest,
    page: Page,
    show: &Show,
    (shown, total): (&[Resource], u64),
) -> HttpResponse {
    let pages = total.div_ceil(u64::from(page.size)).max(1);
    let number = u64::from(page.number);
    let path = format!("{}{}", api.trusted_proxies.origin(request), request.path());
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string()).map(Query::into_inner);
    let others: Vec<_> = query.unwrap_or_default().into_iter().filter(|(name, _)| name != "page").collect();
    let link = |page: u64| {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let others = others.iter().map(|(name, value)| format!("&{}={}", encoded(name), encoded(value)));
        format!("{path}?page={page}{}", others.collect::<String>())
    };
    let mut document = show.many(shown);
    if let Some(document) = document.as_object_mut() {
        let meta = json!({ "count": shown.len(), "total_count": total, "total_pages": pages });
        document.insert("meta".to_owned(), meta);
        let links = json!({
            "self": link(number), "next": link((number + 1).min(pages)), "prev": link((number - 1).clamp(1, pages)),
            "last": link(pages), "first": link(1),
        });
        document.insert("links".to_owned(), links);
    }
    answer(StatusCode::OK, &document)
}

/// Reads a time: RFC 3339, or a day, which begins at midnight UTC.
fn time(value: &Value) -> Result<Timestamp, Reason> {
    let text = text(value)?;
    let text = text.trim();
    let time = if text.len() == "2026-01-31".len() { format!("{text}T00:00:00Z").parse() } else { text.parse() };
    Ok(time.map_err(|_| "must be a time like 2026-01-31T12:00:00.000Z")?)
}

/// Reads the filters of a time: `…_gteq`, `…_gt`, `…_lteq` and `…_lt`, all of which must hold.
pub(super) fn time_range(filter: &mut Reader<'_>, name: &str) -> TimeRange {
    let mut bound = |predicate: &str| filter.optional(&format!("{name}_{predicate}"), time);
    let (gteq, gt, lteq, lt) = (bound("gteq"), bound("gt"), bound("lteq"), bound("lt"));
    let after = |at: Timestamp| Timestamp::from_unix_micros(at.unix_micros() + 1).unwrap_or(at);
    TimeRange { from: gteq.into_iter().chain(gt.map(after)).max(), until: lt.into_iter().chain(lteq.map(after)).min() }
}
