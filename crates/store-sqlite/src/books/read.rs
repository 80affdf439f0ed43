//! Reads of the books.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use paywright_app::stored::{
    StoredBookedPayout, StoredCategorySum, StoredPayoutSum, StoredRowKey, restore_books, source_columns,
    stored_break_place,
};
use paywright_app::{
    BookedEntry, BookedPayout, BookedTransaction, BooksState, Break, BreakPage, BreakQuery, CategorySum, ClearingItem,
    ClosedDay, OpenItemQuery, PAYOUT_CHANGES_SECONDS, PayoutQuery, RowFilter, RowQuery, Versioned,
};
use paywright_domain::books::{Day, PayoutStatus, Reconciliation};
use paywright_domain::id::{BalanceTransactionId, OrderNumber};
use paywright_domain::{IntentId, OrderId};

use super::tables::{
    BreakRow, ClearingRow, ClosedDayRow, EntryRow, PayoutRow, TransactionRow, balance_transactions, book_breaks,
    book_entries, books, clearing_accounts, closed_days, payout_members, payout_sums, payouts,
};
use crate::failure::Failure;
use crate::rows::Column;
use crate::schema::{orders, payment_intents};

/// Largest number of ids in one statement.
const IDS_AT_ONCE: usize = 500;

pub(super) fn books(db: &mut SqliteConnection) -> Result<Option<Versioned<BooksState>>, Failure> {
    let row: Option<(i64, String)> = books::table.select((books::version, books::state)).first(db).optional()?;
    Ok(row.map(|(version, state)| restore_books(version, &state)).transpose()?)
}

pub(super) fn known_transactions(
    db: &mut SqliteConnection,
    ids: &[BalanceTransactionId],
) -> Result<Vec<BalanceTransactionId>, Failure> {
    let mut known = BTreeSet::new();
    for ids in ids.chunks(IDS_AT_ONCE) {
        let ids = ids.iter().map(BalanceTransactionId::as_str);
        let stored = balance_transactions::table.filter(balance_transactions::id.eq_any(ids));
        known.extend(stored.select(balance_transactions::id).load::<String>(db)?);
    }
    let column = Column("balance_transactions", "id");
    known.into_iter().map(|it| column.read(BalanceTransactionId::new(it))).collect()
}

pub(super) fn orders_of_intents(
    db: &mut SqliteConnection,
    intents: &[IntentId],
) -> Result<Vec<(IntentId, OrderId)>, Failure> {
    let mut orders = BTreeSet::new();
    for intents in intents.chunks(IDS_AT_ONCE) {
        let intents = intents.iter().map(IntentId::as_str);
        let stored = payment_intents::table.filter(payment_intents::provider_id.eq_any(intents));
        orders.extend(
            stored.select((payment_intents::provider_id, payment_intents::order_id)).load::<(String, Vec<u8>)>(db)?,
        );
    }
    let column = |name| Column("payment_intents", name);
    let restore = |(intent, order): (String, Vec<u8>)| {
        let order = OrderId(column("order_id").uuid(&order)?);
        Ok((column("provider_id").read(IntentId::new(intent))?, order))
    };
    orders.into_iter().map(restore).collect()
}

pub(super) fn order_numbers(
    db: &mut SqliteConnection,
    orders: &[OrderId],
) -> Result<Vec<(OrderId, OrderNumber)>, Failure> {
    let mut numbers = Vec::new();
    let column = |name| Column("orders", name);
    for some in orders.chunks(IDS_AT_ONCE) {
        let ids = some.iter().map(|it| it.0.as_bytes().as_slice());
        let stored = orders::table.filter(orders::id.eq_any(ids));
        for (id, number) in stored.select((orders::id, orders::number)).load::<(Vec<u8>, String)>(db)? {
            let id = OrderId(column("id").uuid(&id)?);
            numbers.push((id, column("number").read(OrderNumber::parse(&number))?));
        }
    }
    Ok(numbers)
}

/// Query for the page of a table: rows of the filter, by day, time and id, after those of the page before.
macro_rules! page {
    ($table:ident, $time:ident, $query:expr) => {{
        let query: &RowQuery = $query;
        let StoredRowKey { day, time, id } = StoredRowKey::of(query);
        let page = $table::table
            .order(($table::day.asc(), $table::$time.asc(), $table::id.asc()))
            .limit(i64::from(query.limit))
            .into_boxed();
        // Without a day, a row comes before those with one.
        let day_of_row = match query.filter {
            RowFilter::Days { .. } => "day",
            RowFilter::Order(_) | RowFilter::Source(_) | RowFilter::Payout(_) => "ifnull(day, '')",
        };
        let key = concat!(", ", stringify!($time), ", id) > (");
        page.filter(
            sql::<Bool>(&format!("({day_of_row}{key}"))
                .bind::<Text, _>(day.unwrap_or_default())
                .sql(", ")
                .bind::<BigInt, _>(time)
                .sql(", ")
                .bind::<Text, _>(id)
                .sql(")"),
        )
    }};
}

