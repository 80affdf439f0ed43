//! Contract tests of the ports of a [`Store`], in a module for each port. `store_contract!(fresh())` makes a test of each
//! function, on the store that `fresh()` returns.

pub mod api_keys;
pub mod audit_trail;
pub mod cursors;
mod idempotency;
pub mod inbox;
pub mod installations;
pub(crate) mod order_lists;
pub mod orders;
pub mod tasks;

use std::sync::Arc;

use async_trait::async_trait;
use paywright_app::{
    Changes, EventStatus, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, Lease, OrderRef, ProviderUpdate,
    ReceivedEvent, Store, StoreError, Version, Versioned,
};
use paywright_domain::anomaly::Policies;
use paywright_domain::intent::IntentStatus;
use paywright_domain::{Decision, IntentId, IntentSnapshot, Money, Order, OrderId, Task};
use uuid::Uuid;

use crate::{at, changes, order_id, place};

/// Store under test, empty at first.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The ports of the store.
    fn store(&self) -> Arc<dyn Store>;
    /// Opens the same data again, as another process would.
    async fn reopened(&self) -> Arc<dyn Store>;
    /// Writes an unknown currency into an order's row, without the store.
    async fn damage(&self, order: OrderId);
}

/// Makes a test of each function of the contract, in a module for each port. `$fresh` is an expression of a [`Subject`];
/// it may `.await`.
#[macro_export]
macro_rules! store_contract {
    ($fresh:expr) => {
        $crate::store_contract! { $fresh;
            orders {
                a_stored_order_is_read_unchanged
                an_edited_rate_of_a_tax_is_read_unchanged
                an_order_stored_before_the_present_limits_is_read_unchanged
                a_notice_without_an_intent_is_read_unchanged
                an_order_in_every_state_is_read_unchanged
                an_accepted_payment_is_read_unchanged
                a_closed_refund_is_read_unchanged
                the_confirmation_of_a_payment_is_read_unchanged
                an_order_is_found_by_id_number_and_any_of_its_intents
                a_missing_row_is_read_as_none
                a_commit_of_a_stale_version_writes_nothing
                an_order_with_a_used_id_or_number_is_a_conflict
                one_of_many_concurrent_commits_of_a_version_succeeds
                a_failed_commit_does_not_affect_commits_of_other_orders
                concurrent_refunds_do_not_exceed_the_received_amount
                refunds_and_disputes_are_read_unchanged
                a_cause_is_stored_with_its_facts
                the_actor_of_a_change_is_stored_with_its_facts
                facts_are_stored_in_order_and_never_change
                a_commit_whose_caller_is_dropped_is_complete_or_absent
                a_corrupt_row_is_reported_as_corrupt
                a_commit_is_visible_to_another_process
                the_completed_orders_of_a_customer_are_read_by_page_and_counted
                paging_through_orders_misses_and_repeats_none
                orders_are_searched_by_filters_and_counted
                a_customers_list_has_only_that_customers_orders
                a_list_has_the_orders_that_fulfil_its_conditions
                an_idempotency_record_is_stored_in_the_same_commit
                one_of_many_concurrent_requests_with_the_same_key_succeeds
                old_idempotency_records_are_deleted_up_to_a_limit
            }
            tasks {
                a_task_is_leased_once_until_its_lease_expires
                a_lease_or_due_time_beyond_the_maximum_is_ignored
                a_task_due_after_the_maximum_of_its_kind_is_rescheduled
                a_finished_task_is_deleted
                a_task_with_a_stored_key_is_not_stored_twice
                only_the_holder_of_a_lease_releases_a_task
            }
            inbox {
                an_event_is_stored_once_in_the_commit_of_its_change
                a_parked_event_is_leased_when_due_by_one_owner_at_a_time
                closed_events_are_deleted_by_age
            }
            cursors {
                a_cursor_is_leased_when_due_by_one_owner_at_a_time
            }
            api_keys {
                an_api_key_is_found_by_its_digest_and_can_be_revoked
                an_api_key_is_replaced_once_and_ends_no_later_than_before
                the_last_use_of_each_scope_of_a_key_is_kept
            }
            audit_trail {
                the_audit_trail_is_read_by_page_subject_and_key
                a_change_of_keys_is_stored_with_its_audit_entry
                a_commit_is_stored_with_its_audit_entries
            }
            installations {
                an_installation_keeps_its_id_and_its_epochs_only_grow
                an_order_is_read_in_the_present_epoch_and_its_requests_keep_theirs
                the_idempotency_key_of_a_lost_order_places_no_other_order
            }
        }
    };
    ($fresh:expr; $($port:ident { $($case:ident)* })*) => {
        $(mod $port {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::contract::$port::$case(&subject).await;
            })*
        })*
    };
}

