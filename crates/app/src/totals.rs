//! Daily totals of orders, payments and refunds: counted from the feed, a part at a time, and read for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use paywright_domain::books::Day;
use paywright_domain::refund::RefundStatus;
use paywright_domain::{Fact, Money, Timestamp};

use crate::{BooksZone, CountableFact, CountedSum, DailyTotal, DailyTotals, Feed, StoreError, TotalsAddition};

/// Largest number of facts that are counted in one transaction.
const FACTS_AT_ONCE: u16 = 500;

/// Use cases of the daily totals. Clones share their ports.
#[derive(Clone)]
pub struct Totals {
    feed: Arc<dyn Feed>,
    daily: Arc<dyn DailyTotals>,
    zone: BooksZone,
}

/// Totals of some days up to today, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentTotals {
    /// The last day: that of the time of the question.
    pub today: Day,
    /// Name of the time zone of the days.
    pub zone: String,
    /// Totals by day and currency; none for a day and a currency in which nothing has happened.
    pub totals: Vec<DailyTotal>,
    /// Whether each event of the feed is in the totals. A fact gets there once it has a position.
    pub is_complete: bool,
}

impl Totals {
    /// Use cases with these ports, for days of the time zone in which the books are kept.
    pub fn new(feed: Arc<dyn Feed>, daily: Arc<dyn DailyTotals>, zone: BooksZone) -> Self {
        Self { feed, daily, zone }
    }

    /// Counts the next events of the feed, unless another process does. Returns whether there may be more to count at once.
    ///
    /// Every event is counted once, whichever process dies meanwhile: its position is stored with what it adds.
    pub async fn count(&self) -> Result<bool, StoreError> {
        let counted = self.daily.counted_until().await?;
        let range = self.feed.feed_range().await?;
        if range.last <= counted {
            return Ok(false);
        }
        // Deleted events can be counted no more: those of a time before there were totals.
        let facts = self.daily.countable_facts(counted.max(range.deleted), range.last, FACTS_AT_ONCE).await?;
        let is_full = facts.len() == usize::from(FACTS_AT_ONCE);
        let until = facts.last().filter(|_| is_full).map_or(range.last, |it| it.position);
        let addition = TotalsAddition { after: counted, until, totals: sums(&facts, &self.zone) };
        Ok(self.daily.add_to_totals(&addition).await? && is_full)
    }

    /// Reads the totals of `days` days up to that of `now`.
    pub async fn recent(&self, now: Timestamp, days: u16, livemode: bool) -> Result<RecentTotals, StoreError> {
        let today = self.zone.day_of(now);
        let from = (1..days).fold(today, |day, _| day.previous().unwrap_or(day));
        // Before the totals: what is counted in between is in them, too.
        let (counted, range) = (self.daily.counted_until().await?, self.feed.feed_range().await?);
        let is_complete = counted >= range.last;
        let totals = self.daily.daily_totals(from, today, livemode).await?;
        Ok(RecentTotals { today, zone: self.zone.name().to_owned(), totals, is_complete })
    }
}

/// Totals of some facts.
fn sums(facts: &[CountableFact], zone: &BooksZone) -> Vec<DailyTotal> {
    let mut sums = BTreeMap::new();
    for it in facts {
        let Some((kind, amount, count)) = counted(it) else { continue };
        let (day, currency) = (zone.day_of(it.at), amount.currency());
        let total = sums
            .entry((day, it.livemode, currency.code()))
            .or_insert_with(|| DailyTotal::empty(day, it.livemode, currency));
        let sum = match kind {
            Kind::Placed => &mut total.placed,
            Kind::Paid => &mut total.paid,
            Kind::Refunded => &mut total.refunded,
        };
        sum.add(CountedSum { count, minor: amount.minor().saturating_mul(count) });
    }
    sums.into_values().collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Placed,
    Paid,
    Refunded,
}

