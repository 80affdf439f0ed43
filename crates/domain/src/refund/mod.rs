//! Refunds. A refund is stored with its order before it is requested at Stripe; Stripe's answers and events about it,
//! or about one that was made elsewhere, are folded in by Stripe's id of the refund.
//!
//! ```
//! use paywright_domain::refund::{NewRefund, RefundStatus};
//! use paywright_domain::{Currency, Money, Task};
//! # use paywright_domain::anomaly::Policies;
//! # use paywright_domain::intent::IntentStatus;
//! # use paywright_domain::uuid::Uuid;
//! # use paywright_domain::{IntentId, IntentSnapshot, LineItem, NewOrder, Order, OrderId, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Timestamp::from_unix_seconds(1_743_415_050)?;
//! # let lines = vec![LineItem::new("Bone", Money::new(300, Currency::Usd)?, 2)?];
//! # let new = NewOrder { lines, ..NewOrder::empty(Currency::Usd) };
//! # let order = Order::place(OrderId(Uuid::from_u128(9)), new, now)?.order;
//! # let created = IntentSnapshot::new(IntentId::new("pi_1")?, order.id, order.total, now);
//! # let seen = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
//! # let paid = order.settle(&seen, &Policies::DEFAULT, now)?.order;
//! let part = NewRefund { amount: Some(Money::new(100, Currency::Usd)?), ..NewRefund::default() };
//! let (requested, number) = paid.refund(&part, now)?;
//! assert_eq!(requested.order.refund_numbered(number).map(|it| it.status), Some(RefundStatus::Requested));
//! // The task sends the request to Stripe after the commit.
//! assert_eq!(requested.tasks, [Task::Refund { refund: number }]);
//! # Ok(())
//! # }
//! ```

mod close;

use std::fmt;

use thiserror::Error;
use uuid::Uuid;

pub use self::close::{CloseError, Closing, NewClosing};
use crate::anomaly::NoticeKind;
use crate::id::{Epoch, RefundId};
use crate::intent::{IntentError, PaymentIntent};
use crate::money::MoneyError;
use crate::task::{KEY_EXHAUSTED, ProviderFailure, ProviderRequest};
use crate::{Decision, Fact, IntentId, Money, Order, OrderId, Task, Timestamp};

/// Status of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundStatus {
    /// Committed here; Stripe has not answered yet.
    Requested,
    /// Pending at Stripe.
    Pending,
    /// Waits for the customer, who must give Stripe bank details.
    RequiresAction,
    /// Refunded. It may still fail, when the customer's bank returns the money.
    Succeeded,
    /// Not made, or returned: the shop has the money. A final status.
    Failed,
    /// Canceled: the shop has the money. A final status.
    Canceled,
}

variant_names! {
    /// Stripe's name of the status; `requested` is our own.
    RefundStatus {
        Requested => "requested",
        Pending => "pending",
        RequiresAction => "requires_action",
        Succeeded => "succeeded",
        Failed => "failed",
        Canceled => "canceled",
    }
}

impl RefundStatus {
    /// Finds the status with this name at Stripe.
    pub fn from_stripe(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it != Self::Requested && it.name() == name)
    }

    /// Whether the money is refunded, or may be at any time.
    pub const fn holds_money(self) -> bool {
        match self {
            Self::Requested | Self::Pending | Self::RequiresAction | Self::Succeeded => true,
            Self::Failed | Self::Canceled => false,
        }
    }

    /// Whether the refund need not be polled any more. Stripe sends an event if a succeeded refund fails later.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Canceled => true,
            Self::Requested | Self::Pending | Self::RequiresAction => false,
        }
    }

    /// Rank in the lattice of statuses: a refund only rises, in whatever order its updates come.
    const fn rank(self) -> u8 {
        match self {
            Self::Requested => 0,
            Self::Pending => 1,
            Self::RequiresAction => 2,
            Self::Succeeded => 3,
            Self::Failed | Self::Canceled => 4,
        }
    }
}

impl fmt::Display for RefundStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

parsed_by_name! { RefundStatus: "a status of a refund" }

/// Reason of a refund, as Stripe's parameter `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundReason {
    /// The payment was charged twice.
    Duplicate,
    /// The payment is fraudulent.
    Fraudulent,
    /// The customer requested the refund.
    RequestedByCustomer,
}

variant_names! {
    /// Name at Stripe, in the API and in stored rows.
    RefundReason {
        Duplicate => "duplicate",
        Fraudulent => "fraudulent",
        RequestedByCustomer => "requested_by_customer",
    }
}

parsed_by_name! { RefundReason: "a reason of a refund" }

/// Origin of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundOrigin {
    /// Request of the shop, by the API.
    Shop,
    /// Policy on money that does not match the order.
    Policy,
    /// Stripe's dashboard, or another program on the account.
    Provider,
}

