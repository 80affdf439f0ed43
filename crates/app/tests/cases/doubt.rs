//! Requests over a store that does not say whether it committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use paywright_app::{
    Access, Changes, CompletedOrdersQuery, IdempotencyKey, IdempotencyRecord, IdempotentRequest, OrderFilter,
    OrderQuery, OrderRef, OrderSearch, Orders, PlacedOrder, RecordedFact, StoreError, StorePorts, Versioned,
};
use paywright_domain::id::CustomerId;
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::CancelReason;
use paywright_domain::refund::NewRefund;
use paywright_domain::{Order, OrderId, Timestamp};
use paywright_testkit::{HandClock, at, issuing_gateway, new_order, usd};
use uuid::Uuid;

use crate::{NOW, Shop, update};

/// Store whose first commits have an unknown outcome: those before `done` were made, those after it up to `lost` were
/// not, and later ones are answered. If it is `gone`, it answers nothing after the first of them.
struct Doubtful {
    store: StorePorts,
    commits: AtomicU32,
    done: u32,
    lost: u32,
    gone: bool,
    /// Clock of the store, and the seconds that a commit and a read of an order take on it.
    slow: Option<(Arc<HandClock>, u32, u32)>,
}

impl Doubtful {
    fn over(store: &StorePorts, (done, lost): (u32, u32)) -> Self {
        Self { store: store.clone(), commits: AtomicU32::new(0), done, lost, gone: false, slow: None }
    }

    /// Ports to the store, with this one to the orders.
    fn ports(self: &Arc<Self>) -> StorePorts {
        StorePorts { orders: Arc::<Self>::clone(self), ..self.store.clone() }
    }

