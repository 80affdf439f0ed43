use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use paywright_app::{
    ANSWER_BYTES_MAX, EndpointAnswer, EndpointFormat, EndpointId, EndpointUrl, OutgoingWebhook, SendError,
    SendErrorClass, SendResult, UrlNotAllowed, WEBHOOKS_AT_ONCE, WebhookSender,
};
use paywright_domain::Timestamp;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, redirect};
use secrecy::SecretString;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::addresses::AllowedAddresses;
use crate::error::{send_error, storable};
use crate::resolver::{FilteringResolver, Lookup, SystemLookup};
use crate::signature::{KeyError, ServiceKey, signature_header, spree_signature};

/// Settings of the sender.
#[derive(Debug, Clone)]
pub struct SenderSettings {
    /// The service's own key, from which endpoints' secrets follow; at least 32 bytes. Nothing is sent without it.
    pub key: Option<SecretString>,
    /// Whether URLs may be `http`.
    pub allow_http: bool,
    /// Networks that webhooks may be sent to although they are not public.
    pub allowed_networks: Vec<IpNet>,
    /// Time limit of an attempt, from the resolution of the name to the end of the answer.
    pub timeout: Duration,
    /// Time limit of a connection, TLS included, within the time limit of the attempt.
    pub connect_timeout: Duration,
    /// Largest number of unused connections that are kept open for one host.
    pub idle_connections_max: usize,
}

impl Default for SenderSettings {
    fn default() -> Self {
        Self {
            key: None,
            allow_http: false,
            allowed_networks: Vec::new(),
            // Standard Webhooks advises 15 to 30 seconds.
            timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            idle_connections_max: 16,
        }
    }
}

/// Time after which an unused connection is closed. Each takes a file descriptor.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest time for which the body of an answer is read after its head.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// Header with Spree's signature, beside those of Standard Webhooks.
const SPREE_SIGNATURE: &str = "X-Spree-Hmac-SHA256";

/// Name and version of this program in the `User-Agent` header.
const AGENT: &str = concat!("Paywright/", env!("CARGO_PKG_VERSION"));

