//! Money that goes back. A refund is a row of its order before Stripe is asked for it; what Stripe says of it,
//! or of one that was made elsewhere, is folded in by its provider id.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use crate::failure::KEY_EXHAUSTED;
use crate::{
    Decision, Epoch, Fact, IntentId, Money, MoneyError, NoticeKind, Order, OrderId, ProviderFailure, ProviderRequest,
    RefundId, Task, Timestamp,
};

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundStatus {
    /// Decided here; Stripe's answer is still out.
    Requested,
    /// Under way at Stripe.
    Pending,
    /// Waits for the customer, who must say where to.
    RequiresAction,
    /// Given back. It may still fail, when the customer's bank sends it back.
    Succeeded,
    /// Not given back; the money is here. The end.
    Failed,
    /// Called off; the money is here. The end.
    Canceled,
}

impl RefundStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Requested, Self::Pending, Self::RequiresAction, Self::Succeeded, Self::Failed, Self::Canceled];

    /// Its name: Stripe's, but for `requested`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The status that Stripe calls so.
    pub fn from_stripe(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it != Self::Requested && it.name() == name)
    }

    /// Whether the money is given back, or may be at any moment.
    pub const fn holds_money(self) -> bool {
        match self {
            Self::Requested | Self::Pending | Self::RequiresAction | Self::Succeeded => true,
            Self::Failed | Self::Canceled => false,
        }
    }

    /// Whether Stripe need not be asked any more. It tells by itself where a success fails after all.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Canceled => true,
            Self::Requested | Self::Pending | Self::RequiresAction => false,
        }
    }

    /// Its rank: a refund moves up only, whatever order the news of it come in.
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

impl FromStr for RefundStatus {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or(())
    }
}

/// Why money goes back, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundReason {
    /// It was charged twice.
    Duplicate,
    /// It is a fraud.
    Fraudulent,
    /// The customer wants it so.
    RequestedByCustomer,
}

impl RefundReason {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::Duplicate, Self::Fraudulent, Self::RequestedByCustomer];

    /// The reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Its name at Stripe, in the API and in stored rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::RequestedByCustomer => "requested_by_customer",
        }
    }
}

/// Who wanted a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RefundOrigin {
    /// The shop, by the API.
    Shop,
    /// The policy on money that the order does not want.
    Policy,
    /// Somebody at Stripe: its dashboard, or another program.
    Provider,
}

impl RefundOrigin {
    /// The origin of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Shop, Self::Policy, Self::Provider].into_iter().find(|it| it.name() == name)
    }

    /// Its name in the API and in stored rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shop => "shop",
            Self::Policy => "policy",
            Self::Provider => "provider",
        }
    }
}

/// A refund as an order remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Its number within the order, from 1.
    pub number: u32,
    /// The intent whose money it gives back.
    pub intent: IntentId,
    /// How much of it.
    pub amount: Money,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Who wanted it.
    pub origin: RefundOrigin,
    /// Where it stands.
    pub status: RefundStatus,
    /// Its name at Stripe, once Stripe has told it.
    pub provider_id: Option<RefundId>,
    /// The number of the request to Stripe, from 1. It grows after a definite end alone, as Stripe repeats its
    /// saved answer to a repeated key.
    pub attempt: u32,
    /// Reason why it failed, or why Stripe could not make it yet.
    pub failure: Option<RefundFailure>,
    /// When it was decided, or became known.
    pub requested_at: Timestamp,
    /// The epoch in which it was decided, or became known; `None` in what was stored before there were epochs.
    pub epoch: Option<Epoch>,
    /// Digest of the idempotency key with which the shop asked for it. Stripe keeps it in the refund's metadata, so that
    /// a repeat of the request is known also where a restore from a backup has lost the refund.
    pub request: Option<Uuid>,
}

impl Refund {
    /// Name by which Stripe remembers it, in `metadata.refund_id`.
    pub fn name(&self, order: OrderId) -> String {
        format!("{order}:{}{}", self.number, Epoch::suffix(self.epoch))
    }

    /// The key that Stripe is given.
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
                Self::Stripe(text.cloned().unwrap_or_else(|| "refused".to_owned()))
            }
        }
    }
}

impl fmt::Display for RefundFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a shop wants to give back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewRefund {
    /// How much; all that is left and not disputed if nothing is said.
    pub amount: Option<Money>,
    /// Which payment's money; that which paid the order if nothing is said.
    pub intent: Option<IntentId>,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Digest of the request's idempotency key, for the refund to be known by.
    pub request: Option<Uuid>,
}

