//! Sessions of operators in the console.

use std::slice::from_ref;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Binary, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::stored::{ColumnError, StoredConsoleLink, StoredConsoleSession};
use paywright_app::{AuditEntry, ConsoleLink, ConsoleSession, ConsoleSessions, StoreError};
use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::PostgresStore;
use crate::audit_trail::{Entries, audited};
use crate::columns::row;
use crate::failure::Failure;
use crate::rows::pg_time;
use crate::statement::statement;

row! {
    /// Row of a link.
    LinkRow of StoredConsoleLink {
        id as SqlUuid,
        digest as Binary,
        operator as SqlText,
        role as SqlText,
        created_at as Timestamptz,
        expires_at as Timestamptz,
    }
}

row! {
    /// Row of a session.
    SessionRow of StoredConsoleSession {
        id as SqlUuid,
        digest as Binary,
        operator as SqlText,
        role as SqlText,
        begun_at as Timestamptz,
        seen_at as Timestamptz,
        expires_at as Timestamptz,
    }
}

fn entries(entry: &AuditEntry) -> Result<Entries<'_>, StoreError> {
    Entries::of_all(from_ref(entry)).map_err(|it: ColumnError| Failure::from(it).of_write())
}

/// Statement that stores a link.
struct AddLink<'a> {
    link: StoredConsoleLink<'a>,
    created_at: PgTimestamp,
    expires_at: PgTimestamp,
    entries: Entries<'a>,
}

statement!(AddLink<'_> => (),
    concat!(
        "WITH added AS (INSERT INTO console_links (id, digest, operator, role, created_at, expires_at) ",
        "VALUES (:id, :digest, :operator, :role, :created_at, :expires_at) RETURNING id), ",
        audited!("added"), " SELECT FROM added",
    ),
    self {
        id: SqlUuid = self.link.id,
        digest: Binary = self.link.digest,
        operator: SqlText = self.link.operator,
        role: SqlText = self.link.role,
        created_at: Timestamptz = self.created_at,
        expires_at: Timestamptz = self.expires_at,
        ..Entries = self.entries,
    }
);

/// Query for the link with a digest.
#[derive(Clone)]
struct LinkByDigest(Vec<u8>);

statement!(LinkByDigest => Untyped,
    "SELECT id, digest, operator, role, created_at, expires_at FROM console_links WHERE digest = :digest",
    self {
        digest: Binary = self.0,
    }
);

/// Statement that begins a session by its link: returns a row if there was the link.
struct Begin<'a> {
    session: StoredConsoleSession<'a>,
    begun_at: PgTimestamp,
    seen_at: PgTimestamp,
    expires_at: PgTimestamp,
    entries: Entries<'a>,
}

statement!(Begin<'_> => (),
    concat!(
        "WITH spent AS (DELETE FROM console_links WHERE id = :id RETURNING id), ",
        "begun AS (INSERT INTO console_sessions (id, digest, operator, role, begun_at, seen_at, expires_at) ",
        "SELECT id, :digest, :operator, :role, :begun_at, :seen_at, :expires_at FROM spent RETURNING id), ",
        "old_links AS (DELETE FROM console_links WHERE id <> :id AND expires_at <= :begun_at), ",
        "old_sessions AS (DELETE FROM console_sessions WHERE expires_at <= :begun_at), ",
        audited!("begun"), " SELECT FROM begun",
    ),
    self {
        id: SqlUuid = self.session.id,
        digest: Binary = self.session.digest,
        operator: SqlText = self.session.operator,
        role: SqlText = self.session.role,
        begun_at: Timestamptz = self.begun_at,
        seen_at: Timestamptz = self.seen_at,
        expires_at: Timestamptz = self.expires_at,
        ..Entries = self.entries,
    }
);

/// Beginning of a query for sessions.
macro_rules! sessions {
    () => {
        "SELECT id, digest, operator, role, begun_at, seen_at, expires_at FROM console_sessions "
    };
}

/// Query for the session with a digest.
#[derive(Clone)]
struct ByDigest(Vec<u8>);

statement!(ByDigest => Untyped, concat!(sessions!(), "WHERE digest = :digest"), self {
    digest: Binary = self.0,
});

/// Query for all sessions.
struct All;

statement!(All => Untyped, concat!(sessions!(), "ORDER BY id DESC"), self {});

/// Statement that stores the time of a request.
struct Note {
    id: Uuid,
    seen_at: PgTimestamp,
}

statement!(Note => (),
    "UPDATE console_sessions SET seen_at = :seen_at WHERE id = :id AND seen_at < :seen_at",
    self {
        id: SqlUuid = self.id,
        seen_at: Timestamptz = self.seen_at,
    }
);

/// Statement that ends a session: returns a row if there was one.
struct End<'a> {
    id: Uuid,
    entries: Entries<'a>,
}

statement!(End<'_> => (),
    concat!(
        "WITH ended AS (DELETE FROM console_sessions WHERE id = :id RETURNING id), ",
        audited!("ended"), " SELECT FROM ended",
    ),
    self {
        id: SqlUuid = self.id,
        ..Entries = self.entries,
    }
);

#[async_trait]
impl ConsoleSessions for PostgresStore {
    async fn add_console_link(&self, link: &ConsoleLink, entry: &AuditEntry) -> Result<(), StoreError> {
        let (created_at, expires_at) = (pg_time(link.created_at), pg_time(link.expires_at));
        let add = AddLink { link: StoredConsoleLink::of(link), created_at, expires_at, entries: entries(entry)? };
        self.write(add).await.map(drop).map_err(Failure::of_write)
    }

    async fn console_link(&self, digest: &[u8; 32]) -> Result<Option<ConsoleLink>, StoreError> {
        let found: Result<Option<LinkRow>, Failure> = self.row(LinkByDigest(digest.to_vec())).await;
        found.and_then(|it| Ok(it.map(|LinkRow(it)| it.restore()).transpose()?)).map_err(Failure::of_read)
    }

    async fn begin_console_session(&self, session: &ConsoleSession, entry: &AuditEntry) -> Result<bool, StoreError> {
        let begin = Begin {
            session: StoredConsoleSession::of(session),
            begun_at: pg_time(session.begun_at),
            seen_at: pg_time(session.seen_at),
            expires_at: pg_time(session.expires_at),
            entries: entries(entry)?,
        };
        self.write(begin).await.map(|rows| rows > 0).map_err(Failure::of_write)
    }

    async fn console_session(&self, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let found: Result<Option<SessionRow>, Failure> = self.row(ByDigest(digest.to_vec())).await;
        found.and_then(|it| Ok(it.map(|SessionRow(it)| it.restore()).transpose()?)).map_err(Failure::of_read)
    }

    async fn console_sessions(&self) -> Result<Vec<ConsoleSession>, StoreError> {
        let rows: Result<Vec<SessionRow>, Failure> = self.rows(All).await;
        rows.and_then(|rows| rows.into_iter().map(|SessionRow(it)| Ok(it.restore()?)).collect())
            .map_err(Failure::of_read)
    }

    async fn note_console_session(&self, id: Uuid, seen_at: Timestamp) -> Result<(), StoreError> {
        self.write(Note { id, seen_at: pg_time(seen_at) }).await.map(drop).map_err(Failure::of_write)
    }

    async fn end_console_session(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        let end = End { id, entries: entries(entry)? };
        self.write(end).await.map(|rows| rows > 0).map_err(Failure::of_write)
    }
}
