use actix_web::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::SIGN_IN;
use crate::auth::digest;
use crate::problem::Problem;

const LINK_PREFIX: &str = "pwl_";
const SESSION_PREFIX: &str = "pws_";

/// Token of a link to the console or of a session in it: 256 random bits. Its holder alone keeps the text; the store keeps
/// its digest.
#[derive(Debug)]
pub struct ConsoleToken(SecretString);

impl ConsoleToken {
    /// Makes the token of a link of 32 random bytes.
    pub fn for_link(bytes: [u8; 32]) -> Self {
        Self::of(format!("{LINK_PREFIX}{}", hex::encode(bytes)))
    }

    /// Makes the token of a session, of random bytes from the operating system.
    pub(super) fn for_session() -> Result<Self, Problem> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            tracing::error!(%error, "the operating system gave no random bytes");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the operating system gave no random bytes")
        })?;
        Ok(Self::of(format!("{SESSION_PREFIX}{}", hex::encode(bytes))))
    }

    /// Token with this text, which may be that of none.
    pub(super) fn of(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Whether a text has the form of a session's token.
    pub(super) fn is_of_a_session(text: &str) -> bool {
        text.starts_with(SESSION_PREFIX)
    }

    /// Secret text.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// SHA-256 digest, which the store keeps in place of the text.
    pub fn digest(&self) -> [u8; 32] {
        digest(self.expose())
    }

    /// Path of the page at which a link with this token signs in.
    pub fn path(&self) -> String {
        format!("{SIGN_IN}/{}", self.expose())
    }

    /// Token that each form of a page has: only who has read a page of this session can know it.
    pub(super) fn csrf(&self) -> String {
        hex::encode(digest(&format!("form of {}", self.expose())))
    }
}