/// Why nothing is given back.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefundError {
    /// Nothing was received that could be given back.
    #[error("nothing was received for the order that could be given back")]
    NothingReceived,
    /// All of it went back, or is going.
    #[error("all that was received has been given back, or is being given back")]
    NothingLeft,
    /// Nothing, or more than is left.
    #[error("the amount to refund must be more than nothing and at most {}", .left.to_decimal())]
    Amount {
        /// What is left.
        left: Money,
    },
    /// An amount that Stripe's wire cannot carry.
    #[error("the amount to refund {0}")]
    NotOnTheWire(MoneyError),
    /// The bank has taken the money back by a dispute, and not returned it: a refund would give it twice.
    #[error("the payment is disputed: at most {} of it can be refunded, the rest would be given back twice", .undisputed.to_decimal())]
    Disputed {
        /// What of the rest is not disputed.
        undisputed: Money,
    },
}

/// What Stripe says of a refund at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RefundSnapshot {
    /// Which.
    pub id: RefundId,
    /// What its metadata says it is: see [`Refund::name`].
    pub name: Option<String>,
    /// Whose money it gives back.
    pub intent: IntentId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Where it stands.
    pub status: RefundStatus,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// Digest in its metadata of the request that it was made for: see [`Refund::request`].
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub request: Option<Uuid>,
}

/// Why news of a refund is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RefundUpdateError {
    /// It is of an intent that is not this order's.
    #[error("the refunded payment intent does not belong to the order")]
    NotOurs,
    /// It gives back more than the order knows to have come: news of the payment must be read first.
    #[error("the refund is of money that is not known to have come")]
    AheadOfMoney,
}

/// How often Stripe is asked anew for a refund that its balance cannot cover.
pub const REFUND_ATTEMPTS_MAX: u32 = 12;

