//! Limits of request bodies: size, time, rate, and the memory that all bodies share.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::connection::ConnectionState;
use crate::problem::Problem;
use crate::shutdown::Shutdown;

/// Time within which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for which a body may be slower than [`BYTES_PER_SECOND_MIN`].
const SLOW_BODY_GRACE: Duration = Duration::from_secs(5);
/// Minimum mean rate of a body, in bytes per second.
const BYTES_PER_SECOND_MIN: usize = 1024;
/// Interval of the rate checks while nothing arrives.
const RATE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes of each body that do not count against [`BodyMemory`]: the connection limit bounds them already, and an
/// ordinary request is served while others send large bodies.
const SMALL_BODY_BYTES: usize = 16 * 1024;
/// Maximum of bytes beyond [`SMALL_BODY_BYTES`] each that all bodies of one [`BodyMemory`] may have.
const LARGE_BODIES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Paths whose callers are authenticated by an API key before their body is read.
const PATHS_WITH_KEY: [&str; 2] = ["/api/v1/shop/", "/api/v2/platform/"];

/// Memory limit of the request bodies of a process. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Bodies {
    /// Memory for callers with an API key, which anonymous callers cannot use up.
    with_key: BodyMemory,
    anonymous: BodyMemory,
}

impl Bodies {
    /// Empty reservation for the body of a request to this path.
    pub(crate) fn reservation(&self, path: &str) -> Rc<MemoryReservation> {
        let has_key = PATHS_WITH_KEY.iter().any(|it| path.starts_with(it));
        if has_key { self.with_key.reservation() } else { self.anonymous.reservation() }
    }
}

/// Memory of large bodies. Clones share it.
#[derive(Debug, Clone, Default)]
struct BodyMemory(Arc<AtomicUsize>);

/// Share of [`BodyMemory`] that one body reserves until its request is answered.
#[derive(Debug)]
pub(crate) struct MemoryReservation {
    all: BodyMemory,
    bytes: Cell<usize>,
}

impl BodyMemory {
    fn reservation(&self) -> Rc<MemoryReservation> {
        Rc::new(MemoryReservation { all: self.clone(), bytes: Cell::new(0) })
    }
}

impl MemoryReservation {
    /// Reserves the bytes that a body of this length needs. False if there are too few.
    fn grow_to(&self, length: usize) -> bool {
        let more = length.saturating_sub(SMALL_BODY_BYTES).saturating_sub(self.bytes.get());
        let grown = |all: usize| all.checked_add(more).filter(|it| *it <= LARGE_BODIES_BYTES_MAX);
        let taken = self.all.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        if taken {
            self.bytes.set(self.bytes.get() + more);
        }
        taken
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes.get(), Ordering::Relaxed);
    }
}

/// Why the rest of a body is not awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CutOff {
    ShuttingDown,
    TooSlow,
    NoMemory,
}

impl CutOff {
    fn cause_of(error: &PayloadError) -> Option<Self> {
        let PayloadError::Io(error) = error else { return None };
        error.get_ref()?.downcast_ref().copied()
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuttingDown => "the process is shutting down",
            Self::TooSlow => "the body is too slow",
            Self::NoMemory => "too many large bodies are being received",
        })
    }
}

impl std::error::Error for CutOff {}

impl From<CutOff> for Problem {
    fn from(cut_off: CutOff) -> Self {
        match cut_off {
            CutOff::ShuttingDown => Self::shutting_down(
                "the body did not arrive before the process shut down; nothing was changed: send the request again",
            ),
            CutOff::TooSlow => {
                let detail = format!(
                    "the body arrived too slowly; nothing was changed: it must arrive within {} seconds, and after {} \
                     seconds at {BYTES_PER_SECOND_MIN} bytes per second or more on average",
                    BODY_TIMEOUT.as_secs(),
                    SLOW_BODY_GRACE.as_secs()
                );
                Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail)
            }
            CutOff::NoMemory => {
                Self::server_busy("too many large bodies are being received; nothing was changed: try again")
            }
        }
    }
}

/// Body that ends with a [`CutOff`] if it is too slow, if the shared memory is used up, or if the process shuts down
/// before the rest of it arrives.
struct LimitedBody {
    body: Payload,
    /// Time of the first poll: time that the service spends before it does not count.
    began: Option<Instant>,
    received: usize,
    memory: Rc<MemoryReservation>,
    connection: Option<Arc<ConnectionState>>,
    /// Timer of the next rate check; set once the body is awaited.
    check: Option<Pin<Box<Sleep>>>,
    close: Pin<Box<dyn Future<Output = ()>>>,
    is_finished: bool,
}

/// Applies the limits to a body that is still to be received.
pub(crate) fn limited(
    body: Payload,
    memory: Rc<MemoryReservation>,
    connection: Option<Arc<ConnectionState>>,
    shutdown: &Shutdown,
) -> Payload {
    if matches!(body, Payload::None) {
        return body;
    }
    let close = Box::pin(shutdown.closed());
    let limited =
        LimitedBody { body, began: None, received: 0, memory, connection, check: None, close, is_finished: false };
    Payload::Stream { payload: Box::pin(limited) }
}

impl LimitedBody {
    fn is_too_slow(&mut self) -> bool {
        let took = self.began.get_or_insert_with(Instant::now).elapsed();
        let seconds = usize::try_from(took.as_secs()).unwrap_or(usize::MAX);
        took >= BODY_TIMEOUT || took >= SLOW_BODY_GRACE && self.received < seconds.saturating_mul(BYTES_PER_SECOND_MIN)
    }

