//! Lists of the Platform API: their parameters, pages and filters by time.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use paywright_app::{App, TimeRange};
use paywright_domain::Timestamp;
use serde_json::Value;

use crate::reader::{Reader, Reason};
use crate::spree::pages::Page;
use crate::spree::params::{Params, text};
use crate::spree::refusal::Refusal;

/// Items on a page where the request names no number.
const PAGE_DEFAULT: u16 = 25;
/// Parameters of a list, beside the filters.
pub(super) const LIST: [&str; 6] = ["page", "per_page", "sort", "include", "fields", "filter"];

/// Reads `page` and `per_page`. Unlike the storefront's lists, a number out of its limits is refused.
pub(super) fn read_page(params: &Params) -> Result<Page, Refusal> {
    Ok(Page {
        number: params.integer_in("page", 1..=u32::MAX)?.unwrap_or(1),
        size: params.integer_in("per_page", 1..=App::SEARCH_PAGE_MAX)?.unwrap_or(PAGE_DEFAULT),
    })
}

/// Reads the parameters of a read, of which blank ones count as absent.
pub(super) async fn read_params(request: &HttpRequest, payload: Payload) -> Result<Params, Refusal> {
    Ok(Params::read(request, payload).await?.without_blanks())
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
