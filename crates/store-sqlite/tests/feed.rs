//! Rows of the feed that its port does not show.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use paywright_app::{Feed, FeedAppend, Lease, Orders, Position, Version};
use paywright_store_sqlite::{Options, SqliteStore};
use paywright_testkit::{at, changes, place};
use tempfile::TempDir;
use uuid::Uuid;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[tokio::test]
async fn a_snapshot_is_deleted_with_its_last_event() {
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
    let lease = Lease { owner: Uuid::nil(), now: at(1), until: at(9), limit: 1 };
    let lease = store.lease_feed(&lease).await.unwrap().unwrap();
    let facts = store.unpositioned_facts(10).await.unwrap();
    let last = store.append_to_feed(&FeedAppend { lease, until: at(9), facts }).await.unwrap();
    assert_eq!((last, rows("order_snapshots"), rows("unpositioned_facts")), (Some(Position(2)), 2, 0));
    assert_eq!(store.delete_feed_events(at(2), 1).await.unwrap().count, 1);
    assert_eq!((rows("order_snapshots"), rows("feed"), rows("facts")), (1, 1, 2));
}
