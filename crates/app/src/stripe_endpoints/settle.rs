//! Steps towards one working endpoint. A new one is created, and its secret stored, before an old one goes.

use std::collections::BTreeSet;

use paywright_domain::Timestamp;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::found::{Found, State, differences};
use super::{
    DESCRIPTION, EndpointDifference, EndpointStep, OVERLAP_SECONDS, ReplaceReason, STRIPE_ENDPOINTS_MAX,
    StripeEndpoints, StripeEndpointsError, UselessReason,
};
use crate::ports::provider_endpoints::{
    CreatedEndpoint, NewProviderEndpoint, ProviderEndpoint, ProviderEndpointEdit, ProviderEndpointUrl,
    ProviderEndpointsError, SecretDigest, WEBHOOK_SECRETS_MAX,
};

/// Most digests of replaced secrets that the metadata of an endpoint holds: a value has at most 500 characters at Stripe.
const REPLACED_MAX: usize = 29;

/// Most idempotency keys that are tried for one endpoint.
const KEYS_MAX: usize = 20;

/// Most keys of one command under which Stripe failed.
const KEYS_EXHAUSTED_MAX: usize = 1;

/// Endpoint that remains at the end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Remaining<'a> {
    /// This one, repaired.
    Present(&'a ProviderEndpoint),
    /// A new one.
    New(ReplaceReason),
}

/// State to be reached.
#[derive(Debug, Clone)]
pub(super) struct Goal<'a> {
    pub(super) remaining: Remaining<'a>,
    /// URL of the endpoint; that of the present one if it is `None`.
    pub(super) url: Option<ProviderEndpointUrl>,
    /// Time for which another current endpoint is kept, in seconds.
    pub(super) overlap_seconds: u32,
    /// Whether overlaps end now.
    pub(super) finish: bool,
    pub(super) dry_run: bool,
}

impl<'a> Goal<'a> {
    pub(super) const fn keep(endpoint: &'a ProviderEndpoint) -> Self {
        Self::of(Remaining::Present(endpoint))
    }

    pub(super) const fn replace(reason: ReplaceReason) -> Self {
        Self::of(Remaining::New(reason))
    }

    const fn of(remaining: Remaining<'a>) -> Self {
        Self { remaining, url: None, overlap_seconds: OVERLAP_SECONDS, finish: false, dry_run: false }
    }
}

/// The endpoint that remains, once it works.
struct Kept {
    /// `None` in a dry run that would create it.
    id: Option<String>,
    /// Digests of the secrets of those that it replaces.
    replaced: BTreeSet<SecretDigest>,
}

impl StripeEndpoints {
    /// Takes the steps to the goal, each of which leaves a working endpoint where there was one.
    pub(super) async fn settle(
        &self,
        found: &Found,
        goal: Goal<'_>,
    ) -> Result<Vec<EndpointStep>, StripeEndpointsError> {
        let mut steps = Vec::new();
        let kept = match goal.remaining {
            Remaining::Present(endpoint) => self.repair(found, endpoint, &goal, &mut steps).await?,
            Remaining::New(reason) => self.create(found, reason, &goal, &mut steps).await?,
        };
        let deleted_before = deleted_in(&steps);
        let others =
            found.ours.iter().filter(|it| Some(&it.id) != kept.id.as_ref() && !deleted_before.contains(&it.id));
        for endpoint in others {
            let step = step_for(endpoint, found.now, &goal);
            if !goal.dry_run {
                self.perform(&step).await?;
            }
            steps.push(step);
        }
        let deleted = deleted_in(&steps);
        let gone = found.ours.iter().filter(|it| deleted.contains(&it.id)).filter_map(|it| it.marks.secret.clone());
        let left = found.ours.iter().filter(|it| !deleted.contains(&it.id)).filter_map(|it| it.marks.secret.as_ref());
        let left: BTreeSet<&SecretDigest> = left.collect();
        let useless = kept.replaced.into_iter().chain(gone).filter(|it| !left.contains(it)).collect();
        steps.extend(self.remove_secrets(&useless, goal.dry_run).await?);
        Ok(steps)
    }