variant_names! {
    /// Name in the API and in stored rows.
    RefundOrigin {
        Shop => "shop",
        Policy => "policy",
        Provider => "provider",
    }
}

parsed_by_name! { RefundOrigin: "an origin of a refund" }

/// Refund of a payment of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Refund {
    /// Number within the order, from 1.
    pub number: u32,
    /// PaymentIntent that is refunded.
    pub intent: IntentId,
    /// Amount to refund.
    pub amount: Money,
    /// Reason given to Stripe.
    pub reason: Option<RefundReason>,
    /// Origin of the refund.
    pub origin: RefundOrigin,
    /// Latest known status.
    pub status: RefundStatus,
    /// Stripe's id of the refund (`re_…`), once it is known.
    pub provider_id: Option<RefundId>,
    /// Number of the attempt to request it at Stripe, from 1. It grows only after a definite failure, since Stripe
    /// repeats its saved answer to a repeated key.
    pub attempt: u32,
    /// Reason why it failed, or why Stripe could not make it yet.
    pub failure: Option<RefundFailure>,
    /// Time at which it was committed, or became known.
    pub requested_at: Timestamp,
    /// Epoch in which it was committed, or became known; `None` in refunds that were stored before there were epochs.
    pub epoch: Option<Epoch>,
    /// Digest of the idempotency key of the shop's request. It is in the refund's metadata at Stripe, so that a
    /// repeated request is recognized also after a restore from a backup has lost the refund.
    pub request: Option<Uuid>,
    /// Closing of the failed refund by a person ([`Order::close_refund`]); `None` if nobody has closed it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub closing: Option<Closing>,
}

impl Refund {
    /// Name of the refund in its metadata at Stripe (`metadata.refund_id`).
    pub fn name(&self, order: OrderId) -> String {
        format!("{order}:{}{}", self.number, Epoch::suffix(self.epoch))
    }

    /// Stripe's idempotency key of the request.
    pub fn idempotency_key(&self, order: OrderId) -> String {
        let name = self.name(order);
        if self.attempt == 1 { format!("refund:{name}") } else { format!("refund:{name}:{}", self.attempt) }
    }
}

/// Reason why a refund failed, or why Stripe could not make it yet. Stored and shown as a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "String", into = "String"))]
pub enum RefundFailure {
    /// The idempotency key was exhausted: see [`ProviderFailure::KeyExhausted`].
    KeyExhausted,
    /// The refund became unnecessary: another one of the same money was made, or the money is due after all.
    Superseded,
    /// Stripe does not have the money that an event reported.
    PaymentNotConfirmed,
    /// Stripe's error code, its message, or the `failure_reason` of the refund.
    Stripe(String),
}

impl RefundFailure {
    const SUPERSEDED: &str = "superseded";
    const PAYMENT_NOT_CONFIRMED: &str = "payment_not_confirmed";

    /// Whether the reason may pass by itself: the key was exhausted, or the shop's balance at Stripe is too low for now.
    /// Stripe names the latter in the error's code, or in its message alone.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::KeyExhausted => true,
            Self::Stripe(text) => IntentError::BALANCE_TOO_LOW.contains(&text.as_str()),
            Self::Superseded | Self::PaymentNotConfirmed => false,
        }
    }

    /// Text in stored rows and in the API.
    pub fn as_str(&self) -> &str {
        match self {
            Self::KeyExhausted => KEY_EXHAUSTED,
            Self::Superseded => Self::SUPERSEDED,
            Self::PaymentNotConfirmed => Self::PAYMENT_NOT_CONFIRMED,
            Self::Stripe(text) => text,
        }
    }
}

impl From<String> for RefundFailure {
    fn from(text: String) -> Self {
        match text.as_str() {
            KEY_EXHAUSTED => Self::KeyExhausted,
            Self::SUPERSEDED => Self::Superseded,
            Self::PAYMENT_NOT_CONFIRMED => Self::PaymentNotConfirmed,
            _ => Self::Stripe(text),
        }
    }
}

impl From<RefundFailure> for String {
    fn from(failure: RefundFailure) -> Self {
        failure.as_str().to_owned()
    }
}

impl From<&ProviderFailure> for RefundFailure {
    fn from(failure: &ProviderFailure) -> Self {
        match failure {
            ProviderFailure::KeyExhausted => Self::KeyExhausted,
            ProviderFailure::Refused(error) => {
                let text = error.code.as_ref().or(error.message.as_ref());
                Self::from(text.cloned().unwrap_or_else(|| "refused".to_owned()))
            }
        }
    }
}

impl fmt::Display for RefundFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Refund that the shop requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRefund {
    /// Amount to refund; by default all that is left and not disputed, less the closed refunds
    /// ([`Order::close_refund`]).
    pub amount: Option<Money>,
    /// PaymentIntent to refund; by default the one that paid the order.
    pub intent: Option<IntentId>,
    /// Reason given to Stripe.
    pub reason: Option<RefundReason>,
    /// Digest of the request's idempotency key: see [`Refund::request`].
    pub request: Option<Uuid>,
}

