//! Metrics of the use cases: their names and descriptions, and the counters of what happens. Gauges of the stored state are
//! set by [`Monitor`](crate::Monitor). Without a recorder, which the program installs, nothing of this has an effect.
//!
//! Every label has a bounded set of values, so that the number of time series does not grow with the orders.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use paywright_domain::anomaly::{Mismatch, NoticeKind};
use paywright_domain::order::OrderState;
use paywright_domain::{Fact, Timestamp};

use crate::{AttemptOutcome, EventStatus, StoreError};

const ORDERS: &str = "paywright_orders_total";
const ANOMALIES: &str = "paywright_money_anomalies_total";
const COMMITS: &str = "paywright_commits_total";
const EVENTS: &str = "paywright_webhook_events_total";
const ATTEMPTS: &str = "paywright_delivery_attempts_total";
const DISABLED: &str = "paywright_endpoints_disabled_total";

/// Histogram of the time for which calls waited for a connection to PostgreSQL, or for their turn in the queue of writes of
/// the SQLite file. The stores record it.
pub const DB_WAIT: &str = "paywright_db_wait_seconds";

pub(crate) const TASKS_DUE: &str = "paywright_tasks_due";
pub(crate) const TASK_OLDEST: &str = "paywright_task_oldest_due_seconds";
pub(crate) const TASKS_FAILING: &str = "paywright_tasks_failing";
pub(crate) const PARKED: &str = "paywright_webhook_inbox_parked";
pub(crate) const PARKED_OLDEST: &str = "paywright_webhook_inbox_oldest_parked_seconds";
pub(crate) const BACKFILL_LAG: &str = "paywright_backfill_lag_seconds";
pub(crate) const ANOMALIES_OPEN: &str = "paywright_money_anomalies_open";
pub(crate) const FEED_POSITION: &str = "paywright_feed_position";
pub(crate) const UNPOSITIONED_OLDEST: &str = "paywright_feed_unpositioned_oldest_seconds";
pub(crate) const DELIVERY_OLDEST: &str = "paywright_delivery_oldest_pending_seconds";
pub(crate) const ENDPOINTS: &str = "paywright_endpoints";
pub(crate) const ENDPOINT_DRIFT: &str = "paywright_stripe_endpoint_drift";
pub(crate) const BREAKS_OPEN: &str = "paywright_books_breaks_open";
pub(crate) const LAST_STATEMENT: &str = "paywright_books_last_statement_timestamp_seconds";
pub(crate) const BALANCE_READ: &str = "paywright_books_balance_read_timestamp_seconds";
pub(crate) const BALANCE_DIFFERENCE: &str = "paywright_books_balance_difference_minor";
pub(crate) const POOL_IN_USE: &str = "paywright_db_pool_in_use";
pub(crate) const POOL_MAX: &str = "paywright_db_pool_max";
pub(crate) const STORE_UP: &str = "paywright_store_up";
pub(crate) const CLOCK_DIFFERENCE: &str = "paywright_stripe_clock_difference_seconds";

/// Results of a commit.
const COMMIT_RESULTS: [&str; 4] = ["committed", "conflict", "unknown", "failed"];

/// Describes the metrics of the use cases, and sets the counters to zero: an alert on the increase of a counter misses the
/// first one if the counter begins with it.
pub fn describe_metrics() {
    describe_counters();
    describe_gauges();
    for state in OrderState::NAMES {
        counter!(ORDERS, "state" => state).increment(0);
    }
    for name in Mismatch::NAMES.into_iter().chain(NoticeKind::NAMES) {
        counter!(ANOMALIES, "name" => name).increment(0);
    }
    for result in COMMIT_RESULTS {
        counter!(COMMITS, "result" => result).increment(0);
    }
    for status in EventStatus::ALL {
        counter!(EVENTS, "status" => status.name()).increment(0);
    }
    for outcome in AttemptOutcome::ALL {
        counter!(ATTEMPTS, "outcome" => outcome.name()).increment(0);
    }
    counter!(DISABLED).increment(0);
}

