use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Id of a Stripe object: a short prefix, an underscore and more, like `pi_3Mt…`. [`Self::new`] checks it, so that it
/// can be part of a URL path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StripeId(String);

/// Error of a text that is not the id of an object of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not the id of a {expected} object")]
pub struct BadId {
    /// Prefix that the id should have, like `pi_`.
    pub expected: &'static str,
}

/// Characters that are percent-encoded in a path segment: all but the unreserved ones of RFC 3986, section 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const LEN_MAX: usize = 255;

impl StripeId {
    /// Checks that `text` is an id with `prefix`, like `pi_`: at most 255 letters, digits and underscores.
    pub fn new(prefix: &'static str, text: impl Into<String>) -> Result<Self, BadId> {
        let text = text.into();
        let plain = |it: &str| it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let fits = text.len() <= LEN_MAX && text.strip_prefix(prefix).is_some_and(|it| !it.is_empty() && plain(it));
        if fits { Ok(Self(text)) } else { Err(BadId { expected: prefix }) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as one path segment, percent-encoded: an id read from an answer was not checked by [`Self::new`].
    pub(crate) fn segment(&self) -> String {
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }
}

impl fmt::Display for StripeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_leave_its_segment_is_refused_or_encoded() {
        for bad in ["", "pi_", "ch_1", "pi_1/../../x", "pi_1?a=b", "pi_1#", "pi_%2F", "pi_ä"] {
            assert_eq!(StripeId::new("pi_", bad), Err(BadId { expected: "pi_" }), "{bad}");
        }
        assert!(StripeId::new("pi_", format!("pi_{}", "a".repeat(LEN_MAX))).is_err());
        let received: StripeId = serde_json::from_str(r#""pi_1/../x?y""#).unwrap();
        assert_eq!(received.segment(), "pi_1%2F..%2Fx%3Fy");
    }
}
