//! Books: what moved the balance at Stripe, what orders expect, and closed days.

pub(crate) mod commit;
#[cfg(test)]
mod plan;
pub(crate) mod read;

use async_trait::async_trait;
use paywright_app::stored::{Column, ColumnError, StoredCategorySum, restore_books, source_columns};
use paywright_app::{
    BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakQuery, CategorySum,
    ClearingItem, ClosedDay, OpenItemQuery, PAYOUT_CHANGES_SECONDS, PayoutQuery, RowFilter, RowQuery, StoreError,
    Versioned,
};
use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber};
use paywright_domain::{IntentId, OrderId};
use uuid::Uuid;

use self::commit::CommitBooks;
use self::read::{
    BreakPlaceAndLimit, BreakRow, ClearingRow, ClosedDayRow, EntryRow, ItemPage, Page, PayoutRow, SumRow,
    TransactionRow,
};
use crate::PostgresStore;
use crate::failure::Failure;
use crate::rows::pg_time;

/// Restores rows that were read.
fn restored<R, T>(
    rows: Result<Vec<R>, Failure>,
    restore: impl Fn(R) -> Result<T, ColumnError>,
) -> Result<Vec<T>, StoreError> {
    let restored = rows.and_then(|rows| rows.into_iter().map(|row| Ok(restore(row)?)).collect());
    restored.map_err(Failure::of_read)
}

impl PostgresStore {
    async fn transaction_rows(&self, query: &RowQuery) -> Result<Vec<TransactionRow>, Failure> {
        let page = Page::of(query);
        match &query.filter {
            RowFilter::Days { from: _, to } => self.rows(read::TransactionsOfDays { page, to: to.to_string() }).await,
            RowFilter::Order(order) => self.rows(read::TransactionsOfOrder { page, order: order.0 }).await,
            RowFilter::Source(source) => {
                let (kind, id) = source_columns(source)?;
                self.rows(read::TransactionsOfSource { page, kind, id }).await
            }
            RowFilter::Payout(payout) => {
                self.rows(read::TransactionsOfPayout { page, payout: payout.as_str().to_owned() }).await
            }
        }
    }

    async fn entry_rows(&self, query: &RowQuery) -> Result<Vec<EntryRow>, Failure> {
        let page = Page::of(query);
        match &query.filter {
            RowFilter::Days { from: _, to } => self.rows(read::EntriesOfDays { page, to: to.to_string() }).await,
            RowFilter::Order(order) => self.rows(read::EntriesOfOrder { page, order: order.0 }).await,
            RowFilter::Source(source) => {
                let (kind, id) = source_columns(source)?;
                self.rows(read::EntriesOfSource { page, kind, id }).await
            }
            RowFilter::Payout(_) => Ok(Vec::new()),
        }
    }

    async fn payout_rows(&self, query: &PayoutQuery) -> Result<Vec<PayoutRow>, Failure> {
        match query {
            PayoutQuery::Id(id) => self.rows(read::PayoutById(id.as_str().to_owned())).await,
            PayoutQuery::Created { from, until } => {
                self.rows(read::PayoutsCreated { from: pg_time(*from), until: pg_time(*until) }).await
            }
            PayoutQuery::Unsettled { since, now } => {
                let changes_since = pg_time(now.minus_seconds(PAYOUT_CHANGES_SECONDS));
                self.rows(read::UnsettledPayouts { since: pg_time(*since), changes_since }).await
            }
            PayoutQuery::Unequal => self.rows(read::UnequalPayouts).await,
        }
    }

    async fn break_rows(&self, query: &BreakQuery) -> Result<Vec<BreakRow>, Failure> {
        match query {
            BreakQuery::Open(page) => self.rows(read::OpenBreaks(BreakPlaceAndLimit::ascending(page))).await,
            BreakQuery::Present(page) => self.rows(read::PresentBreaks(BreakPlaceAndLimit::ascending(page))).await,
            BreakQuery::Latest(page) => self.rows(read::LatestBreaks(BreakPlaceAndLimit::descending(page))).await,
            BreakQuery::Named(names) => self.rows(read::NamedBreaks(names.clone())).await,
        }
    }
}

fn days(from: Day, to: Day) -> read::Days {
    read::Days { from: from.to_string(), to: to.to_string() }
}

#[async_trait]
impl Books for PostgresStore {
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError> {
        let row: Result<Option<(i64, String)>, Failure> = self.row(read::ReadBooks).await;
        let restore = |(version, state): (i64, String)| restore_books(version, &state);
        row.and_then(|it| Ok(it.map(restore).transpose()?)).map_err(Failure::of_read)
    }

    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        let commit = CommitBooks::of(changes).map_err(Failure::of_write)?;
        if self.wrote(commit).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn known_transactions(&self, ids: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError> {
        let ids = ids.iter().map(|it| it.as_str().to_owned()).collect();
        let known: Result<Vec<String>, Failure> = self.rows(read::KnownTransactions(ids)).await;
        let column = Column("balance_transactions", "id");
        restored(known, |it| column.read(BalanceTransactionId::new(it)))
    }

    async fn orders_of_intents(&self, intents: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError> {
        let intents = intents.iter().map(|it| it.as_str().to_owned()).collect();
        let orders: Result<Vec<(String, Uuid)>, Failure> = self.rows(read::OrdersOfIntents(intents)).await;
        let column = Column("payment_intents", "provider_id");
        restored(orders, |(intent, order)| Ok((column.read(IntentId::new(intent))?, OrderId(order))))
    }

    async fn order_numbers(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError> {
        let orders = orders.iter().map(|it| it.0).collect();
        let numbers: Result<Vec<(Uuid, String)>, Failure> = self.rows(read::OrderNumbers(orders)).await;
        let column = Column("orders", "number");
        restored(numbers, |(order, number)| Ok((OrderId(order), column.read(OrderNumber::parse(&number))?)))
    }

    async fn transactions(&self, query: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError> {
        restored(self.transaction_rows(query).await, |TransactionRow(it)| it.restore())
    }

    async fn entries(&self, query: &RowQuery) -> Result<Vec<BookedEntry>, StoreError> {
        restored(self.entry_rows(query).await, |EntryRow(it)| it.restore())
    }

    async fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, StoreError> {
        let rows: Result<Vec<SumRow>, Failure> = self.rows(read::CategorySums(days(from, to))).await;
        let sums = rows.and_then(|rows| Ok(StoredCategorySum::restore_all(rows.into_iter().map(|it| it.0))?));
        sums.map_err(Failure::of_read)
    }

    async fn closed_days(&self, from: Day, to: Day) -> Result<Vec<ClosedDay>, StoreError> {
        restored(self.rows(read::ClosedDays(days(from, to))).await, |ClosedDayRow(it)| it.restore())
    }

    async fn payouts(&self, query: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError> {
        restored(self.payout_rows(query).await, |PayoutRow(it)| it.restore())
    }

    async fn open_items(&self, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError> {
        let page = ItemPage::of(query);
        let rows = if query.of_orders {
            self.rows(read::OpenItemsOfOrders(page)).await
        } else {
            self.rows(read::OpenItems(page)).await
        };
        restored(rows, |ClearingRow(it)| it.restore())
    }

    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError> {
        restored(self.break_rows(query).await, |BreakRow(it)| it.restore())
    }
}
