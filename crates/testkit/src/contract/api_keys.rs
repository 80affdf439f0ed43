//! Cases of the port [`ApiKeys`](paywright_app::ApiKeys).

use std::num::NonZeroU32;

use paywright_app::{ApiKey, KeyReplacement, KeyUse, Scope};
use uuid::Uuid;

use super::{NOW, Subject, is_conflict};
use crate::{at, audit_entry, audit_entry_at};

fn key(n: u8) -> ApiKey {
    let (id, scopes) = (Uuid::from_u128(u128::from(n)), vec![Scope::OrdersRead, Scope::OrdersWrite]);
    ApiKey::new(id, format!("shop {n}"), [n; 32], scopes, at(NOW + i64::from(n)))
}

/// A revoked key is still found, with the time of its first revocation.
pub async fn an_api_key_is_found_by_its_digest_and_can_be_revoked(subject: &impl Subject) {
    let store = subject.store();
    let limited = ApiKey {
        expires_at: Some(at(NOW + 100)),
        networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::7/128".parse().unwrap()],
        calls_per_minute: NonZeroU32::new(60),
        ..key(2)
    };
    store.add_api_key(&key(1), &audit_entry()).await.unwrap();
    store.add_api_key(&limited, &audit_entry()).await.unwrap();
    assert!(is_conflict(&store.add_api_key(&key(1), &audit_entry()).await));
    assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(key(1)));
    assert_eq!(store.api_key(&[2; 32]).await.unwrap(), Some(limited.clone()));
    assert_eq!(store.api_key(&[3; 32]).await.unwrap(), None);
    assert_eq!(store.api_keys().await.unwrap(), [limited, key(1)]);
    assert!(store.revoke_api_key(key(1).id, &audit_entry_at(at(NOW + 7))).await.unwrap());
    assert!(store.revoke_api_key(key(1).id, &audit_entry_at(at(NOW + 9))).await.unwrap());
    assert!(!store.revoke_api_key(key(3).id, &audit_entry_at(at(NOW + 9))).await.unwrap());
    let revoked = store.api_key(&[1; 32]).await.unwrap();
    assert_eq!(revoked, Some(ApiKey { revoked_at: Some(at(NOW + 7)), ..key(1) }));
}

/// A key is replaced once: the new one is stored and the old one ends, both or neither.
pub async fn an_api_key_is_replaced_once_and_ends_no_later_than_before(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=3 {
        store.add_api_key(&key(n), &audit_entry()).await.unwrap();
    }
    let brief = ApiKey { expires_at: Some(at(NOW + 50)), ..key(4) };
    store.add_api_key(&brief, &audit_entry()).await.unwrap();
    store.revoke_api_key(key(3).id, &audit_entry_at(at(NOW + 9))).await.unwrap();
    let replacement = |old: u8, new: u8| KeyReplacement {
        old: key(old).id,
        old_until: at(NOW + 100),
        new: ApiKey { application: key(old).id, ..key(new) },
    };
    store.replace_api_key(&replacement(1, 11), &[audit_entry()]).await.unwrap();
    let ended = |key: ApiKey, at_most: i64, new: u8| {
        Some(ApiKey { expires_at: Some(at(NOW + at_most)), replaced_by: Some(self::key(new).id), ..key })
    };
    assert_eq!(store.api_key(&[1; 32]).await.unwrap(), ended(key(1), 100, 11));
    assert_eq!(store.api_key(&[11; 32]).await.unwrap(), Some(replacement(1, 11).new));
    store.replace_api_key(&replacement(4, 14), &[audit_entry()]).await.unwrap();
    assert_eq!(store.api_key(&[4; 32]).await.unwrap(), ended(brief, 50, 14), "it expires as early as before");
    for (old, new, why) in [(1, 12, "replaced before"), (9, 12, "there is none"), (2, 11, "the new one exists")] {
        assert!(is_conflict(&store.replace_api_key(&replacement(old, new), &[audit_entry()]).await), "{why}");
    }
    assert_eq!(store.api_key(&[12; 32]).await.unwrap(), None);
    assert_eq!(store.api_key(&[2; 32]).await.unwrap(), Some(key(2)), "nothing of a refused replacement is stored");
    store.replace_api_key(&replacement(11, 21), &[audit_entry()]).await.unwrap();
    // Its program goes on with another key of the same application.
    store.replace_api_key(&replacement(3, 13), &[audit_entry()]).await.unwrap();
    assert_eq!(store.api_key(&[3; 32]).await.unwrap().unwrap().revoked_at, Some(at(NOW + 9)), "it stays revoked");
}

/// The last use of a scope never moves back.
pub async fn the_last_use_of_each_scope_of_a_key_is_kept(subject: &impl Subject) {
    let store = subject.store();
    for n in 1..=2 {
        store.add_api_key(&key(n), &audit_entry()).await.unwrap();
    }
    let used = |n: u8, scope: Scope, day: i64| KeyUse { key: key(n).id, scope, last_used: at(NOW + day * 86_400) };
    let (read, write) = (Scope::OrdersRead, Scope::OrdersWrite);
    assert_eq!(store.key_uses().await.unwrap(), []);
    store.record_key_uses(&[]).await.unwrap();
    store.record_key_uses(&[used(1, write, 3), used(2, read, 1), used(1, read, 1), used(7, read, 1)]).await.unwrap();
    assert_eq!(store.key_uses().await.unwrap(), [used(1, read, 1), used(1, write, 3), used(2, read, 1)]);
    store.record_key_uses(&[used(1, write, 2), used(1, read, 4)]).await.unwrap();
    assert_eq!(store.key_uses().await.unwrap(), [used(1, read, 4), used(1, write, 3), used(2, read, 1)]);
}