pub(crate) const NOW: i64 = 1_743_415_050;

pub(crate) fn first(decision: Decision) -> Changes {
    changes(Version::NEW, decision, at(NOW), at(NOW))
}

pub(crate) fn then(version: u32, decision: Decision) -> Changes {
    changes(Version(version), decision, at(NOW), at(NOW))
}

pub(crate) fn by_id(n: u32) -> OrderRef {
    OrderRef::Id(order_id(n))
}

pub(crate) fn requested(order: &Order) -> Decision {
    crate::request_intent(order, at(NOW))
}

pub(crate) fn update(order: &Order, intent: &str, status: IntentStatus) -> IntentSnapshot {
    let created = IntentSnapshot::new(IntentId::new(intent).unwrap(), order.id, order.total, at(NOW));
    let received = if status == IntentStatus::Succeeded { order.total } else { Money::zero(order.total.currency()) };
    IntentSnapshot { status, received, revision: Some(order.revision), ..created }
}

pub(crate) async fn stored(store: &dyn Store, n: u32) -> Versioned<Order> {
    store.order(&by_id(n)).await.unwrap().expect("the order is stored")
}

pub(crate) fn is_conflict<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}

pub(crate) async fn lease(store: &dyn Store, owner: u128, now: i64, until: i64) -> Vec<(OrderId, Task, u32)> {
    let lease = Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 10 };
    let taken = store.lease_tasks(&lease).await.unwrap();
    taken.into_iter().map(|it| (it.order, it.task, it.taken)).collect()
}

pub(crate) async fn with_task(store: &dyn Store, n: u32, due: i64) -> (Order, Task) {
    let order = place(n).order;
    store.commit(first(place(n))).await.unwrap();
    let decision = requested(&order);
    let task = decision.tasks[0].clone();
    let after = decision.order.clone();
    store.commit(changes(Version(1), decision, at(NOW), at(due))).await.unwrap();
    (after, task)
}

/// Stores a paid order, as version 2.
pub(crate) async fn paid(store: &dyn Store, n: u32) -> Order {
    store.commit(first(place(n))).await.unwrap();
    let order = place(n).order;
    let paid = order.settle(&update(&order, &format!("pi_{n}"), IntentStatus::Succeeded), &Policies::DEFAULT, at(NOW));
    let paid = paid.unwrap();
    let after = paid.order.clone();
    store.commit(then(1, paid)).await.unwrap();
    after
}

pub(crate) fn record(key: &IdempotencyKey, order: OrderId) -> IdempotencyRecord {
    let outcome = IdempotencyOutcome::Order { answer: "{\"é\":1}".into() };
    IdempotencyRecord { key: key.clone(), fingerprint: [7; 32], order, outcome, at: at(NOW) }
}

pub(crate) fn event(id: &str, status: EventStatus) -> ReceivedEvent {
    ReceivedEvent {
        id: id.into(),
        kind: "payment_intent.succeeded".into(),
        created_at: at(NOW),
        received_at: at(NOW + 1),
        via: "webhook",
        headers: [("user-agent".to_owned(), "é".to_owned())].into(),
        update: ProviderUpdate::ReadRequired(IntentId::new("pi_1").unwrap()),
        status,
        error: Some("why".into()),
        order: None,
        due_at: (status == EventStatus::Parked).then(|| at(NOW + 10)),
    }
}
