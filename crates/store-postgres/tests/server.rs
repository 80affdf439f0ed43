//! Faults of a server, and the store's reaction.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use paywright_app::{
    Actor, ApiKeys, AuditTrail, Cause, Changes, Diagnostics, Lease, OrderQuery, OrderRef, Orders, StoreError,
    TaskQueue, Version,
};
use paywright_store_postgres::{Migrate, OpenError, Options, PostgresStore};
use paywright_testkit::postgres::{Database, connect};
use paywright_testkit::{Cluster, at, audit_entry, changes, edit_of_lines, order_id, place, request_intent};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use uuid::Uuid;

fn first(n: u32) -> Changes {
    changes(Version::NEW, place(n), at(1), at(1))
}

fn by_id(n: u32) -> OrderRef {
    OrderRef::Id(order_id(n))
}

async fn open(url: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(url, Options::default()).await
}

/// Running cluster of one test.
fn cluster(settings: &[&str]) -> Cluster {
    let cluster = Cluster::of_one_test(settings);
    cluster.start();
    cluster
}

/// A port without a listener.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs each kind of call once: a placement, a change, an edit, and each read.
async fn a_round(store: &PostgresStore, n: u32) {
    store.commit(first(n)).await.unwrap();
    let edited = place(n).order.edit(edit_of_lines(900), at(2)).unwrap();
    let order = edited.order.clone();
    store.commit(changes(Version(1), edited, at(2), at(2))).await.unwrap();
    store.commit(changes(Version(2), request_intent(&order, at(2)), at(3), at(3))).await.unwrap();
    assert_eq!(store.order(&by_id(n)).await.unwrap().map(|it| it.version), Some(Version(3)));
    store.order(&OrderRef::Number(order.number.clone())).await.unwrap().expect("by its number");
    store.orders(&OrderQuery::newest(2)).await.unwrap();
    store.orders(&OrderQuery { customer: order.customer.clone(), ..OrderQuery::newest(2) }).await.unwrap();
    store.facts(order.id).await.unwrap();
    store.api_key(&[7; 32]).await.unwrap();
    let lease = Lease { owner: Uuid::nil(), now: at(9), until: at(10), limit: 5 };
    assert_eq!(store.lease_tasks(&lease).await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_call_is_one_statement_that_is_parsed_once() {
    let cluster = cluster(&["log_min_duration_statement = 0"]);
    let options = Options { connections: 1, ..Options::default() };
    let store = PostgresStore::open(&cluster.url("postgres"), options).await.unwrap();
    a_round(&store, 1).await;
    let before = cluster.logged();
    a_round(&store, 2).await;
    let log = cluster.logged().split_off(before.len());
    let lines = |what: &str| log.lines().filter(|it| it.contains(what)).count();
    // Ten calls: nothing is parsed, each is sent once, and nothing else is sent.
    let kinds = ["  parse ", "  bind ", "  execute ", "  statement: "];
    assert_eq!(kinds.map(lines), [0, 10, 10, 0], "{log}");
    assert!(before.contains("  parse "), "the log would show it");
}

#[tokio::test]
async fn ten_processes_may_start_at_once() {
    let database = Database::empty().await;
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let url = database.url();
            tokio::spawn(async move { open(&url).await.map(drop) })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(PostgresStore::migrate(&database.url(), None).await.unwrap(), 0, "all was made");
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused_by_name() {
    let database = Database::empty().await;
    let with = |migrate| {
        let (url, options) = (database.url(), Options { migrate, ..Options::default() });
        async move { PostgresStore::open(&url, options).await.map(drop) }
    };
    let error = with(Migrate::Check).await.unwrap_err();
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres")).unwrap().count();
    assert!(matches!(&error, OpenError::OlderSchema { missing, .. } if *missing == all), "{error}");
    assert!(error.to_string().contains("paywright migrate"), "{error}");
    with(Migrate::Off).await.unwrap();
    assert_eq!(
        database.client().await.query("SELECT 1 FROM pg_tables WHERE tablename = 'orders'", &[]).await.unwrap().len(),
        0
    );
    with(Migrate::Auto).await.unwrap();
    with(Migrate::Check).await.unwrap();
    with(Migrate::Create).await.unwrap();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
    database.client().await.batch_execute(newer).await.unwrap();
    for migrate in [Migrate::Auto, Migrate::Check, Migrate::Create] {
        let error = with(migrate).await.unwrap_err();
        assert!(matches!(&error, OpenError::NewerSchema { migration, .. } if migration == "29990101000001"), "{error}");
    }
    with(Migrate::Off).await.unwrap();
}

#[tokio::test]
async fn a_command_creates_the_schema_of_an_empty_database_once_and_migrates_no_older_one() {
    let database = Database::empty().await;
    let create = || {
        let (url, options) = (database.url(), Options { migrate: Migrate::Create, ..Options::default() });
        async move { PostgresStore::open(&url, options).await.map(drop) }
    };
    // The second waits until the first has created the schema.
    let (left, right) = tokio::join!(create(), create());
    left.unwrap();
    right.unwrap();
    let applied = async || {
        let count = "SELECT count(*) FROM __diesel_schema_migrations";
        database.client().await.query_one(count, &[]).await.unwrap().get::<_, i64>(0)
    };
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres")).unwrap().count();
    assert_eq!(usize::try_from(applied().await).unwrap(), all);
    let last = "SELECT max(version) FROM __diesel_schema_migrations";
    let older = format!("DELETE FROM __diesel_schema_migrations WHERE version = ({last})");
    database.client().await.batch_execute(&older).await.unwrap();
    let error = create().await.unwrap_err();
    assert!(matches!(&error, OpenError::OlderSchema { missing: 1, .. }), "{error}");
    assert_eq!(usize::try_from(applied().await).unwrap(), all - 1);
}

/// During a rolling update the previous version works on this schema. Its statements are in `version_before/`, with numbers
/// in place of names, as PostgreSQL gets them; each release puts its own there.
#[tokio::test]
async fn the_statements_of_the_previous_version_work_on_this_schema() {
    let database = migrated().await;
    let db = database.client().await;
    let (change, rest) = (include_str!("version_before/change.sql"), include_str!("version_before/rest.sql"));
    for statement in [
        include_str!("version_before/place.sql").to_owned(),
        format!("{change}SELECT FROM changed"),
        format!("{change}{rest}"),
        include_str!("version_before/order.sql").to_owned(),
        include_str!("version_before/lease_tasks.sql").to_owned(),
    ] {
        db.prepare(&statement).await.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
    }
    // Columns that they do not write have defaults that this version reads.
    let store = open(&database.url()).await.unwrap();
    store.commit(first(1)).await.unwrap();
    db.batch_execute(
        "INSERT INTO payment_intents (order_id, position, provider_id, revision, currency, amount, status, received, \
         capturable, as_of, created_at) \
         SELECT id, 0, 'pi_1', 1, 'usd', 500, 'processing', 0, 0, now(), now() FROM orders; \
         INSERT INTO anomalies (order_id, position, provider_id, name, payload, found_at) \
         SELECT id, 0, 'pi_1', 'wrong_livemode', '{\"name\": \"wrong_livemode\", \"live\": true}', now() FROM orders; \
         INSERT INTO facts (order_id, version, position, kind, payload, at) \
         SELECT id, 9, 0, 'order.canceled', '{\"kind\": \"order.canceled\", \"reason\": \"abandoned\"}', now() FROM orders",
    )
    .await
    .unwrap();
    let read = store.order(&by_id(1)).await.unwrap().unwrap().value;
    assert_eq!((read.intents.len(), read.is_held_for_review()), (1, true));
    // Its edits leave the rates of taxes, which belong to the revision before.
    assert!(read.adjustments.iter().any(|it| it.tax_rate_details.is_some()));
    db.batch_execute("UPDATE orders SET revision = revision + 1; UPDATE order_adjustments SET label = 'New'")
        .await
        .unwrap();
    let edited = store.order(&by_id(1)).await.unwrap().unwrap().value;
    assert!(edited.adjustments.iter().all(|it| it.label.as_str() == "New" && it.tax_rate_details.is_none()));
    assert_eq!(store.facts(order_id(1)).await.unwrap().len(), 2);
}

/// A task of a newer version cannot be read by this one; the other tasks are still performed.
#[tokio::test]
async fn an_unreadable_task_does_not_block_other_tasks() {
    let database = migrated().await;
    let store = open(&database.url()).await.unwrap();
    store.commit(first(1)).await.unwrap();
    store.commit(changes(Version(1), request_intent(&place(1).order, at(2)), at(3), at(3))).await.unwrap();
    let newer = "INSERT INTO tasks (order_id, key, payload, due_at)
        SELECT id, 'moonbeam', '{\"kind\": \"moonbeam\"}', 'epoch' FROM orders";
    database.client().await.batch_execute(newer).await.unwrap();
    let lease = Lease { owner: Uuid::from_u128(1), now: at(10), until: at(20), limit: 10 };
    let taken = store.lease_tasks(&lease).await.unwrap();
    assert_eq!(taken.iter().map(|it| it.task.key().to_string()).collect::<Vec<_>>(), ["create_intent:1:1"]);
}

/// Refunds that the previous version had recorded but not made, and PaymentIntents that it did not poll.
#[tokio::test]
async fn tasks_of_the_previous_version_are_performed() {
    let database = Database::empty().await;
    let db = database.client().await;
    db.batch_execute(include_str!("../../../migrations/postgres/2026-11-21-000001_initial/up.sql")).await.unwrap();
    db.batch_execute(
        "CREATE TABLE __diesel_schema_migrations (version varchar(50) PRIMARY KEY, run_on timestamp DEFAULT now()); \
         INSERT INTO __diesel_schema_migrations (version) VALUES ('20261121000001'); \
         INSERT INTO orders (id, number, version, currency, total, capture, metadata, livemode, revision, attempt, \
         state, cancel_reason, state_at, placed_at, updated_at) \
         VALUES ('0195ead7-0001-7001-8000-000000000001', 'ORD-20250331-000001', 3, 'usd', 500, 'automatic', '{}', false, \
         1, 1, 'canceled', 'abandoned', now(), now(), now()); \
         INSERT INTO order_lines SELECT id, 0, 'Bone', '', NULL, 500, 1 FROM orders; \
         INSERT INTO payment_intents (order_id, position, provider_id, revision, currency, amount, status, received, \
         capturable, as_of, created_at) SELECT id, 0, 'pi_1', 1, 'usd', 500, 'succeeded', 500, 0, now(), now() FROM orders; \
         INSERT INTO payment_intents (order_id, position, provider_id, revision, currency, amount, status, received, \
         capturable, as_of, created_at) SELECT id, 1, 'pi_2', 1, 'usd', 500, 'processing', 0, 0, now(), now() FROM orders; \
         INSERT INTO anomalies (order_id, position, provider_id, name, payload, found_at) SELECT id, 0, 'pi_1', \
         'paid_after_cancel', '{\"name\": \"paid_after_cancel\", \"received\": {\"minor\": 500, \"currency\": \"usd\"}}', \
         now() FROM orders; \
         INSERT INTO tasks (order_id, key, payload, due_at) SELECT id, 'refund_intent:pi_1', '{\"kind\": \
         \"refund_intent\", \"intent\": \"pi_1\", \"amount\": {\"minor\": 500, \"currency\": \"usd\"}}', now() FROM orders",
    )
    .await
    .unwrap();
    let store = open(&database.url()).await.unwrap();
    let order = store.orders(&OrderQuery::newest(1)).await.unwrap().remove(0);
    let refund = &order.refunds[0];
    let what =
        (refund.number, refund.intent.as_str(), refund.amount.minor(), refund.origin.name(), refund.status.name());
    assert_eq!(what, (1, "pi_1", 500, "policy", "requested"));
    assert_eq!((order.anomalies[0].kind.policy_name(), order.left_of(&refund.intent).minor()), ("refund", 0));
    let left: Vec<_> = store.tasks(order.id).await.unwrap().iter().map(|it| it.task.key().to_string()).collect();
    assert_eq!(
        left.into_iter().collect::<std::collections::BTreeSet<_>>(),
        ["poll_intent:pi_2".into(), "refund:1".into()].into()
    );
}

#[tokio::test]
async fn requests_from_before_epochs_are_repeated_unchanged() {
    let database = Database::empty().await;
    for sql in [
        include_str!("../../../migrations/postgres/2026-11-21-000001_initial/up.sql"),
        include_str!("../../../migrations/postgres/2026-11-21-000002_operations_refunds_inbox/up.sql"),
        include_str!("../../../migrations/postgres/2026-11-21-000003_storefront/up.sql"),
        include_str!("before_epochs.sql"),
    ] {
        database.client().await.batch_execute(sql).await.unwrap();
    }
    let store = Arc::new(open(&database.url()).await.unwrap());
    paywright_testkit::requests_of_the_version_before_are_repeated_to_the_letter(store).await;
}

#[tokio::test]
async fn a_failed_migration_leaves_the_database_unchanged() {
    let database = Database::empty().await;
    // A table of another program has the name of one of ours.
    database.client().await.batch_execute("CREATE TABLE facts (bookmark text)").await.unwrap();
    let error = open(&database.url()).await.err().unwrap();
    assert!(matches!(&error, OpenError::Migration { reason, .. } if reason.contains("facts")), "{error}");
    let tables = "SELECT tablename::text FROM pg_tables WHERE tablename IN ('orders', 'facts')";
    assert_eq!(database.client().await.query(tables, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unusable_server_is_named_without_its_password() {
    let cluster = Cluster::of_one_test(&[]);
    cluster.write("pg_hba.conf", "local all ada scram-sha-256\nlocal all postgres trust\n");
    cluster.start();
    let admin = connect(&cluster.url("postgres")).await;
    admin
        .batch_execute("SET password_encryption = 'scram-sha-256'; CREATE ROLE ada LOGIN PASSWORD 'right'")
        .await
        .unwrap();
    let host = cluster.url("postgres").replace("postgres://postgres@", "").replace("/postgres", "");
    let nobody = format!("postgres://ada:hush@127.0.0.1:{}/shop", free_port());
    for (url, expected) in [
        (nobody, "no PostgreSQL answers at 127.0.0.1:"),
        (format!("postgres://ada:hush@{host}/postgres"), "password authentication failed for user \"ada\""),
        (format!("postgres://postgres@{host}/nowhere"), "database \"nowhere\" does not exist"),
        (format!("postgres://postgres@{host}/postgres?sslmode=maybe"), "sslmode must be"),
    ] {
        let begun = Instant::now();
        let error = open(&url).await.err().unwrap().to_string();
        assert!(error.contains(expected) && !error.contains("hush"), "{url}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{url}: never a hang");
    }
}

#[tokio::test]
async fn a_standby_is_refused_at_the_start_and_a_demoted_primary_gets_no_orders() {
    let cluster = cluster(&[]);
    let store = open(&cluster.url("postgres")).await.unwrap();
    store.commit(first(1)).await.unwrap();
    cluster.stop("fast");
    cluster.write("standby.signal", "");
    cluster.start();
    let error = open(&cluster.url("postgres")).await.err().unwrap();
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");
    let refused = store.commit(first(2)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))), "{refused:?}");
    // Promoted again, it accepts orders without a restart.
    connect(&cluster.url("postgres")).await.batch_execute("SELECT pg_promote()").await.unwrap();
    store.commit(first(2)).await.unwrap();
    assert!(store.order(&by_id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_that_becomes_read_only_is_closed() {
    let database = migrated().await;
    let options = Options { connections: 1, ..Options::default() };
    let store = PostgresStore::open(&database.url(), options).await.unwrap();
    store.commit(first(1)).await.unwrap();
    // As after a failover: the former primary refuses writes on existing connections.
    let name: String = database.client().await.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
    let admin = database.client().await;
    let pid = "SELECT pid FROM pg_stat_activity WHERE application_name = 'paywright' AND datname = current_database()";
    let before: i32 = admin.query_one(pid, &[]).await.unwrap().get(0);
    admin.batch_execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
    admin.execute("SELECT pg_terminate_backend($1)", &[&before]).await.unwrap();
    let refused = loop {
        match store.commit(first(2)).await {
            Err(StoreError::Unavailable(cause)) => break cause.to_string(),
            Err(StoreError::Unknown(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(refused.contains("read-only"), "{refused}");
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))), "it takes no orders");
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    admin.batch_execute(&format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await.unwrap();
    store.commit(first(2)).await.unwrap();
    store.probe().await.unwrap();
}

#[tokio::test]
async fn no_order_is_written_to_a_schema_with_a_missing_table() {
    let database = migrated().await;
    let store = PostgresStore::open(&database.url(), Options::default()).await.unwrap();
    let admin = database.client().await;
    store.probe().await.unwrap();
    for table in ["variants", "marks"] {
        admin.batch_execute(&format!("ALTER TABLE {table} RENAME TO elsewhere")).await.unwrap();
        assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))), "{table}");
        admin.batch_execute(&format!("ALTER TABLE elsewhere RENAME TO {table}")).await.unwrap();
        store.probe().await.unwrap();
    }
    let last = "SELECT max(version) FROM __diesel_schema_migrations";
    admin.batch_execute(&format!("DELETE FROM __diesel_schema_migrations WHERE version = ({last})")).await.unwrap();
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))));
}

