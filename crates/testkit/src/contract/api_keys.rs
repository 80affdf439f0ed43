//! Cases of the port [`ApiKeys`](paywright_app::ApiKeys).

use paywright_app::{ApiKey, Scope};
use uuid::Uuid;

use super::{NOW, Subject, is_conflict};
use crate::at;

/// A revoked key is still found, with the time of its first revocation.
pub async fn an_api_key_is_found_by_its_digest_and_can_be_revoked(subject: &impl Subject) {
    let store = subject.store();
    let key = |n: u8| ApiKey {
        id: Uuid::from_u128(u128::from(n)),
        name: format!("shop {n}"),
        digest: [n; 32],
        scopes: vec![Scope::OrdersRead, Scope::OrdersWrite],
        created_at: at(NOW + i64::from(n)),
        expires_at: (n == 2).then(|| at(NOW + 100)),
        revoked_at: None,
    };
    store.add_api_key(&key(1)).await.unwrap();
    store.add_api_key(&key(2)).await.unwrap();
    assert!(is_conflict(&store.add_api_key(&key(1)).await));
    assert_eq!(store.api_key(&[1; 32]).await.unwrap(), Some(key(1)));
    assert_eq!(store.api_key(&[2; 32]).await.unwrap(), Some(key(2)));
    assert_eq!(store.api_keys().await.unwrap(), [key(2), key(1)]);
    assert!(store.revoke_api_key(key(1).id, at(NOW + 7)).await.unwrap());
    assert!(store.revoke_api_key(key(1).id, at(NOW + 9)).await.unwrap());
    let revoked = store.api_key(&[1; 32]).await.unwrap();
    assert_eq!(revoked, Some(ApiKey { revoked_at: Some(at(NOW + 7)), ..key(1) }));
}
