//! Connections whose statement was abandoned by its caller and may still be running.
//!
//! A commit that waits for a synchronous standby waits until the standby is back, and a cancel request would end the wait
//! with a success that is on no standby. So a statement is never canceled: its connection keeps its place in the pool
//! until the statement has ended. A stalled database therefore never has more connections of this process than a healthy
//! one, and once enough of them wait no further statement is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::sql_types::BigInt;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Notify};
use tokio::time::sleep;

use crate::ask::Shared;
use crate::failure::Failure;
use crate::pool::Lent;
use crate::statement::statement;

/// Pause before each check whether abandoned statements are still running on the server.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Abandoned connections of a store, over all lanes.
pub(crate) struct AbandonedConnections {
    count: AtomicUsize,
    max: usize,
    /// Held by the one task that runs the check.
    checking: Mutex<()>,
    none_at_work: Notify,
}

impl AbandonedConnections {
    /// Creates the counter for a store with `pooled` connections in all: the store commits nothing while half of them
    /// are abandoned.
    pub(crate) fn of(pooled: usize) -> Self {
        let max = pooled.div_ceil(2).max(1);
        Self { count: AtomicUsize::new(0), max, checking: Mutex::new(()), none_at_work: Notify::new() }
    }

    /// Whether any statement was abandoned and may still be running.
    pub(crate) fn is_any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }

    /// Refuses a write, before it is sent, while half of the connections are abandoned: it would only wait as well.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let waiting = self.count.load(Ordering::SeqCst);
        if waiting < self.max { Ok(()) } else { Err(Failure::TooManyAbandoned(waiting)) }
    }

    /// Returns whether no statement of this role is running on the current server. After a failover none is: abandoned
    /// statements are on a server that is no longer used, and may never be answered.
    async fn ask(&self, shared: &Shared) -> bool {
        let Ok(_turn) = self.checking.try_lock() else { return false };
        let at_work: Result<Vec<i64>, Failure> = shared.ask(RunningStatements).await;
        matches!(at_work.as_deref(), Ok([0]))
    }

    /// Keeps a connection until its statement has ended, or is known not to run on the current server.
    async fn keep(self: Arc<Self>, shared: Arc<Shared>, mut connection: AbandonedConnection) {
        let Some(connection) = connection.connection.as_mut() else { return };
        // PostgreSQL runs one statement of a connection at a time: this one is answered when the abandoned one has ended.
        let ended = std::pin::pin!(connection.connection.wait());
        let none_at_work = std::pin::pin!(async {
            loop {
                let notified = std::pin::pin!(self.none_at_work.notified());
                let interval = std::pin::pin!(sleep(CHECK_INTERVAL));
                if let Either::Left(_) = select(notified, interval).await {
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

/// Abandoned connection. It counts until it is dropped, and is not used again.
struct AbandonedConnection {
    connection: Option<Lent>,
    abandoned: Arc<AbandonedConnections>,
}

impl AbandonedConnection {
    fn of(connection: Lent, abandoned: Arc<AbandonedConnections>) -> Self {
        abandoned.count.fetch_add(1, Ordering::SeqCst);
        Self { connection: Some(connection), abandoned }
    }
}

impl Drop for AbandonedConnection {
    fn drop(&mut self) {
        drop(self.connection.take().map(Lent::take));
        self.abandoned.count.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Connection in use for one statement. Dropping this value before the answer abandons the connection.
pub(crate) struct InUse {
    connection: Option<Lent>,
    abandoned: Arc<AbandonedConnections>,
    shared: Arc<Shared>,
}

impl InUse {
    pub(crate) fn of(connection: Lent, abandoned: &Arc<AbandonedConnections>, shared: &Arc<Shared>) -> Self {
        Self { connection: Some(connection), abandoned: Arc::clone(abandoned), shared: Arc::clone(shared) }
    }

    /// The borrowed connection.
    pub(crate) fn get(&mut self) -> Result<&mut Lent, Failure> {
        self.connection.as_mut().ok_or(Failure::TooManyAbandoned(0))
    }

    /// Returns the connection to its pool, unless it is broken or its statement is still running.
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
                tracing::warn!("a statement was abandoned before the database answered; its outcome is unknown");
                let connection = AbandonedConnection::of(connection, Arc::clone(&self.abandoned));
                drop(runtime.spawn(Arc::clone(&self.abandoned).keep(Arc::clone(&self.shared), connection)));
            }
            Err(_) => drop(Lent::take(connection)),
        }
    }
}

/// Query for the number of this role's statements that have run for longer than `statement_timeout`, so only in a commit.
#[derive(Clone)]
struct RunningStatements;

statement!(RunningStatements => BigInt,
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user \
     AND application_name = current_setting('application_name') AND pid <> pg_backend_pid() \
     AND state = 'active' AND query_start < now() - interval '5 seconds'",
    self {}
);