impl Order {
    /// Decides to give money back, and says under which number.
    pub fn refund(&self, new: &NewRefund, now: Timestamp) -> Result<(Decision, u32), RefundError> {
        let intent = match (&new.intent, self.paid_by()) {
            (Some(id), _) => self.intent(id).ok_or(RefundError::NothingReceived)?,
            (None, Some(intent)) => intent,
            // An order that waits for a person has money too, by one intent as a rule.
            (None, None) => {
                let has_money = |it: &&crate::PaymentIntent| !self.left_of(&it.id).is_zero();
                self.intents.iter().find(has_money).ok_or(RefundError::NothingReceived)?
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
        let amount = new.amount.unwrap_or(if undisputed.is_zero() { left } else { undisputed });
        if amount.is_zero() || undisputed.minus(amount).is_err() {
            let is_there = !amount.is_zero() && left.minus(amount).is_ok();
            return Err(if is_there { RefundError::Disputed { undisputed } } else { RefundError::Amount { left } });
        }
        amount.to_wire().map_err(RefundError::NotOnTheWire)?;
        let mut decision = Decision::unchanged(self.clone());
        let number = decision.give_back(intent.id.clone(), amount, new.reason, RefundOrigin::Shop, now);
        decision.mark_refund(number, new.request);
        decision.order.data.updated_at = now;
        Ok((decision, number))
    }

    /// Takes in what Stripe says of a refund: of one of ours, by its provider id or by its name and amount, or of one that
    /// was made elsewhere. The same may be said any number of times, in any order. The amount that was requested here
    /// never changes by it.
    pub fn update_refund(&self, update: &RefundSnapshot, now: Timestamp) -> Result<Decision, RefundUpdateError> {
        let mut decision = Decision::unchanged(self.clone());
        let intent = self.intent(&update.intent).ok_or(RefundUpdateError::NotOurs)?;
        let by_id = self.refunds.iter().find(|it| it.provider_id.as_ref() == Some(&update.id));
        let named = self
            .refunds
            .iter()
            .find(|it| it.provider_id.is_none() && update.name.as_deref() == Some(it.name(self.id).as_str()));
        let known = by_id.or_else(|| named.filter(|it| it.amount == update.amount));
        // A restored database used the name again: that is another refund than the one that Stripe has made.
        let differs = named.filter(|_| known.is_none());
        if by_id.is_some_and(|it| update.status.rank() <= it.status.rank()) {
            return Ok(decision);
        }
        let takes_money = update.status.holds_money() && !known.is_some_and(|it| it.status.holds_money());
        let of_policy = if takes_money { decision.make_room(update)? } else { None };
        let number = known.map_or_else(|| decision.import_refund(update, now), |it| it.number);
        decision.apply_refund_update(number, update, now);
        if let Some(Refund { number: refund, amount: requested, .. }) = differs.cloned() {
            let kind = NoticeKind::RefundDiffers { refund, requested, made: update.amount };
            decision.record_notice(intent.id.clone(), kind, Some(update.id.as_str().to_owned()), now);
        }
        if decision.order.received_beyond_refunds(&intent.id).is_none() {
            return Err(RefundUpdateError::AheadOfMoney);
        }
        let rest = decision.order.left_of(&intent.id);
        if let Some(of_policy) = of_policy.filter(|_| !rest.is_zero()) {
            decision.give_back(intent.id.clone(), rest, of_policy.reason, RefundOrigin::Policy, now);
        }
        decision.order.data.updated_at = now;
        Ok(decision)
    }

    /// Records that the request for a refund has definitely failed at Stripe. After an exhausted key, or where the shop's
    /// balance is too low, it is requested again later under a new key, with [`REFUND_ATTEMPTS_MAX`] attempts in all; any
    /// other refusal ends it. The failure of an earlier attempt changes nothing.
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
        let may_pass = match failure {
            ProviderFailure::KeyExhausted => true,
            ProviderFailure::Refused(error) => error.is_balance_too_low(),
        };
        if may_pass && attempt < REFUND_ATTEMPTS_MAX {
            refund.attempt += 1;
            refund.failure = Some(reason);
            match failure {
                ProviderFailure::KeyExhausted => {
                    let request = ProviderRequest::Refund { refund: number, attempt };
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
        decision.order.data.updated_at = now;
        decision
    }

    /// The refund with this number.
    pub fn refund_numbered(&self, number: u32) -> Option<&Refund> {
        self.refunds.iter().find(|it| it.number == number)
    }

    /// The refund that was asked for by the request with this digest: see [`Refund::request`].
    pub fn refund_requested_by(&self, request: Uuid) -> Option<&Refund> {
        self.refunds.iter().find(|it| it.request == Some(request))
    }

    /// What went back of an intent's money, or may at any moment: never more than came, so that the sum is an amount.
    pub fn refunded_of(&self, intent: &IntentId) -> i64 {
        let of_it = self.refunds.iter().filter(|it| it.intent == *intent && it.status.holds_money());
        of_it.map(|it| it.amount.minor()).sum()
    }

    /// What is left of an intent's money.
    pub fn left_of(&self, intent: &IntentId) -> Money {
        let left = self.received_beyond_refunds(intent);
        left.unwrap_or_else(|| {
            Money::zero(self.intent(intent).map_or(self.total.currency(), crate::PaymentIntent::currency))
        })
    }

    /// What is left of an intent's money; `None` if more went back than came.
    fn received_beyond_refunds(&self, intent: &IntentId) -> Option<Money> {
        let received = self.intent(intent)?.received;
        Money::new(received.minor() - self.refunded_of(intent), received.currency()).ok()
    }
}

impl Decision {
    /// Gives up refunds of ours for one that Stripe has made and that takes what they were to take. Stripe cannot have
    /// made all of them: it never gives back more than came. Should it turn out that one that was given up was made,
    /// its own news says so. Gives the one that a policy had decided on, if it is among them: what is left of its money
    /// goes back all the same.
    fn make_room(&mut self, update: &RefundSnapshot) -> Result<Option<Refund>, RefundUpdateError> {
        let mut of_policy = None;
        while self.order.left_of(&update.intent).minus(update.amount).is_err() {
            let undone = |it: &&Refund| {
                it.intent == update.intent && it.status == RefundStatus::Requested && it.provider_id.is_none()
            };
            let superseded = self.order.refunds.iter().rev().find(undone).cloned();
            let superseded = superseded.ok_or(RefundUpdateError::AheadOfMoney)?;
            self.move_refund(superseded.number, RefundStatus::Failed, Some(RefundFailure::Superseded));
            if superseded.origin == RefundOrigin::Policy {
                of_policy = Some(superseded);
            }
        }
        Ok(of_policy)
    }

    /// Puts a refund of somebody else's making into the order.
    fn import_refund(&mut self, update: &RefundSnapshot, now: Timestamp) -> u32 {
        let number = self.add_refund(update.intent.clone(), update.amount, update.reason, RefundOrigin::Provider, now);
        self.mark_refund(number, update.request);
        if !update.status.is_settled() {
            self.tasks.push(Task::Refund { refund: number });
        }
        number
    }

    /// Puts a refund into the order, with the task that makes it.
    pub(crate) fn give_back(
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
        });
        number
    }

    /// Keeps by which request a refund is known.
    fn mark_refund(&mut self, number: u32, request: Option<Uuid>) {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::order::tests::{at, placed, usd};
    use crate::{AnomalyKind, IntentError, IntentSnapshot, IntentStatus, OrderState, PaymentState, Policies};

    fn intent() -> IntentId {
        IntentId::new("pi_1").unwrap()
    }

    fn paid() -> Order {
        let order = placed();
        let asked = IntentSnapshot::new(intent(), order.id, order.total, at(300));
        let update = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..asked };
        order.settle(&update, &Policies::DEFAULT, at(301)).unwrap().order
    }

    fn of(minor: i64) -> NewRefund {
        NewRefund { amount: Some(usd(minor)), ..NewRefund::default() }
    }

    fn update(id: &str, name: Option<String>, minor: i64, status: RefundStatus) -> RefundSnapshot {
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
        // Pain no. 2: the second of two 60s on a 115 is refused while the first is still on its way.
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
    fn a_refund_is_known_by_its_name_until_stripe_has_given_it_one() {
        let (asked, number) = paid().refund(&of(6000), at(400)).unwrap();
        let name = name_of(&asked.order, number);
        let done =
            asked.order.update_refund(&update("re_1", Some(name), 6000, RefundStatus::Pending), at(401)).unwrap();
        assert_eq!((statuses(&done.order), done.finished), (vec![RefundStatus::Pending], vec![]));
        let done = done.order.update_refund(&update("re_1", None, 6000, RefundStatus::Succeeded), at(402)).unwrap();
        assert_eq!(statuses(&done.order), [RefundStatus::Succeeded]);
        assert_eq!(done.finished, [Task::Refund { refund: 1 }.key()]);
        // Late and repeated news change nothing.
        for status in [RefundStatus::Pending, RefundStatus::Succeeded] {
            let late = done.order.update_refund(&update("re_1", None, 6000, status), at(403)).unwrap();
            assert_eq!(late, Decision::unchanged(done.order.clone()));
        }
    }

    /// Also seen in the field: a late "paid" after a full refund reopened the order.
    #[test]
    fn late_news_of_the_payment_does_not_undo_a_refund() {
        let (asked, _) = paid().refund(&NewRefund::default(), at(400)).unwrap();
        let order = asked.order;
        let again = IntentSnapshot {
            status: IntentStatus::Succeeded,
            received: order.total,
            ..IntentSnapshot::new(intent(), order.id, order.total, at(900))
        };
        assert_eq!(order.settle(&again, &Policies::DEFAULT, at(901)), Ok(Decision::unchanged(order.clone())));
        assert_eq!(order.payment_state(), PaymentState::Refunded);
    }

    #[test]
    fn a_refund_that_the_bank_sends_back_is_undone_in_the_books_and_told() {
        let (asked, number) = paid().refund(&of(6000), at(400)).unwrap();
        let name = Some(name_of(&asked.order, number));
        let order =
            asked.order.update_refund(&update("re_1", name, 6000, RefundStatus::Succeeded), at(401)).unwrap().order;
        let failed = order.update_refund(&update("re_1", None, 6000, RefundStatus::Failed), at(500)).unwrap();
        assert_eq!(failed.order.payment_state(), PaymentState::Paid);
        assert_eq!(failed.order.left_of(&intent()), usd(11_500));
        let kinds: Vec<_> = failed.order.anomalies.iter().map(|it| (it.kind, it.kind.policy_name())).collect();
        assert_eq!(kinds, [(AnomalyKind::Notice(NoticeKind::RefundFailed { refund: 1 }), "tell")]);
        let (again, number) = failed.order.refund(&of(11_500), at(501)).unwrap();
        assert_eq!((number, again.order.refunds.len()), (2, 2), "it is here again, and can be given back");
    }

    #[test]
    fn a_refund_made_at_stripe_is_imported_and_takes_the_place_of_one_that_was_not_made() {
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
        assert_eq!(pending.tasks, [Task::Refund { refund: 1 }], "it is watched until its end");
    }

    #[test]
    fn news_of_a_refund_before_that_of_its_payment_wait() {
        let order = placed();
        let dashboard = update("re_9", None, 11_500, RefundStatus::Succeeded);
        assert_eq!(order.update_refund(&dashboard, at(400)), Err(RefundUpdateError::NotOurs));
        let open = IntentSnapshot::new(intent(), order.id, order.total, at(300));
        let order = order.settle(&open, &Policies::DEFAULT, at(301)).unwrap().order;
        assert_eq!(order.update_refund(&dashboard, at(400)), Err(RefundUpdateError::AheadOfMoney));
    }

    #[test]
    fn a_refusal_for_want_of_balance_is_asked_again_and_any_other_is_the_end() {
        let error = |code: &str| ProviderFailure::Refused(IntentError::of_code(code));
        let (asked, _) = paid().refund(&of(6000), at(400)).unwrap();
        let mut order = asked.order;
        for attempt in 1..REFUND_ATTEMPTS_MAX {
            let decided = order.refund_request_failed(1, attempt, &error("balance_insufficient"), at(401));
            assert_eq!(decided.finished, [], "the task goes on");
            order = decided.order;
            assert_eq!(order.refunds[0].idempotency_key(order.id), format!("refund:{}:1:{}", order.id, attempt + 1));
        }
        assert_eq!(order.anomalies.len(), 1, "told once");
        let late = order.refund_request_failed(1, 1, &error("balance_insufficient"), at(402));
        assert_eq!(late, Decision::unchanged(order.clone()), "of an earlier attempt");
        let ended = order.refund_request_failed(1, REFUND_ATTEMPTS_MAX, &error("balance_insufficient"), at(402));
        assert_eq!(statuses(&ended.order), [RefundStatus::Failed]);
        let (asked, _) = paid().refund(&of(6000), at(400)).unwrap();
        let ended = asked.order.refund_request_failed(1, 1, &error("charge_disputed"), at(401));
        assert_eq!((statuses(&ended.order), ended.order.anomalies.len()), (vec![RefundStatus::Failed], 1));
        assert_eq!(ended.finished, [Task::Refund { refund: 1 }.key()]);
    }

    #[test]
    fn a_refund_whose_key_is_exhausted_is_requested_under_a_new_key_and_fails_after_the_last_attempt() {
        let failure = ProviderFailure::KeyExhausted;
        let (asked, _) = paid().refund(&of(6000), at(400)).unwrap();
        let mut order = asked.order;
        for attempt in 1..REFUND_ATTEMPTS_MAX {
            let failed = order.refund_request_failed(1, attempt, &failure, at(401));
            let request = ProviderRequest::Refund { refund: 1, attempt };
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
        /// I3 under any interleaving of what the shop asks for and what Stripe says.
        #[test]
        fn whatever_is_asked_and_told_no_more_goes_back_than_came(
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
                prop_assert!(is_paid, "a refund is no way out of being paid");
            }
        }
    }

    /// Found by the simulator: somebody at the dashboard was quicker, and gave back a part of what the order does not
    /// want.
    #[test]
    fn what_a_policy_gives_back_goes_back_whole_though_somebody_else_gives_back_a_part() {
        let order = paid();
        let asked = IntentSnapshot::new(IntentId::new("pi_2").unwrap(), order.id, order.total, at(300));
        let second = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..asked };
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

    /// Found by the simulator: the newest of ours was given up for one of the dashboard's, though it was an older one
    /// that Stripe had refused.
    #[test]
    fn a_refund_that_was_given_up_and_made_all_the_same_is_known_again() {
        use RefundStatus::{Failed, Requested, Succeeded};
        let (first, _) = paid().refund(&of(8000), at(400)).unwrap();
        let (second, number) = first.order.refund(&of(2000), at(401)).unwrap();
        let name = Some(name_of(&second.order, number));
        let order =
            second.order.update_refund(&update("re_1", None, 3000, RefundStatus::Succeeded), at(402)).unwrap().order;
        assert_eq!(statuses(&order), [Requested, Failed, Succeeded], "what is newest is given up first");
        let (third, _) = order.refund(&NewRefund::default(), at(403)).unwrap();
        let made =
            third.order.update_refund(&update("re_2", name, 2000, RefundStatus::Succeeded), at(404)).unwrap().order;
        // By now nothing tells which of the others Stripe has made, if any.
        assert_eq!(statuses(&made), [Failed, Succeeded, Succeeded, Failed]);
        assert_eq!(made.left_of(&intent()), usd(11_500 - 5000));
    }
}
