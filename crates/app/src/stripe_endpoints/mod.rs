//! The webhook endpoint at Stripe that sends its events to this installation: created, repaired and rotated by command, and
//! checked by the serving processes.
//!
//! All state is at Stripe, in the metadata of the endpoints, and in the store of the secrets. Each step leaves what the next
//! run can continue from: a process may die between any two of them.

mod drift;
mod found;
mod settle;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;

use paywright_domain::Timestamp;
use paywright_domain::id::InstallationId;
use secrecy::SecretString;
use thiserror::Error;

pub use self::drift::EndpointDrift;
use self::found::{Found, State};
use self::settle::Goal;
pub use self::watch::{EndpointWatch, EndpointWatchPorts, WatchError};
use crate::ports::provider_endpoints::{
    ProviderEndpoint, ProviderEndpointUrl, ProviderEndpoints, ProviderEndpointsError, SecretStoreError,
    WEBHOOK_SECRETS_MAX, WebhookSecretStore,
};
use crate::{Clock, Ids};

/// Largest number of webhook endpoints of a Stripe account, those of all programs together.
pub const STRIPE_ENDPOINTS_MAX: usize = 16;

/// Time for which an endpoint that `ensure` has replaced is kept, in seconds.
const OVERLAP_SECONDS: u32 = 86_400;

/// Description of our endpoint in Stripe's dashboard.
const DESCRIPTION: &str = "Paywright: managed by `paywright webhooks ensure`";

/// Settings of our endpoint that the program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Types of its events: exactly these.
    pub events: &'static [&'static str],
    /// API version of its events.
    pub api_version: &'static str,
}

/// Setting in which an endpoint differs from what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointDifference {
    /// Other URL.
    Url,
    /// Other types of events than exactly those that it should send.
    Events,
    /// Disabled state.
    Disabled,
    /// Other description.
    Description,
}

/// Reason for a new endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceReason {
    /// No endpoint of this installation.
    Missing,
    /// Secret of the present one that is not among the stored ones; Stripe shows it no more.
    SecretLost,
    /// Other API version of the present one, which cannot be changed.
    ApiVersion,
    /// Rotation of the secret.
    Rotation,
}

/// Reason for which an endpoint is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UselessReason {
    /// Secret that nobody has stored, because a command was interrupted.
    SecretNotStored,
    /// Replacement by another one, whose overlap is over.
    Replaced,
}

/// Step of a command, done or, in a dry run, to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointStep {
    /// Creates an endpoint and stores its secret.
    Create {
        /// Stripe's id; `None` in a dry run.
        id: Option<String>,
        /// Reason for it.
        reason: ReplaceReason,
    },
    /// Changes an endpoint.
    Repair {
        /// Stripe's id of the endpoint.
        id: String,
        /// Differences that end.
        differences: Vec<EndpointDifference>,
    },
    /// Keeps an endpoint beside the one that replaces it for a while.
    Retire {
        /// Stripe's id of the endpoint.
        id: String,
        /// Time from which it can be deleted.
        until: Timestamp,
    },
    /// Leaves an endpoint that was replaced earlier until its overlap is over.
    Wait {
        /// Stripe's id of the endpoint.
        id: String,
        /// Time from which it can be deleted.
        until: Timestamp,
    },
    /// Deletes an endpoint.
    Delete {
        /// Stripe's id of the endpoint.
        id: String,
        /// Reason for it.
        reason: UselessReason,
    },
    /// Removes stored secrets whose endpoints are gone.
    RemoveSecrets {
        /// Number of secrets.
        count: usize,
    },
}

/// Outcome of a call to rotate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// A second endpoint sends events too; the first is deleted by a later call.
    Begun(Vec<EndpointStep>),
    /// An earlier rotation is under way: nothing was done.
    UnderWay {
        /// Time from which it can be finished.
        until: Timestamp,
    },
    /// The first endpoint and its secret are gone.
    Finished(Vec<EndpointStep>),
}

/// Why a command about the endpoint at Stripe failed.
#[derive(Debug, Error)]
pub enum StripeEndpointsError {
    /// A call to Stripe failed.
    #[error(transparent)]
    Endpoints(#[from] ProviderEndpointsError),
    /// The secrets cannot be read or written.
    #[error(transparent)]
    Secrets(#[from] SecretStoreError),
    /// The account has as many endpoints as Stripe allows.
    #[error(
        "the Stripe account has {STRIPE_ENDPOINTS_MAX} webhook endpoints, the most that Stripe allows, and a new one is needed before an old \
         one can go: delete one that no program needs in Stripe's dashboard, and run the command again ({ours} of them are of this \
         installation, and it deletes no other)"
    )]
    Full {
        /// Number of endpoints of this installation.
        ours: usize,
    },
    /// No more secrets can be stored.
    #[error(
        "{WEBHOOK_SECRETS_MAX} webhook secrets are stored, the most that are accepted: remove those that no endpoint uses"
    )]
    TooManySecrets,
    /// No endpoint has a secret that could be rotated.
    #[error("no webhook endpoint at Stripe is of this installation: `paywright webhooks ensure` creates one")]
    NoEndpoint,
    /// No rotation could be finished.
    #[error("no rotation is under way: `paywright webhooks rotate` begins one")]
    NoRotation,
    /// Stripe replays answers about endpoints that do not exist.
    #[error("Stripe replays earlier answers about endpoints that were deleted: run the command again in a day")]
    Replayed,
}

