//! Faults of a database file, and the errors of the store.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use paywright_app::{Actor, Cause, Changes, Diagnostics, Lease, OrderRef, Orders, StoreError, TaskQueue, Version};
use paywright_store_sqlite::{IN_MEMORY, Migrate, OpenError, Options, SqliteStore};
use paywright_testkit::{at, changes, order_id, place, request_intent};
use tempfile::TempDir;
use uuid::Uuid;

fn path_in(folder: &TempDir) -> String {
    folder.path().join("orders.db").to_str().unwrap().to_owned()
}

fn open(path: &str) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Options::default())
}

/// Connection beside the store's; it waits while a dropped store is still closing its file.
fn beside(path: &str) -> SqliteConnection {
    let mut db = SqliteConnection::establish(path).unwrap();
    db.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
    db
}

fn first(n: u32) -> Changes {
    changes(Version::NEW, place(n), at(1), at(1))
}

#[tokio::test]
async fn a_store_in_memory_needs_no_file() {
    let store = open(IN_MEMORY).unwrap();
    store.commit(first(1)).await.unwrap();
    assert!(store.order(&OrderRef::Id(order_id(1))).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let text = "Dear diary, this is not a database. ".repeat(200);
    std::fs::write(&path, &text).unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let mut db = beside(&path);
    db.batch_execute("CREATE TABLE bookmarks (url TEXT)").unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(error, OpenError::OtherProgram { .. }), "{error:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    drop(open(&path).unwrap());
    let mut db = beside(&path);
    db.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')").unwrap();
    let error = open(&path).err().unwrap();
    assert!(matches!(&error, OpenError::NewerSchema { migration, .. } if migration == "29990101000001"), "{error:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    drop(open(&path).unwrap());
    let error = open(&format!("file:{path}?mode=ro")).err().unwrap();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error:?}");
    let error = open("/nowhere/at/all/orders.db").err().unwrap();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
}

/// SQLite itself would keep writing to the moved file.
#[tokio::test]
async fn no_order_is_written_to_a_file_that_was_moved() {
    let folder = TempDir::new().unwrap();
    let (path, elsewhere) = (path_in(&folder), folder.path().join("elsewhere.db"));
    let store = open(&path).unwrap();
    store.commit(first(1)).await.unwrap();
    std::fs::rename(&path, &elsewhere).unwrap();
    let refused = |result| match result {
        Err(StoreError::Unavailable(cause)) => assert!(cause.to_string().contains("not the file"), "{cause}"),
        other => panic!("{other:?}"),
    };
    refused(store.commit(first(2)).await);
    refused(store.probe().await);
    refused(store.order(&OrderRef::Id(order_id(1))).await.map(drop));
    assert!(!std::fs::exists(&path).unwrap(), "nobody made another");
    // Another file at the path is not accepted either.
    std::fs::write(&path, "").unwrap();
    refused(store.commit(first(2)).await);
    std::fs::rename(&elsewhere, &path).unwrap();
    store.probe().await.unwrap();
    store.commit(first(2)).await.unwrap();
    drop(store);
    let again = open(&path).unwrap();
    assert!(again.order(&OrderRef::Id(order_id(2))).await.unwrap().is_some());
}

#[tokio::test]
async fn no_order_is_written_to_a_schema_with_a_missing_table() {
    let folder = TempDir::new().unwrap();
    let store = open(&path_in(&folder)).unwrap();
    store.probe().await.unwrap();
    let mut other = beside(&path_in(&folder));
    other.batch_execute("ALTER TABLE variants RENAME TO elsewhere").unwrap();
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
    other.batch_execute("ALTER TABLE elsewhere RENAME TO variants").unwrap();
    store.probe().await.unwrap();
    other.batch_execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '2026%3'").unwrap();
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_full_disk_refuses_the_next_order_and_loses_none() {
    let folder = TempDir::new().unwrap();
    let options = Options { bytes_max: Some(500 * 1024), ..Options::default() };
    let store = SqliteStore::open(&path_in(&folder), options).unwrap();
    let mut placed = 0;
    let error = loop {
        match store.commit(first(placed + 1)).await {
            Ok(()) => placed += 1,
            Err(error) => break error,
        }
        assert!(placed < 10_000, "the limit is never met");
    };
    assert!(matches!(&error, StoreError::Unavailable(cause) if cause.to_string().contains("full")), "{error:?}");
    assert!(placed > 10, "{placed}");
    // The answered orders are stored, the refused one is not, and reads still work.
    for n in 1..=placed {
        assert!(store.order(&OrderRef::Id(order_id(n))).await.unwrap().is_some(), "{n}");
    }
    assert_eq!(store.order(&OrderRef::Id(order_id(placed + 1))).await.unwrap(), None);
    // Once the disk has room, writes work again.
    drop(store);
    let roomy = open(&path_in(&folder)).unwrap();
    roomy.commit(first(placed + 1)).await.unwrap();
}

/// An up-to-date file is opened without a write: its `-wal` is empty afterwards.
#[tokio::test]
async fn a_file_that_is_up_to_date_is_opened_without_writing() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    drop(open(&path).unwrap());
    let beside = beside(&path);
    let log = || std::fs::metadata(folder.path().join("orders.db-wal")).map_or(0, |it| it.len());
    let before = (std::fs::read(&path).unwrap(), log());
    let store = open(&path).unwrap();
    assert!(store.order(&OrderRef::Id(order_id(1))).await.unwrap().is_none());
    assert_eq!((std::fs::read(&path).unwrap(), log()), before);
    drop(beside);
}

#[tokio::test]
async fn a_reserve_is_kept_beside_a_file_and_completed_when_the_disk_has_room() {
    let folder = TempDir::new().unwrap();
    let reserve = folder.path().join("orders.db-reserve");
    let size = || std::fs::metadata(&reserve).unwrap().len();
    let store = open(&path_in(&folder)).unwrap();
    assert_eq!(size(), 512 * 1024);
    std::fs::write(&reserve, "").unwrap();
    store.probe().await.unwrap();
    assert_eq!(size(), 512 * 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_during_a_group_commit_gives_each_caller_its_own_result() {
    let folder = TempDir::new().unwrap();
    let options = Options { bytes_max: Some(400 * 1024), ..Options::default() };
    let store = std::sync::Arc::new(SqliteStore::open(&path_in(&folder), options).unwrap());
    let writers: Vec<_> = (1..=600)
        .map(|n| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move { (n, store.commit(first(n)).await.is_ok()) })
        })
        .collect();
    let mut refused = 0;
    for writer in writers {
        let (n, told) = writer.await.unwrap();
        let there = store.order(&OrderRef::Id(order_id(n))).await.unwrap().is_some();
        assert_eq!(told, there, "{n}");
        refused += u32::from(!told);
    }
    assert!(refused > 0, "the limit is never met");
}

/// A task of a newer version cannot be read by this one; the other tasks are still performed.
#[tokio::test]
async fn an_unreadable_task_does_not_block_other_tasks() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let store = open(&path).unwrap();
    store.commit(first(1)).await.unwrap();
    let decision = request_intent(&place(1).order, at(2));
    store.commit(changes(Version(1), decision, at(3), at(3))).await.unwrap();
    let newer = "INSERT INTO tasks (order_id, key, payload, due_at)
        SELECT id, 'moonbeam', '{\"kind\": \"moonbeam\"}', 0 FROM orders";
    beside(&path).batch_execute(newer).unwrap();
    let lease = Lease { owner: uuid::Uuid::from_u128(1), now: at(10), until: at(20), limit: 10 };
    let taken = store.lease_tasks(&lease).await.unwrap();
    assert_eq!(taken.iter().map(|it| it.task.key().to_string()).collect::<Vec<_>>(), ["create_intent:1:1"]);
}

