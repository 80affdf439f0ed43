//! Writer thread and its group commit.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};
use paywright_app::{ConnectionUse, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::failure::{Failure, OpenError};
use crate::monitoring;
use crate::probe::Place;
use crate::reserve::Reserve;

/// Maximum number of writes in one transaction.
const GROUP_MAX: usize = 64;
/// Maximum number of queued writes; further callers wait for a place in the queue.
const WAITING_MAX: usize = 1024;
/// Longest time that a write waits for a group that another write begins.
const JOIN_MAX: Duration = Duration::from_millis(3);

/// Write that runs inside the group's transaction, or receives the reason why there is none.
type Run = Box<dyn FnOnce(Result<&mut SqliteConnection, Failure>) -> Ran + Send>;
/// Answer to the caller, sent after the group was committed or rolled back.
type Answer = Box<dyn FnOnce(Result<(), Failure>) + Send>;

struct Job {
    run: Run,
    /// Whether the write may use the disk space in reserve.
    by_reserve: bool,
}

struct Ran {
    answer: Answer,
    /// Error that ended the group's transaction, if it has ended.
    broken: Option<Failure>,
}

pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    joining: Joining,
}

/// Writes that join the next group, and begin none.
type Joining = Arc<Mutex<Vec<Job>>>;

impl Writer {
    /// Starts the thread on `connection`. It ends when the writer is dropped and all queued writes are done.
    /// Nothing is written while the file is not at its `place`. `reopen` opens another connection if one could not even
    /// roll back.
    pub(crate) fn start(
        connection: SqliteConnection,
        place: Option<Place>,
        reopen: impl Fn() -> Result<SqliteConnection, OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let joining = Joining::default();
        let joins = Arc::clone(&joining);
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                let reserve = place.as_ref().map(Place::reserve);
                Groups { db: connection, place, reserve, reopen }.write_all(waiting, &joins);
            })
            .map_err(|error| OpenError::Unusable { path: "the writer thread".into(), reason: error.to_string() })?;
        Ok(Self { jobs, joining })
    }

    /// Runs `work` in the next group. Its writes are durable when this returns `Ok`; after an error none of them exists.
    /// A write whose caller was dropped before its turn is skipped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.attempt(work, false).await?)
    }

    /// As [`Self::run`], using the reserve if the disk is full.
    pub(crate) async fn run_by_reserve<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.attempt(work.clone(), false).await {
            Err(failure) if failure.may_be_a_full_disk() => Ok(self.attempt(work, true).await?),
            done => Ok(done?),
        }
    }

    /// As [`Self::run`], in a group that another write begins, if one does soon: an `fsync` for this write alone would hold
    /// up the others.
    pub(crate) async fn run_with_others<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, mut receiver) = job(work, false);
        self.joining.lock().map_err(|_| Failure::Stopped)?.push(job);
        if let Ok(answer) = tokio::time::timeout(JOIN_MAX, &mut receiver).await {
            return Ok(answer.map_err(|_| Failure::Stopped)??);
        }
        // An empty write begins a group, and is answered after the writes that join it.
        let begun = self.attempt(|_| Ok(()), false).await;
        Ok(receiver.try_recv().unwrap_or_else(|_| Err(begun.err().unwrap_or(Failure::Stopped)))?)
    }

    /// Use of the queue: places that writes hold, and all of them.
    pub(crate) fn places(&self) -> ConnectionUse {
        ConnectionUse { in_use: self.jobs.max_capacity() - self.jobs.capacity(), max: self.jobs.max_capacity() }
    }

    async fn attempt<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
        by_reserve: bool,
    ) -> Result<T, Failure> {
        let (job, receiver) = job(work, by_reserve);
        self.jobs.send(job).await.map_err(|_| Failure::Stopped)?;
        receiver.await.map_err(|_| Failure::Stopped)?
    }
}

/// Job of a write, and the receiver of its result.
fn job<T: Send + 'static>(
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    by_reserve: bool,
) -> (Job, oneshot::Receiver<Result<T, Failure>>) {
    let (sender, receiver) = oneshot::channel();
    let queued_at = Instant::now();
    let run: Run = Box::new(move |db| {
        monitoring::waited(queued_at.elapsed());
        if sender.is_closed() {
            return Ran { answer: Box::new(|_| ()), broken: None };
        }
        let (result, broken) = match db {
            Ok(db) => in_savepoint(db, work),
            Err(failure) => (Err(failure), None),
        };
        // The caller may have been dropped; the write stays.
        let answer = Box::new(move |group: Result<(), Failure>| drop(sender.send(group.and(result))));
        Ran { answer, broken }
    });
    (Job { run, by_reserve }, receiver)
}

