//! Pages of the feed in memory. A page may have some megabytes, and a client may read it slowly or not at all, so the
//! number of pages that are built and sent at the same time is limited.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::ContentType;
use actix_web::web::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::Problem;

/// Largest number of pages of the feed that are built and sent at the same time.
const PAGES_MAX: usize = 16;
/// Longest wait for another page to be sent.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest size of a page that does not count any more once it is built, and of a part of a larger one, in bytes. The
/// connection limit bounds the number of these.
const SMALL_PAGE_BYTES: usize = 64 * 1024;

/// Limit of the pages of the feed that a process has in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct EventPages(Arc<Semaphore>);

impl Default for EventPages {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PAGES_MAX)))
    }
}

/// Permission to build a page and to send it.
pub(super) struct PageTurn {
    _permit: OwnedSemaphorePermit,
}

impl EventPages {
    /// Waits until a page may be built; an error after [`TURN_TIMEOUT`].
    pub(super) async fn turn(&self) -> Result<PageTurn, Problem> {
        match timeout(TURN_TIMEOUT, Arc::clone(&self.0).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(PageTurn { _permit: permit }),
            Ok(Err(_)) | Err(_) => {
                Err(Problem::server_busy("too many large pages of events are being read: try again"))
            }
        }
    }
}

impl PageTurn {
    /// Answer with a page, as JSON. The turn of a large page ends once its client has read it.
    pub(super) fn answer(self, json: Vec<u8>) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        answer.content_type(ContentType::json());
        if json.len() > SMALL_PAGE_BYTES {
            answer.body(LargePage { rest: Bytes::from(json), _turn: self })
        } else {
            answer.body(json)
        }
    }
}

/// Body of an answer, in parts. actix-web copies what a body yields into the buffer of its connection, and asks for the
/// next part once most of that is written.
struct LargePage {
    rest: Bytes,
    _turn: PageTurn,
}

impl MessageBody for LargePage {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let length = self.rest.len().min(SMALL_PAGE_BYTES);
        Poll::Ready((length > 0).then(|| Ok(self.rest.split_to(length))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_large_page_that_is_not_read_keeps_its_turn() {
        let pages = EventPages::default();
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(3 * SMALL_PAGE_BYTES + 1).collect();
        let mut unread = Vec::new();
        for _ in 0..PAGES_MAX {
            unread.push(pages.turn().await.unwrap().answer(large.clone()));
        }
        assert!(pages.turn().await.is_err());
        let mut body = unread.remove(0).into_body();
        assert_eq!(body.size(), BodySize::Sized(196_609));
        let first = std::future::poll_fn(|context| Pin::new(&mut body).poll_next(context)).await;
        assert_eq!(first.unwrap().unwrap().len(), SMALL_PAGE_BYTES);
        assert!(pages.turn().await.is_err(), "the rest is not read yet");
        drop(body);
        let turn = pages.turn().await.unwrap();
        assert!(pages.turn().await.is_err());
        let read = to_bytes(turn.answer(large.clone()).into_body()).await.unwrap();
        assert_eq!(read, large);
        assert!(pages.turn().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_page_counts_only_while_it_is_built() {
        let pages = EventPages::default();
        let mut unread = Vec::new();
        for _ in 0..2 * PAGES_MAX {
            unread.push(pages.turn().await.unwrap().answer(vec![b' '; SMALL_PAGE_BYTES]));
        }
        let building: Vec<_> = futures_util::future::join_all((0..PAGES_MAX).map(|_| pages.turn())).await;
        assert!(building.iter().all(Result::is_ok));
        assert!(pages.turn().await.is_err());
    }
}
