//! Connections within limits. Each has a deadline by which its next request must have arrived, and there are never more
//! than a limit: a new one takes the place of the one that has kept the service waiting for longest.
//!
//! actix-web has a deadline for the first request of a connection alone, and beyond its limit of connections it accepts
//! nobody, so that whoever holds them all stops the service.

use std::collections::HashMap;
use std::io::{self, Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Limit for the head of the first request of a connection. The client is told so: 408.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after that at which a connection without a whole head is closed, if the client does not take the answer.
const HEAD_MARGIN: Duration = Duration::from_secs(2);
/// Limit for an answer to be read by its client and the head of the next request to arrive after it.
const NEXT_HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// The most requests of one connection that may come at once, before their answers are read (RFC 9112, section 9.3.2).
/// Nobody who means well sends as many.
const PIPELINED_MAX: u32 = 16;
/// Bytes that are read of a connection at a time while a head is awaited: as many are taken apart in one go.
const HEAD_READ_BYTES: usize = 1024;
/// Shortest time between two log lines about full connections.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The open connections of the process, up to a limit.
pub(crate) struct Connections {
    limit: usize,
    next_id: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    lines: HashMap<u64, Arc<Line>>,
    /// Closed before their time, or refused, since the last line of the log about it.
    displaced: u64,
    logged_at: Option<Instant>,
}

/// One connection, as its socket and the requests on it see it.
pub(crate) struct Line {
    stage: Mutex<(Stage, Instant)>,
    /// How many heads have come since the connection was read last.
    heads_of_read: AtomicU32,
    is_displaced: AtomicBool,
    /// Wakes whoever reads and writes the connection.
    waker: AtomicWaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was asked yet.
    FirstHead,
    /// A head is there, and its body is being received: [`crate::receiving`] limits it.
    Body,
    /// A whole request is being answered.
    Handling,
    /// A request was answered.
    NextHead,
}

impl Stage {
    /// Moment at which the connection is closed if its client does not go on from this stage, which began at `since`.
    fn deadline(self, since: Instant) -> Option<Instant> {
        match self {
            Self::FirstHead => Some(since + HEAD_TIMEOUT + HEAD_MARGIN),
            Self::NextHead => Some(since + NEXT_HEAD_TIMEOUT),
            Self::Body | Self::Handling => None,
        }
    }
}

impl Connections {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, next_id: AtomicU64::new(0), open: Mutex::default() })
    }

    /// Takes in a new connection. At the limit the one that has kept the service waiting for longest is closed for it;
    /// where all are being answered, the new one is refused.
    pub(crate) fn admit<Io>(self: &Arc<Self>, io: Io) -> io::Result<Connection<Io>> {
        let line = Arc::new(Line::new(Instant::now()));
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut open = lock(&self.open);
        if open.lines.len() >= self.limit {
            let longest = open.lines.iter().filter_map(|(id, it)| Some((it.waiting_since()?, *id))).min();
            let displaced = longest.and_then(|(_, id)| open.lines.remove(&id));
            open.note_displaced(self.limit);
            match displaced {
                Some(other) => other.displace(),
                None => return Err(Error::new(ErrorKind::ConnectionRefused, "too many connections")),
            }
        }
        open.lines.insert(id, Arc::clone(&line));
        drop(open);
        let timer = Box::pin(tokio::time::sleep(HEAD_TIMEOUT + HEAD_MARGIN));
        Ok(Connection { io, timer, line, is_turn_over: false, id, all: Arc::clone(self) })
    }

    /// Closes the connections on which no request is being received or answered.
    pub(crate) fn close_waiting(&self) {
        lock(&self.open).lines.retain(|_, line| {
            let is_waiting = matches!(lock(&line.stage).0, Stage::FirstHead | Stage::NextHead);
            if is_waiting {
                line.displace();
            }
            !is_waiting
        });
    }
}

impl Open {
    fn note_displaced(&mut self, limit: usize) {
        self.displaced += 1;
        if self.logged_at.is_none_or(|it| it.elapsed() >= LOG_INTERVAL) {
            let connections = std::mem::take(&mut self.displaced);
            tracing::warn!(
                limit,
                connections,
                "the limit of connections is reached: those that kept the service waiting for longest were closed"
            );
            self.logged_at = Some(Instant::now());
        }
    }
}