    /// Ends the differences of the endpoint that remains.
    async fn repair(
        &self,
        found: &Found,
        endpoint: &ProviderEndpoint,
        goal: &Goal<'_>,
        steps: &mut Vec<EndpointStep>,
    ) -> Result<Kept, StripeEndpointsError> {
        let differences = differences(endpoint, &self.spec, goal.url.as_ref());
        let known: BTreeSet<SecretDigest> = endpoint.marks.replaced.iter().cloned().collect();
        // Another current endpoint, such as one that an interrupted command was about to retire.
        let others = found.in_state(State::Current).into_iter().filter(|it| it.id != endpoint.id);
        let replaced: BTreeSet<_> = others.filter_map(|it| it.marks.secret.clone()).chain(known.clone()).collect();
        let differs = |it| differences.contains(&it);
        let edit = ProviderEndpointEdit {
            url: goal.url.clone().filter(|_| differs(EndpointDifference::Url)),
            events: differs(EndpointDifference::Events).then_some(self.spec.events),
            disabled: differs(EndpointDifference::Disabled).then_some(false),
            description: differs(EndpointDifference::Description).then_some(DESCRIPTION),
            replaced: (replaced != known).then(|| replaced.iter().take(REPLACED_MAX).cloned().collect()),
            ..ProviderEndpointEdit::default()
        };
        if !goal.dry_run && edit != ProviderEndpointEdit::default() {
            self.update(&endpoint.id, &edit).await?;
        }
        if !differences.is_empty() {
            steps.push(EndpointStep::Repair { id: endpoint.id.clone(), differences });
        }
        Ok(Kept { id: Some(endpoint.id.clone()), replaced })
    }

    /// Creates an endpoint, stores its secret, and only then marks it as one whose secret is stored.
    async fn create(
        &self,
        found: &Found,
        reason: ReplaceReason,
        goal: &Goal<'_>,
        steps: &mut Vec<EndpointStep>,
    ) -> Result<Kept, StripeEndpointsError> {
        let replaced = replaced_secrets(found);
        if goal.dry_run {
            steps.push(EndpointStep::Create { id: None, reason });
            return Ok(Kept { id: None, replaced });
        }
        let stored = self.ports.secrets.secrets().await?;
        if stored.len() >= WEBHOOK_SECRETS_MAX {
            return Err(StripeEndpointsError::TooManySecrets);
        }
        self.ports.secrets.check_writable().await?;
        let present = found.in_state(State::Current).into_iter().chain(found.in_state(State::Retiring)).next();
        let Some(url) = goal.url.clone().or_else(|| present.map(|it| it.url.clone())) else {
            return Err(StripeEndpointsError::NoEndpoint);
        };
        let CreatedEndpoint { id, secret, .. } = self.create_at(found, url, steps).await?;
        let digest = SecretDigest::of(&secret);
        // The new one first. Its events are refused until this is read, and Stripe delivers them again.
        let older = stored.into_iter().filter(|it| SecretDigest::of(it) != digest);
        let secrets: Vec<SecretString> = std::iter::once(secret).chain(older).collect();
        self.ports.secrets.replace_secrets(&secrets).await?;
        let marks = ProviderEndpointEdit {
            secret: Some(digest),
            replaced: Some(replaced.iter().take(REPLACED_MAX).cloned().collect()),
            ..ProviderEndpointEdit::default()
        };
        self.update(&id, &marks).await?;
        steps.push(EndpointStep::Create { id: Some(id.clone()), reason });
        Ok(Kept { id: Some(id), replaced })
    }

