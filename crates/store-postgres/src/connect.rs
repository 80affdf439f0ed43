//! Making a connection, and how every connection of ours is set.

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::VERSION_MIN;
use crate::address::{Address, with_causes};
use crate::failure::OpenError;

/// Every statement of ours finds its rows by an index, so that one plan serves all parameters: it is made once,
/// and not by the size that a table had when the shop opened (`docs/performance.md` says why). Rows
/// of money are on disk when a commit is answered, whatever the database's own setting says. And nothing runs
/// for longer than a caller waits.
const SESSION: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
";

/// Where connections come from.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) address: Address,
    tls: MakeRustlsConnect,
}

impl Source {
    pub(crate) fn of(url: &str) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let tls = crate::tls::connector(&address)?;
        Ok(Self { address, tls })
    }

    /// A connection for the pool.
    pub(crate) async fn pooled(&self) -> Result<AsyncPgConnection, ConnectionError> {
        let couldnt = |error: &dyn std::error::Error| ConnectionError::BadConnection(with_causes(error));
        let (client, connection) =
            self.address.config.connect(self.tls.clone()).await.map_err(|error| couldnt(&error))?;
        let mut connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        let set = connection.batch_execute(SESSION).await;
        set.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }

    /// The first connection, to see whether there can be any.
    pub(crate) async fn establish(&self) -> Result<AsyncPgConnection, OpenError> {
        let (client, connection) =
            self.address.config.connect(self.tls.clone()).await.map_err(|error| self.explain(&error))?;
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let major = version.split(|it: char| !it.is_ascii_digit()).next().and_then(|it| it.parse::<u32>().ok());
        if major.is_some_and(|it| it < VERSION_MIN) {
            return Err(OpenError::TooOld { place: self.place(), version });
        }
        let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
        connection.map_err(|error| OpenError::Refused { place: self.place(), reason: with_causes(&error) })
    }

    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    /// Says what it means that no connection came about.
    fn explain(&self, error: &tokio_postgres::Error) -> OpenError {
        let (place, reason) = (self.place(), with_causes(error));
        if let Some(database) = error.as_db_error() {
            let reason = if *database.code() == SqlState::CANNOT_CONNECT_NOW {
                format!("{} (try again in a moment)", database.message())
            } else {
                database.message().to_owned()
            };
            return OpenError::Refused { place, reason };
        }
        // The client says of a server that refuses writes what it would say of one that is not there.
        if reason.contains("does not allow writes") {
            return OpenError::ReadOnly { place };
        }
        OpenError::Unreachable { place, reason }
    }
}