    /// Fails where the store is gone.
    fn answers(&self) -> Result<(), StoreError> {
        let is_gone = self.gone && self.commits.load(Ordering::SeqCst) > 0;
        if is_gone { Err(StoreError::Unavailable("the database is away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Orders for Doubtful {
    async fn commit(&self, changes: Changes) -> Result<(), StoreError> {
        self.answers()?;
        let commit = self.commits.fetch_add(1, Ordering::SeqCst);
        if let Some((clock, seconds, _)) = &self.slow {
            clock.advance_seconds(*seconds);
        }
        let silent = || StoreError::Unknown("the line went dead".into());
        if commit < self.done {
            self.store.orders.commit(changes).await?;
            Err(silent())
        } else if commit < self.done + self.lost {
            Err(silent())
        } else {
            self.store.orders.commit(changes).await
        }
    }

    async fn order(&self, which: &OrderRef) -> Result<Option<Versioned<Order>>, StoreError> {
        self.answers()?;
        if let Some((clock, _, seconds)) = &self.slow {
            clock.advance_seconds(*seconds);
        }
        self.store.orders.order(which).await
    }
    async fn orders(&self, query: &OrderQuery) -> Result<Vec<Order>, StoreError> {
        self.store.orders.orders(query).await
    }
    async fn completed_orders(&self, query: &CompletedOrdersQuery) -> Result<Vec<Order>, StoreError> {
        self.store.orders.completed_orders(query).await
    }
    async fn count_completed_orders(&self, customer: &CustomerId) -> Result<u64, StoreError> {
        self.store.orders.count_completed_orders(customer).await
    }
    async fn search_orders(&self, search: &OrderSearch) -> Result<Vec<Order>, StoreError> {
        self.store.orders.search_orders(search).await
    }
    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, StoreError> {
        self.store.orders.count_orders(filter).await
    }
    async fn facts(&self, order: OrderId) -> Result<Vec<RecordedFact>, StoreError> {
        self.store.orders.facts(order).await
    }
    async fn idempotency_record(&self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.answers()?;
        self.store.orders.idempotency_record(key).await
    }
    async fn delete_idempotency_records(&self, before: Timestamp, limit: u16) -> Result<u16, StoreError> {
        self.store.orders.delete_idempotency_records(before, limit).await
    }
}

/// Numbers of commits that were made, and that were lost, before one is answered.
const WAYS: [(u32, u32); 5] = [(1, 0), (0, 1), (0, 3), (1, 1), (1, 3)];

/// Shop on the store of `shop`, whose next commits have such outcomes.
fn in_doubt(shop: &Shop, way: (u32, u32)) -> Shop {
    Shop::over(Arc::new(Doubtful::over(&shop.store, way)).ports(), issuing_gateway(at(NOW)))
}

#[tokio::test]
async fn a_refund_in_doubt_is_created_once() {
    for way in WAYS {
        for with_key in [true, false] {
            let shop = Shop::open().await;
            let order = shop.paid().await;
            let doubtful = shop.another_over(Arc::new(Doubtful::over(&shop.store, way)).ports());
            let new = NewRefund { amount: Some(usd(500)), ..NewRefund::default() };
            let key = with_key.then(|| (request().key, [7; 32]));
            let refunded = doubtful.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &new, key).await.unwrap();
            let after = shop.order(&order).await;
            assert_eq!(after.refunds, [refunded.refund], "{way:?}");
            assert_eq!(shop.provider().refunds_now().len(), 1, "{way:?}");
        }
    }
}

fn request() -> IdempotentRequest {
    let key = IdempotencyKey { scope: Uuid::nil(), key: "cart-7".into() };
    IdempotentRequest { key, fingerprint: [7; 32], answer: |order| order.number.to_string() }
}

#[tokio::test]
async fn a_placement_in_doubt_places_one_order() {
    for way in WAYS {
        for with_key in [true, false] {
            let shop = Shop::with(issuing_gateway(at(NOW))).await;
            let placed = in_doubt(&shop, way).app.place_order(new_order(), with_key.then(request)).await.unwrap();
            let PlacedOrder::Now(order) = placed else { panic!("{way:?}: {placed:?}") };
            let all = shop.store.orders.orders(&OrderQuery::newest(10)).await.unwrap();
            assert_eq!(all, [*order.clone()], "{way:?}");
            assert_eq!(shop.facts(&order).await, ["order.placed"], "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_payment_in_doubt_creates_one_intent_and_pays_once() {
    for way in WAYS {
        let shop = Shop::with(issuing_gateway(at(NOW))).await;
        let order = shop.placed().await;
        let paying = in_doubt(&shop, way);
        let made = paying.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
        let intent = made.order.payable_intent().unwrap().id.clone();
        let settling = in_doubt(&shop, way);
        settling.app.settle_from_provider(&update(&order, &intent, IntentStatus::Succeeded)).await.unwrap();
        let facts = shop.facts(&order).await;
        assert_eq!(facts.iter().filter(|it| **it == "order.paid").count(), 1, "{way:?}: {facts:?}");
        assert_eq!(shop.order(&order).await.intents.len(), 1, "{way:?}");
    }
}

#[tokio::test]
async fn a_cancellation_in_doubt_is_carried_out_once() {
    for way in WAYS {
        let shop = Shop::with(issuing_gateway(at(NOW))).await;
        let order = shop.placed().await;
        let by_id = OrderRef::Id(order.id);
        in_doubt(&shop, way).app.cancel_order(&by_id, &Access::All, CancelReason::Abandoned).await.unwrap();
        assert_eq!(shop.facts(&order).await, ["order.placed", "order.canceled"], "{way:?}");
    }
}

#[tokio::test]
async fn a_request_gives_up_after_some_attempts_when_the_store_never_answers() {
    let shop = Shop::with(issuing_gateway(at(NOW))).await;
    let silent = in_doubt(&shop, (0, 1000));
    let refused = silent.app.place_order(new_order(), Some(request())).await;
    assert!(matches!(refused, Err(paywright_app::PlaceOrderError::Store(StoreError::Unknown(_)))), "{refused:?}");
    let again = shop.app.place_order(new_order(), Some(request())).await;
    assert!(matches!(again, Ok(PlacedOrder::Now(_))), "{again:?}");
}

/// Whichever step fails after a commit that was made or is in doubt: the caller is not told that nothing changed, and
/// does not repeat the request without a key for that reason.
#[tokio::test]
async fn after_a_commit_in_doubt_no_failure_claims_that_nothing_changed() {
    for (done, lost) in [(1, 0), (0, 1)] {
        let shop = Shop::open().await;
        let (placed, paid) = (shop.placed().await, shop.paid().await);
        let over = |store: &StorePorts| {
            let store = Doubtful { gone: true, ..Doubtful::over(store, (done, lost)) };
            shop.another_over(Arc::new(store).ports()).app.for_request()
        };
        let gone = || over(&shop.store);
        // Ids of orders are counted from one on.
        let (first, second) = (Shop::open().await, Shop::open().await);
        let (unpaid, paid) = (OrderRef::Id(placed.id), OrderRef::Id(paid.id));
        let all = &Access::All;
        let new = NewRefund { amount: Some(usd(500)), ..NewRefund::default() };
        let lines = paywright_testkit::edit_of_lines(900);
        for (what, error) in [
            ("place", over(&first.store).place_order(new_order(), None).await.map(drop).unwrap_err().to_string()),
            (
                "place by key",
                over(&second.store).place_order(new_order(), Some(request())).await.map(drop).unwrap_err().to_string(),
            ),
            ("refund", gone().refund_payment(&paid, all, &new, None).await.map(drop).unwrap_err().to_string()),
            ("edit", gone().edit_order(&unpaid, all, lines).await.map(drop).unwrap_err().to_string()),
            ("ask", gone().create_payment_intent(&unpaid, all).await.map(drop).unwrap_err().to_string()),
            (
                "cancel",
                gone().cancel_order(&unpaid, all, CancelReason::Abandoned).await.map(drop).unwrap_err().to_string(),
            ),
        ] {
            assert!(error.starts_with("the store did not confirm whether it committed"), "{what} ({done}): {error}");
        }
    }
}

/// Before anything was written, a store that is down has changed nothing, and the error says so.
#[tokio::test]
async fn a_store_that_is_down_from_the_beginning_has_changed_nothing() {
    let shop = Shop::open().await;
    let order = shop.placed().await;
    let store = Doubtful { commits: AtomicU32::new(1), gone: true, ..Doubtful::over(&shop.store, (0, 0)) };
    let app = shop.another_over(Arc::new(store).ports()).app.for_request();
    let refused = app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await;
    assert!(refused.is_err_and(|it| it.to_string().starts_with("the store is unavailable")));
}

/// The standby is gone: each commit takes the whole timeout, and its outcome stays unknown.
#[tokio::test]
async fn a_request_in_doubt_ends_at_its_deadline_as_unknown() {
    // Whether the last commit before the deadline was made or not.
    for way in [(0, 1000), (2, 1000), (1000, 0)] {
        let shop = Shop::open().await;
        let (unpaid, paid) = (shop.placed().await, shop.paid().await);
        let elsewhere = Shop::open().await;
        let slow = |store: &StorePorts| {
            let slow = Some((Arc::clone(&shop.clock), 8, 0));
            let store = Arc::new(Doubtful { slow, ..Doubtful::over(store, way) });
            (shop.another_over(store.ports()).app.for_request(), store)
        };
        let (refunding, refunds) = slow(&shop.store);
        let (canceling, cancels) = slow(&shop.store);
        let (placing, placements) = slow(&elsewhere.store);
        let new = NewRefund { amount: Some(usd(500)), ..NewRefund::default() };
        let refund = refunding.refund_payment(&OrderRef::Id(paid.id), &Access::All, &new, None).await;
        let cancel = canceling.cancel_order(&OrderRef::Id(unpaid.id), &Access::All, CancelReason::Abandoned).await;
        let place = placing.place_order(new_order(), Some(request())).await;
        for (what, error, store) in [
            ("refund", refund.map(drop).err().map(|it| it.to_string()), refunds),
            ("cancel", cancel.map(drop).err().map(|it| it.to_string()), cancels),
            ("place", place.map(drop).err().map(|it| it.to_string()), placements),
        ] {
            let commits = store.commits.load(Ordering::SeqCst);
            assert!(commits <= 2, "{what} {way:?}: {commits} attempts");
            // A read within the deadline finds the outcome.
            let is_unknown =
                error.as_ref().is_some_and(|it| it.starts_with("the store did not confirm whether it committed"));
            assert!(is_unknown || (error.is_none() && way.0 > 0), "{what} {way:?}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_request_past_its_deadline_sends_no_commit() {
    let shop = Shop::open().await;
    let order = OrderRef::Id(shop.placed().await.id);
    let slow = Some((Arc::clone(&shop.clock), 0, paywright_app::STORE_WAIT_SECONDS));
    let store = Arc::new(Doubtful { slow, ..Doubtful::over(&shop.store, (0, 0)) });
    let app = shop.another_over(store.ports()).app;
    let refused = app.for_request().cancel_order(&order, &Access::All, CancelReason::Abandoned).await;
    assert!(refused.is_err_and(|it| it.to_string().starts_with("the store is unavailable")));
    assert_eq!(store.commits.load(Ordering::SeqCst), 0);
    // The worker has no caller, and no deadline.
    app.in_background().cancel_order(&order, &Access::All, CancelReason::Abandoned).await.unwrap();
}
