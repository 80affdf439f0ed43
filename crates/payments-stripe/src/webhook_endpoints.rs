//! Webhook endpoints at Stripe: those of the account are listed, and our own are created, changed and deleted.

use std::collections::BTreeMap;

use async_trait::async_trait;
use paywright_app::{
    CreatedEndpoint, EndpointMarks, EndpointSpec, NewProviderEndpoint, ProviderEndpoint, ProviderEndpointEdit,
    ProviderEndpointUrl, ProviderEndpoints, ProviderEndpointsError, SecretDigest,
};
use paywright_domain::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{ApiError, StripeError};
use crate::key_access::{Access, permission_in};
use crate::metadata::Metadata;
use crate::objects::List;
use crate::requests::{Get, Post};
use crate::{API_VERSION, Client, StripeId};

/// Types of the events that a webhook endpoint for Paywright sends.
pub const WEBHOOK_EVENTS: [&str; 28] = [
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refunded",
    "charge.expired",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "radar.early_fraud_warning.created",
    "review.opened",
    "review.closed",
    "charge.succeeded",
    "charge.updated",
    "payout.created",
    "payout.updated",
    "payout.paid",
    "payout.failed",
    "payout.canceled",
    "payout.reconciliation_completed",
    "balance.available",
];

/// Settings of our own endpoint.
pub const ENDPOINT_SPEC: EndpointSpec = EndpointSpec { events: &WEBHOOK_EVENTS, api_version: API_VERSION };

/// Metadata of our own endpoint: the installation, and the marks of [`EndpointMarks`].
const INSTALLATION: &str = "paywright";
const SECRET: &str = "paywright_secret";
const REPLACED: &str = "paywright_replaced_secrets";
const RETIRE_AFTER: &str = "paywright_retire_after";

/// `GET /v1/webhook_endpoints`.
#[derive(Serialize)]
struct ListWebhookEndpoints {
    limit: u8,
}

impl Get for ListWebhookEndpoints {
    type Reply = List<WebhookEndpoint>;
    fn path(&self) -> String {
        PATH.into()
    }
}

const PATH: &str = "/v1/webhook_endpoints";

/// `POST /v1/webhook_endpoints`.
#[derive(Serialize)]
struct CreateWebhookEndpoint<'a> {
    url: &'a str,
    enabled_events: &'a [&'a str],
    api_version: &'a str,
    description: &'a str,
    metadata: BTreeMap<&'static str, &'a str>,
}

impl Post for CreateWebhookEndpoint<'_> {
    type Reply = CreatedWebhookEndpoint;
    fn path(&self) -> String {
        PATH.into()
    }
}

/// A new endpoint, with the secret that no later answer has.
#[derive(Deserialize)]
struct CreatedWebhookEndpoint {
    id: String,
    #[serde(default)]
    secret: Option<SecretString>,
}

/// `POST /v1/webhook_endpoints/{id}`.
#[derive(Serialize)]
struct UpdateWebhookEndpoint<'a> {
    #[serde(skip)]
    id: StripeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_events: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<&'static str, String>,
}

impl Post for UpdateWebhookEndpoint<'_> {
    type Reply = Changed;
    fn path(&self) -> String {
        path_of(&self.id)
    }
}

fn path_of(id: &StripeId) -> String {
    format!("{PATH}/{}", id.segment())
}

/// Answer to an update or a deletion, of which nothing is used.
#[derive(Deserialize)]
struct Changed {}

/// A webhook endpoint at Stripe. `Debug` does not show its URL, which may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookEndpoint {
    /// Stripe's id (`we_…`).
    pub id: String,
    /// Time of its creation, in seconds since 1970.
    #[serde(default)]
    pub created: i64,
    /// URL to which it sends events.
    #[serde(deserialize_with = "url")]
    pub url: ProviderEndpointUrl,
    /// Status: `enabled` or `disabled`.
    pub status: String,
    /// API version of its events; that of the account if it is missing.
    pub api_version: Option<String>,
    /// Types of its events, or `*` for all.
    pub enabled_events: Vec<String>,
    /// Description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<ProviderEndpointUrl, D::Error> {
    String::deserialize(from).map(ProviderEndpointUrl)
}

