//! Ends of an operator's session.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::Arc;

use paywright_app::{Console, ConsoleRole};
use paywright_store_sqlite::{IN_MEMORY, Options, SqliteStore};
use paywright_testkit::{CountedIds, HandClock, at};

const LINK: [u8; 32] = [1; 32];
const SESSION: [u8; 32] = [2; 32];

async fn signed_in() -> (Console, Arc<HandClock>) {
    let clock = Arc::new(HandClock::at(at(1_743_415_050)));
    let store = Arc::new(SqliteStore::open(IN_MEMORY, Options::default()).unwrap());
    let console = Console::new(store, Arc::<HandClock>::clone(&clock), Arc::new(CountedIds::default()));
    console.add_link("Ada".parse().unwrap(), ConsoleRole::View, LINK).await.unwrap();
    console.sign_in(&LINK, SESSION).await.unwrap().unwrap();
    (console, clock)
}

/// Every request of a person lets it live half an hour longer, for twelve hours.
#[tokio::test]
async fn a_session_that_is_used_ends_after_twelve_hours() {
    let (console, clock) = signed_in().await;
    for _ in 0..28 {
        clock.advance_seconds(25 * 60);
        assert!(console.session(&SESSION).await.unwrap().is_some());
    }
    clock.advance_seconds(25 * 60);
    assert!(console.session(&SESSION).await.unwrap().is_none(), "12 hours have passed");
}

/// A page in a forgotten tab asks every minute.
#[tokio::test]
async fn a_page_that_asks_by_itself_keeps_no_session_alive() {
    let (console, clock) = signed_in().await;
    for _ in 0..29 {
        clock.advance_seconds(60);
        assert!(console.idle_session(&SESSION).await.unwrap().is_some());
    }
    clock.advance_seconds(60);
    assert!(console.idle_session(&SESSION).await.unwrap().is_none());
    assert!(console.session(&SESSION).await.unwrap().is_none());
}
