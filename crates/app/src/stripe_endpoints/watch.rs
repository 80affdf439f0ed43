//! Watch: checks our endpoint at Stripe from time to time, and remembers what was found for metrics and warnings.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use paywright_domain::Timestamp;
use paywright_domain::id::InstallationId;
use secrecy::SecretString;
use thiserror::Error;

use super::found::Found;
use super::{EndpointDrift, EndpointSpec, drift};
use crate::ports::provider_endpoints::{ProviderEndpoints, ProviderEndpointsError};
use crate::{Clock, Cursor, CursorDue, Cursors, Ids, Lease, StoreError};

/// Name of the cursor that remembers when an endpoint of this installation was last seen.
const SEEN: &str = "stripe_endpoint_seen";
/// Time for which a missing endpoint is told, in seconds. An installation that has gone back to an endpoint that was made by
/// hand is not told for ever.
const TOLD_SECONDS: u32 = 30 * 86_400;
/// Length of the lease under which the cursor is read and moved, in seconds.
const LEASE_SECONDS: u32 = 20;

/// Ports of [`EndpointWatch`].
#[derive(Clone)]
pub struct EndpointWatchPorts {
    /// Endpoints at Stripe.
    pub endpoints: Arc<dyn ProviderEndpoints>,
    /// Store that remembers whether the installation had an endpoint of its own.
    pub cursors: Arc<dyn Cursors>,
    /// Clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Source of fresh ids.
    pub ids: Arc<dyn Ids>,
}

/// Why nothing is known of the endpoint. It is no drift.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The endpoints cannot be listed.
    #[error(transparent)]
    Endpoints(#[from] ProviderEndpointsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process is reading what is remembered.
    #[error("another process is checking the webhook endpoint now")]
    Busy,
}

/// Checks the endpoint at Stripe. It only reads there. Clones share what was found.
#[derive(Clone)]
pub struct EndpointWatch {
    ports: EndpointWatchPorts,
    installation: InstallationId,
    spec: EndpointSpec,
    found: Arc<Mutex<Option<BTreeSet<EndpointDrift>>>>,
}

impl EndpointWatch {
    /// Watch over the endpoint of one installation.
    pub fn new(ports: EndpointWatchPorts, installation: InstallationId, spec: EndpointSpec) -> Self {
        Self { ports, installation, spec, found: Arc::default() }
    }

    /// Drift that this process was told of last; `None` before the first time.
    pub fn found(&self) -> Option<BTreeSet<EndpointDrift>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes `drift` that of [`Self::found`].
    pub fn tell(&self, drift: &BTreeSet<EndpointDrift>) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(drift.clone());
    }

    /// Checks the endpoint once. `secrets` are those that are accepted now. Drift may be a step of a command that is at
    /// work: tell it if it is still there a moment later.
    pub async fn check(&self, secrets: &[SecretString]) -> Result<BTreeSet<EndpointDrift>, WatchError> {
        let now = self.ports.clock.now();
        let listed = self.ports.endpoints.endpoints().await?;
        let found = Found::new(listed, self.installation, secrets, now);
        let was_there = self.remember(!found.ours.is_empty(), now).await?;
        Ok(drift::of(&found, &self.spec, was_there))
    }

    /// Stores that an endpoint is there now, and returns whether one was there within the last thirty days.
    async fn remember(&self, is_there: bool, now: Timestamp) -> Result<bool, WatchError> {
        let owner = self.ports.ids.lease_owner();
        let lease = Lease { owner, now, until: now.plus_seconds(LEASE_SECONDS), limit: 1 };
        // Due at any time, whichever clock moved it.
        let due = CursorDue { latest: now, ..CursorDue::now(now, 0) };
        let Some(mut cursor) = self.ports.cursors.lease_cursor(SEEN, &lease, due).await? else {
            return Err(WatchError::Busy);
        };
        if is_there {
            cursor = Cursor { value: Some(now.unix_seconds().to_string()) };
        }
        self.ports.cursors.move_cursor(SEEN, owner, &cursor, now).await?;
        let seen_at = cursor.value.and_then(|it| it.parse().ok()).and_then(|it| Timestamp::from_unix_seconds(it).ok());
        Ok(seen_at.is_some_and(|it| now < it.plus_seconds(TOLD_SECONDS)))
    }
}
