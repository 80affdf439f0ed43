//! Access tokens of applications (OAuth 2.0), each for one API key.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use paywright_app::Scope;
use paywright_domain::Timestamp;

use crate::tokens::Signatures;

const ACCESS_TOKEN_PREFIX: &str = "pwt_";

/// Scope of an access token: the part of its API key's scopes that it gives. The names are those of Spree's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct AccessScope {
    /// Scopes that read.
    pub(crate) read: bool,
    /// Scopes that write.
    pub(crate) write: bool,
}

impl AccessScope {
    /// Whether the token gives `scope`, where its key has it.
    pub(crate) const fn permits(self, scope: Scope) -> bool {
        match scope {
            Scope::OrdersRead
            | Scope::PricesRead
            | Scope::EventsRead
            | Scope::WebhooksRead
            | Scope::BooksRead
            | Scope::MetricsRead
            | Scope::AuditRead => self.read,
            Scope::OrdersWrite
            | Scope::PaymentsWrite
            | Scope::PricesWrite
            | Scope::WebhooksWrite
            | Scope::BooksWrite => self.write,
        }
    }
}

/// Access that an application's access token gives: that of its API key, within a scope and until a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApplicationAccess {
    /// Digest of the API key's text. The key is looked up at each call, so that its revocation ends its tokens.
    pub(crate) key: [u8; 32],
    /// Scope of the token.
    pub(crate) scope: AccessScope,
    /// Time from which the token is invalid, in whole seconds.
    pub(crate) expires_at: Timestamp,
}

/// Access tokens of applications: what they give access to, and a tag of it, so that no token has to be stored.
pub(crate) struct AccessTokens(Signatures);

impl AccessTokens {
    /// Length of the signed bytes: digest, scope and expiry.
    const BYTES: usize = 32 + 1 + 8;

    /// Takes what signs the tokens.
    pub(crate) const fn new(signatures: Signatures) -> Self {
        Self(signatures)
    }

    /// Accepts tokens of a previous token secret too.
    pub(crate) fn accept(&mut self, secret: &[u8]) {
        self.0.accept(secret);
    }

    /// Token that gives `access`.
    pub(crate) fn token(&self, access: &ApplicationAccess) -> String {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(&access.key);
        bytes.push(u8::from(access.scope.read) | (u8::from(access.scope.write) << 1));
        bytes.extend_from_slice(&access.expires_at.unix_seconds().to_be_bytes());
        format!("{ACCESS_TOKEN_PREFIX}{}.{}", BASE64_URL_SAFE_NO_PAD.encode(&bytes), self.0.tag(&bytes))
    }

    /// Access in a token whose tag verifies.
    pub(crate) fn read(&self, token: &str) -> Option<ApplicationAccess> {
        let (text, tag) = token.strip_prefix(ACCESS_TOKEN_PREFIX)?.split_once('.')?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        if !self.0.verifies(&bytes, tag) {
            return None;
        }
        let (key, rest) = bytes.split_first_chunk::<32>()?;
        let (scope, seconds) = rest.split_first()?;
        let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
        let scope = AccessScope { read: scope & 1 != 0, write: scope & 2 != 0 };
        Some(ApplicationAccess { key: *key, scope, expires_at: Timestamp::from_unix_seconds(seconds).ok()? })
    }
}
