//! Management of endpoints, by applications and operators.

use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use secrecy::SecretString;
use thiserror::Error;
use uuid::Uuid;

use super::{
    Attempt, AttemptOutcome, AttemptPage, AttemptQuery, AttemptSearch, DisabledReason, Endpoint, EndpointFormat,
    EndpointId, EndpointState, EndpointUrl, SecretGeneration,
};
use crate::{
    ATTEMPTS_MAX, Act, AuditEntry, FeedPageError, FeedQuery, Position, Publisher, ResendOutcome, StoreError,
    StoredEndpoint, UrlNotAllowed, Versioned, WaitingOrders,
};

/// Type of the event that [`Publisher::send_test_event`] sends. It is not in the feed.
const TEST_TYPE: &str = "webhook.test";

/// Largest number of queues that are made due in one transaction.
const MADE_DUE_AT_ONCE: u16 = 5000;

/// Endpoint to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// URL that receives the webhooks.
    pub url: EndpointUrl,
    /// Description for people; may be empty.
    pub description: String,
    /// Form of the webhooks.
    pub format: EndpointFormat,
    /// Types of the events; all types if empty.
    pub types: Vec<FeedEventType>,
    /// Names of Spree's events; empty in the standard format.
    pub subscriptions: Vec<String>,
    /// Whether webhooks are sent. An endpoint that is disabled from the start gets events from the time on at which it is
    /// enabled.
    pub is_enabled: bool,
    /// Position after which the endpoint gets events; `None` for those that come from now on.
    pub after: Option<Position>,
}

impl NewEndpoint {
    /// Endpoint that gets events of every type from now on, in the standard format.
    pub const fn at(url: EndpointUrl) -> Self {
        Self {
            url,
            description: String::new(),
            format: EndpointFormat::Standard,
            types: Vec::new(),
            subscriptions: Vec::new(),
            is_enabled: true,
            after: None,
        }
    }
}

/// Changes of an endpoint; `None` leaves a value as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointEdit {
    /// New URL.
    pub url: Option<EndpointUrl>,
    /// New description.
    pub description: Option<String>,
    /// New types of events; all types if empty. Those that are in queues already are judged by the new types too.
    pub types: Option<Vec<FeedEventType>>,
    /// New names of Spree's events, of an endpoint in Spree's format, with the types that follow from them. Parts that
    /// are in queues already are judged by the new names too.
    pub subscriptions: Option<(Vec<String>, Vec<FeedEventType>)>,
}

/// Endpoint with a new secret.
#[derive(Debug)]
pub struct NewSecret {
    /// The endpoint.
    pub endpoint: StoredEndpoint,
    /// Secret of the endpoint (`whsec_…`), to be shown once.
    pub secret: SecretString,
}