/// Why a sender cannot be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The text is no key of the service.
    #[error("the key {0}")]
    Key(#[from] KeyError),
    /// The HTTP client cannot be built.
    #[error("the HTTP client cannot be made: {}", crate::error::root(.0))]
    Http(#[from] reqwest::Error),
}

/// Sends webhooks over HTTP. See the crate's documentation for what it connects to.
pub struct HttpWebhookSender {
    http: reqwest::Client,
    /// The service's own key and its id.
    key: Option<(ServiceKey, String)>,
    allowed: Arc<AllowedAddresses>,
    allow_http: bool,
    /// A permit for each webhook that is being sent.
    at_once: Semaphore,
}

impl HttpWebhookSender {
    /// Makes a sender that resolves names by the operating system. rustls must have a default provider.
    pub fn new(settings: SenderSettings) -> Result<Self, BuildError> {
        Self::with_lookup(settings, Arc::new(SystemLookup))
    }

    /// Makes a sender that resolves names by `lookup`.
    pub fn with_lookup(settings: SenderSettings, lookup: Arc<dyn Lookup>) -> Result<Self, BuildError> {
        let key = settings.key.map(ServiceKey::new).transpose()?.map(|it| {
            let id = it.id();
            (it, id)
        });
        let allowed = Arc::new(AllowedAddresses::new(settings.allowed_networks));
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            // A redirect or a proxy would lead to an address that was not checked.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(FilteringResolver { lookup, allowed: Arc::clone(&allowed) })
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.idle_connections_max)
            .build()?;
        Ok(Self {
            http,
            key,
            allowed,
            allow_http: settings.allow_http,
            at_once: Semaphore::new(WEBHOOKS_AT_ONCE.into()),
        })
    }

    /// Signed request of a webhook, unless its URL is refused.
    fn request(&self, webhook: &OutgoingWebhook) -> Result<RequestBuilder, SendError> {
        // An address in the URL is never resolved, so the resolver would not see it.
        self.check_url(&webhook.url).map_err(|UrlNotAllowed(reason)| SendError {
            class: SendErrorClass::AddressNotAllowed,
            message: format!("nothing was sent: the URL {reason}"),
        })?;
        let Some((key, _)) = &self.key else {
            let message = "nothing was sent: there is no key to sign webhooks with".into();
            return Err(SendError { class: SendErrorClass::Connect, message });
        };
        let secrets: Vec<_> = webhook.generations.iter().map(|it| key.secret(webhook.endpoint.0, *it)).collect();
        let timestamp = webhook.at.unix_seconds();
        let mut request = self
            .http
            .post(webhook.url.as_url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", webhook.id.as_hyphenated().to_string())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature_header(&secrets, webhook.id, timestamp, &webhook.body))
            .body(webhook.body.clone());
        if let Some(trace) = &webhook.trace {
            request = request.header("traceparent", trace.to_string());
        }
        // Spree's receivers compare one value, so that a rotation replaces the secret at once.
        if let (EndpointFormat::Spree, [newest, ..]) = (webhook.format, secrets.as_slice()) {
            request = request.header(SPREE_SIGNATURE, spree_signature(newest, &webhook.body));
        }
        Ok(request)
    }

    async fn attempt(&self, webhook: &OutgoingWebhook) -> Result<EndpointAnswer, SendError> {
        let request = self.request(webhook)?;
        // Bounds the connections of this process, those of test events included.
        let permit = self.at_once.acquire().await;
        let answer = request.send().await.map_err(|error| send_error(&error, &host_and_port(&webhook.url)))?;
        let answer = read_answer(answer, webhook.at).await;
        drop(permit);
        Ok(answer)
    }
}

#[async_trait]
impl WebhookSender for HttpWebhookSender {
    async fn send(&self, webhook: &OutgoingWebhook) -> SendResult {
        let begun = Instant::now();
        let answer = self.attempt(webhook).await;
        SendResult { duration_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX), answer }
    }

    fn check_url(&self, url: &EndpointUrl) -> Result<(), UrlNotAllowed> {
        if !url.is_https() && !self.allow_http {
            return Err(UrlNotAllowed("must begin with https://, unless the settings allow http".into()));
        }
        let Some(host) = url.as_url().host() else {
            return Err(UrlNotAllowed("must have a host".into()));
        };
        match self.allowed.refused(&host) {
            Some(address) => Err(UrlNotAllowed(format!(
                "must lead to a public address, or to a network that the settings allow; {address} is neither"
            ))),
            None => Ok(()),
        }
    }

    fn secret(&self, endpoint: EndpointId, generation: u32) -> SecretString {
        match &self.key {
            Some((key, _)) => key.secret(endpoint.0, generation).to_text(),
            None => SecretString::default(),
        }
    }

    fn key_id(&self) -> Option<&str> {
        self.key.as_ref().map(|(_, id)| id.as_str())
    }
}

/// Reads the status and the beginning of the body. The status decides: a body that breaks off, or does not come soon, is
/// kept as far as it came. The rest is not read: dropping the answer closes its connection.
async fn read_answer(mut response: Response, at: Timestamp) -> EndpointAnswer {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok());
    let retry_after_seconds = retry_after.and_then(|it| seconds_to_wait(it, at));
    let mut body = Vec::new();
    let reading = async {
        while body.len() < ANSWER_BYTES_MAX
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend(chunk.iter().take(ANSWER_BYTES_MAX - body.len()));
        }
    };
    drop(tokio::time::timeout(BODY_TIMEOUT, reading).await);
    EndpointAnswer { status, retry_after_seconds, body: storable(String::from_utf8_lossy(&body).into_owned()) }
}

/// Wait that a `Retry-After` header demands (RFC 9110, section 10.2.3): a number of seconds, or a date. `at` is the
/// time of the request. A number that is too large is the largest one.
fn seconds_to_wait(header: &str, at: Timestamp) -> Option<u32> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|it| it.is_ascii_digit()) {
        return Some(header.parse().unwrap_or(u32::MAX));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    let sent = Duration::from_micros(u64::try_from(at.unix_micros()).ok()?);
    let wait = date.duration_since(std::time::UNIX_EPOCH + sent).unwrap_or_default();
    Some(u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX))
}

/// Host and port of a URL, for messages.
fn host_and_port(url: &EndpointUrl) -> String {
    let url = url.as_url();
    let port = url.port_or_known_default().map(|it| format!(":{it}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let at = Timestamp::from_unix_micros(1_743_415_050_500_000).unwrap();
        for (header, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999", Some(u32::MAX)),
            ("Mon, 31 Mar 2025 09:58:30 GMT", Some(60)),
            ("Mon, 31 Mar 2025 09:57:30 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(u32::MAX)),
            ("Monday, 31-Mar-25 09:58:30 GMT", Some(60)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(seconds_to_wait(header, at), expected, "{header:?}");
        }
    }
}
