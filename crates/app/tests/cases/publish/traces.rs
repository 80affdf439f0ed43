//! Traces that continue from a commit to the deliveries of its facts.

use std::sync::{Arc, Mutex};

use paywright_app::{TraceParent, Traces};
use paywright_domain::fact::FeedEventType;
use tracing::Span;

use super::Published;

/// Traces that give each span the next context, and remember which were continued.
#[derive(Default)]
struct NumberedTraces {
    given: Mutex<Vec<TraceParent>>,
    continued: Mutex<Vec<TraceParent>>,
}

impl Traces for NumberedTraces {
    fn context_of(&self, _: &Span) -> Option<TraceParent> {
        let mut given = self.given.lock().unwrap();
        let next = TraceParent::new(7, u64::try_from(given.len()).unwrap() + 1, true)?;
        given.push(next);
        Some(next)
    }

    fn continue_from(&self, _: &Span, parent: &TraceParent) {
        self.continued.lock().unwrap().push(*parent);
    }
}

#[tokio::test]
async fn a_delivery_continues_the_trace_of_the_commit_in_another_process() {
    let mut it = Published::open().await;
    let traces = Arc::new(NumberedTraces::default());
    it.shop.app = it.shop.app.clone().with_traces(Arc::<NumberedTraces>::clone(&traces));
    it.endpoint(&[FeedEventType::OrderPlaced]).await;
    let order = it.shop.placed().await;
    let facts = it.shop.store.orders.facts(order.id).await.unwrap();
    let commit = TraceParent::new(7, 1, true);
    assert_eq!(facts[0].cause.as_ref().map(|it| it.trace), Some(commit));
    it.publisher = it.another().with_traces(Arc::<NumberedTraces>::clone(&traces));
    it.deliver().await;
    assert_eq!(*traces.continued.lock().unwrap(), Vec::from_iter(commit));
    let sent: Vec<_> = it.sender.sent().iter().map(|it| it.trace).collect();
    assert_eq!(sent, [TraceParent::new(7, 2, true)], "the receiver continues the attempt");
}

#[tokio::test]
async fn without_an_exporter_nothing_of_a_trace_is_stored_or_sent() {
    let it = Published::open().await;
    it.endpoint(&[FeedEventType::OrderPlaced]).await;
    let order = it.shop.placed().await;
    let facts = it.shop.store.orders.facts(order.id).await.unwrap();
    assert_eq!(facts[0].cause, None);
    it.deliver().await;
    assert_eq!(it.sender.sent().iter().map(|it| it.trace).collect::<Vec<_>>(), [None]);
}