/// Refunds that the previous version had recorded but not made, and PaymentIntents that it did not poll.
#[tokio::test]
async fn tasks_of_the_previous_version_are_performed() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let mut db = beside(&path);
    db.batch_execute(include_str!("../../../migrations/sqlite/2026-11-21-000001_initial/up.sql")).unwrap();
    db.batch_execute(
        "CREATE TABLE __diesel_schema_migrations (version TEXT PRIMARY KEY NOT NULL, run_on TIMESTAMP);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20261121000001');
         PRAGMA application_id = 1348565367;
         INSERT INTO orders (id, number, version, currency, total, capture, metadata, livemode, revision, attempt,
             state, cancel_reason, state_at, placed_at, updated_at)
         VALUES (X'0195ead7000170018000000000000001', 'ORD-20250331-000001', 3, 'usd', 500, 'automatic', '{}', 0,
             1, 1, 'canceled', 'abandoned', 1, 1, 1);
         INSERT INTO order_lines SELECT id, 0, 'Bone', '', NULL, 500, 1 FROM orders;
         INSERT INTO payment_intents SELECT id, 0, 'pi_1', 1, 'usd', 500, 'succeeded', 500, 0, NULL, 1, 1 FROM orders;
         INSERT INTO payment_intents SELECT id, 1, 'pi_2', 1, 'usd', 500, 'processing', 0, 0, NULL, 1, 1 FROM orders;
         INSERT INTO anomalies SELECT id, 0, 'pi_1', 'paid_after_cancel',
             '{\"name\":\"paid_after_cancel\",\"received\":{\"minor\":500,\"currency\":\"usd\"}}', 1 FROM orders;
         INSERT INTO tasks (order_id, key, payload, due_at) SELECT id, 'refund_intent:pi_1',
             '{\"kind\":\"refund_intent\",\"intent\":\"pi_1\",\"amount\":{\"minor\":500,\"currency\":\"usd\"}}', 1
         FROM orders",
    )
    .unwrap();
    drop(db);
    let store = open(&path).unwrap();
    let query = paywright_app::OrderQuery::newest(1);
    let order = store.orders(&query).await.unwrap().remove(0);
    let refund = order.refunds.first().unwrap();
    let what =
        (refund.number, refund.intent.as_str(), refund.amount.minor(), refund.origin.name(), refund.status.name());
    assert_eq!(what, (1, "pi_1", 500, "policy", "requested"));
    assert_eq!(order.left_of(&refund.intent).minor(), 0);
    let left: Vec<_> = store.tasks(order.id).await.unwrap().iter().map(|it| it.task.key().to_string()).collect();
    assert_eq!(left, ["poll_intent:pi_2", "refund:1"]);
}

