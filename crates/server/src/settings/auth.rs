//! Settings of customers' tokens.

use std::path::PathBuf;

use paywright_http_api::Tokens;
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::secret;

/// Five minutes: a longer tolerance would mostly keep expired tokens alive.
const LEEWAY_SECONDS_MAX: u32 = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    token_secret: Option<SecretString>,
    token_secret_file: Option<PathBuf>,
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    leeway_seconds: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self { token_secret: None, token_secret_file: None, leeway_seconds: Tokens::LEEWAY_SECONDS }
    }
}

impl Auth {
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    pub(crate) fn leeway_seconds(&self) -> Result<u32, Failure> {
        if self.leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(format!("auth.leeway_seconds must be at most {LEEWAY_SECONDS_MAX}").into());
        }
        Ok(self.leeway_seconds)
    }
}

impl Settings {
    pub(crate) fn token_secret(&self) -> Result<SecretString, Failure> {
        let found = secret(self.auth.token_secret.as_ref(), self.auth.token_secret_file.as_deref())?;
        Ok(found.ok_or(
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to a text of at least 32 random bytes (openssl rand -hex 32), \
             which the shop signs its customers' tokens with",
        )?)
    }
}
