//! `GET /metrics`: metrics in the text format of Prometheus, and the metrics of HTTP requests.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use ipnet::IpNet;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use paywright_app::Scope;
use thiserror::Error;
use tokio::time::timeout;

use crate::Api;
use crate::auth::{application, application_with, bearer};
use crate::client_address::is_forwarded;
use crate::openapi::refusals::ReadMetrics;
use crate::problem::Problem;

const REQUESTS: &str = "paywright_http_requests_total";
const DURATION: &str = "paywright_http_request_duration_seconds";
const REFUSED_WEBHOOKS: &str = "paywright_webhooks_refused_total";
const BUILD: &str = "paywright_build_info";

/// Bounds of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0];
/// Time within which the store must answer for the gauges of its state.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval at which the values of histograms are added up, if nobody asks for the metrics.
const UPKEEP: Duration = Duration::from_secs(5);
/// Route of a request to a path that has no endpoint.
const NO_ROUTE: &str = "none";
/// Type of the text format ("Exposition formats", Prometheus).
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics of a process, and who may read them.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
    networks: Arc<Vec<IpNet>>,
}

/// Error of a second recorder in one process.
#[derive(Debug, Error)]
#[error("metrics cannot be recorded: {0}")]
pub struct MetricsError(String);

impl Metrics {
    /// Records the metrics of this process from now on, and describes those of `version` and of HTTP requests. Callers in
    /// `networks` read them without an API key.
    pub fn record(networks: Vec<IpNet>, version: &'static str) -> Result<Self, MetricsError> {
        let recorder = recorder()?;
        describe(version);
        Ok(Self { recorder, networks: Arc::new(networks) })
    }

    /// Adds up the values of histograms from time to time, without end: they are stored one by one until then.
    pub async fn keep_up(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.recorder.run_upkeep();
        }
    }

    /// Whether a caller may read the metrics without an API key: its own address is in one of the networks, and no header
    /// says that a proxy has forwarded the call, whose client could be anywhere.
    fn is_open_to(&self, request: &HttpRequest) -> bool {
        let peer = request.peer_addr().filter(|_| !is_forwarded(request)).map(|it| it.ip().to_canonical());
        peer.is_some_and(|it| self.networks.iter().any(|network| network.contains(&it)))
    }
}

/// The recorder of this process.
fn recorder() -> Result<PrometheusHandle, MetricsError> {
    static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let installed = RECORDER.get_or_init(|| {
        let with_buckets = PrometheusBuilder::new().set_buckets(&BUCKETS);
        with_buckets.and_then(PrometheusBuilder::install_recorder).map_err(|error| error.to_string())
    });
    installed.clone().map_err(MetricsError)
}

fn describe(version: &'static str) {
    describe_counter!(
        REQUESTS,
        "HTTP requests by route, method and status code. The route `none` is that of unknown paths."
    );
    describe_histogram!(DURATION, "Time from the head of a request to its answer, in seconds, by route and method.");
    describe_counter!(REFUSED_WEBHOOKS, "Webhooks of Stripe that were refused, by the code of the refusal.");
    describe_gauge!(BUILD, "1, with the version of the program.");
    gauge!(BUILD, "version" => version).set(1.0);
    for code in ["webhook_signature_missing", "webhook_signature_invalid", "webhook_unreadable", "webhook_thin_event"] {
        counter!(REFUSED_WEBHOOKS, "code" => code).increment(0);
    }
}

/// Counts a request to a route (`None` for a path without one).
pub(crate) fn answered(route: Option<String>, method: &Method, status: u16, took: Duration) {
    let (route, method) = (route.unwrap_or_else(|| NO_ROUTE.to_owned()), method_name(method).unwrap_or("other"));
    counter!(REQUESTS, "route" => route.clone(), "method" => method, "code" => status.to_string()).increment(1);
    histogram!(DURATION, "route" => route, "method" => method).record(took);
}

/// Counts a webhook of Stripe that was refused.
pub(crate) fn webhook_refused(code: &'static str) {
    counter!(REFUSED_WEBHOOKS, "code" => code).increment(1);
}

/// Name of a method; `None` for those that clients make up, so that the number of names is bounded.
pub(crate) fn method_name(method: &Method) -> Option<&'static str> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.iter().zip(names).find(|(it, _)| *it == method).map(|(_, name)| name)
}

/// Reads the metrics, in the text format of Prometheus.
///
/// Callers in the networks of the setting `metrics.networks`, such as this machine, need no API key. All others need one with
/// the scope `metrics:read`, as `X-API-Key` or as a bearer token.
#[utoipa::path(
    get, path = "/metrics", tag = "Health", operation_id = "readMetrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"), ReadMetrics),
    security((), ("api_key" = [])),
)]
pub(crate) async fn page(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Some(metrics) = &api.metrics else { return Err(Problem::no_such_path()) };
    if !metrics.is_open_to(&request) {
        match request.headers().get(AUTHORIZATION).and_then(bearer) {
            Some(key) => application_with(&api, &request, key, Scope::MetricsRead).await?,
            None => application(&api, &request, Scope::MetricsRead).await?,
        };
    }
    if timeout(STORE_TIMEOUT, api.monitor.set_gauges()).await.is_err() {
        api.monitor.forget_gauges();
    }
    Ok(HttpResponse::Ok().content_type(TEXT_FORMAT).body(metrics.recorder.render()))
}
