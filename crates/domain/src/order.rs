use std::ops::Deref;

use thiserror::Error;

use crate::content::{
    Adjustment, ContentError, LineItem, Metadata, NewOrder, Payer, chargeable_total_of, check_metadata, total_of,
};
use crate::text::Email;
use crate::{
    Anomaly, AnomalyKind, CaptureMethod, CustomerId, Decision, Dispute, Epoch, Fact, IntentId, IntentRequest,
    IntentStatus, Money, Operation, OrderId, OrderNumber, PaymentIntent, Policy, Refund, Task, Timestamp,
};

/// Where an order stands. What a state is about is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Waits for its payment.
    Open,
    /// Paid in full, by a settled intent of its amount and currency.
    Paid {
        /// The intent.
        by: IntentId,
        /// When that was decided.
        at: Timestamp,
    },
    /// Given up.
    Canceled {
        /// Why.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
}

variant_names! {
    /// Its name in the API and in stored rows.
    OrderState {
        Open => "open",
        Paid => "paid",
        Canceled => "canceled",
        ..
    }
}

impl OrderState {
    /// Puts a state together again from the parts that a store keeps: its name, and what it is about. `None` if
    /// no state has these parts.
    pub fn of_parts(
        name: &str,
        paid_by: Option<IntentId>,
        cancel_reason: Option<CancelReason>,
        at: Option<Timestamp>,
    ) -> Option<Self> {
        match (name, paid_by, cancel_reason, at) {
            ("open", None, None, None) => Some(Self::Open),
            ("paid", Some(by), None, Some(at)) => Some(Self::Paid { by, at }),
            ("canceled", None, Some(reason), Some(at)) => Some(Self::Canceled { reason, at }),
            _ => None,
        }
    }
}

/// Why an order is given up; the names are those of Stripe's `cancellation_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CancelReason {
    /// It was placed twice.
    Duplicate,
    /// It is a fraud.
    Fraudulent,
    /// The customer wants it so.
    RequestedByCustomer,
    /// The customer left.
    Abandoned,
}

variant_names! {
    /// Its name at Stripe, in the API and in stored rows.
    CancelReason {
        Duplicate => "duplicate",
        Fraudulent => "fraudulent",
        RequestedByCustomer => "requested_by_customer",
        Abandoned => "abandoned",
    }
}

/// How the payment stands in the eyes of a client. Derived, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// Nothing was paid.
    Unpaid,
    /// The customer has something to do.
    RequiresAction,
    /// The bank has something to do.
    Processing,
    /// The money is reserved, not taken.
    Authorized,
    /// Paid in full.
    Paid,
    /// Paid, and a part of it has gone back.
    PartiallyRefunded,
    /// Paid, and all of it has gone back.
    Refunded,
    /// Paid, and the card holder has it back for now or for good.
    Disputed,
    /// Money came that does not fit, and a person must decide.
    Review,
}

variant_names! {
    /// Its name in the API.
    PaymentState {
        Unpaid => "unpaid",
        RequiresAction => "requires_action",
        Processing => "processing",
        Authorized => "authorized",
        Paid => "paid",
        PartiallyRefunded => "partially_refunded",
        Refunded => "refunded",
        Disputed => "disputed",
        Review => "review",
    }
}

/// Everything that an order is. A store keeps these fields and hands them to [`Order::restore`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderData {
    /// Its name.
    pub id: OrderId,
    /// Its name for people.
    pub number: OrderNumber,
    /// Whose it is; nobody's for a guest.
    pub customer: Option<CustomerId>,
    /// Where the receipt goes.
    pub email: Option<Email>,
    /// Who pays, as Stripe knows them.
    pub payer: Payer,
    /// What is bought.
    pub lines: Vec<LineItem>,
    /// What changes the total beside the lines.
    pub adjustments: Vec<Adjustment>,
    /// What is due: lines, plus shipping, plus added taxes, less discounts.
    pub total: Money,
    /// When the money moves.
    pub capture: CaptureMethod,
    /// The shop's own notes.
    pub metadata: Metadata,
    /// Whether it is about real money.
    pub livemode: bool,
    /// Grows with every edit: a different content is a different revision.
    pub revision: u32,
    /// The number of the next intent for one revision, from 1. It grows after a definite end alone, since
    /// Stripe answers a repeated key with the saved answer of the first.
    pub attempt: u32,
    /// Where it stands.
    pub state: OrderState,
    /// What Stripe was asked for and has not answered yet.
    pub requested: Option<IntentRequest>,
    /// How many operations on its intents there have been.
    pub operations: u32,
    /// What is being done to its payable intent at this moment.
    pub operation: Option<Operation>,
    /// Every intent ever issued, oldest first.
    pub intents: Vec<PaymentIntent>,
    /// Every refund, oldest first.
    pub refunds: Vec<Refund>,
    /// Every dispute, oldest first.
    pub disputes: Vec<Dispute>,
    /// What was not as it should be, in the order of its coming.
    pub anomalies: Vec<Anomaly>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The installation's epoch when the order was read: requests that are decided on it have this epoch. The store keeps
    /// it for all orders at once.
    pub epoch: Epoch,
}

