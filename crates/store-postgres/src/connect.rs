//! Establishing a connection: the choice among the hosts, and the settings of every connection.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::VERSION_MIN;
use crate::address::{Address, with_causes};
use crate::connection::Connection;
use crate::failure::OpenError;
use crate::pooler::Pooler;
use crate::timeline::{Moment, Server, only_writer};
use crate::timelines::Timelines;

/// Settings of every connection. Every statement finds its rows by an index, so one generic plan serves all parameters
/// and does not depend on the size of a table when it was made (`docs/performance.md`): tables are joined by nested loops
/// over indexes alone. A commit is on disk when it is answered, whatever the database's own setting is. No statement runs for longer than a caller waits.
pub(crate) const SESSION: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
";

/// Query for a server's role and timeline. Any role may call these functions. The control file of a primary has the
/// timeline of its last checkpoint, which may be from before its promotion; the name of its WAL file has the current one.
const IDENTITY: &str = "
    SELECT
        (SELECT system_identifier FROM pg_control_system())::text AS system,
        pg_postmaster_start_time()::text AS started,
        NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writes,
        CASE WHEN pg_is_in_recovery()
            THEN (SELECT greatest(timeline_id, min_recovery_end_timeline)
                  FROM pg_control_checkpoint(), pg_control_recovery())::bigint
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
        END AS timeline
";

/// Query for a server's role alone, if timelines are not compared.
const WRITES: &str = "
    SELECT '' AS system, '' AS started, 0::bigint AS timeline,
        NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writes
";

/// Timeout for a server's answer after it is connected.
const ANSWER: Duration = Duration::from_secs(3);

/// Time to wait for the other hosts after one that accepts writes has answered a running process: a host that is down
/// must not delay a failover.
const OTHERS: Duration = Duration::from_millis(300);

#[derive(QueryableByName)]
struct IdentityRow {
    #[diesel(sql_type = Text)]
    system: String,
    #[diesel(sql_type = Text)]
    started: String,
    #[diesel(sql_type = Bool)]
    writes: bool,
    #[diesel(sql_type = BigInt)]
    timeline: i64,
}

/// Server that has answered, with the connection to it.
pub(crate) struct Reached {
    server: Server,
    connection: Connection,
}

/// Configured connection, with the timeline of its server; 0 if timelines are not compared.
pub(crate) struct Pooled {
    pub(crate) connection: Connection,
    pub(crate) timeline: u32,
}

/// Source of connections: the addresses, and what is known of the servers' timelines.
#[derive(Clone)]
pub(crate) struct Source {
    address: Address,
    hosts: Vec<Address>,
    tls: MakeRustlsConnect,
    /// Known timelines of the servers; `None` if they are not compared.
    timelines: Option<Arc<Timelines>>,
    /// Whether the addresses are those of poolers in transaction mode.
    is_pooled: bool,
}

impl Source {
    pub(crate) fn of(url: &str, timelines: Option<Arc<Timelines>>) -> Result<Self, OpenError> {
        let address = Address::parse(url)?;
        let tls = crate::tls::connector(&address)?;
        Ok(Self { hosts: address.hosts(), address, tls, timelines, is_pooled: false })
    }

    /// Source of connections to poolers in transaction mode. Timelines are not compared: which server a transaction is on
    /// is the pooler's to choose.
    pub(crate) fn of_poolers(url: &str) -> Result<Self, OpenError> {
        Ok(Self { is_pooled: true, ..Self::of(url, None)? })
    }

    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn timelines(&self) -> Option<&Timelines> {
        self.timelines.as_deref()
    }

    /// Whether a higher timeline has become known than that of a connection.
    pub(crate) fn is_replaced(&self, timeline: u32) -> bool {
        self.timelines.as_ref().is_some_and(|it| it.is_replaced(timeline))
    }

    /// Establishes a connection for the pool.
    pub(crate) async fn pooled(&self) -> Result<Pooled, OpenError> {
        let Reached { server, mut connection } = self.chosen(Moment::Running).await?;
        if let Connection::Server(connection) = &mut connection {
            let set = connection.batch_execute(SESSION).await;
            set.map_err(|error| OpenError::Refused { place: server.place, reason: with_causes(&error) })?;
        }
        Ok(Pooled { connection, timeline: server.timeline })
    }

    /// Establishes the first connection, which shows whether the database can be used.
    pub(crate) async fn establish(&self) -> Result<Connection, OpenError> {
        Ok(self.chosen(Moment::Start).await?.connection)
    }

    /// Queries the servers again, and remembers their highest timeline.
    pub(crate) async fn refresh(&self) -> Result<(), OpenError> {
        self.chosen(Moment::Running).await.map(drop)
    }

    /// Connects to the server that accepts writes.
    async fn chosen(&self, moment: Moment) -> Result<Reached, OpenError> {
        let (mut reached, missed) = self.reach_all(moment).await;
        let servers: Vec<Server> = reached.iter().map(|it| it.server.clone()).collect();
        let position = match &self.timelines {
            Some(timelines) => timelines.choose(servers, moment).await?,
            None => servers.iter().position(|it| it.writes),
        };
        match position {
            Some(position) => Ok(reached.swap_remove(position)),
            None if !reached.is_empty() => Err(OpenError::ReadOnly { place: self.place() }),
            None => Err(self.none_of(missed)),
        }
    }

