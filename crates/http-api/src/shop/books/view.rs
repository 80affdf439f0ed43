//! Pages of what is read of the books.

use paywright_app::{BookedPayout, Break, BreakPlace, BreakView, PayoutView};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::cursor_of_break;

/// Page of payouts.
#[derive(Serialize, ToSchema)]
#[schema(as = BookPayoutsPage)]
pub(super) struct PayoutsPage {
    /// Payouts, by creation time.
    payouts: Vec<PayoutView>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

impl PayoutsPage {
    /// View of the first `limit` of `found`; any further one shows that there is a next page.
    pub(super) fn of(found: &[BookedPayout], limit: u16) -> Self {
        let (page, has_more) = first(found, limit);
        let last = page.last().filter(|_| has_more);
        Self {
            payouts: page.iter().map(PayoutView::of).collect(),
            next_cursor: last.map(|it| it.payout.id.to_string()),
        }
    }
}

/// Page of breaks.
#[derive(Serialize, ToSchema)]
#[schema(as = BookBreaksPage)]
pub(super) struct BreaksPage {
    breaks: Vec<BreakView>,
    /// Whether there are more breaks than these.
    has_more: bool,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

impl BreaksPage {
    /// View of the first `limit` of `found`; any further one shows that there are more.
    pub(super) fn of(found: &[Break], limit: u16) -> Self {
        let (page, has_more) = first(found, limit);
        let last = page.last().filter(|_| has_more);
        let next_cursor = last.map(|it| cursor_of_break(&BreakPlace::of(it)));
        Self { breaks: page.iter().map(BreakView::of).collect(), has_more, next_cursor }
    }
}

/// First `limit` items, and whether more follow.
fn first<T>(found: &[T], limit: u16) -> (&[T], bool) {
    match found.split_at_checked(limit.into()) {
        Some((page, rest)) => (page, !rest.is_empty()),
        None => (found, false),
    }
}
