//! Daily totals, and the facts that they count.

use async_trait::async_trait;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Untyped};
use paywright_app::stored::{StoredCountableFact, StoredDailyTotal};
use paywright_app::{CountableFact, DailyTotal, DailyTotals, Position, StoreError, TotalsAddition};
use paywright_domain::books::Day;

use crate::PostgresStore;
use crate::columns::row;
use crate::failure::Failure;
use crate::rows::{Column, pg_position};
use crate::statement::statement;

row! {
    /// Row of the totals of a day.
    TotalRow of StoredDailyTotal {
        day as SqlText,
        livemode as Bool,
        currency as SqlText,
        placed as BigInt,
        placed_amount as BigInt,
        paid as BigInt,
        paid_amount as BigInt,
        refunded as BigInt,
        refunded_amount as BigInt,
    }
}

row! {
    /// Row of a fact that totals count.
    FactRow of StoredCountableFact {
        position as BigInt,
        at as Timestamptz,
        livemode as Bool,
        payload as SqlText,
        refund_currency as Nullable<SqlText>,
        refund_amount as Nullable<BigInt>,
    }
}

/// Query for the last counted position.
#[derive(Clone)]
struct CountedUntil;

statement!(CountedUntil => BigInt, "SELECT position FROM daily_totals_head WHERE only_one", self {});

/// Query for facts that totals count (`countable_facts.sql`).
pub(crate) struct CountableFacts {
    after: i64,
    until: i64,
    limit: i64,
}

statement!(CountableFacts => Untyped, include_str!("sql/countable_facts.sql"), self {
    after: BigInt = self.after,
    until: BigInt = self.until,
    limit: BigInt = self.limit,
});

/// Statement that adds to the totals (`add_to_totals.sql`).
struct AddToTotals<'a> {
    after: i64,
    until: i64,
    days: Vec<String>,
    livemodes: Vec<bool>,
    currencies: Vec<&'a str>,
    placed: Sums,
    paid: Sums,
    refunded: Sums,
}

/// Numbers and sums of one kind, a pair for each row.
struct Sums {
    counts: Vec<i64>,
    amounts: Vec<i64>,
}

impl<'a> AddToTotals<'a> {
    fn of(addition: &'a TotalsAddition) -> Self {
        let totals = &addition.totals;
        let sums = |of: fn(&DailyTotal) -> paywright_app::CountedSum| Sums {
            counts: totals.iter().map(|it| of(it).count).collect(),
            amounts: totals.iter().map(|it| of(it).minor).collect(),
        };
        Self {
            after: pg_position(addition.after),
            until: pg_position(addition.until),
            days: totals.iter().map(|it| it.day.to_string()).collect(),
            livemodes: totals.iter().map(|it| it.livemode).collect(),
            currencies: totals.iter().map(|it| it.currency.code()).collect(),
            placed: sums(|it| it.placed),
            paid: sums(|it| it.paid),
            refunded: sums(|it| it.refunded),
        }
    }
}

statement!(AddToTotals<'_> => (), include_str!("sql/add_to_totals.sql"), self {
    after: BigInt = self.after,
    until: BigInt = self.until,
    days: Array<SqlText> = self.days,
    livemodes: Array<Bool> = self.livemodes,
    currencies: Array<SqlText> = self.currencies,
    placed: Array<BigInt> = self.placed.counts,
    placed_amounts: Array<BigInt> = self.placed.amounts,
    paid: Array<BigInt> = self.paid.counts,
    paid_amounts: Array<BigInt> = self.paid.amounts,
    refunded: Array<BigInt> = self.refunded.counts,
    refunded_amounts: Array<BigInt> = self.refunded.amounts,
});

/// Query for the totals of some days.
struct TotalsOfDays {
    from: String,
    until: String,
    livemode: bool,
}

statement!(TotalsOfDays => Untyped,
    concat!(
        "SELECT day::text, livemode, currency, placed, placed_amount, paid, paid_amount, refunded, refunded_amount ",
        "FROM daily_totals WHERE day >= :from::text::date AND day <= :until::text::date AND livemode = :livemode ",
        "ORDER BY daily_totals.day, currency",
    ),
    self {
        from: SqlText = self.from,
        until: SqlText = self.until,
        livemode: Bool = self.livemode,
    }
);

#[async_trait]
impl DailyTotals for PostgresStore {
    async fn counted_until(&self) -> Result<Position, StoreError> {
        let row: Result<Option<i64>, Failure> = self.row(CountedUntil).await;
        let column = |name| Column("daily_totals_head", name);
        let counted = row.and_then(|row| column("position").position(column("(row)").found(row)?));
        counted.map_err(Failure::of_read)
    }

    async fn countable_facts(
        &self,
        after: Position,
        until: Position,
        limit: u16,
    ) -> Result<Vec<CountableFact>, StoreError> {
        let facts = CountableFacts { after: pg_position(after), until: pg_position(until), limit: i64::from(limit) };
        let rows: Result<Vec<FactRow>, Failure> = self.rows(facts).await;
        let facts = rows.and_then(|rows| rows.into_iter().map(|FactRow(it)| Ok(it.restore()?)).collect());
        facts.map_err(Failure::of_read)
    }

    async fn add_to_totals(&self, addition: &TotalsAddition) -> Result<bool, StoreError> {
        self.write(AddToTotals::of(addition)).await.map(|rows| rows > 0).map_err(Failure::of_write)
    }

    async fn daily_totals(&self, from: Day, until: Day, livemode: bool) -> Result<Vec<DailyTotal>, StoreError> {
        let days = TotalsOfDays { from: from.to_string(), until: until.to_string(), livemode };
        let rows: Result<Vec<TotalRow>, Failure> = self.rows(days).await;
        let totals = rows.and_then(|rows| rows.into_iter().map(|TotalRow(it)| Ok(it.restore()?)).collect());
        totals.map_err(Failure::of_read)
    }
}
