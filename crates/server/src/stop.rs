//! Requests to stop: SIGTERM and SIGINT.

use std::time::Duration;

use paywright_http_api::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Time in seconds that requests and tasks under way have after the listener has closed.
pub(crate) const FINISH_SECONDS: u64 = 30;

/// The signals SIGTERM and SIGINT. From its creation on, no signal is missed.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        // `None` means that no signal can arrive any more, which does not happen while the runtime exists.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for a signal, turns `/readyz` to 503, and continues to serve for `drain` or until a second signal. The caller
/// then closes the listener.
pub(crate) async fn drain_on_signal(mut signals: StopSignals, shutdown: &Shutdown, drain: Duration) {
    signals.next().await;
    shutdown.drain();
    if !drain.is_zero() {
        let seconds = drain.as_secs();
        tracing::info!(seconds, "stopping: /readyz is 503; the listener closes after the drain, or on a second signal");
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            () = signals.next() => tracing::info!("a second signal: the rest of the drain is skipped"),
        }
    }
    tracing::info!(seconds = FINISH_SECONDS, "stopping: the listener closes; requests under way may finish");
}

/// Waits for a signal to stop.
pub(crate) async fn stop_requested() {
    match StopSignals::new() {
        Ok(mut signals) => signals.next().await,
        Err(error) => {
            tracing::error!(%error, "signals cannot be received");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FINISH_SECONDS;
    use crate::settings::http::DRAIN_SECONDS;

    /// Seconds that a container runtime waits beyond the longest stop.
    const MARGIN_SECONDS: u64 = 5;

    #[test]
    fn compose_and_the_docs_wait_for_the_longest_stop() {
        let total = u64::from(DRAIN_SECONDS) + FINISH_SECONDS + MARGIN_SECONDS;
        let compose = include_str!("../../../docker-compose.yml");
        assert!(compose.contains(&format!("stop_grace_period: {total}s")), "{total}");
        let docs = include_str!("../../../docs/operations.md");
        assert!(docs.contains(&format!("a little higher, {total} seconds by default")), "{total}");
        assert!(docs.contains(&format!("at most `http.drain_seconds` plus {FINISH_SECONDS} seconds")));
    }
}
