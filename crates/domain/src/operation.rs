//! Operations on an order's payable intent at Stripe: edits, cancellations and captures. An operation is committed
//! before it is requested and resolved by the next snapshot of the intent, so that a payment in between always matches
//! the order before or after it.

use thiserror::Error;

use crate::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use crate::id::Epoch;
use crate::intent::{IntentError, IntentStatus, PaymentIntent};
use crate::money::MoneyError;
use crate::order::{
    Adjustment, CancelReason, Content, ContentError, OrderEdit, OrderState, Totals, check_included_taxes,
    check_metadata, total_of,
};
use crate::task::{ProviderFailure, ProviderRequest};
use crate::text::Email;
use crate::{Decision, Fact, IntentId, LineItem, Money, Order, OrderId, Task, Timestamp};

/// Operation on a payable intent that is under way. An order has at most one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Operation {
    /// Number within the order, from 1: part of the idempotency key, and never used twice.
    pub number: u32,
    /// PaymentIntent that the operation changes.
    pub intent: IntentId,
    /// Kind of the operation, with its content.
    pub kind: OperationKind,
    /// Time at which it was committed.
    pub since: Timestamp,
    /// Epoch in which it was committed; `None` in operations that were stored before there were epochs.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub epoch: Option<Epoch>,
}

/// Kind of an operation on a payable intent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum OperationKind {
    /// Update of the intent to a new content of the order.
    Edit {
        /// Content of the order after the edit.
        content: Box<Content>,
    },
    /// Cancellation of the intent and of the order.
    Cancel {
        /// Reason of the cancellation.
        reason: CancelReason,
    },
    /// Capture of the authorized money.
    Capture {
        /// Amount to capture; the rest is released.
        amount: Money,
    },
}

variant_names! {
    /// Name in the API, in facts and in logs.
    pub OperationKind::name {
        Edit => "edit",
        Cancel => "cancel",
        Capture => "capture",
    }
}

impl Operation {
    /// Stripe's idempotency key of the request.
    pub fn idempotency_key(&self, order: OrderId) -> String {
        format!("{}:{order}:{}{}", self.kind.name(), self.number, Epoch::suffix(self.epoch))
    }

    /// Task that performs the operation.
    pub fn task(&self) -> Task {
        let operation = self.number;
        match self.kind {
            OperationKind::Edit { .. } => Task::UpdateIntent { operation },
            OperationKind::Cancel { .. } => Task::CancelIntent { operation },
            OperationKind::Capture { .. } => Task::CaptureIntent { operation },
        }
    }
}

/// Why an edit is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EditError {
    /// The order is paid.
    #[error("the order is paid, and its content cannot change any more")]
    Paid,
    /// The order is canceled.
    #[error("the order is canceled, and its content cannot change any more")]
    Canceled,
    /// The new content is not valid.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The order cannot be changed at this time.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a cancellation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CancelError {
    /// The order is paid.
    #[error("the order is paid: refund it instead of canceling it")]
    Paid,
    /// The order cannot be changed at this time.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a capture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// The order is paid: nothing is left to capture.
    #[error("the order is paid: nothing is left to capture")]
    Paid,
    /// The order is paid by a capture of another amount, of an earlier request or made at Stripe.
    #[error("{} was captured before; the rest of the authorization is released", .captured.to_decimal())]
    OtherAmountCaptured {
        /// Amount captured.
        captured: Money,
    },
    /// The order is canceled.
    #[error("the order is canceled: nothing is authorized that could be captured")]
    Canceled,
    /// No money is authorized.
    #[error("the order has no authorized payment to capture")]
    NotAuthorized,
    /// The amount is zero, or more than is authorized, or more than is due.
    #[error("the amount to capture must be more than zero and at most {}", .capturable.to_decimal())]
    Amount {
        /// Amount that is authorized and due.
        capturable: Money,
    },
    /// Stripe's API cannot represent the amount.
    #[error("the amount to capture {0}")]
    NotOnTheWire(MoneyError),
    /// The order cannot be changed at this time.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why an open order cannot be changed at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// A PaymentIntent request is pending: its answer must come first.
    #[error("a PaymentIntent was requested, and Stripe has not answered yet")]
    IntentRequested,
    /// The bank is processing a payment.
    #[error("a payment is being processed")]
    PaymentInProgress,
    /// Another operation is under way at Stripe.
    #[error("another {0} of the order is under way")]
    OperationUnderWay(&'static str),
    /// Money was received that does not match the order, and a person must decide first.
    #[error("money was received that does not match the order, and a person must decide first")]
    HeldForReview,
}

