//! Cases of the port [`Cursors`](paywright_app::Cursors).

use paywright_app::{Cursor, CursorDue, Lease};
use tokio::join;
use uuid::Uuid;

use super::{NOW, Subject};
use crate::at;

/// Two owners lease the cursor at once.
pub async fn a_cursor_is_leased_when_due_by_one_owner_at_a_time(subject: &impl Subject) {
    let store = subject.store();
    let lease = |owner, now, until| Lease { owner: Uuid::from_u128(owner), now: at(now), until: at(until), limit: 1 };
    let due = |by| CursorDue::now(at(by), 600);
    let (left, right) = (lease(1, NOW, NOW + 10), lease(2, NOW, NOW + 10));
    let (left, right) =
        join!(store.lease_cursor("walk", &left, due(NOW)), store.lease_cursor("walk", &right, due(NOW)));
    let (left, right) = (left.unwrap(), right.unwrap());
    let first = Cursor { value: None };
    assert!(left.as_ref().xor(right.as_ref()) == Some(&first), "{left:?} {right:?}");
    let (winner, loser) = if left.is_some() { (1, 2) } else { (2, 1) };
    let moved = Cursor { value: Some("evt_7".into()) };
    let owner = Uuid::from_u128;
    assert!(!store.move_cursor("walk", owner(loser), &moved, at(NOW + 50)).await.unwrap());
    assert!(store.move_cursor("walk", owner(winner), &moved, at(NOW + 50)).await.unwrap());
    assert!(!store.move_cursor("walk", owner(winner), &first, at(NOW)).await.unwrap(), "the lease was released");
    let lease_due = async |owner, now, until| store.lease_cursor("walk", &lease(owner, now, until), due(now)).await;
    assert_eq!(lease_due(1, NOW + 49, NOW + 60).await.unwrap(), None);
    assert_eq!(lease_due(1, NOW + 50, NOW + 60).await.unwrap(), Some(moved.clone()));
    assert_eq!(lease_due(2, NOW + 59, NOW + 70).await.unwrap(), None, "leased");
    assert_eq!(lease_due(2, NOW + 60, NOW + 70).await.unwrap(), Some(moved), "the lease has expired");
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 500)).await.unwrap());
    let early = lease(1, NOW + 70, NOW + 80);
    assert_eq!(store.lease_cursor("walk", &early, due(NOW + 500)).await.unwrap(), Some(first.clone()), "due by then");
    // While a clock ran two days ahead, the cursor was moved and then leased.
    let ahead = NOW + 2 * 86_400;
    assert!(store.move_cursor("walk", owner(1), &first, at(ahead)).await.unwrap());
    assert_eq!(
        lease_due(2, NOW + 90, NOW + 100).await.unwrap(),
        Some(first.clone()),
        "the due time is later than the maximum"
    );
    assert!(store.move_cursor("walk", owner(2), &first, at(NOW + 90)).await.unwrap());
    assert!(lease_due(1, ahead, ahead + 10).await.unwrap().is_some());
    assert_eq!(lease_due(2, NOW + 100, NOW + 110).await.unwrap(), Some(first), "the lease is longer than the maximum");
}