impl Line {
    fn new(now: Instant) -> Self {
        Self {
            stage: Mutex::new((Stage::FirstHead, now)),
            heads_of_read: AtomicU32::new(0),
            is_displaced: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// The head of a request has arrived. Done when it may be answered: of several that came at once the later ones let
    /// other connections go first, and a connection with too many of them is closed.
    pub(crate) async fn head_arrived(&self, has_body: bool) {
        // A body prolongs the wait that began before its head.
        lock(&self.stage).0 = if has_body { Stage::Body } else { Stage::Handling };
        let earlier = self.heads_of_read.fetch_add(1, Ordering::Relaxed);
        if earlier >= PIPELINED_MAX {
            self.displace();
            // The next read or write of the connection fails, and ends this.
            std::future::pending::<()>().await;
        }
        if earlier > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// The body of the request has arrived.
    pub(crate) fn body_arrived(&self) {
        lock(&self.stage).0 = Stage::Handling;
    }

    /// The request has its answer, which is still to be written.
    pub(crate) fn answered(&self) {
        *lock(&self.stage) = (Stage::NextHead, Instant::now());
        // What came meanwhile is read now.
        self.waker.wake();
    }

    /// Since when the client has kept the service waiting; not while the service is at work.
    fn waiting_since(&self) -> Option<Instant> {
        let (stage, since) = *lock(&self.stage);
        match stage {
            Stage::FirstHead | Stage::Body | Stage::NextHead => Some(since),
            Stage::Handling => None,
        }
    }

    fn displace(&self) {
        self.is_displaced.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A socket whose reads and writes fail once its deadline has passed, or once another connection has its place.
pub(crate) struct Connection<Io> {
    io: Io,
    /// Timer of a deadline, perhaps of an earlier stage: moved on where it goes off too early.
    timer: Pin<Box<Sleep>>,
    line: Arc<Line>,
    /// Whether the last read has left something, which is for the next turn of the connection.
    is_turn_over: bool,
    id: u64,
    all: Arc<Connections>,
}

impl<Io> Connection<Io> {
    pub(crate) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }

    /// Fails once the deadline has passed or another connection has this one's place; gives the stage otherwise.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<Stage> {
        self.line.waker.register(context.waker());
        if self.line.is_displaced.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::ConnectionAborted, "closed by the service"));
        }
        let (stage, since) = *lock(&self.line.stage);
        let Some(deadline) = stage.deadline(since) else { return Ok(stage) };
        while self.timer.as_mut().poll(context).is_ready() {
            if deadline <= Instant::now() {
                return Err(Error::new(ErrorKind::TimedOut, "no request arrived in time"));
            }
            self.timer.as_mut().reset(deadline);
        }
        Ok(stage)
    }
}

impl<Io> Drop for Connection<Io> {
    fn drop(&mut self) {
        lock(&self.all.open).lines.remove(&self.id);
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.check(context)? {
            Stage::Body => Pin::new(&mut this.io).poll_read(context, into),
            // The next request waits in the socket until this one is answered.
            Stage::Handling => Poll::Pending,
            Stage::FirstHead | Stage::NextHead => this.poll_read_head(context, into),
        }
    }
}

