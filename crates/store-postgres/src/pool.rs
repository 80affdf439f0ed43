//! Pool of connections for commits.

use deadpool::managed::{Manager, Metrics, Object, Pool as ManagedPool, RecycleError, RecycleResult};

use crate::connect::{Pooled, Source};
use crate::failure::OpenError;

/// Pool of connections to the server that accepts writes.
pub(crate) type Pool = ManagedPool<Connections>;
/// Borrowed connection that returns to its pool when dropped.
pub(crate) type Lent = Object<Connections>;

/// Manager that establishes connections and rejects broken ones.
pub(crate) struct Connections(Source);

impl Connections {
    /// Creates a pool of at most `size` connections.
    pub(crate) fn pool(source: &Source, connections: usize) -> Result<Pool, OpenError> {
        let built = Pool::builder(Self(source.clone())).max_size(connections).build();
        built.map_err(|error| OpenError::Refused { place: source.place(), reason: error.to_string() })
    }
}

impl Manager for Connections {
    type Type = Pooled;
    type Error = OpenError;

    async fn create(&self) -> Result<Pooled, OpenError> {
        self.0.pooled().await
    }

    /// Rejects a broken connection, and one to a server that a promotion has replaced, without a query: that would cost a
    /// round trip each time.
    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<OpenError> {
        if pooled.connection.is_broken() {
            return Err(RecycleError::message("the connection has broken"));
        }
        if self.0.is_replaced(pooled.timeline) {
            return Err(RecycleError::message("the server was replaced by a promotion"));
        }
        Ok(())
    }
}
