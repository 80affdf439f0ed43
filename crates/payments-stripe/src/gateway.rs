//! `PaymentGateway` over the Stripe client. It translates between domain and Stripe, and decides nothing.

use async_trait::async_trait;
use paywright_app::{GatewayError, IssuedIntent, IssuedRefund, NewIntent, PaymentGateway, ProviderRefund, ReadPayment};
use paywright_domain::id::{InstallationId, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError};
use paywright_domain::order::{CancelReason, Payer};
use paywright_domain::refund::RefundReason;
use paywright_domain::{IntentId, Money, Timestamp};
use reqwest::StatusCode;

use crate::amount_details::Parts;
use crate::error::{ApiError, NotSent, StripeError};
use crate::id::BadId;
use crate::metadata::Owner;
use crate::objects::{PaymentIntent, Refund};
use crate::requests::{
    AutomaticPaymentMethods, CancelPaymentIntent, CapturePaymentIntent, CreatePaymentIntent, CreateRefund, Empty, Post,
    Replaced, RetrievePaymentIntent, RetrieveRefund, UpdatePaymentIntent,
};
use crate::snapshots::{Unreadable, intent_error, proceeds_of, refund_of, snapshot_of};
use crate::{Answer, CancellationReason, Client, SetupUsage, StripeId};

/// Stripe behind the use cases' ports `PaymentGateway`, `ProviderRecords`, `ProviderBalance` and `Wallet`.
#[derive(Debug, Clone)]
pub struct StripeGateway {
    client: Client,
    now: fn() -> Timestamp,
    owner: Owner,
}

impl StripeGateway {
    /// Makes a gateway of a client. `now` is the clock from which answers get their `as_of`.
    pub const fn new(client: Client, now: fn() -> Timestamp) -> Self {
        Self { client, now, owner: Owner(None) }
    }

    /// The same gateway for one installation: objects that it creates name the installation in their metadata, and
    /// objects that name another one are foreign.
    #[must_use]
    pub fn of_installation(self, id: InstallationId) -> Self {
        Self { owner: Owner(Some(id)), ..self }
    }

    /// The same gateway for the worker, whose requests may wait longer for the rate limiter.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { client: self.client.in_background(), ..*self }
    }

    /// The same gateway for the books, whose requests wait for those of all others.
    #[must_use]
    pub fn for_books(&self) -> Self {
        Self { client: self.client.for_books(), ..*self }
    }

    /// The same gateway for shoppers, whose requests are limited to their share of Stripe's rate.
    #[must_use]
    pub fn for_shoppers(&self) -> Self {
        Self { client: self.client.for_shoppers(), ..*self }
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) const fn owner(&self) -> Owner {
        self.owner
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    fn issued(&self, answer: Answer<PaymentIntent>, as_of: Timestamp) -> Result<IssuedIntent, Unreadable> {
        let snapshot = snapshot_of(&answer.value, as_of, self.owner)?;
        Ok(IssuedIntent { snapshot, client_secret: answer.value.client_secret, request: answer.request_id })
    }

    /// Updates, cancels or captures a PaymentIntent. A replayed answer shows the intent as it was at the first request,
    /// so the intent is then read anew.
    async fn change<R: Post<Reply = PaymentIntent>>(
        &self,
        id: &IntentId,
        request: &R,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let requested_at = (self.now)();
        let answer = self.client.post(request, key).await.map_err(gateway_error)?;
        if answer.replayed {
            return self.intent(id).await;
        }
        self.issued(answer, requested_at).map_err(unknown)
    }

    /// Builds the creation request. A pure function of the stored order: a repeat under the same idempotency key must
    /// be the same to the letter.
    fn create_request(&self, new: &NewIntent) -> Result<CreatePaymentIntent, GatewayError> {
        let amount = wire(new.amount)?;
        let payer = PayerFields::of(&new.payer)?;
        Ok(CreatePaymentIntent {
            amount,
            currency: new.amount.currency().code().into(),
            customer: payer.customer,
            payment_method: payer.payment_method,
            setup_future_usage: payer.setup_future_usage,
            automatic_payment_methods: AutomaticPaymentMethods { enabled: true },
            capture_method: match new.capture {
                CaptureMethod::Automatic => crate::CaptureMethod::AutomaticAsync,
                CaptureMethod::Manual => crate::CaptureMethod::Manual,
            },
            description: Some(format!("Payment for Order #{}", new.number)),
            receipt_email: new.email.as_ref().map(|it| it.as_str().to_owned()),
            metadata: self.owner.of_intent(new),
            amount_details: Parts::of(new).map(Parts::for_creation),
        })
    }

    fn issued_refund(&self, answer: &Answer<Refund>) -> Result<IssuedRefund, Unreadable> {
        let snapshot = refund_of(&answer.value, self.owner)?;
        let snapshot = snapshot.ok_or_else(|| Unreadable::Foreign("a refund without a PaymentIntent".into()))?;
        Ok(IssuedRefund { snapshot, request: answer.request_id.clone() })
    }
}

