//! Captures, refunds, pending changes and explanations, over HTTP.

use actix_web::http::Method;
use paywright_domain::IntentId;
use paywright_domain::intent::IntentStatus;
use paywright_testkit::{Provider, Trouble, usd};
use serde_json::{Value, json};

use crate::{Answer, ORDERS, Service, order};

struct Sale {
    service: Service,
    provider: Provider,
    order: Value,
    intent: IntentId,
}

impl Sale {
    /// Order of 112.00 usd with a PaymentIntent.
    async fn payable(capture: &str) -> Self {
        let (service, provider) = Service::open().await;
        if capture == "manual" {
            provider.holds_money();
        }
        let mut body = order();
        body["capture"] = json!(capture);
        let order = service.call(Method::POST, ORDERS, &body).await.body["data"].clone();
        let path = format!("{ORDERS}/{}/payment-intent", order["id"].as_str().unwrap());
        let bearer = format!("Bearer {}", service.token("cus-ada"));
        let headers = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
        let made = service.send(Method::POST, &path, &headers, b"").await;
        let intent = IntentId::new(made.body["data"]["id"].as_str().unwrap()).unwrap();
        Self { service, provider, order, intent }
    }

    /// Paid order.
    async fn paid() -> Self {
        let sale = Self::payable("automatic").await;
        sale.provider.pay(&sale.intent);
        sale.call(Method::POST, "/payment", Value::Null).await;
        sale
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let path = format!("{ORDERS}/{}{path}", self.order["id"].as_str().unwrap());
        self.service.call(method, &path, &body).await
    }

    async fn read(&self) -> Value {
        self.call(Method::GET, "", Value::Null).await.body["data"].clone()
    }
}

/// Stripe's client secrets may be null: a payer needs one, a completed payment does not.
#[actix_web::test]
async fn an_intent_without_a_client_secret_is_not_given_to_a_payer() {
    let sale = Sale::payable("automatic").await;
    let bearer = format!("Bearer {}", sale.service.token("cus-ada"));
    let headers = [("x-api-key", sale.service.key.as_str()), ("authorization", bearer.as_str())];
    let path = format!("{ORDERS}/{}/payment-intent", sale.order["id"].as_str().unwrap());
    let token = sale.order["token"].as_str().unwrap();
    let spree = "/api/v2/storefront/stripe/payment_intents";
    let shopper = [("x-spree-order-token", token), ("content-type", "application/json")];
    let wish = json!({ "payment_intent": { "off_session": false } }).to_string();
    sale.provider.keeps_secrets(true);
    let none = sale.service.send(Method::POST, &path, &headers, b"").await;
    assert_eq!((none.status, none.code()), (503, "payment_provider_failed"), "{none:?}");
    let none = sale.service.send(Method::POST, spree, &shopper, wish.as_bytes()).await;
    assert_eq!(none.status, 503, "{none:?}");
    sale.provider.keeps_secrets(false);
    let some = sale.service.send(Method::POST, &path, &headers, b"").await;
    assert_eq!((some.status, some.body["data"]["client_secret"].as_str()), (200, Some("pi_1_secret_x")));
    assert_eq!(sale.provider.made_now(), 1);

    sale.provider.keeps_secrets(true);
    sale.provider.pay(&sale.intent);
    let paid = sale.call(Method::POST, "/payment", Value::Null).await;
    assert_eq!((paid.status, &paid.body["data"]["client_secret"]), (200, &Value::Null), "{paid:?}");
    let shown = sale.service.send(Method::GET, spree, &shopper, b"").await;
    assert_eq!((shown.status, &shown.body["data"]["attributes"]["client_secret"]), (200, &Value::Null), "{shown:?}");
}

