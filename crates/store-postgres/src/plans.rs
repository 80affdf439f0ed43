//! Plans of the statements on the feed and on queues: each finds its rows by an index, whatever the size of the tables
//! was when it was planned.

use paywright_testkit::postgres::Database;
use tokio_postgres::Client;

use crate::PostgresStore;
use crate::audit_trail::NO_ENTRIES;
use crate::connect::SESSION;
use crate::daily_totals::CountableFacts;
use crate::delivery::{
    DueQueues, DueQueuesOfEndpoint, FillQueues, FollowEndpoints, LeaseQueues, MakeQueuesDue, ReleaseQueues, Resend,
    Waiting,
};
use crate::endpoints::{ChangeEndpoint, DeleteAttempts};
use crate::feed::{AppendToFeed, DeleteFeedEvents, Events, EventsOfOrder, UnpositionedEvents};
use crate::retention::{DeleteEvents, DeleteIdempotencyRecords};
use crate::statement::PreparedStatement;

const ID: &str = "'00000000-0000-0000-0000-000000000001'";

/// A hundred endpoints with a backlog of 10,000 queues in all, and a feed of 10,000 events.
const BACKLOG: &str = "
    INSERT INTO webhook_endpoints (
        id, version, url, description, kinds, secret_generation, secret_key_id, created_at, position
    )
    SELECT gen_random_uuid(), 1, 'https://shop.example/', '', '{}', 1, 'k', now(), n FROM generate_series(1, 100) AS n;
    INSERT INTO feed (position, order_id, version, fact_position, kind, at)
    SELECT n, gen_random_uuid(), 1, 0, 'order.paid', now() FROM generate_series(1, 10000) AS n;
    UPDATE feed_head SET position = 10000;
    INSERT INTO webhook_queues (endpoint_id, order_id, done, last, next_due_at)
    SELECT id, gen_random_uuid(), n, n + 1, now() FROM webhook_endpoints, generate_series(1, 100) AS n;
    INSERT INTO unpositioned_facts (order_id, version, position, kind)
    SELECT gen_random_uuid(), 1, 0, 'order.paid' FROM generate_series(1, 10000) AS n;
    INSERT INTO account_events (subject, number, id, kind, at, is_positioned)
    SELECT gen_random_uuid(), 1, gen_random_uuid(), 'payout.paid', now(), true FROM generate_series(1, 10000) AS n;
    INSERT INTO order_snapshots (order_id, version, view, livemode) SELECT order_id, 1, '{}', false FROM feed;
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT gen_random_uuid(), n, decode(repeat('00', 32), 'hex'), gen_random_uuid(), '{}', now() - n * interval '1 hour'
    FROM generate_series(1, 10000) AS n;
    INSERT INTO webhook_inbox (event_id, kind, created_at, received_at, via, headers, news, verdict)
    SELECT n, 'payment_intent.succeeded', now(), now() - n * interval '1 hour', 'webhook', '{}', '{}', 'applied'
    FROM generate_series(1, 10000) AS n;
";

/// Tables and indexes that a statement may go through as a whole: endpoints are few, and the first unpositioned facts and
/// account events are read in the order of their indexes.
const WALKED: [&str; 3] = ["on webhook_endpoints", "on unpositioned_facts", "using unpositioned_account_events"];

pub(crate) async fn prepare<S: PreparedStatement>(db: &Client, name: &str) {
    db.batch_execute(&format!("PREPARE {name} AS {}", S::text().whole())).await.unwrap();
}

pub(crate) async fn plan(db: &Client, name: &str, arguments: &str) -> Vec<String> {
    let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let rows = db.query(&format!("EXPLAIN EXECUTE {name} {arguments}"), &[]).await.unwrap();
    rows.iter().map(|it| it.get(0)).collect()
}

/// Panics unless each scan of a table has a condition on its index, other than those of `walked`: `on` a table, or `using`
/// an index.
pub(crate) fn assert_indexed(name: &str, plan: &[String], walked: &[&str]) {
    let conditions = plan.iter().skip(1).map(String::as_str).chain([""]);
    for (line, next) in plan.iter().zip(conditions) {
        assert!(!line.contains("Seq Scan"), "{name}: {line}\n{plan:#?}");
        let is_walked = walked.iter().any(|it| line.contains(&format!(" {it} ")));
        if line.contains("Index") && line.contains("Scan using") && !is_walked {
            assert!(next.contains("Index Cond"), "{name}: {line}\n{plan:#?}");
        }
    }
}

