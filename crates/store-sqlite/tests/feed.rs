//! Rows of the feed that its port does not show, and appends that only this store refuses.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use paywright_app::{EventRef, Feed, FeedAppend, Lease, Orders, Position, StoreError, Version};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};
use paywright_testkit::{at, changes, place, subject_of};
use tempfile::TempDir;
use uuid::Uuid;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[tokio::test]
async fn an_event_is_deleted_without_its_fact() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db").to_str().unwrap().to_owned();
    let store = SqliteStore::open(&path, Options::default()).unwrap();
    let mut beside = SqliteConnection::establish(&path).unwrap();
    let mut rows = |table: &str| {
        let sql = format!("SELECT count(*) AS count FROM {table}");
        diesel::sql_query(sql).get_result::<Count>(&mut beside).unwrap().count
    };
    for n in 1..=2 {
        store.commit(changes(Version::NEW, place(n), at(1), at(1))).await.unwrap();
    }
    let facts = store.unpositioned_events(10).await.unwrap();
    assert_eq!((append(&store, &facts).await.unwrap(), rows("feed")), (Some(Position(2)), 2));
    assert_eq!(store.delete_feed_events(at(2), 1).await.unwrap().count, 1);
    assert_eq!((rows("feed"), rows("facts")), (1, 2));
}

/// Commits are in the order of their positions, and so must be the facts of an append.
#[tokio::test]
async fn an_append_in_another_order_or_with_gaps_changes_nothing() {
    let store = SqliteStore::open(IN_MEMORY, Options::default()).unwrap();
    for n in [3, 1, 2] {
        store.commit(changes(Version::NEW, place(n), at(1), at(1))).await.unwrap();
    }
    let facts = store.unpositioned_events(10).await.unwrap();
    assert_eq!(facts.iter().map(|it| it.subject).collect::<Vec<_>>(), [3, 1, 2].map(subject_of));
    for refused in [vec![facts[1]], vec![facts[0], facts[2]], vec![facts[1], facts[0]], [&*facts, &facts[..1]].concat()]
    {
        assert!(append(&store, &refused).await.is_err(), "{refused:?}");
        assert_eq!((store.unpositioned_events(10).await.unwrap(), end(&store).await), (facts.clone(), Position(0)));
    }
    assert_eq!(append(&store, &facts[..1]).await.unwrap(), Some(Position(1)));
    assert_eq!(append(&store, &facts[1..]).await.unwrap(), Some(Position(3)));
}

async fn append(store: &SqliteStore, facts: &[EventRef]) -> Result<Option<Position>, StoreError> {
    let lease = Lease { owner: Uuid::nil(), now: at(1), until: at(9), limit: 1 };
    let lease = store.lease_feed(&lease).await.unwrap().unwrap();
    let done = store.append_to_feed(&FeedAppend { lease, until: at(9), events: facts.to_vec() }).await;
    store.release_feed(lease).await.unwrap();
    done
}

async fn end(store: &SqliteStore) -> Position {
    store.feed_range().await.unwrap().last
}
