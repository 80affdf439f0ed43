//! Settings of the HTTP server.

use std::time::Duration;

use paywright_http_api::TrustedProxies;
use serde::Deserialize;

use crate::Failure;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where to listen.
    pub(crate) bind: String,
    /// How many threads serve; as many as there are cores if 0.
    pub(crate) workers: usize,
    /// The most connections of clients at once.
    pub(crate) connections: usize,
    /// How long new connections are still taken once a stop was asked for and `/readyz` is 503, in seconds.
    drain_seconds: u64,
    /// Addresses and networks of proxies whose `X-Forwarded-*` is believed, separated by commas.
    trusted_proxies: String,
}

/// With the 32 KiB of a half-sent head or body that a connection may hold, 128 MiB at most.
pub(crate) const CONNECTIONS: usize = 4096;

/// Two checks of a load balancer that checks every two seconds, and one second more.
pub(crate) const DRAIN_SECONDS: u64 = 5;
/// Five minutes, the default of a common load balancer.
const DRAIN_SECONDS_MAX: u64 = 300;

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".into(),
            workers: 0,
            connections: CONNECTIONS,
            drain_seconds: DRAIN_SECONDS,
            trusted_proxies: String::new(),
        }
    }
}

impl Http {
    /// How long new connections are still taken once a stop was asked for.
    pub(crate) fn drain(&self) -> Result<Duration, Failure> {
        if self.drain_seconds > DRAIN_SECONDS_MAX {
            return Err(format!("http.drain_seconds must be at most {DRAIN_SECONDS_MAX}").into());
        }
        Ok(Duration::from_secs(self.drain_seconds))
    }

    /// Proxies that are believed what they say of a client.
    pub(crate) fn trusted_proxies(&self) -> Result<TrustedProxies, Failure> {
        Ok(self.trusted_proxies.parse().map_err(|error| format!("http.trusted_proxies: {error}"))?)
    }
}
