//! Sessions of operators in the console, and the links by which they begin.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use paywright_domain::text::reorders_text;
use paywright_domain::{Timestamp, variant_names};
use thiserror::Error;
use uuid::Uuid;

use super::api_keys::Scope;
use super::audit_trail::AuditEntry;
use super::store::StoreError;

/// Port to the sessions of operators in the console.
///
/// Each call is one transaction. What begins and ends access is stored with its entry of the audit trail.
#[async_trait]
pub trait ConsoleSessions: Send + Sync {
    /// Stores a link. [`StoreError::Conflict`] if its id or digest exists.
    async fn add_console_link(&self, link: &ConsoleLink, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Reads the link whose token has this SHA-256 digest, and which no session has begun with. It may have expired.
    async fn console_link(&self, digest: &[u8; 32]) -> Result<Option<ConsoleLink>, StoreError>;

    /// Deletes the link with this id and stores the session, which has the same id; deletes the links and sessions too that
    /// had expired when it began. Returns whether there was the link: of two calls, one begins a session.
    async fn begin_console_session(&self, session: &ConsoleSession, entry: &AuditEntry) -> Result<bool, StoreError>;

    /// Reads the session whose token has this SHA-256 digest. It may have expired.
    async fn console_session(&self, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError>;

    /// Reads all sessions, the newest first, those that have expired included.
    async fn console_sessions(&self) -> Result<Vec<ConsoleSession>, StoreError>;

    /// Stores the time of a request in a session. A time before the stored one changes nothing, and neither does a session
    /// that does not exist.
    async fn note_console_session(&self, id: Uuid, seen_at: Timestamp) -> Result<(), StoreError>;

    /// Deletes a session. Returns whether there was one; otherwise no entry is stored.
    async fn end_console_session(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError>;
}

/// Link by which an operator signs in to the console, once. Its holder alone knows the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleLink {
    /// Id of the link, and of the session that begins with it.
    pub id: Uuid,
    /// SHA-256 digest of the token.
    pub digest: [u8; 32],
    /// Operator for whom it is.
    pub operator: OperatorName,
    /// Role of the session.
    pub role: ConsoleRole,
    /// Time at which it was made.
    pub created_at: Timestamp,
    /// Time from which it is invalid.
    pub expires_at: Timestamp,
}

/// Session of an operator in the console. The operator's browser alone knows the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// Id of the session.
    pub id: Uuid,
    /// SHA-256 digest of the token.
    pub digest: [u8; 32],
    /// Operator whose session it is.
    pub operator: OperatorName,
    /// Role of the operator in it.
    pub role: ConsoleRole,
    /// Time at which the operator signed in.
    pub begun_at: Timestamp,
    /// Time of a request in it, at most a minute before the last one.
    pub seen_at: Timestamp,
    /// Time from which it is invalid, whatever the operator does.
    pub expires_at: Timestamp,
}

/// Role of an operator in the console: a set of scopes, the same as API keys have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleRole {
    /// Sees everything and changes nothing.
    View,
    /// Also moves money of orders and cancels them.
    Refund,
    /// Does everything.
    Administer,
}

variant_names! {
    /// Name of the role in commands and in stored rows.
    ConsoleRole {
        View => "view",
        Refund => "refund",
        Administer => "administer",
    }
}

impl ConsoleRole {
    /// Whether the role has a scope.
    pub const fn has(self, scope: Scope) -> bool {
        match scope {
            Scope::OrdersRead
            | Scope::PricesRead
            | Scope::EventsRead
            | Scope::WebhooksRead
            | Scope::BooksRead
            | Scope::MetricsRead
            | Scope::AuditRead => true,
            Scope::OrdersWrite | Scope::PaymentsWrite => matches!(self, Self::Refund | Self::Administer),
            Scope::PricesWrite | Scope::WebhooksWrite | Scope::BooksWrite => matches!(self, Self::Administer),
        }
    }
}

impl fmt::Display for ConsoleRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ConsoleRole {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::named(text).ok_or(UnknownRole)
    }
}

/// Error of a text that is not the name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be view, refund or administer")]
pub struct UnknownRole;

/// Name of an operator: 1 to 64 characters that look like what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorName(String);

impl OperatorName {
    /// Longest name, in characters.
    pub const CHARS_MAX: usize = 64;

    /// Text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OperatorName {
    type Err = OperatorNameError;
    fn from_str(text: &str) -> Result<Self, OperatorNameError> {
        let chars = text.chars().count();
        let is_plain = !text.chars().any(|it| it.is_control() || reorders_text(it));
        if (1..=Self::CHARS_MAX).contains(&chars) && text.trim() == text && is_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(OperatorNameError)
        }
    }
}

/// Error of a text that is not the name of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must have 1 to {max} characters, without control characters and without spaces around them", max = OperatorName::CHARS_MAX)]
pub struct OperatorNameError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_the_scopes_of_the_roles_below_it() {
        let scopes = |role: ConsoleRole| Scope::ALL.iter().filter(|it| role.has(**it)).map(|it| it.name()).collect();
        let view: Vec<_> = scopes(ConsoleRole::View);
        let refund: Vec<_> = scopes(ConsoleRole::Refund);
        assert!(view.iter().all(|it| it.ends_with(":read")), "{view:?}");
        assert_eq!(view.len(), Scope::ALL.iter().filter(|it| it.name().ends_with(":read")).count());
        assert!(view.iter().all(|it| refund.contains(it)));
        assert_eq!(
            refund.iter().filter(|it| !view.contains(it)).copied().collect::<Vec<_>>(),
            ["orders:write", "payments:write"]
        );
        assert_eq!(scopes(ConsoleRole::Administer).len(), Scope::ALL.len());
    }

    #[test]
    fn a_name_of_an_operator_looks_like_what_it_is() {
        for good in ["ada", "Ada Lovelace", "zoë", &"x".repeat(64)] {
            assert_eq!(good.parse::<OperatorName>().unwrap().as_str(), good);
        }
        for bad in ["", " ada", "ada\n", "a\u{202e}da", &"x".repeat(65)] {
            assert!(bad.parse::<OperatorName>().is_err(), "{bad:?}");
        }
    }
}
