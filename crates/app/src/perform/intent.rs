//! Committed PaymentIntent requests: sent to Stripe, or found in its list.

use paywright_domain::intent::IntentRequest;
use paywright_domain::task::ProviderFailure;
use paywright_domain::{Fact, IntentSnapshot, Order, OrderId, Timestamp};

use super::PerformError;
use crate::in_flight::InFlightGuard;
use crate::{ATTEMPTS_MAX, Access, App, GatewayError, IssuedIntent, NewIntent, OrderRef, StoreError};

/// Age up to which Stripe is trusted to remember an idempotency key, in seconds: an hour less than documented
/// ("Idempotent requests": at least 24 hours).
const KEY_TRUSTED_SECONDS: u32 = 23 * 3600;

/// Largest difference between Stripe's clock and ours, in seconds.
const CLOCKS_APART_SECONDS: u32 = 300;

/// Answer to a PaymentIntent request, with its registration as in flight.
pub(crate) type Answered<'a> = (InFlightGuard<'a>, IssuedIntent);

impl App {
    /// Sends a committed request, unless another caller of this process is waiting for its answer. `None` if the order
    /// has to be loaded and decided on again, which the last attempt is not.
    pub(crate) async fn send_request(
        &self,
        order: &Order,
        request: IntentRequest,
        attempt: u32,
    ) -> Result<Option<Answered<'_>>, PerformError> {
        let guard = self.in_flight.begin(order.id, request);
        let error = match guard {
            Some(guard) => match self.perform_create_intent(order, request).await {
                Ok(issued) => return Ok(Some((guard, issued))),
                Err(error) => error,
            },
            None => GatewayError::InFlight.into(),
        };
        if attempt >= ATTEMPTS_MAX {
            return Err(error);
        }
        match error {
            // Another caller has sent the same request, whose answer will be stored.
            PerformError::Gateway(GatewayError::InFlight) => {
                self.clock.pause(attempt).await;
                Ok(None)
            }
            // Stripe has created nothing, which is stored: the next request has another key.
            PerformError::Gateway(GatewayError::KeyExhausted(_)) => Ok(None),
            // The refusal is stored, and the next request goes without the email address.
            PerformError::Gateway(GatewayError::Refused(error))
                if order.goes_on_without(order.email.as_ref(), &error) =>
            {
                Ok(None)
            }
            error @ (PerformError::Gateway(_) | PerformError::Order(_) | PerformError::Unmatched(_)) => Err(error),
        }
    }

    /// Performs a committed request. A refusal is committed, so that the next caller sends another request, and so is
    /// an exhausted key ([`GatewayError::KeyExhausted`]) once Stripe's list shows that nothing was created under it.
    /// Any other failure leaves the request to be repeated.
    pub(crate) async fn perform_create_intent(
        &self,
        order: &Order,
        request: IntentRequest,
    ) -> Result<IssuedIntent, PerformError> {
        let requested_at = self.requested_at(order, request).await?;
        let is_forgotten = requested_at.plus_seconds(KEY_TRUSTED_SECONDS) < self.clock.now();
        if is_forgotten && let Some(created) = self.find_created(order, request, requested_at).await? {
            return Ok(created);
        }
        let key = request.idempotency_key(order.id);
        let new = NewIntent::of(order, request.revision, request.epoch);
        let error = match self.gateway.create_intent(&new, &key).await {
            Ok(issued) => return Ok(issued),
            Err(error) => error,
        };
        let Some(failure) = error.failure() else { return Err(error.into()) };
        if matches!(failure, ProviderFailure::KeyExhausted)
            && let Some(created) = self.find_created(order, request, requested_at).await?
        {
            return Ok(created);
        }
        self.commit_failure(order.id, request, &failure).await?;
        Err(error.into())
    }

    /// Time at which `request` was committed, or an earlier one since when Stripe cannot have forgotten its key. The
    /// order's last change is not that: it may be a later one.
    async fn requested_at(&self, order: &Order, request: IntentRequest) -> Result<Timestamp, StoreError> {
        if order.placed_at.plus_seconds(KEY_TRUSTED_SECONDS) >= self.clock.now() {
            return Ok(order.placed_at);
        }
        let facts = self.store.orders.facts(order.id).await?;
        let requested = facts.iter().rev().find(|it| it.fact == Fact::IntentRequested { request });
        Ok(requested.map_or(order.placed_at, |it| it.at))
    }

    /// Finds the PaymentIntent of `request` among those that Stripe has created since it was sent. Another process may
    /// have found it a moment ago and updated it to a later revision already.
    async fn find_created(
        &self,
        order: &Order,
        request: IntentRequest,
        requested_at: Timestamp,
    ) -> Result<Option<IssuedIntent>, PerformError> {
        let since = requested_at.minus_seconds(CLOCKS_APART_SECONDS);
        let mut after = None;
        loop {
            let page = self.records.intents(after.as_deref(), since).await?;
            let is_the_one = |it: &&IntentSnapshot| {
                it.order == Some(order.id)
                    && it.revision.is_some_and(|it| it >= request.revision)
                    && order.intent(&it.intent).is_none()
            };
            if let Some(found) = page.items.iter().find(is_the_one) {
                return Ok(Some(self.gateway.intent(&found.intent).await?));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }

    async fn commit_failure(
        &self,
        order: OrderId,
        request: IntentRequest,
        failure: &ProviderFailure,
    ) -> Result<(), PerformError> {
        self.decide(order, |order, now| order.intent_request_failed(request, failure, now)).await.map(drop)
    }

    /// Settles the outcome of a request whose answer is missing, before an edit or a cancellation.
    pub(crate) async fn finish_request(&self, which: &OrderRef, access: &Access) -> Result<(), PerformError> {
        let order = self.load(which, access).await?.value;
        match order.requested {
            Some(request) => self.settle_request(&order, request, "answer").await,
            None => Ok(()),
        }
    }

    /// Performs a request and settles its answer. A stored refusal is an answer too.
    pub(super) async fn settle_request(
        &self,
        order: &Order,
        request: IntentRequest,
        source: &str,
    ) -> Result<(), PerformError> {
        match self.perform_create_intent(order, request).await {
            Ok(issued) => Ok(self.settle_answer(source, &issued).await.map(drop)?),
            Err(PerformError::Gateway(GatewayError::Refused(_) | GatewayError::KeyExhausted(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
