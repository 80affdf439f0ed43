//! Orders with their content, totals and transitions.
//!
//! [`Order`] has the transitions, and [`OrderData`] the fields that a store saves. [`NewOrder`] is the content of an
//! order to be placed, [`OrderEdit`] a change of it. [`Totals`] adds up an order, and [`Breakdown`] allocates its totals
//! to lines and shipping.

mod breakdown;
mod content;
mod lost;

pub use self::breakdown::{Breakdown, Part, ShippingTax};
pub use self::content::{
    Adjustment, AdjustmentKind, Content, ContentError, LineItem, LineProblem, Metadata, NewOrder, OrderEdit, Payer,
    QUANTITY_MAX, TaxRateDetails, Totals,
};
pub(crate) use self::content::{check_included_taxes, check_metadata, total_of};
pub use self::lost::{LostOrder, RecreateError};

use std::ops::Deref;

use thiserror::Error;

use self::content::chargeable_total_of;
use crate::anomaly::{Anomaly, AnomalyKind, Mismatch, Policy};
use crate::dispute::Dispute;
use crate::id::{CustomerId, Epoch, OrderNumber};
use crate::intent::{CaptureMethod, IntentRequest, IntentStatus, PaymentIntent};
use crate::operation::Operation;
use crate::refund::Refund;
use crate::text::Email;
use crate::{Decision, Fact, IntentId, Money, OrderId, Task, Timestamp};

/// State of an order, with the data of that state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "snake_case"))]
pub enum OrderState {
    /// Placed and not paid yet.
    Open,
    /// Paid in full, by a settled intent of its amount and currency.
    Paid {
        /// Id of the PaymentIntent that paid the order.
        by: IntentId,
        /// Time at which the payment was recorded.
        at: Timestamp,
    },
    /// Canceled.
    Canceled {
        /// Reason of the cancellation.
        reason: CancelReason,
        /// Time of the cancellation.
        at: Timestamp,
    },
}

variant_names! {
    /// Name of the state in the API and in stored rows.
    pub OrderState::name, NAMES {
        Open => "open",
        Paid => "paid",
        Canceled => "canceled",
    }
}

impl OrderState {
    /// Restores a state from the columns of a stored row: the state's name and its data. `None` if no state has this
    /// combination.
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

/// Reason of a cancellation. The names are those of Stripe's `cancellation_reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CancelReason {
    /// The order was placed twice.
    Duplicate,
    /// The order is fraudulent.
    Fraudulent,
    /// The customer requested the cancellation.
    RequestedByCustomer,
    /// The customer did not pay.
    Abandoned,
}

variant_names! {
    /// Name of the reason at Stripe, in the API and in stored rows.
    CancelReason {
        Duplicate => "duplicate",
        Fraudulent => "fraudulent",
        RequestedByCustomer => "requested_by_customer",
        Abandoned => "abandoned",
    }
}

parsed_by_name! { CancelReason: "a reason of a cancellation" }

/// State of an order's payment, as the API shows it. Derived from the order, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// No payment was received or is in progress.
    Unpaid,
    /// The customer must act, e.g. authenticate the payment.
    RequiresAction,
    /// The bank is processing the payment.
    Processing,
    /// The payment is authorized and not captured yet.
    Authorized,
    /// Paid in full.
    Paid,
    /// Paid, and partly refunded.
    PartiallyRefunded,
    /// Paid, and fully refunded.
    Refunded,
    /// Paid, and withdrawn by a dispute that is open or lost.
    Disputed,
    /// Held for review: money was received that does not match the order, and a person must decide.
    Review,
}

variant_names! {
    /// Name of the payment state in the API.
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

parsed_by_name! { PaymentState: "a payment state" }

/// Data of an order. A store saves these fields and passes them to [`Order::restore`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderData {
    /// Id of the order.
    pub id: OrderId,
    /// Order number for people.
    pub number: OrderNumber,
    /// Customer of the order; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// Email address for the receipt.
    pub email: Option<Email>,
    /// Stripe customer and payment method.
    pub payer: Payer,
    /// Line items.
    pub lines: Vec<LineItem>,
    /// Discounts, shipping and taxes.
    pub adjustments: Vec<Adjustment>,
    /// Total: lines, plus shipping, plus added taxes, less discounts.
    pub total: Money,
    /// Capture method of the PaymentIntents.
    pub capture: CaptureMethod,
    /// The shop's metadata.
    pub metadata: Metadata,
    /// Whether the order is paid with real money, as Stripe's `livemode`.
    pub livemode: bool,
    /// Revision of the content: 1 when placed, and one more with each edit.
    pub revision: u32,
    /// Attempt of the next PaymentIntent request, from 1. It grows only after a request or an intent has definitely
    /// ended, since Stripe answers a repeated idempotency key with the saved answer.
    pub attempt: u32,
    /// State of the order.
    pub state: OrderState,
    /// PaymentIntent request whose outcome is not known yet.
    pub requested: Option<IntentRequest>,
    /// Number of operations so far, and so the number of the last one.
    pub operations: u32,
    /// Operation on the payable intent that is under way.
    pub operation: Option<Operation>,
    /// All intents of the order, oldest first.
    pub intents: Vec<PaymentIntent>,
    /// All refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// All disputes, oldest first.
    pub disputes: Vec<Dispute>,
    /// All anomalies, oldest first.
    pub anomalies: Vec<Anomaly>,
    /// Time at which the order was placed.
    pub placed_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
    /// Epoch of the installation when the order was read; new requests, operations and refunds have this epoch. A store
    /// saves one epoch for all orders.
    pub epoch: Epoch,
}

