//! Sessions of operators in the console. Each write runs inside a savepoint of the group's transaction.

use std::borrow::Cow;

use async_trait::async_trait;
use diesel::prelude::*;
use paywright_app::stored::{StoredConsoleLink, StoredConsoleSession};
use paywright_app::{AuditEntry, ConsoleLink, ConsoleSession, ConsoleSessions, StoreError};
use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::Column;
use crate::schema::{console_links, console_sessions};
use crate::{SqliteStore, audit_trail};

#[derive(Queryable, Insertable)]
#[diesel(table_name = console_links)]
struct LinkRow<'a> {
    id: Vec<u8>,
    digest: Cow<'a, [u8]>,
    operator: Cow<'a, str>,
    role: Cow<'a, str>,
    created_at: i64,
    expires_at: i64,
}

impl<'a> LinkRow<'a> {
    fn of(link: &'a ConsoleLink) -> Self {
        let StoredConsoleLink { id, digest, operator, role, created_at, expires_at } = StoredConsoleLink::of(link);
        Self { id: id.as_bytes().to_vec(), digest, operator, role, created_at, expires_at }
    }

    fn restore(self) -> Result<ConsoleLink, Failure> {
        let Self { id, digest, operator, role, created_at, expires_at } = self;
        let id = Column("console_links", "id").uuid(&id)?;
        Ok(StoredConsoleLink { id, digest, operator, role, created_at, expires_at }.restore()?)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = console_sessions)]
struct SessionRow<'a> {
    id: Vec<u8>,
    digest: Cow<'a, [u8]>,
    operator: Cow<'a, str>,
    role: Cow<'a, str>,
    begun_at: i64,
    seen_at: i64,
    expires_at: i64,
}

impl<'a> SessionRow<'a> {
    fn of(session: &'a ConsoleSession) -> Self {
        let stored = StoredConsoleSession::of(session);
        let StoredConsoleSession { id, digest, operator, role, begun_at, seen_at, expires_at } = stored;
        Self { id: id.as_bytes().to_vec(), digest, operator, role, begun_at, seen_at, expires_at }
    }

    fn restore(self) -> Result<ConsoleSession, Failure> {
        let Self { id, digest, operator, role, begun_at, seen_at, expires_at } = self;
        let id = Column("console_sessions", "id").uuid(&id)?;
        Ok(StoredConsoleSession { id, digest, operator, role, begun_at, seen_at, expires_at }.restore()?)
    }
}

fn add_link(db: &mut SqliteConnection, link: &ConsoleLink, entry: &AuditEntry) -> Result<(), Failure> {
    diesel::insert_into(console_links::table).values(&LinkRow::of(link)).execute(db)?;
    audit_trail::add(db, [entry])
}

fn link(db: &mut SqliteConnection, digest: &[u8; 32]) -> Result<Option<ConsoleLink>, Failure> {
    let found: Option<LinkRow<'_>> =
        console_links::table.filter(console_links::digest.eq(digest.as_slice())).first(db).optional()?;
    found.map(LinkRow::restore).transpose()
}

fn begin(db: &mut SqliteConnection, session: &ConsoleSession, entry: &AuditEntry) -> Result<bool, Failure> {
    if diesel::delete(console_links::table.find(session.id.as_bytes().as_slice())).execute(db)? == 0 {
        return Ok(false);
    }
    let now = session.begun_at.unix_micros();
    diesel::delete(console_links::table.filter(console_links::expires_at.le(now))).execute(db)?;
    diesel::delete(console_sessions::table.filter(console_sessions::expires_at.le(now))).execute(db)?;
    diesel::insert_into(console_sessions::table).values(&SessionRow::of(session)).execute(db)?;
    audit_trail::add(db, [entry])?;
    Ok(true)
}

fn by_digest(db: &mut SqliteConnection, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, Failure> {
    let found: Option<SessionRow<'_>> =
        console_sessions::table.filter(console_sessions::digest.eq(digest.as_slice())).first(db).optional()?;
    found.map(SessionRow::restore).transpose()
}

fn all(db: &mut SqliteConnection) -> Result<Vec<ConsoleSession>, Failure> {
    let rows: Vec<SessionRow<'_>> = console_sessions::table.order(console_sessions::id.desc()).load(db)?;
    rows.into_iter().map(SessionRow::restore).collect()
}

fn note(db: &mut SqliteConnection, id: Uuid, seen_at: Timestamp) -> Result<(), Failure> {
    let seen_at = seen_at.unix_micros();
    diesel::update(
        console_sessions::table.find(id.as_bytes().as_slice()).filter(console_sessions::seen_at.lt(seen_at)),
    )
    .set(console_sessions::seen_at.eq(seen_at))
    .execute(db)?;
    Ok(())
}

fn end(db: &mut SqliteConnection, id: Uuid, entry: &AuditEntry) -> Result<bool, Failure> {
    let ended = diesel::delete(console_sessions::table.find(id.as_bytes().as_slice())).execute(db)? > 0;
    audit_trail::add(db, ended.then_some(entry))?;
    Ok(ended)
}

#[async_trait]
impl ConsoleSessions for SqliteStore {
    async fn add_console_link(&self, link: &ConsoleLink, entry: &AuditEntry) -> Result<(), StoreError> {
        let (link, entry) = (link.clone(), entry.clone());
        self.writer.run(move |db| add_link(db, &link, &entry)).await
    }

    async fn console_link(&self, digest: &[u8; 32]) -> Result<Option<ConsoleLink>, StoreError> {
        let digest = *digest;
        self.read(move |db| link(db, &digest)).await
    }

    async fn begin_console_session(&self, session: &ConsoleSession, entry: &AuditEntry) -> Result<bool, StoreError> {
        let (session, entry) = (session.clone(), entry.clone());
        self.writer.run(move |db| begin(db, &session, &entry)).await
    }

    async fn console_session(&self, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let digest = *digest;
        self.read(move |db| by_digest(db, &digest)).await
    }

    async fn console_sessions(&self) -> Result<Vec<ConsoleSession>, StoreError> {
        self.read_many(all).await
    }

    async fn note_console_session(&self, id: Uuid, seen_at: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |db| note(db, id, seen_at)).await
    }

    async fn end_console_session(&self, id: Uuid, entry: &AuditEntry) -> Result<bool, StoreError> {
        let entry = entry.clone();
        self.writer.run(move |db| end(db, id, &entry)).await
    }
}
