use std::fmt;

use paywright_domain::fact::FeedEventType;
use paywright_domain::{Timestamp, variant_names};
use thiserror::Error;
use url::{Host, Url};
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

    /// Parses a URL of an endpoint: `https` or `http`, with a possible host and a path, without credentials, fragment
    /// and control characters.
    pub fn parse(text: &str) -> Result<Self, EndpointUrlError> {
        let url = Self::restore(text)?;
        let from_host = text.split_once("://").map_or("", |(_, it)| it);
        let authority = from_host.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        // URL parsers accept both, and take something else for the host or leave out an empty user name.
        if authority.is_empty() {
            return Err(EndpointUrlError::Malformed);
        }
        if authority.contains('@') {
            return Err(EndpointUrlError::Credentials);
        }
        if text.chars().any(char::is_control) || has_encoded_control_character(url.0.path()) {
            return Err(EndpointUrlError::ControlCharacter);
        }
        match url.0.host() {
            Some(Host::Domain(name)) if !is_possible_name(name) => Err(EndpointUrlError::Host),
            Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | None => Ok(url),
        }
    }

    /// Parses a stored URL. It may be of a version of the service that accepted more.
    pub fn restore(text: &str) -> Result<Self, EndpointUrlError> {
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

/// Largest length of a host name, in bytes (RFC 1035, section 2.3.4, in text form).
const HOST_BYTES_MAX: usize = 253;
/// Largest length of a label of a host name, in bytes (the same section).
const LABEL_BYTES_MAX: usize = 63;

/// Whether the name service can have a host name. A dot at its end is that of the root.
fn is_possible_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= HOST_BYTES_MAX && name.split('.').all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()))
}

/// Whether a path has a percent-encoded ASCII control character, such as a line break.
fn has_encoded_control_character(path: &str) -> bool {
    let code = |it: &str| it.get(..2).and_then(|it| u8::from_str_radix(it, 16).ok());
    path.split('%').skip(1).filter_map(code).any(|it| it.is_ascii_control())
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
    /// The URL, or its path once it is decoded, has a control character.
    #[error("must have no control characters, such as line breaks, also percent-encoded")]
    ControlCharacter,
    /// No host can have this name.
    #[error("must have a host name of at most {HOST_BYTES_MAX} bytes, with 1 to {LABEL_BYTES_MAX} between two dots")]
    Host,
    /// The URL has a fragment.
    #[error("must have no fragment (the part after #)")]
    Fragment,
    /// The URL has no path.
    #[error("must have a path, such as / or /webhooks")]
    NoPath,
}

/// Form of the webhooks that an endpoint receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointFormat {
    /// One webhook for each event: the event as the feed shows it.
    Standard,
    /// Webhooks of Spree's version 1. An event becomes several of Spree's events, or none.
    Spree,
}

variant_names! {
    /// Name of the format in answers and stored rows.
    EndpointFormat {
        Standard => "standard",
        Spree => "spree",
    }
}

impl EndpointFormat {
    /// Id of the key that an endpoint of this format stores, if the id of the service's own key is `key_id`. A process of
    /// a version that does not know a format would send the wrong body: it finds another key than its own, and sends
    /// nothing.
    pub fn key_id(self, key_id: &str) -> String {
        match self {
            Self::Standard => key_id.to_owned(),
            Self::Spree => format!("{key_id}.spree"),
        }
    }
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
    /// Form of the webhooks. It never changes.
    pub format: EndpointFormat,
    /// Types of the events that are sent, each once; all types if empty.
    pub types: Vec<FeedEventType>,
    /// Names of Spree's events that are sent, or `*` for all of them; empty in the standard format. `types` follow from
    /// them.
    pub subscriptions: Vec<String>,
    /// Secrets that sign the webhooks.
    pub secret: SecretGeneration,
    /// Time at which the endpoint was created.
    pub created_at: Timestamp,
    /// Time of the last change by an application or an operator.
    pub updated_at: Timestamp,
    /// Whether webhooks are sent.
    pub state: EndpointState,
    /// Run of failures that is going on; `None` after a success.
    pub failing: Option<Failing>,
}