async fn migrated() -> Database {
    Database::migrated(async |url| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_gets_an_error_in_time_when_all_connections_are_in_use() {
    let database = migrated().await;
    let options = Options { connections: 2, wait: Duration::from_millis(200), ..Options::default() };
    let store = Arc::new(PostgresStore::open(&database.url(), options).await.unwrap());
    store.commit(first(1)).await.unwrap();
    let mut other = database.client().await;
    let held = other.transaction().await.unwrap();
    held.execute("SELECT 1 FROM orders FOR UPDATE", &[]).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(changes(Version(1), request_intent(&place(1).order, at(2)), at(3), at(3))).await }
    });
    // Wait until the first caller has the connection.
    let mut n = 1;
    let told = loop {
        n += 1;
        match store.commit(first(n)).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(store.order(&by_id(n)).await.unwrap(), None, "what was refused was not done; and reading goes on");
    assert!(matches!(&told, StoreError::Unavailable(cause) if cause.to_string().contains("was free")), "{told}");
    held.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert!(store.order(&by_id(1)).await.unwrap().is_some());
}

/// Commits continue while the server crashes and restarts. An order whose commit returned `Ok` is stored; one without an
/// answer is stored completely or not at all; the store need not be reopened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_crash_loses_no_answered_commit() {
    let cluster = Arc::new(cluster(&[]));
    let store = Arc::new(open(&cluster.url("postgres")).await.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8_u32)
        .map(|writer| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut told = BTreeMap::new();
                for n in (writer * 100_000).. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let answer = store.commit(first(n)).await;
                    if answer.is_err() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    told.insert(n, answer);
                }
                told
            })
        })
        .collect();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let crashing = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || {
            crashing.stop("immediate");
            crashing.start();
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::SeqCst);
    let (mut answered, mut unknown, mut refused, mut done_all_the_same) = (0, 0, 0, 0);
    for writer in writers {
        for (n, told) in writer.await.unwrap() {
            let there = store.order(&by_id(n)).await.unwrap();
            let facts = store.facts(order_id(n)).await.unwrap().len();
            assert_eq!(facts, usize::from(there.is_some()), "{n}: whole or not at all");
            match told {
                Ok(()) => assert!(there.is_some(), "{n} was answered and is lost"),
                Err(StoreError::Unknown(_)) => {
                    unknown += 1;
                    done_all_the_same += u32::from(there.is_some());
                    continue;
                }
                Err(StoreError::Unavailable(_)) => {
                    refused += 1;
                    assert!(there.is_none(), "{n} was refused and is there");
                    continue;
                }
                Err(other @ (StoreError::Conflict | StoreError::Corrupt(_))) => panic!("{n}: {other}"),
            }
            answered += 1;
        }
    }
    println!("{answered} answered, {refused} refused, {unknown} left open, of which {done_all_the_same} were done");
    assert!(answered > 100 && refused + unknown > 0, "the crashes were felt");
    store.commit(first(9_999_999)).await.unwrap();
}

