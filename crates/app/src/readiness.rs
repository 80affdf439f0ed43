//! Whether the store keeps what is committed: asked for by many, looked at now and then.

use std::sync::Arc;

use futures_util::lock::Mutex;
use paywright_domain::Timestamp;

use crate::App;
use crate::ports::store::StoreError;

/// How long a look is good for, in seconds. Load balancers ask often, and anybody may: each look is a write.
const FRESH_SECONDS: u32 = 1;

/// Fault that a look has found.
type Look = Result<(), Arc<StoreError>>;

/// The last look at the store: when it was, and what was wrong. One looks at a time; who asks meanwhile waits for that.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Timestamp, Look)>>);

impl App {
    /// Whether requests can be served: the store reads and writes, and its schema is this version's. Looks once a second
    /// at the most. On a store that hangs it is for the caller to give up, and for the next to look again.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let mut last = self.readiness.0.lock().await;
        let now = self.clock.now();
        let found = match &*last {
            Some((then, found)) if *then <= now && now < then.plus_seconds(FRESH_SECONDS) => found.clone(),
            _ => {
                let found = self.store.probe().await.map_err(Arc::new);
                *last = Some((now, found.clone()));
                found
            }
        };
        drop(last);
        found.map_err(|error| {
            let is_full = error.is_disk_full();
            if is_full { StoreError::disk_full(error.into()) } else { StoreError::Unavailable(error.into()) }
        })
    }
}
