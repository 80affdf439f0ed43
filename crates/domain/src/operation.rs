//! What is being done at Stripe to an order's payable intent: changed, canceled, captured. It is committed
//! before Stripe is asked and resolved by what Stripe says, so that no payment falls between two states.

use thiserror::Error;

use crate::content::{Content, check_included_taxes, check_metadata, total_of};
use crate::{
    Adjustment, Anomaly, AnomalyKind, CancelReason, ContentError, Decision, Email, Epoch, Fact, IntentError, IntentId,
    IntentStatus, LineItem, Money, MoneyError, NoticeKind, Order, OrderEdit, OrderId, OrderState, PaymentIntent,
    ProviderFailure, ProviderRequest, Task, Timestamp, Totals,
};

/// One operation on a payable intent. An order has one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Operation {
    /// Its number within the order, from 1: part of its idempotency key, and never given twice.
    pub number: u32,
    /// The intent that it is done to.
    pub intent: IntentId,
    /// What is done.
    pub kind: OperationKind,
    /// When it was decided.
    pub since: Timestamp,
    /// The epoch in which it was decided; `None` in what was stored before there were epochs.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub epoch: Option<Epoch>,
}

/// What may be done to a payable intent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum OperationKind {
    /// It is made to ask for another content of the order.
    Edit {
        /// What the order is once that is done.
        content: Box<Content>,
    },
    /// It is given up, and the order with it.
    Cancel {
        /// Why.
        reason: CancelReason,
    },
    /// The money that it holds is taken.
    Capture {
        /// How much of it; the rest is released.
        amount: Money,
    },
}

impl OperationKind {
    /// Its name in the API, in facts and in logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Edit { .. } => "edit",
            Self::Cancel { .. } => "cancel",
            Self::Capture { .. } => "capture",
        }
    }
}

impl Operation {
    /// The key that Stripe is given.
    pub fn idempotency_key(&self, order: OrderId) -> String {
        format!("{}:{order}:{}{}", self.kind.name(), self.number, Epoch::suffix(self.epoch))
    }

    /// The task that does it.
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
    /// It is paid.
    #[error("the order is paid")]
    Paid,
    /// It is canceled.
    #[error("the order is canceled")]
    Canceled,
    /// The new content does not fit.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// Something else comes first.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a cancellation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CancelError {
    /// It is paid.
    #[error("the order is paid")]
    Paid,
    /// Something else comes first.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why a capture is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CaptureError {
    /// It is paid: there is nothing left to take.
    #[error("the order is paid")]
    Paid,
    /// It is paid by a capture of another amount, by an earlier request or at Stripe.
    #[error("{} was captured first; what was not captured is released", .captured.to_decimal())]
    OtherAmountCaptured {
        /// What was captured.
        captured: Money,
    },
    /// It is canceled.
    #[error("the order is canceled")]
    Canceled,
    /// No money is authorised.
    #[error("no authorised payment is there to be captured")]
    NotAuthorized,
    /// Nothing, or more than is authorised, or more than is due.
    #[error("the amount to capture must be more than nothing and at most {}", .capturable.to_decimal())]
    Amount {
        /// What is authorised and due.
        capturable: Money,
    },
    /// An amount that Stripe's wire cannot carry.
    #[error("the amount to capture {0}")]
    NotOnTheWire(MoneyError),
    /// Something else comes first.
    #[error(transparent)]
    NotNow(#[from] NotNow),
}

/// Why nothing may be done to an open order at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// Stripe was asked for an intent, and nobody knows yet whether there is one: its answer comes first.
    #[error("a payment intent was asked for, and the answer is still out")]
    IntentRequested,
    /// The bank has the payment in its hands.
    #[error("a payment is being processed")]
    PaymentInProgress,
    /// Another change is under way at Stripe.
    #[error("another {0} of the order is under way")]
    OperationUnderWay(&'static str),
    /// Money came that does not fit, and a person must decide first.
    #[error("money was received that does not fit the order, and a person must decide first")]
    HeldForReview,
}

impl Order {
    /// Changes the content of an open order. What concerns no intent is changed at once; what a payable intent
    /// must be told of becomes an [`Operation`]. An edit that changes nothing, or is under way, is no fact.
    pub fn edit(&self, edit: OrderEdit, now: Timestamp) -> Result<Decision, EditError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(NotNow::HeldForReview.into()),
            OrderState::Paid { .. } => return Err(EditError::Paid),
            OrderState::Canceled { .. } => return Err(EditError::Canceled),
        }
        let content = self.edited(edit)?;
        if self.has(&content) {
            return Ok(Decision::unchanged(self.clone()));
        }
        match self.operation.as_ref().map(|it| &it.kind) {
            Some(OperationKind::Edit { content: under_way }) if **under_way == content => {
                return Ok(Decision::unchanged(self.clone()));
            }
            Some(_) | None => {}
        }
        let payable = self.may_be_changed()?;
        let mut decision = Decision::unchanged(self.clone());
        match payable {
            Some(intent) if self.tells_stripe(&content) => match intent.status {
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
            Some(_) | None => decision.apply(content, now),
        }
        Ok(decision)
    }

