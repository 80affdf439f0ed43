//! Port to the endpoints of other programs.

use async_trait::async_trait;
use paywright_domain::{Timestamp, variant_names};
use secrecy::SecretString;
use uuid::Uuid;

use super::traces::TraceParent;
use crate::endpoints::{EndpointFormat, EndpointId, EndpointUrl};

/// Port that sends webhooks to endpoints, signed as Standard Webhooks 1.0 demands, and in Spree's format as Spree signs too.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Sends one webhook and waits for the answer, within a time limit. Redirects are not followed, and an address that
    /// the settings do not allow is not connected to.
    async fn send(&self, webhook: &OutgoingWebhook) -> SendResult;

    /// Checks what can be known of a URL without resolving its host.
    fn check_url(&self, url: &EndpointUrl) -> Result<(), UrlNotAllowed>;

    /// Secret of an endpoint (`whsec_…`) in a generation: each rotation makes the next one. It follows from the
    /// service's own key, and is not stored.
    fn secret(&self, endpoint: EndpointId, generation: u32) -> SecretString;

    /// Id of the service's own key, from which secrets follow; not secret. `None` if no key is set: no endpoint can be
    /// created, and nothing is sent.
    fn key_id(&self) -> Option<&str>;
}

/// A webhook to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingWebhook {
    /// Endpoint that receives it.
    pub endpoint: EndpointId,
    /// URL of the endpoint.
    pub url: EndpointUrl,
    /// Form of the webhook.
    pub format: EndpointFormat,
    /// Generations of the secrets that sign it: the current one, and the one before until it ends.
    pub generations: Vec<u32>,
    /// Id of the event (`webhook-id`), the same in each attempt.
    pub id: Uuid,
    /// Time of this attempt (`webhook-timestamp`).
    pub at: Timestamp,
    /// JSON body.
    pub body: String,
    /// Context of this attempt in the traces (`traceparent`), with which the receiver may continue the trace.
    pub trace: Option<TraceParent>,
}

/// Result of an attempt to send a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendResult {
    /// Duration, in milliseconds.
    pub duration_ms: u32,
    /// Answer of the endpoint, or the reason why there is none.
    pub answer: Result<EndpointAnswer, SendError>,
}

/// Answer of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointAnswer {
    /// HTTP status.
    pub status: u16,
    /// Wait that the endpoint demands (`Retry-After`), in seconds.
    pub retry_after_seconds: Option<u32>,
    /// Beginning of the body, at most [`ANSWER_BYTES_MAX`] bytes.
    pub body: String,
}

/// Largest part of an answer that is stored, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1024;

/// Why an endpoint gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// Class of the error.
    pub class: SendErrorClass,
    /// Sentence for people.
    pub message: String,
}

/// Class of an error that left an attempt without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorClass {
    /// The host's name could not be resolved.
    Dns,
    /// The resolved address is private, loopback, link-local or otherwise not public, and not allowed by the settings.
    AddressNotAllowed,
    /// No connection could be made.
    Connect,
    /// The endpoint's certificate was not accepted, or TLS failed otherwise.
    Tls,
    /// The time limit passed.
    Timeout,
    /// The connection broke before the status and the headers of the answer were complete.
    Interrupted,
}

variant_names! {
    /// Name of the class in answers and stored rows.
    SendErrorClass {
        Dns => "dns",
        AddressNotAllowed => "address_not_allowed",
        Connect => "connect",
        Tls => "tls",
        Timeout => "timeout",
        Interrupted => "interrupted",
    }
}

/// Why a URL is not allowed as an endpoint, in a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlNotAllowed(pub String);