impl Order {
    /// Edits the content of an open order. A change that a payable intent must be updated for becomes an [`Operation`];
    /// any other is made at once. An edit that changes nothing, or is under way already, changes nothing.
    pub fn edit(&self, edit: OrderEdit, now: Timestamp) -> Result<Decision, EditError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(NotNow::HeldForReview.into()),
            OrderState::Paid { .. } => return Err(EditError::Paid),
            OrderState::Canceled { .. } => return Err(EditError::Canceled),
        }
        let content = self.edited(edit)?;
        if self.has_content(&content) {
            return Ok(Decision::unchanged(self.clone()));
        }
        match self.operation.as_ref().map(|it| &it.kind) {
            Some(OperationKind::Edit { content: under_way }) if **under_way == content => {
                return Ok(Decision::unchanged(self.clone()));
            }
            Some(_) | None => {}
        }
        let payable = self.changeable_intent()?;
        let mut decision = Decision::unchanged(self.clone());
        match payable {
            Some(intent) if self.changes_intent(&content) => match intent.status {
                IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresAction => {
                    let kind = OperationKind::Edit { content: Box::new(content) };
                    decision.begin(intent.id.clone(), kind, now);
                }
                IntentStatus::Processing
                | IntentStatus::RequiresCapture
                | IntentStatus::Succeeded
                | IntentStatus::Canceled => return Err(NotNow::PaymentInProgress.into()),
            },
            Some(_) | None => decision.apply(content),
        }
        Ok(decision.dated(now))
    }

    /// Cancels an unpaid order; where it has a payable intent, by an [`Operation`] on the intent first. A repetition
    /// changes nothing.
    pub fn cancel(&self, reason: CancelReason, now: Timestamp) -> Result<Decision, CancelError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(NotNow::HeldForReview.into()),
            OrderState::Paid { .. } => return Err(CancelError::Paid),
            OrderState::Canceled { .. } => return Ok(Decision::unchanged(self.clone())),
        }
        let under_way = self.operation.as_ref().map(|it| &it.kind);
        if matches!(under_way, Some(OperationKind::Cancel { .. })) {
            return Ok(Decision::unchanged(self.clone()));
        }
        let mut decision = Decision::unchanged(self.clone());
        match self.changeable_intent()? {
            Some(intent) if intent.status == IntentStatus::Processing => return Err(NotNow::PaymentInProgress.into()),
            Some(intent) => decision.begin(intent.id.clone(), OperationKind::Cancel { reason }, now),
            None => decision.cancel_order(reason, now),
        }
        Ok(decision.dated(now))
    }

    /// Captures authorized money: `amount` of it, or all that is due. A repetition changes nothing. Never more than the
    /// total is captured, even if another program has had more authorized. Where less than the total is authorized, a
    /// capture without an amount does not pay the order, and the payment is held for review.
    pub fn capture(&self, amount: Option<Money>, now: Timestamp) -> Result<Decision, CaptureError> {
        let unchanged = || Ok(Decision::unchanged(self.clone()));
        let is_requested = |requested: Money| amount.is_none_or(|it| it == requested);
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(NotNow::HeldForReview.into()),
            OrderState::Paid { by, .. } => {
                let captured =
                    self.intent(by).filter(|it| !self.has_accepted(&it.id)).and_then(|it| it.capture_requested);
                let Some(captured) = captured else { return Err(CaptureError::Paid) };
                let is_part =
                    |it: &Anomaly| matches!(it.kind, AnomalyKind::Notice(NoticeKind::PartiallyCaptured { .. }));
                let is_all = amount.is_some() || !self.anomalies.iter().any(is_part);
                return if is_requested(captured) && is_all {
                    unchanged()
                } else {
                    Err(CaptureError::OtherAmountCaptured { captured })
                };
            }
            OrderState::Canceled { .. } => return Err(CaptureError::Canceled),
        }
        match self.operation.as_ref().map(|it| &it.kind) {
            Some(OperationKind::Capture { amount: requested }) if is_requested(*requested) => return unchanged(),
            Some(_) | None => {}
        }
        let intent = self.changeable_intent()?.ok_or(CaptureError::NotAuthorized)?;
        if intent.status != IntentStatus::RequiresCapture {
            return Err(CaptureError::NotAuthorized);
        }
        let covers = intent.capturable.minus(self.total).is_ok();
        let capturable = if covers { self.total } else { intent.capturable };
        let requested = amount.or(covers.then_some(capturable));
        let amount = amount.unwrap_or(capturable);
        if amount.is_zero() || capturable.minus(amount).is_err() {
            return Err(CaptureError::Amount { capturable });
        }
        amount.to_wire().map_err(CaptureError::NotOnTheWire)?;
        let id = intent.id.clone();
        let mut decision = Decision::unchanged(self.clone());
        if let Some(intent) = decision.order.data.intents.iter_mut().find(|it| it.id == id) {
            intent.capture_requested = requested;
        }
        decision.begin(id, OperationKind::Capture { amount }, now);
        Ok(decision.dated(now))
    }

    /// Records that an operation has definitely failed at Stripe, after the intent was read. A failure of an operation
    /// that is no longer under way changes nothing.
    ///
    /// A refused operation is dropped, and the order stays as it was; an edit that was refused for its email address
    /// goes on without the address, under a new number. If the order was paid by another intent or canceled meanwhile, its
    /// payable intent is canceled next. A cancellation that was refused for the intent's status begins again if it is
    /// still necessary and the intent has left that status. After an exhausted key the operation goes on
    /// under a new number, and so under a new key.
    pub fn operation_failed(&self, number: u32, failure: &ProviderFailure, now: Timestamp) -> Decision {
        let mut decision = Decision::unchanged(self.clone());
        let Some(operation) = self.operation.as_ref().filter(|it| it.number == number) else { return decision };
        match failure {
            ProviderFailure::KeyExhausted => {
                decision.begin_again(operation);
                let name = operation.kind.name().to_owned();
                let request = ProviderRequest::Operation { operation: number, name };
                decision.facts.push(Fact::RequestFailed { request, failure: failure.clone() });
            }
            ProviderFailure::Refused(error) => {
                if let Some(email) = self.email_refused_by(operation, error) {
                    decision.begin_again(operation);
                    decision.refuse_receipt_email(email, now);
                } else {
                    decision.drop_operation(error.clone());
                    // A cancellation that is refused for another reason would be refused again.
                    let is_cancellation = matches!(operation.kind, OperationKind::Cancel { .. });
                    if !is_cancellation || error.is_unexpected_state() {
                        decision.cancel_needless_intent(now);
                    }
                }
            }
        }
        decision.dated(now)
    }

    /// Email address that `operation` was refused for, where it can go on without the address.
    fn email_refused_by<'a>(&self, operation: &'a Operation, error: &IntentError) -> Option<&'a Email> {
        match &operation.kind {
            OperationKind::Edit { content } => {
                content.email.as_ref().filter(|it| self.goes_on_without(Some(it), error))
            }
            OperationKind::Cancel { .. } | OperationKind::Capture { .. } => None,
        }
    }

    /// Payable intent of an order that can be changed now, if it has one.
    fn changeable_intent(&self) -> Result<Option<&PaymentIntent>, NotNow> {
        if let Some(operation) = &self.operation {
            return Err(NotNow::OperationUnderWay(operation.kind.name()));
        }
        if self.is_held_for_review() {
            return Err(NotNow::HeldForReview);
        }
        if self.requested.is_some() {
            return Err(NotNow::IntentRequested);
        }
        Ok(self.payable_intent())
    }

    fn edited(&self, edit: OrderEdit) -> Result<Content, ContentError> {
        let content = Content {
            customer: edit.customer.filter(|_| self.customer.is_none()),
            lines: edit.lines.unwrap_or_else(|| self.lines.clone()),
            adjustments: edit.adjustments.unwrap_or_else(|| self.adjustments.clone()),
            email: edit.email.unwrap_or_else(|| self.email.clone()),
            payer: edit.payer.unwrap_or_else(|| self.payer.clone()),
            metadata: edit.metadata.unwrap_or_else(|| self.metadata.clone()),
            total: self.total,
            revision: self.next_revision(),
        };
        check_metadata(&content.metadata)?;
        let total = total_of(self.total.currency(), &content.lines, &content.adjustments)?;
        if total != self.total {
            total.to_charge().map_err(ContentError::NotChargeable)?;
        }
        if content.lines != self.lines || content.adjustments != self.adjustments {
            check_included_taxes(self.total.currency(), &content.lines, &content.adjustments)?;
        }
        Ok(Content { total, ..content })
    }

    /// Revision of the next content: above every revision that Stripe has in an intent, also where a restore from a
    /// backup has lost edits, since snapshots are matched to edits by it.
    fn next_revision(&self) -> u32 {
        let sent = self.intents.iter().map(|it| it.revision).max();
        sent.map_or(self.revision, |it| it.max(self.revision)).saturating_add(1)
    }

    fn has_content(&self, content: &Content) -> bool {
        !self.changes_intent(content)
            && content.customer.is_none()
            && self.adjustments == content.adjustments
            && self.metadata == content.metadata
    }

    /// Whether a payable intent must be updated for `content`: another amount or parts of it, email address, lines or
    /// payer.
    fn changes_intent(&self, content: &Content) -> bool {
        let parts = |lines: &[LineItem], adjustments: &[Adjustment]| {
            let totals = Totals::of(self.total.currency(), lines, adjustments);
            totals.map(|it| (it.shipping, it.taxes, it.discounts))
        };
        self.total != content.total
            || self.email != content.email
            || self.lines != content.lines
            || self.payer != content.payer
            || parts(&self.lines, &self.adjustments) != parts(&content.lines, &content.adjustments)
    }
}