impl WebhookEndpoint {
    /// Whether it sends events.
    pub fn is_enabled(&self) -> bool {
        self.status == "enabled"
    }

    /// Types of [`WEBHOOK_EVENTS`] that it does not send.
    pub fn missing_events(&self) -> Vec<&'static str> {
        let has = |kind: &str| self.enabled_events.iter().any(|it| it == "*" || it == kind);
        WEBHOOK_EVENTS.into_iter().filter(|kind| !has(kind)).collect()
    }

    /// The endpoint as the use cases see it.
    pub fn into_listed(self) -> ProviderEndpoint {
        ProviderEndpoint {
            is_enabled: self.is_enabled(),
            created_at: Timestamp::from_unix_seconds(self.created).unwrap_or(Timestamp::EPOCH),
            installation: self.metadata.get(INSTALLATION).cloned(),
            marks: marks_in(&self.metadata),
            id: self.id,
            url: self.url,
            api_version: self.api_version,
            events: self.enabled_events,
            description: self.description,
        }
    }
}

/// Marks in the metadata of an endpoint. A value that cannot be read counts as missing.
fn marks_in(metadata: &Metadata) -> EndpointMarks {
    let retire_after = metadata.get(RETIRE_AFTER).and_then(|it| it.parse().ok());
    EndpointMarks {
        secret: metadata.get(SECRET).and_then(|it| SecretDigest::parse(it)),
        replaced: metadata
            .get(REPLACED)
            .map(|it| it.split(',').filter_map(SecretDigest::parse).collect())
            .unwrap_or_default(),
        retire_after: retire_after.and_then(|it| Timestamp::from_unix_seconds(it).ok()),
    }
}

