//! Attributes that leave this program: an allow-list, so that a new field of a span is dropped until it is on it.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::Value;
use opentelemetry::trace::Status;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::telemetry::masked;

/// Attributes of spans. None has what a customer has typed, nor a name that a person has given.
const ATTRIBUTES: [&str; 18] = [
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "paywright.attempt",
    "paywright.endpoint.id",
    "paywright.error.code",
    "paywright.event.id",
    "paywright.event.position",
    "paywright.event.source",
    "paywright.event.status",
    "paywright.event.type",
    "paywright.facts",
    "paywright.order.id",
    "paywright.order.version",
    "paywright.task",
    "stripe.attempts",
    "stripe.call",
];

/// Attributes whose values are chosen at Stripe; checked like the others.
const OF_STRIPE: [&str; 1] = ["stripe.request_id"];

/// Longest text of an attribute, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// Exporter of allowed attributes only.
#[derive(Debug)]
pub(super) struct AllowedOnly(pub(super) SpanExporter);

impl opentelemetry_sdk::trace::SpanExporter for AllowedOnly {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.export(batch.into_iter().map(allowed).collect()).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A span without what is not on the list.
fn allowed(mut span: SpanData) -> SpanData {
    span.attributes.retain(|it| {
        let name = it.key.as_str();
        (ATTRIBUTES.contains(&name) || OF_STRIPE.contains(&name)) && is_plain(&it.value)
    });
    span.name = name_of(&span);
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    span.status = match span.status {
        Status::Error { .. } => Status::error(""),
        status @ (Status::Unset | Status::Ok) => status,
    };
    span
}

/// Whether a value is a number or a short text without a secret or an email address: a second protection.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::I64(_) | Value::F64(_) => true,
        Value::String(text) => text.as_str().len() <= TEXT_BYTES_MAX && masked(text.as_str()) == text.as_str(),
        // Also a type that a later version may add.
        Value::Array(_) | _ => false,
    }
}

/// Name of a span: its kind, and what tells the calls, tasks and routes apart, of which there are few.
fn name_of(span: &SpanData) -> Cow<'static, str> {
    let text = |name: &str| {
        let attribute = span.attributes.iter().find(|it| it.key.as_str() == name);
        attribute.and_then(|it| if let Value::String(text) = &it.value { Some(text.as_str()) } else { None })
    };
    match (&*span.name, text("http.request.method"), text("http.route"), text("stripe.call"), text("paywright.task")) {
        ("request", Some("_OTHER"), _, _, _) => "HTTP".into(),
        ("request", Some(method), Some(route), _, _) => format!("{method} {route}").into(),
        ("request", Some(method), None, _, _) => method.to_owned().into(),
        ("stripe", _, _, Some(call), _) => format!("Stripe {call}").into(),
        ("task" | "walk", _, _, _, Some(task)) => format!("task {task}").into(),
        _ => span.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind};
    use opentelemetry::{InstrumentationScope, KeyValue};

    use super::*;

    fn span(name: &'static str, attributes: &[(&'static str, &'static str)]) -> SpanData {
        let at = std::time::UNIX_EPOCH;
        let mut events = SpanEvents::default();
        events.events.push(Event::new("ada@example.com", at, vec![KeyValue::new("email", "ada@example.com")], 0));
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: at,
            end_time: at,
            attributes: attributes.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect(),
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status: Status::error("the card of ada@example.com"),
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn only_allowed_and_plain_attributes_leave() {
        let left = allowed(span(
            "commit",
            &[
                ("paywright.order.id", "0195ead7-0000-7000-8000-000000000001"),
                ("email", "ada"),
                ("key_name", "shop"),
                ("actor", "shopper"),
                ("client", "192.0.2.7"),
                ("user.name", "Ada"),
                ("exception.message", "x"),
                ("paywright.facts", "order.placed,ada@example.com"),
                ("paywright.task", "pi_1_secret_2"),
                ("stripe.request_id", "sk_test_hush"),
                ("http.route", "pwk_00ff"),
            ],
        ));
        let names: Vec<_> = left.attributes.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(names, ["paywright.order.id"]);
        assert_eq!((left.events.len(), left.links.len()), (0, 0), "no log line becomes an event");
        assert_eq!(left.status, Status::error(""));
        let mut long = span("commit", &[("paywright.order.id", "x")]);
        long.attributes.push(KeyValue::new("paywright.facts", "x".repeat(TEXT_BYTES_MAX + 1)));
        assert_eq!(allowed(long).attributes.len(), 1);
    }

    #[test]
    fn names_of_spans_are_of_a_small_set() {
        for (name, attributes, expected) in [
            ("request", &[("http.request.method", "GET"), ("http.route", "/orders/{id}")][..], "GET /orders/{id}"),
            ("request", &[("http.request.method", "GET")], "GET"),
            ("request", &[("http.request.method", "_OTHER"), ("http.route", "/orders")], "HTTP"),
            ("stripe", &[("http.request.method", "POST"), ("stripe.call", "POST refunds")], "Stripe POST refunds"),
            ("task", &[("paywright.task", "confirm_payment")], "task confirm_payment"),
            ("delivery", &[("http.request.method", "POST")], "delivery"),
            ("commit", &[], "commit"),
        ] {
            assert_eq!(allowed(span(name, attributes)).name, expected);
        }
    }
}
