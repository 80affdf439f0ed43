//! Current work: its id, which links log lines with requests to Stripe, its actor, and where its request came from.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Instant;

use paywright_domain::OrderId;
use paywright_domain::task::TaskKey;
use tracing::{Id, Span};

use crate::Actor;

/// Id of the current work. It is sent to Stripe in a header, which is not among the parameters that Stripe compares
/// under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkId {
    /// Id of an HTTP request.
    Request(String),
    /// A task of an order.
    Task {
        /// Order of the task.
        order: OrderId,
        /// Key of the task within the order.
        key: TaskKey,
    },
    /// Stripe's id of a parked event.
    Event(String),
    /// Name of background work, such as `back_fill`.
    Background(&'static str),
}

impl fmt::Display for WorkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => write!(f, "request {id}"),
            Self::Task { order, key } => write!(f, "task {order}/{key}"),
            Self::Event(id) => write!(f, "event {id}"),
            Self::Background(name) => f.write_str(name),
        }
    }
}

/// Current work: its id, and its actor once that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    id: WorkId,
    actor: Option<Actor>,
    /// Time at which the HTTP request of this work arrived.
    requested_at: Option<Instant>,
    /// Address of the client whose request it is.
    address: Option<IpAddr>,
    trace: TraceSpan,
}

/// Span of a work in the traces; disabled without an exporter.
#[derive(Debug, Clone)]
struct TraceSpan(Span);

impl PartialEq for TraceSpan {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl Eq for TraceSpan {}

thread_local! {
    /// Work whose future this thread is polling.
    static CURRENT: RefCell<Option<Work>> = const { RefCell::new(None) };
}

impl WorkId {
    /// Id of the work that is being polled, if there is one.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(|it| it.as_ref().map(|it| it.id.clone()))
    }

    /// Time at which the HTTP request arrived for which this thread is working. `None` in other work, whose caller does
    /// not wait, and where that time was not recorded.
    pub fn requested_at() -> Option<Instant> {
        CURRENT.with_borrow(|it| it.as_ref().and_then(|it| it.requested_at))
    }

    /// Runs `work` under this id. A task that `work` spawns does not inherit it. A request has no actor until one is
    /// recorded.
    pub fn scope<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        Work::of(self).scope(work)
    }
}

impl Actor {
    /// Actor of the work that is being polled, if that is known.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(|it| it.as_ref().and_then(|it| it.actor.clone()))
    }

    /// Records this actor for the work that is being polled: all later commits of the work name it.
    pub fn record(self) {
        CURRENT.with_borrow_mut(|it| {
            if let Some(work) = it {
                work.actor = Some(self);
            }
        });
    }
}

impl Work {
    /// Work with this id. A request has no actor until one is recorded.
    pub(crate) fn of(id: WorkId) -> Self {
        let actor = match &id {
            WorkId::Request(_) => None,
            WorkId::Event(_) => Some(Actor::Stripe),
            WorkId::Task { .. } | WorkId::Background(_) => Some(Actor::Worker),
        };
        Self { id, actor, requested_at: None, address: None, trace: TraceSpan(Span::none()) }
    }

    /// Work with this actor and id.
    pub fn by(actor: Actor, id: WorkId) -> Self {
        Self { actor: Some(actor), ..Self::of(id) }
    }

    /// Work of the HTTP request with this id, which arrived at `requested_at` from `address`: a caller waits for it. Its
    /// actor is not known yet.
    pub fn requested(id: String, requested_at: Instant, address: Option<IpAddr>) -> Self {
        Self { requested_at: Some(requested_at), address, ..Self::of(WorkId::Request(id)) }
    }

    /// Id of the HTTP request of this work, if it is one.
    pub fn request(&self) -> Option<&str> {
        match &self.id {
            WorkId::Request(id) => Some(id),
            WorkId::Task { .. } | WorkId::Event(_) | WorkId::Background(_) => None,
        }
    }

