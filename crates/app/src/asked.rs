use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use paywright_domain::{IntentRequest, OrderId};

/// What this process is asking the provider at this moment, so that it asks each thing once at a time. It is
/// no more than manners: the key of a request alone makes it one request, here and in every other process.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashSet<(OrderId, IntentRequest)>>);

/// A question that is out. Dropping it says that it no longer is.
#[derive(Debug)]
pub(crate) struct Asking<'a> {
    asked: &'a Asked,
    what: (OrderId, IntentRequest),
}

impl Asked {
    /// Begins to ask for an intent, unless somebody is asking for it already.
    pub(crate) fn begin(&self, order: OrderId, request: IntentRequest) -> Option<Asking<'_>> {
        let what = (order, request);
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
        begun.then_some(Asking { asked: self, what })
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.asked.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.what);
    }
}