#[tokio::test]
async fn requests_from_before_epochs_are_repeated_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let mut db = beside(&path);
    for sql in [
        include_str!("../../../migrations/sqlite/2026-11-21-000001_initial/up.sql"),
        include_str!("../../../migrations/sqlite/2026-11-21-000002_operations_refunds_inbox/up.sql"),
        include_str!("../../../migrations/sqlite/2026-11-21-000003_storefront/up.sql"),
        include_str!("before_epochs.sql"),
    ] {
        db.batch_execute(sql).unwrap();
    }
    drop(db);
    let store = Arc::new(open(&path).unwrap());
    paywright_testkit::requests_of_the_version_before_are_repeated_to_the_letter(store).await;
}

#[tokio::test]
async fn a_cause_from_before_actors_is_read_without_an_actor() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let store = open(&path).unwrap();
    let actor = Actor::ApiKey { key: Uuid::from_u128(7), key_name: "shop".into() };
    let cause = Cause { source: "answer".into(), actor: Some(actor), ..Cause::default() };
    store.commit(Changes { cause: Some(cause), ..first(1) }).await.unwrap();
    let new = r#"{"source":"answer","actor":{"kind":"api_key","key":"00000000-0000-0000-0000-000000000007","key_name":"shop"}}"#;
    let old = r#"{"source":"answer","request":"req_1"}"#;
    let put = diesel::sql_query(format!("UPDATE facts SET cause = '{old}' WHERE cause = '{new}'"));
    let put = put.execute(&mut beside(&path)).unwrap();
    assert_eq!(put, 1, "an actor is stored in this form");
    let facts = store.facts(order_id(1)).await.unwrap();
    let old = Cause { source: "answer".into(), request: Some("req_1".into()), ..Cause::default() };
    assert!(!facts.is_empty() && facts.iter().all(|it| it.cause.as_ref() == Some(&old)), "{facts:?}");
}

/// Number of migrations.
fn migrations() -> usize {
    std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite")).unwrap().count()
}

fn open_with(path: &str, migrate: Migrate) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, Options { migrate, ..Options::default() })
}

