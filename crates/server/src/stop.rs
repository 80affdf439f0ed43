//! Requests to stop: SIGTERM and SIGINT.

use std::time::Duration;

use paywright_http_api::Shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long requests and tasks under way may take after the listener has closed, in seconds.
pub(crate) const FINISH_SECONDS: u64 = 30;

/// The signals that ask this process to stop. None is missed from its making on.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next of them.
    pub(crate) async fn next(&mut self) {
        // `None` would say that no signal can come any more, which does not happen while the runtime is there.
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for a signal, turns `/readyz` to 503, and serves on for `drain` or until a second signal. The listener is to be
/// closed then.
pub(crate) async fn drain_when_asked(mut signals: StopSignals, shutdown: &Shutdown, drain: Duration) {
    signals.next().await;
    shutdown.drain();
    if !drain.is_zero() {
        let seconds = drain.as_secs();
        tracing::info!(seconds, "stopping: /readyz is 503; the listener closes after the drain, or at a second signal");
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            () = signals.next() => tracing::info!("a second signal: the rest of the drain is skipped"),
        }
    }
    tracing::info!(seconds = FINISH_SECONDS, "stopping: the listener closes; requests under way are finished first");
}

/// Waits until the process is asked to stop.
pub(crate) async fn stop_asked() {
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

    /// What a runtime waits beyond the longest stop, in seconds.
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
