//! Settings of the metrics.

use ipnet::IpNet;
use serde::Deserialize;

use crate::settings::values::{Networks, flag, parsed};

/// Networks from which the metrics are read without an API key by default: this machine.
const THIS_MACHINE: &str = "127.0.0.0/8, ::1/128";

/// Metrics at `/metrics`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MetricsSection {
    /// Whether there are metrics.
    #[serde(deserialize_with = "flag")]
    enabled: bool,
    /// Addresses and networks from which they are read without an API key, separated by commas.
    #[serde(deserialize_with = "parsed")]
    networks: Networks,
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { enabled: true, networks: THIS_MACHINE.parse().unwrap_or_default() }
    }
}

impl MetricsSection {
    /// Networks from which the metrics are read without an API key; `None` if there are no metrics.
    pub(crate) fn networks(&self) -> Option<Vec<IpNet>> {
        self.enabled.then(|| self.networks.0.clone())
    }
}