impl Endpoint {
    /// Whether the endpoint's secret follows from the service's own key, whose id is `key_id`.
    pub(crate) fn is_signed_by(&self, key_id: &str) -> bool {
        self.secret.key_id == self.format.key_id(key_id)
    }
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
        use EndpointUrlError::{ControlCharacter, Credentials, Fragment, Host, Malformed, NoPath, Scheme, TooLong};
        let label = "a".repeat(63);
        let [longest, longer] = [61, 62].map(|it| format!("https://{label}.{label}.{label}.{}/", "a".repeat(it)));
        let long_label = format!("https://a{label}.example/");
        for (text, expected) in [
            ("https://books.example/", Ok("https://books.example/")),
            ("http://books.example:8080/hooks?shop=1", Ok("http://books.example:8080/hooks?shop=1")),
            ("https://BOOKS.example/\u{e9}", Ok("https://books.example/%C3%A9")),
            ("https://books.example", Err(NoPath)),
            ("https://books.example?a=/", Err(NoPath)),
            ("https://ada@books.example/", Err(Credentials)),
            ("https://ada:hush@books.example/", Err(Credentials)),
            ("https://books.example/#a", Err(Fragment)),
            ("https://@books.example/", Err(Credentials)),
            ("https://:@books.example/", Err(Credentials)),
            ("https://books.example/@?@", Ok("https://books.example/@?@")),
            ("https://books.example/a%00", Err(ControlCharacter)),
            ("https://books.example/a%0d%0Ab", Err(ControlCharacter)),
            ("https://books.example/%7f", Err(ControlCharacter)),
            ("https://books.example/a\nb", Err(ControlCharacter)),
            ("https://books.example/%2500%20%zz%", Ok("https://books.example/%2500%20%zz%")),
            ("https://books.example/?a=b%0Ac", Ok("https://books.example/?a=b%0Ac")),
            ("https://books..example/", Err(Host)),
            ("https://.books.example/", Err(Host)),
            ("https://./", Err(Host)),
            ("https://books.example./", Ok("https://books.example./")),
            ("https://my_books.example/", Ok("https://my_books.example/")),
            (&longest, Ok(&longest)),
            (&longer, Err(Host)),
            (&long_label, Err(Host)),
            ("https:/books.example/a", Err(Malformed)),
            ("https:///books.example/a", Err(Malformed)),
            ("https://[2001:db8::1]/", Ok("https://[2001:db8::1]/")),
            ("https://192.0.2.1:8443/a", Ok("https://192.0.2.1:8443/a")),
            (&format!("https://books.example/{}", "a".repeat(2048)), Err(TooLong)),
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
    fn a_stored_url_can_be_read_again() {
        for part in ["a", "\u{e9}", "\"", " ", "%", "\u{1f600}", "?", "\\"] {
            for count in [1, 100, 500, 700, 1000, 2000] {
                let text = format!("https://books.example/{}", part.repeat(count));
                if let Ok(url) = EndpointUrl::parse(&text) {
                    assert_eq!(EndpointUrl::parse(url.as_str()).as_ref(), Ok(&url), "{part} {count}");
                    assert_eq!(EndpointUrl::restore(url.as_str()).as_ref(), Ok(&url), "{part} {count}");
                }
            }
        }
    }

    #[test]
    fn a_stored_url_that_is_refused_today_can_be_read() {
        for text in ["https://books..example/", "https://books.example/a%00"] {
            assert!(EndpointUrl::parse(text).is_err(), "{text}");
            assert_eq!(EndpointUrl::restore(text).map(|it| it.as_str().to_owned()).as_deref(), Ok(text));
        }
    }
}
