use std::fmt;

use paywright_domain::fact::FeedEventType;
use paywright_domain::{Timestamp, variant_names};
use thiserror::Error;
use url::Url;
use uuid::Uuid;

/// Id of an endpoint: a UUID of version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId(pub Uuid);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// URL of another program, to which events are sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointUrl(Url);

impl EndpointUrl {
    /// Largest length of a URL, in bytes, with its characters percent-encoded.
    pub const BYTES_MAX: usize = 2048;

    /// Parses a URL of an endpoint: `https` or `http`, with a host and a path, without credentials and fragment.
    pub fn parse(text: &str) -> Result<Self, EndpointUrlError> {
        if text.len() > Self::BYTES_MAX {
            return Err(EndpointUrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| EndpointUrlError::Malformed)?;
        // The parsed URL is stored and parsed again: it must be within the limit too.
        if url.as_str().len() > Self::BYTES_MAX {
            return Err(EndpointUrlError::TooLong);
        }
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointUrlError::Scheme);
        }
        if url.host().is_none() {
            return Err(EndpointUrlError::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointUrlError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(EndpointUrlError::Fragment);
        }
        // A parsed URL has the path `/` where the text has none.
        let after_host = text.split_once("://").and_then(|(_, rest)| rest.find(['/', '?', '#']));
        if url.path() == "/"
            && after_host.is_none_or(|it| text.split_once("://").is_some_and(|(_, rest)| !rest[it..].starts_with('/')))
        {
            return Err(EndpointUrlError::NoPath);
        }
        Ok(Self(url))
    }

    /// The parsed URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Host of the URL. The path and the query may have a secret, so logs have the host alone.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the URL is `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Why a text is no URL of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointUrlError {
    /// The text is longer than [`EndpointUrl::BYTES_MAX`].
    #[error("must have at most {} bytes, percent-encoded", EndpointUrl::BYTES_MAX)]
    TooLong,
    /// The text is not an absolute URL of HTTP.
    #[error("must be an absolute URL such as https://example.com/webhooks")]
    Malformed,
    /// The URL is not one of HTTP.
    #[error("must begin with https://")]
    Scheme,
    /// The URL has a user name or a password.
    #[error("must have no user name and no password")]
    Credentials,
    /// The URL has a fragment.
    #[error("must have no fragment (the part after #)")]
    Fragment,
    /// The URL has no path.
    #[error("must have a path, such as / or /webhooks")]
    NoPath,
}

/// Another program that receives events of the feed as webhooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Id of the endpoint.
    pub id: EndpointId,
    /// URL that receives the webhooks.
    pub url: EndpointUrl,
    /// Description for people; may be empty.
    pub description: String,
    /// Types of the events that are sent, each once; all types if empty.
    pub types: Vec<FeedEventType>,
    /// Secrets that sign the webhooks.
    pub secret: SecretGeneration,
    /// Time at which the endpoint was created.
    pub created_at: Timestamp,
    /// Whether webhooks are sent.
    pub state: EndpointState,
    /// Run of failures that is going on; `None` after a success.
    pub failing: Option<Failing>,
}

/// Generation of an endpoint's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretGeneration {
    /// Current generation, from 1.
    pub current: u32,
    /// Time until which the generation before signs too; `None` without a rotation.
    pub previous_until: Option<Timestamp>,
    /// Id of the service's own key from which the secret follows.
    pub key_id: String,
}

impl SecretGeneration {
    /// Generations that sign at `now`, the current one first.
    pub fn signing(&self, now: Timestamp) -> Vec<u32> {
        let previous = self.previous_until.filter(|it| now < *it).and_then(|_| self.current.checked_sub(1));
        [self.current].into_iter().chain(previous.filter(|it| *it > 0)).collect()
    }
}

/// State of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// Webhooks are sent.
    Enabled,
    /// Webhooks are not sent. The endpoint keeps its position, and goes on from there once it is enabled.
    Disabled {
        /// Reason why it was disabled.
        reason: DisabledReason,
        /// Time at which it was disabled.
        at: Timestamp,
    },
}

/// Reason why an endpoint was disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// An operator or an application disabled it.
    Requested,
    /// The endpoint answered 410 Gone.
    Gone,
    /// Nothing but failures for [`DISABLED_AFTER_SECONDS`](super::DISABLED_AFTER_SECONDS).
    Failing,
}

variant_names! {
    /// Name of the reason in answers and stored rows.
    DisabledReason {
        Requested => "requested",
        Gone => "gone",
        Failing => "failing",
    }
}

/// Run of failures of an endpoint, without a success between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// Time of the first failure.
    pub since: Timestamp,
    /// Number of times that operators were told of it.
    pub told: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_a_path_and_no_secrets_of_its_own() {
        use EndpointUrlError::{Credentials, Fragment, Malformed, NoPath, Scheme};
        for (text, expected) in [
            ("https://books.example/", Ok("https://books.example/")),
            ("http://books.example:8080/hooks?shop=1", Ok("http://books.example:8080/hooks?shop=1")),
            ("https://BOOKS.example/\u{e9}", Ok("https://books.example/%C3%A9")),
            ("https://books.example", Err(NoPath)),
            ("https://books.example?a=/", Err(NoPath)),
            ("https://ada@books.example/", Err(Credentials)),
            ("https://ada:hush@books.example/", Err(Credentials)),
            ("https://books.example/#a", Err(Fragment)),
            ("ftp://books.example/", Err(Scheme)),
            ("books.example/hooks", Err(Malformed)),
            ("", Err(Malformed)),
        ] {
            let parsed = EndpointUrl::parse(text);
            assert_eq!(parsed.as_ref().map(EndpointUrl::as_str), expected.as_ref().copied(), "{text}");
        }
    }

    /// A stored URL that could not be read again would make every endpoint unreadable.
    #[test]
    fn a_parsed_url_can_be_parsed_again() {
        for part in ["a", "\u{e9}", "\"", " ", "%", "\u{1f600}", "?", "\\"] {
            for count in [1, 100, 500, 700, 1000, 2000] {
                let text = format!("https://books.example/{}", part.repeat(count));
                if let Ok(url) = EndpointUrl::parse(&text) {
                    assert_eq!(EndpointUrl::parse(url.as_str()).as_ref(), Ok(&url), "{part} {count}");
                }
            }
        }
    }
}
