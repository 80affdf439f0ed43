//! The store in memory keeps the same contract as those of PostgreSQL and SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use paywright_app::{OrderRef, Orders, Store};
use paywright_domain::OrderId;
use paywright_simulator::MemoryStore;
use paywright_testkit::books_contract::BooksSubject;
use paywright_testkit::contract::Subject;
use paywright_testkit::feed_contract::FeedSubject;
use paywright_testkit::{BooksStore, FeedStore, at, changes, order_id, place};

struct InMemory(MemoryStore);

#[async_trait]
impl Subject for InMemory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }

    /// Reopens the store after a power cut: its content is what the journal gives.
    async fn reopened(&self) -> Arc<dyn Store> {
        self.0.power_cut();
        self.store()
    }

    async fn damage(&self, order: OrderId) {
        self.0.damage(order);
    }
}

paywright_testkit::store_contract!(InMemory(MemoryStore::default()));

impl FeedSubject for InMemory {
    fn feed_store(&self) -> Arc<dyn FeedStore> {
        Arc::new(self.0.clone())
    }
}

paywright_testkit::feed_contract!(InMemory(MemoryStore::default()));
paywright_testkit::endpoint_contract!(InMemory(MemoryStore::default()));

impl BooksSubject for InMemory {
    fn books_store(&self) -> Arc<dyn BooksStore> {
        Arc::new(self.0.clone())
    }
}

paywright_testkit::books_contract!(InMemory(MemoryStore::default()));

#[tokio::test]
async fn a_power_cut_keeps_commits_and_nothing_else() {
    let store = MemoryStore::default();
    store.commit(changes(paywright_app::Version::NEW, place(1), at(1), at(1))).await.unwrap();
    drop(store.commit(changes(paywright_app::Version::NEW, place(2), at(1), at(1))));
    let before = store.read(Clone::clone);
    store.power_cut();
    assert_eq!(store.read(Clone::clone), before);
    assert!(store.order(&OrderRef::Id(order_id(1))).await.unwrap().is_some());
    assert!(store.order(&OrderRef::Id(order_id(2))).await.unwrap().is_none(), "a commit that was never polled");
}
