//! Webhook subscribers of the Platform API, and what they are sent.

use paywright_app::EndpointFormat;
use paywright_testkit::ScriptedSender;

use super::*;

const SUBSCRIBERS: &str = "/webhooks/subscribers";
const EVENTS: &str = "/webhooks/events";
const URL: &str = "https://example.com/spree";

impl Service {
    async fn webhooks(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.call(method, &format!("/api/v2/platform{path}"), body).await
    }

    async fn subscribe(&self, subscriber: Value) -> Value {
        let created = self.webhooks(Method::POST, SUBSCRIBERS, &json!({ "subscriber": subscriber })).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.body["data"].clone()
    }

    async fn change(&self, id: &str, subscriber: Value) -> Answer {
        let path = format!("{SUBSCRIBERS}/{id}");
        self.webhooks(Method::PATCH, &path, &json!({ "subscriber": subscriber })).await
    }

    /// Data of a list.
    async fn resources_of(&self, path: &str) -> Vec<Value> {
        let answer = self.webhooks(Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        for name in ["self", "next", "prev", "last", "first"] {
            assert!(answer.body["links"][name].is_string(), "{answer:?}");
        }
        assert_eq!(answer.body["meta"]["count"], answer.body["data"].as_array().unwrap().len());
        answer.body["data"].as_array().unwrap().clone()
    }

    /// Delivers all that is due, and returns the bodies that were sent since the start.
    async fn delivered(&self) -> Vec<Value> {
        self.relay().await;
        while self.api.publisher.run_deliveries().await.unwrap() > 0 {}
        self.sender.sent().iter().map(|it| serde_json::from_str(&it.body).unwrap()).collect()
    }
}

fn kinds(bodies: &[Value]) -> Vec<&str> {
    bodies.iter().map(|it| it["event_type"].as_str().unwrap()).collect()
}

fn id_of(resource: &Value) -> &str {
    resource["id"].as_str().unwrap()
}

#[actix_web::test]
async fn a_subscriber_is_created_inactive_read_changed_and_deleted() {
    let (service, _) = Service::open().await;
    let created = service.subscribe(json!({ "url": URL, "subscriptions": ["order.paid", "order.paid"] })).await;
    assert_eq!(created["type"], "subscriber");
    let secret = created["attributes"]["secret_key"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let time = "2025-03-31T09:57:30.000Z";
    let mut expected = json!({
        "url": URL, "active": false, "subscriptions": ["order.paid"], "created_at": time, "updated_at": time,
    });
    let path = format!("{SUBSCRIBERS}/{}", id_of(&created));
    let read = service.webhooks(Method::GET, &path, &Value::Null).await;
    assert_eq!(read.body["data"]["attributes"], expected, "the secret is shown once");
    service.clock.advance_seconds(9);
    let changed = service.change(id_of(&created), json!({ "active": true, "subscriptions": ["*"] })).await;
    (expected["active"], expected["subscriptions"]) = (json!(true), json!(["*"]));
    expected["updated_at"] = json!("2025-03-31T09:57:39.000Z");
    assert_eq!((changed.status, &changed.body["data"]["attributes"]), (200, &expected));
    let shop = service.call(Method::GET, "/api/v1/shop/webhook_endpoints", &Value::Null).await;
    let shown = &shop.body["data"]["endpoints"][0];
    assert_eq!((&shown["format"], &shown["status"]), (&json!("spree"), &json!("enabled")));
    let types = json!({ "types": ["order.paid"] });
    let path_in_shop = format!("/api/v1/shop/webhook_endpoints/{}", id_of(&created));
    let refused = service.call(Method::PATCH, &path_in_shop, &types).await;
    assert_eq!((refused.status, refused.code()), (409, "types_follow_subscriptions"));
    let deleted = service.webhooks(Method::DELETE, &path, &Value::Null).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    let gone = service.webhooks(Method::GET, &path, &Value::Null).await;
    assert_eq!(gone.status, 404);
}

#[actix_web::test]
async fn a_wrong_subscriber_is_refused_in_the_words_of_spree() {
    let (service, _) = Service::open().await;
    for (subscriber, field, problem) in [
        (json!({ "active": true }), "url", "can't be blank"),
        (json!({ "url": " " }), "url", "can't be blank"),
        (json!({ "url": "ftp://example.com/a" }), "url", "must be a valid URL"),
        (json!({ "url": "nonsense" }), "url", "must be a valid URL"),
        (json!({ "url": "https://example.com" }), "url", "the URL must have a path"),
        (json!({ "url": "https://ada:hush@example.com/a" }), "url", "must have no user name and no password"),
        (json!({ "url": URL, "subscriptions": "order.paid" }), "subscriptions", "must be an array of"),
        (
            json!({ "url": URL, "subscriptions": ["order.shipped"] }),
            "subscriptions",
            "order.shipped is never sent: use *, or of order.create, ",
        ),
        (json!({ "url": URL, "subscriptions": ["order.*"] }), "subscriptions", "order.* is never sent"),
        (json!({ "url": URL, "secret_key": "mine" }), "secret_key", "is not a known field"),
    ] {
        let refused = service.webhooks(Method::POST, SUBSCRIBERS, &json!({ "subscriber": subscriber })).await;
        assert_eq!(refused.status, 422, "{subscriber}: {refused:?}");
        let problems = refused.body["errors"][field][0].as_str().unwrap_or_default();
        assert!(problems.contains(problem), "{subscriber}: {refused:?}");
    }
    let whole = service.webhooks(Method::POST, SUBSCRIBERS, &json!({ "subscriber": {"url": ""} })).await;
    assert_eq!(whole.body, json!({ "error": "Url can't be blank", "errors": { "url": ["can't be blank"] } }));
    assert_eq!(service.webhooks(Method::POST, SUBSCRIBERS, &json!({})).await.status, 400);
    for (path, status) in [
        ("/webhooks/subscribers/7", 404),
        ("/webhooks/subscribers?filter[name_eq]=a", 422),
        ("/webhooks/events?filter[success]=a", 422),
        ("/webhooks/events?filter[response_code_eq]=ok", 422),
        ("/webhooks/events?include=order", 400),
        ("/webhooks/subscribers?per_page=0", 422),
        ("/webhooks/events?sort=name", 422),
    ] {
        assert_eq!(service.webhooks(Method::GET, path, &Value::Null).await.status, status, "{path}");
    }
    service.sender.allows_no_url("must lead to a public address");
    let private = service.webhooks(Method::POST, SUBSCRIBERS, &json!({ "subscriber": {"url": URL} })).await;
    assert_eq!((private.status, &private.body["errors"]["url"][0]), (422, &json!("must lead to a public address")));
}

#[actix_web::test]
async fn an_endpoint_of_the_shop_is_no_subscriber() {
    let (service, _) = Service::open().await;
    let made = service.call(Method::POST, "/api/v1/shop/webhook_endpoints", &json!({ "url": URL })).await;
    let id = made.body["data"]["id"].as_str().unwrap();
    let (found, changed) = (
        service.webhooks(Method::GET, &format!("{SUBSCRIBERS}/{id}"), &Value::Null).await,
        service.change(id, json!({ "active": false })).await,
    );
    assert_eq!((found.status, changed.status), (404, 404));
    assert_eq!(service.resources_of(SUBSCRIBERS).await, Vec::<Value>::new());
}

#[actix_web::test]
async fn subscribers_are_listed_by_filters_and_pages() {
    let (service, _) = Service::open().await;
    let mut ids = Vec::new();
    for (host, active) in [("a", true), ("b", false), ("c", true)] {
        let made = service.subscribe(json!({ "url": format!("https://{host}.example/Hooks"), "active": active })).await;
        ids.push(id_of(&made).to_owned());
    }
    for (query, expected) in [
        ("", [0, 1, 2].as_slice()),
        ("?filter[active_eq]=true", &[0, 2]),
        ("?filter[active_eq]=0", &[1]),
        ("?filter[url_cont]=B.EXAMPLE/hooks", &[1]),
        ("?per_page=2", &[0, 1]),
        ("?per_page=2&page=2", &[2]),
    ] {
        let found = service.resources_of(&format!("{SUBSCRIBERS}{query}")).await;
        let expected: Vec<_> = expected.iter().map(|it| ids[*it].as_str()).collect();
        assert_eq!(found.iter().map(id_of).collect::<Vec<_>>(), expected, "{query}");
    }
}

#[actix_web::test]
async fn a_sale_becomes_the_events_of_spree_with_growing_ids() {
    let (service, provider) = Service::open().await;
    let subscriber = service.subscribe(json!({ "url": URL, "subscriptions": ["*"] })).await;
    service.placed_for("early@example.com").await;
    assert_eq!(service.delivered().await, Vec::<Value>::new(), "it is inactive");
    service.change(id_of(&subscriber), json!({ "active": true })).await;
    let order = service.placed_for("ada@example.com").await;
    let intent = service.pay(&provider, &order).await;
    let refund = json!({ "amount": "2.00" });
    assert_eq!(service.call(Method::POST, &format!("{ORDERS}/{order}/refunds"), &refund).await.status, 201);
    let bodies = service.delivered().await;
    let expected = [
        "order.create",
        "order.placed",
        "payment.create",
        "payment.update",
        "payment.paid",
        "order.paid",
        "refund.create",
        "order.update",
    ];
    assert_eq!(kinds(&bodies), expected);
    let ids: Vec<_> = bodies.iter().map(|it| it["event_id"].as_u64().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!((ids[4] - ids[3], ids[5] - ids[3], ids[3] % 100), (1, 2, 0));
    for body in &bodies {
        judge(body);
        assert_eq!(body["event_created_at"], "2025-03-31T09:57:30.000Z");
    }
    assert_eq!(bodies[1]["data"]["attributes"]["state"], "payment", "the version of the fact");
    assert_eq!(bodies[1]["data"]["attributes"]["email"], "ada@example.com");
    let paid = &bodies[5]["data"];
    assert_eq!((&paid["id"], &paid["attributes"]["payment_state"]), (&json!(order), &json!("paid")));
    let included = bodies[5]["included"].as_array().unwrap();
    let of = |kind: &str| included.iter().find(|it| it["type"] == kind).unwrap();
    assert_eq!(
        (of("payment")["id"].as_str(), of("line_item")["attributes"]["quantity"].as_u64()),
        (Some(&*intent), Some(2))
    );
    assert_eq!(bodies[4]["data"]["attributes"]["response_code"], intent);
    assert_eq!(
        (&bodies[6]["data"]["type"], &bodies[6]["data"]["attributes"]["amount"]),
        (&json!("refund"), &json!("2.0"))
    );
    assert_eq!(bodies[7]["data"]["attributes"]["payment_state"], "balance_due");
    let sent = service.sender.sent();
    assert!(sent.iter().all(|it| it.format == EndpointFormat::Spree));
    let webhook_ids: BTreeSet<_> = sent.iter().map(|it| it.id).collect();
    assert_eq!(webhook_ids.len(), sent.len(), "each event of Spree has a webhook-id of its own");
}

#[actix_web::test]
async fn a_canceled_order_voids_its_payment() {
    let (service, _) = Service::open().await;
    service
        .subscribe(json!({ "url": URL, "active": true, "subscriptions": ["order.canceled", "payment.voided"] }))
        .await;
    let order = service.placed_for("ada@example.com").await;
    let intent = service.intent_of(&order).await;
    let canceled = service.call(Method::POST, &format!("{ORDERS}/{order}/cancel"), &Value::Null).await;
    assert_eq!(canceled.status, 200, "{canceled:?}");
    let bodies = service.delivered().await;
    let mut sorted = kinds(&bodies);
    sorted.sort_unstable();
    assert_eq!(sorted, ["order.canceled", "payment.voided"]);
    for body in &bodies {
        judge(body);
        if body["event_type"] == "payment.voided" {
            assert_eq!(body["data"]["id"], intent.as_str());
            assert_eq!(body["data"]["attributes"]["state"], "void");
        } else {
            assert_eq!(body["data"]["attributes"]["state"], "canceled");
        }
    }
}

#[actix_web::test]
async fn attempts_are_listed_as_events() {
    let (service, _) = Service::open().await;
    let subscriber = service.subscribe(json!({ "url": URL, "active": true, "subscriptions": ["*"] })).await;
    let refused = paywright_app::SendErrorClass::Connect;
    service.sender.will([ScriptedSender::answer(500), ScriptedSender::answer(200), ScriptedSender::error(refused)]);
    service.placed_for("ada@example.com").await;
    service.delivered().await;
    service.clock.advance_seconds(600);
    service.delivered().await;
    let all = service.resources_of(EVENTS).await;
    let shown: Vec<_> = all
        .iter()
        .map(|it| {
            let it = &it["attributes"];
            (it["name"].as_str().unwrap(), it["success"].as_bool().unwrap(), it["response_code"].as_str().unwrap())
        })
        .collect();
    assert!(shown.contains(&("order.create", false, "500")), "{shown:?}");
    assert!(
        shown.contains(&("order.create", true, "200")) && shown.contains(&("order.placed", false, "0")),
        "{shown:?}"
    );
    let names: BTreeSet<_> = all[0]["attributes"].as_object().unwrap().keys().cloned().collect();
    let expected =
        ["created_at", "execution_time", "name", "request_errors", "response_code", "success", "updated_at", "url"];
    assert_eq!(names, expected.map(str::to_owned).into());
    for (filter, expected) in [
        ("filter[success_eq]=false", 2),
        ("filter[name_eq]=order.create", 2),
        ("filter[response_code_eq]=0", 1),
        ("filter[request_errors_cont]=SCRIPTED", 1),
        ("filter[url_cont]=example.com", all.len()),
        ("filter[url_cont]=elsewhere", 0),
        ("filter[success_eq]=false&filter[name_eq]=order.create", 1),
        ("per_page=1", 1),
    ] {
        assert_eq!(service.resources_of(&format!("{EVENTS}?{filter}")).await.len(), expected, "{filter}");
    }
    let page = service.webhooks(Method::GET, &format!("{EVENTS}?per_page=1&include=subscriber"), &Value::Null).await;
    assert_eq!(page.body["meta"]["total_count"], all.len());
    assert_eq!(page.body["included"][0]["id"], subscriber["id"]);
    assert_eq!(page.body["included"][0]["attributes"].get("secret_key"), None);
}
