//! Examples of `docs/events.md`: each type of event has one, and it is the event that a sale gives, or the books.

use std::collections::BTreeMap;

use actix_web::http::Method;
use paywright_app::{AccountEventContext, Clock};
use paywright_domain::IntentId;
use paywright_domain::books::PayoutStatus;
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::fact::FeedEventType;
use paywright_domain::id::DisputeId;
use paywright_domain::intent::IntentStatus;
use paywright_testkit::account_event_contract::{account_at, add_account_events, found_break, payout};
use paywright_testkit::{Provider, Trouble, usd};
use serde_json::{Value, json};

use crate::{ORDERS, Service, order};

const DOCUMENT: &str = include_str!("../../../../docs/events.md");

/// Examples in the document, by the type in the heading above each.
fn documented() -> BTreeMap<String, Value> {
    let mut examples = BTreeMap::new();
    for section in DOCUMENT.split("\n### `").skip(1) {
        let (kind, rest) = section.split_once('`').unwrap();
        let json = rest.split_once("```json\n").and_then(|(_, rest)| rest.split_once("```")).unwrap_or_default().0;
        let example = serde_json::from_str(json).unwrap_or_else(|error| panic!("the example of {kind}: {error}"));
        assert_eq!(examples.insert(kind.to_owned(), example), None, "{kind} has two examples");
    }
    examples
}

/// Sales in one shop, with a clock that goes on between the steps.
struct Sales {
    service: Service,
    provider: Provider,
}

impl Sales {
    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        self.service.clock.advance_seconds(1);
        let answer = self.service.call(method, &format!("{ORDERS}{path}"), &body).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        answer.body["data"].clone()
    }

    /// Places an order. Gives its path below [`ORDERS`].
    async fn place(&self, capture: &str) -> String {
        let mut body = order();
        body["capture"] = json!(capture);
        body["email"] = json!("ada@example.com");
        body["metadata"] = json!({ "channel": "web" });
        format!("/{}", self.call(Method::POST, "", body).await["id"].as_str().unwrap())
    }

    /// Creates the PaymentIntent of an order.
    async fn intent(&self, order: &str) -> IntentId {
        self.service.clock.advance_seconds(1);
        let bearer = format!("Bearer {}", self.service.token("cus-ada"));
        let headers = [("x-api-key", self.service.key.as_str()), ("authorization", bearer.as_str())];
        let made = self.service.send(Method::POST, &format!("{ORDERS}{order}/payment-intent"), &headers, b"").await;
        IntentId::new(made.body["data"]["id"].as_str().unwrap_or_else(|| panic!("{made:?}"))).unwrap()
    }

    /// Has a payment read from Stripe that does not pay the order.
    async fn check_payment(&self, order: &str) {
        self.service.clock.advance_seconds(1);
        let checked = self.service.call(Method::POST, &format!("{ORDERS}{order}/payment"), &Value::Null).await;
        assert_eq!(checked.status, 409, "{checked:?}");
    }

    /// Delivers the last event of Stripe.
    async fn receive_event(&self) {
        self.service.clock.advance_seconds(1);
        let event = self.provider.events_now().pop().unwrap();
        self.service.api.app.take_event(event, "webhook", BTreeMap::new()).await.unwrap();
    }

    async fn dispute(&self, intent: &IntentId, status: DisputeStatus) {
        self.provider.dispute(Dispute {
            id: DisputeId::new("du_1").unwrap(),
            intent: intent.clone(),
            amount: usd(11_200),
            status,
            reason: "fraudulent".to_owned(),
            due_by: None,
            withdrawn: true,
            reinstated: status == DisputeStatus::Won,
        });
        self.receive_event().await;
    }

    /// Stores what the books find: a break, and a payout that is paid and fails later.
    async fn keep_books(&self) {
        for event in [
            Some(self.account().break_found(&found_break())),
            self.account().payout_changed(&payout("po_1", PayoutStatus::Paid)),
            self.account().payout_changed(&payout("po_1", PayoutStatus::Failed)),
        ] {
            add_account_events(&*self.service.store, &[event.unwrap()]).await;
        }
    }

    /// The account, a second later.
    fn account(&self) -> AccountEventContext {
        self.service.clock.advance_seconds(1);
        account_at(self.service.clock.now().unix_seconds())
    }

    /// First event of each type.
    async fn events(&self) -> BTreeMap<String, Value> {
        self.service.relay().await;
        let mut events = BTreeMap::new();
        let answer = self.service.call(Method::GET, "/api/v1/shop/events?limit=100", &Value::Null).await;
        assert_eq!(answer.body["data"]["has_more"], false, "one page has all events");
        for event in answer.body["data"]["events"].as_array().unwrap() {
            events.entry(event["type"].as_str().unwrap().to_owned()).or_insert_with(|| event.clone());
        }
        events
    }
}

