//! Connections whose statement was given up by its caller and may still be at work.
//!
//! A commit that waits for a synchronous standby waits until that is back, and a cancel request would end the wait with
//! a success that is on no standby. So a statement is never canceled: its connection keeps its place in the pool until
//! the statement has ended. Then a database on which nothing is committed has no more connections of this process
//! than one on which all goes well, and once enough of them wait no further statement is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::SimpleAsyncConnection;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;

use crate::ask::Shared;
use crate::failure::Failure;
use crate::pool::Lent;
use crate::statement::{Binder, PreparedStatement, Text, text};

/// How often the server is asked whether what was given up is still at work there.
const LOOK: Duration = Duration::from_secs(2);

/// The connections of a store that were given up, over all lanes.
pub(crate) struct Left {
    count: AtomicUsize,
    max: usize,
    /// One asks at a time.
    asking: Mutex<()>,
    none_at_work: Notify,
}

impl Left {
    /// For a store that has so many pooled connections in all: it commits nothing more while half of them wait.
    pub(crate) fn of(pooled: usize) -> Self {
        let max = pooled.div_ceil(2).max(1);
        Self { count: AtomicUsize::new(0), max, asking: Mutex::new(()), none_at_work: Notify::new() }
    }

    /// Whether any wait.
    pub(crate) fn is_any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Refuses a statement that writes while so many wait that it would only wait, too. It was not sent.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let waiting = self.count.load(Ordering::SeqCst);
        if waiting < self.max { Ok(()) } else { Err(Failure::LeftWaiting(waiting)) }
    }

    /// Asks the server over the shared connection whether nothing of ours is at work there. So it is after a failover:
    /// what was given up then is on a server that is no longer used, and may never answer.
    async fn ask(&self, shared: &Shared) -> bool {
        let Ok(_turn) = self.asking.try_lock() else { return false };
        let at_work: Result<Vec<i64>, Failure> = shared.ask(AtWork).await;
        matches!(at_work.as_deref(), Ok([0]))
    }

    /// Keeps a connection until its statement has ended, or is known not to be at work on the server that is used now.
    async fn keep(self: Arc<Self>, shared: Arc<Shared>, mut left_connection: LeftConnection) {
        let Some(connection) = left_connection.connection.as_mut() else { return };
        // PostgreSQL takes one statement after the other: this one is answered when that has ended.
        let ended = std::pin::pin!(connection.connection.batch_execute("SELECT 1"));
        let none_at_work = std::pin::pin!(async {
            loop {
                let told = std::pin::pin!(self.none_at_work.notified());
                let look = std::pin::pin!(sleep(LOOK));
                if let Either::Left(_) = select(told, look).await {
                    return;
                }
                if self.ask(&shared).await {
                    self.none_at_work.notify_waiters();
                    return;
                }
            }
        });
        select(ended, none_at_work).await;
    }
}

/// A connection that was given up. It is counted until it is dropped, and is not used again.
struct LeftConnection {
    connection: Option<Lent>,
    left: Arc<Left>,
}

impl LeftConnection {
    fn of(connection: Lent, left: Arc<Left>) -> Self {
        left.count.fetch_add(1, Ordering::SeqCst);
        Self { connection: Some(connection), left }
    }
}

impl Drop for LeftConnection {
    fn drop(&mut self) {
        drop(self.connection.take().map(Lent::take));
        self.left.count.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection that is used for one statement. Whoever gives up waiting, or is dropped, leaves it behind.
pub(crate) struct InUse {
    connection: Option<Lent>,
    left: Arc<Left>,
    shared: Arc<Shared>,
}

impl InUse {
    pub(crate) fn of(connection: Lent, left: &Arc<Left>, shared: &Arc<Shared>) -> Self {
        Self { connection: Some(connection), left: Arc::clone(left), shared: Arc::clone(shared) }
    }

    /// The connection.
    pub(crate) fn get(&mut self) -> Result<&mut Lent, Failure> {
        self.connection.as_mut().ok_or(Failure::LeftWaiting(0))
    }

    /// Gives the connection back to its pool, unless it is of no more use or not done.
    pub(crate) fn give_back<T>(mut self, answer: &Result<T, Failure>) {
        match answer {
            Err(Failure::TimedOut(_)) => {}
            Err(error) if error.ends_connection() => drop(self.connection.take().map(Lent::take)),
            Ok(_) | Err(_) => drop(self.connection.take()),
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => {
                tracing::warn!("a statement that the database has not answered is left to it");
                let left_connection = LeftConnection::of(connection, Arc::clone(&self.left));
                drop(runtime.spawn(Arc::clone(&self.left).keep(Arc::clone(&self.shared), left_connection)));
            }
            Err(_) => drop(Lent::take(connection)),
        }
    }
}

/// How many statements of ours are at work for longer than any may work before its commit (`statement_timeout`).
#[derive(Clone)]
struct AtWork;

impl PreparedStatement for AtWork {
    type Id = Self;
    type Columns = BigInt;

    fn text() -> &'static Text {
        text!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user \
             AND application_name = current_setting('application_name') AND pid <> pg_backend_pid() \
             AND state = 'active' AND query_start < now() - interval '5 seconds'"
        )
    }

    fn bind<'b>(&'b self, _to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        Ok(())
    }
}
