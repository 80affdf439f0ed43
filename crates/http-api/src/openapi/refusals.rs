//! Codes with which each call may be refused. The documentation of a handler has them from here, and the tests of the
//! API check that an answer has no other.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, RefOr};

use super::schema::reference;
use crate::problem::Envelope;

/// Status and code of a refusal.
type Code = (u16, &'static str);

/// Every call with an API key. The key is read from the database.
const CALL: &[Code] = &[
    (401, "api_key_missing"),
    (401, "api_key_invalid"),
    (401, "api_key_expired"),
    (401, "api_key_revoked"),
    (401, "api_key_rotated"),
    (403, "api_key_network_not_allowed"),
    (403, "scope_missing"),
    (429, "rate_limited"),
    (500, "internal"),
    (500, "order_corrupt"),
    (503, "store_unavailable"),
];
/// Bearer token.
const BEARER: &[Code] =
    &[(401, "token_invalid"), (401, "token_valid_too_long"), (401, "token_too_old"), (503, "token_keys_unavailable")];
/// Required bearer token, beside [`BEARER`].
const BEARER_REQUIRED: &[Code] = &[(401, "token_missing")];
/// Calls for applications only, beside [`BEARER`].
const ALONE: &[Code] = &[(403, "bearer_not_allowed")];
/// Order in the path.
const ORDER: &[Code] = &[(400, "order_id_malformed"), (404, "order_not_found")];
/// Query.
const QUERY: &[Code] = &[(400, "query_malformed")];
/// JSON body.
const BODY: &[Code] = &[
    (400, "json_malformed"),
    (400, "body_incomplete"),
    (408, "body_timeout"),
    (413, "body_too_large"),
    (415, "content_type_not_supported"),
    (415, "content_encoding_not_supported"),
    (503, "server_busy"),
    (503, "shutting_down"),
];
/// Commit.
const COMMIT: &[Code] = &[(409, "busy"), (503, "store_outcome_unknown")];
/// `Idempotency-Key`.
const IDEMPOTENT: &[Code] = &[(400, "idempotency_key_malformed"), (422, "idempotency_key_reused")];
/// Call to Stripe.
const STRIPE: &[Code] = &[
    (422, "payment_provider_refused"),
    (502, "payment_intent_lost"),
    (503, "payment_provider_busy"),
    (503, "payment_provider_failed"),
    (503, "payment_provider_misconfigured"),
    (503, "payment_provider_unreachable"),
];
/// Snapshot of a PaymentIntent.
const SETTLE: &[Code] = &[(404, "payment_intent_unknown"), (409, "order_in_review")];
/// Change of an order that waits, or that others wait for.
const NOT_NOW: &[Code] = &[(409, "payment_in_progress"), (409, "change_in_progress"), (409, "order_in_review")];
/// Endpoint in the path.
const ENDPOINT: &[Code] = &[(400, "webhook_endpoint_id_malformed"), (404, "webhook_endpoint_not_found")];
/// Fields of an endpoint.
const ENDPOINT_FIELDS: &[Code] = &[(422, "invalid_webhook_endpoint")];
/// URL of an endpoint.
const ENDPOINT_URL: &[Code] = &[(422, "webhook_url_not_allowed")];
/// Position in the feed.
const POSITION: &[Code] = &[(409, "cursor_beyond_end"), (410, "events_deleted")];
/// Setting that outgoing webhooks need.
const CONFIGURED: &[Code] = &[(503, "webhooks_not_configured")];
/// Books.
const BOOKS: &[Code] = &[(409, "books_not_begun"), (500, "books_unreadable")];

/// Defines for each call the type with which its handler documents its refusals.
macro_rules! refusals {
    ($($Call:ident: $($codes:expr),+;)+) => {$(
        #[doc = concat!("Refusals of `", stringify!($Call), "`.")]
        pub(crate) enum $Call {}

        impl IntoResponses for $Call {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$($codes),+])
            }
        }
    )+};
}