/// A stored order that no transition could have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CorruptOrder {
    /// The total is not what lines and adjustments make.
    #[error("the total is not the sum of the lines and adjustments")]
    Total,
    /// Paid by an intent that is not there or has not succeeded.
    #[error("paid by an intent that did not succeed")]
    PaidByNothing,
    /// Two intents that a customer could pay.
    #[error("more than one payable intent")]
    TwoPayableIntents,
    /// Refunds of more than came.
    #[error("more is refunded than was received")]
    TooMuchRefunded,
}

/// An order. Its [`OrderData`] is read through it and changes by its transitions alone, each of which gives a
/// [`Decision`]; so whatever holds an `Order` holds one that some sequence of valid steps has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub(crate) data: OrderData,
}

impl Deref for Order {
    type Target = OrderData;
    fn deref(&self) -> &OrderData {
        &self.data
    }
}

impl Order {
    /// The most lines of one order.
    pub const LINES_MAX: usize = 200;
    /// The most adjustments of one order.
    pub const ADJUSTMENTS_MAX: usize = 50;
    /// The most notes of one order.
    pub const METADATA_MAX: usize = 20;

    /// Places an order under a fresh `id`, and the number that is made of it and of the day.
    pub fn place(id: OrderId, new: NewOrder, now: Timestamp) -> Result<Decision, ContentError> {
        Self::place_as(id, OrderNumber::of(id, now), new, now)
    }

    /// Places an order whose number was told before.
    pub fn place_as(id: OrderId, number: OrderNumber, new: NewOrder, now: Timestamp) -> Result<Decision, ContentError> {
        let total = chargeable_total_of(new.currency, &new.lines, &new.adjustments)?;
        check_metadata(&new.metadata)?;
        let order = Self {
            data: OrderData {
                id,
                number,
                customer: new.customer,
                email: new.email,
                payer: new.payer,
                lines: new.lines,
                adjustments: new.adjustments,
                total,
                capture: new.capture,
                metadata: new.metadata,
                livemode: new.livemode,
                revision: 1,
                attempt: 1,
                state: OrderState::Open,
                requested: None,
                operations: 0,
                operation: None,
                intents: Vec::new(),
                refunds: Vec::new(),
                disputes: Vec::new(),
                anomalies: Vec::new(),
                placed_at: now,
                updated_at: now,
                epoch: Epoch::FIRST,
            },
        };
        Ok(Decision {
            facts: vec![Fact::OrderPlaced { total }],
            tasks: vec![Task::ExpireOrder],
            ..Decision::unchanged(order)
        })
    }

    /// Takes an order back from a store, checking what every transition guarantees.
    pub fn restore(data: OrderData) -> Result<Self, CorruptOrder> {
        if total_of(data.total.currency(), &data.lines, &data.adjustments) != Ok(data.total) {
            return Err(CorruptOrder::Total);
        }
        if let OrderState::Paid { by, .. } = &data.state {
            let settled = |it: &PaymentIntent| it.id == *by && it.status == IntentStatus::Succeeded;
            if !data.intents.iter().any(settled) {
                return Err(CorruptOrder::PaidByNothing);
            }
        }
        if data.intents.iter().filter(|it| it.is_payable()).count() > 1 {
            return Err(CorruptOrder::TwoPayableIntents);
        }
        let order = Self { data };
        if order.intents.iter().any(|it| order.refunded_of(&it.id) > it.received.minor()) {
            return Err(CorruptOrder::TooMuchRefunded);
        }
        Ok(order)
    }

    /// The same order, as it is read in this epoch of its installation.
    #[must_use]
    pub fn in_epoch(mut self, epoch: Epoch) -> Self {
        self.data.epoch = epoch;
        self
    }

    /// The intent that a customer can pay, if there is one. There is never more than one.
    pub fn payable_intent(&self) -> Option<&PaymentIntent> {
        self.intents.iter().find(|it| it.is_payable())
    }

