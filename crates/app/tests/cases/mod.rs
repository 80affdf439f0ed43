//! The use cases over a real store, with only the provider scripted. Each store's test program runs all of
//! them.

mod check_payment;
mod create_payment_intent;
mod doubt;
mod edit_and_cancel;
mod list_orders;
mod place_order;
mod settle;

use std::sync::Arc;

use paywright_app::{Access, App, OrderRef, PaymentGateway, PlacedOrder, Store};
use paywright_domain::{IntentId, IntentSnapshot, IntentStatus, Money, Order};
use paywright_testkit::{CountedIds, HandClock, at, new_order};

use crate::Kept;

pub(crate) const NOW: i64 = 1_743_415_050;

/// A shop of one test.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) store: Arc<dyn Store>,
    _kept: Option<Kept>,
}

impl Shop {
    pub(crate) async fn with(gateway: impl PaymentGateway + 'static) -> Self {
        let (store, kept) = crate::fresh_store().await;
        Self { _kept: Some(kept), ..Self::over(store, gateway) }
    }

    /// Another process on the same store.
    pub(crate) fn over(store: Arc<dyn Store>, gateway: impl PaymentGateway + 'static) -> Self {
        let clock = Arc::new(HandClock::at(at(NOW)));
        let ids = Arc::new(CountedIds::default());
        let app = App::new(Arc::clone(&store), Arc::new(gateway), clock, ids, false);
        Self { app, store, _kept: None }
    }

    pub(crate) async fn placed(&self) -> Order {
        match self.app.place_order(new_order(), None).await.unwrap() {
            PlacedOrder::Now(order) => *order,
            before @ PlacedOrder::Before { .. } => panic!("{before:?}"),
        }
    }

    pub(crate) async fn order(&self, order: &Order) -> Order {
        self.app.get_order(&OrderRef::Id(order.id), &Access::All).await.unwrap()
    }

    pub(crate) async fn facts(&self, order: &Order) -> Vec<&'static str> {
        self.store.facts(order.id).await.unwrap().iter().map(|it| it.fact.kind()).collect()
    }
}

/// What the provider says of an intent of `order`.
pub(crate) fn news(order: &Order, intent: &IntentId, status: IntentStatus) -> IntentSnapshot {
    let asked = IntentSnapshot::new(intent.clone(), order.id, order.total, at(NOW + 10));
    let paid = status == IntentStatus::Succeeded;
    IntentSnapshot { status, received: if paid { order.total } else { Money::zero(order.total.currency()) }, ..asked }
}
