//! PaymentIntent requests that were committed: sent to Stripe, or found there.

use std::convert::Infallible;

use paywright_domain::{Fact, IntentRequest, Order, OrderId, ProviderFailure, Timestamp};

use super::PerformError;
use crate::change::ChangeError;
use crate::{
    Access, App, CreatePaymentIntentError, GatewayError, GetOrderError, IssuedIntent, NewIntent, OrderRef, StoreError,
};

/// How long the provider is trusted to remember a key, in seconds: an hour less than it says ("Idempotent
/// requests": at least 24 hours).
const KEY_TRUSTED_SECONDS: u32 = 23 * 3600;

/// How far the provider's clock may be from ours, in seconds.
const CLOCKS_APART_SECONDS: u32 = 300;

impl App {
    /// Performs the committed task of asking for an intent. A definite refusal is committed, so that the next
    /// caller asks anew, and so is a failure that the provider would only repeat, once its records show that it made
    /// nothing ([`GatewayError::KeyExhausted`]). Anything less definite leaves the request out, to be repeated.
    pub(crate) async fn perform_create_intent(
        &self,
        order: &Order,
        request: IntentRequest,
    ) -> Result<IssuedIntent, CreatePaymentIntentError> {
        let asked_at = self.asked_at(order, request).await?;
        let is_forgotten = asked_at.plus_seconds(KEY_TRUSTED_SECONDS) < self.clock.now();
        if is_forgotten && let Some(made) = self.look_for_intent(order, request, asked_at).await? {
            return Ok(made);
        }
        let key = request.idempotency_key(order.id);
        match self.gateway.create_intent(&NewIntent::of(order, request.revision, request.epoch), &key).await {
            Ok(issued) => Ok(issued),
            Err(GatewayError::Refused(error)) => {
                self.commit_failure(order.id, request, &ProviderFailure::Refused(error.clone())).await?;
                Err(GatewayError::Refused(error).into())
            }
            Err(GatewayError::KeyExhausted(cause)) => {
                if let Some(made) = self.look_for_intent(order, request, asked_at).await? {
                    return Ok(made);
                }
                self.commit_failure(order.id, request, &ProviderFailure::KeyExhausted).await?;
                Err(GatewayError::KeyExhausted(cause).into())
            }
            Err(
                error @ (GatewayError::NotFound
                | GatewayError::Busy(_)
                | GatewayError::InFlight
                | GatewayError::Misconfigured(_)
                | GatewayError::NotUnderstood(_)
                | GatewayError::Foreign(_)
                | GatewayError::Unknown(_)),
            ) => Err(error.into()),
        }
    }

    /// When `request` was committed, or an earlier moment from which on its key cannot have been forgotten yet. Not the
    /// order's last change: that may have been somebody else's, long after.
    async fn asked_at(&self, order: &Order, request: IntentRequest) -> Result<Timestamp, StoreError> {
        if order.placed_at.plus_seconds(KEY_TRUSTED_SECONDS) >= self.clock.now() {
            return Ok(order.placed_at);
        }
        let facts = self.store.facts(order.id).await?;
        let asked = facts.iter().rev().find(|it| it.fact == Fact::IntentRequested { request });
        Ok(asked.map_or(order.placed_at, |it| it.at))
    }

    /// Looks for the intent of `request` among those that the provider has made since it was asked. Somebody else may
    /// have found it a moment ago and changed it for a later revision already.
    async fn look_for_intent(
        &self,
        order: &Order,
        request: IntentRequest,
        asked_at: Timestamp,
    ) -> Result<Option<IssuedIntent>, CreatePaymentIntentError> {
        let since = asked_at.minus_seconds(CLOCKS_APART_SECONDS);
        let mut after = None;
        loop {
            let page = self.records.intents(after.as_deref(), since).await?;
            let is_it = |it: &&paywright_domain::IntentSnapshot| {
                it.order == Some(order.id)
                    && it.revision.is_some_and(|it| it >= request.revision)
                    && order.intent(&it.intent).is_none()
            };
            if let Some(found) = page.items.iter().find(is_it) {
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
    ) -> Result<(), CreatePaymentIntentError> {
        let decide = |order: &Order, now| Ok::<_, Infallible>(order.intent_request_failed(request, failure, now));
        match self.change(&[OrderRef::Id(order)], &Access::All, decide).await {
            Ok(_) => Ok(()),
            Err(ChangeError::NotFound) => Err(GetOrderError::NotFound.into()),
            Err(ChangeError::Refused(never)) => match never {},
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Learns what became of an intent that was asked for, where the answer is out: what an edit or a cancellation
    /// must know first.
    pub(crate) async fn finish_request(&self, which: &OrderRef, access: &Access) -> Result<(), PerformError> {
        let order = self.load(which, access).await?.value;
        match order.requested {
            Some(request) => self.learn_of_request(&order, request, "answer").await,
            None => Ok(()),
        }
    }

    pub(super) async fn learn_of_request(
        &self,
        order: &Order,
        request: IntentRequest,
        source: &str,
    ) -> Result<(), PerformError> {
        match self.perform_create_intent(order, request).await {
            Ok(issued) => {
                self.settle_answer(source, &issued).await?;
                Ok(())
            }
            // Recorded: whoever wants to pay asks anew.
            Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(_) | GatewayError::KeyExhausted(_))) => Ok(()),
            Err(CreatePaymentIntentError::Gateway(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Store(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Get(error)) => Err(error.into()),
            Err(CreatePaymentIntentError::Settle(error)) => Err(error.into()),
            Err(error @ CreatePaymentIntentError::Request(_)) => Err(PerformError::Unmatched(error.to_string())),
        }
    }
}