fn change_arguments() -> String {
    format!("{ID}, 1, now(), '', '', '{{}}', '{{}}', now(), 1, NULL, '', NULL, NULL, NULL, NULL, {NO_ENTRIES}")
}

#[tokio::test]
async fn the_feed_and_queues_are_found_by_indexes() {
    let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
    let database = Database::migrated(migrate).await;
    for setup in ["", "VACUUM ANALYZE", BACKLOG, "ANALYZE"] {
        database.client().await.batch_execute(setup).await.unwrap();
        let db = database.client().await;
        db.batch_execute(SESSION).await.unwrap();
        prepare::<UnpositionedEvents>(&db, "unpositioned").await;
        prepare::<AppendToFeed>(&db, "append").await;
        prepare::<Events>(&db, "events").await;
        prepare::<EventsOfOrder>(&db, "events_of_order").await;
        prepare::<DeleteFeedEvents>(&db, "delete_events").await;
        prepare::<CountableFacts>(&db, "countable").await;
        prepare::<FillQueues>(&db, "fill").await;
        prepare::<FollowEndpoints>(&db, "follow").await;
        prepare::<DueQueues>(&db, "due").await;
        prepare::<DueQueuesOfEndpoint>(&db, "due_of_endpoint").await;
        prepare::<LeaseQueues>(&db, "lease").await;
        prepare::<ReleaseQueues>(&db, "release").await;
        prepare::<Resend>(&db, "resend").await;
        prepare::<ChangeEndpoint<'_>>(&db, "change").await;
        prepare::<Waiting>(&db, "waiting").await;
        prepare::<MakeQueuesDue>(&db, "make_due").await;
        prepare::<DeleteAttempts>(&db, "delete_attempts").await;
        prepare::<DeleteIdempotencyRecords>(&db, "delete_records").await;
        prepare::<DeleteEvents>(&db, "delete_stored_events").await;
        for (name, arguments, index) in [
            ("unpositioned", "500", "unpositioned_facts_pkey"),
            ("unpositioned", "500", "unpositioned_account_events"),
            ("append", &format!("{ID}, 1, '{{}}', '{{}}', '{{}}', now()"), "unpositioned_facts_pkey"),
            ("events", "0, 100, '{}', 100", "feed_pkey"),
            ("events_of_order", &format!("{ID}, 0, 100, '{{}}', 100"), "feed_order_id_version_fact_position_key"),
            ("delete_events", "now(), 1000", "queues_of_an_order"),
            ("countable", "0, 100, 500", "feed_pkey"),
            ("fill", "1000, now()", "endpoints_by_position"),
            ("follow", "now()", "webhook_endpoints_pkey"),
            ("due", &format!("now(), {ID}, {ID}, now(), now(), 256"), "queues_by_time"),
            ("due_of_endpoint", &format!("{ID}, now(), now(), 8"), "queues_of_an_endpoint"),
            ("lease", &format!("'{{}}', '{{}}', now(), now(), {ID}, now()"), "webhook_queues_pkey|queues_of_an_order"),
            (
                "release",
                "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', \
                 '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'",
                "webhook_queues_pkey",
            ),
            ("resend", &format!("{ID}, {ID}, 1, now(), 100, {NO_ENTRIES}"), "webhook_endpoints_pkey"),
            ("change", &change_arguments(), "webhook_endpoints_pkey"),
            ("waiting", &format!("{ID}, 10000, 20000"), "queues_of_an_endpoint"),
            ("make_due", &format!("now(), {ID}, {ID}, 5000"), "webhook_queues_pkey"),
            ("delete_attempts", "now(), 100", "attempts_by_age"),
            ("delete_records", "now(), 100", "idempotency_records_by_age"),
            ("delete_stored_events", "now(), 100", "events_by_age"),
        ] {
            let plan = plan(&db, name, arguments).await;
            assert_indexed(name, &plan, &WALKED);
            // For tables that are known to be empty, several indexes are equally good; the plan is made again once they are
            // analyzed with rows.
            let is_found = setup == "VACUUM ANALYZE" || has_any(&plan, index);
            assert!(is_found, "{name}: {plan:#?}");
        }
    }
}

/// Whether a plan uses one of the indexes whose names are given, with `|` between.
pub(crate) fn has_any(plan: &[String], indexes: &str) -> bool {
    indexes.split('|').any(|index| plan.iter().any(|it| it.contains(index)))
}