/// Error of a stored order that no sequence of transitions makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorruptOrder {
    /// The total is not that of lines and adjustments.
    #[error("the total is not the sum of the lines and adjustments")]
    Total,
    /// The order is paid by an intent that is missing or has not succeeded.
    #[error("the order is paid by a PaymentIntent that is missing or has not succeeded")]
    PaidByNothing,
    /// The order has more than one payable intent.
    #[error("the order has more than one payable PaymentIntent")]
    TwoPayableIntents,
    /// The refunds of an intent are more than was received.
    #[error("more is refunded than was received")]
    TooMuchRefunded,
}

/// Order of a shop's customer, with its payments, refunds and disputes.
///
/// The fields of [`OrderData`] are read through `Deref`. They change by the transitions only, each of which returns a
/// [`Decision`]; so every `Order` is the result of valid transitions. A store saves the fields, or with the feature
/// `serde` the order's serialized form, and both are checked when the order is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "OrderData", into = "OrderData"))]
pub struct Order {
    pub(crate) data: OrderData,
}

impl Deref for Order {
    type Target = OrderData;
    fn deref(&self) -> &OrderData {
        &self.data
    }
}

impl From<Order> for OrderData {
    fn from(order: Order) -> Self {
        order.data
    }
}

impl TryFrom<OrderData> for Order {
    type Error = CorruptOrder;

    /// Restores an order as [`Order::restore`] does.
    fn try_from(data: OrderData) -> Result<Self, CorruptOrder> {
        Self::restore(data)
    }
}

impl Order {
    /// Maximum number of lines of one order.
    pub const LINES_MAX: usize = 200;
    /// Maximum number of adjustments of one order.
    pub const ADJUSTMENTS_MAX: usize = 50;
    /// Maximum number of metadata entries of one order.
    pub const METADATA_MAX: usize = 20;

    /// Places an order under a new `id`; its number is made from the id and the day of `now`.
    ///
    /// ```
    /// use paywright_domain::uuid::Uuid;
    /// use paywright_domain::{Currency, LineItem, Money, NewOrder, Order, OrderId, Timestamp};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let lines = vec![LineItem::new("Bone", Money::new(300, Currency::Usd)?, 2)?];
    /// let new = NewOrder { lines, ..NewOrder::empty(Currency::Usd) };
    /// let placed = Order::place(OrderId(Uuid::from_u128(9)), new, Timestamp::from_unix_seconds(1_743_415_050)?)?;
    /// assert_eq!(placed.order.total.to_decimal(), "6.00");
    /// # Ok(())
    /// # }
    /// ```
    pub fn place(id: OrderId, new: NewOrder, now: Timestamp) -> Result<Decision, ContentError> {
        Self::place_as(id, OrderNumber::of(id, now), new, now)
    }

    /// Places an order under a number that was assigned before.
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

    /// Restores an order from a store, and checks the invariants that every transition keeps.
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

    /// Returns the order with the installation's present epoch.
    #[must_use]
    pub fn in_epoch(mut self, epoch: Epoch) -> Self {
        self.data.epoch = epoch;
        self
    }

    /// The intent that the customer can still pay. There is never more than one.
    pub fn payable_intent(&self) -> Option<&PaymentIntent> {
        self.intents.iter().find(|it| it.is_payable())
    }

    /// Finds the intent with this id.
    pub fn intent(&self, id: &IntentId) -> Option<&PaymentIntent> {
        self.intents.iter().find(|it| it.id == *id)
    }

    /// The intent to show for the payment: the one that paid the order, else the payable one, else the last.
    pub fn leading_intent(&self) -> Option<&PaymentIntent> {
        match &self.state {
            OrderState::Paid { by, .. } => self.intent(by),
            OrderState::Open | OrderState::Canceled { .. } => self.payable_intent().or(self.intents.last()),
        }
    }

    /// The intent that paid the order.
    pub fn paid_by(&self) -> Option<&PaymentIntent> {
        match &self.state {
            OrderState::Paid { by, .. } => self.intent(by),
            OrderState::Open | OrderState::Canceled { .. } => None,
        }
    }

