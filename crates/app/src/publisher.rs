use std::sync::{Arc, Mutex};

use paywright_domain::Timestamp;
use uuid::Uuid;

use crate::endpoints::{DueWalk, InDelivery};
use crate::feed::FeedState;
use crate::warnings::Warnings;
use crate::{App, Clock, Endpoints, EventFormat, Feed, Ids, NoTraces, Traces, WebhookSender, WorkerWaker};

/// Adapters behind a [`Publisher`], one for each port.
#[derive(Clone)]
pub struct PublisherPorts {
    /// Feed, in the database of the orders.
    pub feed: Arc<dyn Feed>,
    /// Endpoints, in the same database.
    pub endpoints: Arc<dyn Endpoints>,
    /// Sender of webhooks to the endpoints.
    pub sender: Arc<dyn WebhookSender>,
    /// Form of webhooks in Spree's format.
    pub spree_format: Arc<dyn EventFormat>,
    /// Clock of this machine.
    pub clock: Arc<dyn Clock>,
    /// Source of fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Waker of the background loops.
    pub waker: Arc<dyn WorkerWaker>,
}

/// Use cases of the feed and of outgoing webhooks: they tell other programs what has happened to orders, and change no
/// order.
#[derive(Clone)]
pub struct Publisher {
    pub(crate) feed: Arc<dyn Feed>,
    pub(crate) endpoints: Arc<dyn Endpoints>,
    pub(crate) sender: Arc<dyn WebhookSender>,
    pub(crate) spree_format: Arc<dyn EventFormat>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) waker: Arc<dyn WorkerWaker>,
    pub(crate) traces: Arc<dyn Traces>,
    /// Id of this process as an owner of leases.
    pub(crate) owner: Uuid,
    pub(crate) feed_state: Arc<FeedState>,
    pub(crate) in_delivery: Arc<InDelivery>,
    pub(crate) walk: Arc<Mutex<DueWalk>>,
    pub(crate) warnings: Arc<Warnings>,
    /// Warnings that are only logged, each once: what they are about is stored.
    pub(crate) logged: Arc<Warnings>,
    /// Time at which a process without a key last read whether there is an endpoint.
    pub(crate) looked_without_key: Arc<Mutex<Option<Timestamp>>>,
}

impl Publisher {
    /// Use cases with these ports.
    pub fn new(ports: PublisherPorts) -> Self {
        let PublisherPorts { feed, endpoints, sender, spree_format, clock, ids, waker } = ports;
        let owner = ids.lease_owner();
        Self {
            feed,
            endpoints,
            sender,
            spree_format,
            clock,
            ids,
            waker,
            traces: Arc::new(NoTraces),
            owner,
            feed_state: Arc::default(),
            in_delivery: Arc::default(),
            walk: Arc::default(),
            warnings: Arc::default(),
            logged: Arc::default(),
            looked_without_key: Arc::default(),
        }
    }

    /// Use cases whose warnings are among those of `app` ([`App::warnings`]).
    #[must_use]
    pub fn warning_through(self, app: &App) -> Self {
        Self { warnings: Arc::clone(&app.warnings), ..self }
    }

    /// Use cases whose traces are exported.
    #[must_use]
    pub fn with_traces(self, traces: Arc<dyn Traces>) -> Self {
        Self { traces, ..self }
    }
}
