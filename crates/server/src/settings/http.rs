//! Settings of the HTTP server.

use std::time::Duration;

use paywright_http_api::TrustedProxies;
use serde::Deserialize;

use crate::Failure;
use crate::settings::values::{BindAddress, Within, parsed};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Host and port to listen on.
    #[serde(deserialize_with = "parsed")]
    bind: BindAddress,
    /// Number of serving threads; one per core if 0.
    workers: Within<0, 512>,
    /// Maximum number of client connections.
    connections: Within<16, 1_000_000>,
    /// Time for which new connections are still accepted after a stop was requested and `/readyz` is 503, in seconds. At most
    /// five minutes, the default of a common load balancer.
    drain_seconds: Within<0, 300>,
    /// Addresses and networks of proxies whose `X-Forwarded-*` headers are trusted, separated by commas.
    #[serde(deserialize_with = "parsed")]
    pub(crate) trusted_proxies: TrustedProxies,
}

/// Default number of client connections. Each may hold 32 KiB of a half-sent head or body: 128 MiB in total.
const CONNECTIONS: u32 = 4096;

/// Default drain: two checks of a load balancer that checks every two seconds, plus one second.
pub(crate) const DRAIN_SECONDS: u32 = 5;

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: BindAddress::default(),
            workers: Within::nearest(0),
            connections: Within::nearest(CONNECTIONS),
            drain_seconds: Within::nearest(DRAIN_SECONDS),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

impl Http {
    /// Host and port to listen on: those of the option `--bind`, or else of the setting.
    pub(crate) fn bind(&self, option: Option<&str>) -> Result<BindAddress, Failure> {
        let option = option.map(|it| it.parse().map_err(|problem| format!("--bind {problem}"))).transpose()?;
        Ok(option.unwrap_or_else(|| self.bind.clone()))
    }

    /// Number of serving threads; one per core if 0.
    pub(crate) fn workers(&self) -> usize {
        usize::try_from(self.workers.get()).unwrap_or_default()
    }

    /// Maximum number of client connections.
    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.connections.get()).unwrap_or(usize::MAX)
    }

    /// Time for which new connections are still accepted after a stop was requested.
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.get().into())
    }
}