    /// Address of the client whose request it is.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The same work with this span in the traces, which is the parent of the spans of its parts. It ends with the work.
    #[must_use]
    pub fn in_trace(self, span: Span) -> Self {
        Self { trace: TraceSpan(span), ..self }
    }

    /// Id of the span of the current work in the traces.
    pub fn trace() -> Option<Id> {
        CURRENT.with_borrow(|it| it.as_ref().and_then(|it| it.trace.0.id()))
    }

    /// Work that is being polled, for a spawned task that continues it.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work` as this work. A task that `work` spawns does not inherit it.
    pub fn scope<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        let mut current = Some(self);
        // The future of a use case is large: it is boxed here, so that no caller's future contains it twice.
        let mut work = Box::pin(work);
        poll_fn(move |context| {
            let mut polled = Polled { before: CURRENT.replace(current.take()), current: &mut current };
            let poll = work.as_mut().poll(context);
            polled.end();
            poll
        })
    }
}

/// One poll of a scope. At its end, even by a panic, the thread has its previous work again.
struct Polled<'a> {
    before: Option<Work>,
    current: &'a mut Option<Work>,
}

impl Polled<'_> {
    fn end(&mut self) {
        *self.current = CURRENT.replace(self.before.take());
    }
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        if self.current.is_none() {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::future::join;

    use super::*;

    fn request(id: &str) -> WorkId {
        WorkId::Request(id.to_owned())
    }

    /// Ready at the second poll, like a call that has to wait.
    async fn wait_once() {
        let mut polled = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn each_work_keeps_its_id_across_awaits() {
        let work = |name: &'static str| async move {
            request(name)
                .scope(async {
                    wait_once().await;
                    let inner =
                        WorkId::Background("inner").scope(async { (wait_once().await, WorkId::current()).1 }).await;
                    (inner, WorkId::current())
                })
                .await
        };
        let mut both = pin!(join(work("a"), work("b")));
        let mut context = Context::from_waker(Waker::noop());
        let found = loop {
            assert_eq!(WorkId::current(), None, "no work is current between two polls");
            if let Poll::Ready(found) = both.as_mut().poll(&mut context) {
                break found;
            }
        };
        let inner = Some(WorkId::Background("inner"));
        assert_eq!(found, ((inner.clone(), Some(request("a"))), (inner, Some(request("b")))));
    }

    #[test]
    fn a_panic_resets_the_current_work() {
        let broken = std::panic::catch_unwind(|| {
            let mut work = pin!(request("a").scope(async { panic!("it breaks") }));
            let _: Poll<()> = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        assert!(broken.is_err());
        assert_eq!(WorkId::current(), None);
    }

    #[test]
    fn an_actor_is_recorded_for_one_work_and_kept_when_that_is_continued() {
        let key = |name: &str| Actor::ApiKey { key: uuid::Uuid::nil(), key_name: name.to_owned() };
        let work = |name: &'static str| {
            request(name).scope(async move {
                let before = Actor::current();
                wait_once().await;
                key(name).record();
                wait_once().await;
                let by_worker = WorkId::Background("inner").scope(async { Actor::current() }).await;
                (before, Actor::current(), by_worker, Work::current())
            })
        };
        let mut both = pin!(join(work("a"), work("b")));
        let mut context = Context::from_waker(Waker::noop());
        let (a, b) = loop {
            assert_eq!(Actor::current(), None, "no work is current between two polls");
            if let Poll::Ready(found) = both.as_mut().poll(&mut context) {
                break found;
            }
        };
        for (name, (before, after, by_worker, continued)) in [("a", a), ("b", b)] {
            assert_eq!((before, after, by_worker), (None, Some(key(name)), Some(Actor::Worker)));
            assert_eq!(continued, Some(Work::by(key(name), request(name))));
        }
        key("c").record();
        assert_eq!(Actor::current(), None, "without current work, no actor is recorded");
    }
}