impl Decision {
    fn begin(&mut self, intent: IntentId, kind: OperationKind, now: Timestamp) {
        let data = &mut self.order.data;
        data.operations += 1;
        let amount = match &kind {
            OperationKind::Edit { content } => Some(content.total),
            OperationKind::Capture { amount } => Some(*amount),
            OperationKind::Cancel { .. } => None,
        };
        let (number, epoch) = (data.operations, Some(data.epoch));
        let operation = Operation { number, intent: intent.clone(), kind, since: now, epoch };
        self.tasks.push(operation.task());
        self.facts.push(Fact::OperationRequested {
            operation: operation.number,
            name: operation.kind.name().to_owned(),
            intent,
            amount,
        });
        data.operation = Some(operation);
    }

    /// Continues `operation` under a new number. No refused or exhausted key is used again.
    fn begin_again(&mut self, operation: &Operation) {
        self.finished.push(operation.task().key());
        self.order.data.operations += 1;
        let again = Operation { number: self.order.operations, epoch: Some(self.order.epoch), ..operation.clone() };
        self.tasks.push(again.task());
        self.order.data.operation = Some(again);
    }

    /// Makes `content` the content of the order.
    fn apply(&mut self, content: Content) {
        let data = &mut self.order.data;
        self.facts.push(Fact::OrderEdited { before: data.total, total: content.total, revision: content.revision });
        data.lines = content.lines;
        data.adjustments = content.adjustments;
        data.customer = data.customer.take().or(content.customer);
        data.email = content.email;
        data.payer = content.payer;
        data.metadata = content.metadata;
        data.total = content.total;
        data.revision = content.revision;
    }