fn stripe_id(id: &IntentId) -> Result<StripeId, GatewayError> {
    StripeId::new("pi_", id.as_str()).map_err(GatewayError::from)
}

#[async_trait]
impl PaymentGateway for StripeGateway {
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        let request = self.create_request(new)?;
        let intent = self.client.post(&request, key).await.map_err(|error| match error {
            // An object that the request names does not exist: a definite refusal, like any other.
            StripeError::Api(error) if error.status == StatusCode::NOT_FOUND => {
                GatewayError::Refused(intent_error(&error.body))
            }
            error @ (StripeError::Api(_)
            | StripeError::Unknown { .. }
            | StripeError::KeyExhausted(_)
            | StripeError::NotSent(_)) => gateway_error(error),
        })?;
        // Stripe repeats the first answer to a repeated key: the answer shows the intent as it was at its creation.
        let created = Timestamp::from_unix_seconds(intent.value.created).unwrap_or(Timestamp::EPOCH);
        let issued = self.issued(intent, created).map_err(unknown)?;
        Ok(IssuedIntent { snapshot: issued.snapshot.within_second(created), ..issued })
    }

    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError> {
        // Taken before the request is sent: a later change may be missing in the answer.
        let requested_at = (self.now)();
        let request = RetrievePaymentIntent { intent: stripe_id(id)?, expand: Vec::new() };
        let intent = self.client.get(&request).await.map_err(read_failure)?;
        self.issued(intent, requested_at).map_err(read_error)
    }

    async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError> {
        let requested_at = (self.now)();
        let expand = vec!["latest_charge.balance_transaction"];
        let request = RetrievePaymentIntent { intent: stripe_id(id)?, expand };
        let intent = self.client.get(&request).await.map_err(read_failure)?;
        let proceeds = proceeds_of(&intent.value);
        let proceeds = proceeds.map_err(|problem| GatewayError::NotUnderstood(problem.to_string()))?;
        Ok(ReadPayment { issued: self.issued(intent, requested_at).map_err(read_error)?, proceeds })
    }

    async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        let payer = PayerFields::of(&new.payer)?;
        let request = UpdatePaymentIntent {
            intent: stripe_id(id)?,
            amount: Some(wire(new.amount)?),
            customer: payer.customer,
            payment_method: payer.payment_method,
            setup_future_usage: payer.setup_future_usage,
            receipt_email: Some(new.email.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default()),
            metadata: Some(self.owner.of_intent(new)),
            // The parts of the old amount must not remain with the new one.
            amount_details: Some(match Parts::of(new) {
                Some(parts) => Replaced::With(parts.for_replacement()),
                None => Replaced::Cleared(Empty),
            }),
        };
        self.change(id, &request, key).await
    }

    async fn cancel_intent(
        &self,
        id: &IntentId,
        reason: CancelReason,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        let cancellation_reason = Some(match reason {
            CancelReason::Duplicate => CancellationReason::Duplicate,
            CancelReason::Fraudulent => CancellationReason::Fraudulent,
            CancelReason::RequestedByCustomer => CancellationReason::RequestedByCustomer,
            CancelReason::Abandoned => CancellationReason::Abandoned,
        });
        self.change(id, &CancelPaymentIntent { intent: stripe_id(id)?, cancellation_reason }, key).await
    }

    async fn capture_intent(
        &self,
        id: &IntentId,
        amount: Money,
        order: &NewIntent,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError> {
        // A partial capture does not say which of the order's lines it covers.
        let parts = Parts::of(order).filter(|_| amount == order.amount);
        let request = CapturePaymentIntent {
            intent: stripe_id(id)?,
            amount_to_capture: Some(wire(amount)?),
            amount_details: Some(parts.map_or_else(Parts::cleared, Parts::for_replacement)),
        };
        self.change(id, &request, key).await
    }

    async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError> {
        let request = CreateRefund {
            payment_intent: stripe_id(&new.intent)?,
            amount: Some(wire(new.amount)?),
            reason: new.reason.map(|it| match it {
                RefundReason::Duplicate => crate::RefundReason::Duplicate,
                RefundReason::Fraudulent => crate::RefundReason::Fraudulent,
                RefundReason::RequestedByCustomer => crate::RefundReason::RequestedByCustomer,
            }),
            metadata: self.owner.of_refund(new),
        };
        self.issued_refund(&self.client.post(&request, key).await.map_err(gateway_error)?).map_err(unknown)
    }

    fn clock_difference_seconds(&self) -> Option<i64> {
        self.client.stripe_time.ahead_of((self.now)())
    }

    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError> {
        let refund = StripeId::new("", id.as_str()).map_err(GatewayError::from)?;
        let answer = self.client.get(&RetrieveRefund { refund }).await.map_err(read_failure)?;
        self.issued_refund(&answer).map_err(read_error)
    }
}