refusals! {
    PlaceOrder: CALL, BEARER, BODY, IDEMPOTENT, COMMIT,
        &[(403, "customer_mismatch"), (409, "order_lost"), (422, "invalid_order")];
    ListOrders: CALL, BEARER, QUERY, &[(403, "list_not_allowed")];
    ReadOrder: CALL, BEARER, ORDER;
    ExplainOrder: CALL, BEARER, ORDER, &[(500, "books_unreadable")];
    EditOrder: CALL, BEARER, ORDER, BODY, COMMIT, STRIPE, SETTLE, NOT_NOW,
        &[(409, "order_paid"), (409, "order_canceled"), (422, "invalid_order")];
    CancelOrder: CALL, BEARER, ORDER, BODY, COMMIT, STRIPE, SETTLE, NOT_NOW,
        &[(409, "order_paid"), (422, "invalid_order")];
    CaptureOrder: CALL, BEARER, ORDER, BODY, COMMIT, STRIPE, SETTLE, NOT_NOW,
        &[(409, "order_paid"), (409, "order_canceled"), (409, "payment_not_authorized"), (422, "invalid_capture"),
          (422, "invalid_amount")];
    AcceptPayment: CALL, BEARER, ALONE, ORDER, BODY, COMMIT,
        &[(409, "payment_not_in_review"), (409, "payment_intent_not_named"), (409, "payment_not_confirmed"),
          (409, "payment_disputed"),
          (409, "payment_in_progress"), (409, "change_in_progress"),
          (409, "order_paid"), (409, "order_canceled"), (422, "invalid_acceptance"), (422, "invalid_amount")];
    RefundOrder: CALL, BEARER, ORDER, BODY, IDEMPOTENT, COMMIT,
        &[(409, "payment_not_received"), (409, "payment_already_refunded"), (409, "payment_disputed"),
          (422, "invalid_refund"), (422, "invalid_amount")];
    CloseRefund: CALL, BEARER, ALONE, ORDER, BODY, COMMIT,
        &[(404, "refund_not_found"), (409, "refund_not_failed"), (409, "refund_made_up_for"), (422, "invalid_refund"),
          (422, "invalid_amount")];
    CreatePaymentIntent: CALL, BEARER, BEARER_REQUIRED, ORDER, COMMIT, STRIPE, SETTLE,
        &[(409, "order_paid"), (409, "order_canceled")];
    ConfirmPayment: CALL, BEARER, ORDER, COMMIT, STRIPE, SETTLE,
        &[(409, "payment_processing"), (409, "payment_not_completed")];
    ListAuditEntries: CALL, BEARER, ALONE, QUERY;
    ListEvents: CALL, BEARER, ALONE, QUERY, ORDER, POSITION, &[(503, "server_busy")];
    CreateEndpoint: CALL, BEARER, ALONE, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS, ENDPOINT_URL, POSITION,
        &[(409, "too_many_webhook_endpoints")];
    ListEndpoints: CALL, BEARER, ALONE, QUERY;
    ReadEndpoint: CALL, BEARER, ALONE, ENDPOINT;
    UpdateEndpoint: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS, ENDPOINT_URL,
        &[(409, "types_follow_subscriptions")];
    DeleteEndpoint: CALL, BEARER, ALONE, ENDPOINT, COMMIT;
    RotateSecret: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS;
    SwitchEndpoint: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS;
    TestEndpoint: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS;
    ResendEvent: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS,
        &[(404, "event_not_found"), (409, "too_many_resends"), (409, "event_still_waits")];
    ReplayEvents: CALL, BEARER, ALONE, ENDPOINT, BODY, COMMIT, CONFIGURED, ENDPOINT_FIELDS, POSITION;
    ListAttempts: CALL, BEARER, ALONE, ENDPOINT, QUERY;
    ReadStatement: CALL, BEARER, ALONE, QUERY, BOOKS,
        &[(422, "invalid_period"), (422, "period_before_books"), (422, "period_not_begun")];
    ListPayouts: CALL, BEARER, ALONE, QUERY, BOOKS;
    ReadPayout: CALL, BEARER, ALONE, QUERY, BOOKS, &[(400, "payout_id_malformed"), (404, "payout_not_found")];
    ListBreaks: CALL, BEARER, ALONE, QUERY, BOOKS;
    ResolveBreak: CALL, BEARER, ALONE, BODY, COMMIT, BOOKS, &[(404, "break_not_found"), (422, "invalid_resolution")];
    ReadLedger: CALL, BEARER, ALONE, ORDER, BOOKS;
    ReceiveStripeEvent: BODY_OF_STRIPE, COMMIT,
        &[(400, "webhook_signature_missing"), (400, "webhook_signature_invalid"), (400, "webhook_unreadable"),
          (400, "webhook_thin_event"), (429, "rate_limited"), (500, "internal"), (500, "order_corrupt"),
          (503, "store_unavailable")];
    ReadMetrics: CALL, &[(404, "path_not_found")];
    CheckReadiness: QUERY, COMMIT, &[(500, "order_corrupt"), (503, "store_unavailable"), (503, "shutting_down")];
}