    /// Cancels the order.
    fn cancel_order(&mut self, reason: CancelReason, now: Timestamp) {
        self.order.data.state = OrderState::Canceled { reason, at: now };
        self.facts.push(Fact::OrderCanceled { reason });
        self.finished.push(Task::ExpireOrder.key());
    }

    /// Ends the operation on `intent`, if there is one and the intent as it is now decides it.
    ///
    /// An edit is done when the intent has its revision, or is canceled; it is dropped when the intent is authorized or
    /// paid for the revision before. A cancellation and a capture are done or dropped at the intent's end; a capture is
    /// dropped also where another amount was captured. An order that is paid by another intent or canceled meanwhile
    /// stays as it is.
    pub(crate) fn resolve_operation(&mut self, intent: &PaymentIntent, now: Timestamp) {
        let Some(operation) = self.order.operation.clone().filter(|it| it.intent == intent.id) else { return };
        let overtaken = || overtaken_by("PaymentIntent", intent.status.name());
        let is_open = matches!(self.order.state, OrderState::Open);
        match (operation.kind.clone(), intent.status) {
            (OperationKind::Edit { .. }, _) if !is_open => {
                self.drop_operation(overtaken_by("order", self.order.state.name()));
            }
            (OperationKind::Edit { content }, _) if intent.revision >= content.revision => {
                self.end_operation(&operation);
                self.apply(*content);
            }
            (OperationKind::Edit { content }, IntentStatus::Canceled) => {
                self.end_operation(&operation);
                self.apply(*content);
            }
            (OperationKind::Cancel { reason }, IntentStatus::Canceled) => {
                self.end_operation(&operation);
                if is_open {
                    self.cancel_order(reason, now);
                }
            }
            (OperationKind::Capture { amount }, IntentStatus::Succeeded) if intent.received == amount => {
                self.end_operation(&operation);
            }
            (OperationKind::Edit { .. }, IntentStatus::Succeeded | IntentStatus::RequiresCapture)
            | (OperationKind::Cancel { .. }, IntentStatus::Succeeded)
            | (OperationKind::Capture { .. }, IntentStatus::Succeeded | IntentStatus::Canceled) => {
                self.drop_operation(overtaken());
            }
            (
                OperationKind::Edit { .. } | OperationKind::Cancel { .. } | OperationKind::Capture { .. },
                IntentStatus::RequiresPaymentMethod
                | IntentStatus::RequiresConfirmation
                | IntentStatus::RequiresAction
                | IntentStatus::Processing
                | IntentStatus::RequiresCapture,
            ) => {}
        }
    }

    /// Begins to cancel a payable intent of an order that is paid by another intent or canceled. An intent that the
    /// bank is processing cannot be canceled.
    pub(crate) fn cancel_needless_intent(&mut self, now: Timestamp) {
        let reason = match &self.order.state {
            OrderState::Open => return,
            OrderState::Paid { .. } => CancelReason::Duplicate,
            OrderState::Canceled { .. } => CancelReason::Abandoned,
        };
        let payable = self.order.payable_intent().filter(|it| it.status != IntentStatus::Processing);
        let Some(intent) = payable.map(|it| it.id.clone()).filter(|_| self.order.operation.is_none()) else { return };
        // While only an event has reported the payment, the customer must still be able to pay.
        if !self.waits_for_confirmation() {
            self.begin(intent, OperationKind::Cancel { reason }, now);
        }
    }

    fn end_operation(&mut self, operation: &Operation) {
        self.order.data.operation = None;
        self.finished.push(operation.task().key());
    }

    fn drop_operation(&mut self, error: IntentError) {
        let Some(operation) = self.order.data.operation.take() else { return };
        self.finished.push(operation.task().key());
        if let OperationKind::Capture { .. } = operation.kind {
            let captured = self.order.data.intents.iter_mut().find(|it| it.id == operation.intent);
            if let Some(intent) = captured.filter(|it| it.status != IntentStatus::Succeeded) {
                intent.capture_requested = None;
            }
        }
        self.facts.push(Fact::OperationDropped {
            operation: operation.number,
            name: operation.kind.name().to_owned(),
            error,
        });
    }
}

