//! Resolution of host names that leaves out every address to which webhooks may not be sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::addresses::AllowedAddresses;

/// Lookup of a name's addresses.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// Addresses of `host`.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Lookup by the operating system.
#[derive(Debug, Clone, Copy)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|it| it.ip()).collect())
    }
}

/// Why a name led to no address.
#[derive(Debug, Error)]
pub(crate) enum ResolveError {
    /// The lookup failed.
    #[error("{0}")]
    Lookup(io::Error),
    /// The name has no address.
    #[error("it has no address")]
    NoAddress,
    /// All addresses of the name are refused; one of them.
    #[error("{0} is not allowed")]
    NotAllowed(IpAddr),
}

/// Resolver of the HTTP client. The client connects to the very addresses that the resolver returns, and asks for them
/// each time it makes a connection, so a name that changes its addresses after a check gains nothing. A connection that
/// is used again leads to an address that was checked when it was made.
#[derive(Clone)]
pub(crate) struct FilteringResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) allowed: Arc<AllowedAddresses>,
}

impl FilteringResolver {
    async fn allowed_addresses(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.lookup.lookup(host).await.map_err(ResolveError::Lookup)?;
        let first = *found.first().ok_or(ResolveError::NoAddress)?;
        let allowed: Vec<_> =
            found.into_iter().filter(|it| self.allowed.allows(*it)).map(|it| SocketAddr::new(it, 0)).collect();
        if allowed.is_empty() { Err(ResolveError::NotAllowed(first)) } else { Ok(allowed) }
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.allowed_addresses(name.as_str()).await?;
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}
