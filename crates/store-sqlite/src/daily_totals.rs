//! Daily totals, and the facts that they count. A write runs inside a savepoint of the group's transaction.

use std::borrow::Cow;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::upsert::excluded;
use paywright_app::stored::{StoredCountableFact, StoredDailyTotal};
use paywright_app::{CountableFact, DailyTotal, DailyTotals, Position, StoreError, TotalsAddition};
use paywright_domain::books::Day;

use crate::SqliteStore;
use crate::failure::Failure;
use crate::feed_rows::{bound, position};
use crate::rows::Column;
use crate::schema::{daily_totals, daily_totals_head};

/// Facts of a part of the feed that daily totals count.
const COUNTABLE: &str = "
    SELECT feed.position AS position, facts.at AS at, orders.livemode AS livemode, facts.payload AS payload,
        refunds.currency AS refund_currency, refunds.amount AS refund_amount
    FROM feed
    JOIN facts ON facts.order_id = feed.order_id AND facts.version = feed.version
        AND facts.position = feed.fact_position
    JOIN orders ON orders.id = feed.order_id
    LEFT JOIN refunds ON feed.kind = 'refund.changed' AND refunds.order_id = feed.order_id
        AND refunds.number = json_extract(facts.payload, '$.refund') AND refunds.intent_id = orders.paid_by
    WHERE feed.position > ?1 AND feed.position <= ?2
        AND (feed.kind = 'order.placed' OR feed.kind = 'order.paid' OR feed.kind = 'refund.changed')
    ORDER BY feed.position
    LIMIT ?3";

#[derive(QueryableByName)]
struct FactRow {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Bool)]
    livemode: bool,
    #[diesel(sql_type = Text)]
    payload: String,
    #[diesel(sql_type = Nullable<Text>)]
    refund_currency: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    refund_amount: Option<i64>,
}

impl FactRow {
    fn restore(self) -> Result<CountableFact, Failure> {
        let Self { position, at, livemode, payload, refund_currency, refund_amount } = self;
        let (payload, refund_currency) = (Cow::Owned(payload), refund_currency.map(Cow::Owned));
        let stored = StoredCountableFact { position, at, livemode, payload, refund_currency, refund_amount };
        Ok(stored.restore()?)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = daily_totals)]
struct TotalRow<'a> {
    day: Cow<'a, str>,
    livemode: bool,
    currency: Cow<'a, str>,
    placed: i64,
    placed_amount: i64,
    paid: i64,
    paid_amount: i64,
    refunded: i64,
    refunded_amount: i64,
}

impl TotalRow<'_> {
    fn of(total: &DailyTotal) -> Self {
        let StoredDailyTotal {
            day,
            livemode,
            currency,
            placed,
            placed_amount,
            paid,
            paid_amount,
            refunded,
            refunded_amount,
        } = StoredDailyTotal::of(total);
        Self { day, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount }
    }

    fn restore(self) -> Result<DailyTotal, Failure> {
        let Self { day, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount } =
            self;
        let stored = StoredDailyTotal {
            day,
            livemode,
            currency,
            placed,
            placed_amount,
            paid,
            paid_amount,
            refunded,
            refunded_amount,
        };
        Ok(stored.restore()?)
    }
}

fn counted(db: &mut SqliteConnection) -> Result<Position, Failure> {
    let last = daily_totals_head::table.select(daily_totals_head::position).first(db)?;
    position(&Column("daily_totals_head", "position"), last)
}

fn facts(
    db: &mut SqliteConnection,
    after: Position,
    until: Position,
    limit: u16,
) -> Result<Vec<CountableFact>, Failure> {
    let rows: Vec<FactRow> = diesel::sql_query(COUNTABLE)
        .bind::<BigInt, _>(bound(after))
        .bind::<BigInt, _>(bound(until))
        .bind::<BigInt, _>(i64::from(limit))
        .load(db)?;
    rows.into_iter().map(FactRow::restore).collect()
}

fn add(db: &mut SqliteConnection, addition: &TotalsAddition) -> Result<bool, Failure> {
    let head = daily_totals_head::table.filter(daily_totals_head::position.eq(bound(addition.after)));
    if diesel::update(head).set(daily_totals_head::position.eq(bound(addition.until))).execute(db)? == 0 {
        return Ok(false);
    }
    for total in &addition.totals {
        use daily_totals::{paid, paid_amount, placed, placed_amount, refunded, refunded_amount};
        diesel::insert_into(daily_totals::table)
            .values(&TotalRow::of(total))
            .on_conflict((daily_totals::day, daily_totals::livemode, daily_totals::currency))
            .do_update()
            .set((
                placed.eq(placed + excluded(placed)),
                placed_amount.eq(placed_amount + excluded(placed_amount)),
                paid.eq(paid + excluded(paid)),
                paid_amount.eq(paid_amount + excluded(paid_amount)),
                refunded.eq(refunded + excluded(refunded)),
                refunded_amount.eq(refunded_amount + excluded(refunded_amount)),
            ))
            .execute(db)?;
    }
    Ok(true)
}

fn of_days(db: &mut SqliteConnection, from: Day, until: Day, livemode: bool) -> Result<Vec<DailyTotal>, Failure> {
    let rows: Vec<TotalRow<'_>> = daily_totals::table
        .filter(daily_totals::day.between(from.to_string(), until.to_string()))
        .filter(daily_totals::livemode.eq(livemode))
        .order((daily_totals::day, daily_totals::currency))
        .load(db)?;
    rows.into_iter().map(TotalRow::restore).collect()
}

#[async_trait]
impl DailyTotals for SqliteStore {
    async fn counted_until(&self) -> Result<Position, StoreError> {
        self.read(counted).await
    }

    async fn countable_facts(
        &self,
        after: Position,
        until: Position,
        limit: u16,
    ) -> Result<Vec<CountableFact>, StoreError> {
        self.read_many(move |db| facts(db, after, until, limit)).await
    }

    async fn add_to_totals(&self, addition: &TotalsAddition) -> Result<bool, StoreError> {
        let addition = addition.clone();
        self.writer.run_with_others(move |db| add(db, &addition)).await
    }

    async fn daily_totals(&self, from: Day, until: Day, livemode: bool) -> Result<Vec<DailyTotal>, StoreError> {
        self.read(move |db| of_days(db, from, until, livemode)).await
    }
}

#[cfg(test)]
mod tests {
    use super::COUNTABLE;
    use crate::plans::plan;
    use crate::{IN_MEMORY, Options, setup};

    #[test]
    fn facts_that_count_are_found_by_their_positions() {
        let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
        let steps = plan(&mut db, COUNTABLE);
        assert!(steps.iter().all(|it| it.starts_with("SEARCH ")), "{steps:#?}");
        assert!(
            steps.iter().any(|it| it.contains("feed USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")),
            "{steps:#?}"
        );
    }
}
