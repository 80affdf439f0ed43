//! Tests of the use cases over a real store, where only Stripe is replaced. The test program of each store runs all of
//! them.

mod actors;
mod books;
mod capture;
mod catch_up;
mod check_payment;
mod confirm_payment;
mod create_payment_intent;
mod doubt;
mod edit_and_cancel;
mod events;
mod exhausted_keys;
mod list_orders;
mod place_order;
mod publish;
mod recover;
mod refunds;
mod retention;
mod settle;
mod shared_account_books;
mod storefront;
mod stripe_endpoints;
mod worker;

use std::sync::Arc;

use paywright_app::{Access, App, OrderRef, PaymentGateway, PlacedOrder, Ports, ProviderRecords, Settings, StorePorts};
use paywright_domain::intent::IntentStatus;
use paywright_domain::{IntentId, IntentSnapshot, Money, Order};
use paywright_testkit::{CountedIds, CountingWaker, HandClock, NoRecords, Provider, at, new_order};

use crate::DatabaseGuard;

pub(crate) const NOW: i64 = 1_743_415_050;

/// Default time for which only the request that committed a task performs it, in seconds.
pub(crate) const PROVIDER_TIMEOUT_SECONDS: u32 = 90;

/// One process of Paywright in a test, with its store and its stand-in for Stripe.
pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) store: StorePorts,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) waker: Arc<CountingWaker>,
    provider: Option<Provider>,
    _guard: Option<DatabaseGuard>,
}

impl Shop {
    /// Shop with a gateway whose answers the test scripts.
    pub(crate) async fn with(gateway: impl PaymentGateway + 'static) -> Self {
        let (store, guard) = crate::fresh_store().await;
        Self { _guard: Some(guard), ..Self::over(StorePorts::of(store), gateway) }
    }

    /// Another process on the same store.
    pub(crate) fn over(store: StorePorts, gateway: impl PaymentGateway + 'static) -> Self {
        let clock = Arc::new(HandClock::at(at(NOW)));
        Self::of(store, Arc::new(gateway), Arc::new(NoRecords), clock, Settings::default())
    }

    /// Shop with a stateful stand-in for Stripe.
    pub(crate) async fn open() -> Self {
        Self::open_with(Settings::default()).await
    }

    pub(crate) async fn open_with(settings: Settings) -> Self {
        let (store, guard) = crate::fresh_store().await;
        Self::open_on(store, guard, settings)
    }

    /// Shop with a stateful stand-in for Stripe, on this store.
    pub(crate) fn open_on(store: Arc<crate::Kind>, guard: DatabaseGuard, settings: Settings) -> Self {
        let clock = Arc::new(HandClock::at(at(NOW)));
        let provider = Provider::by(&clock);
        let shop =
            Self::of(StorePorts::of(store), Arc::new(provider.clone()), Arc::new(provider.clone()), clock, settings);
        Self { _guard: Some(guard), provider: Some(provider), ..shop }
    }

    /// Another process with the same stand-in for Stripe, on `store`.
    pub(crate) fn another_over(&self, store: StorePorts) -> Self {
        let provider = self.provider().clone();
        let (gateway, records) = (Arc::new(provider.clone()), Arc::new(provider.clone()));
        let shop = Self::of(store, gateway, records, Arc::clone(&self.clock), Settings::default());
        Self { provider: Some(provider), ..shop }
    }

    /// Another process with the same stand-in for Stripe and the same store.
    pub(crate) fn another(&self) -> Self {
        self.another_over(self.store.clone())
    }

    fn of(
        store: StorePorts,
        gateway: Arc<dyn PaymentGateway>,
        records: Arc<dyn ProviderRecords>,
        clock: Arc<HandClock>,
        settings: Settings,
    ) -> Self {
        let waker = Arc::new(CountingWaker::default());
        let ports = Ports {
            store: store.clone(),
            background: Arc::clone(&gateway),
            gateway,
            records,
            clock: Arc::<HandClock>::clone(&clock),
            ids: Arc::new(CountedIds::default()),
            waker: Arc::<CountingWaker>::clone(&waker),
        };
        Self { app: App::new(ports, settings), store, clock, waker, provider: None, _guard: None }
    }

    pub(crate) fn provider(&self) -> &Provider {
        self.provider.as_ref().unwrap()
    }

    /// Advances the clock, and runs the worker until nothing is due.
    pub(crate) async fn after(&self, seconds: u32) {
        self.clock.advance_seconds(seconds);
        let mut steps = 0;
        while self.app.run_due_tasks(paywright_app::Clock::now(&*self.clock)).await.unwrap() > 0 {
            steps += 1;
            assert!(steps < 1000, "the worker never comes to an end");
        }
    }

    /// Places an order and creates its PaymentIntent.
    pub(crate) async fn payable(&self) -> (Order, IntentId) {
        self.payable_of(&self.placed().await).await
    }

    async fn payable_of(&self, order: &Order) -> (Order, IntentId) {
        let made = self.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
        let intent = made.order.payable_intent().unwrap().id.clone();
        (made.order, intent)
    }

    /// Places an order, and pays it with a webhook's event.
    pub(crate) async fn paid(&self) -> Order {
        self.pay(&self.placed().await).await
    }

    /// Pays an order, with a webhook's event.
    pub(crate) async fn pay(&self, order: &Order) -> Order {
        let (_, intent) = self.payable_of(order).await;
        self.provider().pay(&intent);
        self.app.settle_from_provider(&self.provider().intent_now(&intent)).await.unwrap()
    }

    /// Keys of the tasks of an order.
    pub(crate) async fn tasks(&self, order: &Order) -> Vec<String> {
        self.store.tasks.tasks(order.id).await.unwrap().iter().map(|it| it.task.key().to_string()).collect()
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
        self.store.orders.facts(order.id).await.unwrap().iter().map(|it| it.fact.kind()).collect()
    }
}

/// Snapshot of a PaymentIntent of `order` with this status.
pub(crate) fn update(order: &Order, intent: &IntentId, status: IntentStatus) -> IntentSnapshot {
    let requested = IntentSnapshot::new(intent.clone(), order.id, order.total, at(NOW + 10));
    let paid = status == IntentStatus::Succeeded;
    IntentSnapshot {
        status,
        received: if paid { order.total } else { Money::zero(order.total.currency()) },
        ..requested
    }
}