#[actix_web::test]
async fn an_email_address_that_stripe_refuses_does_not_block_the_payment() {
    let (service, provider) = Service::open().await;
    provider.refuses_emails();
    let mut body = order();
    body["email"] = json!("zoë@example.com");
    let placed = service.call(Method::POST, ORDERS, &body).await.body["data"].clone();
    let (id, token) = (placed["id"].as_str().unwrap(), placed["token"].as_str().unwrap());
    let wish = json!({ "payment_intent": { "off_session": false } }).to_string();
    let shopper = [("x-spree-order-token", token), ("content-type", "application/json")];
    let spree = "/api/v2/storefront/stripe/payment_intents";
    let made = service.send(Method::POST, spree, &shopper, wish.as_bytes()).await;
    assert_eq!((made.status, &made.body["data"]["attributes"]["stripe_id"]), (200, &json!("pi_1")), "{made:?}");
    let bearer = format!("Bearer {token}");
    let headers = [("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())];
    let same = service.send(Method::POST, &format!("{ORDERS}/{id}/payment-intent"), &headers, b"").await;
    assert_eq!((same.status, &same.body["data"]["id"]), (200, &json!("pi_1")), "{same:?}");
    let shown = service.call(Method::GET, &format!("{ORDERS}/{id}"), &Value::Null).await.body["data"].clone();
    assert_eq!((&shown["email"], &shown["payment_status"]), (&json!("zoë@example.com"), &json!("unpaid")));
    let notice = &shown["anomalies"][0];
    assert_eq!(
        (&notice["kind"], &notice["policy"], &notice["payment_intent"], &notice["reason"]),
        (&json!("receipt_email_refused"), &json!("tell"), &Value::Null, &json!("zoë@example.com"))
    );
    let edit = json!({ "email": "<zoë>@example.com" });
    assert_eq!(service.call(Method::PATCH, &format!("{ORDERS}/{id}"), &edit).await.status, 422);
    let edit = json!({ "email": "zoé@example.com" });
    let edited = service.call(Method::PATCH, &format!("{ORDERS}/{id}"), &edit).await;
    assert_eq!((edited.status, &edited.body["data"]["email"]), (200, &json!("zoé@example.com")), "{edited:?}");
    assert_eq!(edited.body["data"]["anomalies"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn refunds_are_created_listed_and_shown() {
    let sale = Sale::paid().await;
    let made = sale.call(Method::POST, "/refunds", json!({ "amount": "12.00", "reason": "duplicate" })).await;
    assert_eq!((made.status, &made.body["message"]), (201, &json!("Refund requested successfully")));
    let refund = &made.body["data"];
    assert_eq!(
        (&refund["number"], &refund["id"], &refund["amount"], &refund["status"], &refund["origin"]),
        (&json!(1), &json!("re_1"), &json!("12.00"), &json!("succeeded"), &json!("shop"))
    );
    let rest = sale.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!(rest.body["data"]["amount"], "100.00", "the rest by default");
    let listed = sale.call(Method::GET, "/refunds", Value::Null).await;
    assert_eq!((listed.status, listed.body["data"].as_array().map(Vec::len)), (200, Some(2)));
    let shown = sale.read().await;
    assert_eq!((&shown["payment_status"], &shown["amount_refunded"]), (&json!("refunded"), &json!("112.00")));
}

#[actix_web::test]
async fn each_refusal_of_a_refund_has_its_code_and_changes_nothing() {
    let sale = Sale::paid().await;
    for (body, status, code, field) in [
        (json!({ "amount": "112.01" }), 422, "invalid_amount", Some("amount")),
        (json!({ "amount": "0.00" }), 422, "invalid_amount", Some("amount")),
        (json!({ "amount": "1.005" }), 422, "invalid_refund", Some("amount")),
        (json!({ "amount": 5 }), 422, "invalid_refund", Some("amount")),
        (json!({ "reason": "whim" }), 422, "invalid_refund", Some("reason")),
        (json!({ "payment_intent": "ch_1" }), 422, "invalid_refund", Some("payment_intent")),
        (json!({ "payment_intent": "pi_other" }), 409, "payment_not_received", None),
        (json!({ "sum": "1.00" }), 422, "invalid_refund", Some("sum")),
    ] {
        let refused = sale.call(Method::POST, "/refunds", body.clone()).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body}: {refused:?}");
        assert_eq!(refused.body["error"]["fields"][0]["field"].as_str(), field, "{body}");
    }
    // The limit is shown in decimals, as the amount was written.
    let huge = sale.call(Method::POST, "/refunds", json!({ "amount": "10000000000.00" })).await;
    assert_eq!(huge.body["error"]["fields"][0]["problem"], "must be at most 9999999999.99 usd", "{huge:?}");
    assert_eq!(sale.read().await["refunds"], json!([]));
    let unpaid = Sale::payable("automatic").await;
    let refused = unpaid.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!((refused.status, refused.code()), (409, "payment_not_received"));
    sale.call(Method::POST, "/refunds", Value::Null).await;
    let refused = sale.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!((refused.status, refused.code()), (409, "payment_already_refunded"));
}

#[actix_web::test]
async fn a_repeated_idempotency_key_gives_the_same_refund() {
    let sale = Sale::paid().await;
    let send = async |body: &str, name: &str| {
        let path = format!("{ORDERS}/{}/refunds", sale.order[name].as_str().unwrap());
        let headers = [
            ("x-api-key", sale.service.key.as_str()),
            ("content-type", "application/json"),
            ("idempotency-key", "r-1"),
        ];
        sale.service.send(Method::POST, &path, &headers, body.as_bytes()).await
    };
    let first = send("{\"amount\":\"1.00\"}", "id").await;
    let again = send("{\"amount\":\"1.00\"}", "number").await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(first.body, again.body, "by the order's id and by its number");
    let other = send("{\"amount\":\"2.00\"}", "id").await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    assert_eq!(sale.provider.refunds_now().len(), 1);
}

#[actix_web::test]
async fn authorized_money_is_captured_in_part() {
    let sale = Sale::payable("manual").await;
    let early = sale.call(Method::POST, "/capture", Value::Null).await;
    assert_eq!((early.status, early.code()), (409, "payment_not_authorized"));
    sale.provider.pay(&sale.intent);
    let hint = sale.call(Method::POST, "/payment", Value::Null).await;
    assert_eq!((hint.status, hint.code()), (409, "payment_not_completed"), "held is not paid");
    assert_eq!(sale.read().await["payment_intent"]["amount_capturable"], "112.00");
    let more = sale.call(Method::POST, "/capture", json!({ "amount": "112.01" })).await;
    assert_eq!((more.status, more.code()), (422, "invalid_amount"));
    let unknown = sale.call(Method::POST, "/capture", json!({ "sum": "1.00" })).await;
    assert_eq!((unknown.status, unknown.code()), (422, "invalid_capture"), "{unknown:?}");
    let taken = sale.call(Method::POST, "/capture", json!({ "amount": "50.00" })).await;
    assert_eq!((taken.status, &taken.body["data"]["payment_status"]), (200, &json!("paid")));
    assert_eq!(taken.body["data"]["payment_intent"]["amount_received"], "50.00");
    let again = sale.call(Method::POST, "/capture", json!({ "amount": "60.00" })).await;
    assert_eq!((again.status, again.code()), (409, "order_paid"));
}

#[actix_web::test]
async fn a_change_that_waits_for_stripe_is_accepted_and_shown_as_pending() {
    let edit = json!({ "line_items": [{ "name": "Bone", "amount": 300, "quantity": 1 }] });
    for (path, method, body, kind) in
        [("", Method::PATCH, edit, "edit"), ("/cancel", Method::POST, Value::Null, "cancel")]
    {
        let sale = Sale::payable("automatic").await;
        sale.provider.will([Trouble::LostBefore]);
        let accepted = sale.call(method.clone(), path, body.clone()).await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        assert_eq!(accepted.body["data"]["pending_change"]["kind"], kind);
        assert_eq!(accepted.body["data"]["amount"], "112.00", "not yet");
        let other = json!({ "line_items": [{ "name": "Bone", "amount": 999, "quantity": 1 }] });
        let busy = sale.call(Method::PATCH, "", other).await;
        assert_eq!((busy.status, busy.code()), (409, "change_in_progress"));
        // The same request again is sent to Stripe again.
        let done = sale.call(method, path, body).await;
        assert_eq!((done.status, &done.body["data"]["pending_change"]), (200, &Value::Null), "{done:?}");
    }
}

#[actix_web::test]
async fn an_explanation_has_reasons_and_ids_of_stripe() {
    let sale = Sale::paid().await;
    let explained = sale.call(Method::GET, "/explain", Value::Null).await;
    assert_eq!(explained.status, 200);
    let data = &explained.body["data"];
    assert!(data["because"][0].as_str().unwrap().starts_with("The order was paid: pi_1"), "{data}");
    let timeline = data["timeline"].as_array().unwrap();
    let kinds: Vec<_> = timeline.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    let expected =
        ["order.placed", "payment_intent.requested", "payment_intent.created", "payment_intent.changed", "order.paid"];
    assert_eq!(kinds, expected);
    assert_eq!((&timeline[4]["source"], timeline[4]["stripe_request"].is_string()), (&json!("callback"), true));
    assert_eq!(data["next"], json!([]), "nothing is left to be done");
    let open = Sale::payable("automatic").await;
    let explained = open.call(Method::GET, "/explain", Value::Null).await.body["data"].clone();
    assert_eq!(explained["next"][0]["task"], "poll_intent:pi_1");
    assert_eq!(explained["next"][0]["at"], "2025-03-31T09:58:00Z");
    let stranger = [("x-api-key", open.service.key.as_str()), ("authorization", "Bearer pwo_x")];
    let path = format!("{ORDERS}/{}/explain", open.order["id"].as_str().unwrap());
    assert_eq!(open.service.send(Method::GET, &path, &stranger, b"").await.status, 401);
}

#[actix_web::test]
async fn refunds_and_captures_require_the_payments_write_scope() {
    let sale = Sale::paid().await;
    let key = sale.service.key_with(7, &[paywright_app::Scope::OrdersRead, paywright_app::Scope::OrdersWrite]).await;
    for path in ["/refunds", "/capture"] {
        let path = format!("{ORDERS}/{}{path}", sale.order["id"].as_str().unwrap());
        let refused = sale.service.send(Method::POST, &path, &[("x-api-key", &key)], b"").await;
        assert_eq!(refused.status, 403, "{refused:?}");
    }
    assert_eq!(sale.read().await["refunds"], json!([]));
}

/// Order of 112.00 usd whose PaymentIntent has received 100.00.
async fn underpaid() -> Sale {
    let sale = Sale::payable("automatic").await;
    sale.provider.change(&sale.intent, |it| {
        it.status = IntentStatus::Succeeded;
        it.received = usd(10_000);
    });
    sale.call(Method::POST, "/payment", Value::Null).await;
    sale
}

#[actix_web::test]
async fn a_payment_of_another_amount_is_accepted_with_a_note() {
    let sale = underpaid().await;
    assert_eq!(sale.read().await["payment_status"], "review");
    let body = json!({
        "anomaly": "amount_differs", "note": "the rest in cash", "amount": "100.00", "payment_intent": sale.intent.as_str(),
    });
    let accepted = sale.call(Method::POST, "/accept", body.clone()).await;
    assert_eq!(accepted.status, 200, "{accepted:?}");
    let order = &accepted.body["data"];
    assert_eq!((&order["status"], &order["payment_status"]), (&json!("paid"), &json!("paid")));
    assert_eq!(order["amount"], "112.00");
    assert_ne!(order["anomalies"][0]["accepted_at"], Value::Null);
    let again = sale.call(Method::POST, "/accept", body).await;
    assert_eq!((again.status, &again.body), (200, &accepted.body));
    let path = "/api/v1/shop/audit_entries";
    let trail = sale.service.call(Method::GET, path, &Value::Null).await;
    let entries = trail.body["data"]["audit_entries"].as_array().unwrap();
    let of_it: Vec<_> = entries.iter().filter(|it| it["act"] == "payment_intent.accepted").collect();
    assert_eq!(of_it.len(), 1, "{entries:?}");
    assert_eq!((&of_it[0]["amount"], &of_it[0]["currency"]), (&json!("100.00"), &json!("usd")));
    assert!(of_it[0]["what"].as_str().unwrap().ends_with(": \"the rest in cash\""), "{of_it:?}");
}

#[actix_web::test]
async fn an_acceptance_is_refused_with_a_code_and_the_field() {
    let sale = underpaid().await;
    let code = |it: &Answer| it.body["error"]["code"].clone();
    let good = json!({ "anomaly": "amount_differs", "note": "x" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, status, expected, field) in [
        (json!({}), 422, "invalid_acceptance", "anomaly is missing; note is missing"),
        (with("anomaly", json!("wrong_currency")), 422, "invalid_acceptance", "anomaly must be amount_differs"),
        (with("note", json!("")), 422, "invalid_acceptance", "note must have"),
        (with("note", json!("x".repeat(2001))), 422, "invalid_acceptance", "note must have at most 2000 characters"),
        (with("note", json!("\u{202e}x")), 422, "invalid_acceptance", "note must not contain characters that reorder"),
        (with("amount", json!("112.00")), 422, "invalid_amount", "the amount to accept must be 100.00"),
        (with("amount", json!(100)), 422, "invalid_acceptance", "amount must be"),
        (with("payment_intent", json!("x y")), 422, "invalid_acceptance", "payment_intent"),
        (with("payment_intent", json!("pi_other")), 409, "payment_not_in_review", "no money of another amount"),
        (with("total", json!("1.00")), 422, "invalid_acceptance", "total is not"),
    ] {
        let refused = sale.call(Method::POST, "/accept", body.clone()).await;
        let detail = refused.body["error"]["detail"].as_str().unwrap_or_default().to_owned();
        assert_eq!((refused.status, code(&refused)), (status, json!(expected)), "{body}: {refused:?}");
        assert!(detail.contains(field), "{body}: {detail}");
    }
    assert_eq!(sale.read().await["payment_status"], "review", "nothing was changed");
    let paid = Sale::paid().await;
    let refused = paid.call(Method::POST, "/accept", good.clone()).await;
    assert_eq!((refused.status, code(&refused)), (409, json!("payment_not_in_review")));
    let path = format!("{ORDERS}/{}/accept", sale.order["id"].as_str().unwrap());
    let bearer = format!("Bearer {}", sale.service.token("cus-ada"));
    let headers = [("x-api-key", sale.service.key.as_str()), ("authorization", bearer.as_str())];
    let of_customer = sale.service.send(Method::POST, &path, &headers, good.to_string().as_bytes()).await;
    assert_eq!((of_customer.status, code(&of_customer)), (403, json!("bearer_not_allowed")));
}

/// Paid order of 112.00 usd with a refund of 50.00 that has failed, and one of 12.00 that was made.
async fn refund_failed() -> Sale {
    let sale = Sale::paid().await;
    sale.provider.will([Trouble::Refuses("expired_or_canceled_card")]);
    for (amount, status) in [("50.00", "failed"), ("12.00", "succeeded")] {
        let refund = sale.call(Method::POST, "/refunds", json!({ "amount": amount })).await;
        assert_eq!(refund.body["data"]["status"], status, "{refund:?}");
    }
    sale
}

#[actix_web::test]
async fn a_failed_refund_is_closed_with_a_note_and_not_made_again_by_default() {
    let sale = refund_failed().await;
    let body = json!({ "note": "sent to the customer's bank" });
    let closed = sale.call(Method::POST, "/refunds/1/close", body.clone()).await;
    assert_eq!((closed.status, &closed.body["message"]), (200, &json!("Refund closed successfully")), "{closed:?}");
    let refund = &closed.body["data"];
    assert_eq!(
        (&refund["number"], &refund["status"], &refund["amount"]),
        (&json!(1), &json!("failed"), &json!("50.00"))
    );
    assert_ne!(refund["closed_at"], Value::Null);
    let again = sale.call(Method::POST, "/refunds/1/close", body).await;
    assert_eq!((again.status, &again.body), (200, &closed.body));
    let other = sale.call(Method::POST, "/refunds/1/close", json!({ "note": "another" })).await;
    assert_eq!(other.body["message"], "The refund was closed before, with another note");
    let order = sale.read().await;
    assert_eq!(
        (&order["refunds"][0], &order["amount_refunded"], &order["payment_status"]),
        (refund, &json!("12.00"), &json!("partially_refunded"))
    );
    let trail = sale.service.call(Method::GET, "/api/v1/shop/audit_entries", &Value::Null).await;
    let entries = trail.body["data"]["audit_entries"].as_array().unwrap();
    let acts: Vec<_> = entries.iter().filter(|it| it["act"] == "refund.closed").collect();
    assert_eq!(acts.len(), 1, "{entries:?}");
    assert_eq!((&acts[0]["amount"], &acts[0]["note"]), (&json!("50.00"), &json!("sent to the customer's bank")));
    assert_eq!(refund["closed_amount"], "50.00");
    let rest = sale.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!((rest.status, &rest.body["data"]["amount"]), (201, &json!("50.00")), "112.00 less 12.00 and 50.00");
    let nothing = sale.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!(nothing.body["error"]["code"], "payment_already_refunded", "{nothing:?}");
    let named = sale.call(Method::POST, "/refunds", json!({ "amount": "50.00" })).await;
    assert_eq!((named.status, &named.body["data"]["status"]), (201, &json!("succeeded")), "{named:?}");
}

#[actix_web::test]
async fn a_closing_is_refused_with_a_code_and_the_field() {
    let sale = refund_failed().await;
    let good = json!({ "note": "x" });
    for (path, body, status, code, detail) in [
        ("1", json!({}), 422, "invalid_refund", "note is missing"),
        ("1", json!({ "note": " " }), 422, "invalid_refund", "note must have at least 1 character"),
        ("1", json!({ "note": "x".repeat(2001) }), 422, "invalid_refund", "note must have at most 2000 characters"),
        ("1", json!({ "note": "x", "total": "1.00" }), 422, "invalid_refund", "total is not a known field"),
        ("1", json!({ "note": "x", "amount": 1 }), 422, "invalid_refund", "amount must be"),
        ("1", json!({ "note": "x", "amount": "50.01" }), 422, "invalid_amount", "must be at most 50.00"),
        ("2", good.clone(), 409, "refund_not_failed", "this one is succeeded"),
        ("3", good.clone(), 404, "refund_not_found", "no refund 3"),
        ("0", good.clone(), 404, "refund_not_found", "no refund 0"),
        ("re_1", good.clone(), 404, "refund_not_found", "numbered from 1"),
        ("+1", good.clone(), 404, "refund_not_found", "numbered from 1"),
        ("01", good.clone(), 404, "refund_not_found", "numbered from 1"),
        ("4294967296", good.clone(), 404, "refund_not_found", "numbered from 1"),
    ] {
        let refused = sale.call(Method::POST, &format!("/refunds/{path}/close"), body.clone()).await;
        assert_eq!(
            (refused.status, &refused.body["error"]["code"]),
            (status, &json!(code)),
            "{path} {body}: {refused:?}"
        );
        let told = refused.body["error"]["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{path} {body}: {told}");
    }
    assert_eq!(sale.read().await["refunds"][0]["closed_at"], Value::Null);
    let path = format!("{ORDERS}/{}/refunds/1/close", sale.order["id"].as_str().unwrap());
    let bearer = format!("Bearer {}", sale.service.token("cus-ada"));
    let headers = [("x-api-key", sale.service.key.as_str()), ("authorization", bearer.as_str())];
    let of_customer = sale.service.send(Method::POST, &path, &headers, good.to_string().as_bytes()).await;
    assert_eq!((of_customer.status, &of_customer.body["error"]["code"]), (403, &json!("bearer_not_allowed")));
    let key = sale.service.key_with(7, &[paywright_app::Scope::OrdersRead, paywright_app::Scope::OrdersWrite]).await;
    let refused = sale.service.send(Method::POST, &path, &[("x-api-key", &key)], good.to_string().as_bytes()).await;
    assert_eq!(refused.status, 403, "{refused:?}");
}

/// The same money was refunded twice without success, and once by bank: nobody has to guess which of the two it was.
#[actix_web::test]
async fn of_two_failed_refunds_of_a_payment_each_closing_names_its_amount() {
    let sale = Sale::paid().await;
    sale.provider.will([Trouble::Refuses("expired_or_canceled_card"), Trouble::Refuses("expired_or_canceled_card")]);
    for _ in 0..2 {
        sale.call(Method::POST, "/refunds", json!({ "amount": "50.00" })).await;
    }
    let unnamed = sale.call(Method::POST, "/refunds/2/close", json!({ "note": "by bank" })).await;
    assert_eq!((unnamed.status, &unnamed.body["error"]["code"]), (422, &json!("invalid_amount")), "{unnamed:?}");
    for (number, amount) in [(2, "50.00"), (1, "0.00")] {
        let body = json!({ "note": "by bank, once", "amount": amount });
        let closed = sale.call(Method::POST, &format!("/refunds/{number}/close"), body).await;
        assert_eq!((closed.status, &closed.body["data"]["closed_amount"]), (200, &json!(amount)), "{closed:?}");
    }
    let rest = sale.call(Method::POST, "/refunds", Value::Null).await;
    assert_eq!((rest.status, &rest.body["data"]["amount"]), (201, &json!("62.00")));
    // Refund 3 fails and refund 4 makes up for it.
    sale.provider.will([Trouble::Refuses("expired_or_canceled_card")]);
    for amount in ["10.00", "10.00"] {
        sale.call(Method::POST, "/refunds", json!({ "amount": amount })).await;
    }
    let needless = sale.call(Method::POST, "/refunds/4/close", json!({ "note": "x", "amount": "1.00" })).await;
    assert_eq!((needless.status, &needless.body["error"]["code"]), (409, &json!("refund_made_up_for")), "{needless:?}");
}
