//! Settings of the HTTP server.

use std::time::Duration;

use paywright_http_api::TrustedProxies;
use serde::Deserialize;

use crate::Failure;
use crate::settings::values::{BindAddress, Within, parsed};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where to listen.
    #[serde(deserialize_with = "parsed")]
    bind: BindAddress,
    /// How many threads serve; as many as there are cores if 0.
    workers: Within<0, 512>,
    /// The most connections of clients at once.
    connections: Within<16, 1_000_000>,
    /// How long new connections are still taken once a stop was asked for and `/readyz` is 503, in seconds. At most five
    /// minutes, the default of a common load balancer.
    drain_seconds: Within<0, 300>,
    /// Addresses and networks of proxies whose `X-Forwarded-*` is believed, separated by commas.
    #[serde(deserialize_with = "parsed")]
    pub(crate) trusted_proxies: TrustedProxies,
}

/// With the 32 KiB of a half-sent head or body that a connection may hold, 128 MiB at most.
const CONNECTIONS: u32 = 4096;

/// Two checks of a load balancer that checks every two seconds, and one second more.
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
    /// Where to listen: where the option `--bind` says, or else the setting.
    pub(crate) fn bind(&self, option: Option<&str>) -> Result<BindAddress, Failure> {
        let option = option.map(|it| it.parse().map_err(|problem| format!("--bind {problem}"))).transpose()?;
        Ok(option.unwrap_or_else(|| self.bind.clone()))
    }

    /// How many threads serve; as many as there are cores if 0.
    pub(crate) fn workers(&self) -> usize {
        usize::try_from(self.workers.get()).unwrap_or_default()
    }

    /// The most connections of clients at once.
    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.connections.get()).unwrap_or(usize::MAX)
    }

    /// How long new connections are still taken once a stop was asked for.
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.get().into())
    }
}
