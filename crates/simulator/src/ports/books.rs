//! Books of a process. Their calls wait for the scheduler, and each commit is checked.

use async_trait::async_trait;
use paywright_app::{
    BookedEntry, BookedPayout, BookedTransaction, Books, BooksChanges, BooksState, Break, BreakQuery, CategorySum,
    ClearingItem, ClosedDay, OpenItemQuery, PayoutQuery, RowQuery, StoreError, Versioned,
};
use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber};
use paywright_domain::{IntentId, OrderId};

use super::ScheduledStore;
use crate::fault::Call;

impl ScheduledStore {
    /// Commits, and checks what the commit did.
    async fn commit_and_check(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        let before = self.store.read(|it| it.books.clone());
        self.store.commit_books(changes).await?;
        let mut core = self.world.core();
        let books = &mut core.books;
        let checked = self.store.read(|it| books.kept.commit(changes, &before, &it.books));
        books.note(checked);
        books.feed.add_account_events(&changes.events);
        Ok(())
    }
}

#[async_trait]
impl Books for ScheduledStore {
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError> {
        self.read("read the state of the books", self.store.books()).await
    }

    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        self.write(Call::Commit, "commit books", self.commit_and_check(changes)).await
    }

    async fn known_transactions(&self, ids: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError> {
        self.read("read known balance transactions", self.store.known_transactions(ids)).await
    }

    async fn orders_of_intents(&self, intents: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError> {
        self.read("read orders of intents", self.store.orders_of_intents(intents)).await
    }

    async fn order_numbers(&self, orders: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError> {
        self.read("read numbers of orders", self.store.order_numbers(orders)).await
    }

    async fn transactions(&self, query: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError> {
        self.read("read booked transactions", self.store.transactions(query)).await
    }

    async fn entries(&self, query: &RowQuery) -> Result<Vec<BookedEntry>, StoreError> {
        self.read("read entries", self.store.entries(query)).await
    }

    async fn category_sums(&self, from: Day, to: Day) -> Result<Vec<CategorySum>, StoreError> {
        self.read("add up categories", self.store.category_sums(from, to)).await
    }

    async fn closed_days(&self, from: Day, to: Day) -> Result<Vec<ClosedDay>, StoreError> {
        self.read("read closed days", self.store.closed_days(from, to)).await
    }

    async fn payouts(&self, query: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError> {
        self.read("read booked payouts", Books::payouts(&self.store, query)).await
    }

    async fn open_items(&self, query: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError> {
        self.read("read open items", self.store.open_items(query)).await
    }

    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError> {
        self.read("read breaks", self.store.breaks(query)).await
    }
}