pub(super) fn transactions(db: &mut SqliteConnection, query: &RowQuery) -> Result<Vec<BookedTransaction>, Failure> {
    let page = page!(balance_transactions, created, query);
    let page = match &query.filter {
        RowFilter::Days { from: _, to } => page.filter(balance_transactions::day.le(to.to_string())),
        RowFilter::Order(order) => page.filter(balance_transactions::order_id.eq(order.0.as_bytes().to_vec())),
        RowFilter::Source(source) => {
            let (kind, id) = source_columns(source)?;
            page.filter(balance_transactions::source_id.eq(id)).filter(balance_transactions::source_kind.eq(kind))
        }
        RowFilter::Payout(payout) => page.filter(
            balance_transactions::id.eq_any(
                payout_members::table
                    .filter(payout_members::payout_id.eq(payout.as_str().to_owned()))
                    .select(payout_members::transaction_id),
            ),
        ),
    };
    let rows: Vec<TransactionRow<'_>> = page.load(db)?;
    rows.into_iter().map(|row| Ok(row.stored()?.restore()?)).collect()
}

pub(super) fn entries(db: &mut SqliteConnection, query: &RowQuery) -> Result<Vec<BookedEntry>, Failure> {
    let page = page!(book_entries, at, query);
    let page = match &query.filter {
        RowFilter::Days { from: _, to } => page.filter(book_entries::day.le(to.to_string())),
        RowFilter::Order(order) => page.filter(book_entries::order_id.eq(order.0.as_bytes().to_vec())),
        RowFilter::Source(source) => {
            let (kind, id) = source_columns(source)?;
            page.filter(book_entries::source_id.eq(id)).filter(book_entries::source_kind.eq(kind))
        }
        RowFilter::Payout(_) => return Ok(Vec::new()),
    };
    let rows: Vec<EntryRow<'_>> = page.load(db)?;
    rows.into_iter().map(|row| Ok(row.stored()?.restore()?)).collect()
}

#[derive(QueryableByName)]
struct SumRow {
    #[diesel(sql_type = Text)]
    balance: String,
    #[diesel(sql_type = Text)]
    currency: String,
    #[diesel(sql_type = Text)]
    category: String,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = BigInt)]
    gross: i64,
    #[diesel(sql_type = BigInt)]
    fee: i64,
    #[diesel(sql_type = BigInt)]
    net: i64,
}

/// Query that reads the index by days alone.
const CATEGORY_SUMS: &str = "
    SELECT balance, currency, category, count(*) AS count, sum(amount) AS gross, sum(fee) AS fee, sum(net) AS net
    FROM balance_transactions INDEXED BY balance_transactions_by_day
    WHERE day >= ? AND day <= ?
    GROUP BY balance, currency, category";

pub(super) fn category_sums(db: &mut SqliteConnection, from: Day, to: Day) -> Result<Vec<CategorySum>, Failure> {
    let sums = diesel::sql_query(CATEGORY_SUMS).bind::<Text, _>(from.to_string()).bind::<Text, _>(to.to_string());
    let rows: Vec<SumRow> = sums.load(db)?;
    let sums = rows.into_iter().map(|it| StoredCategorySum {
        balance: it.balance.into(),
        currency: it.currency.into(),
        category: it.category.into(),
        count: it.count,
        gross: it.gross,
        fee: it.fee,
        net: it.net,
    });
    Ok(StoredCategorySum::restore_all(sums)?)
}

pub(super) fn closed_days(db: &mut SqliteConnection, from: Day, to: Day) -> Result<Vec<ClosedDay>, Failure> {
    let within = closed_days::day.ge(from.to_string()).and(closed_days::day.le(to.to_string()));
    let rows: Vec<ClosedDayRow<'_>> = closed_days::table.filter(within).order(closed_days::day).load(db)?;
    rows.into_iter().map(|row| Ok(row.stored()?.restore()?)).collect()
}

/// Columns of the sum of a payout's members.
type SumColumns = Option<(i64, i64, i64)>;