/// Why a refund is not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefundError {
    /// No money was received that could be refunded.
    #[error("no money was received for the order that could be refunded")]
    NothingReceived,
    /// All of the money is refunded, or being refunded; or what is left went back in another way, and no amount was named.
    #[error("all that was received has been refunded, or is being refunded, or its refund was closed")]
    NothingLeft,
    /// The amount is zero, or more than is left.
    #[error("the amount to refund must be more than zero and at most {}", .left.to_decimal())]
    Amount {
        /// Amount received and not refunded.
        left: Money,
    },
    /// Stripe's API cannot represent the amount.
    #[error("the amount to refund {0}")]
    NotOnTheWire(MoneyError),
    /// The disputed money was withdrawn and not reinstated: a refund would pay the customer twice.
    #[error("the payment is disputed, and the bank has already taken money of it back: at most {} can be refunded", .undisputed.to_decimal())]
    Disputed {
        /// Amount that is left and not disputed.
        undisputed: Money,
    },
}

/// Refund as it was at Stripe at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RefundSnapshot {
    /// Stripe's id of the refund (`re_…`).
    pub id: RefundId,
    /// Name in the refund's metadata: see [`Refund::name`].
    pub name: Option<String>,
    /// PaymentIntent that is refunded.
    pub intent: IntentId,
    /// Amount of the refund.
    pub amount: Money,
    /// Reason given to Stripe.
    pub reason: Option<RefundReason>,
    /// Status of the refund.
    pub status: RefundStatus,
    /// Stripe's `failure_reason`, if the refund failed.
    pub failure: Option<String>,
    /// Digest in the refund's metadata of the request that it was made for: see [`Refund::request`].
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub request: Option<Uuid>,
}

/// Why an update of a refund is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RefundUpdateError {
    /// The refund is of a PaymentIntent of another order.
    #[error("the refunded PaymentIntent does not belong to the order")]
    NotOurs,
    /// The refund is larger than the amount that the order has recorded as received: the payment must be read first.
    #[error("the refund is larger than the amount that is known to be received")]
    AheadOfMoney,
}

/// Maximum number of attempts to request a refund at Stripe.
pub const REFUND_ATTEMPTS_MAX: u32 = 12;

impl Order {
    /// Decides on a refund that the shop requests, and returns its number.
    pub fn refund(&self, new: &NewRefund, now: Timestamp) -> Result<(Decision, u32), RefundError> {
        let intent = match (&new.intent, self.paid_by()) {
            (Some(id), _) => self.intent(id).ok_or(RefundError::NothingReceived)?,
            (None, Some(intent)) => intent,
            // An order that is held for review has money too, of one intent as a rule.
            (None, None) => {
                let waits = |it: &&PaymentIntent| !self.left_to_decide_of(&it.id).is_zero();
                let has_money = |it: &&PaymentIntent| !self.left_of(&it.id).is_zero();
                let of_order = || self.intents.iter();
                of_order().find(waits).or_else(|| of_order().find(has_money)).ok_or(RefundError::NothingReceived)?
            }
        };
        if intent.received.is_zero() {
            return Err(RefundError::NothingReceived);
        }
        let left = self.left_of(&intent.id);
        if left.is_zero() {
            return Err(RefundError::NothingLeft);
        }
        let undisputed = self.undisputed_of(&intent.id);
        let by_default = self.less_closed_refunds(&intent.id, if undisputed.is_zero() { left } else { undisputed });
        if new.amount.is_none() && by_default.is_zero() {
            return Err(RefundError::NothingLeft);
        }
        let amount = new.amount.unwrap_or(by_default);
        if amount.is_zero() || undisputed.minus(amount).is_err() {
            let is_left = !amount.is_zero() && left.minus(amount).is_ok();
            return Err(if is_left { RefundError::Disputed { undisputed } } else { RefundError::Amount { left } });
        }
        amount.to_wire().map_err(RefundError::NotOnTheWire)?;
        let mut decision = Decision::unchanged(self.clone());
        let number = decision.request_refund(intent.id.clone(), amount, new.reason, RefundOrigin::Shop, now);
        decision.set_refund_request(number, new.request);
        Ok((decision.dated(now), number))
    }

