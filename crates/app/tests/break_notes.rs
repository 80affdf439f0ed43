//! Explanations of breaks, by several people at once.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use paywright_app::{
    AuditQuery, AuditTrail, BookedEntry, BookedPayout, BookedTransaction, Books, BooksAccess, BooksChanges, BooksState,
    Break, BreakClass, BreakQuery, CategorySum, ClearingItem, ClosedDay, OpenItemQuery, PayoutQuery, RowQuery,
    StoreError, Version, Versioned,
};
use paywright_domain::books::Day;
use paywright_domain::id::{BalanceTransactionId, OrderNumber};
use paywright_domain::text::Note;
use paywright_domain::{IntentId, OrderId};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};
use paywright_testkit::{CountedIds, HandClock, at};

const NOW: i64 = 1_743_415_050;
const BREAK: &str = "amount:pi_1";

/// Books in which another person resolves the break just before the `n`th read.
struct Rivaled {
    store: Arc<SqliteStore>,
    reads: AtomicU32,
    n: u32,
}

impl Rivaled {
    async fn read(&self) {
        if self.reads.fetch_add(1, Ordering::SeqCst) + 1 == self.n {
            let rival = access(Arc::<SqliteStore>::clone(&self.store));
            let note = Note::new("first").expect("a note");
            rival.resolve(BREAK, "bob", &note).await.expect("books").expect("a break");
        }
    }
}

fn access(books: Arc<dyn Books>) -> BooksAccess {
    BooksAccess::new(books, Arc::new(HandClock::at(at(NOW))), Arc::new(CountedIds::default()))
}

#[async_trait]
impl Books for Rivaled {
    async fn books(&self) -> Result<Option<Versioned<BooksState>>, StoreError> {
        self.read().await;
        self.store.books().await
    }

    async fn commit_books(&self, changes: &BooksChanges) -> Result<(), StoreError> {
        self.read().await;
        self.store.commit_books(changes).await
    }

    async fn known_transactions(&self, _: &[BalanceTransactionId]) -> Result<Vec<BalanceTransactionId>, StoreError> {
        Ok(Vec::new())
    }

    async fn orders_of_intents(&self, _: &[IntentId]) -> Result<Vec<(IntentId, OrderId)>, StoreError> {
        Ok(Vec::new())
    }

    async fn order_numbers(&self, _: &[OrderId]) -> Result<Vec<(OrderId, OrderNumber)>, StoreError> {
        Ok(Vec::new())
    }

    async fn transactions(&self, _: &RowQuery) -> Result<Vec<BookedTransaction>, StoreError> {
        Ok(Vec::new())
    }

    async fn entries(&self, _: &RowQuery) -> Result<Vec<BookedEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn category_sums(&self, _: Day, _: Day) -> Result<Vec<CategorySum>, StoreError> {
        Ok(Vec::new())
    }

    async fn closed_days(&self, _: Day, _: Day) -> Result<Vec<ClosedDay>, StoreError> {
        Ok(Vec::new())
    }

    async fn payouts(&self, _: &PayoutQuery) -> Result<Vec<BookedPayout>, StoreError> {
        Ok(Vec::new())
    }

    async fn open_items(&self, _: &OpenItemQuery) -> Result<Vec<ClearingItem>, StoreError> {
        Ok(Vec::new())
    }

    async fn breaks(&self, query: &BreakQuery) -> Result<Vec<Break>, StoreError> {
        self.read().await;
        self.store.breaks(query).await
    }
}

/// The first explanation stays, with one entry of the audit trail, whenever the other person comes.
#[tokio::test]
async fn the_first_of_two_explanations_of_a_break_stays() {
    for n in 1..=3 {
        let store = Arc::new(SqliteStore::open(IN_MEMORY, Options::default()).unwrap());
        let found = Break {
            id: BREAK.into(),
            class: BreakClass::Amount,
            object: "pi_1".into(),
            order: None,
            ours: None,
            theirs: None,
            since: at(NOW),
            first_seen: at(NOW),
            gone_at: None,
            resolution: None,
        };
        let state = BooksState {
            timezone: "UTC".into(),
            first_day: Day::new(2025, 3, 31).unwrap(),
            start: at(NOW),
            opening: None,
            closed: None,
            transactions_until: at(NOW),
            payouts_until: at(NOW),
            orders_until: at(NOW),
            reading: None,
        };
        let changes = BooksChanges { breaks: vec![found], ..BooksChanges::new(Version::NEW, state) };
        store.commit_books(&changes).await.unwrap();
        let rivaled = Rivaled { store: Arc::clone(&store), reads: AtomicU32::new(0), n };
        let second = access(Arc::new(rivaled)).resolve(BREAK, "ada", &Note::new("second").unwrap()).await;
        let resolution = second.unwrap().unwrap().resolution.unwrap();
        assert_eq!((resolution.by.as_str(), resolution.note.as_str()), ("bob", "first"), "read {n}");
        let query = AuditQuery { older_than: None, subject: Some(BREAK.into()), key: None, limit: 10 };
        let entries = store.audit_entries(&query).await.unwrap();
        let acts: Vec<_> = entries.iter().map(|it| it.act.to_string()).collect();
        assert_eq!(acts, [r#"resolved: "first""#], "read {n}");
    }
}
