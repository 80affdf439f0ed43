//! Books: what moved the balance at Stripe, what orders expect, and closed days.

mod commit;
#[cfg(test)]
mod plan;
mod read;
mod tables;

use async_trait::async_trait;
use paywright_app::{
    BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakQuery, CategorySum,
    ClearingItem, ClosedDay, OpenItemQuery, PayoutQuery, RowQuery, StoreError, Versioned,
};
use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber};
use paywright_domain::{IntentId, OrderId};

use crate::SqliteStore;

#[async_trait]
impl Books for SqliteStore {
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError> {
        self.read(read::books).await
    }

    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        let changes = changes.clone();
        self.writer.run(move |db| commit::changes(db, &changes)).await
    }

    async fn known_transactions(&self, ids: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError> {
        let ids = ids.to_vec();
        self.read_many(move |db| read::known_transactions(db, &ids)).await
    }

    async fn orders_of_intents(&self, intents: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError> {
        let intents = intents.to_vec();
        self.read_many(move |db| read::orders_of_intents(db, &intents)).await
    }

    async fn order_numbers(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError> {
        let orders = orders.to_vec();
        self.read_many(move |db| read::order_numbers(db, &orders)).await
    }

    async fn transactions(&self, query: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::transactions(db, &query)).await
    }

    async fn entries(&self, query: &RowQuery) -> Result<Vec<BookedEntry>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::entries(db, &query)).await
    }

    async fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, StoreError> {
        self.read_many(move |db| read::category_sums(db, from, to)).await
    }

    async fn closed_days(&self, from: Day, to: Day) -> Result<Vec<ClosedDay>, StoreError> {
        self.read_many(move |db| read::closed_days(db, from, to)).await
    }

    async fn payouts(&self, query: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::payouts(db, &query)).await
    }

    async fn open_items(&self, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::open_items(db, &query)).await
    }

    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError> {
        let query = query.clone();
        self.read_many(move |db| read::breaks(db, &query)).await
    }
}
