//! Span of a request in the traces. A caller's `traceparent` is continued, but does not decide whether the trace is exported.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName};
use paywright_app::{TRACES, TraceParent, Traces};
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::metrics::method_name;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Name of a method that clients make up, by OpenTelemetry's semantic conventions.
const OTHER_METHOD: &str = "_OTHER";

/// Span of a request; disabled without an exporter, and for probes.
pub(crate) struct RequestTrace(Span);

impl RequestTrace {
    /// Begins the span of `request`.
    pub(crate) fn begin(request: &ServiceRequest, traces: Option<&dyn Traces>, is_probe: bool) -> Self {
        let Some(traces) = traces.filter(|_| !is_probe) else { return Self(Span::none()) };
        let span = info_span!(
            target: TRACES, parent: None, "request",
            "otel.kind" = "server",
            "http.request.method" = method_name(request.method()).unwrap_or(OTHER_METHOD),
            "http.route" = Empty,
            "http.response.status_code" = Empty,
            "error.type" = Empty,
            "otel.status_code" = Empty,
            "paywright.error.code" = Empty,
        );
        if !span.is_disabled()
            && let Some(parent) = parent_of(request.headers())
        {
            traces.continue_from(&span, &parent);
        }
        Self(span)
    }

    /// The span, for the work of the request.
    pub(crate) fn span(&self) -> Span {
        self.0.clone()
    }

    /// Records the answer: the pattern of its route, its status and the code of a refusal.
    pub(crate) fn answered(&self, route: impl Fn() -> Option<String>, status: StatusCode, code: Option<&str>) {
        if self.0.is_disabled() {
            return;
        }
        if let Some(route) = route() {
            self.0.record("http.route", route);
        }
        if let Some(code) = code {
            self.0.record("paywright.error.code", code);
        }
        self.0.record("http.response.status_code", i64::from(status.as_u16()));
        // What a client does wrong is no error of the server.
        if status.is_server_error() {
            self.0.record("error.type", display(status.as_u16())).record("otel.status_code", "ERROR");
        }
    }
}

/// Context that a caller sends. A malformed header counts as none, and so do several (W3C Trace Context, section 3.2).
fn parent_of(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    // Whether a trace is exported costs this program, so that no caller decides it.
    value.to_str().ok()?.parse().ok().map(TraceParent::undecided)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_traceparent_is_continued_if_it_is_one_and_never_decides_about_the_export() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACEPARENT, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            parent_of(&headers)
        };
        let parent = read(&[good]).unwrap();
        assert_eq!(parent.to_string(), good.replace("-01", "-00"));
        for bad in [&[][..], &[""], &["é"], &["00-00-00-00"], &[good, good], &[&format!("{good},{good}")]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
