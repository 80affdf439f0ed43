//! The pool of connections that commits take turns on.

use deadpool::managed::{Manager, Metrics, Object, Pool as ManagedPool, RecycleError, RecycleResult};
use diesel_async::pooled_connection::PoolableConnection;

use crate::connect::{Pooled, Source};
use crate::failure::OpenError;

/// Connections to the server that is written to.
pub(crate) type Pool = ManagedPool<Connections>;
/// A connection that goes back to its pool.
pub(crate) type Lent = Object<Connections>;

/// Makes connections, and knows which are of no more use.
pub(crate) struct Connections(Source);

impl Connections {
    /// A pool of so many.
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

    /// A connection that has broken is known as such without asking: asking would cost a round trip each time. So is one
    /// to a server that was replaced by a promotion.
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
