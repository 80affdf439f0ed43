use std::borrow::Cow;

use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::{ConsoleLink, ConsoleSession};

/// Row of the table `console_links`.
#[expect(missing_docs, reason = "each field is the column of its name, and `ConsoleLink` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsoleLink<'a> {
    pub id: Uuid,
    pub digest: Cow<'a, [u8]>,
    pub operator: Cow<'a, str>,
    pub role: Cow<'a, str>,
    pub created_at: i64,
    pub expires_at: i64,
}

impl<'a> StoredConsoleLink<'a> {
    /// Row of a link.
    pub fn of(link: &'a ConsoleLink) -> Self {
        Self {
            id: link.id,
            digest: Cow::Borrowed(&link.digest),
            operator: text(link.operator.as_str()),
            role: text(link.role.name()),
            created_at: link.created_at.unix_micros(),
            expires_at: link.expires_at.unix_micros(),
        }
    }

    /// Restores the link.
    pub fn restore(self) -> Result<ConsoleLink, ColumnError> {
        let column = |name| Column("console_links", name);
        Ok(ConsoleLink {
            id: self.id,
            digest: column("digest").found(self.digest.as_ref().try_into().ok())?,
            operator: column("operator").read(self.operator.parse())?,
            role: column("role").read(self.role.parse())?,
            created_at: column("created_at").time(self.created_at)?,
            expires_at: column("expires_at").time(self.expires_at)?,
        })
    }
}

/// Row of the table `console_sessions`.
#[expect(missing_docs, reason = "each field is the column of its name, and `ConsoleSession` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredConsoleSession<'a> {
    pub id: Uuid,
    pub digest: Cow<'a, [u8]>,
    pub operator: Cow<'a, str>,
    pub role: Cow<'a, str>,
    pub begun_at: i64,
    pub seen_at: i64,
    pub expires_at: i64,
}

impl<'a> StoredConsoleSession<'a> {
    /// Row of a session.
    pub fn of(session: &'a ConsoleSession) -> Self {
        Self {
            id: session.id,
            digest: Cow::Borrowed(&session.digest),
            operator: text(session.operator.as_str()),
            role: text(session.role.name()),
            begun_at: session.begun_at.unix_micros(),
            seen_at: session.seen_at.unix_micros(),
            expires_at: session.expires_at.unix_micros(),
        }
    }

    /// Restores the session.
    pub fn restore(self) -> Result<ConsoleSession, ColumnError> {
        let column = |name| Column("console_sessions", name);
        Ok(ConsoleSession {
            id: self.id,
            digest: column("digest").found(self.digest.as_ref().try_into().ok())?,
            operator: column("operator").read(self.operator.parse())?,
            role: column("role").read(self.role.parse())?,
            begun_at: column("begun_at").time(self.begun_at)?,
            seen_at: column("seen_at").time(self.seen_at)?,
            expires_at: column("expires_at").time(self.expires_at)?,
        })
    }
}