    /// Creates an endpoint at `url`. If Stripe allows no more, endpoints of ours that are of no use are deleted before.
    async fn create_at(
        &self,
        found: &Found,
        url: ProviderEndpointUrl,
        steps: &mut Vec<EndpointStep>,
    ) -> Result<CreatedEndpoint, StripeEndpointsError> {
        let new = NewProviderEndpoint {
            url,
            events: self.spec.events,
            api_version: self.spec.api_version,
            description: DESCRIPTION,
            installation: self.installation.to_string(),
        };
        let mut useless = found.ours.iter().filter_map(|it| Some((it, useless_now(it, found.now)?)));
        // Ids that make the next key another one than those before.
        let (mut passed, mut exhausted): (Vec<String>, usize) = (Vec::new(), 0);
        for _ in 0..KEYS_MAX {
            match self.ports.endpoints.create_endpoint(&new, &creation_key(found, &new, &passed)).await {
                Ok(created) if created.replayed && !self.exists(&created.id).await? => passed.push(created.id),
                Ok(created) => return Ok(created),
                // What that call has created, if anything, is a stray that the next command deletes. No key that follows from
                // the state helps, because the next command would meet the same answer.
                Err(ProviderEndpointsError::KeyExhausted(_)) if exhausted < KEYS_EXHAUSTED_MAX => {
                    exhausted += 1;
                    passed.push(self.ports.ids.random().to_string());
                }
                Err(ProviderEndpointsError::Refused(_)) if found.total >= STRIPE_ENDPOINTS_MAX => {
                    let Some((endpoint, reason)) = useless.next() else {
                        return Err(StripeEndpointsError::Full { ours: found.ours.len() });
                    };
                    let step = EndpointStep::Delete { id: endpoint.id.clone(), reason };
                    self.perform(&step).await?;
                    steps.push(step);
                    passed.push(endpoint.id.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StripeEndpointsError::Replayed)
    }

    async fn exists(&self, id: &str) -> Result<bool, StripeEndpointsError> {
        Ok(self.ports.endpoints.endpoints().await?.iter().any(|it| it.id == id))
    }

    /// Performs the step about an endpoint that does not remain.
    async fn perform(&self, step: &EndpointStep) -> Result<(), StripeEndpointsError> {
        match step {
            EndpointStep::Retire { id, until } => {
                let edit = ProviderEndpointEdit { retire_after: Some(*until), ..ProviderEndpointEdit::default() };
                self.update(id, &edit).await
            }
            EndpointStep::Delete { id, .. } => Ok(self.ports.endpoints.delete_endpoint(id).await?),
            EndpointStep::Create { .. }
            | EndpointStep::Repair { .. }
            | EndpointStep::Wait { .. }
            | EndpointStep::RemoveSecrets { .. } => Ok(()),
        }
    }

    /// Updates an endpoint. Its key is a fresh one: under that of an earlier update to the same values Stripe would only
    /// replay the answer, though the endpoint may have been changed since. A repeat of an update changes nothing.
    async fn update(&self, id: &str, edit: &ProviderEndpointEdit) -> Result<(), StripeEndpointsError> {
        let key = format!("webhook-endpoint-update:{}", self.ports.ids.random());
        Ok(self.ports.endpoints.update_endpoint(id, edit, &key).await?)
    }

    /// Removes stored secrets with these digests.
    async fn remove_secrets(
        &self,
        useless: &BTreeSet<SecretDigest>,
        dry_run: bool,
    ) -> Result<Option<EndpointStep>, StripeEndpointsError> {
        if useless.is_empty() {
            return Ok(None);
        }
        let stored = self.ports.secrets.secrets().await?;
        let before = stored.len();
        let left: Vec<_> = stored.into_iter().filter(|it| !useless.contains(&SecretDigest::of(it))).collect();
        let count = before - left.len();
        if count == 0 {
            return Ok(None);
        }
        if !dry_run {
            self.ports.secrets.replace_secrets(&left).await?;
        }
        Ok(Some(EndpointStep::RemoveSecrets { count }))
    }
}

/// Step for an endpoint that does not remain.
fn step_for(endpoint: &ProviderEndpoint, now: Timestamp, goal: &Goal<'_>) -> EndpointStep {
    let id = endpoint.id.clone();
    if let Some(reason) = useless_now(endpoint, now) {
        return EndpointStep::Delete { id, reason };
    }
    match endpoint.marks.retire_after {
        Some(_) if goal.finish => EndpointStep::Delete { id, reason: UselessReason::Replaced },
        Some(until) => EndpointStep::Wait { id, until },
        None => EndpointStep::Retire { id, until: now.plus_seconds(goal.overlap_seconds) },
    }
}

/// Reason for which an endpoint of ours can be deleted now.
fn useless_now(endpoint: &ProviderEndpoint, now: Timestamp) -> Option<UselessReason> {
    match State::of(endpoint) {
        State::Stray => Some(UselessReason::SecretNotStored),
        State::Retiring => endpoint.marks.retire_after.is_some_and(|it| it <= now).then_some(UselessReason::Replaced),
        State::Current => None,
    }
}

fn deleted_in(steps: &[EndpointStep]) -> BTreeSet<String> {
    let deleted = steps.iter().filter_map(|it| match it {
        EndpointStep::Delete { id, .. } => Some(id.clone()),
        EndpointStep::Create { .. }
        | EndpointStep::Repair { .. }
        | EndpointStep::Retire { .. }
        | EndpointStep::Wait { .. }
        | EndpointStep::RemoveSecrets { .. } => None,
    });
    deleted.collect()
}

/// Digests of the secrets that a new endpoint replaces: those of all others of ours, and those that these have replaced and
/// that are still stored.
fn replaced_secrets(found: &Found) -> BTreeSet<SecretDigest> {
    let own = found.ours.iter().filter_map(|it| it.marks.secret.clone());
    let before = found.ours.iter().flat_map(|it| &it.marks.replaced).filter(|it| found.stored.contains(it)).cloned();
    own.chain(before).collect()
}

/// Idempotency key of a creation, which follows from the endpoints whose secrets were stored, and from the parameters. So a
/// command that is run again after an interrupted one gets the same endpoint and its secret, for as long as Stripe knows
/// the key.
fn creation_key(found: &Found, new: &NewProviderEndpoint, passed: &[String]) -> String {
    let NewProviderEndpoint { url, events, api_version, description, installation } = new;
    let mut digest = Sha256::new();
    let stored = found.ours.iter().filter(|it| State::of(it) != State::Stray).map(|it| it.id.as_str());
    let fixed = [url.0.as_str(), api_version, description, installation];
    let lists = [fixed.to_vec(), events.to_vec(), stored.collect(), passed.iter().map(String::as_str).collect()];
    for list in lists {
        for text in list {
            digest.update(text.as_bytes());
            digest.update([0]);
        }
        digest.update([1]);
    }
    format!("webhook-endpoint:{}", hex::encode(digest.finalize()))
}
