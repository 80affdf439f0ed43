//! Cases of the idempotency records of the port [`Orders`](paywright_app::Orders).

use std::sync::Arc;

use paywright_app::{IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, OrderQuery, Version};
use uuid::Uuid;

use super::{NOW, Subject, by_id, first, is_conflict, record};
use crate::{at, changes, order_id, place};

/// Order and record are stored together or not at all. The same key of two callers is two keys.
pub async fn an_idempotency_record_is_stored_in_the_same_commit(subject: &impl Subject) {
    let store = subject.store();
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: "k".into() };
    let mut changes = first(place(1));
    changes.idempotency = Some(record(&key, order_id(1)));
    store.commit(changes).await.unwrap();
    assert_eq!(store.idempotency_record(&key).await.unwrap(), Some(record(&key, order_id(1))));

    let mut repeat = first(place(2));
    repeat.idempotency = Some(record(&key, order_id(2)));
    assert!(is_conflict(&store.commit(repeat).await));
    assert_eq!(store.order(&by_id(2)).await.unwrap(), None);

    let other = IdempotencyKey { scope: Uuid::from_u128(2), ..key };
    let mut changes = first(place(3));
    let refund = IdempotencyRecord { outcome: IdempotencyOutcome::Refund { number: 3 }, ..record(&other, order_id(3)) };
    changes.idempotency = Some(refund.clone());
    store.commit(changes).await.unwrap();
    assert_eq!(store.idempotency_record(&other).await.unwrap(), Some(refund));
}

/// 24 requests with the same key each place an order at the same time.
pub async fn one_of_many_concurrent_requests_with_the_same_key_succeeds(subject: &impl Subject) {
    let store = subject.store();
    let key = IdempotencyKey { scope: Uuid::from_u128(1), key: "k".into() };
    let racers: Vec<_> = (1..=24)
        .map(|n| {
            let store = Arc::clone(&store);
            let mut changes = first(place(n));
            changes.idempotency = Some(record(&key, order_id(n)));
            tokio::spawn(async move { store.commit(changes).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    let orders = store.orders(&OrderQuery::newest(100)).await.unwrap();
    assert_eq!((won, orders.len()), (1, 1));
    let kept = store.idempotency_record(&key).await.unwrap().map(|it| it.order);
    assert_eq!(kept, orders.first().map(|it| it.id));
}

/// The oldest records first. A deleted key is a new one; the orders stay.
pub async fn old_idempotency_records_are_deleted_up_to_a_limit(subject: &impl Subject) {
    let store = subject.store();
    let key = |n: u32| IdempotencyKey { scope: Uuid::from_u128(1), key: format!("k{n}") };
    let commit = async |n: u32, of: u32, time: i64| {
        let mut changes = changes(Version::NEW, place(n), at(time), at(time));
        changes.idempotency = Some(IdempotencyRecord { at: at(time), ..record(&key(of), order_id(n)) });
        store.commit(changes).await
    };
    for (n, time) in [(1, NOW + 1), (2, NOW), (3, NOW + 2), (4, NOW + 9)] {
        commit(n, n, time).await.unwrap();
    }
    let delete = |before: i64, limit| store.delete_idempotency_records(at(before), limit);
    assert_eq!(delete(NOW, 10).await.unwrap(), 0, "a record of the time is not older");
    assert_eq!(delete(NOW + 5, 1).await.unwrap(), 1);
    assert_eq!(store.idempotency_record(&key(2)).await.unwrap(), None, "the oldest is deleted first");
    assert_eq!(delete(NOW + 5, 10).await.unwrap(), 2);
    for (n, is_kept) in [(1, false), (3, false), (4, true)] {
        assert_eq!(store.idempotency_record(&key(n)).await.unwrap().is_some(), is_kept, "{n}");
        assert!(store.order(&by_id(n)).await.unwrap().is_some());
    }
    assert!(is_conflict(&commit(5, 4, NOW + 9).await));
    commit(5, 1, NOW + 9).await.unwrap();
}
