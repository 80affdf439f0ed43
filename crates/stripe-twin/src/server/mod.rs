//! HTTP server of the twin.

mod requests;
mod start;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

pub use self::start::{Options, StartError};
use self::start::{Saved, load, sown};
use crate::deliveries::Deliveries;
use crate::faults::{Fault, FaultKind, Faults};
use crate::objects::Event;
use crate::record::Recorder;
use crate::state::{FORM, Twin};

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
        let mut twin = match &options.state_file {
            Some(path) if path.exists() => load(path)?,
            Some(_) | None => sown(&options)?,
        };
        for endpoint in &options.endpoints {
            twin.register(endpoint.clone());
        }
        let open =
            |path: &PathBuf| Recorder::open(path).map_err(|source| StartError::Record { path: path.clone(), source });
        let recorder = options.record.as_ref().map(open).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        let deliveries = Deliveries::new(options.clock)?;
        let inner = Mutex::new(Inner { twin, ..Inner::default() });
        Ok(Self { listener, shared: Arc::new(Shared { inner, deliveries, options, recorder }) })
    }

    /// Address on which the server listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves requests until `stop` completes, then writes the state.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut save = tokio::time::interval(SAVE_EVERY);
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

    /// Writes the state to a new file and renames it, so that a crash leaves either the old or the new state.
    fn save(&self) {
        let Some(path) = &self.options.state_file else { return };
        let text = {
            let mut inner = self.lock();
            if !std::mem::take(&mut inner.changed) {
                return;
            }
            serde_json::to_string(&Saved { form: FORM, twin: &inner.twin })
        };
        let new_file = path.with_extension("new");
        let written = text.map_err(std::io::Error::other).and_then(|text| {
            std::fs::write(&new_file, text)?;
            std::fs::rename(&new_file, path)
        });
        if let Err(error) = written {
            tracing::error!(path = %path.display(), %error, "the twin's state could not be written");
        }
    }

    fn deliver(&self, twin: &Twin, events: &[Event]) {
        for event in events {
            if let Some(recorder) = &self.recorder {
                recorder.event(event);
            }
            for endpoint in twin.endpoints().filter(|it| it.is_enabled_for(&event.kind)) {
                self.deliveries.send(endpoint.clone(), event);
            }
        }
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

    fn deliver_held_back(&self, inner: &mut Inner) {
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