/// Body of a webhook of Stripe, whose type is not looked at.
const BODY_OF_STRIPE: &[Code] = &[
    (400, "body_incomplete"),
    (408, "body_timeout"),
    (413, "body_too_large"),
    (415, "content_encoding_not_supported"),
    (503, "server_busy"),
    (503, "shutting_down"),
];

/// Answers with these codes, one for each status.
fn responses(groups: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    let mut codes: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    for (status, code) in groups.iter().copied().flatten() {
        codes.entry(*status).or_default().insert(code);
    }
    codes.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(status, codes)))).collect()
}

fn response(status: u16, codes: BTreeSet<&'static str>) -> Response {
    let names: Vec<_> = codes.iter().map(|it| format!("`{it}`")).collect();
    let reason = StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason()).unwrap_or_default();
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let error = ObjectBuilder::new().schema_type(Type::Object).property("code", code);
    let this = ObjectBuilder::new().schema_type(Type::Object).property("error", error);
    let schema = AllOfBuilder::new().item(reference::<Envelope<'_>>()).item(this);
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description(format!("{reason}: {}", names.join(", ")))
        .content("application/json", content)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/api.md");

    /// Codes in the document's table, with the statuses of their rows.
    fn documented() -> BTreeSet<(u16, String)> {
        let table = DOCUMENT.split_once("## Error codes").unwrap().1;
        let rows = table.lines().filter(|it| it.starts_with("| ") && it.contains('`'));
        let mut codes = BTreeSet::new();
        for row in rows {
            let mut cells = row.trim_matches('|').splitn(2, '|');
            let (statuses, text) = (cells.next().unwrap(), cells.next().unwrap());
            let statuses: Vec<u16> = statuses.split(',').map(|it| it.trim().parse().unwrap()).collect();
            let mut depth = 0;
            let outside: String = text
                .chars()
                .filter(|it| {
                    depth += i32::from(*it == '(') - i32::from(*it == ')');
                    depth == 0 && *it != ')'
                })
                .collect();
            let names: Vec<_> = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            if statuses.len() == 1 {
                codes.extend(names.into_iter().map(|it| (statuses[0], it)));
            } else {
                codes.extend(statuses.into_iter().zip(names));
            }
        }
        codes
    }

    #[test]
    fn the_codes_of_the_description_are_those_of_the_documentation() {
        let description: serde_json::Value = serde_json::from_str(super::super::description()).unwrap();
        let mut described =
            BTreeSet::from([(404, "path_not_found".to_owned()), (405, "method_not_allowed".to_owned())]);
        for item in description["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                for (status, response) in operation["responses"].as_object().unwrap() {
                    let schema = &response["content"]["application/json"]["schema"]["allOf"][1];
                    let codes = schema["properties"]["error"]["properties"]["code"]["enum"].as_array();
                    let codes = codes.into_iter().flatten().map(|it| it.as_str().unwrap().to_owned());
                    described.extend(codes.map(|it| (status.parse().unwrap(), it)));
                }
            }
        }
        assert_eq!(described, documented());
    }
}
