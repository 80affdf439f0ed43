//! Contract tests of the port [`ConsoleSessions`]. `console_contract!(fresh())` makes a test of each function.

use std::sync::Arc;

use paywright_app::{Act, AuditEntry, AuditTrail, ConsoleLink, ConsoleRole, ConsoleSession, ConsoleSessions};
use uuid::Uuid;

use crate::at;
use crate::contract::audit_trail::{entries, entry};
use crate::contract::{NOW, is_conflict};

/// A store with the sessions of operators and their audit trail.
pub trait ConsoleStore: ConsoleSessions + AuditTrail {}

impl<S: ConsoleSessions + AuditTrail> ConsoleStore for S {}

/// Store under test, empty at first.
pub trait ConsoleSubject: Send + Sync {
    /// The ports of the store.
    fn console_store(&self) -> Arc<dyn ConsoleStore>;
}

/// Makes a test of each function of the contract. `$fresh` is an expression of a [`ConsoleSubject`]; it may `.await`.
#[macro_export]
macro_rules! console_contract {
    ($fresh:expr) => {
        $crate::console_contract! { $fresh;
            a_link_is_found_by_its_digest_until_a_session_begins_with_it
            one_of_many_begins_a_session_with_a_link
            a_session_is_noted_forward_only_and_ended_once
            what_has_expired_is_deleted_when_a_session_begins
        }
    };
    ($fresh:expr; $($case:ident)*) => {
        mod console {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let subject = $fresh;
                $crate::console_contract::$case(&subject.console_store()).await;
            })*
        }
    };
}

fn link(n: u8) -> ConsoleLink {
    ConsoleLink {
        id: Uuid::from_u128(u128::from(n)),
        digest: [n; 32],
        operator: "Ada Lovelace".parse().unwrap(),
        role: ConsoleRole::Refund,
        created_at: at(NOW),
        expires_at: at(NOW + 600),
    }
}

/// Session that begins with `link(n)`, with another digest.
fn session(n: u8) -> ConsoleSession {
    let ConsoleLink { id, operator, role, .. } = link(n);
    let (begun_at, expires_at) = (at(NOW + 5), at(NOW + 1000));
    ConsoleSession { id, digest: [100 + n; 32], operator, role, begun_at, seen_at: begun_at, expires_at }
}

fn act(n: u8) -> AuditEntry {
    entry(n, "session", Act::ConsoleSessionEnded)
}

/// Neither is found by the digest of the other.
pub async fn a_link_is_found_by_its_digest_until_a_session_begins_with_it(store: &Arc<dyn ConsoleStore>) {
    store.add_console_link(&link(1), &act(1)).await.unwrap();
    store.add_console_link(&link(2), &act(2)).await.unwrap();
    assert!(is_conflict(&store.add_console_link(&link(2), &act(3)).await));
    assert_eq!(store.console_link(&[1; 32]).await.unwrap(), Some(link(1)));
    assert_eq!(store.console_link(&[3; 32]).await.unwrap(), None);
    assert!(!store.begin_console_session(&session(3), &act(4)).await.unwrap(), "there is no such link");
    assert!(store.begin_console_session(&session(1), &act(5)).await.unwrap());
    assert_eq!(store.console_link(&[1; 32]).await.unwrap(), None);
    assert_eq!(store.console_link(&[2; 32]).await.unwrap(), Some(link(2)));
    assert_eq!(store.console_session(&[101; 32]).await.unwrap(), Some(session(1)));
    assert_eq!(store.console_session(&[1; 32]).await.unwrap(), None);
    assert!(!store.begin_console_session(&session(1), &act(6)).await.unwrap(), "the link is spent");
    assert_eq!(entries(&**store).await, [5, 2, 1]);
}

/// A link that is used twice at once begins one session.
pub async fn one_of_many_begins_a_session_with_a_link(store: &Arc<dyn ConsoleStore>) {
    store.add_console_link(&link(1), &act(1)).await.unwrap();
    let attempts: Vec<_> = (10..18)
        .map(|n| {
            let (store, session) = (Arc::clone(store), ConsoleSession { digest: [n; 32], ..session(1) });
            tokio::spawn(async move { store.begin_console_session(&session, &act(n)).await.unwrap() })
        })
        .collect();
    let mut begun = 0;
    for attempt in attempts {
        begun += u32::from(attempt.await.unwrap());
    }
    assert_eq!(begun, 1);
    assert_eq!(store.console_sessions().await.unwrap().len(), 1);
    assert_eq!(entries(&**store).await.len(), 2);
}

/// The end of a session that has ended has no entry.
pub async fn a_session_is_noted_forward_only_and_ended_once(store: &Arc<dyn ConsoleStore>) {
    for n in [1, 2] {
        store.add_console_link(&link(n), &act(n)).await.unwrap();
        assert!(store.begin_console_session(&session(n), &act(10 + n)).await.unwrap());
    }
    let id = session(1).id;
    store.note_console_session(id, at(NOW + 70)).await.unwrap();
    store.note_console_session(id, at(NOW + 60)).await.unwrap();
    store.note_console_session(Uuid::from_u128(9), at(NOW + 60)).await.unwrap();
    let noted = ConsoleSession { seen_at: at(NOW + 70), ..session(1) };
    assert_eq!(store.console_session(&[101; 32]).await.unwrap(), Some(noted.clone()));
    assert_eq!(store.console_sessions().await.unwrap(), [session(2), noted]);
    assert!(store.end_console_session(id, &act(20)).await.unwrap());
    assert!(!store.end_console_session(id, &act(21)).await.unwrap());
    assert_eq!(store.console_session(&[101; 32]).await.unwrap(), None);
    assert_eq!(store.console_sessions().await.unwrap(), [session(2)]);
    assert_eq!(entries(&**store).await, [20, 12, 11, 2, 1]);
}

/// A link is invalid from its expiry on, and so is a session.
pub async fn what_has_expired_is_deleted_when_a_session_begins(store: &Arc<dyn ConsoleStore>) {
    for n in [1, 2, 3] {
        store.add_console_link(&link(n), &act(n)).await.unwrap();
    }
    assert!(store.begin_console_session(&session(1), &act(10)).await.unwrap());
    let later = ConsoleSession { begun_at: at(NOW + 1000), expires_at: at(NOW + 2000), ..session(2) };
    assert!(store.begin_console_session(&later, &act(11)).await.unwrap());
    assert_eq!(store.console_link(&[3; 32]).await.unwrap(), None);
    assert_eq!(store.console_sessions().await.unwrap(), [later]);
}