#[tokio::test]
async fn the_tables_refuse_rows_that_the_domain_never_writes() {
    let database = migrated().await;
    let store = open(&database.url()).await.unwrap();
    store.commit(first(1)).await.unwrap();
    let db = database.client().await;
    let intent = |position: u8, id: &str, status: &str, more: &str| {
        format!(
            "INSERT INTO payment_intents (order_id, position, provider_id, revision, currency, amount, status, \
             capturable, as_of, created_at, received, refunded) \
             SELECT id, {position}, '{id}', 1, 'usd', 100, '{status}', 0, now(), now(), {more} FROM orders"
        )
    };
    db.batch_execute(&intent(0, "pi_0", "processing", "0, 0")).await.unwrap();
    let paid = |version: u8| {
        format!(
            "INSERT INTO facts (order_id, version, position, kind, payload, at) \
             SELECT id, {version}, 0, 'order.paid', '{{}}', now() FROM orders"
        )
    };
    db.batch_execute(&paid(7)).await.unwrap();
    db.batch_execute(&intent(2, "pi_2", "succeeded", "100, 0")).await.unwrap();
    let refund = |number: u8, more: &str| {
        format!(
            "INSERT INTO refunds (order_id, number, currency, status, attempt, requested_at, intent_id, provider_id, \
             amount, origin) SELECT id, {number}, 'usd', 'succeeded', 1, now(), {more} FROM orders"
        )
    };
    db.batch_execute(&refund(1, "'pi_2', 're_1', 60, 'policy'")).await.unwrap();
    for (sql, wall) in [
        (refund(2, "'pi_2', 're_1', 40, 'shop'"), "refund_of_provider"),
        (refund(2, "'pi_2', 're_2', 40, 'policy'"), "one_policy_refund"),
        (refund(2, "'pi_2', 're_2', 0, 'shop'"), "refunds_amount_check"),
        (refund(2, "'pi_9', 're_2', 40, 'shop'"), "refunds_order_id_intent_id_fkey"),
        ("UPDATE payment_intents SET refunded = 101 WHERE provider_id = 'pi_2'".into(), "refunded_within_received"),
        (intent(1, "pi_1", "requires_action", "0, 0"), "one_payable_intent"),
        (intent(1, "pi_0", "canceled", "0, 0"), "payment_intents_pkey"),
        (intent(1, "pi_1", "succeeded", "100, 101"), "refunded_within_received"),
        (intent(1, "pi_1", "succeeded", "-1, -1"), "refunded_within_received"),
        (paid(8), "paid_once"),
        ("UPDATE orders SET total = 0".into(), "orders_total_check"),
        ("UPDATE orders SET state = 'paid'".into(), "orders_check"),
        ("UPDATE order_lines SET unit_amount = -1".into(), "order_lines_unit_amount_check"),
        ("UPDATE order_adjustments SET amount = -1".into(), "order_adjustments_amount_check"),
        ("DELETE FROM orders".into(), "refunds_order_id_fkey"),
    ] {
        let error = db.batch_execute(&sql).await.unwrap_err();
        let constraint = error.as_db_error().and_then(|it| it.constraint()).unwrap_or_default();
        assert!(constraint.contains(wall), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn the_tables_refuse_to_change_the_audit_trail() {
    let database = migrated().await;
    let store = open(&database.url()).await.unwrap();
    store.add_audit_entry(&audit_entry()).await.unwrap();
    let db = database.client().await;
    for sql in ["UPDATE audit_entries SET act = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"] {
        let error = db.batch_execute(sql).await.unwrap_err();
        let said = error.as_db_error().map(|it| it.message().to_owned());
        assert_eq!(said.as_deref(), Some("audit_entries is append only"), "{sql}");
    }
}

/// Test authority that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate for a host, with its key.
    fn certify(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn a_remote_server_is_connected_over_tls_as_sslmode_says() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let folder = std::env::temp_dir().join(format!("paywright-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, authority: &Authority| {
        let path = folder.join(name);
        std::fs::write(&path, &authority.pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours_file, theirs_file) = (file("ours.pem", &ours), file("theirs.pem", &theirs));
    let port = free_port();
    let listen = ["listen_addresses = '127.0.0.1'", &format!("port = {port}"), "ssl = on"];
    let cluster = Cluster::of_one_test(&listen);
    // The certificate contains the name, not the IP address.
    let (certificate, key) = ours.certify("localhost");
    cluster.write("server.crt", &certificate);
    cluster.write("server.key", &key);
    cluster.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    cluster.start();
    let socket = cluster.url("");
    let admin = connect(&format!("{}:{port}/postgres", socket.trim_end_matches('/'))).await;
    admin
        .batch_execute("SET password_encryption = 'scram-sha-256'; ALTER ROLE postgres PASSWORD 'right'")
        .await
        .unwrap();
    let opens = |host: &str, query: &str| {
        let url = format!("postgres://postgres:right@{host}:{port}/postgres?{query}");
        async move { open(&url).await }
    };
    for (host, query, expected) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={ours_file}"), None),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ours_file}"), Some("certificate")),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ours_file}"), None),
        ("localhost", format!("sslmode=verify-ca&sslrootcert={theirs_file}"), Some("certificate")),
        ("localhost", format!("sslmode=require&sslrootcert={theirs_file}"), Some("certificate")),
        ("localhost", "sslmode=verify-full".into(), Some("certificate")),
        ("localhost", "sslmode=require".into(), None),
        ("localhost", String::new(), None),
        ("localhost", "sslmode=disable".into(), Some("no pg_hba.conf entry")),
        ("localhost", "sslmode=verify-full&sslrootcert=/nowhere.pem".into(), Some("/nowhere.pem")),
    ] {
        match (opens(host, &query).await, expected) {
            (Ok(store), None) => {
                store.probe().await.unwrap();
            }
            (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{host} {query}: {error}"),
            (result, _) => panic!("{host} {query}: {:?}", result.map(drop)),
        }
    }
    let encrypted =
        "SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'paywright' AND ssl";
    let store = opens("localhost", "sslmode=require").await.unwrap();
    store.probe().await.unwrap();
    assert!(!admin.query(encrypted, &[]).await.unwrap().is_empty(), "the line is encrypted");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Makes all later commits wait for a standby that does not exist.
async fn lose_the_standby(cluster: &Cluster) {
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    // The server applies the setting to commits some moments after the sessions see it: wait until one commit waits.
    loop {
        let one = connect(&cluster.url("postgres")).await;
        let commit = tokio::spawn(async move {
            drop(
                one.batch_execute(
                    "SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'commit', 'of the test')",
                )
                .await,
            );
        });
        while !commit.is_finished() {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            if admin.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn do_without_the_standby(cluster: &Cluster) {
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

/// A commit that waits for a standby is never canceled: PostgreSQL would report a success that is on no standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_for_a_standby_keep_their_connections_and_no_more_are_sent() {
    let cluster = cluster(&[]);
    let options = Options { connections: 5, ..Options::default() };
    let store = Arc::new(PostgresStore::open(&cluster.url("postgres"), options).await.unwrap());
    store.commit(first(1)).await.unwrap();
    lose_the_standby(&cluster).await;
    // Two of four connections may wait.
    let commits: Vec<_> = (2..4)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(first(n)).await })
        })
        .collect();
    for commit in commits {
        let told = commit.await.unwrap();
        assert!(matches!(told, Err(StoreError::Unknown(_))), "nobody knows: {told:?}");
    }
    for n in 4..50 {
        let told = store.commit(first(n)).await;
        let is_refused =
            matches!(&told, Err(StoreError::Unavailable(cause)) if cause.to_string().contains("no more are sent"));
        assert!(is_refused, "{told:?}");
    }
    assert!(store.probe().await.is_err(), "it takes no orders");
    // Reads of one order and of lists still work, and do not show the waiting commits.
    assert!(store.order(&by_id(1)).await.unwrap().is_some());
    assert_eq!(store.orders(&OrderQuery::newest(9)).await.unwrap().len(), 1);
    let admin = connect(&cluster.url("postgres")).await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paywright'";
    let backends: i64 = admin.query_one(count, &[]).await.unwrap().get(0);
    assert!(backends <= 5, "{backends} backends");
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'paywright'";
    assert_eq!(admin.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), 2, "both still wait");

    do_without_the_standby(&cluster).await;
    let begun = Instant::now();
    while let Err(error) = store.commit(first(90)).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for n in [2, 3] {
        assert!(store.order(&by_id(n)).await.unwrap().is_some(), "{n} was committed in the end");
    }
    for n in 4..50 {
        assert!(store.order(&by_id(n)).await.unwrap().is_none(), "{n} was refused and never sent");
    }
}

/// As after a failover: none of the abandoned statements runs on the current server, so nothing waits for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_abandoned_on_a_former_server_block_no_commit() {
    let cluster = cluster(&[]);
    let gate = Gate::before(cluster.host().join(".s.PGSQL.5432")).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?tcp_user_timeout=600", gate.port);
    let options = Options { connections: 2, ..Options::default() };
    let store = Arc::new(open_with(&url, options).await);
    store.commit(first(1)).await.unwrap();
    gate.freeze();
    let told = store.commit(first(2)).await;
    assert!(matches!(told, Err(StoreError::Unknown(_))), "{told:?}");
    // New connections reach a server that answers; existing ones never get an answer again.
    gate.pass_new();
    let begun = Instant::now();
    while let Err(error) = store.commit(first(3)).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.order(&by_id(3)).await.unwrap().is_some());
}