    /// The intent with this id.
    pub fn intent(&self, id: &IntentId) -> Option<&PaymentIntent> {
        self.intents.iter().find(|it| it.id == *id)
    }

    /// The intent that says most about the payment: the one that paid, else the payable one, else the last.
    pub fn leading_intent(&self) -> Option<&PaymentIntent> {
        match &self.state {
            OrderState::Paid { by, .. } => self.intent(by),
            OrderState::Open | OrderState::Canceled { .. } => self.payable_intent().or(self.intents.last()),
        }
    }

    /// The intent that paid it.
    pub fn paid_by(&self) -> Option<&PaymentIntent> {
        match &self.state {
            OrderState::Paid { by, .. } => self.intent(by),
            OrderState::Open | OrderState::Canceled { .. } => None,
        }
    }

    /// Whether money came that a person must decide on. It is decided when it has gone back.
    pub fn is_held_for_review(&self) -> bool {
        self.anomalies.iter().any(|it| self.holds(it))
    }

    fn holds(&self, anomaly: &Anomaly) -> bool {
        match anomaly.policy {
            Policy::HoldForReview => match anomaly.kind {
                // Its money is not ours to count, nor to give back.
                AnomalyKind::WrongLivemode { .. } => true,
                AnomalyKind::PaymentNotConfirmed { told, .. } => {
                    anomaly.intent.as_ref().is_some_and(|it| self.lacks_money(it, told) || self.has_late_money(it))
                }
                AnomalyKind::PaidAfterCancel { .. }
                | AnomalyKind::SecondPayment { .. }
                | AnomalyKind::AmountDiffers { .. }
                | AnomalyKind::WrongCurrency { .. }
                | AnomalyKind::RefundFailed { .. }
                | AnomalyKind::RefundDelayed { .. }
                | AnomalyKind::RefundDiffers { .. }
                | AnomalyKind::AuthorizationExpiring
                | AnomalyKind::PartiallyCaptured { .. }
                | AnomalyKind::CaptureFailed
                | AnomalyKind::IntentLost
                | AnomalyKind::EarlyFraudWarning
                | AnomalyKind::UnderReview
                | AnomalyKind::ReviewClosed
                | AnomalyKind::ReceiptEmailRefused => {
                    anomaly.intent.as_ref().is_some_and(|it| !self.left_of(it).is_zero())
                }
            },
            Policy::Refund | Policy::Tell => false,
        }
    }

    /// Whether the bank has its payment in its hands: the customer has done all there is to do, and the money comes, or
    /// does not, within days.
    pub fn awaits_money(&self) -> bool {
        matches!(self.state, OrderState::Open) && self.payment_state() == PaymentState::Processing
    }

    /// Whether it is paid, and Stripe has not answered otherwise since: goods may be sent.
    pub fn is_paid(&self) -> bool {
        self.paid_by().is_some_and(|it| !self.is_not_confirmed(&it.id))
    }

    /// Whether its customer has nothing more to do: it is paid, or awaits its money. Goods are sent for a paid one alone.
    pub fn is_complete(&self) -> bool {
        self.is_paid() || self.awaits_money()
    }