/// Sum to which a fact belongs, its amount, and 1; or -1 if it takes away what an earlier fact has added.
fn counted(it: &CountableFact) -> Option<(Kind, Money, i64)> {
    if let Fact::OrderPlaced { total } = &it.fact {
        return Some((Kind::Placed, *total, 1));
    }
    if let Fact::OrderPaid { amount, .. } = &it.fact {
        return Some((Kind::Paid, *amount, 1));
    }
    let Fact::RefundChanged { before, status, .. } = &it.fact else { return None };
    let (was, is) = (*before == RefundStatus::Succeeded, *status == RefundStatus::Succeeded);
    let count = i64::from(is) - i64::from(was);
    it.refund.filter(|_| count != 0).map(|amount| (Kind::Refunded, amount, count))
}

#[cfg(test)]
mod tests {
    use paywright_domain::{Currency, IntentId};

    use super::*;
    use crate::Position;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::Usd).unwrap()
    }

    fn at(time: &str, fact: Fact, refund: Option<Money>) -> CountableFact {
        CountableFact { position: Position(1), at: time.parse().unwrap(), livemode: false, fact, refund }
    }

    fn refund_changed(before: RefundStatus, status: RefundStatus) -> Fact {
        Fact::RefundChanged { refund: 1, provider_id: None, before, status, failure: None }
    }

    fn paid(minor: i64) -> Fact {
        Fact::OrderPaid { by: IntentId::new("pi_1").unwrap(), amount: usd(minor) }
    }

    #[test]
    fn a_day_is_one_of_the_time_zone() {
        let facts = [
            at("2026-11-28T22:59:59Z", Fact::OrderPlaced { total: usd(500) }, None),
            at("2026-11-28T23:00:00Z", paid(500), None),
        ];
        let days = |zone: &str| {
            let found = sums(&facts, &BooksZone::parse(zone).unwrap());
            found.iter().map(|it| (it.day.to_string(), it.placed.minor, it.paid.minor)).collect::<Vec<_>>()
        };
        assert_eq!(days("UTC"), [("2026-11-28".to_owned(), 500, 500)]);
        assert_eq!(days("Europe/Berlin"), [("2026-11-28".to_owned(), 500, 0), ("2026-11-29".to_owned(), 0, 500)]);
    }

    #[test]
    fn a_refund_that_fails_after_it_has_succeeded_is_taken_away_on_its_day() {
        use RefundStatus::{Failed, Pending, Requested, Succeeded};
        let refund = |time, before, status| at(time, refund_changed(before, status), Some(usd(300)));
        let found = sums(
            &[
                refund("2026-11-01T10:00:00Z", Requested, Pending),
                refund("2026-11-01T11:00:00Z", Pending, Succeeded),
                refund("2026-11-02T10:00:00Z", Succeeded, Succeeded),
                refund("2026-11-03T10:00:00Z", Succeeded, Failed),
                refund("2026-11-04T10:00:00Z", Pending, Failed),
            ],
            &BooksZone::default(),
        );
        let refunded: Vec<_> = found.iter().map(|it| (it.day.to_string(), it.refunded)).collect();
        let sum = |count, minor| CountedSum { count, minor };
        assert_eq!(refunded, [("2026-11-01".into(), sum(1, 300)), ("2026-11-03".into(), sum(-1, -300))]);
        assert_eq!(found.iter().map(DailyTotal::net_minor).collect::<Vec<_>>(), [-300, 300]);
    }

    #[test]
    fn modes_and_currencies_are_apart() {
        let eur = Money::new(700, Currency::Eur).unwrap();
        let placed = |total| at("2026-11-01T10:00:00Z", Fact::OrderPlaced { total }, None);
        let found = sums(
            &[placed(usd(1)), placed(eur), CountableFact { livemode: true, ..placed(usd(2)) }, placed(usd(4))],
            &BooksZone::default(),
        );
        let found: Vec<_> = found.iter().map(|it| (it.livemode, it.currency, it.placed.minor)).collect();
        assert_eq!(found, [(false, Currency::Eur, 700), (false, Currency::Usd, 5), (true, Currency::Usd, 2)]);
    }
}
