//! Parameters of the lists of the Platform API, and filters by time.

use paywright_app::TimeRange;
use paywright_domain::Timestamp;
use serde_json::Value;

use crate::reader::{Reader, Reason};
use crate::spree::params::text;

/// Parameters of a list, beside the filters.
pub(super) const LIST: [&str; 6] = ["page", "per_page", "sort", "include", "fields", "filter"];

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