    /// Its status in the eyes of a client: one that was paid by the word of an event, and not by Stripe's, is open.
    pub fn status_name(&self) -> &'static str {
        match &self.state {
            OrderState::Paid { .. } if !self.is_paid() => OrderState::Open.name(),
            state @ (OrderState::Open | OrderState::Paid { .. } | OrderState::Canceled { .. }) => state.name(),
        }
    }

    /// How the payment stands in the eyes of a client.
    pub fn payment_state(&self) -> PaymentState {
        match &self.state {
            OrderState::Paid { by, .. } => {
                if self.is_not_confirmed(by) {
                    PaymentState::Review
                } else if self.is_disputed(by) {
                    PaymentState::Disputed
                } else if self.refunded_of(by) == 0 {
                    PaymentState::Paid
                } else if self.left_of(by).is_zero() {
                    PaymentState::Refunded
                } else {
                    PaymentState::PartiallyRefunded
                }
            }
            OrderState::Open | OrderState::Canceled { .. } if self.is_held_for_review() => PaymentState::Review,
            OrderState::Open | OrderState::Canceled { .. } => match self.payable_intent().map(|it| it.status) {
                Some(IntentStatus::RequiresAction) => PaymentState::RequiresAction,
                Some(IntentStatus::Processing) => PaymentState::Processing,
                Some(IntentStatus::RequiresCapture) => PaymentState::Authorized,
                Some(
                    IntentStatus::RequiresPaymentMethod
                    | IntentStatus::RequiresConfirmation
                    | IntentStatus::Succeeded
                    | IntentStatus::Canceled,
                )
                | None => PaymentState::Unpaid,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{CancelReason, Currency, EditError, IntentPlan, IntentSnapshot, OrderEdit, Policies};

    pub(crate) fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::Usd).unwrap()
    }

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    pub(crate) fn new_order() -> NewOrder {
        NewOrder {
            lines: vec![
                LineItem::new("Main product 2", usd(5600), 2).unwrap(),
                LineItem::new("Bone", usd(300), 1).unwrap(),
            ],
            ..NewOrder::empty(Currency::Usd)
        }
    }

    /// An edit that leaves one line.
    pub(crate) fn edit(minor: i64) -> OrderEdit {
        let lines = Some(vec![LineItem::new("Bone", usd(minor), 1).unwrap()]);
        OrderEdit { lines, ..OrderEdit::default() }
    }

    pub(crate) fn placed() -> Order {
        Order::place(OrderId(Uuid::from_u128(7)), new_order(), at(100)).unwrap().order
    }

    #[test]
    fn an_edit_makes_a_new_revision_and_an_empty_edit_makes_none() {
        let order = placed();
        let lines = Some(vec![LineItem::new("Bone", usd(300), 2).unwrap()]);
        let edited = order.edit(OrderEdit { lines, ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!((edited.order.total, edited.order.revision), (usd(600), 2));
        assert_eq!(edited.facts, [Fact::OrderEdited { before: usd(11_500), total: usd(600), revision: 2 }]);
        let same = order.edit(OrderEdit { email: Some(None), ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!(same, Decision::unchanged(order));
    }

    #[test]
    fn a_canceled_order_stays_canceled_and_takes_no_edit() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap();
        assert_eq!(canceled.facts, [Fact::OrderCanceled { reason: CancelReason::Abandoned }]);
        let again = canceled.order.cancel(CancelReason::Fraudulent, at(300)).unwrap();
        assert_eq!(again, Decision::unchanged(canceled.order.clone()));
        assert_eq!(canceled.order.edit(edit(600), at(300)), Err(EditError::Canceled));
    }

    #[test]
    fn an_order_that_no_step_could_make_is_not_restored() {
        let good = placed().data;
        let paid = OrderState::Paid { by: IntentId::new("pi_1").unwrap(), at: at(1) };
        assert!(Order::restore(good.clone()).is_ok());
        assert_eq!(Order::restore(OrderData { total: usd(1), ..good.clone() }), Err(CorruptOrder::Total));
        assert_eq!(Order::restore(OrderData { state: paid, ..good }), Err(CorruptOrder::PaidByNothing));
    }

    #[test]
    fn an_order_is_complete_when_its_customer_has_nothing_more_to_do() {
        use IntentStatus::{
            Canceled, Processing, RequiresAction, RequiresCapture, RequiresConfirmation, RequiresPaymentMethod,
            Succeeded,
        };
        let IntentPlan::Create { decision: Some(requested), .. } = placed().request_intent(at(200)).unwrap() else {
            panic!("a new order asks for an intent")
        };
        let order = requested.order;
        assert_eq!((order.awaits_money(), order.is_complete()), (false, false));
        for (status, awaits_money, is_complete) in [
            (RequiresPaymentMethod, false, false),
            (RequiresConfirmation, false, false),
            (RequiresAction, false, false),
            (RequiresCapture, false, false),
            (Processing, true, true),
            (Succeeded, false, true),
            (Canceled, false, false),
        ] {
            let mut update = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, at(300));
            update.status = status;
            update.received = if status == Succeeded { order.total } else { usd(0) };
            let settled = order.settle(&update, &Policies::DEFAULT, at(300)).unwrap();
            assert_eq!((settled.order.awaits_money(), settled.order.is_complete()), (awaits_money, is_complete));
            let is_paid = settled.facts.iter().any(|it| matches!(it, Fact::OrderPaid { .. }));
            assert_eq!(is_paid, status == Succeeded, "{status:?}");
        }
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap().order;
        let update = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), canceled.id, canceled.total, at(300));
        let late =
            canceled.settle(&IntentSnapshot { status: Processing, ..update }, &Policies::DEFAULT, at(300)).unwrap();
        assert!(!late.order.is_complete(), "what was given up awaits nothing");
    }
}
