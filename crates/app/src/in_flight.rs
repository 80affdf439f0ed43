use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use paywright_domain::OrderId;
use paywright_domain::intent::IntentRequest;

/// PaymentIntent requests that this process is waiting for Stripe to answer, so that it sends each once at a time.
///
/// An optimization only: correctness rests on the idempotency key, which makes a request the same request here and in
/// every other process.
#[derive(Debug, Default)]
pub(crate) struct InFlightRequests(Mutex<HashSet<(OrderId, IntentRequest)>>);

/// Registration of one request in [`InFlightRequests`], removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct InFlightGuard<'a> {
    requests: &'a InFlightRequests,
    request: (OrderId, IntentRequest),
}

impl InFlightRequests {
    /// Registers a request, or returns `None` if it is in flight already.
    pub(crate) fn begin(&self, order: OrderId, request: IntentRequest) -> Option<InFlightGuard<'_>> {
        let request = (order, request);
        let is_new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request);
        is_new.then_some(InFlightGuard { requests: self, request })
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.requests.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.request);
    }
}
