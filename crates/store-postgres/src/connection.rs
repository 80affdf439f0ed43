//! Connection to a server, or to a pooler that stands before it.

use std::pin::Pin;

use diesel::QueryResult;
use diesel::deserialize::FromSqlRow;
use diesel::pg::Pg;
use diesel::result::Error::DeserializationError;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AsyncConnectionCore, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::TryStreamExt;

use crate::pooler::Pooler;
use crate::statement::{PreparedStatement, Statement};

/// Answer to a statement.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = QueryResult<T>> + Send + 'a>>;

/// Connection over which statements are run.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and they are not moved")]
pub(crate) enum Connection {
    /// Connection to a server: each statement is prepared once, under the settings of the session.
    Server(AsyncPgConnection),
    /// Connection to a pooler in transaction mode.
    Pooler(Pooler),
}

impl Connection {
    /// Runs a query that reads, also while others are under way on this connection, and collects its rows.
    pub(crate) fn ask<T, R>(&self, question: T) -> Answer<'_, Vec<R>>
    where
        T: PreparedStatement + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        match self {
            Self::Server(connection) => ask_server(connection, question),
            Self::Pooler(pooler) => pooler.ask(question),
        }
    }

    /// Runs a statement that nothing else on this connection is under way beside, and collects its rows.
    pub(crate) fn run<T, R>(&mut self, statement: T) -> Answer<'_, Vec<R>>
    where
        T: PreparedStatement + 'static,
        T::Columns: Send,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        match self {
            Self::Server(connection) => ask_server(connection, statement),
            Self::Pooler(pooler) => pooler.run(statement),
        }
    }

    /// Runs a statement that nothing else on this connection is under way beside, and returns the number of its rows: those
    /// that it returns, or else those that it writes.
    pub(crate) fn count<T: PreparedStatement + Send>(&mut self, statement: T) -> Answer<'_, usize> {
        match self {
            Self::Server(connection) => {
                let answer = Statement(statement).execute(connection);
                Box::pin(answer)
            }
            Self::Pooler(pooler) => pooler.count(statement),
        }
    }

    /// Waits until what is under way on this connection has ended.
    pub(crate) async fn wait(&mut self) -> QueryResult<()> {
        match self {
            Self::Server(connection) => connection.batch_execute("SELECT 1").await,
            Self::Pooler(pooler) => pooler.wait().await,
        }
    }

    /// Whether the connection is known to be broken, without a query.
    pub(crate) fn is_broken(&mut self) -> bool {
        match self {
            Self::Server(connection) => connection.is_broken(),
            Self::Pooler(pooler) => pooler.is_closed(),
        }
    }
}

fn ask_server<T, R>(mut connection: &AsyncPgConnection, question: T) -> Answer<'_, Vec<R>>
where
    T: PreparedStatement + 'static,
    T::Columns: Send,
    R: FromSqlRow<T::Columns, Pg> + Send + 'static,
{
    let answer = AsyncConnectionCore::load(&mut connection, Statement(question));
    Box::pin(async move {
        let rows: Vec<_> = answer.await?.try_collect().await?;
        rows.iter().map(|row| R::build_from_row(row).map_err(DeserializationError)).collect()
    })
}
