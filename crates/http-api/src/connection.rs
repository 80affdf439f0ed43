//! Connection limits. Each connection has a deadline for its next request, and the number of connections is bounded: at
//! the limit, the connection that has waited longest for its client is closed for a new one.
//!
//! actix-web has a deadline only for the first request of a connection, and at its connection limit it stops accepting,
//! so that a client that holds all connections would stop the service.

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

/// Time within which the first request head of a connection must arrive. After it the client gets 408.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after [`HEAD_TIMEOUT`] at which the connection is closed if the client does not read the 408.
const HEAD_MARGIN: Duration = Duration::from_secs(2);
/// Time within which a client must read an answer and send the head of its next request.
const NEXT_HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum of pipelined requests that one read of a connection may bring (RFC 9112, section 9.3.2), more than real
/// clients send.
const PIPELINED_MAX: u32 = 16;
/// Maximum of bytes in one read while a request head is awaited, which bounds the bytes parsed in one turn.
const HEAD_READ_BYTES: usize = 1024;
/// Minimum time between two log lines about the connection limit.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Open connections of the process, up to a limit.
pub(crate) struct Connections {
    limit: usize,
    next_id: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    states: HashMap<u64, Arc<ConnectionState>>,
    /// Number of connections closed or refused at the limit since it was last logged.
    displaced: u64,
    logged_at: Option<Instant>,
}

/// State of one connection, shared by its socket and its requests.
pub(crate) struct ConnectionState {
    stage: Mutex<(Stage, Instant)>,
    /// Number of request heads since the connection was last read.
    heads_since_read: AtomicU32,
    is_displaced: AtomicBool,
    /// Whether no further request is read, because the process shuts down.
    is_closing: AtomicBool,
    /// Wakes the task that reads and writes the connection.
    waker: AtomicWaker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No request head has arrived yet.
    FirstHead,
    /// A head has arrived and its body is being received, within the limits of [`crate::receiving`].
    Body,
    /// A whole request has arrived and is being handled.
    Handling,
    /// A request was answered, and the next head is awaited.
    NextHead,
}

impl Stage {
    /// Time at which the connection is closed if it is still in this stage, which began at `since`.
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

    /// Admits a new connection. At the limit, the connection that has waited longest for its client is closed for it;
    /// if a request is being handled on every connection, the new one is refused.
    pub(crate) fn admit<Io>(self: &Arc<Self>, io: Io) -> io::Result<Connection<Io>> {
        let state = Arc::new(ConnectionState::new(Instant::now()));
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut open = lock(&self.open);
        if open.states.len() >= self.limit {
            let longest = open.states.iter().filter_map(|(id, it)| Some((it.waiting_since()?, *id))).min();
            let displaced = longest.and_then(|(_, id)| open.states.remove(&id));
            open.note_displaced(self.limit);
            match displaced {
                Some(other) => other.displace(),
                None => return Err(Error::new(ErrorKind::ConnectionRefused, "too many connections")),
            }
        }
        open.states.insert(id, Arc::clone(&state));
        drop(open);
        let timer = Box::pin(tokio::time::sleep(HEAD_TIMEOUT + HEAD_MARGIN));
        Ok(Connection { io, timer, state, must_yield: false, id, all: Arc::clone(self) })
    }

    /// Closes the connections on which no request is being received or handled, each after the answer that is still
    /// being written to it.
    pub(crate) fn close_idle(&self) {
        lock(&self.open).states.retain(|_, state| {
            let is_waiting = matches!(lock(&state.stage).0, Stage::FirstHead | Stage::NextHead);
            if is_waiting {
                state.close();
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
                "the connection limit is reached: connections that waited longest for their clients were closed"
            );
            self.logged_at = Some(Instant::now());
        }
    }
}

impl ConnectionState {
    fn new(now: Instant) -> Self {
        Self {
            stage: Mutex::new((Stage::FirstHead, now)),
            heads_since_read: AtomicU32::new(0),
            is_displaced: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Records that a request head has arrived, and returns once the request may be handled: pipelined requests yield
    /// to other connections, and a connection with too many of them is closed.
    pub(crate) async fn head_arrived(&self, has_body: bool) {
        // The start stays: receiving a body continues the wait that began before its head.
        lock(&self.stage).0 = if has_body { Stage::Body } else { Stage::Handling };
        let earlier = self.heads_since_read.fetch_add(1, Ordering::Relaxed);
        if earlier >= PIPELINED_MAX {
            self.displace();
            // The next read or write of the connection fails, which drops this future.
            std::future::pending::<()>().await;
        }
        if earlier > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Records that the whole body of the request has arrived.
    pub(crate) fn body_arrived(&self) {
        lock(&self.stage).0 = Stage::Handling;
    }

    /// Records that the request has its answer, which is still to be written.
    pub(crate) fn answered(&self) {
        *lock(&self.stage) = (Stage::NextHead, Instant::now());
        // Resumes reading, which was paused while the request was handled.
        self.waker.wake();
    }

    /// Time since which the service waits for the client; `None` while a request is being handled.
    fn waiting_since(&self) -> Option<Instant> {
        let (stage, since) = *lock(&self.stage);
        match stage {
            Stage::FirstHead | Stage::Body | Stage::NextHead => Some(since),
            Stage::Handling => None,
        }
    }

    /// Ends the requests of the connection: its next read finds the end of the stream, and its writes still succeed.
    fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn displace(&self) {
        self.is_displaced.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// Socket whose reads and writes fail after its deadline, or once it was closed for another connection.
pub(crate) struct Connection<Io> {
    io: Io,
    /// Timer of a deadline, perhaps of an earlier stage: reset when it fires too early.
    timer: Pin<Box<Sleep>>,
    state: Arc<ConnectionState>,
    /// Whether the last read filled its buffer, so that other tasks run before the next read.
    must_yield: bool,
    id: u64,
    all: Arc<Connections>,
}

impl<Io> Connection<Io> {
    pub(crate) fn state(&self) -> Arc<ConnectionState> {
        Arc::clone(&self.state)
    }

    /// Stage of the connection. Fails after its deadline, or once it was closed for another connection.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<Stage> {
        self.state.waker.register(context.waker());
        if self.state.is_displaced.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::ConnectionAborted, "closed by the service"));
        }
        let (stage, since) = *lock(&self.state.stage);
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
        lock(&self.all.open).states.remove(&self.id);
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.check(context)? {
            Stage::Body => Pin::new(&mut this.io).poll_read(context, into),
            // The next request waits in the socket until this one is answered.
            Stage::Handling => Poll::Pending,
            Stage::FirstHead | Stage::NextHead if this.state.is_closing.load(Ordering::Acquire) => Poll::Ready(Ok(())),
            Stage::FirstHead | Stage::NextHead => this.poll_read_head(context, into),
        }
    }
}

impl<Io: AsyncRead + Unpin> Connection<Io> {
    /// Reads at most [`HEAD_READ_BYTES`], so that the requests in them are handled before more is read.
    fn poll_read_head(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.must_yield) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = [0; HEAD_READ_BYTES];
        let room = into.remaining().min(HEAD_READ_BYTES);
        let mut part = ReadBuf::new(bytes.get_mut(..room).unwrap_or_default());
        ready!(Pin::new(&mut self.io).poll_read(context, &mut part))?;
        self.state.heads_since_read.store(0, Ordering::Relaxed);
        self.must_yield = part.filled().len() == HEAD_READ_BYTES;
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

/// Locks a mutex even if a holder panicked: every value guarded here is consistent at all times.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{advance, timeout};

    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    /// Admitted connection, and its client's end.
    fn connection(all: &Arc<Connections>) -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(64);
        (all.admit(ours).unwrap(), theirs)
    }

