use std::error::Error as StdError;

use async_trait::async_trait;
use paywright_domain::{
    Adjustment, CancelReason, CaptureMethod, Content, CustomerId, Email, Epoch, IntentError, IntentId, IntentSnapshot,
    LineItem, Money, Order, OrderId, OrderNumber, Payer, Proceeds, Refund, RefundId, RefundReason, RefundSnapshot,
};
use secrecy::SecretString;
use thiserror::Error;
use uuid::Uuid;

/// The payment provider. An adapter translates and retries; it decides nothing about orders.
#[async_trait]
pub trait PaymentGateway: Send + Sync {
    /// Makes an intent, or gives the one that an earlier call with the same `key` made. The request must be
    /// the same for the same key. Dropping the future is an unknown outcome: the key is safe to send again.
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;

    /// Reads how an intent stands now.
    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError>;

    /// Reads how an intent stands now, and what came of its payment on the shop's balance, if that is known there.
    async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError>;

    /// Makes an intent ask for other content. As for every call with a key: the same request for the same key.
    async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;

    /// Gives an intent up, and releases what it holds.
    async fn cancel_intent(&self, id: &IntentId, reason: CancelReason, key: &str)
    -> Result<IssuedIntent, GatewayError>;

    /// Takes `amount` of what an intent holds, and releases the rest. `order` is what the intent was made for.
    async fn capture_intent(
        &self,
        id: &IntentId,
        amount: Money,
        order: &NewIntent,
        key: &str,
    ) -> Result<IssuedIntent, GatewayError>;

    /// Gives money back.
    async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError>;

    /// Reads how a refund stands now.
    async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError>;

    /// Seconds by which the provider's clock was ahead of this machine's at its last answer; behind it where that is
    /// negative. `None` where no answer has told.
    fn clock_difference_seconds(&self) -> Option<i64> {
        None
    }
}

/// What an intent is asked for with: a pure function of a stored order and a stored request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIntent {
    /// The order to be paid.
    pub order: OrderId,
    /// Its name for people.
    pub number: OrderNumber,
    /// Customer whose order it is, in the shop's own terms.
    pub customer: Option<CustomerId>,
    /// The revision of it.
    pub revision: u32,
    /// The epoch in which the request was decided; where there is one, the provider is told of the installation too.
    pub epoch: Option<Epoch>,
    /// How much is due.
    pub amount: Money,
    /// When the money moves.
    pub capture: CaptureMethod,
    /// Where the provider's receipt goes.
    pub email: Option<Email>,
    /// Who pays.
    pub payer: Payer,
    /// What is bought.
    pub lines: Vec<LineItem>,
    /// Shipping, taxes and discounts: with the lines they come to `amount`.
    pub adjustments: Vec<Adjustment>,
}

impl NewIntent {
    /// The same order with other content.
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

    /// The parameters that the order has at `revision`. Its content cannot change while a request for an intent, or an
    /// operation on one, is under way: a repeat has the same parameters.
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

/// An intent as the provider answered.
#[derive(Debug, Clone)]
pub struct IssuedIntent {
    /// How it stands.
    pub snapshot: IntentSnapshot,
    /// Client secret, with which a browser pays, where the provider gave one. Never stored, never logged.
    pub client_secret: Option<SecretString>,
    /// The provider's name for the request that it answered.
    pub request: Option<String>,
}

/// A payment as the provider answered.
#[derive(Debug, Clone)]
pub struct ReadPayment {
    /// Its intent.
    pub issued: IssuedIntent,
    /// Proceeds on the shop's balance; none where they are not known yet.
    pub proceeds: Option<Proceeds>,
}

/// What is to be given back: a pure function of a stored refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefund {
    /// Whose money.
    pub intent: IntentId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Name by which the provider is to remember it.
    pub name: String,
    /// The epoch in which it was decided; where there is one, the provider is told of the installation too.
    pub epoch: Option<Epoch>,
    /// Digest of the request that it is made for, which the provider is to remember.
    pub request: Option<Uuid>,
}

impl ProviderRefund {
    /// What `refund` of `order` is asked for with.
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

/// A refund as the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedRefund {
    /// How it stands.
    pub snapshot: RefundSnapshot,
    /// The provider's name for the request that it answered.
    pub request: Option<String>,
}

/// Why there is no answer to work with.
#[derive(Debug, Error)]
pub enum GatewayError {
    /// The provider did what was asked, and the answer is no. Asking the same again gives the same.
    #[error("the payment provider refused: {}", .0.message.as_deref().or(.0.code.as_deref()).unwrap_or("no reason given"))]
    Refused(IntentError),
    /// The provider does not know the thing asked for.
    #[error("the payment provider does not know what was asked for")]
    NotFound,
    /// The key is exhausted: the provider failed at it and repeats that for as long as it remembers the key, or it
    /// remembers the key with other parameters. Whether it was carried out must be looked up; if it was not, only
    /// another key can bring it about.
    #[error("the payment provider takes this idempotency key for no other answer: {0}")]
    KeyExhausted(#[source] Box<dyn StdError + Send + Sync>),
    /// The provider did nothing and wants to be asked later: by this answer to this call.
    #[error("the payment provider is busy: {0}")]
    Busy(String),
    /// Another request with the same key is being answered at this moment; this one did nothing.
    #[error("the payment provider is still answering the same request")]
    InFlight,
    /// The provider will refuse everything until an operator changes something: the API key, its rights or the
    /// account.
    #[error("the payment provider cannot be used with these settings: {0}")]
    Misconfigured(String),
    /// The provider answered a read with something that is newer than this program, a status that it does not know.
    #[error("the payment provider's answer is not understood: {0}")]
    NotUnderstood(String),
    /// The provider answered a read with an object that no order of this installation can have: it is of another
    /// installation or program on the same account.
    #[error("the payment provider's object is not one of ours: {0}")]
    Foreign(String),
    /// Nobody knows whether it was done. Never a failure: the same key must be sent again.
    #[error("the payment provider did not answer; whether the request was carried out is unknown: {0}")]
    Unknown(#[source] Box<dyn StdError + Send + Sync>),
}
