//! Requests to Stripe that were committed by the version before epochs and installation ids.

use std::sync::{Arc, Mutex};

use paywright_app::{App, Clock, GatewayError, IssuedIntent, Ports, ReadPayment, Settings, Store, StorePorts};
use paywright_domain::intent::IntentStatus;
use paywright_domain::{IntentSnapshot, OrderId};

use crate::{CountedIds, CountingWaker, HandClock, MockGateway, NoRecords, at, usd};

/// Performs the due tasks of a store whose orders 1 to 3 have an intent to create, an edit and a refund. Each request
/// has the idempotency key and the parameters of that version, since Stripe may have received it already.
pub async fn requests_of_the_version_before_are_repeated_to_the_letter(store: Arc<dyn Store>) {
    let requests = Arc::<Mutex<Vec<String>>>::default();
    let note = |what: &str| {
        let (requests, what) = (Arc::clone(&requests), what.to_owned());
        move |key: &str, parameters: String| requests.lock().unwrap().push(format!("{what} {key} {parameters}"))
    };
    let mut gateway = MockGateway::new();
    let busy = || GatewayError::Busy("429".to_owned());
    let noted = note("create");
    gateway.expect_create_intent().returning(move |new, key| {
        noted(key, format!("{:?} {} {}", new.epoch, new.revision, new.amount.minor()));
        Err(busy())
    });
    let noted = note("update");
    gateway.expect_update_intent().returning(move |_, new, key| {
        noted(key, format!("{:?} {} {}", new.epoch, new.revision, new.amount.minor()));
        Err(busy())
    });
    let noted = note("refund");
    gateway.expect_create_refund().returning(move |new, key| {
        noted(key, format!("{:?} {:?} {} {}", new.epoch, new.request, new.name, new.amount.minor()));
        Err(busy())
    });
    // A payment that was stored without a confirmation is read from Stripe before its first refund.
    gateway.expect_payment().times(1).returning(|id| {
        let order = OrderId("0195ead7-0003-7000-8000-000000000003".parse().unwrap());
        let created = IntentSnapshot::new(id.clone(), order, usd(500), at(1));
        let snapshot = IntentSnapshot { status: IntentStatus::Succeeded, received: usd(500), ..created };
        let issued = IssuedIntent { snapshot, client_secret: None, request: None };
        Ok(ReadPayment { issued, proceeds: None })
    });
    let gateway = Arc::new(gateway);
    let clock = Arc::new(HandClock::at(at(1_743_415_050)));
    let ports = Ports {
        store: StorePorts::of(Arc::clone(&store)),
        background: Arc::<MockGateway>::clone(&gateway),
        gateway,
        records: Arc::new(NoRecords),
        clock: Arc::<HandClock>::clone(&clock),
        ids: Arc::new(CountedIds::default()),
        waker: Arc::new(CountingWaker::default()),
    };
    // A restore since then changes the keys of new requests, but not of these.
    store.begin_epoch(paywright_domain::id::Epoch(7)).await.unwrap();
    let app = App::new(ports, Settings::default());
    app.run_due_tasks(clock.now()).await.unwrap();
    let mut requests = requests.lock().unwrap().clone();
    requests.sort();
    let [one, two, three] = [1, 2, 3].map(|n| format!("0195ead7-000{n}-7000-8000-00000000000{n}"));
    assert_eq!(
        requests,
        [
            format!("create pi:{one}:1:1 None 1 500"),
            format!("refund refund:{three}:1 None None {three}:1 200"),
            format!("update edit:{two}:1 None 2 600"),
        ]
    );
}