/// Error of an operation that another change overtook.
fn overtaken_by(what: &str, state: &str) -> IntentError {
    let message = Some(format!("the {what} became {state} first"));
    IntentError { code: Some("overtaken".to_owned()), decline_code: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IntentSnapshot;
    use crate::anomaly::Policies;
    use crate::id::{CustomerId, ProviderCustomerId};
    use crate::intent::{IntentPlan, RequestIntentError};
    use crate::order::Payer;
    use crate::order::tests::{at, edit, placed, usd};

    fn seen(order: &Order, status: IntentStatus) -> IntentSnapshot {
        let received = if status == IntentStatus::Succeeded { order.total } else { usd(0) };
        let capturable = if status == IntentStatus::RequiresCapture { order.total } else { usd(0) };
        let created = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(300));
        IntentSnapshot { status, received, capturable, revision: Some(order.revision), ..created }
    }

    /// Snapshot of the intent after an edit.
    fn edited(order: &Order, status: IntentStatus, total: Money) -> IntentSnapshot {
        let received = if status == IntentStatus::Succeeded { total } else { usd(0) };
        IntentSnapshot { amount: total, received, revision: Some(order.revision + 1), ..seen(order, status) }
    }

    fn issued(status: IntentStatus) -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order requests an intent")
        };
        settled(&requested.order, &seen(&requested.order, status)).order
    }

    fn settled(order: &Order, update: &IntentSnapshot) -> Decision {
        order.settle(update, &Policies::DEFAULT, at(400)).unwrap()
    }

    fn kinds(decision: &Decision) -> Vec<&'static str> {
        decision.facts.iter().map(Fact::kind).collect()
    }

    const OPEN: IntentStatus = IntentStatus::RequiresPaymentMethod;

    /// A restore from a backup has lost two edits that Stripe has.
    #[test]
    fn an_edit_has_a_revision_above_every_revision_at_stripe() {
        let order = issued(OPEN);
        let lost = IntentSnapshot { amount: usd(1300), revision: Some(3), ..seen(&order, OPEN) };
        let restored = settled(&order, &lost).order;
        assert_eq!((restored.revision, restored.intents[0].revision), (1, 3));
        let begun = restored.edit(edit(600), at(500)).unwrap().order;
        // An older snapshot does not finish the edit.
        let repeated = settled(&begun, &IntentSnapshot { as_of: at(501), as_of_max: at(501), ..lost }).order;
        assert!(repeated.operation.is_some());
        let update = IntentSnapshot { amount: usd(600), revision: Some(4), ..seen(&order, OPEN) };
        let done = settled(&begun, &update).order;
        assert_eq!((done.total, done.revision, done.intents[0].amount), (usd(600), 4, usd(600)));
    }

    #[test]
    fn an_edit_of_the_payer_updates_the_intent_and_an_order_never_changes_its_customer() {
        let payer = Payer { customer: Some(ProviderCustomerId::new("cus_1").unwrap()), payment_method: None };
        let customer = |it: &str| Some(CustomerId::new(it).unwrap());
        let order = issued(IntentStatus::RequiresPaymentMethod);
        assert_eq!(order.customer, None);
        let paid_by = OrderEdit { payer: Some(payer.clone()), ..OrderEdit::default() };
        let edited = order.edit(paid_by.clone(), at(200)).unwrap().order;
        assert!(edited.operation.is_some(), "the intent is updated first");
        // The customer of an order is not sent to Stripe.
        let claimed =
            order.edit(OrderEdit { customer: customer("ada"), ..OrderEdit::default() }, at(200)).unwrap().order;
        assert_eq!((claimed.customer.clone(), claimed.operation.is_none()), (customer("ada"), true));
        for other in ["ada", "eve"] {
            let edit = OrderEdit { customer: customer(other), ..OrderEdit::default() };
            assert_eq!(claimed.edit(edit, at(300)).unwrap().order, claimed, "{other}");
        }
        let again = placed().edit(paid_by.clone(), at(200)).unwrap().order;
        assert_eq!((&again.payer, again.revision), (&payer, 2));
        assert_eq!(again.edit(paid_by, at(300)).unwrap().order, again, "a repeated edit changes nothing");
    }

    #[test]
    fn an_edit_of_the_parts_of_the_total_updates_the_intent_and_one_of_labels_does_not() {
        use crate::order::AdjustmentKind::{Discount, Shipping, TaxIncluded};
        let adjust = |adjustments: &[(crate::order::AdjustmentKind, i64)]| {
            let label = crate::text::Text::new("x").unwrap();
            let adjustment = |(kind, minor): &(_, i64)| Adjustment::new(*kind, label.clone(), usd(*minor));
            let adjustments = Some(adjustments.iter().map(adjustment).collect());
            OrderEdit { adjustments, ..OrderEdit::default() }
        };
        for (adjustments, is_sent) in [
            (vec![(Shipping, 100), (Discount, 100)], true),
            (vec![(Shipping, 0)], false),
            (vec![(TaxIncluded, 100)], false),
        ] {
            let decided = issued(IntentStatus::RequiresPaymentMethod).edit(adjust(&adjustments), at(301)).unwrap();
            assert_eq!(decided.order.operation.is_some(), is_sent, "{adjustments:?}");
        }
    }

    #[test]
    fn an_edit_under_a_payable_intent_is_applied_after_stripe_has_updated_the_intent() {
        let order = issued(OPEN);
        let begun = order.edit(edit(600), at(301)).unwrap();
        assert_eq!((begun.order.total, begun.order.revision), (order.total, 1), "not yet");
        assert_eq!(begun.tasks, [Task::UpdateIntent { operation: 1 }]);
        let operation = begun.order.operation.clone().unwrap();
        assert_eq!(operation.idempotency_key(order.id), format!("edit:{}:1", order.id));
        let done = settled(&begun.order, &edited(&order, OPEN, usd(600)));
        assert_eq!((done.order.total, done.order.revision, &done.order.operation), (usd(600), 2, &None));
        assert_eq!(done.finished, [operation.task().key()]);
        assert_eq!(kinds(&done), ["order.edited"]);
        let again = settled(&done.order, &edited(&order, OPEN, usd(600)));
        assert_eq!(again, Decision::unchanged(done.order));
    }

    /// While an edit is under way, a payment of either amount matches the order.
    #[test]
    fn a_payment_of_the_old_or_the_new_amount_pays_the_order() {
        let order = issued(OPEN);
        let begun = order.edit(edit(600), at(301)).unwrap().order;
        let old = settled(&begun, &seen(&order, IntentStatus::Succeeded));
        assert_eq!((old.order.state.name(), old.order.total, old.order.revision), ("paid", order.total, 1));
        assert_eq!(kinds(&old), ["payment_intent.changed", "operation.dropped", "order.paid"]);
        let new = settled(&begun, &edited(&order, IntentStatus::Succeeded, usd(600)));
        assert_eq!((new.order.state.name(), new.order.total, new.order.revision), ("paid", usd(600), 2));
        assert_eq!(kinds(&new), ["payment_intent.changed", "order.edited", "order.paid"]);
        for paid in [old, new] {
            assert!(paid.order.anomalies.is_empty());
            assert!(paid.finished.contains(&Task::UpdateIntent { operation: 1 }.key()));
        }
    }

    #[test]
    fn a_cancellation_is_made_at_stripe_first_and_an_earlier_payment_pays_the_order() {
        let order = issued(OPEN);
        let begun = order.cancel(CancelReason::RequestedByCustomer, at(301)).unwrap();
        assert_eq!((begun.order.state.name(), begun.tasks), ("open", vec![Task::CancelIntent { operation: 1 }]));
        let order = begun.order;
        assert_eq!(order.request_intent(at(302)), Err(RequestIntentError::BeingCanceled));
        let again = order.cancel(CancelReason::RequestedByCustomer, at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(order.clone()), "a repetition changes nothing");
        let canceled = settled(&order, &seen(&order, IntentStatus::Canceled));
        assert_eq!(canceled.order.state.name(), "canceled");
        let finished = [
            Task::PollIntent { intent: IntentId::new("pi_1").unwrap() }.key(),
            Task::CancelIntent { operation: 1 }.key(),
            Task::ExpireOrder.key(),
        ];
        assert_eq!(canceled.finished, finished);
        let paid = settled(&order, &seen(&order, IntentStatus::Succeeded));
        assert_eq!((paid.order.state.name(), paid.order.anomalies.len()), ("paid", 0));
        assert!(kinds(&paid).contains(&"operation.dropped"));
    }

    #[test]
    fn a_partial_capture_by_the_shop_pays_the_order() {
        let order = issued(IntentStatus::RequiresCapture);
        for bad in [usd(0), usd(11_501)] {
            assert_eq!(order.capture(Some(bad), at(301)), Err(CaptureError::Amount { capturable: order.total }));
        }
        let begun = order.capture(Some(usd(5000)), at(301)).unwrap().order;
        let again = begun.capture(Some(usd(5000)), at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(begun.clone()), "a repetition changes nothing");
        let other = begun.capture(Some(usd(4000)), at(302));
        assert_eq!(other, Err(CaptureError::NotNow(NotNow::OperationUnderWay("capture"))));
        let update = IntentSnapshot { received: usd(5000), ..seen(&order, IntentStatus::Succeeded) };
        let paid = settled(&begun, &update).order;
        assert_eq!((paid.state.name(), paid.anomalies.len()), ("paid", 0));
        assert_eq!(paid.capture(Some(usd(5000)), at(500)), Ok(Decision::unchanged(paid.clone())));
        assert_eq!(paid.capture(None, at(500)), Ok(Decision::unchanged(paid.clone())));
        assert_eq!(paid.capture(Some(usd(1)), at(500)), Err(CaptureError::OtherAmountCaptured { captured: usd(5000) }));
        // The same money without a capture by the shop is not the amount due.
        let unrequested = settled(&order, &update).order;
        assert_eq!((unrequested.state.name(), unrequested.is_held_for_review()), ("open", true));
    }

    #[test]
    fn a_refused_capture_leaves_the_order_authorized() {
        let order = issued(IntentStatus::RequiresCapture);
        let begun = order.capture(None, at(301)).unwrap().order;
        let error = ProviderFailure::Refused(IntentError::of_code("x"));
        let refused = begun.operation_failed(1, &error, at(302));
        assert_eq!(refused.order.payment_state().name(), "authorized");
        assert_eq!(refused.order.intents[0].capture_requested, None);
        assert_eq!(kinds(&refused), ["operation.dropped"]);
        assert_eq!(refused.order.operation_failed(1, &error, at(303)), Decision::unchanged(refused.order.clone()));
        let second = refused.order.capture(None, at(304)).unwrap().order.operation.clone().unwrap();
        assert_eq!(second.number, 2, "a refused key is never used again");
        // The authorization ended before the capture.
        let lapsed = settled(&begun, &seen(&order, IntentStatus::Canceled));
        assert_eq!(lapsed.order.payment_state().name(), "unpaid");
        assert!(kinds(&lapsed).contains(&"operation.dropped"));
    }

    #[test]
    fn an_intent_whose_edit_is_refused_is_canceled_if_another_one_paid_the_order() {
        let order = issued(IntentStatus::RequiresPaymentMethod);
        let begun = order.edit(edit(1300), at(301)).unwrap().order;
        let other = IntentSnapshot::new(IntentId::new("pi_other").unwrap(), order.id, order.total, at(302));
        let paid = settled(&begun, &IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..other });
        assert_eq!(paid.order.operation.as_ref().map(|it| it.kind.name()), Some("edit"), "it is still under way");
        let refused = ProviderFailure::Refused(IntentError::of_code("x"));
        let next = paid.order.operation_failed(1, &refused, at(303)).order.operation.clone().unwrap();
        assert_eq!((next.kind.name(), next.number, &next.intent), ("cancel", 2, &order.intents[0].id));
        let again = paid.order.operation_failed(1, &refused, at(303)).order.operation_failed(2, &refused, at(304));
        assert_eq!(again.order.operation, None, "a refused cancellation is not repeated");
    }

    #[test]
    fn edits_cancellations_and_captures_depend_on_the_status_of_the_intent() {
        use IntentStatus::{Processing, RequiresAction, RequiresCapture, RequiresPaymentMethod};
        let busy = NotNow::PaymentInProgress;
        for (status, edits, cancels, captures) in [
            (RequiresPaymentMethod, Ok(()), Ok(()), Err(CaptureError::NotAuthorized)),
            (RequiresAction, Ok(()), Ok(()), Err(CaptureError::NotAuthorized)),
            (
                Processing,
                Err(EditError::NotNow(busy)),
                Err(CancelError::NotNow(busy)),
                Err(CaptureError::NotAuthorized),
            ),
            (RequiresCapture, Err(EditError::NotNow(busy)), Ok(()), Ok(())),
        ] {
            let order = issued(status);
            assert_eq!(order.edit(edit(600), at(301)).map(drop), edits, "{status}");
            assert_eq!(order.cancel(CancelReason::Duplicate, at(301)).map(drop), cancels, "{status}");
            assert_eq!(order.capture(None, at(301)).map(drop), captures, "{status}");
            // An edit that the intent is not updated for is always possible.
            let notes = OrderEdit { metadata: Some([].into()), ..OrderEdit::default() };
            assert_eq!(order.edit(notes, at(301)), Ok(Decision::unchanged(order.clone())));
        }
        let order = issued(RequiresPaymentMethod);
        let begun = order.edit(edit(600), at(301)).unwrap().order;
        let under_way = NotNow::OperationUnderWay("edit");
        assert_eq!(begun.edit(edit(700), at(302)), Err(EditError::NotNow(under_way)));
        assert_eq!(begun.cancel(CancelReason::Duplicate, at(302)), Err(CancelError::NotNow(under_way)));
        assert_eq!(
            begun.edit(edit(600), at(302)),
            Ok(Decision::unchanged(begun.clone())),
            "a repetition changes nothing"
        );
    }

    #[test]
    fn an_operation_whose_key_is_exhausted_goes_on_under_a_new_number_and_key() {
        let order = issued(OPEN);
        let begun = order.edit(edit(600), at(301)).unwrap().order;
        let failure = ProviderFailure::KeyExhausted;
        let again = begun.operation_failed(1, &failure, at(302));
        let request = ProviderRequest::Operation { operation: 1, name: "edit".to_owned() };
        assert_eq!(again.facts, [Fact::RequestFailed { request, failure: failure.clone() }]);
        assert_eq!(again.finished, [Task::UpdateIntent { operation: 1 }.key()]);
        assert_eq!(again.tasks, [Task::UpdateIntent { operation: 2 }]);
        assert_eq!(again.order.operation_failed(1, &failure, at(303)), Decision::unchanged(again.order.clone()));
        let done = settled(&again.order, &edited(&order, OPEN, usd(600)));
        assert_eq!((done.order.total, done.finished), (usd(600), again.tasks.iter().map(Task::key).collect()));
    }

    /// Snapshot of an intent that another program has made for the order.
    fn elsewhere(order: &Order, status: IntentStatus) -> IntentSnapshot {
        IntentSnapshot { intent: IntentId::new("pi_2").unwrap(), revision: None, ..seen(order, status) }
    }

    #[test]
    fn an_order_paid_by_another_intent_is_neither_canceled_nor_edited() {
        for begin in [
            |order: &Order| order.cancel(CancelReason::Abandoned, at(302)).unwrap(),
            |order: &Order| order.edit(edit(600), at(302)).unwrap(),
        ] {
            let begun = begin(&issued(OPEN)).order;
            let settle = |order: &Order, update: &IntentSnapshot| {
                order.settle(update, &Policies::DEFAULT, at(303)).unwrap().order
            };
            let paid = settle(&begun, &elsewhere(&begun, IntentStatus::Succeeded));
            assert_eq!(paid.operation, begun.operation, "Stripe has not answered yet");
            for end in [seen(&begun, IntentStatus::Canceled), edited(&begun, IntentStatus::Canceled, usd(600))] {
                let ended = settle(&paid, &end);
                assert_eq!((&ended.state, ended.total, &ended.operation), (&paid.state, begun.total, &None));
            }
        }
    }

    #[test]
    fn a_payable_intent_is_canceled_once_nothing_is_due() {
        let order = issued(OPEN);
        let paid = order.settle(&elsewhere(&order, IntentStatus::Succeeded), &Policies::DEFAULT, at(302)).unwrap();
        let operation = paid.order.operation.clone().unwrap();
        assert_eq!((operation.intent.as_str(), operation.kind.name()), ("pi_1", "cancel"));
        assert!(paid.tasks.contains(&operation.task()));
        let closed = paid.order.settle(&seen(&order, IntentStatus::Canceled), &Policies::DEFAULT, at(303)).unwrap();
        assert_eq!((&closed.order.state, &closed.order.operation), (&paid.order.state, &None));
        // An intent that the bank is processing is not canceled.
        let update = seen(&order, IntentStatus::Processing);
        let processing = order.settle(&update, &Policies::DEFAULT, at(302)).unwrap().order;
        let paid = processing.settle(&elsewhere(&order, IntentStatus::Succeeded), &Policies::DEFAULT, at(303)).unwrap();
        assert_eq!(paid.order.operation, None);
        let later = IntentSnapshot { as_of: at(400), as_of_max: at(400), ..seen(&order, IntentStatus::RequiresAction) };
        let open_again = paid.order.settle(&later, &Policies::DEFAULT, at(400)).unwrap().order;
        let number = open_again.operation.as_ref().map(|it| (it.number, it.kind.name()));
        assert_eq!(number, Some((1, "cancel")));
        // A cancellation that was refused for a status that has passed begins again. Any other refusal is final.
        for (code, expected) in [(IntentError::UNEXPECTED_STATE, Some(2)), (IntentError::RESOURCE_MISSING, None)] {
            let error = ProviderFailure::Refused(IntentError::of_code(code));
            let refused = open_again.operation_failed(1, &error, at(401)).order;
            assert_eq!(refused.operation.as_ref().map(|it| it.number), expected, "{code}");
        }
    }

    /// Found by the simulator: another program had changed the amount of the intent before it was authorized.
    #[test]
    fn a_capture_never_exceeds_the_amount_due() {
        let authorized = |capturable: i64| {
            let order = issued(OPEN);
            let update = IntentSnapshot {
                amount: usd(capturable),
                capturable: usd(capturable),
                ..seen(&order, IntentStatus::RequiresCapture)
            };
            settled(&order, &update).order
        };
        let captured = |order: &Order, amount: i64| {
            let update =
                IntentSnapshot { amount: usd(amount), received: usd(amount), ..seen(order, IntentStatus::Succeeded) };
            settled(order, &update).order
        };
        let more = authorized(12_000);
        assert_eq!(more.capture(Some(usd(11_501)), at(401)), Err(CaptureError::Amount { capturable: usd(11_500) }));
        let begun = more.capture(None, at(401)).unwrap().order;
        assert_eq!(begun.operation.as_ref().map(|it| &it.kind), Some(&OperationKind::Capture { amount: usd(11_500) }));
        assert_eq!(captured(&begun, 11_500).state.name(), "paid");

        let less = authorized(9_000);
        let part = less.capture(Some(usd(8_000)), at(401)).unwrap().order;
        assert_eq!(captured(&part, 8_000).state.name(), "paid", "the shop requested that amount");
        let all = captured(&less.capture(None, at(401)).unwrap().order, 9_000);
        assert!(all.is_held_for_review(), "the shop requested all that is due");
    }
}