    /// Records a refund as it is at Stripe: one of ours, recognized by Stripe's id or by its name and amount, or one
    /// that was made elsewhere. Updates may be repeated and come in any order. They never change the amount that was
    /// requested here.
    pub fn update_refund(&self, update: &RefundSnapshot, now: Timestamp) -> Result<Decision, RefundUpdateError> {
        let mut decision = Decision::unchanged(self.clone());
        let intent = self.intent(&update.intent).ok_or(RefundUpdateError::NotOurs)?;
        let by_id = self.refunds.iter().find(|it| it.provider_id.as_ref() == Some(&update.id));
        let named = self
            .refunds
            .iter()
            .find(|it| it.provider_id.is_none() && update.name.as_deref() == Some(it.name(self.id).as_str()));
        let known = by_id.or_else(|| named.filter(|it| it.amount == update.amount));
        // After a restore the name was used again: Stripe's refund is another one than ours of this name.
        let differs = named.filter(|_| known.is_none());
        if by_id.is_some_and(|it| update.status.rank() <= it.status.rank()) {
            return Ok(decision);
        }
        let takes_money = update.status.holds_money() && !known.is_some_and(|it| it.status.holds_money());
        let of_policy = if takes_money { decision.make_room(update)? } else { None };
        let is_closed = known.is_some_and(|it| it.closing.is_some());
        let number = known.map_or_else(|| decision.import_refund(update, now), |it| it.number);
        decision.apply_refund_update(number, update, now);
        if takes_money && is_closed {
            let kind = NoticeKind::ClosedRefundMade { refund: number };
            decision.record_notice(intent.id.clone(), kind, None, now);
        }
        if let Some(Refund { number: refund, amount: requested, .. }) = differs.cloned() {
            let kind = NoticeKind::RefundDiffers { refund, requested, made: update.amount };
            decision.record_notice(intent.id.clone(), kind, Some(update.id.as_str().to_owned()), now);
        }
        if decision.order.received_beyond_refunds(&intent.id).is_none() {
            return Err(RefundUpdateError::AheadOfMoney);
        }
        let rest = decision.order.left_of(&intent.id);
        if let Some(of_policy) = of_policy.filter(|_| !rest.is_zero()) {
            decision.request_refund(intent.id.clone(), rest, of_policy.reason, RefundOrigin::Policy, now);
        }
        Ok(decision.dated(now))
    }

    /// Records that the request for a refund has definitely failed at Stripe. After an exhausted key, or where the
    /// shop's balance is too low, it is requested again later under a new key, with [`REFUND_ATTEMPTS_MAX`] attempts in
    /// all; any other refusal ends it. The failure of an earlier attempt changes nothing.
    pub fn refund_request_failed(
        &self,
        number: u32,
        attempt: u32,
        failure: &ProviderFailure,
        now: Timestamp,
    ) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        let is_it =
            |it: &&mut Refund| it.number == number && it.attempt == attempt && it.status == RefundStatus::Requested;
        let Some(refund) = decision.order.data.refunds.iter_mut().find(is_it) else { return decision };
        let reason = RefundFailure::from(failure);
        let text = Some(reason.to_string());
        let intent = refund.intent.clone();
        if reason.may_pass() && attempt < REFUND_ATTEMPTS_MAX {
            refund.attempt += 1;
            refund.failure = Some(reason);
            match failure {
                ProviderFailure::KeyExhausted => {
                    let request = ProviderRequest::Refund { refund: number };
                    decision.facts.push(Fact::RequestFailed { request, failure: failure.clone() });
                }
                ProviderFailure::Refused(_) => {
                    decision.record_notice(intent, NoticeKind::RefundDelayed { refund: number }, text, now);
                }
            }
        } else {
            decision.move_refund(number, RefundStatus::Failed, Some(reason));
            decision.record_notice(intent, NoticeKind::RefundFailed { refund: number }, text, now);
        }
        decision.dated(now)
    }

    /// Finds the refund with this number.
    pub fn refund_numbered(&self, number: u32) -> Option<&Refund> {
        self.refunds.iter().find(|it| it.number == number)
    }

    /// Finds the refund that the request with this digest made: see [`Refund::request`].
    pub fn refund_requested_by(&self, request: Uuid) -> Option<&Refund> {
        self.refunds.iter().find(|it| it.request == Some(request))
    }

    /// Amount refunded of an intent, or being refunded, in minor units: never more than was received.
    pub fn refunded_of(&self, intent: &IntentId) -> i64 {
        let refunds = self.refunds.iter().filter(|it| it.intent == *intent && it.status.holds_money());
        refunds.map(|it| it.amount.minor()).sum()
    }

    /// Amount received by an intent and not refunded.
    pub fn left_of(&self, intent: &IntentId) -> Money {
        let left = self.received_beyond_refunds(intent);
        left.unwrap_or_else(|| {
            Money::zero(self.intent(intent).map_or(self.total.currency(), crate::intent::PaymentIntent::currency))
        })
    }

    /// Amount received by an intent and not refunded; `None` if more was refunded than received.
    fn received_beyond_refunds(&self, intent: &IntentId) -> Option<Money> {
        let received = self.intent(intent)?.received;
        Money::new(received.minor() - self.refunded_of(intent), received.currency()).ok()
    }
}