fn describe_counters() {
    describe_counter!(ORDERS, "Orders that reached a state: open (placed), paid, canceled.");
    describe_counter!(ANOMALIES, "Anomalies that were found: money that does not match its order, and notices.");
    describe_counter!(COMMITS, "Commits of changes of orders, by their result. A conflict is decided again.");
    describe_counter!(EVENTS, "Events of Stripe, of webhooks and of the back-fill, by their status in the inbox.");
    describe_counter!(ATTEMPTS, "Outgoing webhooks that were sent, by their outcome.");
    describe_counter!(DISABLED, "Endpoints of outgoing webhooks that the service has disabled.");
}

fn describe_gauges() {
    describe_gauge!(TASKS_DUE, "Tasks that are due, up to 10,000 of all kinds.");
    describe_gauge!(TASK_OLDEST, "Time since which the oldest due task of a kind is due, in seconds.");
    describe_gauge!(TASKS_FAILING, "Tasks whose last attempt failed, up to 10,000 of all kinds.");
    describe_gauge!(PARKED, "Events of Stripe that are parked until they can be applied, up to 10,000.");
    describe_gauge!(PARKED_OLDEST, "Age of the oldest parked event, in seconds.");
    describe_gauge!(
        BACKFILL_LAG,
        "Time since this process has last completed the back-fill from Stripe's list of events, or since its start, in \
         seconds. One process at a time runs it: take the minimum of all."
    );
    describe_gauge!(ANOMALIES_OPEN, "Anomalies for which an order is held for review, of up to 1,000 orders.");
    describe_gauge!(FEED_POSITION, "Last position of the feed of events.");
    describe_gauge!(UNPOSITIONED_OLDEST, "Age of the oldest public event without a position in the feed, in seconds.");
    describe_gauge!(DELIVERY_OLDEST, "Age of the oldest event that an enabled endpoint has not accepted, in seconds.");
    describe_gauge!(ENDPOINTS, "Endpoints of outgoing webhooks by state: enabled, failing (enabled), disabled.");
    describe_gauge!(
        ENDPOINT_DRIFT,
        "1 for each difference of our webhook endpoint at Stripe from what it should be, by the last check of this process; \
         NaN before the first."
    );
    describe_gauge!(BREAKS_OPEN, "Open breaks of the books by class, up to 1,000.");
    describe_gauge!(LAST_STATEMENT, "End of the last closed day of the books, in seconds since 1970.");
    describe_gauge!(
        BALANCE_READ,
        "Time of the last reading of Stripe's balance, in seconds since 1970; 0 before the first."
    );
    describe_gauge!(
        BALANCE_DIFFERENCE,
        "Stripe's balance less that of the books at the last reading, in minor units of the currency."
    );
    describe_gauge!(POOL_IN_USE, "Connections to PostgreSQL in use, or writes in the queue of the SQLite file.");
    describe_gauge!(POOL_MAX, "Largest number of these connections, or of places in that queue.");
    describe_histogram!(
        DB_WAIT,
        "Time for which calls waited for a connection to PostgreSQL, or for their turn in the queue of writes of the SQLite \
         file, in seconds."
    );
    describe_gauge!(STORE_UP, "1 if the store answered when the gauges were read; else 0, and its gauges are NaN.");
    describe_gauge!(
        CLOCK_DIFFERENCE,
        "Time of Stripe's clock less that of this machine's, in seconds, from Stripe's last answer."
    );
}

