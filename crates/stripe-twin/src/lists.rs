//! Pages of lists ("Pagination" in Stripe's API reference).

use serde_json::{Value, json};

use crate::error::Refusal;
use crate::params::Params;

/// Whether an object created at a time is within `created` of a request: a second, or a range.
pub(crate) fn is_created(at: i64, params: &Params) -> bool {
    params.int("created").is_none_or(|time| at == time)
        && params.int("created.gte").is_none_or(|from| at >= from)
        && params.int("created.gt").is_none_or(|from| at > from)
        && params.int("created.lte").is_none_or(|to| at <= to)
        && params.int("created.lt").is_none_or(|to| at < to)
}

/// One page of a list as JSON, the newest first.
pub(crate) fn page<'a, T: 'a>(
    url: &str,
    newest_first: impl Iterator<Item = &'a T>,
    params: &Params,
    id: impl Fn(&T) -> &str,
    to_json: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let limit = params.int("limit").unwrap_or(10);
    if !(1..=100).contains(&limit) {
        return Err(Refusal::invalid("limit", "This value must be between 1 and 100"));
    }
    let mut rest: Vec<&T> = newest_first.collect();
    let position = |rest: &[&T], name: &str| {
        let found = rest.iter().position(|it| id(it) == name);
        found.ok_or_else(|| Refusal::missing("object", name))
    };
    if let Some(after) = params.text("starting_after") {
        let position = position(&rest, after)?;
        rest.drain(..=position);
    }
    let limit = usize::try_from(limit).unwrap_or(10);
    if let Some(before) = params.text("ending_before") {
        // The page of newer objects that ends directly before the named one.
        let position = position(&rest, before)?;
        rest.truncate(position);
        let has_more = rest.len() > limit;
        let data: Vec<Value> = rest.iter().skip(rest.len().saturating_sub(limit)).map(|it| to_json(it)).collect();
        return Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }));
    }
    let has_more = rest.len() > limit;
    let data: Vec<Value> = rest.into_iter().take(limit).map(to_json).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}
