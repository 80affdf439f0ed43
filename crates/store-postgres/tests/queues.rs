//! Queues under load: several processes fill and drain them at the same time.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paywright_app::{
    Attempt, AttemptOutcome, AttemptQuery, Changes, DisabledReason, EndpointState, Endpoints, Feed, FeedAppend,
    FeedQuery, Lease, Orders, Position, QueueNext, QueueRelease, StoreError, SubjectId, Version,
};
use paywright_store_postgres::{Options, PostgresStore};
use paywright_testkit::endpoint_contract::{endpoint, endpoint_id};
use paywright_testkit::postgres::Database;
use paywright_testkit::{at, audit_entry, changes, edit_of_lines, place};
use uuid::Uuid;

const NOW: i64 = 1_743_415_000;
const ORDERS: u32 = 6;
const EDITS: u32 = 60;

/// Delivered positions of each subject.
type Delivered = Arc<Mutex<BTreeMap<SubjectId, Vec<Position>>>>;

async fn migrated() -> Database {
    Database::migrated(async |url| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0)).await
}

async fn open(database: &Database) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(&database.url(), Options::default()).await.unwrap())
}

fn lease(owner: u128) -> Lease {
    Lease { owner: Uuid::from_u128(owner), now: at(NOW), until: at(NOW + 60), limit: 4 }
}

/// Gives all committed facts their positions.
async fn relay(store: &PostgresStore) {
    if let Some(lease) = store.lease_feed(&lease(1)).await.unwrap() {
        let events = store.unpositioned_events(100).await.unwrap();
        store.append_to_feed(&FeedAppend { lease, until: at(NOW + 60), events }).await.unwrap().unwrap();
        store.release_feed(lease).await.unwrap();
    }
}

/// Puts a few events into queues. A deadlock with another process would be an error.
async fn fill(store: &PostgresStore) {
    store.fill_queues(at(NOW), 5).await.unwrap();
}

/// Delivers what is due, and returns the number of events.
async fn deliver(store: &PostgresStore, owner: u128, delivered: &Delivered) -> usize {
    let due = store.due_queues(&lease(owner), None, None).await.unwrap();
    let queues = store.lease_queues(&lease(owner), &due).await.unwrap();
    let mut releases = Vec::new();
    for queue in &queues {
        assert_eq!(queue.next.as_ref().map(|it| it.position), Some(queue.position));
        delivered.lock().unwrap().entry(queue.subject).or_default().push(queue.position);
        releases.push(QueueRelease {
            owner: Uuid::from_u128(owner),
            endpoint: queue.endpoint,
            subject: queue.subject,
            taken: queue.taken,
            done: queue.done,
            part: queue.part,
            is_resend: queue.is_resend,
            next: QueueNext::Passed { position: queue.position, now: at(NOW) },
            attempt: None,
        });
    }
    store.release_queues(&releases).await.unwrap();
    queues.len()
}

/// Places an order and edits it again and again.
async fn write(store: &PostgresStore, n: u32) {
    let placed = place(n);
    let mut order = placed.order.clone();
    store.commit(changes(Version::NEW, placed, at(NOW), at(NOW))).await.unwrap();
    for version in 1..=EDITS {
        let edited = order.edit(edit_of_lines(100 + i64::from(version)), at(NOW)).unwrap();
        order = edited.order.clone();
        store.commit(changes(Version(version), edited, at(NOW), at(NOW))).await.unwrap();
    }
}