    fn poll_check(&mut self, context: &mut Context<'_>) -> Poll<CutOff> {
        if self.close.as_mut().poll(context).is_ready() {
            return Poll::Ready(CutOff::ShuttingDown);
        }
        let check = self.check.get_or_insert_with(|| Box::pin(tokio::time::sleep(RATE_CHECK_INTERVAL)));
        while check.as_mut().poll(context).is_ready() {
            check.as_mut().reset(Instant::now() + RATE_CHECK_INTERVAL);
        }
        if self.is_too_slow() { Poll::Ready(CutOff::TooSlow) } else { Poll::Pending }
    }

    fn cut_off(&mut self, cut_off: CutOff) -> Poll<Option<Result<Bytes, PayloadError>>> {
        self.is_finished = true;
        Poll::Ready(Some(Err(PayloadError::Io(std::io::Error::other(cut_off)))))
    }
}

impl Stream for LimitedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.is_finished {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.body).poll_next(context) {
            Poll::Ready(Some(Ok(chunk))) => {
                this.received += chunk.len();
                if !this.memory.grow_to(this.received) {
                    return this.cut_off(CutOff::NoMemory);
                }
                Poll::Ready(Some(Ok(chunk)))
            }
            Poll::Ready(end @ (None | Some(Err(_)))) => {
                this.is_finished = true;
                if let Some(connection) = &this.connection {
                    connection.body_arrived();
                }
                Poll::Ready(end)
            }
            Poll::Pending => match this.poll_check(context) {
                Poll::Ready(cut_off) => this.cut_off(cut_off),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

/// Reads a whole body of at most `bytes_max` bytes. A larger `Content-Length`, and an encoded body, is refused before any of
/// it is read.
pub(crate) async fn read_body(
    request: &HttpRequest,
    payload: web::Payload,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body must have at most {bytes_max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    };
    if request
        .headers()
        .get_all(CONTENT_ENCODING)
        .any(|it| !it.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::encoding_not_supported());
    }
    // actix-web itself refuses a `Content-Length` beyond `u64::MAX`.
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|it| usize::try_from(it).is_ok_and(|it| it > bytes_max)) {
        return Err(too_large());
    }
    match payload.to_bytes_limited(bytes_max).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => Err(match error.as_error::<PayloadError>().and_then(CutOff::cause_of) {
            Some(cut_off) => cut_off.into(),
            None => {
                Problem::bad_request("body_incomplete", format!("the body is incomplete: {error}; nothing was changed"))
            }
        }),
        Err(_) => Err(too_large()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// Body of chunks, each with the milliseconds before it and its length.
    fn body(chunks: Vec<(u64, usize)>) -> Payload {
        let chunks = stream::iter(chunks).then(|(ms, length)| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(Bytes::from(vec![b'x'; length]))
        });
        Payload::Stream { payload: Box::pin(chunks) }
    }

    async fn received(body: Payload, memory: &BodyMemory) -> (usize, Option<CutOff>) {
        let mut limited = limited(body, memory.reservation(), None, &Shutdown::default());
        let mut length = 0;
        while let Some(chunk) = limited.next().await {
            match chunk {
                Ok(chunk) => length += chunk.len(),
                Err(error) => return (length, CutOff::cause_of(&error)),
            }
        }
        (length, None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_arrive_in_time_and_at_a_rate() {
        let steady = |chunks: usize, bytes| vec![(900, bytes); chunks];
        for (chunks, expected) in [
            (vec![(4_000, 1)], (1, None)),
            (vec![(3_600_000, 1)], (0, Some(CutOff::TooSlow))),
            (vec![(0, 1), (3_600_000, 1)], (1, Some(CutOff::TooSlow))),
            (steady(30, 2048), (30 * 2048, None)),
            (steady(50, 2048), (33 * 2048, Some(CutOff::TooSlow))),
            (steady(30, 512), (5 * 512, Some(CutOff::TooSlow))),
        ] {
            let shown = format!("{chunks:?}");
            assert_eq!(received(body(chunks), &BodyMemory::default()).await, expected, "{shown}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_share_a_bounded_memory_and_small_ones_need_none() {
        const LARGE: usize = 1024 * 1024;
        let memory = BodyMemory::default();
        let held: Vec<_> = (0..100).map(|_| memory.reservation()).take_while(|it| it.grow_to(LARGE)).collect();
        assert_eq!(held.len(), LARGE_BODIES_BYTES_MAX / (LARGE - SMALL_BODY_BYTES));
        assert_eq!(received(body(vec![(0, LARGE)]), &memory).await, (0, Some(CutOff::NoMemory)));
        assert_eq!(received(body(vec![(0, SMALL_BODY_BYTES)]), &memory).await, (SMALL_BODY_BYTES, None));
        drop(held);
        assert_eq!(received(body(vec![(0, LARGE)]), &memory).await, (LARGE, None));
        assert_eq!(memory.0.load(Ordering::Relaxed), 0, "all of it is released");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_wait_for_a_half_sent_body() {
        let shutdown = Shutdown::default();
        let mut limited = limited(body(vec![(4_000, 9)]), BodyMemory::default().reservation(), None, &shutdown);
        shutdown.close();
        let error = limited.next().await.unwrap().unwrap_err();
        assert_eq!(CutOff::cause_of(&error), Some(CutOff::ShuttingDown));
    }
}
