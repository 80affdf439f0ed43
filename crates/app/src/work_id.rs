//! Id of the work under way: what a log line and a request to the provider are found by.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;

use paywright_domain::{OrderId, TaskKey};

/// Id of the work under way. The provider is told it in a header, which is no part of what an idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkId {
    /// An HTTP request, by its id.
    Request(String),
    /// A task of an order.
    Task {
        /// The order.
        order: OrderId,
        /// The task's key within the order.
        key: TaskKey,
    },
    /// An event of the provider's that waited.
    Event(String),
    /// Background work of this name, like `back_fill`.
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

thread_local! {
    /// Id of the work that this thread polls at this moment.
    static CURRENT: RefCell<Option<WorkId>> = const { RefCell::new(None) };
}

impl WorkId {
    /// Id of the work that is being polled, if it has one.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs `work` under this id. A task that `work` spawns does not inherit it.
    pub async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        let mut id = Some(self);
        let mut work = pin!(work);
        poll_fn(|context| {
            let mut polled = Polled { before: CURRENT.replace(id.take()), id: &mut id };
            let poll = work.as_mut().poll(context);
            polled.end();
            poll
        })
        .await
    }
}

/// One poll of a scope. At its end, by a panic too, the thread has the id that it had before.
struct Polled<'a> {
    before: Option<WorkId>,
    id: &'a mut Option<WorkId>,
}

impl Polled<'_> {
    fn end(&mut self) {
        *self.id = CURRENT.replace(self.before.take());
    }
}

impl Drop for Polled<'_> {
    fn drop(&mut self) {
        if self.id.is_none() {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use futures_util::future::join;

    use super::*;

    fn request(id: &str) -> WorkId {
        WorkId::Request(id.to_owned())
    }

    /// Ready at the second poll, as a call is that waits.
    async fn a_moment() {
        let mut polled = false;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[test]
    fn work_knows_its_own_id_wherever_it_waits() {
        let work = |name: &'static str| async move {
            request(name)
                .scope(async {
                    a_moment().await;
                    let inner =
                        WorkId::Background("inner").scope(async { (a_moment().await, WorkId::current()).1 }).await;
                    (inner, WorkId::current())
                })
                .await
        };
        let mut both = pin!(join(work("a"), work("b")));
        let mut context = Context::from_waker(Waker::noop());
        let found = loop {
            assert_eq!(WorkId::current(), None, "nothing is left behind between two polls");
            if let Poll::Ready(found) = both.as_mut().poll(&mut context) {
                break found;
            }
        };
        let inner = Some(WorkId::Background("inner"));
        assert_eq!(found, ((inner.clone(), Some(request("a"))), (inner, Some(request("b")))));
    }

    #[test]
    fn a_panic_leaves_no_id_behind() {
        let broken = std::panic::catch_unwind(|| {
            let mut work = pin!(request("a").scope(async { panic!("it breaks") }));
            let _: Poll<()> = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        assert!(broken.is_err());
        assert_eq!(WorkId::current(), None);
    }
}