async fn open_with(url: &str, options: Options) -> PostgresStore {
    PostgresStore::open(url, options).await.unwrap()
}

/// Proxy to a server that can be frozen: from then on everything sent over existing connections is lost.
struct Gate {
    port: u16,
    is_open: Arc<AtomicBool>,
    generation: Arc<AtomicUsize>,
}

impl Gate {
    async fn before(socket: std::path::PathBuf) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_open, generation) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let gate = Self { port, is_open: Arc::clone(&is_open), generation: Arc::clone(&generation) };
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                let (born, generation, is_open) =
                    (generation.load(Ordering::SeqCst), Arc::clone(&generation), Arc::clone(&is_open));
                let socket = socket.clone();
                tokio::spawn(async move {
                    if !is_open.load(Ordering::SeqCst) {
                        return std::future::pending().await;
                    }
                    let mut theirs = tokio::net::UnixStream::connect(socket).await.unwrap();
                    let mut ours = ours;
                    let frozen = async {
                        while generation.load(Ordering::SeqCst) == born {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
                        () = frozen => std::future::pending::<()>().await,
                    }
                });
            }
        });
        gate
    }

    fn freeze(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        // Wait until every connection has noticed.
        std::thread::sleep(Duration::from_millis(50));
    }

    fn pass_new(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_cause_from_before_actors_is_read_without_an_actor() {
    let database = Database::empty().await;
    let store = open(&database.url()).await.unwrap();
    let actor = Actor::ApiKey { key: Uuid::from_u128(7), key_name: "shop".into() };
    let cause = Cause { source: "answer".into(), actor: Some(actor), ..Cause::default() };
    store.commit(Changes { cause: Some(cause), ..first(1) }).await.unwrap();
    let new = r#"{"source":"answer","actor":{"kind":"api_key","key":"00000000-0000-0000-0000-000000000007","key_name":"shop"}}"#;
    let old = r#"{"source":"answer","request":"req_1"}"#;
    let put = format!("UPDATE facts SET cause = '{old}' WHERE cause = '{new}'::jsonb");
    let put = database.client().await.execute(&put, &[]).await.unwrap();
    assert_eq!(put, 1, "an actor is stored in this form");
    let facts = store.facts(order_id(1)).await.unwrap();
    let old = Cause { source: "answer".into(), request: Some("req_1".into()), ..Cause::default() };
    assert!(!facts.is_empty() && facts.iter().all(|it| it.cause.as_ref() == Some(&old)), "{facts:?}");
}
