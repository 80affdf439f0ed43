//! Spans of traces: of a request, a task, an event, a commit, a call to Stripe and a delivery. They have a target of their
//! own and are never entered, so that they change no log line: a work carries its span ([`Work::in_trace`]), and the spans
//! of its parts name that as their parent. Without an exporter, which the program installs, they are disabled.
//!
//! Their fields are attributes of OpenTelemetry's semantic conventions, or begin with `paywright.` or `stripe.`. Only ids,
//! numbers and names of a fixed set belong there. Numbers are `i64`, OpenTelemetry's one type of whole numbers: others would
//! become texts.

use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::endpoints::{Attempt, Endpoint};
use crate::{
    Changes, EventStatus, FeedEvent, LeasedEvent, LeasedTask, PerformError, StoreError, TraceParent, Traces, Work,
};

/// Target of the spans of traces, by which they are told from those of log lines.
pub const TRACES: &str = "paywright_traces";

/// Value of `otel.status_code` of a span that failed.
const ERROR: &str = "ERROR";

/// Span of a task of the worker, which begins a trace.
pub(crate) fn task(leased: &LeasedTask) -> Span {
    info_span!(
        target: TRACES, parent: None, "task",
        "paywright.task" = leased.task.kind().name(),
        "paywright.order.id" = %leased.order,
        "paywright.attempt" = i64::from(leased.taken),
        "error.type" = Empty,
        "otel.status_code" = Empty,
    )
}

/// Records that a task was not done this time.
pub(crate) fn task_failed(span: &Span, error: &PerformError) {
    let kind = match error {
        PerformError::Gateway(_) => "stripe",
        PerformError::Order(_) => "order",
        PerformError::Unmatched(_) => "unmatched",
    };
    failed(span, kind);
}

fn failed(span: &Span, kind: &'static str) {
    span.record("error.type", kind).record("otel.status_code", ERROR);
}

/// Span of the processing of an event that has arrived now.
pub(crate) fn event(id: &str, kind: &str, via: &'static str) -> Span {
    info_span!(
        target: TRACES, parent: Work::trace(), "event",
        "paywright.event.id" = id,
        "paywright.event.type" = kind,
        "paywright.event.source" = via,
        "paywright.event.status" = Empty,
    )
}

/// Span of the processing of a parked event, which begins a trace.
pub(crate) fn parked_event(event: &LeasedEvent) -> Span {
    info_span!(
        target: TRACES, parent: None, "event",
        "paywright.event.id" = event.id,
        "paywright.event.type" = event.kind,
        "paywright.event.source" = "worker",
        "paywright.event.status" = Empty,
    )
}

/// Records the resulting status of an event.
pub(crate) fn event_status(span: &Span, status: EventStatus) {
    span.record("paywright.event.status", status.name());
}

/// Span of a walk through a list of Stripe, which begins a trace.
pub(crate) fn walk(name: &'static str) -> Span {
    info_span!(target: TRACES, parent: None, "walk", "paywright.task" = name)
}

/// Span of a commit.
pub(crate) fn commit(changes: &Changes) -> Span {
    info_span!(
        target: TRACES, parent: Work::trace(), "commit",
        "paywright.order.id" = %changes.order.id,
        "paywright.order.version" = i64::from(changes.expected.next().0),
        "paywright.facts" = changes.facts.iter().map(paywright_domain::Fact::kind).collect::<Vec<_>>().join(","),
        "error.type" = Empty,
        "otel.status_code" = Empty,
    )
}

/// Records the result of a commit. A conflict is decided again, and is no error of the commit.
pub(crate) fn committed(span: &Span, result: &Result<(), StoreError>) {
    match result {
        Ok(()) => {}
        Err(StoreError::Conflict) => {
            span.record("error.type", "conflict");
        }
        Err(StoreError::Unknown(_)) => failed(span, "unknown"),
        Err(StoreError::Unavailable(_)) => failed(span, "unavailable"),
        Err(StoreError::Corrupt(_)) => failed(span, "corrupt"),
    }
}

/// Span of one attempt to send an event to an endpoint. It continues the trace of the commit that stored the fact, where
/// that has one, and begins a trace otherwise.
pub(crate) fn delivery(traces: &dyn Traces, endpoint: &Endpoint, event: &FeedEvent, number: u32) -> Span {
    let span = info_span!(
        target: TRACES, parent: None, "delivery",
        "otel.kind" = "client",
        "http.request.method" = "POST",
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "otel.status_code" = Empty,
        "paywright.attempt" = i64::from(number),
        "paywright.endpoint.id" = %endpoint.id,
        "paywright.event.id" = %event.id(),
        "paywright.event.position" = i64::try_from(event.position.0).unwrap_or(i64::MAX),
        "paywright.event.type" = event.kind.name(),
        "paywright.order.id" = Empty,
    );
    if let Some(order) = event.reference().subject.order() {
        span.record("paywright.order.id", display(order));
    }
    if let Some(parent) = parent_of(event) {
        traces.continue_from(&span, parent);
    }
    span
}

/// Records the outcome of an attempt.
pub(crate) fn delivered(span: &Span, attempt: &Attempt) {
    if let Some(status) = attempt.status {
        span.record("http.response.status_code", i64::from(status));
    }
    match (attempt.status, attempt.error) {
        (Some(200..=299), _) | (None, None) => {}
        (Some(status), _) => {
            span.record("error.type", display(status)).record("otel.status_code", ERROR);
        }
        (None, Some(error)) => failed(span, error.name()),
    }
}

/// Parent of the deliveries of an event: the commit that stored its fact.
fn parent_of(event: &FeedEvent) -> Option<&TraceParent> {
    event.of_order()?.recorded.cause.as_ref()?.trace.as_ref()
}

/// Runs `part`, a part of the current work, within a span of its own: the spans of what it does are below `span`.
pub(crate) async fn within<T>(span: &Span, part: impl Future<Output = T>) -> T {
    match Work::current() {
        Some(work) if !span.is_disabled() => work.in_trace(span.clone()).scope(part).await,
        _ => part.await,
    }
}
