use std::error::Error as StdError;

use async_trait::async_trait;
use paywright_domain::id::{CustomerId, Epoch, OrderNumber, RefundId};
use paywright_domain::intent::{CaptureMethod, IntentError, Proceeds};
use paywright_domain::order::{Adjustment, CancelReason, Content, Payer};
use paywright_domain::refund::{Refund, RefundReason, RefundSnapshot};
use paywright_domain::task::ProviderFailure;
use paywright_domain::text::Email;
use paywright_domain::{IntentId, IntentSnapshot, LineItem, Money, Order, OrderId};
use secrecy::SecretString;
use thiserror::Error;
use uuid::Uuid;

/// Port to Stripe's PaymentIntents and refunds. An adapter translates and retries; it decides nothing about orders.
///
/// A call with a `key` sends it as Stripe's idempotency key: the same key must always come with the same parameters,
/// and a repeated call returns the object that the first one created or changed. Dropping the future of such a call is
/// an unknown outcome, after which the same call is safe to send again. A call that gets no answer, after all retries,
/// ends as [`GatewayError::Unknown`].
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Creates a PaymentIntent, or returns the one that an earlier call with the same `key` created.
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;

    /// Reads a PaymentIntent. [`GatewayError::NotFound`] if Stripe has none with this id.
    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError>;

    /// Reads a PaymentIntent as [`Self::intent`], and its proceeds on the Stripe balance where Stripe has booked them.
    async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError>;

    /// Updates a PaymentIntent to the parameters of `new`: amount, amount details, payer, receipt address and metadata.
    async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;

    /// Cancels a PaymentIntent, which releases its authorization.
    async fn cancel_intent(&self, id: &IntentId, reason: CancelReason, key: &str)
    -> Result<IssuedIntent, GatewayError>;

    /// Captures `amount` of a PaymentIntent's authorization and releases the rest. `order` has the parameters that the
    /// intent was created or last updated with.
    async fn capture_intent(
        &self,
        id: &IntentId,
        amount: Money,
        order: &NewIntent,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError>;

    /// Creates a refund, or returns the one that an earlier call with the same `key` created.
    async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError>;

    /// Reads a refund. [`GatewayError::NotFound`] if Stripe has none with this id.
    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError>;

    /// Seconds by which Stripe's clock was ahead of this machine's at Stripe's last answer; negative where it was
    /// behind. `None` before the first answer that had a date.
    fn clock_difference_seconds(&self) -> Option<i64> {
        None
    }
}

/// Parameters with which a PaymentIntent is created or updated: a pure function of a stored order and a stored request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntent {
    /// Id of the order to be paid.
    pub order: OrderId,
    /// Number of the order, which people read.
    pub number: OrderNumber,
    /// The shop's id of the customer whose order it is.
    pub customer: Option<CustomerId>,
    /// Revision of the order that the parameters are for.
    pub revision: u32,
    /// Epoch in which the request was decided. With one, the metadata names the installation; without one, the request
    /// is from before epochs were stored, and the metadata does not.
    pub epoch: Option<Epoch>,
    /// Amount due.
    pub amount: Money,
    /// Whether the payment is captured automatically or by the shop.
    pub capture: CaptureMethod,
    /// Address to which Stripe sends its receipt.
    pub email: Option<Email>,
    /// Stripe customer and payment method of the payer.
    pub payer: Payer,
    /// Line items of the order.
    pub lines: Vec<LineItem>,
    /// Shipping, taxes and discounts. The sum of lines and adjustments is `amount`.
    pub adjustments: Vec<Adjustment>,
}

impl NewIntent {
    /// Parameters of `order` with the content of an edit that is under way.
    pub(crate) fn with_content(order: &Order, content: &Content, epoch: Option<Epoch>) -> Self {
        Self {
            order: order.id,
            number: order.number.clone(),
            customer: order.customer.clone().or_else(|| content.customer.clone()),
            revision: content.revision,
            epoch,
            amount: content.total,
            capture: order.capture,
            email: order.receipt_email(content.email.as_ref()).cloned(),
            payer: content.payer.clone(),
            lines: content.lines.clone(),
            adjustments: content.adjustments.clone(),
        }
    }

    /// Parameters of `order` at `revision`. The content of an order cannot change while a PaymentIntent request or an
    /// operation is under way, so a repeated call has the same parameters.
    pub(crate) fn of(order: &Order, revision: u32, epoch: Option<Epoch>) -> Self {
        Self {
            order: order.id,
            number: order.number.clone(),
            customer: order.customer.clone(),
            revision,
            epoch,
            amount: order.total,
            capture: order.capture,
            email: order.receipt_email(order.email.as_ref()).cloned(),
            payer: order.payer.clone(),
            lines: order.lines.clone(),
            adjustments: order.adjustments.clone(),
        }
    }
}

