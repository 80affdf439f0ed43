//! Endpoints of this installation as they were found, and what each of them is good for.

use std::collections::BTreeSet;

use paywright_domain::Timestamp;
use paywright_domain::id::InstallationId;
use secrecy::SecretString;

use super::{DESCRIPTION, EndpointDifference, EndpointSpec, ReplaceReason};
use crate::ports::provider_endpoints::{ProviderEndpoint, ProviderEndpointUrl, SecretDigest};

/// State of one of our endpoints, by its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Endpoint whose secret was stored, and that no other has replaced.
    Current,
    /// Endpoint that another one has replaced; it is deleted after its overlap.
    Retiring,
    /// Endpoint whose secret was not stored, because a command was interrupted.
    Stray,
}

impl State {
    pub(super) const fn of(endpoint: &ProviderEndpoint) -> Self {
        match (&endpoint.marks.retire_after, &endpoint.marks.secret) {
            (Some(_), _) => Self::Retiring,
            (None, Some(_)) => Self::Current,
            (None, None) => Self::Stray,
        }
    }
}

/// Endpoints of this installation, and what is stored here.
#[derive(Debug)]
pub(super) struct Found {
    /// Endpoints of this installation, the newest first.
    pub(super) ours: Vec<ProviderEndpoint>,
    /// Number of endpoints of the account.
    pub(super) total: usize,
    /// Digests of the stored secrets.
    pub(super) stored: BTreeSet<SecretDigest>,
    pub(super) now: Timestamp,
}

impl Found {
    pub(super) fn new(
        all: Vec<ProviderEndpoint>,
        installation: InstallationId,
        stored: &[SecretString],
        now: Timestamp,
    ) -> Self {
        let (total, name) = (all.len(), installation.to_string());
        let mut ours: Vec<_> = all.into_iter().filter(|it| it.installation.as_deref() == Some(&name)).collect();
        // Stripe's times have whole seconds; of two in one second the id decides, always in the same way.
        ours.sort_by(|one, other| (other.created_at, &other.id).cmp(&(one.created_at, &one.id)));
        Self { ours, total, stored: stored.iter().map(SecretDigest::of).collect(), now }
    }

    pub(super) fn in_state(&self, state: State) -> Vec<&ProviderEndpoint> {
        self.ours.iter().filter(|it| State::of(it) == state).collect()
    }

    /// Whether the secret of an endpoint is stored here.
    pub(super) fn knows(&self, endpoint: &ProviderEndpoint) -> bool {
        endpoint.marks.secret.as_ref().is_some_and(|it| self.stored.contains(it))
    }

    /// The newest current endpoint whose secret is stored and whose API version is right: the rest can be repaired.
    pub(super) fn usable(&self, spec: &EndpointSpec) -> Option<&ProviderEndpoint> {
        let current = self.in_state(State::Current);
        current.into_iter().find(|it| self.knows(it) && has_version(it, spec))
    }

    /// Reason for which no endpoint is usable.
    pub(super) fn why_not_usable(&self, spec: &EndpointSpec) -> ReplaceReason {
        match self.in_state(State::Current).first() {
            None => ReplaceReason::Missing,
            Some(it) if !has_version(it, spec) => ReplaceReason::ApiVersion,
            Some(_) => ReplaceReason::SecretLost,
        }
    }
}

pub(super) fn has_version(endpoint: &ProviderEndpoint, spec: &EndpointSpec) -> bool {
    endpoint.api_version.as_deref() == Some(spec.api_version)
}

pub(super) fn has_events(endpoint: &ProviderEndpoint, spec: &EndpointSpec) -> bool {
    let has: BTreeSet<&str> = endpoint.events.iter().map(String::as_str).collect();
    has == spec.events.iter().copied().collect()
}

/// Differences that an update ends. Without `url` any URL is right.
pub(super) fn differences(
    endpoint: &ProviderEndpoint,
    spec: &EndpointSpec,
    url: Option<&ProviderEndpointUrl>,
) -> Vec<EndpointDifference> {
    let found = [
        (EndpointDifference::Url, url.is_some_and(|it| *it != endpoint.url)),
        (EndpointDifference::Events, !has_events(endpoint, spec)),
        (EndpointDifference::Disabled, !endpoint.is_enabled),
        (EndpointDifference::Description, endpoint.description.as_deref() != Some(DESCRIPTION)),
    ];
    found.into_iter().filter(|(_, differs)| *differs).map(|(it, _)| it).collect()
}
