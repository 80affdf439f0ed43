//! The shutdown of the process, as requests see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long requests that are still arriving are waited for after the listener has closed.
const HALF_SENT_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Serving,
    /// New requests are answered, and `/readyz` sends them elsewhere.
    Draining,
    /// No connection is accepted any more.
    Closing,
}

/// The stage of the process between serving and its end. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<watch::Sender<Stage>>);

impl Shutdown {
    /// Turns `/readyz` to 503 and asks clients to close their connections. Everything is still answered.
    pub fn drain(&self) {
        self.0.send_replace(Stage::Draining);
    }

    /// Ends requests that do not arrive. To be called when the listener closes.
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

    /// Waits until what has not arrived of a request is given up.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut stage = self.0.subscribe();
        async move {
            // An error says that nobody can begin a shutdown any more.
            if stage.wait_for(|it| *it == Stage::Closing).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(HALF_SENT_WAIT).await;
        }
    }
}