/// Error of a change whose answer cannot be read: its outcome is unknown.
fn unknown(problem: Unreadable) -> GatewayError {
    GatewayError::Unknown(Box::new(problem))
}

/// Error of a read whose answer cannot be converted: nothing was changed, so no outcome is unknown.
fn read_error(problem: Unreadable) -> GatewayError {
    match problem {
        Unreadable::Foreign(reason) => GatewayError::Foreign(reason),
        problem @ Unreadable::Status(_) => GatewayError::NotUnderstood(problem.to_string()),
    }
}

fn refused(problem: &dyn std::fmt::Display) -> GatewayError {
    GatewayError::Refused(IntentError { message: Some(problem.to_string()), ..IntentError::default() })
}

fn wire(amount: Money) -> Result<i64, GatewayError> {
    amount.to_wire().map_err(|problem| refused(&problem))
}

/// Form fields that say who pays. The card of a known customer who has not chosen a saved one is saved.
struct PayerFields {
    customer: Option<StripeId>,
    payment_method: Option<StripeId>,
    setup_future_usage: Option<SetupUsage>,
}

impl PayerFields {
    fn of(payer: &Payer) -> Result<Self, GatewayError> {
        let id = |prefix, text: &str| StripeId::new(prefix, text).map_err(|problem| refused(&problem));
        let saves = payer.customer.is_some() && payer.payment_method.is_none();
        Ok(Self {
            customer: payer.customer.as_ref().map(|it| id("cus_", it.as_str())).transpose()?,
            payment_method: payer.payment_method.as_ref().map(|it| id("pm_", it.as_str())).transpose()?,
            setup_future_usage: saves.then_some(SetupUsage::OffSession),
        })
    }
}

/// Converts the client's error to the port's, by what a caller can do about it.
pub(crate) fn gateway_error(error: StripeError) -> GatewayError {
    match error {
        StripeError::Api(error) => refusal(&error),
        StripeError::Unknown { .. } => GatewayError::Unknown(Box::new(error)),
        StripeError::KeyExhausted(error) => GatewayError::KeyExhausted(Box::new(error)),
        // No attempt reached Stripe: the request may be sent again as a new one.
        StripeError::NotSent(reason) => match reason {
            NotSent::Queue { .. } => GatewayError::Busy(reason.to_string()),
            NotSent::NoConnection { .. } | NotSent::OutOfTime { .. } => GatewayError::Unreachable(Box::new(reason)),
            NotSent::BadId(_) | NotSent::Form(_) | NotSent::BadKey => GatewayError::Misconfigured(reason.to_string()),
        },
    }
}

/// Converts the error of a read. As [`gateway_error`], but a read is refused only because of the settings or of a
/// program in between, unless Stripe says that the object does not exist.
pub(crate) fn read_failure(error: StripeError) -> GatewayError {
    match error {
        StripeError::Api(error) if error.is_resource_missing() => GatewayError::NotFound(error.to_string()),
        StripeError::Api(error) => match refusal(&error) {
            GatewayError::Refused(_) | GatewayError::NotFound(_) => GatewayError::Misconfigured(error.to_string()),
            other @ (GatewayError::KeyExhausted(_)
            | GatewayError::Busy(_)
            | GatewayError::Unreachable(_)
            | GatewayError::InFlight
            | GatewayError::Misconfigured(_)
            | GatewayError::NotUnderstood(_)
            | GatewayError::Foreign(_)
            | GatewayError::Unknown(_)) => other,
        },
        error @ (StripeError::Unknown { .. } | StripeError::KeyExhausted(_) | StripeError::NotSent(_)) => {
            gateway_error(error)
        }
    }
}

/// Error of an id that no object at Stripe can have.
impl From<BadId> for GatewayError {
    fn from(problem: BadId) -> Self {
        Self::NotFound(problem.to_string())
    }
}

fn refusal(error: &ApiError) -> GatewayError {
    let is_key_reuse = error.body.kind == "idempotency_error";
    match error.status {
        // Stripe answers these before it checks the idempotency key, and saves nothing under it.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FAILED_DEPENDENCY => GatewayError::Busy(error.to_string()),
        StatusCode::CONFLICT => GatewayError::InFlight,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => GatewayError::Misconfigured(error.to_string()),
        // The key was first used with other parameters, by a version of Paywright that sent others. The outcome of that
        // request has to be looked up, as after a failure that Stripe repeats.
        _ if is_key_reuse => GatewayError::KeyExhausted(Box::new(error.clone())),
        StatusCode::NOT_FOUND => GatewayError::NotFound(error.to_string()),
        _ => {
            let mut refusal = intent_error(&error.body);
            // Whatever the code: the parameter says that Stripe refuses the email address.
            if error.body.param.as_deref() == Some("receipt_email") {
                refusal.code = Some(IntentError::EMAIL_INVALID.to_owned());
            }
            GatewayError::Refused(refusal)
        }
    }
}
