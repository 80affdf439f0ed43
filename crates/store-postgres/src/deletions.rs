//! Deletions of old events while another transaction makes an endpoint wait for them.

use std::sync::Arc;

use paywright_app::{DeletedFeedEvents, Feed};
use paywright_domain::Timestamp;
use paywright_testkit::postgres::Database;

use crate::audit_trail::NO_ENTRIES;
use crate::connect::SESSION;
use crate::delivery::Resend;
use crate::endpoints::{AddEndpoint, SetBack};
use crate::plans::prepare;
use crate::{Options, PostgresStore};

const ENDPOINT: &str = "'00000000-0000-0000-0000-000000000001'";
const ORDER: &str = "'00000000-0000-0000-0000-000000000002'";

/// A feed of ten events of one order, which an endpoint has received.
fn delivered_feed() -> String {
    format!(
        "INSERT INTO webhook_endpoints (
            id, version, url, description, kinds, secret_generation, secret_key_id, created_at, position
        )
        VALUES ({ENDPOINT}, 1, 'https://shop.example/', '', '{{}}', 1, 'k', now(), 10);
        INSERT INTO feed (position, order_id, version, fact_position, kind, at)
        SELECT n, {ORDER}, n, 0, 'order.edited', '2020-01-01' FROM generate_series(1, 10) AS n;
        UPDATE feed_head SET position = 10"
    )
}

/// The deletion begins before the other transaction commits, and goes on after it.
#[tokio::test]
async fn events_that_an_endpoint_comes_to_wait_for_during_a_deletion_are_kept() {
    let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
    let new_endpoint = format!(
        "{ORDER}, 'spree', now(), 3, 'https://shop.example/', '', '{{}}', '{{}}', now(), 1, NULL, 'k', NULL, NULL, NULL, NULL"
    );
    for request in [
        format!("EXECUTE resend ({ENDPOINT}, {ORDER}, 4, now(), 100, {NO_ENTRIES})"),
        format!("EXECUTE set_back (3, {ENDPOINT}, {NO_ENTRIES})"),
        format!("EXECUTE add_endpoint ({new_endpoint}, {NO_ENTRIES})"),
    ] {
        let database = Database::migrated(migrate).await;
        let store = Arc::new(PostgresStore::open(&database.url(), Options::default()).await.unwrap());
        let db = database.client().await;
        db.batch_execute(SESSION).await.unwrap();
        db.batch_execute(&delivered_feed()).await.unwrap();
        prepare::<Resend>(&db, "resend").await;
        prepare::<SetBack<'_>>(&db, "set_back").await;
        prepare::<AddEndpoint<'_>>(&db, "add_endpoint").await;
        db.batch_execute(&format!("BEGIN; {request}")).await.unwrap();
        let now = Timestamp::from_unix_micros(1_743_415_000_000_000).unwrap();
        let deletion = tokio::spawn(async move { store.delete_feed_events(now, 100).await });
        let is_waiting = "SELECT count(*) > 0 FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let observer = database.client().await;
        while !observer.query_one(is_waiting, &[]).await.unwrap().get::<_, bool>(0) {
            assert!(!deletion.is_finished(), "{request}");
        }
        db.batch_execute("COMMIT").await.unwrap();
        let deleted = deletion.await.unwrap().unwrap();
        assert_eq!(deleted, DeletedFeedEvents { count: 3, is_held: true }, "{request}");
    }
}