/// Metadata that an edit writes. Keys that it does not have stay unchanged at Stripe.
fn metadata_of(edit: &ProviderEndpointEdit) -> BTreeMap<&'static str, String> {
    let replaced = |it: &Vec<SecretDigest>| it.iter().map(SecretDigest::as_str).collect::<Vec<_>>().join(",");
    let fields = [
        (SECRET, edit.secret.as_ref().map(|it| it.as_str().to_owned())),
        // An empty value would remove the key, which is the same.
        (REPLACED, edit.replaced.as_ref().map(replaced)),
        (RETIRE_AFTER, edit.retire_after.map(|it| it.unix_seconds().to_string())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

impl Client {
    /// Lists the account's webhook endpoints. Stripe allows 16 of them.
    pub async fn webhook_endpoints(&self) -> Result<Access<List<WebhookEndpoint>>, StripeError> {
        self.read(&ListWebhookEndpoints { limit: 100 }).await
    }
}

fn id_of(id: &str) -> Result<StripeId, ProviderEndpointsError> {
    StripeId::new("we_", id).map_err(|error| ProviderEndpointsError::Refused(Box::new(error)))
}

/// Error without Stripe's message, which may repeat a part of the key.
fn failed(error: &StripeError) -> ProviderEndpointsError {
    let sentence = error.without_message().into();
    match error {
        StripeError::Api(ApiError { status, .. }) if status.as_u16() == 404 => ProviderEndpointsError::NotFound,
        StripeError::Api(error) if error.status.as_u16() == 403 => ProviderEndpointsError::Denied(permission_in(error)),
        StripeError::Api(_) => ProviderEndpointsError::Refused(sentence),
        StripeError::KeyExhausted(_) => ProviderEndpointsError::KeyExhausted(sentence),
        StripeError::Unknown { .. } | StripeError::NotSent(_) => ProviderEndpointsError::Unknown(sentence),
    }
}

#[async_trait]
impl ProviderEndpoints for Client {
    async fn endpoints(&self) -> Result<Vec<ProviderEndpoint>, ProviderEndpointsError> {
        let refused = |why: &str| Err(ProviderEndpointsError::Refused(why.into()));
        match self.webhook_endpoints().await.map_err(|it| failed(&it))? {
            Access::Allowed(list) => Ok(list.data.into_iter().map(WebhookEndpoint::into_listed).collect()),
            Access::Denied(permission) => Err(ProviderEndpointsError::Denied(permission)),
            Access::KeyRefused => refused("it does not accept the API key"),
            Access::NothingThere | Access::NoSuchCall => {
                refused("it has no webhook endpoints: this is not Stripe itself")
            }
        }
    }

    async fn create_endpoint(
        &self,
        new: &NewProviderEndpoint,
        key: &str,
    ) -> Result<CreatedEndpoint, ProviderEndpointsError> {
        let request = CreateWebhookEndpoint {
            url: &new.url.0,
            enabled_events: new.events,
            api_version: new.api_version,
            description: new.description,
            metadata: BTreeMap::from([(INSTALLATION, new.installation.as_str())]),
        };
        let answer = self.post(&request, key).await.map_err(|it| failed(&it))?;
        let CreatedWebhookEndpoint { id, secret } = answer.value;
        // Stripe does not say whether a replayed answer has the secret.
        let secret = secret
            .ok_or_else(|| ProviderEndpointsError::KeyExhausted("the answer to the creation has no secret".into()))?;
        Ok(CreatedEndpoint { id, secret, replayed: answer.replayed })
    }

    async fn update_endpoint(
        &self,
        id: &str,
        edit: &ProviderEndpointEdit,
        key: &str,
    ) -> Result<(), ProviderEndpointsError> {
        let request = UpdateWebhookEndpoint {
            id: id_of(id)?,
            url: edit.url.as_ref().map(|it| it.0.as_str()),
            enabled_events: edit.events,
            disabled: edit.disabled,
            description: edit.description,
            metadata: metadata_of(edit),
        };
        let Changed {} = self.post(&request, key).await.map_err(|it| failed(&it))?.value;
        Ok(())
    }

    async fn delete_endpoint(&self, id: &str) -> Result<(), ProviderEndpointsError> {
        match self.delete::<Changed>(&path_of(&id_of(id)?)).await.map_err(|it| failed(&it)) {
            Ok(_) | Err(ProviderEndpointsError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the list in `docs/operations.md`.
    #[test]
    fn the_documented_events_are_those_that_are_checked() {
        let documented = include_str!("../../../docs/operations.md");
        let (_, from) = documented.split_once("for snapshot events of API version").unwrap();
        let (list, _) = from.split_once("Other events are acknowledged").unwrap();
        let mut named: Vec<&str> = list.split('`').skip(1).step_by(2).filter(|it| *it != crate::API_VERSION).collect();
        let mut checked = WEBHOOK_EVENTS.to_vec();
        named.sort_unstable();
        checked.sort_unstable();
        assert_eq!(named, checked);
    }

    #[test]
    fn an_endpoint_lacks_the_events_that_it_does_not_name() {
        let endpoint = |events: &[&str]| WebhookEndpoint {
            id: "we_1".into(),
            created: 0,
            url: ProviderEndpointUrl(String::new()),
            status: "enabled".into(),
            api_version: None,
            enabled_events: events.iter().map(|it| (*it).to_owned()).collect(),
            description: None,
            metadata: BTreeMap::new(),
        };
        assert_eq!(endpoint(&["*"]).missing_events(), [""; 0]);
        assert_eq!(endpoint(&WEBHOOK_EVENTS[1..]).missing_events(), ["payment_intent.succeeded"]);
        assert_eq!(endpoint(&["invoice.paid"]).missing_events(), WEBHOOK_EVENTS);
    }

    #[test]
    fn marks_are_read_as_they_were_written_within_stripes_limits() {
        let digest = |n: usize| SecretDigest::of(&SecretString::from(format!("whsec_{n}")));
        let edit = ProviderEndpointEdit {
            secret: Some(digest(0)),
            replaced: Some((1..=29).map(digest).collect()),
            retire_after: Some(Timestamp::from_unix_seconds(1_790_000_000).unwrap()),
            ..ProviderEndpointEdit::default()
        };
        let written = metadata_of(&edit);
        assert!(written.iter().all(|(key, value)| key.len() <= 40 && value.len() <= 500), "{written:?}");
        let metadata = written.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let read = marks_in(&metadata);
        assert_eq!(
            (read.secret, Some(read.replaced), read.retire_after),
            (edit.secret, edit.replaced, edit.retire_after)
        );
        let garbled = [SECRET, REPLACED, RETIRE_AFTER].map(|it| (it.to_owned(), "x".to_owned()));
        assert_eq!(marks_in(&garbled.into()), EndpointMarks::default());
    }
}