pub(super) fn payouts(db: &mut SqliteConnection, query: &PayoutQuery) -> Result<Vec<BookedPayout>, Failure> {
    let sum = (payout_sums::members, payout_sums::known, payout_sums::net).nullable();
    let stored = payouts::table
        .left_join(payout_sums::table.on(payout_sums::payout_id.eq(payouts::id)))
        .order((payouts::created.asc(), payouts::id.asc()))
        .select((payouts::all_columns, sum))
        .into_boxed();
    let found = match query {
        PayoutQuery::Id(id) => stored.filter(payouts::id.eq(id.as_str().to_owned())),
        PayoutQuery::Created { from, until } => {
            let (from, until) = (from.unix_micros(), until.unix_micros());
            stored.filter(payouts::created.ge(from)).filter(payouts::created.lt(until))
        }
        PayoutQuery::Unsettled { since, now } => {
            let is_over = payouts::status.eq_any([PayoutStatus::Failed.name(), PayoutStatus::Canceled.name()]);
            let has_members =
                payouts::reconciliation.eq_any([Reconciliation::Completed.name(), Reconciliation::InProgress.name()]);
            let is_to_be_read = has_members.and(payout_sums::payout_id.nullable().is_null());
            let may_change = payouts::created.gt(now.minus_seconds(PAYOUT_CHANGES_SECONDS).unix_micros());
            stored
                .filter(payouts::created.ge(since.unix_micros()))
                .filter(diesel::dsl::not(is_over))
                .filter(is_to_be_read.or(may_change))
        }
        // As a condition on the join, this would walk all payouts.
        PayoutQuery::Unequal => {
            stored.filter(sql::<Bool>("payouts.id IN (SELECT payout_id FROM payout_sums WHERE net <> amount)"))
        }
    };
    let rows: Vec<(PayoutRow<'_>, SumColumns)> = found.load(db)?;
    let restored = rows.into_iter().map(|(row, sum)| {
        let sum = sum.map(|(members, known, net)| StoredPayoutSum { members, known, net });
        Ok(StoredBookedPayout { payout: row.stored()?, sum }.restore()?)
    });
    restored.collect()
}

pub(super) fn open_items(db: &mut SqliteConnection, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, Failure> {
    let (object, currency) = query.after.as_ref().map(|it| (it.object.clone(), it.currency.code())).unwrap_or_default();
    let after =
        sql::<Bool>("(object, currency) > (").bind::<Text, _>(object).sql(", ").bind::<Text, _>(currency).sql(")");
    let open = clearing_accounts::table
        .filter(clearing_accounts::expected.ne(clearing_accounts::moved))
        .filter(after)
        .order((clearing_accounts::object, clearing_accounts::currency))
        .limit(i64::from(query.limit));
    let rows: Vec<ClearingRow<'_>> =
        if query.of_orders { open.filter(clearing_accounts::order_id.is_not_null()).load(db)? } else { open.load(db)? };
    rows.into_iter().map(|row| Ok(row.stored()?.restore()?)).collect()
}

/// The page of a query for breaks: those that come after the page before, in ascending (`>`) or descending (`<`) order.
macro_rules! page_of_breaks {
    ($query:expr, $than:literal, $page:expr, $before_all:expr) => {{
        let page: &BreakPage = $page;
        let (time, id) = stored_break_place(page, $before_all);
        $query.limit(i64::from(page.limit)).filter(
            sql::<Bool>(concat!("(first_seen, id) ", $than, " ("))
                .bind::<BigInt, _>(time)
                .sql(", ")
                .bind::<Text, _>(id)
                .sql(")"),
        )
    }};
}

pub(super) fn breaks(db: &mut SqliteConnection, query: &BreakQuery) -> Result<Vec<Break>, Failure> {
    let is_present = book_breaks::gone_at.is_null();
    let (time, id) = (book_breaks::first_seen, book_breaks::id);
    let oldest_first = || book_breaks::table.order((time.asc(), id.asc())).into_boxed();
    let found = match query {
        BreakQuery::Open(page) => {
            let is_open = is_present.and(book_breaks::resolution.is_null());
            page_of_breaks!(oldest_first().filter(is_open), ">", page, i64::MIN)
        }
        BreakQuery::Present(page) => page_of_breaks!(oldest_first().filter(is_present), ">", page, i64::MIN),
        BreakQuery::Latest(page) => {
            let newest_first = book_breaks::table.order((time.desc(), id.desc())).into_boxed();
            page_of_breaks!(newest_first, "<", page, i64::MAX)
        }
        BreakQuery::Named(names) => oldest_first().filter(id.eq_any(names.clone())),
    };
    let rows: Vec<BreakRow<'_>> = found.load(db)?;
    rows.into_iter().map(|row| Ok(row.stored()?.restore()?)).collect()
}
