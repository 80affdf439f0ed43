//! Read queries, and the connection that most of them share.
//!
//! A query that reads a few rows by an index is answered faster than a pool hands over a connection. So the queries of
//! one lane share one connection and are pipelined: none waits for the answers of those before it, and queries of the
//! same moment are sent and answered together. Commits cannot share a connection like that, because each waits for the
//! disk; they use a pool.

use std::sync::Arc;
use std::time::Duration;

use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::result::DatabaseErrorKind::{ClosedConnection, UnableToSendCommand};
use diesel::result::Error::DatabaseError;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::connect::{Pooled, Source};
use crate::failure::Failure;
use crate::in_time;
use crate::statement::PreparedStatement;

/// Connection that is established when first needed, and again after it has broken.
pub(crate) struct Shared {
    source: Source,
    wait: Duration,
    connection: Mutex<Option<Arc<Pooled>>>,
}

impl Shared {
    pub(crate) fn of(source: Source, wait: Duration) -> Self {
        Self { source, wait, connection: Mutex::new(None) }
    }

    /// Runs a query; repeats it once over a new connection if the connection was dead, since a read changes nothing.
    pub(crate) async fn ask<T, R>(&self, question: T) -> Result<Vec<R>, Failure>
    where
        T: PreparedStatement + Clone + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        match self.ask_once(question.clone()).await {
            Err(Failure::Database(DatabaseError(ClosedConnection | UnableToSendCommand, _))) => {
                self.ask_once(question).await
            }
            answer => answer,
        }
    }

    /// Runs a query.
    pub(crate) async fn ask_once<T, R>(&self, question: T) -> Result<Vec<R>, Failure>
    where
        T: PreparedStatement + Send + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        let connection = self.connection().await?;
        let answer = in_time(connection.connection.ask(question)).await;
        if answer.as_ref().is_err_and(Failure::ends_connection) {
            self.forget(&connection).await;
        }
        answer
    }

    async fn connection(&self) -> Result<Arc<Pooled>, Failure> {
        let made = async {
            let mut shared = self.connection.lock().await;
            if let Some(connection) = &*shared
                && !self.source.is_replaced(connection.timeline)
            {
                return Ok(Arc::clone(connection));
            }
            let connection = Arc::new(self.source.pooled().await?);
            Ok(Arc::clone(shared.insert(connection)))
        };
        timeout(self.wait, made).await.unwrap_or(Err(Failure::NoConnection(self.wait)))
    }

    /// Drops a connection, unless another has replaced it already.
    async fn forget(&self, broken: &Arc<Pooled>) {
        let mut shared = self.connection.lock().await;
        if shared.as_ref().is_some_and(|it| Arc::ptr_eq(it, broken)) {
            *shared = None;
        }
    }
}