impl Decision {
    /// Fails requested refunds of ours, the newest first, until there is money for a refund that Stripe has made.
    /// Stripe cannot have made all of them: it never refunds more than was received. If one of the failed ones was made
    /// after all, its own update says so. Returns the policy's refund if it is among them: the rest of its money is
    /// refunded all the same.
    fn make_room(&mut self, update: &RefundSnapshot) -> Result<Option<Refund>, RefundUpdateError> {
        let mut of_policy = None;
        while self.order.left_of(&update.intent).minus(update.amount).is_err() {
            let is_unreported = |it: &&Refund| {
                it.intent == update.intent && it.status == RefundStatus::Requested && it.provider_id.is_none()
            };
            let superseded = self.order.refunds.iter().rev().find(is_unreported).cloned();
            let superseded = superseded.ok_or(RefundUpdateError::AheadOfMoney)?;
            self.move_refund(superseded.number, RefundStatus::Failed, Some(RefundFailure::Superseded));
            if superseded.origin == RefundOrigin::Policy {
                of_policy = Some(superseded);
            }
        }
        Ok(of_policy)
    }

    /// Adds a refund that was made elsewhere to the order.
    fn import_refund(&mut self, update: &RefundSnapshot, now: Timestamp) -> u32 {
        let number = self.add_refund(update.intent.clone(), update.amount, update.reason, RefundOrigin::Provider, now);
        self.set_refund_request(number, update.request);
        if !update.status.is_settled() {
            self.tasks.push(Task::Refund { refund: number });
        }
        number
    }

    /// Adds a refund to the order, with the task that requests it at Stripe.
    pub(crate) fn request_refund(
        &mut self,
        intent: IntentId,
        amount: Money,
        reason: Option<RefundReason>,
        origin: RefundOrigin,
        now: Timestamp,
    ) -> u32 {
        let number = self.add_refund(intent, amount, reason, origin, now);
        self.tasks.push(Task::Refund { refund: number });
        number
    }

