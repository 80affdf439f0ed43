use std::borrow::Cow;

use paywright_domain::books::SignedMoney;
use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

use super::super::{Column, ColumnError, text};
use super::{code, signed};
use crate::{Break, BreakClass, BreakPage};

/// Row of the table `book_breaks`.
#[expect(missing_docs, reason = "each field is the column of its name, and `Break` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBreak<'a> {
    pub id: Cow<'a, str>,
    pub class: Cow<'a, str>,
    pub object: Cow<'a, str>,
    pub order_id: Option<Uuid>,
    pub ours_currency: Option<Cow<'a, str>>,
    pub ours_amount: Option<i64>,
    pub theirs_currency: Option<Cow<'a, str>>,
    pub theirs_amount: Option<i64>,
    pub since: i64,
    pub first_seen: i64,
    pub gone_at: Option<i64>,
    pub resolution: Option<Cow<'a, str>>,
}

impl<'a> StoredBreak<'a> {
    /// Row of a break.
    pub fn of(found: &'a Break) -> Result<Self, ColumnError> {
        let resolution = found.resolution.as_ref().map(|it| Column("book_breaks", "resolution").document(it));
        Ok(Self {
            id: text(&found.id),
            class: text(found.class.name()),
            object: text(&found.object),
            order_id: found.order.map(|it| it.0),
            ours_currency: found.ours.map(code),
            ours_amount: found.ours.map(SignedMoney::minor),
            theirs_currency: found.theirs.map(code),
            theirs_amount: found.theirs.map(SignedMoney::minor),
            since: found.since.unix_micros(),
            first_seen: found.first_seen.unix_micros(),
            gone_at: found.gone_at.map(Timestamp::unix_micros),
            resolution: resolution.transpose()?.map(Cow::Owned),
        })
    }

    /// Restores the break.
    pub fn restore(self) -> Result<Break, ColumnError> {
        let column = |name| Column("book_breaks", name);
        let amount = |name, currency: Option<Cow<'_, str>>, amount| match (currency, amount) {
            (Some(currency), Some(amount)) => Ok(Some(signed(amount, column(name).read(currency.parse())?))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => column("(row)").found(None),
        };
        Ok(Break {
            id: self.id.into_owned(),
            class: column("class").found(BreakClass::named(&self.class))?,
            object: self.object.into_owned(),
            order: self.order_id.map(OrderId),
            ours: amount("ours_currency", self.ours_currency, self.ours_amount)?,
            theirs: amount("theirs_currency", self.theirs_currency, self.theirs_amount)?,
            since: column("since").time(self.since)?,
            first_seen: column("first_seen").time(self.first_seen)?,
            gone_at: self.gone_at.map(|it| column("gone_at").time(it)).transpose()?,
            resolution: self.resolution.map(|it| column("resolution").json(&it)).transpose()?,
        })
    }
}

/// Columns `first_seen` and `id` of the break after which a page begins; of the first page, `before_all` and an empty text.
pub fn stored_break_place(page: &BreakPage, before_all: i64) -> (i64, String) {
    let place = page.after.as_ref().map(|it| (it.first_seen.unix_micros(), it.id.clone()));
    place.unwrap_or((before_all, String::new()))
}