    /// The one server that accepts writes, for `paywright database trust-timeline`.
    pub(crate) async fn writer(&self) -> Result<Server, OpenError> {
        let (reached, missed) = self.reach_all(Moment::Start).await;
        if reached.is_empty() {
            return Err(self.none_of(missed));
        }
        let servers: Vec<Server> = reached.into_iter().map(|it| it.server).collect();
        only_writer(&servers)?.ok_or_else(|| OpenError::ReadOnly { place: self.place() })
    }

    /// Connects to all servers of all hosts, in parallel.
    async fn reach_all(&self, moment: Moment) -> (Vec<Reached>, Vec<OpenError>) {
        let servers = join_all(self.hosts.iter().map(Address::servers)).await.concat();
        let mut waiting: FuturesUnordered<_> = servers.iter().map(|it| self.reach(it)).collect();
        let (mut reached, mut missed, mut until) = (Vec::new(), Vec::new(), None);
        loop {
            let next = match until {
                Some(until) => timeout_at(until, waiting.next()).await.unwrap_or(None),
                None => waiting.next().await,
            };
            match next {
                None => return (reached, missed),
                Some(Err(error)) => missed.push(error),
                Some(Ok(one)) => {
                    let enough = match (moment, &self.timelines) {
                        (_, None) => one.server.writes.then_some(Duration::ZERO),
                        (Moment::Start, Some(_)) => None,
                        (Moment::Running, Some(it)) => {
                            (one.server.writes && !it.is_replaced(one.server.timeline)).then_some(OTHERS)
                        }
                    };
                    until = until.or(enough.map(|it| Instant::now() + it));
                    reached.push(one);
                }
            }
        }
    }

    /// Connects to a host and queries its role and timeline.
    async fn reach(&self, host: &Address) -> Result<Reached, OpenError> {
        let limit = host.config.get_connect_timeout().copied().unwrap_or_default().saturating_add(ANSWER);
        let reached = timeout(limit, self.connect(host)).await;
        reached.unwrap_or_else(|_| {
            Err(OpenError::Unreachable { place: host.to_string(), reason: format!("no answer within {limit:?}") })
        })
    }

    async fn connect(&self, host: &Address) -> Result<Reached, OpenError> {
        let place = host.to_string();
        let (client, connection) =
            host.config.connect(self.tls.clone()).await.map_err(|error| explain(&place, &error))?;
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let major = version.split(|it: char| !it.is_ascii_digit()).next().and_then(|it| it.parse::<u32>().ok());
        if major.is_some_and(|it| it < VERSION_MIN) {
            return Err(OpenError::TooOld { place, version });
        }
        if self.is_pooled {
            tokio::spawn(connection);
            return Self::of_pooler(place, Pooler::of(client)).await;
        }
        let connection = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
        let mut connection =
            connection.map_err(|error| OpenError::Refused { place: place.clone(), reason: with_causes(&error) })?;
        let question = if self.timelines.is_some() { IDENTITY } else { WRITES };
        let row: QueryResult<IdentityRow> = diesel::sql_query(question).get_result(&mut connection).await;
        let row = row.map_err(|error| OpenError::NoTimeline { place: place.clone(), reason: error.to_string() })?;
        let timeline = u32::try_from(row.timeline).unwrap_or_default();
        let server = Server { place, system: row.system, started: row.started, writes: row.writes, timeline };
        Ok(Reached { server, connection: Connection::Server(connection) })
    }

    /// Asks the server behind a pooler for its role.
    async fn of_pooler(place: String, pooler: Pooler) -> Result<Reached, OpenError> {
        let writes = pooler.column(WRITES, "writes").await.map_err(|error| explain(&place, &error))? == ["t"];
        let server = Server { place, system: String::new(), started: String::new(), writes, timeline: 0 };
        Ok(Reached { server, connection: Connection::Pooler(pooler) })
    }

    /// Picks the error to report if no host could be used.
    fn none_of(&self, mut missed: Vec<OpenError>) -> OpenError {
        // The error of a server that answers says more than that of a host that does not.
        missed.sort_by_key(|it| matches!(it, OpenError::Unreachable { .. }));
        match missed.into_iter().next() {
            Some(OpenError::Unreachable { reason, .. }) => OpenError::Unreachable { place: self.place(), reason },
            Some(error) => error,
            None => OpenError::Address { problem: "it names no host".into() },
        }
    }
}

/// Converts a failure to connect to what it means for the operator.
fn explain(place: &str, error: &tokio_postgres::Error) -> OpenError {
    let place = place.to_owned();
    match error.as_db_error() {
        Some(database) if *database.code() == SqlState::CANNOT_CONNECT_NOW => {
            OpenError::Refused { place, reason: format!("{} (try again in a moment)", database.message()) }
        }
        Some(database) => OpenError::Refused { place, reason: database.message().to_owned() },
        None => OpenError::Unreachable { place, reason: with_causes(error) },
    }
}