impl<Io: AsyncRead + Unpin> Connection<Io> {
    /// Reads a little, and then lets what was read be answered before more is.
    fn poll_read_head(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_turn_over) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = [0; HEAD_READ_BYTES];
        let room = into.remaining().min(HEAD_READ_BYTES);
        let mut part = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.io).poll_read(context, &mut part))?;
        self.line.heads_of_read.store(0, Ordering::Relaxed);
        self.is_turn_over = part.filled().len() == HEAD_READ_BYTES;
        into.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(context)?;
        Pin::new(&mut this.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check(context)?;
        Pin::new(&mut this.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

/// What a lock guards here is a value of its own: whole also where a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{advance, timeout};

    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    /// A connection of one of them, with its client's end.
    fn connection(all: &Arc<Connections>) -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(64);
        (all.admit(ours).unwrap(), theirs)
    }

    async fn read(connection: &mut Connection<DuplexStream>) -> io::Result<u8> {
        connection.read_u8().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_dripped_head_is_cut_off_at_its_deadline_also_after_an_answer() {
        let all = Connections::new(8);
        let (mut connection, mut client) = connection(&all);
        let mut received = 0;
        let began = Instant::now();
        let error = loop {
            client.write_u8(b'x').await.unwrap();
            match read(&mut connection).await {
                Ok(_) => received += 1,
                Err(error) => break error,
            }
            advance(Duration::from_secs(1)).await;
        };
        assert_eq!((error.kind(), received), (ErrorKind::TimedOut, 12));
        assert_eq!(began.elapsed(), HEAD_TIMEOUT + HEAD_MARGIN);

        let (mut connection, mut client) = self::connection(&all);
        let line = connection.line();
        line.head_arrived(false).await;
        advance(Duration::from_secs(3600)).await;
        client.write_u8(b'x').await.unwrap();
        assert!(
            timeout(TICK, read(&mut connection)).await.is_err(),
            "the next request waits, and for as long as it takes"
        );
        line.answered();
        read(&mut connection).await.unwrap();
        let began = Instant::now();
        let waited = timeout(NEXT_HEAD_TIMEOUT + TICK, read(&mut connection)).await.unwrap();
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), NEXT_HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_its_answer_is_cut_off() {
        let all = Connections::new(8);
        let (mut connection, _client) = connection(&all);
        connection.line().head_arrived(false).await;
        connection.line().answered();
        let written = timeout(NEXT_HEAD_TIMEOUT + TICK, connection.write_all(&[0; 65])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_a_new_connection_displaces_the_one_that_kept_the_service_waiting_for_longest() {
        let all = Connections::new(3);
        let (mut handled, _first) = connection(&all);
        handled.line().head_arrived(false).await;
        advance(TICK).await;
        let (mut half_sent, _second) = connection(&all);
        half_sent.line().head_arrived(true).await;
        advance(TICK).await;
        let (mut fresh, _third) = connection(&all);
        advance(TICK).await;

        let (new, _fourth) = connection(&all);
        assert_eq!(read(&mut half_sent).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert!(timeout(TICK, read(&mut handled)).await.is_err(), "its request is being answered");
        assert!(timeout(TICK, read(&mut fresh)).await.is_err(), "it is not the one that waited for longest");

        // Where all are being answered, nobody is cut off.
        fresh.line().head_arrived(false).await;
        new.line().head_arrived(false).await;
        assert_eq!(all.admit(duplex(1).0).err().map(|it| it.kind()), Some(ErrorKind::ConnectionRefused));
        drop(handled);
        assert!(all.admit(duplex(1).0).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_too_many_requests_at_once_is_closed_and_others_go_first() {
        let all = Connections::new(8);
        let (mut connection, mut client) = connection(&all);
        client.write_all(&[b'x'; 64]).await.unwrap();
        let mut read = [0; 64];
        let length = connection.read(&mut read).await.unwrap();
        assert_eq!(length, 64);
        let line = connection.line();
        for n in 0..PIPELINED_MAX {
            let mut arriving = std::pin::pin!(line.head_arrived(false));
            let first = std::future::poll_fn(|it| Poll::Ready(arriving.as_mut().poll(it))).await;
            assert_eq!(first.is_pending(), n > 0, "all but the first let others go first: {n}");
            if n > 0 {
                arriving.await;
            }
            line.answered();
        }
        assert!(timeout(TICK, line.head_arrived(false)).await.is_err(), "it is answered no more");
        assert_eq!(connection.read(&mut read).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_closes_the_connections_that_wait_for_a_head() {
        let all = Connections::new(8);
        let (mut waiting, _first) = connection(&all);
        let (mut handled, _second) = connection(&all);
        handled.line().head_arrived(false).await;
        all.close_waiting();
        assert_eq!(read(&mut waiting).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert!(timeout(TICK, read(&mut handled)).await.is_err());
    }
}
