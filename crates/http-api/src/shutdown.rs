//! The shutdown of the process, as requests see it.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use futures_util::{Stream, stream};
use tokio::sync::watch;

/// How long the rest of a half-sent body is waited for after the listener has closed.
const HALF_SENT_BODY_WAIT: Duration = Duration::from_secs(2);

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

    /// Ends requests whose body does not arrive. To be called when the listener closes.
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

    /// Makes a body end with [`ShuttingDown`] if the rest of it does not arrive before the process stops.
    pub(crate) fn bound(&self, mut body: Payload) -> Payload {
        if matches!(body, Payload::None) {
            return body;
        }
        let mut stage = self.0.subscribe();
        let mut given_up = Box::pin(async move {
            // An error says that nobody can begin a shutdown any more.
            if stage.wait_for(|it| *it == Stage::Closing).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(HALF_SENT_BODY_WAIT).await;
        });
        let mut is_given_up = false;
        let bounded = stream::poll_fn(move |context| {
            if is_given_up {
                return Poll::Ready(None);
            }
            if let Poll::Ready(chunk) = std::pin::Pin::new(&mut body).poll_next(context) {
                return Poll::Ready(chunk);
            }
            ready!(given_up.as_mut().poll(context));
            is_given_up = true;
            Poll::Ready(Some(Err(PayloadError::Io(std::io::Error::other(ShuttingDown)))))
        });
        Payload::Stream { payload: Box::pin(bounded) }
    }
}

/// The reason why the rest of a body was not waited for.
#[derive(Debug)]
pub(crate) struct ShuttingDown;

impl ShuttingDown {
    pub(crate) fn is_cause_of(error: &PayloadError) -> bool {
        let PayloadError::Io(error) = error else { return false };
        let Some(cause) = error.get_ref() else { return false };
        cause.is::<Self>()
    }
}

impl fmt::Display for ShuttingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process is shutting down")
    }
}

impl std::error::Error for ShuttingDown {}
