//! Shutdown of the process, as requests see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Time for which requests that are still arriving are awaited after the listener has closed.
const HALF_SENT_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Serving,
    /// Requests are still answered, and `/readyz` is 503.
    Draining,
    /// No connection is accepted any more.
    Closing,
}

/// Shutdown stage of the process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<watch::Sender<Stage>>);

impl Shutdown {
    /// Turns `/readyz` to 503 and asks clients to close their connections. All requests are still answered.
    pub fn drain(&self) {
        self.0.send_replace(Stage::Draining);
    }

    /// Gives up requests that have not arrived two seconds from now. To be called when the listener closes.
    pub fn close(&self) {
        self.0.send_replace(Stage::Closing);
    }

    /// Whether the shutdown has begun.
    pub(crate) fn has_begun(&self) -> bool {
        match *self.0.borrow() {
            Stage::Serving => false,
            Stage::Draining | Stage::Closing => true,
        }
    }

    /// Waits for [`Self::close`], and then for [`HALF_SENT_WAIT`].
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut stage = self.0.subscribe();
        async move {
            // An error means that every `Shutdown` was dropped: no shutdown can begin any more.
            if stage.wait_for(|it| *it == Stage::Closing).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(HALF_SENT_WAIT).await;
        }
    }
}
