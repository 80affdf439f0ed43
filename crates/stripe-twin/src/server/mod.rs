//! HTTP server of the twin.

mod requests;
mod start;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub use self::start::{Options, StartError};
use crate::deliveries::Deliveries;
use crate::faults::{Fault, FaultKind, Faults};
use crate::objects::{Event, WebhookEndpoint};
use crate::record::Recorder;
use crate::state::Twin;

/// Most kinds of requests (method and path prefix) that are counted.
const REQUEST_KINDS_MAX: usize = 1000;
/// Longest time for which a reordered event is held back for later ones.
const REORDER_WAIT: Duration = Duration::from_millis(500);
/// Interval at which a changed state is written to its file.
const SAVE_EVERY: Duration = Duration::from_millis(300);

/// A twin that listens on a TCP address.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    /// Events of the seed file, which are delivered when the server runs.
    seeded: Vec<Event>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    deliveries: Deliveries,
    options: Options,
    recorder: Option<Recorder>,
}

#[derive(Debug, Default)]
struct Inner {
    twin: Twin,
    faults: Faults,
    /// Number of requests by method and the first two segments of the path.
    requests: BTreeMap<String, u64>,
    /// Idempotency keys of requests in flight.
    in_flight: HashSet<String>,
    /// Events held back for reordering.
    held_back: Vec<Event>,
    /// Whether the state has changed since it was last written.
    changed: bool,
}

impl Server {
    /// Makes a server that listens on `address` (port 0 for any free port).
    pub async fn bind(address: SocketAddr, options: Options) -> Result<Self, StartError> {
        if options.keep == 0 {
            return Err(StartError::KeepsNothing);
        }
        let (twin, seeded) = start::first_state(&options)?;
        let open =
            |path: &PathBuf| Recorder::open(path).map_err(|source| StartError::Record { path: path.clone(), source });
        let recorder = options.record.as_ref().map(open).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let deliveries = Deliveries::new(options.clock)?;
        if let Some(path) = &options.state_file {
            // A path that cannot be written is an error now, not when the state changes.
            let written = start::saved(&twin).and_then(|content| start::write(path, &content));
            written.map_err(|source| StartError::Unwritable { path: path.clone(), source })?;
        }
        let inner = Mutex::new(Inner { twin, ..Inner::default() });
        Ok(Self { listener, seeded, shared: Arc::new(Shared { inner, deliveries, options, recorder }) })
    }

    /// Address on which the server listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves requests until `stop` completes, then writes the state.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut save = tokio::time::interval(SAVE_EVERY);
        self.shared.deliver(&self.shared.lock().twin, &self.seeded);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = save.tick() => self.shared.save(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&self.shared);
                        tokio::spawn(async move {
                            drop(stream.set_nodelay(true));
                            let service = service_fn(move |request| requests::answer(Arc::clone(&shared), request));
                            let connection = hyper::server::conn::http1::Builder::new()
                                .serve_connection(TokioIo::new(stream), service);
                            // Errors are clients that disconnected and connections dropped by a fault.
                            drop(connection.await);
                        });
                    }
                    Err(error) => tracing::warn!(%error, "a connection was not accepted"),
                },
            }
        }
        self.shared.save();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time of the account's clock.
    fn now(&self, twin: &Twin) -> i64 {
        twin.time_at((self.options.clock)())
    }

    /// Time of the account's clock as a `Date` header has it.
    fn date(&self) -> String {
        let seconds = u64::try_from(self.now(&self.lock().twin)).unwrap_or(0);
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Writes the state, if it has changed since it was last written.
    fn save(&self) {
        let Some(path) = &self.options.state_file else { return };
        let content = {
            let mut inner = self.lock();
            if !std::mem::take(&mut inner.changed) {
                return;
            }
            start::saved(&inner.twin)
        };
        if let Err(error) = content.and_then(|content| start::write(path, &content)) {
            tracing::error!(path = %path.display(), %error, "the twin's state could not be written");
        }
    }

    /// Starts the deliveries of events to the endpoints for which they are pending.
    fn deliver(self: &Arc<Self>, twin: &Twin, events: &[Event]) {
        for event in events {
            if let Some(recorder) = &self.recorder {
                recorder.event(event);
            }
            let pending = |endpoint: &&WebhookEndpoint| !endpoint.disabled && event.pending.contains(&endpoint.id);
            for endpoint in twin.endpoints().filter(pending) {
                let (this, delivered) = (Arc::clone(self), (event.id.clone(), endpoint.id.clone()));
                let (shared, id) = (Arc::clone(self), endpoint.id.clone());
                self.deliveries.send(
                    endpoint.clone(),
                    event,
                    move || shared.lock().twin.delivers_to(&id),
                    move || this.finish_delivery(&delivered.0, &delivered.1),
                );
            }
        }
    }

    /// Records that an endpoint has received an event.
    fn finish_delivery(&self, event: &str, endpoint: &str) {
        let mut inner = self.lock();
        inner.twin.finish_delivery(event, endpoint);
        inner.changed = true;
    }

    /// Delivers the events of a request, subject to the request's faults.
    fn send(self: &Arc<Self>, inner: &mut Inner, events: Vec<Event>, faults: &[Fault]) {
        let has = |kind| faults.iter().any(|it| it.kind == kind);
        if events.is_empty() || has(FaultKind::WebhookDrop) {
            return;
        }
        if has(FaultKind::WebhookReorder) {
            inner.held_back.extend(events);
            let this = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(REORDER_WAIT).await;
                this.deliver_held_back(&mut this.lock());
            });
            return;
        }
        self.deliver(&inner.twin, &events);
        if has(FaultKind::WebhookDuplicate) {
            self.deliver(&inner.twin, &events);
        }
        self.deliver_held_back(inner);
    }

    fn deliver_held_back(self: &Arc<Self>, inner: &mut Inner) {
        let mut late = std::mem::take(&mut inner.held_back);
        late.reverse();
        self.deliver(&inner.twin, &late);
    }
}

impl Inner {
    fn count(&mut self, method: &str, path: &str) {
        let parts: Vec<_> = path.split('/').take(3).collect();
        let kind = format!("{method} {}", parts.join("/"));
        if self.requests.len() < REQUEST_KINDS_MAX || self.requests.contains_key(&kind) {
            *self.requests.entry(kind).or_default() += 1;
        }
    }
}