/// Ports of [`StripeEndpoints`].
#[derive(Clone)]
pub struct StripeEndpointsPorts {
    /// Endpoints at Stripe.
    pub endpoints: Arc<dyn ProviderEndpoints>,
    /// Store of the secrets.
    pub secrets: Arc<dyn WebhookSecretStore>,
    /// Clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Source of fresh ids.
    pub ids: Arc<dyn Ids>,
}

/// Use cases of the webhook endpoint at Stripe. Endpoints of other programs and installations are never changed. Only one
/// call may run at a time on one store of secrets.
#[derive(Clone)]
pub struct StripeEndpoints {
    ports: StripeEndpointsPorts,
    installation: InstallationId,
    spec: EndpointSpec,
}

impl StripeEndpoints {
    /// Use cases for one installation.
    pub const fn new(ports: StripeEndpointsPorts, installation: InstallationId, spec: EndpointSpec) -> Self {
        Self { ports, installation, spec }
    }

    /// Creates or repairs the endpoint that sends events to `url`, continues what an interrupted command has begun, and
    /// completes rotations whose overlap is over. Returns the steps; none if all is as it should be. A dry run only
    /// returns them.
    pub async fn ensure(
        &self,
        url: ProviderEndpointUrl,
        dry_run: bool,
    ) -> Result<Vec<EndpointStep>, StripeEndpointsError> {
        let found = self.found().await?;
        let goal = match found.usable(&self.spec) {
            Some(keep) => Goal::keep(keep),
            None => Goal::replace(found.why_not_usable(&self.spec)),
        };
        self.settle(&found, Goal { url: Some(url), dry_run, ..goal }).await
    }

    /// Begins to replace the endpoint by a second one with the same URL and a new secret, or finishes that once the overlap is
    /// over. Both secrets are accepted meanwhile, and events come twice. `finish` ends the overlap now. An interrupted call
    /// is continued by the next one.
    pub async fn rotate(&self, overlap_seconds: u32, finish: bool) -> Result<Rotation, StripeEndpointsError> {
        let found = self.found().await?;
        let keep = found.usable(&self.spec);
        let (retiring, current) = (found.in_state(State::Retiring), found.in_state(State::Current));
        if !retiring.is_empty() {
            let is_due = |it: &&ProviderEndpoint| finish || it.marks.retire_after <= Some(found.now);
            if !retiring.iter().any(is_due) {
                let until = retiring.iter().filter_map(|it| it.marks.retire_after).max().unwrap_or(found.now);
                return Ok(Rotation::UnderWay { until });
            }
            let goal = keep.map_or_else(|| Goal::replace(found.why_not_usable(&self.spec)), Goal::keep);
            return Ok(Rotation::Finished(self.settle(&found, Goal { finish, ..goal }).await?));
        }
        let goal = match (keep, current.as_slice()) {
            (_, []) => return Err(StripeEndpointsError::NoEndpoint),
            // An interrupted call has made the second one.
            (Some(keep), [_, _, ..]) => Goal::keep(keep),
            (_, [_, ..]) if finish => return Err(StripeEndpointsError::NoRotation),
            (_, [_, ..]) => Goal::replace(ReplaceReason::Rotation),
        };
        Ok(Rotation::Begun(self.settle(&found, Goal { overlap_seconds, ..goal }).await?))
    }

    /// Reads the endpoints of this installation and the stored secrets.
    async fn found(&self) -> Result<Found, StripeEndpointsError> {
        let stored = self.ports.secrets.secrets().await?;
        let all = self.ports.endpoints.endpoints().await?;
        Ok(Found::new(all, self.installation, &stored, self.ports.clock.now()))
    }

    /// Differences of the endpoints in `listed` from what they should be. `secrets` are those that are accepted now;
    /// `was_there` says whether the installation had an endpoint of its own before: one that never had has no drift.
    pub fn drift(
        listed: Vec<ProviderEndpoint>,
        installation: InstallationId,
        spec: &EndpointSpec,
        secrets: &[SecretString],
        was_there: bool,
        now: Timestamp,
    ) -> BTreeSet<EndpointDrift> {
        drift::of(&Found::new(listed, installation, secrets, now), spec, was_there)
    }
}
