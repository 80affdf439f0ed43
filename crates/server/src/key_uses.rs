//! Background loop that stores which scopes of API keys were used. Every serving process has one.

use std::time::Duration;

use paywright_app::App;
use tokio::sync::watch;

/// Interval between two writes, which are few: one for each key, scope and day.
const INTERVAL: Duration = Duration::from_secs(60);

/// Stores the uses of API keys from time to time, and once more when the worker is stopped.
pub(crate) async fn record(app: App, mut stopped: watch::Receiver<bool>) {
    loop {
        let is_last = *stopped.borrow();
        if let Err(error) = app.record_key_uses().await {
            tracing::warn!(%error, "the uses of API keys cannot be stored now");
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}