    /// Whether the order is held for review: a person must decide on received money that does not match it. A full
    /// refund of that money ends the hold, except where its livemode differs, and so does a lost dispute of it; money of
    /// another amount can be accepted instead ([`Order::accept_payment`]).
    pub fn is_held_for_review(&self) -> bool {
        self.anomalies_in_review().next().is_some()
    }

    /// Anomalies for which the order is held for review ([`Self::is_held_for_review`]), in the order in which they were
    /// found.
    pub fn anomalies_in_review(&self) -> impl Iterator<Item = &Anomaly> {
        self.anomalies.iter().filter(|it| self.holds(it))
    }

    fn holds(&self, anomaly: &Anomaly) -> bool {
        match anomaly.kind {
            AnomalyKind::Mismatch { mismatch, policy: Policy::HoldForReview } => match mismatch {
                // The account of the other mode has this money: it cannot be refunded from here.
                Mismatch::WrongLivemode { .. } => true,
                Mismatch::PaymentNotConfirmed { reported, .. } => {
                    anomaly.intent.as_ref().is_some_and(|it| self.lacks_money(it, reported) || self.has_late_money(it))
                }
                Mismatch::AmountDiffers { .. } if self.is_accepted(anomaly) => false,
                Mismatch::PaidAfterCancel { .. }
                | Mismatch::SecondPayment { .. }
                | Mismatch::AmountDiffers { .. }
                | Mismatch::WrongCurrency { .. } => {
                    anomaly.intent.as_ref().is_some_and(|it| !self.left_to_decide_of(it).is_zero())
                }
            },
            AnomalyKind::Mismatch { policy: Policy::Refund, .. } | AnomalyKind::Notice(_) => false,
        }
    }

    /// Whether the bank is processing the payment of an open order. The customer has nothing more to do, and the
    /// payment succeeds or fails within days.
    pub fn awaits_money(&self) -> bool {
        matches!(self.state, OrderState::Open) && self.payment_state() == PaymentState::Processing
    }

    /// Whether the order is paid and no later answer of Stripe's contradicts that: the goods may be sent.
    pub fn is_paid(&self) -> bool {
        self.paid_by().is_some_and(|it| !self.is_not_confirmed(&it.id))
    }

    /// Whether the customer has nothing more to do: the order is paid or awaits its money. Only a paid order's goods
    /// are sent.
    pub fn is_complete(&self) -> bool {
        self.is_paid() || self.awaits_money()
    }

    /// Name of the state, as the API shows it: an order paid by an event that Stripe's answers contradict is open.
    pub fn status_name(&self) -> &'static str {
        match &self.state {
            OrderState::Paid { .. } if !self.is_paid() => OrderState::Open.name(),
            state @ (OrderState::Open | OrderState::Paid { .. } | OrderState::Canceled { .. }) => state.name(),
        }
    }

    /// State of the payment, as the API shows it.
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
    use crate::anomaly::Policies;
    use crate::intent::IntentPlan;
    use crate::operation::EditError;
    use crate::order::{CancelReason, OrderEdit};
    use crate::{Currency, IntentSnapshot};

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

    /// Edit to one line of this price.
    pub(crate) fn edit(minor: i64) -> OrderEdit {
        let lines = Some(vec![LineItem::new("Bone", usd(minor), 1).unwrap()]);
        OrderEdit { lines, ..OrderEdit::default() }
    }

    pub(crate) fn placed() -> Order {
        Order::place(OrderId(Uuid::from_u128(7)), new_order(), at(100)).unwrap().order
    }

    #[test]
    fn an_edit_makes_a_new_revision_and_an_edit_without_changes_makes_none() {
        let order = placed();
        let lines = Some(vec![LineItem::new("Bone", usd(300), 2).unwrap()]);
        let edited = order.edit(OrderEdit { lines, ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!((edited.order.total, edited.order.revision), (usd(600), 2));
        assert_eq!(edited.facts, [Fact::OrderEdited { before: usd(11_500), total: usd(600), revision: 2 }]);
        let same = order.edit(OrderEdit { email: Some(None), ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!(same, Decision::unchanged(order));
    }

    #[test]
    fn a_canceled_order_stays_canceled_and_cannot_be_edited() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap();
        assert_eq!(canceled.facts, [Fact::OrderCanceled { reason: CancelReason::Abandoned }]);
        let again = canceled.order.cancel(CancelReason::Fraudulent, at(300)).unwrap();
        assert_eq!(again, Decision::unchanged(canceled.order.clone()));
        assert_eq!(canceled.order.edit(edit(600), at(300)), Err(EditError::Canceled));
    }

    #[test]
    fn an_order_that_no_transition_makes_is_not_restored() {
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
            panic!("a new order requests an intent")
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
        assert!(!late.order.is_complete(), "a canceled order awaits no money");
    }
}