    async fn read(connection: &mut Connection<DuplexStream>) -> io::Result<u8> {
        connection.read_u8().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_slowly_sent_head_is_cut_off_at_its_deadline() {
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
        let state = connection.state();
        state.head_arrived(false).await;
        advance(Duration::from_secs(3600)).await;
        client.write_u8(b'x').await.unwrap();
        assert!(
            timeout(TICK, read(&mut connection)).await.is_err(),
            "the next request waits while this one is handled"
        );
        state.answered();
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
        connection.state().head_arrived(false).await;
        connection.state().answered();
        let written = timeout(NEXT_HEAD_TIMEOUT + TICK, connection.write_all(&[0; 65])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_limit_a_new_connection_displaces_the_longest_waiting_one() {
        let all = Connections::new(3);
        let (mut handled, _first) = connection(&all);
        handled.state().head_arrived(false).await;
        advance(TICK).await;
        let (mut half_sent, _second) = connection(&all);
        half_sent.state().head_arrived(true).await;
        advance(TICK).await;
        let (mut fresh, _third) = connection(&all);
        advance(TICK).await;

        let (new, _fourth) = connection(&all);
        assert_eq!(read(&mut half_sent).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert!(timeout(TICK, read(&mut handled)).await.is_err(), "its request is being answered");
        assert!(timeout(TICK, read(&mut fresh)).await.is_err(), "it has not waited longest");

        // While every connection is being handled, none is closed.
        fresh.state().head_arrived(false).await;
        new.state().head_arrived(false).await;
        assert_eq!(all.admit(duplex(1).0).err().map(|it| it.kind()), Some(ErrorKind::ConnectionRefused));
        drop(handled);
        assert!(all.admit(duplex(1).0).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_pipelined_requests_close_the_connection() {
        let all = Connections::new(8);
        let (mut connection, mut client) = connection(&all);
        client.write_all(&[b'x'; 64]).await.unwrap();
        let mut read = [0; 64];
        let length = connection.read(&mut read).await.unwrap();
        assert_eq!(length, 64);
        let state = connection.state();
        for n in 0..PIPELINED_MAX {
            let mut arriving = std::pin::pin!(state.head_arrived(false));
            let first = std::future::poll_fn(|it| Poll::Ready(arriving.as_mut().poll(it))).await;
            assert_eq!(first.is_pending(), n > 0, "all but the first yield: {n}");
            if n > 0 {
                arriving.await;
            }
            state.answered();
        }
        assert!(timeout(TICK, state.head_arrived(false)).await.is_err(), "it is not handled any more");
        assert_eq!(connection.read(&mut read).await.unwrap_err().kind(), ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_closes_idle_connections() {
        let all = Connections::new(8);
        let (mut waiting, _first) = connection(&all);
        let (mut handled, _second) = connection(&all);
        handled.state().head_arrived(false).await;
        all.close_idle();
        assert_eq!(read(&mut waiting).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(timeout(TICK, read(&mut handled)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_does_not_cut_off_an_answer_that_is_being_written() {
        let all = Connections::new(8);
        let (mut connection, mut client) = connection(&all);
        connection.state().head_arrived(true).await;
        connection.state().answered();
        all.close_idle();
        connection.write_all(b"HTTP/1.1 503").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        drop(connection);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HTTP/1.1 503");
    }
}
