//! The one thread that writes, and its group commit.

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use paywright_app::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::failure::{Failure, OpenError};
use crate::probe::Place;
use crate::reserve::Reserve;

/// The most writes of one transaction.
const GROUP_MAX: usize = 64;
/// The most writes that wait; a caller beyond it waits for its place.
const WAITING_MAX: usize = 1024;

/// Runs inside the group's transaction, or is told why there is none.
type Run = Box<dyn FnOnce(Result<&mut SqliteConnection, Failure>) -> Ran + Send>;
/// Tells the caller, when the group's fate is known.
type Answer = Box<dyn FnOnce(Result<(), Failure>) + Send>;

struct Job {
    run: Run,
    /// Whether it may use the room that is kept in reserve.
    by_reserve: bool,
}

struct Ran {
    answer: Answer,
    /// Why the group's transaction is no more, if it is.
    broken: Option<Failure>,
}

pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread on `connection`. It ends when the writer is dropped and all that waited is done.
    /// Nothing is written while the file is not at its `place`. `reopen` gives another connection after one that could not
    /// even roll back.
    pub(crate) fn start(
        connection: SqliteConnection,
        place: Option<Place>,
        reopen: impl Fn() -> Result<SqliteConnection, OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || {
                let reserve = place.as_ref().map(Place::reserve);
                Groups { db: connection, place, reserve, reopen }.write_all(waiting);
            })
            .map_err(|error| OpenError::Unusable { path: "the writer thread".into(), reason: error.to_string() })?;
        Ok(Self { jobs })
    }

    /// Runs `work` in the next group. It is durable when this returns `Ok`; after an error nothing of it is
    /// there. A caller that has gone before its turn is skipped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.attempt(work, false).await?)
    }

    /// As [`Self::run`]; where there is no room on the disk, by what is kept in reserve.
    pub(crate) async fn run_by_reserve<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Copy + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.attempt(work, false).await {
            Err(failure) if failure.may_be_a_full_disk() => Ok(self.attempt(work, true).await?),
            done => Ok(done?),
        }
    }

    async fn attempt<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
        by_reserve: bool,
    ) -> Result<T, Failure> {
        let (tell, told) = oneshot::channel();
        let run: Run = Box::new(move |db| {
            if tell.is_closed() {
                return Ran { answer: Box::new(|_| ()), broken: None };
            }
            let (result, broken) = match db {
                Ok(db) => in_savepoint(db, work),
                Err(failure) => (Err(failure), None),
            };
            // The caller may have gone; what was done is done all the same.
            let answer = Box::new(move |group: Result<(), Failure>| drop(tell.send(group.and(result))));
            Ran { answer, broken }
        });
        self.jobs.send(Job { run, by_reserve }).await.map_err(|_| Failure::Stopped)?;
        told.await.map_err(|_| Failure::Stopped)?
    }
}

/// Runs `work` so that its failure undoes it alone. The second part says why the whole transaction is no
/// more, where it is not: SQLite rolls everything back by itself when the disk is full, say.
///
/// By hand, not by diesel's transaction manager, which takes that for a broken connection. Nobody else ever
/// gets this connection.
fn in_savepoint<T>(
    db: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> (Result<T, Failure>, Option<Failure>) {
    if let Err(error) = db.batch_execute("SAVEPOINT job") {
        let failure = Failure::from(error);
        return (Err(failure.clone()), Some(failure));
    }
    let result = work(db);
    let end = if result.is_ok() { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
    let broken = db.batch_execute(end).err().map(Failure::from);
    match (result, broken) {
        // A failure of the work itself says more than the missing savepoint after it.
        (Ok(_), Some(failure)) | (Err(failure), Some(_)) => (Err(failure.clone()), Some(failure)),
        (result, None) => (result, None),
    }
}

/// The thread that writes.
struct Groups<R> {
    db: SqliteConnection,
    place: Option<Place>,
    reserve: Option<Reserve>,
    reopen: R,
}

impl<R: Fn() -> Result<SqliteConnection, OpenError>> Groups<R> {
    fn write_all(mut self, mut waiting: mpsc::Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while waiting.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            // Those who may use the reserve first, and alone: orders would take the room.
            let (by_reserve, others): (Vec<_>, Vec<_>) = group.drain(..).partition(|it| it.by_reserve);
            if !by_reserve.is_empty() {
                self.write(by_reserve, self.reserve.clone().as_ref());
            }
            if !others.is_empty() {
                self.write(others, None);
            }
        }
    }

    /// Writes a group in one transaction, and answers after its commit. The `reserve` is freed for it once nobody else can
    /// write.
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

    /// An error here means that SQLite has rolled back already, unless the connection is of no use.
    fn roll_back(&mut self) {
        if self.db.batch_execute("ROLLBACK").is_err() && self.db.batch_execute("BEGIN IMMEDIATE; ROLLBACK").is_err() {
            match (self.reopen)() {
                Ok(fresh) => self.db = fresh,
                Err(error) => tracing::error!(%error, "the store cannot be opened again"),
            }
        }
    }
}