#[tokio::test]
async fn a_file_is_created_or_migrated_only_on_request() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    for migrate in [Migrate::Check, Migrate::Off] {
        let error = open_with(&path, migrate).err().unwrap();
        assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
        assert!(!std::fs::exists(&path).unwrap(), "{migrate:?}");
    }
    std::fs::write(&path, "").unwrap();
    let error = open_with(&path, Migrate::Check).err().unwrap();
    assert!(matches!(error, OpenError::OlderSchema { missing, .. } if missing == migrations()), "{error:?}");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "nothing is made");
    drop(open_with(&path, Migrate::Create).unwrap());
    for migrate in [Migrate::Check, Migrate::Create, Migrate::Off] {
        drop(open_with(&path, migrate).unwrap());
    }
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
    beside(&path).batch_execute(newer).unwrap();
    for migrate in [Migrate::Auto, Migrate::Check, Migrate::Create] {
        let error = open_with(&path, migrate).err().unwrap();
        assert!(matches!(error, OpenError::NewerSchema { .. }), "{migrate:?}: {error:?}");
    }
    drop(open_with(&path, Migrate::Off).unwrap());
}

#[tokio::test]
async fn an_older_file_is_unchanged_unless_it_is_migrated() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let mut db = beside(&path);
    db.batch_execute(include_str!("../../../migrations/sqlite/2026-11-21-000001_initial/up.sql")).unwrap();
    db.batch_execute(
        "CREATE TABLE __diesel_schema_migrations (version TEXT PRIMARY KEY NOT NULL, run_on TIMESTAMP);
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20261121000001');
         PRAGMA application_id = 1348565367;",
    )
    .unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    for migrate in [Migrate::Check, Migrate::Create] {
        let error = open_with(&path, migrate).err().unwrap();
        assert!(
            matches!(error, OpenError::OlderSchema { missing, .. } if missing == migrations() - 1),
            "{migrate:?}: {error:?}"
        );
        assert!(error.to_string().contains("run `paywright migrate`"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{migrate:?}");
    }
    drop(open_with(&path, Migrate::Auto).unwrap());
    drop(open_with(&path, Migrate::Check).unwrap());
}

#[tokio::test]
async fn only_the_owner_can_read_a_new_database() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let store = open(&path).unwrap();
    store.commit(first(1)).await.unwrap();
    let mode = |end: &str| std::fs::metadata(format!("{path}{end}")).unwrap().permissions().mode() & 0o777;
    for end in ["", "-wal", "-shm", "-reserve"] {
        assert_eq!(mode(end), 0o600, "{end}");
    }
}

#[tokio::test]
async fn permissions_of_others_on_an_older_database_are_removed() {
    let folder = TempDir::new().unwrap();
    let path = path_in(&folder);
    let store = open(&path).unwrap();
    store.commit(first(1)).await.unwrap();
    let set = |end: &str, mode| {
        std::fs::set_permissions(format!("{path}{end}"), Permissions::from_mode(mode)).unwrap();
    };
    let mode = |end: &str| std::fs::metadata(format!("{path}{end}")).unwrap().permissions().mode() & 0o777;
    for end in ["", "-wal", "-shm"] {
        set(end, 0o644);
    }
    let _second = open(&path).unwrap();
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(end), 0o640, "a group may have a right on purpose: {end}");
    }
    drop(store);
    let other = folder.path().join("other.db");
    beside(other.to_str().unwrap()).batch_execute("CREATE TABLE bookmarks (url TEXT)").unwrap();
    std::fs::set_permissions(&other, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(open(other.to_str().unwrap()), Err(OpenError::OtherProgram { .. })));
    assert_eq!(
        std::fs::metadata(&other).unwrap().permissions().mode() & 0o777,
        0o644,
        "another program's is left alone"
    );
}

#[tokio::test]
async fn a_path_that_is_no_regular_file_is_refused() {
    let folder = TempDir::new().unwrap();
    for path in [folder.path().to_str().unwrap(), "/dev/null", "/dev/zero"] {
        let error = open(path).err().unwrap();
        assert!(matches!(error, OpenError::NotAFile { .. }), "{path}: {error:?}");
    }
}