/// Why an endpoint was not read or changed. Nothing was changed, except perhaps with [`StoreError::Unknown`].
#[derive(Debug, Error)]
pub enum EndpointError {
    /// No such endpoint exists.
    #[error("there is no such webhook endpoint")]
    NotFound,
    /// The service has no key from which secrets follow.
    #[error("webhooks need a key: set `webhooks.secret_key`")]
    NotConfigured,
    /// The endpoint's secret follows from another key of the service.
    #[error(
        "the endpoint's secret follows from another `webhooks.secret_key`: set that key again, or rotate the secret"
    )]
    OtherKey,
    /// The types of an endpoint in Spree's format follow from its subscriptions.
    #[error("the types of this endpoint follow from its subscriptions, and change with these alone")]
    TypesFollowSubscriptions,
    /// The URL is not allowed.
    #[error(transparent)]
    UrlNotAllowed(#[from] UrlNotAllowed),
    /// The largest number of endpoints is reached.
    #[error("there are {} webhook endpoints already", Publisher::ENDPOINTS_MAX)]
    TooManyEndpoints,
    /// The position is not in the feed.
    #[error(transparent)]
    Position(FeedPageError),
    /// No event has this position, or it was deleted because of its age.
    #[error("there is no event at this position")]
    EventNotFound,
    /// Too many events of one order wait to be sent again.
    #[error("{} events of this order wait to be sent again already", crate::RESENDS_MAX)]
    TooManyResends,
    /// The event, or an earlier one of its order, is still to be sent.
    #[error("this event, or an earlier one of its order, still waits to be sent: {}", next_attempt(*.next_attempt_at))]
    EventStillWaits {
        /// Time of the next attempt; `None` if it is not known yet, or if the endpoint is disabled.
        next_attempt_at: Option<Timestamp>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FeedPageError> for EndpointError {
    fn from(error: FeedPageError) -> Self {
        match error {
            FeedPageError::Store(error) => Self::Store(error),
            error @ (FeedPageError::BeyondEnd { .. } | FeedPageError::Deleted { .. }) => Self::Position(error),
        }
    }
}

impl Publisher {
    /// Largest number of endpoints of an installation.
    pub const ENDPOINTS_MAX: u16 = 10_000;

    /// Largest length of an endpoint's description, in characters.
    pub const ENDPOINT_DESCRIPTION_CHARS_MAX: usize = 200;

    /// Longest time for which the secret before a rotation goes on signing, in seconds: 7 days.
    pub const SECRET_OVERLAP_SECONDS_MAX: u32 = 7 * 86_400;

    /// Creates an endpoint. It is deleted again if events after its position were deleted meanwhile.
    pub async fn create_endpoint(&self, new: NewEndpoint) -> Result<NewSecret, EndpointError> {
        let NewEndpoint { url, description, format, types, subscriptions, is_enabled, after } = new;
        let key_id = format.key_id(self.sender.key_id().ok_or(EndpointError::NotConfigured)?);
        self.sender.check_url(&url)?;
        let range = self.feed.feed_range().await?;
        let first = if is_enabled { range.last } else { StoredEndpoint::NOT_STARTED };
        let position = after.map_or(Ok(first), |it| range.resolve(it))?;
        if self.endpoints.endpoints(None, Self::ENDPOINTS_MAX).await?.len() >= usize::from(Self::ENDPOINTS_MAX) {
            return Err(EndpointError::TooManyEndpoints);
        }
        let now = self.clock.now();
        let endpoint = Endpoint {
            id: self.ids.endpoint_id(now),
            url,
            description,
            format,
            types,
            subscriptions,
            secret: SecretGeneration { current: 1, previous_until: None, key_id },
            created_at: now,
            updated_at: now,
            state: if is_enabled { EndpointState::Enabled } else { requested(now) },
            failing: None,
        };
        let id = endpoint.id;
        let created = Act::EndpointCreated { host: endpoint.url.host().to_owned() };
        self.endpoints.add_endpoint(&endpoint, position, Some(&self.audit_entry(id, created))).await?;
        if let Some(after) = after
            && let Err(deleted) = self.feed.feed_range().await?.resolve(after)
        {
            self.endpoints.delete_endpoint(id, Some(&self.audit_entry(id, Act::EndpointDeleted))).await?;
            return Err(deleted.into());
        }
        self.wake_feed();
        tracing::info!(endpoint = %id, host = endpoint.url.host(), "a webhook endpoint was created");
        Ok(NewSecret { endpoint: self.endpoint(id).await?, secret: self.sender.secret(id, 1) })
    }

    /// Reads an endpoint.
    pub async fn endpoint(&self, id: EndpointId) -> Result<StoredEndpoint, EndpointError> {
        self.endpoints.endpoint(id).await?.ok_or(EndpointError::NotFound)
    }

    /// Reads an endpoint, and what waits for it.
    pub async fn endpoint_with_waiting(
        &self,
        id: EndpointId,
    ) -> Result<(StoredEndpoint, WaitingOrders), EndpointError> {
        Ok((self.endpoint(id).await?, self.endpoints.waiting_orders(id).await?))
    }

    /// Reads at most `limit` endpoints after the one with the id `after`, the oldest first.
    pub async fn list_endpoints(
        &self,
        after: Option<EndpointId>,
        limit: u16,
    ) -> Result<Vec<StoredEndpoint>, EndpointError> {
        Ok(self.endpoints.endpoints(after, limit).await?)
    }

    /// Changes the URL, the description, the types or the subscriptions of an endpoint.
    pub async fn update_endpoint(&self, id: EndpointId, edit: EndpointEdit) -> Result<StoredEndpoint, EndpointError> {
        let EndpointEdit { url, description, types, subscriptions } = edit;
        if let Some(url) = &url {
            self.sender.check_url(url)?;
        }
        if types.is_some() && self.endpoint(id).await?.endpoint.value.format == EndpointFormat::Spree {
            return Err(EndpointError::TypesFollowSubscriptions);
        }
        let (subscriptions, of_subscriptions) = subscriptions.unzip();
        let types = types.or(of_subscriptions);
        let change = |it: Endpoint| Endpoint {
            url: url.clone().unwrap_or(it.url),
            description: description.clone().unwrap_or(it.description),
            types: types.clone().unwrap_or(it.types),
            subscriptions: subscriptions.clone().unwrap_or(it.subscriptions),
            ..it
        };
        self.change_endpoint(id, change, Act::endpoint_changed).await
    }

    /// Gives an endpoint a new secret. The one before goes on signing, beside the new one, for `overlap_seconds`, at
    /// most [`Self::SECRET_OVERLAP_SECONDS_MAX`]; one from before that ends at once. A secret that follows from another
    /// key of the service cannot go on signing.
    pub async fn rotate_secret(&self, id: EndpointId, overlap_seconds: u32) -> Result<NewSecret, EndpointError> {
        let rotated = self.rotate_if(id, overlap_seconds, |_| true).await?;
        rotated.ok_or(EndpointError::NotFound)
    }

    /// As [`Self::rotate_secret`], for a person to whom a page has shown the secret's generation. `None` if the secret was
    /// rotated since then: another rotation would end the secret that the receiver has.
    pub async fn rotate_shown_secret(
        &self,
        id: EndpointId,
        overlap_seconds: u32,
        generation: u32,
    ) -> Result<Option<NewSecret>, EndpointError> {
        self.rotate_if(id, overlap_seconds, |it| it == generation).await
    }

    async fn rotate_if(
        &self,
        id: EndpointId,
        overlap_seconds: u32,
        is_shown: impl Fn(u32) -> bool + Send + Sync,
    ) -> Result<Option<NewSecret>, EndpointError> {
        let key_id = self.sender.key_id().ok_or(EndpointError::NotConfigured)?;
        let until = self.clock.now().plus_seconds(overlap_seconds.min(Self::SECRET_OVERLAP_SECONDS_MAX));
        let updated_at = self.clock.now();
        let change = |it: &Endpoint| {
            if !is_shown(it.secret.current) {
                return None;
            }
            let previous_until = (it.is_signed_by(key_id) && overlap_seconds > 0).then_some(until);
            let (current, key_id) = (it.secret.current.saturating_add(1), it.format.key_id(key_id));
            let secret = SecretGeneration { current, previous_until, key_id };
            Some((Endpoint { secret, updated_at, ..it.clone() }, ()))
        };
        let act = |it: &Endpoint| Act::EndpointSecretRotated { previous_until: it.secret.previous_until };
        let entry = |_: &Endpoint, after: &Endpoint| Some(self.audit_entry(id, act(after)));
        let rotated = self.change_stored(id, change, entry).await?;
        let endpoint = self.endpoint(id).await?;
        let secret = self.sender.secret(id, endpoint.endpoint.value.secret.current);
        Ok(rotated.map(|()| NewSecret { endpoint, secret }))
    }

    /// Disables an endpoint: it gets no more webhooks, and keeps its position.
    pub async fn disable_endpoint(&self, id: EndpointId) -> Result<StoredEndpoint, EndpointError> {
        let at = self.clock.now();
        let disable = |it: Endpoint| match it.state {
            EndpointState::Enabled => Endpoint { state: requested(at), ..it },
            EndpointState::Disabled { .. } => it,
        };
        self.change_endpoint(id, disable, |_, _| Act::EndpointDisabled).await
    }

    /// Enables an endpoint: it gets every event that it has not received, and a run of failures begins anew. One that was
    /// never enabled gets the events that come from now on. Of one that is enabled already, everything that waits for a retry becomes due at once, with no failed attempts, and its run
    /// of failures goes on until it accepts something.
    pub async fn enable_endpoint(&self, id: EndpointId) -> Result<StoredEndpoint, EndpointError> {
        let enable = |it: Endpoint| match it.state {
            EndpointState::Enabled => it,
            EndpointState::Disabled { .. } => Endpoint { state: EndpointState::Enabled, failing: None, ..it },
        };
        self.start(id).await?;
        let endpoint = self.change_endpoint(id, enable, |_, _| Act::EndpointEnabled).await?;
        let (now, mut after) = (self.clock.now(), None);
        loop {
            after = self.endpoints.make_queues_due(id, after, now, MADE_DUE_AT_ONCE).await?;
            if after.is_none() {
                break;
            }
        }
        self.wake_feed();
        Ok(endpoint)
    }

    /// Has an endpoint that was never enabled get the events from now on. If it then is not enabled, they wait for it.
    async fn start(&self, id: EndpointId) -> Result<(), EndpointError> {
        if self.endpoint(id).await?.reached().is_none() {
            let last = self.feed.feed_range().await?.last;
            self.endpoints.set_endpoint_back(id, last, None).await?;
        }
        Ok(())
    }

    /// Deletes an endpoint, with what it has not received and its attempts.
    pub async fn delete_endpoint(&self, id: EndpointId) -> Result<(), EndpointError> {
        let entry = self.audit_entry(id, Act::EndpointDeleted);
        if !self.endpoints.delete_endpoint(id, Some(&entry)).await? {
            return Err(EndpointError::NotFound);
        }
        tracing::info!(endpoint = %id, "a webhook endpoint was deleted");
        Ok(())
    }

    /// Sends an endpoint a test event, once, whether or not it is enabled, and waits for the answer.
    pub async fn send_test_event(&self, id: EndpointId) -> Result<Attempt, EndpointError> {
        let endpoint = self.endpoint(id).await?.endpoint.value;
        let key_id = self.sender.key_id().ok_or(EndpointError::NotConfigured)?;
        if !endpoint.is_signed_by(key_id) {
            return Err(EndpointError::OtherKey);
        }
        let (now, event) = (self.clock.now(), self.ids.random());
        let body = match endpoint.format {
            EndpointFormat::Standard => test_body(event, now),
            EndpointFormat::Spree => self.spree_format.test_body(TEST_TYPE, now),
        };
        let webhook = endpoint.webhook(event, now, body, None);
        self.endpoints.add_audit_entry(&self.audit_entry(id, Act::EndpointTestBegun)).await?;
        let result = self.sender.send(&webhook).await;
        let is_accepted = result.answer.as_ref().is_ok_and(|it| (200..300).contains(&it.status));
        let outcome = if is_accepted { AttemptOutcome::Delivered } else { AttemptOutcome::Failed };
        let attempt = Attempt::of(&result, outcome, (id, now, event), TEST_TYPE, None, 1);
        self.endpoints.add_attempt(&attempt).await?;
        Ok(attempt)
    }

    /// Sends the event at `position` to an endpoint again, before what its order's queue has left. An event that still
    /// waits, or that comes after one that does, is refused.
    pub async fn resend_event(&self, id: EndpointId, position: Position) -> Result<(), EndpointError> {
        self.start(id).await?;
        let after = Position(position.0.checked_sub(1).ok_or(EndpointError::EventNotFound)?);
        let query = FeedQuery { after, until: position, types: Vec::new(), order: None, limit: 1 };
        let events = self.feed.feed_events(&query).await?;
        let event = events.first().ok_or(EndpointError::EventNotFound)?;
        let (now, entry) = (self.clock.now(), self.audit_entry(id, Act::EndpointEventResent { position: position.0 }));
        match self.endpoints.resend(id, event.reference().subject, position, now, &entry).await? {
            ResendOutcome::Accepted => {
                self.waker.wake_deliverer();
                Ok(())
            }
            ResendOutcome::TooMany => Err(EndpointError::TooManyResends),
            // It was deleted since it was read.
            ResendOutcome::Deleted => Err(EndpointError::EventNotFound),
            ResendOutcome::StillWaits { next_attempt_at } => Err(EndpointError::EventStillWaits { next_attempt_at }),
        }
    }

    /// Sends an endpoint every event after `after`, again if it has received it before. An endpoint whose position is
    /// before `after` gets those after its position, as it would have. If some of these are deleted because of their age
    /// meanwhile, that is the answer, and the rest is sent.
    pub async fn replay_events(&self, id: EndpointId, after: Position) -> Result<StoredEndpoint, EndpointError> {
        let from = self.feed.feed_range().await?.resolve(after)?;
        let entry = self.audit_entry(id, Act::EndpointReplayed { after: from.0 });
        if !self.endpoints.set_endpoint_back(id, from, Some(&entry)).await? {
            return Err(EndpointError::NotFound);
        }
        self.wake_feed();
        // From the write on, the endpoint's position holds the events after it.
        self.feed.feed_range().await?.resolve(after)?;
        self.endpoint(id).await
    }

    /// Reads attempts of an endpoint, the newest first.
    pub async fn attempts(&self, query: AttemptQuery) -> Result<Vec<Attempt>, EndpointError> {
        self.endpoint(query.endpoint).await?;
        Ok(self.endpoints.attempts(&query).await?)
    }

    /// Reads a page of the newest attempts of some endpoints.
    pub async fn search_attempts(&self, search: &AttemptSearch) -> Result<AttemptPage, EndpointError> {
        Ok(self.endpoints.search_attempts(search).await?)
    }

    /// Makes the relay of this process look for endpoints that are behind the feed.
    fn wake_feed(&self) {
        self.feed_state.fill_at_once();
        self.waker.wake_relay();
        self.waker.wake_deliverer();
    }

    /// Changes an endpoint as a caller has asked, again if another writer came first. `act` is the act, by the
    /// endpoint before and after it.
    async fn change_endpoint(
        &self,
        id: EndpointId,
        change: impl Fn(Endpoint) -> Endpoint + Send + Sync,
        act: impl Fn(&Endpoint, &Endpoint) -> Act + Send + Sync,
    ) -> Result<StoredEndpoint, EndpointError> {
        let updated_at = self.clock.now();
        let change_if_any = |it: &Endpoint| {
            let changed = change(it.clone());
            (changed != *it).then_some((Endpoint { updated_at, ..changed }, ()))
        };
        let entry = |before: &Endpoint, after: &Endpoint| Some(self.audit_entry(id, act(before, after)));
        self.change_stored(id, change_if_any, entry).await?;
        self.endpoint(id).await
    }

    /// Changes an endpoint as `change` decides on what is stored, and again if another writer came first. Returns what
    /// `change` gave beside the endpoint; `None` if it changes nothing, or if there is no such endpoint. `entry` is the
    /// entry of the audit trail, by the endpoint before and after, if a caller has asked for the change.
    pub(super) async fn change_stored<T>(
        &self,
        id: EndpointId,
        change: impl Fn(&Endpoint) -> Option<(Endpoint, T)>,
        entry: impl Fn(&Endpoint, &Endpoint) -> Option<AuditEntry>,
    ) -> Result<Option<T>, StoreError> {
        let mut attempt = 1;
        loop {
            let Some(stored) = self.endpoints.endpoint(id).await? else { return Ok(None) };
            let Versioned { version, value } = stored.endpoint;
            let Some((after, given)) = change(&value) else { return Ok(None) };
            let entry = entry(&value, &after);
            let changed = Versioned { version, value: after };
            match self.endpoints.change_endpoint(&changed, self.clock.now(), entry.as_ref()).await {
                Ok(()) => return Ok(Some(given)),
                Err(StoreError::Conflict) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// State of an endpoint that was disabled on request.
const fn requested(at: Timestamp) -> EndpointState {
    EndpointState::Disabled { reason: DisabledReason::Requested, at }
}

/// End of a sentence about an event that waits.
fn next_attempt(at: Option<Timestamp>) -> String {
    match at {
        Some(at) => format!("its next attempt is at {at}, or soon after"),
        None => "it is sent in its turn, to a disabled endpoint once it is enabled".to_owned(),
    }
}

/// Body of a test event.
fn test_body(id: Uuid, at: Timestamp) -> String {
    format!(r#"{{"id":"{id}","type":"{TEST_TYPE}","timestamp":"{at}","data":{{}}}}"#)
}
