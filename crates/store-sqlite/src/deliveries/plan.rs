//! Query plans of the statements that run for each step of the deliveries, and of reads of the feed.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::plans::plan;
use crate::{IN_MEMORY, Options, setup};

/// A database in which each of 10,000 endpoints has a queue, half of them due, and a feed of as many events.
fn backlog() -> SqliteConnection {
    let mut db = setup::open_for_writing(IN_MEMORY, Options::default()).unwrap();
    db.batch_execute(
        "CREATE TEMP TABLE numbers AS
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n;
         INSERT INTO webhook_endpoints
             SELECT unhex(format('%032x', i)), 1, 'https://shop.example/', '', '[]', 1, NULL, 'k', 1, NULL, NULL, NULL,
                 NULL, 10000, 'standard', '[]', NULL
             FROM numbers;
         INSERT INTO feed SELECT i, unhex(format('%032x', i)), 1, 0, 'order.placed', 1, 0, 0, '{}', NULL FROM numbers;
         INSERT INTO webhook_queues (endpoint_id, order_id, done, last, next_due_at)
             SELECT unhex(format('%032x', i)), unhex(format('%032x', i)), i - 1, i, i FROM numbers;",
    )
    .unwrap();
    db
}

/// A backlog costs no scan, however many queues wait: due queues are found by their due time after a place, those of an
/// endpoint by the endpoint, and everything else by its key. Only the leased queues themselves are walked, and an
/// endpoint's own list of types.
#[test]
fn a_lease_finds_due_queues_by_indexes() {
    let mut db = backlog();
    let after = "(due_at,endpoint_id,order_id)>(?,?,?)";
    let due = format!("SEARCH webhook_queues USING INDEX webhook_queues_by_time ({after} AND due_at<?)");
    for analyzed in [false, true] {
        if analyzed {
            db.batch_execute("ANALYZE").unwrap();
        }
        for (sql, steps) in [
            (super::DUE, [due.as_str()].as_slice()),
            (
                super::DUE_OF_ENDPOINT,
                &["SEARCH webhook_queues USING INDEX webhook_queues_of_an_endpoint (endpoint_id=? AND due_at<?)"],
            ),
            (
                &super::lease_sql(),
                &[
                    "SEARCH it USING PRIMARY KEY (endpoint_id=? AND order_id=?)",
                    "SEARCH next USING INDEX feed_of_an_order (order_id=? AND rowid>? AND rowid<?)",
                ],
            ),
        ] {
            let plan = plan(&mut db, sql);
            for step in steps {
                assert!(plan.iter().any(|it| it == step), "{step}: {plan:#?}");
            }
            let is_short = |it: &String| it == "SCAN queue" || it.starts_with("SCAN json_each");
            assert!(plan.iter().filter(|it| it.starts_with("SCAN")).all(is_short), "{plan:#?}");
            assert!(!plan.iter().any(|it| it.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }
}

/// Endpoints are walked, and of the feed only the events of their next steps.
#[test]
fn queues_are_filled_by_a_range_of_positions() {
    let mut db = backlog();
    let plan = plan(&mut db, super::FILL);
    let range = "SEARCH feed USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    assert!(plan.iter().any(|it| it == range), "{plan:#?}");
}

/// Counts what waits in the queues of the endpoint and in a range of positions.
#[test]
fn what_waits_is_counted_by_indexes() {
    let mut db = backlog();
    let plan = plan(&mut db, super::WAITING);
    for step in ["SEARCH webhook_queues USING", "SEARCH feed USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"] {
        assert!(plan.iter().any(|it| it.starts_with(step)), "{step}: {plan:#?}");
    }
    assert!(!plan.iter().any(|it| it == "SCAN feed" || it.starts_with("SCAN webhook_queues")), "{plan:#?}");
}

/// Events of an order are found without walking the feed.
#[test]
fn events_are_read_by_position_or_by_order() {
    let mut db = backlog();
    for analyzed in [false, true] {
        if analyzed {
            db.batch_execute("ANALYZE").unwrap();
        }
        for (is_of_order, index) in [
            (false, "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
            (true, "INDEX feed_of_an_order (order_id=? AND rowid>? AND rowid<?)"),
        ] {
            let plan = plan(&mut db, &crate::feed::events_sql(is_of_order));
            assert!(plan.iter().any(|it| *it == format!("SEARCH feed USING {index}")), "{plan:#?}");
            assert!(!plan.iter().any(|it| it.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }
}