    /// Gives up an unpaid order; where a customer could pay, Stripe's intent first. Doing it again changes nothing.
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
        match self.may_be_changed()? {
            Some(intent) if intent.status == IntentStatus::Processing => return Err(NotNow::PaymentInProgress.into()),
            Some(intent) => decision.begin(intent.id.clone(), OperationKind::Cancel { reason }, now),
            None => decision.end_unpaid(reason, now),
        }
        Ok(decision)
    }

    /// Takes authorised money: `amount` of it, or all that is due. Asking again for what was taken, or is being taken,
    /// changes nothing. Never more than the total is taken, whatever somebody else has had authorised; where less than
    /// the total is, taking all of it is not what the shop asked for, and the payment is held for review.
    pub fn capture(&self, amount: Option<Money>, now: Timestamp) -> Result<Decision, CaptureError> {
        let unchanged = || Ok(Decision::unchanged(self.clone()));
        let is_asked = |asked: Money| amount.is_none_or(|it| it == asked);
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { by, .. } if self.is_not_confirmed(by) => return Err(NotNow::HeldForReview.into()),
            OrderState::Paid { by, .. } => {
                let Some(captured) = self.intent(by).and_then(|it| it.capture_asked) else {
                    return Err(CaptureError::Paid);
                };
                let is_part =
                    |it: &Anomaly| matches!(it.kind, AnomalyKind::Notice(NoticeKind::PartiallyCaptured { .. }));
                let is_all = amount.is_some() || !self.anomalies.iter().any(is_part);
                return if is_asked(captured) && is_all {
                    unchanged()
                } else {
                    Err(CaptureError::OtherAmountCaptured { captured })
                };
            }
            OrderState::Canceled { .. } => return Err(CaptureError::Canceled),
        }
        match self.operation.as_ref().map(|it| &it.kind) {
            Some(OperationKind::Capture { amount: asked }) if is_asked(*asked) => return unchanged(),
            Some(_) | None => {}
        }
        let intent = self.may_be_changed()?.ok_or(CaptureError::NotAuthorized)?;
        if intent.status != IntentStatus::RequiresCapture {
            return Err(CaptureError::NotAuthorized);
        }
        let covers = intent.capturable.minus(self.total).is_ok();
        let capturable = if covers { self.total } else { intent.capturable };
        let asked = amount.or(covers.then_some(capturable));
        let amount = amount.unwrap_or(capturable);
        if amount.is_zero() || capturable.minus(amount).is_err() {
            return Err(CaptureError::Amount { capturable });
        }
        amount.to_wire().map_err(CaptureError::NotOnTheWire)?;
        let id = intent.id.clone();
        let mut decision = Decision::unchanged(self.clone());
        if let Some(intent) = decision.order.data.intents.iter_mut().find(|it| it.id == id) {
            intent.capture_asked = asked;
        }
        decision.begin(id, OperationKind::Capture { amount }, now);
        Ok(decision)
    }

    /// Records that an operation has definitely failed at Stripe, after the intent was read. A failure of an operation
    /// that is no longer under way changes nothing.
    ///
    /// A refused operation is dropped, and the order stays as it was; an edit that was refused for its e-mail address goes
    /// on without the address, under a new number. A cancellation that was refused for the intent's status begins again if
    /// it is still necessary and the intent has left that status. After an exhausted key the operation goes on under a new
    /// number, and so under a new key.
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
                    if error.is_unexpected_state() {
                        decision.close_what_is_left(now);
                    }
                }
            }
        }
        decision.order.data.updated_at = now;
        decision
    }

    /// E-mail address that `operation` was refused for, where it can go on without the address.
    fn email_refused_by<'a>(&self, operation: &'a Operation, error: &IntentError) -> Option<&'a Email> {
        match &operation.kind {
            OperationKind::Edit { content } => {
                content.email.as_ref().filter(|it| self.goes_on_without(Some(it), error))
            }
            OperationKind::Cancel { .. } | OperationKind::Capture { .. } => None,
        }
    }

    /// The intent that a customer could pay, if there is one, where it may be changed at all.
    fn may_be_changed(&self) -> Result<Option<&PaymentIntent>, NotNow> {
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

    /// The revision of the next content: above every one that Stripe was told of, also where a restore from a backup has
    /// lost edits, since Stripe's news go by it.
    fn next_revision(&self) -> u32 {
        let told = self.intents.iter().map(|it| it.revision).max();
        told.map_or(self.revision, |it| it.max(self.revision)).saturating_add(1)
    }

    fn has(&self, content: &Content) -> bool {
        !self.tells_stripe(content)
            && content.customer.is_none()
            && self.adjustments == content.adjustments
            && self.metadata == content.metadata
    }

    /// Whether Stripe was told something else: the amount and its parts, where its receipt goes, what is bought, who
    /// pays.
    fn tells_stripe(&self, content: &Content) -> bool {
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
        data.updated_at = now;
    }

    /// Continues `operation` under a new number. No refused or exhausted key is used again.
    fn begin_again(&mut self, operation: &Operation) {
        self.finished.push(operation.task().key());
        self.order.data.operations += 1;
        let again = Operation { number: self.order.operations, epoch: Some(self.order.epoch), ..operation.clone() };
        self.tasks.push(again.task());
        self.order.data.operation = Some(again);
    }

    /// Makes `content` the order's.
    fn apply(&mut self, content: Content, now: Timestamp) {
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
        data.updated_at = now;
    }

    /// Makes the order a canceled one.
    fn end_unpaid(&mut self, reason: CancelReason, now: Timestamp) {
        self.order.data.state = OrderState::Canceled { reason, at: now };
        self.order.data.updated_at = now;
        self.facts.push(Fact::OrderCanceled { reason });
        self.finished.push(Task::ExpireOrder.key());
    }

    /// Ends the operation on `intent`, if there is one that what is now known of the intent decides.
    ///
    /// An edit is done when Stripe names its revision, or when its intent has been given up; money that is
    /// taken or held for the revision before can no longer change. A cancellation and a capture are done, or
    /// have come too late, at the intent's end; a capture, also where another amount was captured. An order that another intent has paid meanwhile, or that is
    /// canceled, stays as it is.
    pub(crate) fn resolve_operation(&mut self, intent: &PaymentIntent, now: Timestamp) {
        let Some(operation) = self.order.operation.clone().filter(|it| it.intent == intent.id) else { return };
        let overtaken = || overtaken_by("payment intent", intent.status.name());
        let is_open = matches!(self.order.state, OrderState::Open);
        match (operation.kind.clone(), intent.status) {
            (OperationKind::Edit { .. }, _) if !is_open => {
                self.drop_operation(overtaken_by("order", self.order.state.name()));
            }
            (OperationKind::Edit { content }, _) if intent.revision >= content.revision => {
                self.end_operation(&operation);
                self.apply(*content, now);
            }
            (OperationKind::Edit { content }, IntentStatus::Canceled) => {
                self.end_operation(&operation);
                self.apply(*content, now);
            }
            (OperationKind::Cancel { reason }, IntentStatus::Canceled) => {
                self.end_operation(&operation);
                if is_open {
                    self.end_unpaid(reason, now);
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

    /// Gives up what a customer could still pay by where nothing is due any more: an intent that was out when
    /// another one paid the order, or that was made for it elsewhere after its end. What the bank has in its hands
    /// cannot be given up.
    pub(crate) fn close_what_is_left(&mut self, now: Timestamp) {
        let reason = match &self.order.state {
            OrderState::Open => return,
            OrderState::Paid { .. } => CancelReason::Duplicate,
            OrderState::Canceled { .. } => CancelReason::Abandoned,
        };
        let left = self.order.payable_intent().filter(|it| it.status != IntentStatus::Processing);
        let Some(intent) = left.map(|it| it.id.clone()).filter(|_| self.order.operation.is_none()) else { return };
        // The word of an event is no reason to take from the customer what can be paid.
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
            let asked = self.order.data.intents.iter_mut().find(|it| it.id == operation.intent);
            if let Some(intent) = asked.filter(|it| it.status != IntentStatus::Succeeded) {
                intent.capture_asked = None;
            }
        }
        self.facts.push(Fact::OperationDropped {
            operation: operation.number,
            name: operation.kind.name().to_owned(),
            error,
        });
    }
}

/// Why a change is dropped that something came before.
fn overtaken_by(what: &str, state: &str) -> IntentError {
    let message = Some(format!("the {what} was {state} first"));
    IntentError { code: Some("overtaken".to_owned()), decline_code: None, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::{at, edit, placed, usd};
    use crate::{CustomerId, IntentPlan, IntentSnapshot, Payer, Policies, ProviderCustomerId, RequestIntentError};

    fn seen(order: &Order, status: IntentStatus) -> IntentSnapshot {
        let received = if status == IntentStatus::Succeeded { order.total } else { usd(0) };
        let capturable = if status == IntentStatus::RequiresCapture { order.total } else { usd(0) };
        let asked = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(300));
        IntentSnapshot { status, received, capturable, revision: Some(order.revision), ..asked }
    }

    /// What Stripe says once it has taken an edit.
    fn edited(order: &Order, status: IntentStatus, total: Money) -> IntentSnapshot {
        let received = if status == IntentStatus::Succeeded { total } else { usd(0) };
        IntentSnapshot { amount: total, received, revision: Some(order.revision + 1), ..seen(order, status) }
    }

    fn issued(status: IntentStatus) -> Order {
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order asks for an intent")
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

    /// A restore from a backup has lost two edits that Stripe was told of.
    #[test]
    fn an_edit_has_a_revision_above_every_one_that_stripe_was_told_of() {
        let order = issued(OPEN);
        let lost = IntentSnapshot { amount: usd(1300), revision: Some(3), ..seen(&order, OPEN) };
        let restored = settled(&order, &lost).order;
        assert_eq!((restored.revision, restored.intents[0].revision), (1, 3));
        let begun = restored.edit(edit(600), at(500)).unwrap().order;
        // Old news is not taken for the answer.
        let told_again = settled(&begun, &IntentSnapshot { as_of: at(501), as_of_max: at(501), ..lost }).order;
        assert!(told_again.operation.is_some());
        let update = IntentSnapshot { amount: usd(600), revision: Some(4), ..seen(&order, OPEN) };
        let done = settled(&begun, &update).order;
        assert_eq!((done.total, done.revision, done.intents[0].amount), (usd(600), 4, usd(600)));
    }

    #[test]
    fn who_pays_is_told_stripe_and_an_order_never_goes_from_one_customer_to_another() {
        let payer = Payer { customer: Some(ProviderCustomerId::new("cus_1").unwrap()), payment_method: None };
        let customer = |it: &str| Some(CustomerId::new(it).unwrap());
        let order = issued(IntentStatus::RequiresPaymentMethod);
        assert_eq!(order.customer, None);
        let paid_by = OrderEdit { payer: Some(payer.clone()), ..OrderEdit::default() };
        let told = order.edit(paid_by.clone(), at(200)).unwrap().order;
        assert!(told.operation.is_some(), "Stripe is told first");
        // Whose it is is the shop's own affair.
        let claimed =
            order.edit(OrderEdit { customer: customer("ada"), ..OrderEdit::default() }, at(200)).unwrap().order;
        assert_eq!((claimed.customer.clone(), claimed.operation.is_none()), (customer("ada"), true));
        for other in ["ada", "eve"] {
            let edit = OrderEdit { customer: customer(other), ..OrderEdit::default() };
            assert_eq!(claimed.edit(edit, at(300)).unwrap().order, claimed, "{other}");
        }
        let again = placed().edit(paid_by.clone(), at(200)).unwrap().order;
        assert_eq!((&again.payer, again.revision), (&payer, 2));
        assert_eq!(again.edit(paid_by, at(300)).unwrap().order, again, "the same again is no edit");
    }

    #[test]
    fn an_edit_of_the_parts_of_the_total_is_told_to_stripe_and_one_of_labels_is_not() {
        use crate::AdjustmentKind::{Discount, Shipping, TaxIncluded};
        let adjust = |adjustments: &[(crate::AdjustmentKind, i64)]| {
            let adjustment = |(kind, minor): &(_, i64)| Adjustment {
                kind: *kind,
                label: crate::Text::new("x").unwrap(),
                amount: usd(*minor),
            };
            let adjustments = Some(adjustments.iter().map(adjustment).collect());
            OrderEdit { adjustments, ..OrderEdit::default() }
        };
        for (adjustments, is_told) in [
            (vec![(Shipping, 100), (Discount, 100)], true),
            (vec![(Shipping, 0)], false),
            (vec![(TaxIncluded, 100)], false),
        ] {
            let decided = issued(IntentStatus::RequiresPaymentMethod).edit(adjust(&adjustments), at(301)).unwrap();
            assert_eq!(decided.order.operation.is_some(), is_told, "{adjustments:?}");
        }
    }

    #[test]
    fn an_edit_under_a_payable_intent_waits_for_stripe_and_is_then_the_order() {
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

    /// The instant of pain no. 8: whichever amount a customer pays while an edit is under way, it fits.
    #[test]
    fn a_client_that_pays_the_old_or_the_new_amount_pays_the_order() {
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
    fn a_cancellation_is_done_at_stripe_first_and_late_money_pays() {
        let order = issued(OPEN);
        let begun = order.cancel(CancelReason::RequestedByCustomer, at(301)).unwrap();
        assert_eq!((begun.order.state.name(), begun.tasks), ("open", vec![Task::CancelIntent { operation: 1 }]));
        let order = begun.order;
        assert_eq!(order.request_intent(at(302)), Err(RequestIntentError::BeingCanceled));
        let again = order.cancel(CancelReason::RequestedByCustomer, at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(order.clone()), "asking twice is asking once");
        let gone = settled(&order, &seen(&order, IntentStatus::Canceled));
        assert_eq!(gone.order.state.name(), "canceled");
        let finished = [
            Task::PollIntent { intent: IntentId::new("pi_1").unwrap() }.key(),
            Task::CancelIntent { operation: 1 }.key(),
            Task::ExpireOrder.key(),
        ];
        assert_eq!(gone.finished, finished);
        let paid = settled(&order, &seen(&order, IntentStatus::Succeeded));
        assert_eq!((paid.order.state.name(), paid.order.anomalies.len()), ("paid", 0));
        assert!(kinds(&paid).contains(&"operation.dropped"));
    }

    #[test]
    fn a_part_that_the_shop_captures_is_what_pays_the_order() {
        let order = issued(IntentStatus::RequiresCapture);
        for bad in [usd(0), usd(11_501)] {
            assert_eq!(order.capture(Some(bad), at(301)), Err(CaptureError::Amount { capturable: order.total }));
        }
        let begun = order.capture(Some(usd(5000)), at(301)).unwrap().order;
        let again = begun.capture(Some(usd(5000)), at(302)).unwrap();
        assert_eq!(again, Decision::unchanged(begun.clone()), "asking twice is asking once");
        let other = begun.capture(Some(usd(4000)), at(302));
        assert_eq!(other, Err(CaptureError::NotNow(NotNow::OperationUnderWay("capture"))));
        let update = IntentSnapshot { received: usd(5000), ..seen(&order, IntentStatus::Succeeded) };
        let paid = settled(&begun, &update).order;
        assert_eq!((paid.state.name(), paid.anomalies.len()), ("paid", 0));
        assert_eq!(paid.capture(Some(usd(5000)), at(500)), Ok(Decision::unchanged(paid.clone())));
        assert_eq!(paid.capture(None, at(500)), Ok(Decision::unchanged(paid.clone())));
        assert_eq!(paid.capture(Some(usd(1)), at(500)), Err(CaptureError::OtherAmountCaptured { captured: usd(5000) }));
        // The same money without the shop's word is not what was due.
        let unasked = settled(&order, &update).order;
        assert_eq!((unasked.state.name(), unasked.is_held_for_review()), ("open", true));
    }

    #[test]
    fn a_capture_that_stripe_refuses_leaves_the_order_authorised() {
        let order = issued(IntentStatus::RequiresCapture);
        let begun = order.capture(None, at(301)).unwrap().order;
        let error = ProviderFailure::Refused(IntentError::of_code("x"));
        let refused = begun.operation_failed(1, &error, at(302));
        assert_eq!(refused.order.payment_state().name(), "authorized");
        assert_eq!(refused.order.intents[0].capture_asked, None);
        assert_eq!(kinds(&refused), ["operation.dropped"]);
        assert_eq!(refused.order.operation_failed(1, &error, at(303)), Decision::unchanged(refused.order.clone()));
        let second = refused.order.capture(None, at(304)).unwrap().order.operation.clone().unwrap();
        assert_eq!(second.number, 2, "a refused key is never used again");
        // Released by the bank before the capture came.
        let lapsed = settled(&begun, &seen(&order, IntentStatus::Canceled));
        assert_eq!(lapsed.order.payment_state().name(), "unpaid");
        assert!(kinds(&lapsed).contains(&"operation.dropped"));
    }

    #[test]
    fn what_may_be_done_to_an_order_depends_on_its_intent() {
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
            // What Stripe is not told of is nobody's business but the shop's.
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
            "asking twice is asking once"
        );
    }

    #[test]
    fn an_operation_that_stripe_failed_at_goes_on_under_another_key() {
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

    /// An intent that another program has made for the order, say.
    fn elsewhere(order: &Order, status: IntentStatus) -> IntentSnapshot {
        IntentSnapshot { intent: IntentId::new("pi_2").unwrap(), revision: None, ..seen(order, status) }
    }

    #[test]
    fn an_order_that_another_intent_has_paid_is_neither_canceled_nor_edited() {
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
    fn what_could_still_be_paid_is_given_up_once_nothing_is_due() {
        let order = issued(OPEN);
        let paid = order.settle(&elsewhere(&order, IntentStatus::Succeeded), &Policies::DEFAULT, at(302)).unwrap();
        let operation = paid.order.operation.clone().unwrap();
        assert_eq!((operation.intent.as_str(), operation.kind.name()), ("pi_1", "cancel"));
        assert!(paid.tasks.contains(&operation.task()));
        let closed = paid.order.settle(&seen(&order, IntentStatus::Canceled), &Policies::DEFAULT, at(303)).unwrap();
        assert_eq!((&closed.order.state, &closed.order.operation), (&paid.order.state, &None));
        // What the bank has in its hands waits for the bank.
        let update = seen(&order, IntentStatus::Processing);
        let processing = order.settle(&update, &Policies::DEFAULT, at(302)).unwrap().order;
        let paid = processing.settle(&elsewhere(&order, IntentStatus::Succeeded), &Policies::DEFAULT, at(303)).unwrap();
        assert_eq!(paid.order.operation, None);
        let later = IntentSnapshot { as_of: at(400), as_of_max: at(400), ..seen(&order, IntentStatus::RequiresAction) };
        let open_again = paid.order.settle(&later, &Policies::DEFAULT, at(400)).unwrap().order;
        let number = open_again.operation.as_ref().map(|it| (it.number, it.kind.name()));
        assert_eq!(number, Some((1, "cancel")));
        // Stripe refuses it for a state that has passed: it is begun again. Another refusal is taken for good.
        for (code, expected) in [(IntentError::UNEXPECTED_STATE, Some(2)), (IntentError::RESOURCE_MISSING, None)] {
            let error = ProviderFailure::Refused(IntentError::of_code(code));
            let refused = open_again.operation_failed(1, &error, at(401)).order;
            assert_eq!(refused.operation.as_ref().map(|it| it.number), expected, "{code}");
        }
    }

    /// Found by the simulator: somebody else had changed the amount of the intent before it was authorised.
    #[test]
    fn a_capture_takes_what_is_due_and_no_more_than_that() {
        let authorised = |capturable: i64| {
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
        let more = authorised(12_000);
        assert_eq!(more.capture(Some(usd(11_501)), at(401)), Err(CaptureError::Amount { capturable: usd(11_500) }));
        let begun = more.capture(None, at(401)).unwrap().order;
        assert_eq!(begun.operation.as_ref().map(|it| &it.kind), Some(&OperationKind::Capture { amount: usd(11_500) }));
        assert_eq!(captured(&begun, 11_500).state.name(), "paid");

        let less = authorised(9_000);
        let part = less.capture(Some(usd(8_000)), at(401)).unwrap().order;
        assert_eq!(captured(&part, 8_000).state.name(), "paid", "the shop asked for that");
        let all = captured(&less.capture(None, at(401)).unwrap().order, 9_000);
        assert!(all.is_held_for_review(), "the shop asked for all that is due");
    }
}
