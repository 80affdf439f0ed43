//! Pages of the feed: their size, and events that are deleted while one is read.

use std::sync::Mutex;

use async_trait::async_trait;
use paywright_app::{
    Changes, DeletedFeedEvents, EventRef, Feed, FeedAppend, FeedLease, FeedPage, FeedQuery, FeedRange, Lease, Orders,
    StoreError, Version,
};
use paywright_domain::Timestamp;
use paywright_testkit::{at, changes, place};

use super::*;

const MEBIBYTE: usize = 1 << 20;

/// Changes that place order `n`, with a snapshot of `bytes` bytes.
fn placed(n: u32, bytes: usize) -> Changes {
    let mut changes = changes(Version::NEW, place(n), at(1), at(1));
    changes.snapshot.as_mut().unwrap().view = "x".repeat(bytes);
    changes
}

fn request(after: Option<u64>) -> FeedPageRequest {
    FeedPageRequest { after: after.map(Position), limit: 100, types: Vec::new(), order: None }
}

#[tokio::test]
async fn a_page_ends_before_its_events_exceed_four_mebibytes() {
    let it = Published::open().await;
    for (n, bytes) in (1..).zip([MEBIBYTE, MEBIBYTE, MEBIBYTE, 5 * MEBIBYTE, 10, 10]) {
        it.store.commit(placed(n, bytes)).await.unwrap();
    }
    it.relay().await;
    for (after, expected, has_more) in
        [(0, vec![1, 2, 3], true), (3, vec![4], true), (4, vec![5, 6], false), (2, vec![3], true)]
    {
        let page = it.publisher.feed_page(request(Some(after))).await.unwrap();
        assert_eq!(positions(&page.events), expected, "after {after}");
        assert_eq!((page.next, page.has_more), (page.events.last().unwrap().position, has_more), "after {after}");
    }
}

#[tokio::test]
async fn a_page_of_small_events_has_as_many_as_requested() {
    let it = Published::open().await;
    for n in 1..=50 {
        it.store.commit(placed(n, 10)).await.unwrap();
    }
    it.relay().await;
    for (limit, expected, next) in [(7, 7, 7), (20, 20, 20), (45, 45, 45), (50, 50, 50), (100, 50, 50)] {
        let page = it.publisher.feed_page(FeedPageRequest { limit, ..request(None) }).await.unwrap();
        assert_eq!(positions(&page.events), (1..=expected).collect::<Vec<_>>());
        assert_eq!((page.next, page.has_more), (Position(next), next < 50));
    }
}

/// Feed in which the first two events are deleted once, while a page is read.
struct Deleting {
    store: Arc<Kind>,
    /// Whether they are deleted before the events of the page are read, not after.
    is_before: bool,
    is_deleted: Mutex<bool>,
}

impl Deleting {
    async fn delete(&self) -> Result<(), StoreError> {
        if !std::mem::replace(&mut *self.is_deleted.lock().unwrap(), true) {
            self.store.delete_feed_events(at(2), 2).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Feed for Deleting {
    async fn unpositioned_events(&self, limit: u16) -> Result<Vec<EventRef>, StoreError> {
        self.store.unpositioned_events(limit).await
    }

    async fn lease_feed(&self, lease: &Lease) -> Result<Option<FeedLease>, StoreError> {
        self.store.lease_feed(lease).await
    }

    async fn append_to_feed(&self, append: &FeedAppend) -> Result<Option<Position>, StoreError> {
        self.store.append_to_feed(append).await
    }

    async fn release_feed(&self, lease: FeedLease) -> Result<(), StoreError> {
        self.store.release_feed(lease).await
    }

    async fn feed_range(&self) -> Result<FeedRange, StoreError> {
        self.store.feed_range().await
    }

    async fn feed_events(&self, query: &FeedQuery) -> Result<Vec<FeedEvent>, StoreError> {
        if self.is_before {
            self.delete().await?;
        }
        let events = self.store.feed_events(query).await;
        self.delete().await?;
        events
    }

    async fn delete_feed_events(&self, before: Timestamp, limit: u16) -> Result<DeletedFeedEvents, StoreError> {
        self.store.delete_feed_events(before, limit).await
    }
}

#[tokio::test]
async fn events_that_are_deleted_while_a_page_is_read_are_not_left_out_silently() {
    for (after, expected) in [(None, Some(vec![3, 4])), (Some(0), Some(vec![3, 4])), (Some(1), None)] {
        let it = Published::open().await;
        for n in 1..=4 {
            it.store.commit(placed(n, 10)).await.unwrap();
        }
        it.relay().await;
        let feed = Deleting { store: Arc::clone(&it.store), is_before: true, is_deleted: Mutex::default() };
        let publisher = publisher_of(Arc::new(feed), &it.store, &it.sender, &it.shop.clock);
        let page = publisher.feed_page(request(after)).await;
        match (page, expected) {
            (Ok(FeedPage { events, next, has_more }), Some(expected)) => {
                assert_eq!((positions(&events), next, has_more), (expected, Position(4), false));
            }
            (Err(FeedPageError::Deleted { first }), None) => assert_eq!(first, Position(3)),
            (page, _) => panic!("after {after:?}: {page:?}"),
        }
    }
}

/// A reader that took an empty page for the end of the feed would stop.
#[tokio::test]
async fn a_page_whose_events_are_deleted_while_it_is_read_is_read_again() {
    let it = Published::open().await;
    for n in 1..=4 {
        it.store.commit(placed(n, 10)).await.unwrap();
    }
    it.relay().await;
    let feed = Deleting { store: Arc::clone(&it.store), is_before: false, is_deleted: Mutex::default() };
    let publisher = publisher_of(Arc::new(feed), &it.store, &it.sender, &it.shop.clock);
    let page = publisher.feed_page(FeedPageRequest { limit: 2, ..request(None) }).await.unwrap();
    assert_eq!((positions(&page.events), page.next, page.has_more), (vec![3, 4], Position(4), false));
}
