use std::convert::Infallible;

use paywright_domain::{
    Fact, IntentPlan, IntentRequest, Order, OrderId, ProviderFailure, RequestIntentError, Timestamp,
};
use secrecy::SecretString;
use thiserror::Error;

use crate::change::ChangeError;
use crate::intent_reads::Freshness;
use crate::{
    ATTEMPTS_MAX, Access, App, GatewayError, GetOrderError, IssuedIntent, NewIntent, OrderRef, SettleFromProviderError,
    StoreError,
};

/// An intent that a customer can pay, with the order it is for.
#[derive(Debug, Clone)]
pub struct PayableIntent {
    /// The order, which knows the intent.
    pub order: Order,
    /// What lets a browser pay it.
    pub client_secret: SecretString,
}

/// Why there is no intent to pay.
#[derive(Debug, Error)]
pub enum CreatePaymentIntentError {
    /// The order cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// The order takes no payment.
    #[error(transparent)]
    Request(#[from] RequestIntentError),
    /// The provider gave none.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// What the provider answered does not fit the order.
    #[error(transparent)]
    Settle(#[from] SettleFromProviderError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How long the provider is trusted to remember a key, in seconds: an hour less than it says ("Idempotent
/// requests": at least 24 hours).
const KEY_TRUSTED_SECONDS: u32 = 23 * 3600;

/// How far the provider's clock may be from ours, in seconds.
const CLOCKS_APART_SECONDS: u32 = 300;

impl App {
    /// Gives the one intent that a customer can pay an order by, making it if there is none.
    ///
    /// That it will be made is committed before the provider is asked. So any number of callers, crashes and
    /// lost answers end in the same request with the same key, and in one intent. Of many callers at once one
    /// asks the provider, and the others wait for what it learns.
    pub async fn create_payment_intent(
        &self,
        which: &OrderRef,
        access: &Access,
    ) -> Result<PayableIntent, CreatePaymentIntentError> {
        let mut attempt = 1;
        loop {
            let found = self.load(which, access).await?;
            let order_id = found.value.id;
            let now = self.clock.now();
            let (guard, issued) = match found.value.request_intent(now)? {
                IntentPlan::Existing(intent) => {
                    (None, self.read_intent(&intent, found.version, Freshness::WithinASecond).await?)
                }
                IntentPlan::Create { request, decision } => {
                    if let Some(decision) = decision {
                        let changes = self.changes(found.version, *decision, now);
                        if let Err(error) = self.commit(changes).await {
                            self.again_after(error, &mut attempt).await?;
                            continue;
                        }
                    }
                    let guard = self.in_flight.begin(order_id, request);
                    let issued = match &guard {
                        Some(_) => self.perform_create_intent(&found.value, request).await,
                        None => Err(GatewayError::InFlight.into()),
                    };
                    match issued {
                        // Somebody else is guard the very same: what they learn will be stored.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::InFlight)) if attempt < ATTEMPTS_MAX => {
                            self.clock.pause(attempt).await;
                            attempt += 1;
                            continue;
                        }
                        // It was not made, and that is known now: the next request has another key.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::KeyExhausted(_)))
                            if attempt < ATTEMPTS_MAX =>
                        {
                            attempt += 1;
                            continue;
                        }
                        // The refusal is stored, and the next request goes without the e-mail address.
                        Err(CreatePaymentIntentError::Gateway(GatewayError::Refused(error)))
                            if attempt < ATTEMPTS_MAX
                                && found.value.goes_on_without(found.value.email.as_ref(), &error) =>
                        {
                            attempt += 1;
                            continue;
                        }
                        issued => (guard, issued?),
                    }
                }
            };
            let order = self.settle_answer("answer", &issued).await?;
            // Now that it is stored, whoever waited for it reads it.
            drop(guard);
            if order.payable_intent().is_some_and(|it| it.id == issued.snapshot.intent) {
                // What was learned is stored. Without its secret nobody can pay it: a repeat reads it again.
                let no_secret = || GatewayError::KeyExhausted("a payment intent without its client secret".into());
                let client_secret = issued.client_secret.ok_or_else(no_secret)?;
                return Ok(PayableIntent { order, client_secret });
            }
            // It has ended meanwhile. An order that it did not pay gets another.
            order.request_intent(now)?;
            if attempt >= ATTEMPTS_MAX {
                return Err(StoreError::Conflict.into());
            }
            tracing::debug!(order = %order_id, intent = %issued.snapshot.intent, "the payment intent has ended");
            attempt += 1;
        }
    }

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
}
