//! Use cases of the console's sign-in. What an operator does in the console is the use case of the API.

use std::sync::Arc;

use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::{
    Act, Actor, AuditEntry, Clock, ConsoleLink, ConsoleRole, ConsoleSession, ConsoleSessions, Ids, OperatorName,
    StoreError,
};

/// Validity of a link, in seconds.
const LINK_SECONDS: u32 = 600;
/// Longest time without a request after which a session is still valid, in seconds.
pub const SESSION_IDLE_SECONDS: u32 = 1800;
/// Longest validity of a session, in seconds.
const SESSION_SECONDS: u32 = 12 * 3600;
/// Time after which a request in a session is stored, in seconds: not each one is a write.
const NOTED_AFTER_SECONDS: u32 = 60;

/// Use cases of the sessions of operators.
#[derive(Clone)]
pub struct Console {
    sessions: Arc<dyn ConsoleSessions>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl Console {
    /// Use cases over these ports.
    pub fn new(sessions: Arc<dyn ConsoleSessions>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { sessions, clock, ids }
    }

    fn entry(&self, session: Uuid, act: Act) -> AuditEntry {
        AuditEntry::of_current_work(&*self.ids, self.clock.now(), session, act)
    }

    /// Makes a link by which `operator` may sign in once, within ten minutes, whose token has this SHA-256 digest.
    pub async fn add_link(
        &self,
        operator: OperatorName,
        role: ConsoleRole,
        digest: [u8; 32],
    ) -> Result<ConsoleLink, StoreError> {
        let now = self.clock.now();
        let id = self.ids.console_session_id(now);
        let act = Act::ConsoleLinkCreated { operator: operator.to_string(), role: role.to_string() };
        let expires_at = now.plus_seconds(LINK_SECONDS);
        let link = ConsoleLink { id, digest, operator, role, created_at: now, expires_at };
        self.sessions.add_console_link(&link, &self.entry(id, act)).await?;
        Ok(link)
    }

    /// Finds the valid link whose token has this digest. That spends nothing: a preview of a link may do it.
    pub async fn link(&self, digest: &[u8; 32]) -> Result<Option<ConsoleLink>, StoreError> {
        let now = self.clock.now();
        Ok(self.sessions.console_link(digest).await?.filter(|it| now < it.expires_at))
    }

    /// Spends the valid link whose token has the digest `link`, and begins a session whose token has the digest `session`.
    /// The operator becomes the actor of the work that is being polled. `None` if there is no such link any more.
    pub async fn sign_in(&self, link: &[u8; 32], session: [u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let Some(ConsoleLink { id, operator, role, .. }) = self.link(link).await? else { return Ok(None) };
        let now = self.clock.now();
        actor_of(&operator).record();
        let entry = self.entry(id, Act::ConsoleSignedIn { role: role.to_string() });
        let expires_at = now.plus_seconds(SESSION_SECONDS);
        let session = ConsoleSession { id, digest: session, operator, role, begun_at: now, seen_at: now, expires_at };
        Ok(self.sessions.begin_console_session(&session, &entry).await?.then_some(session))
    }

    /// Finds the valid session whose token has this digest, for a page that asks by itself: the session stays as idle as it is.
    pub async fn idle_session(&self, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let now = self.clock.now();
        Ok(self.sessions.console_session(digest).await?.filter(|it| it.is_valid(now)))
    }

    /// Finds the valid session whose token has this digest, and notes that it is in use.
    pub async fn session(&self, digest: &[u8; 32]) -> Result<Option<ConsoleSession>, StoreError> {
        let now = self.clock.now();
        let Some(session) = self.idle_session(digest).await? else { return Ok(None) };
        if session.seen_at.plus_seconds(NOTED_AFTER_SECONDS) <= now {
            self.sessions.note_console_session(session.id, now).await?;
        }
        Ok(Some(session))
    }

    /// Reads all valid sessions, the newest first.
    pub async fn sessions(&self) -> Result<Vec<ConsoleSession>, StoreError> {
        let now = self.clock.now();
        let mut sessions = self.sessions.console_sessions().await?;
        sessions.retain(|it| it.is_valid(now));
        Ok(sessions)
    }

    /// Ends a session for good. Returns whether there was one.
    pub async fn end(&self, session: Uuid) -> Result<bool, StoreError> {
        self.sessions.end_console_session(session, &self.entry(session, Act::ConsoleSessionEnded)).await
    }
}

impl ConsoleSession {
    /// Whether the session is valid at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires_at && now < self.seen_at.plus_seconds(SESSION_IDLE_SECONDS)
    }

    /// Actor of what the operator does.
    pub fn actor(&self) -> Actor {
        actor_of(&self.operator)
    }
}

fn actor_of(operator: &OperatorName) -> Actor {
    Actor::Operator { operator: operator.to_string() }
}