/// Counts a commit, and what its facts say if it was committed.
pub(crate) fn committed(facts: &CountedFacts, result: &Result<(), StoreError>) {
    let [committed, conflict, unknown, failed] = COMMIT_RESULTS;
    let name = match result {
        Ok(()) => committed,
        Err(StoreError::Conflict) => conflict,
        Err(StoreError::Unknown(_)) => unknown,
        Err(StoreError::Unavailable(_) | StoreError::Corrupt(_)) => failed,
    };
    counter!(COMMITS, "result" => name).increment(1);
    if result.is_ok() {
        for state in &facts.states {
            counter!(ORDERS, "state" => *state).increment(1);
        }
        for name in &facts.anomalies {
            counter!(ANOMALIES, "name" => *name).increment(1);
        }
    }
}

/// Facts of a commit that are counted. They are read before the commit, which consumes the changes.
pub(crate) struct CountedFacts {
    states: Vec<&'static str>,
    anomalies: Vec<&'static str>,
}

impl CountedFacts {
    pub(crate) fn of(facts: &[Fact]) -> Self {
        let [open, paid, canceled] = OrderState::NAMES;
        let mut counted = Self { states: Vec::new(), anomalies: Vec::new() };
        for fact in facts {
            if let Fact::OrderPlaced { .. } = fact {
                counted.states.push(open);
            } else if let Fact::OrderPaid { .. } = fact {
                counted.states.push(paid);
            } else if let Fact::OrderCanceled { .. } = fact {
                counted.states.push(canceled);
            } else if let Fact::AnomalyFound { anomaly } = fact {
                counted.anomalies.push(anomaly.kind.name());
            }
        }
        counted
    }
}

/// Counts an event of Stripe that has this status now: when it is received, and when it is given up.
pub(crate) fn event(status: EventStatus) {
    counter!(EVENTS, "status" => status.name()).increment(1);
}

/// Counts an outgoing webhook.
pub(crate) fn attempt(outcome: AttemptOutcome) {
    counter!(ATTEMPTS, "outcome" => outcome.name()).increment(1);
}

/// Counts an endpoint that the service has disabled.
pub(crate) fn endpoint_disabled() {
    counter!(DISABLED).increment(1);
}

/// Sets a gauge without labels.
pub(crate) fn set(name: &'static str, value: f64) {
    gauge!(name).set(value);
}

/// Sets a gauge with one label.
pub(crate) fn set_of(name: &'static str, label: &'static str, label_value: &'static str, value: f64) {
    gauge!(name, label => label_value).set(value);
}

/// Sets the difference of a balance, in minor units.
pub(crate) fn set_balance_difference(balance: &'static str, currency: &'static str, minor: f64) {
    gauge!(BALANCE_DIFFERENCE, "balance" => balance, "currency" => currency).set(minor);
}

/// A whole number as the value of a gauge.
pub(crate) const fn whole(number: u64) -> f64 {
    Duration::from_secs(number).as_secs_f64()
}

/// A signed whole number as the value of a gauge.
pub(crate) fn signed(number: i64) -> f64 {
    whole(number.unsigned_abs()).copysign(if number < 0 { -1.0 } else { 1.0 })
}

/// Seconds from `since` to `now`, as the value of a gauge; 0 for `None`, when nothing waits, and for a later time.
pub(crate) fn age(since: Option<Timestamp>, now: Timestamp) -> f64 {
    let micros = since.map_or(0, |it| now.unix_micros().saturating_sub(it.unix_micros()));
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}

/// Seconds since 1970, as the value of a gauge.
pub(crate) fn seconds_since_1970(at: Timestamp) -> f64 {
    age(Some(Timestamp::EPOCH), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "each value is exact")]
    fn numbers_ages_and_times_are_values_of_gauges() {
        assert_eq!((whole(10_000_000_000), signed(-5), signed(0)), (10_000_000_000.0, -5.0, 0.0));
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        assert_eq!(age(Some(at(1_500_000)), at(4_000_000)), 2.5);
        assert_eq!((age(None, at(4_000_000)), age(Some(at(5_000_000)), at(4_000_000))), (0.0, 0.0));
        assert_eq!(seconds_since_1970(at(4_250_000)), 4.25);
    }
}