/// A PaymentIntent in an answer of Stripe.
#[derive(Debug, Clone)]
pub struct IssuedIntent {
    /// The PaymentIntent at the time of the answer.
    pub snapshot: IntentSnapshot,
    /// Client secret with which a browser confirms the PaymentIntent, where the answer had one. Never stored or logged.
    pub client_secret: Option<SecretString>,
    /// Stripe's id of the request (`req_…`).
    pub request: Option<String>,
}

/// A PaymentIntent in an answer of Stripe, with its proceeds.
#[derive(Debug, Clone)]
pub struct ReadPayment {
    /// The PaymentIntent.
    pub issued: IssuedIntent,
    /// Proceeds on the Stripe balance; `None` where Stripe has not booked them yet.
    pub proceeds: Option<Proceeds>,
}

/// Parameters with which a refund is created: a pure function of a stored refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefund {
    /// Id of the PaymentIntent whose money is refunded.
    pub intent: IntentId,
    /// Amount to refund.
    pub amount: Money,
    /// Reason of the refund, as Stripe enumerates them.
    pub reason: Option<RefundReason>,
    /// Name of the refund in its metadata: the order and the number of the refund.
    pub name: String,
    /// Epoch in which the refund was decided. With one, the metadata names the installation; without one, the refund is
    /// from before epochs were stored, and the metadata does not.
    pub epoch: Option<Epoch>,
    /// Digest of the caller's idempotency key, stored in the refund's metadata.
    pub request: Option<Uuid>,
}

impl ProviderRefund {
    /// Parameters of `refund`, which belongs to `order`.
    pub(crate) fn of(order: OrderId, refund: &Refund) -> Self {
        Self {
            intent: refund.intent.clone(),
            amount: refund.amount,
            reason: refund.reason,
            name: refund.name(order),
            epoch: refund.epoch,
            request: refund.request,
        }
    }
}

/// A refund in an answer of Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRefund {
    /// The refund at the time of the answer.
    pub snapshot: RefundSnapshot,
    /// Stripe's id of the request (`req_…`).
    pub request: Option<String>,
}

/// Why a call to Stripe did not succeed.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// Stripe refused the request, and changed nothing. The same request would be refused again.
    #[error("Stripe refused the request: {}", .0.message.as_deref().or(.0.code.as_deref()).unwrap_or("no reason given"))]
    Refused(IntentError),
    /// Stripe has no object with the requested id. The text names the call and what Stripe answered.
    #[error("Stripe has no such object: {0}")]
    NotFound(String),
    /// The idempotency key is exhausted: Stripe stored a server error under it and repeats that for as long as it keeps
    /// the key, or stored the key with other parameters. The caller must find out in Stripe's lists whether the request
    /// was carried out; if it was not, only a request under another key can succeed.
    #[error("the idempotency key can no longer succeed at Stripe: {0}")]
    KeyExhausted(#[source] Box<dyn StdError + Send + Sync>),
    /// A rate or lock limit was reached, at Stripe or in this process: the request was not carried out, and may be sent
    /// later.
    #[error("Stripe is busy: {0}")]
    Busy(String),
    /// No connection to Stripe was made (refused, an unknown name, a certificate that is not trusted): the request was
    /// not carried out, and may be sent later.
    #[error("Stripe cannot be reached: {0}")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// Another request with the same key is in flight; this one was not carried out.
    #[error("Stripe is still answering the same request")]
    InFlight,
    /// Stripe refuses every request until an operator changes the API key, its permissions or the account.
    #[error("Stripe cannot be used with these settings: {0}")]
    Misconfigured(String),
    /// The object that was read has a value that this version does not know, such as a new status.
    #[error("Stripe's answer is not understood: {0}")]
    NotUnderstood(String),
    /// The object that was read can belong to no order of this installation: another installation or program on the
    /// same Stripe account made it.
    #[error("the object at Stripe belongs to another installation or program: {0}")]
    Foreign(String),
    /// No definite answer arrived. Not a failure: the request may have been carried out, and must be sent again under
    /// the same key.
    #[error("Stripe did not answer, so whether the request was carried out is unknown: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
}

impl GatewayError {
    /// Definite failure of the request, which is to be decided on; `None` if the request is to be sent again under the
    /// same key.
    pub fn failure(&self) -> Option<ProviderFailure> {
        match self {
            Self::Refused(error) => Some(ProviderFailure::Refused(error.clone())),
            Self::KeyExhausted(_) => Some(ProviderFailure::KeyExhausted),
            Self::NotFound(_)
            | Self::Busy(_)
            | Self::Unreachable(_)
            | Self::InFlight
            | Self::Misconfigured(_)
            | Self::NotUnderstood(_)
            | Self::Foreign(_)
            | Self::Unknown(_) => None,
        }
    }
}
