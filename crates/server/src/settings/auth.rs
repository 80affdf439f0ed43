//! Settings of customers' tokens.

use std::path::PathBuf;

use paywright_http_api::Tokens;
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::secret;
use crate::settings::values::Within;

/// Maximum tolerance, five minutes: a longer one would mostly accept expired tokens.
const LEEWAY_SECONDS_MAX: u32 = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    token_secret: Option<SecretString>,
    token_secret_file: Option<PathBuf>,
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    leeway_seconds: Within<0, LEEWAY_SECONDS_MAX>,
}

impl Default for Auth {
    fn default() -> Self {
        let leeway_seconds = Within::nearest(Tokens::LEEWAY_SECONDS);
        Self { token_secret: None, token_secret_file: None, leeway_seconds }
    }
}

impl Auth {
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    pub(crate) fn leeway_seconds(&self) -> u32 {
        self.leeway_seconds.get()
    }
}

impl Settings {
    /// The secret with which tokens are signed.
    pub(crate) fn token_secret(&self) -> Result<SecretString, Failure> {
        let Auth { token_secret, token_secret_file: file, .. } = &self.auth;
        let found = secret("auth.token_secret", token_secret.as_ref(), file.as_deref())?;
        let found = found.ok_or(
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to a text of at least 32 random bytes (openssl rand -hex 32), \
             with which the shop signs its customers' tokens",
        )?;
        Tokens::new(&found.text).map_err(|problem| format!("{}: {problem}", found.setting))?;
        Ok(found.text)
    }
}