/// Runs `work` in a savepoint, so that its failure rolls back this write only. The second value is the error that ended
/// the whole transaction, if one did: SQLite rolls everything back by itself on a full disk, for example.
///
/// Uses SQL instead of diesel's transaction manager, which would treat that as a broken connection. No other code gets
/// this connection.
fn in_savepoint<T>(
    db: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> (Result<T, Failure>, Option<Failure>) {
    if let Err(error) = Savepoint.execute(db) {
        let failure = Failure::from(error);
        return (Err(failure.clone()), Some(failure));
    }
    let result = work(db);
    let ended = match result {
        Ok(_) => Release.execute(db).map(|_| ()),
        Err(_) => db.batch_execute("ROLLBACK TO job; RELEASE job"),
    };
    let broken = ended.err().map(Failure::from);
    match (result, broken) {
        // The error of the work itself says more than that of the missing savepoint after it.
        (Ok(_), Some(failure)) | (Err(failure), Some(_)) => (Err(failure.clone()), Some(failure)),
        (result, None) => (result, None),
    }
}

/// Defines a statement without parameters that is prepared once for a connection; `batch_execute` prepares it each time.
macro_rules! prepared {
    ($name:ident, $sql:literal) => {
        struct $name;

        impl QueryFragment<Sqlite> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }

        impl QueryId for $name {
            type QueryId = Self;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl RunQueryDsl<SqliteConnection> for $name {}
    };
}

prepared!(Savepoint, "SAVEPOINT job");
prepared!(Release, "RELEASE job");

/// State of the writer thread.
struct Groups<R> {
    db: SqliteConnection,
    place: Option<Place>,
    reserve: Option<Reserve>,
    reopen: R,
}

impl<R: Fn() -> Result<SqliteConnection, OpenError>> Groups<R> {
    fn write_all(mut self, mut waiting: mpsc::Receiver<Job>, joining: &Mutex<Vec<Job>>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            // Writes that may use the reserve go first and alone: orders would use up the space.
            let (by_reserve, others): (Vec<_>, Vec<_>) = group.drain(..).partition(|it| it.by_reserve);
            if !by_reserve.is_empty() {
                self.write(by_reserve, self.reserve.clone().as_ref());
            }
            if !others.is_empty() {
                let mut joined = joining.lock().map(|mut it| std::mem::take(&mut *it)).unwrap_or_default();
                joined.extend(others);
                self.write(joined, None);
            }
        }
    }

    /// Writes a group in one transaction, and answers after its commit. The `reserve` is freed inside the transaction,
    /// when no other process can write.
    fn write(&mut self, group: Vec<Job>, reserve: Option<&Reserve>) {
        let place = self.place.as_ref().map_or(Ok(()), Place::check);
        let mut fate = place.and_then(|()| Ok(self.db.batch_execute("BEGIN IMMEDIATE")?));
        let freed = reserve.filter(|it| fate.is_ok() && it.free());
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            let ran = (job.run)(fate.clone().map(|()| &mut self.db));
            answers.push(ran.answer);
            if let Some(failure) = ran.broken {
                fate = Err(failure);
            }
        }
        if fate.is_ok() {
            fate = self.db.batch_execute("COMMIT").map_err(Failure::from);
        }
        if let Some(reserve) = freed {
            reserve.fill();
        }
        if let Err(failure) = &fate {
            tracing::error!(%failure, writes = answers.len(), "a group of writes was rolled back");
            self.roll_back();
        }
        for answer in answers {
            answer(fate.clone());
        }
    }

    /// Rolls back. An error means that SQLite has rolled back already, unless the connection is broken.
    fn roll_back(&mut self) {
        if self.db.batch_execute("ROLLBACK").is_err() && self.db.batch_execute("BEGIN IMMEDIATE; ROLLBACK").is_err() {
            match (self.reopen)() {
                Ok(fresh) => self.db = fresh,
                Err(error) => tracing::error!(%error, "the database file cannot be reopened"),
            }
        }
    }
}