    fn add_refund(
        &mut self,
        intent: IntentId,
        amount: Money,
        reason: Option<RefundReason>,
        origin: RefundOrigin,
        now: Timestamp,
    ) -> u32 {
        let number = u32::try_from(self.order.refunds.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.facts.push(Fact::RefundRequested { refund: number, intent: intent.clone(), amount, origin });
        self.order.data.refunds.push(Refund {
            number,
            intent,
            amount,
            reason,
            origin,
            status: RefundStatus::Requested,
            provider_id: None,
            attempt: 1,
            failure: None,
            requested_at: now,
            epoch: Some(self.order.epoch),
            request: None,
            closing: None,
        });
        number
    }

    /// Stores the digest of the request that a refund is made for: see [`Refund::request`].
    fn set_refund_request(&mut self, number: u32, request: Option<Uuid>) {
        if let Some(refund) = self.order.data.refunds.iter_mut().find(|it| it.number == number) {
            refund.request = request;
        }
    }

    fn apply_refund_update(&mut self, number: u32, update: &RefundSnapshot, now: Timestamp) {
        if let Some(refund) = self.order.data.refunds.iter_mut().find(|it| it.number == number) {
            refund.provider_id = Some(update.id.clone());
        }
        self.move_refund(number, update.status, update.failure.clone().map(RefundFailure::from));
        if update.status == RefundStatus::Failed {
            let kind = NoticeKind::RefundFailed { refund: number };
            self.record_notice(update.intent.clone(), kind, update.failure.clone(), now);
        }
    }

    pub(crate) fn move_refund(&mut self, number: u32, status: RefundStatus, failure: Option<RefundFailure>) {
        let Some(refund) = self.order.data.refunds.iter_mut().find(|it| it.number == number) else { return };
        let before = refund.status;
        refund.status = status;
        refund.failure.clone_from(&failure);
        let provider_id = refund.provider_id.clone();
        if status.is_settled() {
            self.finished.push(Task::Refund { refund: number }.key());
        }
        self.facts.push(Fact::RefundChanged { refund: number, provider_id, before, status, failure });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::{AnomalyKind, Policies};
    use crate::intent::IntentStatus;
    use crate::order::tests::{at, placed, usd};
    use crate::order::{OrderState, PaymentState};

    pub(crate) fn intent() -> IntentId {
        IntentId::new("pi_1").unwrap()
    }

    pub(crate) fn paid() -> Order {
        let order = placed();
        let created = IntentSnapshot::new(intent(), order.id, order.total, at(300));
        let update = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
        order.settle(&update, &Policies::DEFAULT, at(301)).unwrap().order
    }

    pub(crate) fn of(minor: i64) -> NewRefund {
        NewRefund { amount: Some(usd(minor)), ..NewRefund::default() }
    }

    pub(crate) fn update(id: &str, name: Option<String>, minor: i64, status: RefundStatus) -> RefundSnapshot {
        let id = RefundId::new(id).unwrap();
        RefundSnapshot {
            id,
            name,
            intent: intent(),
            amount: usd(minor),
            reason: None,
            status,
            failure: None,
            request: None,
        }
    }

    fn name_of(order: &Order, number: u32) -> String {
        order.refund_numbered(number).map_or_else(|| format!("{}:{number}", order.id), |it| it.name(order.id))
    }

    fn statuses(order: &Order) -> Vec<RefundStatus> {
        order.refunds.iter().map(|it| it.status).collect()
    }

    #[test]
    fn refunds_never_come_to_more_than_was_received() {
        let order = paid();
        let (first, number) = order.refund(&of(6000), at(400)).unwrap();
        assert_eq!((number, &first.tasks), (1, &vec![Task::Refund { refund: 1 }]));
        assert_eq!(first.order.refunds[0].idempotency_key(order.id), format!("refund:{}:1", order.id));
        let order = first.order;
        // Of a payment of 115.00 a second refund of 60.00 is refused while the first is still being made.
        assert_eq!(order.refund(&of(6000), at(401)), Err(RefundError::Amount { left: usd(5500) }));
        let (rest, _) = order.refund(&NewRefund::default(), at(401)).unwrap();
        assert_eq!(rest.order.refunds[1].amount, usd(5500));
        assert_eq!(rest.order.refund(&of(1), at(402)), Err(RefundError::NothingLeft));
        assert_eq!(rest.order.payment_state(), PaymentState::Refunded);
        assert_eq!(order.payment_state(), PaymentState::PartiallyRefunded);
        assert_eq!(placed().refund(&of(1), at(402)), Err(RefundError::NothingReceived));
        assert_eq!(order.refund(&of(0), at(402)), Err(RefundError::Amount { left: usd(5500) }));
    }

    #[test]
    fn a_refund_is_recognized_by_its_name_until_its_id_at_stripe_is_known() {
        let (requested, number) = paid().refund(&of(6000), at(400)).unwrap();
        let name = name_of(&requested.order, number);
        let done =
            requested.order.update_refund(&update("re_1", Some(name), 6000, RefundStatus::Pending), at(401)).unwrap();
        assert_eq!((statuses(&done.order), done.finished), (vec![RefundStatus::Pending], vec![]));
        let done = done.order.update_refund(&update("re_1", None, 6000, RefundStatus::Succeeded), at(402)).unwrap();
        assert_eq!(statuses(&done.order), [RefundStatus::Succeeded]);
        assert_eq!(done.finished, [Task::Refund { refund: 1 }.key()]);
        // Late and repeated updates change nothing.
        for status in [RefundStatus::Pending, RefundStatus::Succeeded] {
            let late = done.order.update_refund(&update("re_1", None, 6000, status), at(403)).unwrap();
            assert_eq!(late, Decision::unchanged(done.order.clone()));
        }
    }

    /// A late "paid" event after a full refund must not reopen the order.
    #[test]
    fn a_late_event_of_the_payment_does_not_undo_a_refund() {
        let (requested, _) = paid().refund(&NewRefund::default(), at(400)).unwrap();
        let order = requested.order;
        let again = IntentSnapshot {
            status: IntentStatus::Succeeded,
            received: order.total,
            ..IntentSnapshot::new(intent(), order.id, order.total, at(900))
        };
        assert_eq!(order.settle(&again, &Policies::DEFAULT, at(901)), Ok(Decision::unchanged(order.clone())));
        assert_eq!(order.payment_state(), PaymentState::Refunded);
    }

    #[test]
    fn a_refund_that_the_bank_returns_is_failed_and_a_notice_is_recorded() {
        let (requested, number) = paid().refund(&of(6000), at(400)).unwrap();
        let name = Some(name_of(&requested.order, number));
        let order =
            requested.order.update_refund(&update("re_1", name, 6000, RefundStatus::Succeeded), at(401)).unwrap().order;
        let failed = order.update_refund(&update("re_1", None, 6000, RefundStatus::Failed), at(500)).unwrap();
        assert_eq!(failed.order.payment_state(), PaymentState::Paid);
        assert_eq!(failed.order.left_of(&intent()), usd(11_500));
        let kinds: Vec<_> = failed.order.anomalies.iter().map(|it| (it.kind, it.kind.policy_name())).collect();
        assert_eq!(kinds, [(AnomalyKind::Notice(NoticeKind::RefundFailed { refund: 1 }), "tell")]);
        let (again, number) = failed.order.refund(&of(11_500), at(501)).unwrap();
        assert_eq!((number, again.order.refunds.len()), (2, 2), "the returned money can be refunded again");
    }

    #[test]
    fn a_refund_made_at_stripe_is_imported_and_supersedes_one_that_was_not_made() {
        let dashboard = update("re_9", None, 11_500, RefundStatus::Succeeded);
        let imported = paid().update_refund(&dashboard, at(400)).unwrap();
        assert_eq!(imported.order.refunds[0].origin, RefundOrigin::Provider);
        assert_eq!((imported.tasks.len(), imported.order.payment_state()), (0, PaymentState::Refunded));
        let again = imported.order.update_refund(&dashboard, at(401)).unwrap();
        assert_eq!(again, Decision::unchanged(imported.order));

        let (ours, _) = paid().refund(&of(6000), at(400)).unwrap();
        let both = ours.order.update_refund(&dashboard, at(401)).unwrap();
        assert_eq!(statuses(&both.order), [RefundStatus::Failed, RefundStatus::Succeeded]);
        assert_eq!(both.order.refunds[0].failure, Some(RefundFailure::Superseded));
        assert!(both.finished.contains(&Task::Refund { refund: 1 }.key()));
        let pending = paid().update_refund(&update("re_8", None, 100, RefundStatus::Pending), at(400)).unwrap();
        assert_eq!(pending.tasks, [Task::Refund { refund: 1 }], "it is polled until it is settled");
    }

    #[test]
    fn an_update_of_a_refund_before_its_payment_is_refused() {
        let order = placed();
        let dashboard = update("re_9", None, 11_500, RefundStatus::Succeeded);
        assert_eq!(order.update_refund(&dashboard, at(400)), Err(RefundUpdateError::NotOurs));
        let open = IntentSnapshot::new(intent(), order.id, order.total, at(300));
        let order = order.settle(&open, &Policies::DEFAULT, at(301)).unwrap().order;
        assert_eq!(order.update_refund(&dashboard, at(400)), Err(RefundUpdateError::AheadOfMoney));
    }

    #[test]
    fn a_refund_refused_for_a_low_balance_is_requested_again_and_any_other_refusal_is_final() {
        let error = |code: &str| ProviderFailure::Refused(IntentError::of_code(code));
        let (requested, _) = paid().refund(&of(6000), at(400)).unwrap();
        let mut order = requested.order;
        for attempt in 1..REFUND_ATTEMPTS_MAX {
            let decided = order.refund_request_failed(1, attempt, &error("balance_insufficient"), at(401));
            assert_eq!(decided.finished, [], "the task goes on");
            order = decided.order;
            assert_eq!(order.refunds[0].idempotency_key(order.id), format!("refund:{}:1:{}", order.id, attempt + 1));
        }
        assert_eq!(order.anomalies.len(), 1, "one notice for all attempts");
        let late = order.refund_request_failed(1, 1, &error("balance_insufficient"), at(402));
        assert_eq!(late, Decision::unchanged(order.clone()), "the failure of an earlier attempt");
        let ended = order.refund_request_failed(1, REFUND_ATTEMPTS_MAX, &error("balance_insufficient"), at(402));
        assert_eq!(statuses(&ended.order), [RefundStatus::Failed]);
        let (requested, _) = paid().refund(&of(6000), at(400)).unwrap();
        let ended = requested.order.refund_request_failed(1, 1, &error("charge_disputed"), at(401));
        assert_eq!((statuses(&ended.order), ended.order.anomalies.len()), (vec![RefundStatus::Failed], 1));
        assert_eq!(ended.finished, [Task::Refund { refund: 1 }.key()]);
        // The message counts where Stripe gives no code.
        let message = IntentError { message: Some("insufficient_funds".into()), ..IntentError::default() };
        let (requested, _) = paid().refund(&of(6000), at(400)).unwrap();
        let again = requested.order.refund_request_failed(1, 1, &ProviderFailure::Refused(message), at(401));
        assert_eq!(statuses(&again.order), [RefundStatus::Requested]);
    }

    #[test]
    fn a_refund_whose_key_is_exhausted_is_requested_under_a_new_key_and_fails_after_the_last_attempt() {
        let failure = ProviderFailure::KeyExhausted;
        let (requested, _) = paid().refund(&of(6000), at(400)).unwrap();
        let mut order = requested.order;
        for attempt in 1..REFUND_ATTEMPTS_MAX {
            let failed = order.refund_request_failed(1, attempt, &failure, at(401));
            let request = ProviderRequest::Refund { refund: 1 };
            assert_eq!(failed.facts, [Fact::RequestFailed { request, failure: failure.clone() }]);
            order = failed.order;
            assert_eq!(order.refunds[0].idempotency_key(order.id), format!("refund:{}:1:{}", order.id, attempt + 1));
            assert_eq!((&order.refunds[0].failure, order.anomalies.len()), (&Some(RefundFailure::KeyExhausted), 0));
        }
        let ended = order.refund_request_failed(1, REFUND_ATTEMPTS_MAX, &failure, at(402));
        assert_eq!(ended.facts.iter().map(Fact::kind).collect::<Vec<_>>(), ["refund.changed", "order.anomaly"]);
        assert_eq!(ended.order.anomalies[0].reason.as_deref(), Some("provider_failed"));
    }

    #[test]
    fn each_stored_failure_of_a_refund_is_read_as_it_was_written() {
        for (text, failure) in [
            ("provider_failed", RefundFailure::KeyExhausted),
            ("superseded", RefundFailure::Superseded),
            ("payment_not_confirmed", RefundFailure::PaymentNotConfirmed),
            ("expired_or_canceled_card", RefundFailure::Stripe("expired_or_canceled_card".to_owned())),
        ] {
            assert_eq!((RefundFailure::from(text.to_owned()), failure.as_str()), (failure.clone(), text));
        }
    }

    proptest! {
        /// I3 under any interleaving of the shop's requests and Stripe's updates.
        #[test]
        fn no_more_is_refunded_than_was_received(
            steps in prop::collection::vec((0_u8..3, 1_i64..9000, 0_usize..6, 0_u8..5), 1..25),
        ) {
            let mut order = paid();
            for (what, minor, status, which) in steps {
                let decided = match what {
                    0 => order.refund(&of(minor), at(400)).ok().map(|it| it.0),
                    1 => {
                        let number = u32::from(which) + 1;
                        let amount = order.refund_numbered(number).map_or(minor, |it| it.amount.minor());
                        let name = Some(name_of(&order, number));
                        let update = update(&format!("re_{which}"), name, amount, RefundStatus::ALL[status]);
                        order.update_refund(&update, at(400)).ok()
                    }
                    _ => order.update_refund(&update(&format!("re_x{which}"), None, minor, RefundStatus::ALL[status]), at(400)).ok(),
                };
                let Some(decided) = decided else { continue };
                order = Order::restore((*decided.order).clone()).map_err(|it| TestCaseError::fail(it.to_string()))?;
                prop_assert!(order.refunded_of(&intent()) <= order.total.minor());
                let is_paid = matches!(order.state, OrderState::Paid { .. });
                prop_assert!(is_paid, "a refund does not change the state `Paid`");
            }
        }
    }

    /// Found by the simulator: a part of a second payment was refunded at the dashboard before the policy's refund was
    /// made.
    #[test]
    fn the_rest_of_a_policys_refund_is_made_after_a_partial_refund_at_the_dashboard() {
        let order = paid();
        let created = IntentSnapshot::new(IntentId::new("pi_2").unwrap(), order.id, order.total, at(300));
        let second = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
        let order = order.settle(&second, &Policies::DEFAULT, at(400)).unwrap().order;
        let ours = order.refunds.last().unwrap().clone();
        assert_eq!((ours.origin, ours.amount), (RefundOrigin::Policy, order.total));
        let part = update("re_9", None, 300, RefundStatus::Succeeded);
        let part = RefundSnapshot { intent: second.intent.clone(), ..part };
        let decided = order.update_refund(&part, at(401)).unwrap();
        let order = decided.order;
        let [before, elsewhere, rest] = order.refunds.as_slice() else { panic!("{:?}", order.refunds) };
        assert_eq!((before.status, &before.failure), (RefundStatus::Failed, &Some(RefundFailure::Superseded)));
        assert_eq!((elsewhere.origin, elsewhere.amount), (RefundOrigin::Provider, usd(300)));
        assert_eq!((rest.origin, rest.amount), (RefundOrigin::Policy, order.total.minus(usd(300)).unwrap()));
        assert!(decided.tasks.contains(&Task::Refund { refund: rest.number }));
        assert!(order.left_of(&second.intent).is_zero());
    }

    /// Found by the simulator: the newest of our refunds was failed for one of the dashboard's, though Stripe had made
    /// it and refused an older one.
    #[test]
    fn a_superseded_refund_that_was_made_after_all_is_recognized() {
        use RefundStatus::{Failed, Requested, Succeeded};
        let (first, _) = paid().refund(&of(8000), at(400)).unwrap();
        let (second, number) = first.order.refund(&of(2000), at(401)).unwrap();
        let name = Some(name_of(&second.order, number));
        let order =
            second.order.update_refund(&update("re_1", None, 3000, RefundStatus::Succeeded), at(402)).unwrap().order;
        assert_eq!(statuses(&order), [Requested, Failed, Succeeded], "the newest one is failed first");
        let (third, _) = order.refund(&NewRefund::default(), at(403)).unwrap();
        let made =
            third.order.update_refund(&update("re_2", name, 2000, RefundStatus::Succeeded), at(404)).unwrap().order;
        // It is unknown which of the others Stripe has made, if any.
        assert_eq!(statuses(&made), [Failed, Succeeded, Succeeded, Failed]);
        assert_eq!(made.left_of(&intent()), usd(11_500 - 5000));
    }
}