/// Sales and books that give every type of event.
async fn sales() -> BTreeMap<String, Value> {
    let (service, provider) = Service::open().await;
    let sales = Sales { service, provider };

    let disputed = sales.place("automatic").await;
    let line = json!({ "name": "Main product 2", "amount": 5600, "quantity": 3 });
    sales.call(Method::PATCH, &disputed, json!({ "line_items": [line] })).await;
    let intent = sales.intent(&disputed).await;
    sales.provider.pay(&intent);
    sales.receive_event().await;
    sales.call(Method::POST, &format!("{disputed}/payment"), Value::Null).await;
    sales.call(Method::POST, &format!("{disputed}/refunds"), json!({ "amount": "56.00", "reason": "duplicate" })).await;
    sales.dispute(&intent, DisputeStatus::NeedsResponse).await;
    sales.dispute(&intent, DisputeStatus::Won).await;

    let canceled = sales.place("automatic").await;
    sales.call(Method::POST, &format!("{canceled}/cancel"), json!({ "reason": "abandoned" })).await;

    let underpaid = sales.place("automatic").await;
    let intent = sales.intent(&underpaid).await;
    sales.provider.change(&intent, |it| {
        it.status = IntentStatus::Succeeded;
        it.received = usd(11_000);
    });
    sales.receive_event().await;
    sales.check_payment(&underpaid).await;
    let note = "the customer pays the rest in cash";
    sales
        .call(Method::POST, &format!("{underpaid}/accept"), json!({ "anomaly": "amount_differs", "note": note }))
        .await;

    let returned = sales.place("automatic").await;
    let intent = sales.intent(&returned).await;
    sales.provider.pay(&intent);
    sales.call(Method::POST, &format!("{returned}/payment"), Value::Null).await;
    sales.provider.will([Trouble::Refuses("expired_or_canceled_card")]);
    sales.call(Method::POST, &format!("{returned}/refunds"), json!({ "amount": "56.00" })).await;
    let note = "sent to the customer's bank account";
    sales.call(Method::POST, &format!("{returned}/refunds/1/close"), json!({ "note": note })).await;

    sales.provider.holds_money();
    let expired = sales.place("manual").await;
    let intent = sales.intent(&expired).await;
    sales.provider.pay(&intent);
    sales.receive_event().await;
    sales.provider.change(&intent, |it| {
        it.status = IntentStatus::Canceled;
        it.capturable = usd(0);
    });
    sales.receive_event().await;
    sales.keep_books().await;
    sales.events().await
}

#[actix_web::test]
async fn every_type_of_event_has_an_example_that_a_sale_or_the_books_give() {
    let (documented, produced) = (documented(), sales().await);
    let types: Vec<_> = FeedEventType::ALL.iter().map(|it| it.name().to_owned()).collect();
    for kind in &types {
        let event = produced.get(kind).unwrap_or_else(|| panic!("nothing gives {kind}"));
        let example = documented.get(kind).unwrap_or_else(|| panic!("{kind} has no example; it could be {event}"));
        let mut event = event.clone();
        // The order is shown in full once.
        if !event["order"].is_null() && example["data"].get("order").is_none() {
            event["data"].as_object_mut().unwrap().remove("order").unwrap();
        }
        assert_eq!(*example, event, "{kind}; the event is {event}");
    }
    let unknown: Vec<_> = documented.keys().filter(|it| !types.contains(it)).collect();
    assert!(unknown.is_empty(), "{unknown:?} have examples and are no types");
}