/// A queue is drained and deleted again and again while another process adds events to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_delivered_once_and_in_order_while_queues_are_filled_and_drained() {
    let database = migrated().await;
    let stores = [open(&database).await, open(&database).await];
    stores[0].add_endpoint(&endpoint(1), Position::START, None).await.unwrap();
    let total = usize::try_from(ORDERS * (EDITS + 1)).unwrap();
    let (count, delivered) = (Arc::new(AtomicUsize::new(0)), Delivered::default());
    let mut tasks = Vec::new();
    for (owner, store) in (10..).zip(&stores) {
        let (store, is_done) = (Arc::clone(store), Arc::clone(&count));
        let (filler, filling) = (Arc::clone(&store), Arc::clone(&count));
        tasks.push(tokio::spawn(async move {
            while filling.load(Ordering::SeqCst) < total {
                relay(&filler).await;
                fill(&filler).await;
            }
        }));
        let delivered = Arc::clone(&delivered);
        tasks.push(tokio::spawn(async move {
            while is_done.load(Ordering::SeqCst) < total {
                let events = deliver(&store, owner, &delivered).await;
                is_done.fetch_add(events, Ordering::SeqCst);
            }
        }));
    }
    for n in 1..=ORDERS {
        let store = Arc::clone(&stores[0]);
        tasks.push(tokio::spawn(async move { write(&store, n).await }));
    }
    let done = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), done).await.expect("each event is delivered");
    let delivered = delivered.lock().unwrap().clone();
    assert_eq!(delivered.values().map(Vec::len).sum::<usize>(), total);
    for (order, positions) in &delivered {
        assert!(positions.is_sorted_by(|left, right| left < right), "{order:?}: {positions:?}");
    }
    let left = "SELECT count(*) FROM webhook_queues";
    assert_eq!(database.client().await.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Reader of the feed that polls while commits and the relay go on. A position that is read later than a higher one
/// would be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_polls_misses_no_position() {
    let database = migrated().await;
    let store = open(&database).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, is_over) = (Arc::clone(&store), Arc::clone(&is_over));
        async move {
            let mut last = 0;
            loop {
                let is_last = is_over.load(Ordering::SeqCst);
                let (after, until) = (Position(last), Position(u64::from(u32::MAX)));
                let query = FeedQuery { after, until, types: Vec::new(), order: None, limit: 7 };
                let events = store.feed_events(&query).await.unwrap();
                for event in &events {
                    last += 1;
                    assert_eq!(event.position, Position(last));
                }
                if is_last && events.is_empty() {
                    return last;
                }
            }
        }
    });
    let writers: Vec<_> = (1..=ORDERS)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { write(&store, n).await })
        })
        .collect();
    while writers.iter().any(|it| !it.is_finished()) {
        relay(&store).await;
    }
    for _ in 0..10 {
        relay(&store).await;
    }
    is_over.store(true, Ordering::SeqCst);
    assert_eq!(reader.await.unwrap(), u64::from(ORDERS * (EDITS + 1)));
}

/// An endpoint with more queues than one statement changes is resumed step by step.
#[tokio::test]
async fn the_queues_of_a_large_backlog_follow_their_endpoint_in_steps() {
    let database = migrated().await;
    let store = open(&database).await;
    store.add_endpoint(&endpoint(1), Position::START, None).await.unwrap();
    let backlog = "INSERT INTO webhook_queues (endpoint_id, order_id, done, last, next_due_at)
        SELECT id, gen_random_uuid(), 0, 1, 'epoch' FROM webhook_endpoints, generate_series(1, 25000)";
    let db = database.client().await;
    db.batch_execute(backlog).await.unwrap();
    let due = async || {
        let due = "SELECT count(*) FROM webhook_queues WHERE due_at IS NOT NULL";
        db.query_one(due, &[]).await.unwrap().get::<_, i64>(0)
    };
    let change = async |state| {
        let mut endpoint = store.endpoint(endpoint_id(1)).await.unwrap().unwrap().endpoint;
        endpoint.value.state = state;
        store.change_endpoint(&endpoint, at(NOW), None).await.unwrap();
    };
    let reason = DisabledReason::Gone;
    change(EndpointState::Disabled { reason, at: at(NOW) }).await;
    assert_eq!(due().await, 15_000);
    assert_eq!(store.due_queues(&lease(1), None, None).await.unwrap(), []);
    while store.fill_queues(at(NOW), 10).await.unwrap() {}
    assert_eq!(due().await, 0);
    change(EndpointState::Enabled).await;
    assert_eq!(due().await, 10_000);
    while store.fill_queues(at(NOW), 10).await.unwrap() {}
    assert_eq!(due().await, 25_000);
}

/// PostgreSQL's text cannot contain it.
#[tokio::test]
async fn an_answer_with_a_zero_character_is_stored() {
    let database = migrated().await;
    let store = open(&database).await;
    store.add_endpoint(&endpoint(1), Position::START, None).await.unwrap();
    let attempt = Attempt {
        endpoint: endpoint_id(1),
        at: at(NOW),
        event: Uuid::nil(),
        kind: "endpoint.test".into(),
        source: None,
        number: 1,
        duration_ms: 1,
        status: Some(500),
        error: None,
        answer: "a\0b".into(),
        outcome: AttemptOutcome::Failed,
    };
    store.add_attempt(&attempt).await.unwrap();
    let query = AttemptQuery { endpoint: endpoint_id(1), older_than: None, outcome: None, limit: 1 };
    assert_eq!(store.attempts(&query).await.unwrap()[0].answer, "a\u{fffd}b");
}

/// Neither the snapshot nor a fact is stored for the feed.
#[tokio::test]
async fn a_commit_without_a_snapshot_stores_nothing_for_the_feed() {
    let database = migrated().await;
    let store = open(&database).await;
    let placed = changes(Version::NEW, place(1), at(NOW), at(NOW));
    store.commit(Changes { snapshot: None, ..placed }).await.unwrap();
    assert_eq!(store.unpositioned_events(10).await.unwrap(), []);
    let rows = database.client().await.query("SELECT FROM order_snapshots", &[]).await.unwrap();
    assert!(rows.is_empty());
    let missing = store.resend(endpoint_id(1), place(1).order.id.into(), Position(1), at(NOW), &audit_entry()).await;
    assert!(matches!(missing, Err(StoreError::Conflict)), "{missing:?}");
}
