//! Traces of a program without the feature `traces`: there is no exporter, and settings that want one are refused.

pub(crate) use paywright_app::NoTraces as OpenTelemetry;
use tracing::Subscriber;
use tracing_subscriber::layer::{Identity, Layer};

use crate::Failure;
use crate::settings::traces::TraceExport;

/// Exporter of spans, of which there is none.
pub(crate) enum Exporter {}

impl Exporter {
    pub(crate) fn new(_: TraceExport) -> Result<Self, Failure> {
        Err("this program was built without traces".into())
    }

    #[expect(clippy::unused_self, reason = "an exporter gives its layer")]
    pub(crate) fn layer<S: Subscriber>(&self) -> impl Layer<S> + use<S> {
        Identity::new()
    }

    #[expect(clippy::unused_async, reason = "an exporter sends what is left")]
    pub(crate) async fn stop(self) {
        match self {}
    }
}
