//! Export of traces by OpenTelemetry, of the feature `traces`. The spans of the target [`TRACES`] become spans of
//! OpenTelemetry, a background thread collects them in batches, and [`collector`] sends these by OTLP over HTTP.
//!
//! Nothing waits for the export: a span that finds the queue full is dropped.

mod allowed;
mod collector;
mod sampler;

use std::time::Duration;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use paywright_app::{TRACES, TraceParent, Traces};
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::Failure;
use crate::settings::traces::TraceExport;
use crate::traces::allowed::AllowedOnly;
use crate::traces::collector::{Collector, TIMEOUT};
use crate::traces::sampler::ByTrace;

/// Name of this program among the services of a collector.
const SERVICE: &str = "paywright";
/// Largest number of spans that wait for their export. Further ones are dropped.
const QUEUE_MAX: usize = 4096;
/// Largest number of spans in one request to the collector.
const BATCH_MAX: usize = 512;
/// Longest wait of a span for its batch.
const BATCH_PAUSE: Duration = Duration::from_secs(2);
/// Time that a stop waits for the last batches.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Exporter of the spans of this process.
pub(crate) struct Exporter(SdkTracerProvider);

impl Exporter {
    /// Makes an exporter with its background thread. Nothing is sent yet.
    pub(crate) fn new(export: TraceExport) -> Result<Self, Failure> {
        let TraceExport { endpoint, sample_ratio, headers } = export;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint.as_str())
            .with_timeout(TIMEOUT)
            .with_http_client(Collector::new(endpoint.clone(), headers)?)
            .build()
            .map_err(|error| format!("traces cannot be exported: {error}"))?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_MAX)
            .with_max_export_batch_size(BATCH_MAX)
            .with_scheduled_delay(BATCH_PAUSE)
            .build();
        let processor = BatchSpanProcessor::builder(AllowedOnly(exporter)).with_batch_config(config).build();
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        // Not of the environment, whose variables could add any attribute.
        let resource = Resource::builder_empty().with_service_name(SERVICE).with_attribute(version).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(ByTrace::new(sample_ratio))
            .with_span_processor(processor)
            .build();
        Ok(Self(provider))
    }

    /// Layer that gives the exporter the spans of [`TRACES`], and nothing else: no log line becomes part of a trace.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let is_ours = filter_fn(|it| it.is_span() && it.target() == TRACES).with_max_level_hint(LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            // The spans are never entered: each names its parent.
            .with_context_activation(false)
            .with_filter(is_ours)
    }

    /// Sends what is left, for [`FLUSH_MAX`] at most.
    pub(crate) async fn stop(self) {
        // It blocks. A failure is told by the collector's client.
        drop(tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FLUSH_MAX)).await);
    }
}

/// Port to the spans of an [`Exporter`].
pub(crate) struct OpenTelemetry;

impl Traces for OpenTelemetry {
    fn context_of(&self, span: &Span) -> Option<TraceParent> {
        let context = span.context();
        let span = context.span();
        let of_span = span.span_context();
        let (trace, id) = (of_span.trace_id().to_bytes(), of_span.span_id().to_bytes());
        let parent = TraceParent::new(u128::from_be_bytes(trace), u64::from_be_bytes(id), true);
        parent.filter(|_| of_span.is_sampled())
    }

    fn continue_from(&self, span: &Span, parent: &TraceParent) {
        let flags = TraceFlags::default().with_sampled(parent.is_sampled());
        let (trace, id) = (TraceId::from(parent.trace()), SpanId::from(parent.span()));
        let remote = SpanContext::new(trace, id, flags, true, TraceState::default());
        // It fails if the span is disabled, and begins a trace if it has a part already, which none has.
        drop(span.set_parent(Context::new().with_remote_span_context(remote)));
    }
}
