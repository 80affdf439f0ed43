//! Cases of the port [`AuditTrail`].

use paywright_app::{Act, Actor, ApiKey, AuditEntry, AuditQuery, AuditTrail, Changes, KeyReplacement, Scope, Version};
use paywright_domain::IntentId;
use paywright_domain::order::CancelReason;
use paywright_domain::refund::RefundOrigin;
use uuid::Uuid;

use super::{NOW, Subject, first, is_conflict, stored, then};
use crate::{at, place, usd};

/// Entry whose id grows with `n`, so that a higher `n` is newer.
pub(crate) fn entry(n: u8, subject: &str, act: Act) -> AuditEntry {
    AuditEntry {
        id: Uuid::from_u128(u128::from(n)),
        at: at(NOW + i64::from(n)),
        act,
        subject: subject.to_owned(),
        actor: None,
        address: None,
        request: None,
    }
}

/// Ids of the entries, the newest first.
pub(crate) async fn entries(store: &(impl AuditTrail + ?Sized)) -> Vec<u128> {
    let query = AuditQuery { older_than: None, subject: None, key: None, limit: 100 };
    store.audit_entries(&query).await.unwrap().iter().map(|it| it.id.as_u128()).collect()
}

/// Pages miss no entry and repeat none.
pub async fn the_audit_trail_is_read_by_page_subject_and_key(subject: &impl Subject) {
    let store = subject.store();
    let intent = IntentId::new("pi_1").unwrap();
    let by_key = |key: u128| Some(Actor::ApiKey { key: Uuid::from_u128(key), key_name: "Kasse \u{1F6D2}".into() });
    let refund =
        Act::RefundRequested { refund: 2, intent: intent.clone(), amount: usd(750), origin: RefundOrigin::Shop };
    let rotated = Act::KeyRotated { new: Uuid::from_u128(9), old_until: at(NOW + 5) };
    let all = [
        AuditEntry {
            actor: by_key(7),
            address: Some("2001:db8::7".parse().unwrap()),
            request: Some("req_1".into()),
            ..entry(1, "order", refund)
        },
        AuditEntry { actor: by_key(8), ..entry(2, "order", Act::CaptureRequested { intent, amount: None }) },
        AuditEntry { actor: Some(Actor::Operator { operator: "ada".into() }), ..entry(3, "key", rotated) },
        AuditEntry { actor: by_key(7), ..entry(4, "hook", Act::EndpointReplayed { after: 12 }) },
        entry(5, "order", Act::CancellationRequested),
    ];
    for it in &all {
        store.add_audit_entry(it).await.unwrap();
    }
    assert!(is_conflict(&store.add_audit_entry(&all[0]).await));
    let read = async |older_than: Option<u128>, subject: Option<&str>, key: Option<u128>, limit: u16| {
        let (older_than, key) = (older_than.map(Uuid::from_u128), key.map(Uuid::from_u128));
        let query = AuditQuery { older_than, subject: subject.map(str::to_owned), key, limit };
        store.audit_entries(&query).await.unwrap()
    };
    let newest: Vec<_> = all.iter().rev().cloned().collect();
    assert_eq!(read(None, None, None, 100).await, newest);
    assert_eq!(read(None, None, None, 2).await, newest[..2]);
    assert_eq!(read(Some(4), None, None, 2).await, newest[2..4]);
    let numbers = |found: Vec<AuditEntry>| found.iter().map(|it| it.id.as_u128()).collect::<Vec<_>>();
    for (older_than, subject, key, expected) in [
        (None, Some("order"), None, vec![5, 2, 1]),
        (Some(2), Some("order"), None, vec![1]),
        (None, Some("order"), Some(7), vec![1]),
        (None, None, Some(7), vec![4, 1]),
        (Some(4), None, Some(7), vec![1]),
        (None, Some("none"), None, vec![]),
        (None, None, Some(9), vec![]),
    ] {
        assert_eq!(numbers(read(older_than, subject, key, 9).await), expected, "{subject:?} {key:?}");
    }
}

/// A call that changes no key leaves no entry.
pub async fn a_change_of_keys_is_stored_with_its_audit_entry(subject: &impl Subject) {
    let store = subject.store();
    let key = |n: u8| {
        ApiKey::new(Uuid::from_u128(u128::from(n)), format!("shop {n}"), [n; 32], vec![Scope::OrdersRead], at(NOW))
    };
    let act = |n: u8| entry(n, "key", Act::KeyRevoked);
    store.add_api_key(&key(1), &act(1)).await.unwrap();
    assert!(is_conflict(&store.add_api_key(&key(1), &act(2)).await));
    assert_eq!(entries(&*store).await, [1]);
    let replacement = |old: u8, new: u8| KeyReplacement { old: key(old).id, old_until: at(NOW + 100), new: key(new) };
    store.replace_api_key(&replacement(1, 2), &[act(3)]).await.unwrap();
    assert!(is_conflict(&store.replace_api_key(&replacement(1, 3), &[act(4)]).await));
    assert!(is_conflict(&store.replace_api_key(&replacement(9, 3), &[act(5)]).await));
    assert_eq!(entries(&*store).await, [3, 1]);
    assert!(store.revoke_api_key(key(2).id, &act(6)).await.unwrap());
    assert!(store.revoke_api_key(key(2).id, &act(7)).await.unwrap());
    assert!(!store.revoke_api_key(key(9).id, &act(8)).await.unwrap());
    assert_eq!(entries(&*store).await, [6, 3, 1]);
    // An entry that cannot be stored holds up its act.
    assert!(is_conflict(&store.add_api_key(&key(4), &act(6)).await));
    assert_eq!(store.api_key(&key(4).digest).await.unwrap(), None);
}

/// Entries are stored with a commit of any kind, and not with one that is refused.
pub async fn a_commit_is_stored_with_its_audit_entries(subject: &impl Subject) {
    let store = subject.store();
    let acts = |ids: &[u8]| ids.iter().map(|n| entry(*n, "order", Act::CancellationRequested)).collect::<Vec<_>>();
    store.commit(first(place(1))).await.unwrap();
    let canceled = place(1).order.cancel(CancelReason::Duplicate, at(NOW + 1)).unwrap();
    let canceled = Changes { audit: acts(&[1, 2]), ..then(1, canceled) };
    store.commit(canceled.clone()).await.unwrap();
    assert_eq!(entries(&*store).await, [2, 1]);
    assert_eq!(stored(&*store, 1).await.version, Version(2));
    let stale = Changes { audit: acts(&[3]), ..canceled };
    assert!(is_conflict(&store.commit(stale).await));
    assert_eq!(entries(&*store).await, [2, 1]);
}
