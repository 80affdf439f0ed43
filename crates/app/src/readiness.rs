//! Readiness: whether the store can commit. The store is probed at most once a second, for all callers.

use std::sync::Arc;

use futures_util::lock::Mutex;
use paywright_domain::Timestamp;

use crate::App;
use crate::ports::store::StoreError;

/// Age up to which the result of a probe is used, in seconds. Each probe is a write, and any client may cause one.
const FRESH_SECONDS: u32 = 1;

/// Result of a probe of the store.
type Probe = Result<(), Arc<StoreError>>;

/// Time and result of the last probe of the store. One caller probes at a time, and the others wait for its result.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Timestamp, Probe)>>);

impl App {
    /// Checks whether requests can be served: the store reads and writes, and this version supports its schema. Probes
    /// the store at most once a second. It has no timeout of its own: if a caller drops the future, the next caller
    /// probes again.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let mut last = self.readiness.0.lock().await;
        let now = self.clock.now();
        let found = match &*last {
            Some((then, found)) if *then <= now && now < then.plus_seconds(FRESH_SECONDS) => found.clone(),
            _ => {
                let found = self.store.diagnostics.probe().await.map_err(Arc::new);
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
