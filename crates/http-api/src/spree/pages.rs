//! `meta` and `links` of the pages of a list, for both sides of the dialect.

use actix_web::http::StatusCode;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::document::{Resource, Show, answer};
use crate::Api;

/// Characters of a query that are encoded: all but those that never are (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Page of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// Number of the page; the first is 1.
    pub(super) number: u32,
    /// Most items of the page.
    pub(super) size: u16,
}

impl Page {
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

/// Answer with a page of a list that has `total` items. Its links have every parameter of the request's query, and the
/// size of the page.
pub(super) fn list_answer(
    api: &Api,
    request: &HttpRequest,
    page: Page,
    show: &Show,
    (shown, total): (&[Resource], u64),
) -> HttpResponse {
    let pages = total.div_ceil(u64::from(page.size)).max(1);
    let (number, page_size) = (u64::from(page.number), page.size);
    let path = format!("{}{}", api.trusted_proxies.origin(request), request.path());
    let query = Query::<Vec<(String, String)>>::from_query(request.query_string()).map(Query::into_inner);
    let others: Vec<_> =
        query.unwrap_or_default().into_iter().filter(|(name, _)| name != "page" && name != "per_page").collect();
    let link = |page: u64| {
        let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let others = others.iter().map(|(name, value)| format!("&{}={}", encoded(name), encoded(value)));
        format!("{path}?page={page}&per_page={page_size}{}", others.collect::<String>())
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
