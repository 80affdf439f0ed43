use std::collections::BTreeMap;
use std::ops::Deref;

use thiserror::Error;

use crate::text::{Email, Text};
use crate::{
    Anomaly, CaptureMethod, ChargeError, Currency, CustomerId, Decision, Fact, IntentId,
    IntentRequest, IntentStatus, Money, MoneyError, OrderId, OrderNumber, PaymentIntent, Policy,
    TextProblem, Timestamp,
};

/// The most of one line.
pub const QUANTITY_MAX: u32 = 10_000;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineItem {
    /// What is sold, in words for the customer.
    pub name: Text<1, 250>,
    /// More of it, or nothing.
    pub description: Text<0, 1000>,
    /// The shop's own name for it.
    pub sku: Option<Text<1, 100>>,
    /// The price of one: more than nothing.
    unit_amount: Money,
    /// How many: 1 to [`QUANTITY_MAX`].
    quantity: u32,
}

/// Why a line is refused. The field is named as in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineProblem {
    /// The name does not fit.
    #[error("name {0}")]
    Name(TextProblem),
    /// A price of nothing.
    #[error("amount must be at least 1")]
    NoAmount,
    /// None, or more than [`QUANTITY_MAX`].
    #[error("quantity must be 1 to {QUANTITY_MAX}")]
    Quantity,
}

impl LineItem {
    /// A line with a name, a price and a quantity.
    pub fn new(
        name: impl Into<String>,
        unit_amount: Money,
        quantity: u32,
    ) -> Result<Self, LineProblem> {
        if unit_amount.is_zero() {
            return Err(LineProblem::NoAmount);
        }
        if !(1..=QUANTITY_MAX).contains(&quantity) {
            return Err(LineProblem::Quantity);
        }
        let name = Text::new(name).map_err(LineProblem::Name)?;
        Ok(Self { name, description: Text::default(), sku: None, unit_amount, quantity })
    }

    /// The price of one.
    pub const fn unit_amount(&self) -> Money {
        self.unit_amount
    }

    /// How many.
    pub const fn quantity(&self) -> u32 {
        self.quantity
    }
}

/// Something that changes what an order costs, beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// What it is.
    pub kind: AdjustmentKind,
    /// What it is called on the receipt.
    pub label: Text<1, 250>,
    /// How much; a discount of 5.00 has the amount 5.00.
    pub amount: Money,
}

/// The kinds of adjustments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdjustmentKind {
    /// Lowers the total.
    Discount,
    /// Raises the total.
    Shipping,
    /// Tax on top of the prices: raises the total.
    Tax,
    /// Tax that the prices contain: shown, and changes nothing.
    TaxIncluded,
}

impl AdjustmentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Discount, Self::Shipping, Self::Tax, Self::TaxIncluded];

    /// Its name in the API and in stored rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discount => "discount",
            Self::Shipping => "shipping",
            Self::Tax => "tax",
            Self::TaxIncluded => "tax_included",
        }
    }
}

/// The shop's own notes on an order. Never sent to Stripe.
pub type Metadata = BTreeMap<Text<1, 40>, Text<0, 500>>;

/// What a shop asks for when it places an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Whose it is; nobody's for a guest.
    pub customer: Option<CustomerId>,
    /// Where the receipt goes.
    pub email: Option<Email>,
    /// What everything in it is counted in.
    pub currency: Currency,
    /// What is bought: 1 to [`Order::LINES_MAX`] lines.
    pub lines: Vec<LineItem>,
    /// At most [`Order::ADJUSTMENTS_MAX`].
    pub adjustments: Vec<Adjustment>,
    /// When the money moves.
    pub capture: CaptureMethod,
    /// At most [`Order::METADATA_MAX`] notes.
    pub metadata: Metadata,
    /// Whether it is about real money.
    pub livemode: bool,
}

impl NewOrder {
    /// An order of nothing, to be filled.
    pub const fn empty(currency: Currency) -> Self {
        Self {
            customer: None,
            email: None,
            currency,
            lines: Vec::new(),
            adjustments: Vec::new(),
            capture: CaptureMethod::Automatic,
            metadata: Metadata::new(),
            livemode: false,
        }
    }
}

/// A change of an order's content: what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderEdit {
    /// All lines from now on.
    pub lines: Option<Vec<LineItem>>,
    /// All adjustments from now on.
    pub adjustments: Option<Vec<Adjustment>>,
    /// Where the receipt goes from now on; `Some(None)` for nowhere.
    pub email: Option<Option<Email>>,
    /// All notes from now on.
    pub metadata: Option<Metadata>,
}

/// Why an order's content is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContentError {
    /// An order of nothing.
    #[error("an order needs at least one line")]
    NoLines,
    /// More than [`Order::LINES_MAX`].
    #[error("an order has at most {} lines", Order::LINES_MAX)]
    TooManyLines,
    /// More than [`Order::ADJUSTMENTS_MAX`].
    #[error("an order has at most {} adjustments", Order::ADJUSTMENTS_MAX)]
    TooManyAdjustments,
    /// More than [`Order::METADATA_MAX`].
    #[error("an order has at most {} metadata entries", Order::METADATA_MAX)]
    TooMuchMetadata,
    /// The discounts are more than the rest.
    #[error("discounts must not exceed the rest of the order")]
    DiscountsExceedTotal,
    /// The sum cannot be.
    #[error("the total {0}")]
    Total(MoneyError),
    /// Stripe would not charge the sum.
    #[error("the total {0}")]
    NotChargeable(ChargeError),
}

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

impl OrderState {
    /// Its name in the API and in stored rows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid { .. } => "paid",
            Self::Canceled { .. } => "canceled",
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

impl CancelReason {
    /// Every reason.
    pub const ALL: [Self; 4] =
        [Self::Duplicate, Self::Fraudulent, Self::RequestedByCustomer, Self::Abandoned];

    /// Its name at Stripe, in the API and in stored rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::RequestedByCustomer => "requested_by_customer",
            Self::Abandoned => "abandoned",
        }
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
    /// Money came that does not fit, and a person must decide.
    Review,
}

impl PaymentState {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::Review => "review",
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
    /// Stripe was asked for an intent, and the customer may be paying it this moment.
    #[error("the order has a payment intent, which a customer may be paying")]
    HasIntent,
    /// The new content does not fit.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Why a cancellation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CancelError {
    /// It is paid.
    #[error("the order is paid")]
    Paid,
    /// Stripe was asked for an intent, and the customer may be paying it this moment.
    #[error("the order has a payment intent, which a customer may be paying")]
    HasIntent,
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
    /// Every intent ever issued, oldest first.
    pub intents: Vec<PaymentIntent>,
    /// Money that did not fit, in the order of its coming.
    pub anomalies: Vec<Anomaly>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
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

    /// Places an order under a fresh `id`.
    pub fn place(id: OrderId, new: NewOrder, now: Timestamp) -> Result<Decision, ContentError> {
        let total = total_of(new.currency, &new.lines, &new.adjustments)?;
        check_metadata(&new.metadata)?;
        let order = Self {
            data: OrderData {
                id,
                number: OrderNumber::of(id, now),
                customer: new.customer,
                email: new.email,
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
                intents: Vec::new(),
                anomalies: Vec::new(),
                placed_at: now,
                updated_at: now,
            },
        };
        Ok(Decision { facts: vec![Fact::OrderPlaced { total }], ..Decision::unchanged(order) })
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
        Ok(Self { data })
    }

    /// Changes the content of an open order that no intent was asked for yet. An edit that changes nothing
    /// is no fact.
    pub fn edit(&self, edit: OrderEdit, now: Timestamp) -> Result<Decision, EditError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { .. } => return Err(EditError::Paid),
            OrderState::Canceled { .. } => return Err(EditError::Canceled),
        }
        if self.may_be_being_paid() {
            return Err(EditError::HasIntent);
        }
        let mut next = self.data.clone();
        if let Some(lines) = edit.lines {
            next.lines = lines;
        }
        if let Some(adjustments) = edit.adjustments {
            next.adjustments = adjustments;
        }
        if let Some(email) = edit.email {
            next.email = email;
        }
        if let Some(metadata) = edit.metadata {
            check_metadata(&metadata)?;
            next.metadata = metadata;
        }
        next.total = total_of(self.total.currency(), &next.lines, &next.adjustments)?;
        if next == self.data {
            return Ok(Decision::unchanged(self.clone()));
        }
        next.revision += 1;
        next.updated_at = now;
        let fact =
            Fact::OrderEdited { before: self.total, total: next.total, revision: next.revision };
        Ok(Decision { facts: vec![fact], ..Decision::unchanged(Self { data: next }) })
    }

    /// Gives up an unpaid order that no intent was asked for yet. Doing it again changes nothing.
    pub fn cancel(&self, reason: CancelReason, now: Timestamp) -> Result<Decision, CancelError> {
        match &self.state {
            OrderState::Open => {}
            OrderState::Paid { .. } => return Err(CancelError::Paid),
            OrderState::Canceled { .. } => return Ok(Decision::unchanged(self.clone())),
        }
        if self.may_be_being_paid() {
            return Err(CancelError::HasIntent);
        }
        let mut next = self.data.clone();
        next.state = OrderState::Canceled { reason, at: now };
        next.updated_at = now;
        let fact = Fact::OrderCanceled { reason };
        Ok(Decision { facts: vec![fact], ..Decision::unchanged(Self { data: next }) })
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
            OrderState::Open | OrderState::Canceled { .. } => {
                self.payable_intent().or(self.intents.last())
            }
        }
    }

    /// Whether money came that a person must decide on.
    pub fn is_held_for_review(&self) -> bool {
        self.anomalies.iter().any(|it| it.kind.policy() == Policy::HoldForReview)
    }

    /// How the payment stands in the eyes of a client.
    pub fn payment_state(&self) -> PaymentState {
        match &self.state {
            OrderState::Paid { .. } => PaymentState::Paid,
            OrderState::Open | OrderState::Canceled { .. } if self.is_held_for_review() => {
                PaymentState::Review
            }
            OrderState::Open | OrderState::Canceled { .. } => {
                match self.payable_intent().map(|it| it.status) {
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
                }
            }
        }
    }

    /// Whether a customer may be paying at this moment, or has paid what a person must look at.
    fn may_be_being_paid(&self) -> bool {
        self.requested.is_some() || self.payable_intent().is_some() || self.is_held_for_review()
    }
}

fn check_metadata(metadata: &Metadata) -> Result<(), ContentError> {
    if metadata.len() > Order::METADATA_MAX { Err(ContentError::TooMuchMetadata) } else { Ok(()) }
}

fn total_of(
    currency: Currency,
    lines: &[LineItem],
    adjustments: &[Adjustment],
) -> Result<Money, ContentError> {
    if lines.is_empty() {
        return Err(ContentError::NoLines);
    }
    if lines.len() > Order::LINES_MAX {
        return Err(ContentError::TooManyLines);
    }
    if adjustments.len() > Order::ADJUSTMENTS_MAX {
        return Err(ContentError::TooManyAdjustments);
    }
    let mut due = Money::zero(currency);
    for line in lines {
        let amount = line.unit_amount.times(line.quantity).map_err(ContentError::Total)?;
        due = due.plus(amount).map_err(ContentError::Total)?;
    }
    let mut discounts = Money::zero(currency);
    for adjustment in adjustments {
        let sum = match adjustment.kind {
            AdjustmentKind::Discount => &mut discounts,
            AdjustmentKind::Shipping | AdjustmentKind::Tax => &mut due,
            AdjustmentKind::TaxIncluded => {
                // It adds nothing, but it must be an amount of this order's currency all the same.
                Money::zero(currency).plus(adjustment.amount).map_err(ContentError::Total)?;
                continue;
            }
        };
        *sum = sum.plus(adjustment.amount).map_err(ContentError::Total)?;
    }
    let total = due.minus(discounts).map_err(|problem| match problem {
        MoneyError::Negative => ContentError::DiscountsExceedTotal,
        MoneyError::TooLarge
        | MoneyError::CurrencyMismatch { .. }
        | MoneyError::NotADecimal { .. }
        | MoneyError::Inexact { .. }
        | MoneyError::NoWeights => ContentError::Total(problem),
    })?;
    total.to_charge().map_err(ContentError::NotChargeable)?;
    Ok(total)
}

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;

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

    pub(crate) fn placed() -> Order {
        Order::place(OrderId(Uuid::from_u128(7)), new_order(), at(100)).unwrap().order
    }

    fn adjustment(kind: AdjustmentKind, minor: i64) -> Adjustment {
        Adjustment { kind, label: Text::new("x").unwrap(), amount: usd(minor) }
    }

    #[test]
    fn the_total_is_lines_and_shipping_and_added_tax_less_discounts() {
        use AdjustmentKind::{Discount, Shipping, Tax, TaxIncluded};
        for (adjustments, expected) in [
            (vec![], Ok(usd(11_500))),
            (vec![(Shipping, 500), (Discount, 1000)], Ok(usd(11_000))),
            (vec![(Tax, 2185)], Ok(usd(13_685))),
            (vec![(TaxIncluded, 1836)], Ok(usd(11_500))),
            (vec![(Discount, 11_501)], Err(ContentError::DiscountsExceedTotal)),
            (
                vec![(Discount, 11_500)],
                Err(ContentError::NotChargeable(ChargeError::TooSmall { minimum: usd(50) })),
            ),
        ] {
            let adjustments =
                adjustments.into_iter().map(|(kind, minor)| adjustment(kind, minor)).collect();
            let placed =
                Order::place(OrderId(Uuid::nil()), NewOrder { adjustments, ..new_order() }, at(1));
            assert_eq!(placed.map(|it| it.order.total), expected);
        }
    }

    #[test]
    fn content_beyond_a_limit_is_refused() {
        let line = LineItem::new("x", usd(1), 1).unwrap();
        let eur = LineItem::new("x", Money::new(100, Currency::Eur).unwrap(), 1).unwrap();
        let metadata = (0..=Order::METADATA_MAX)
            .map(|it| (Text::new(it.to_string()).unwrap(), Text::default()))
            .collect();
        let mixed = MoneyError::CurrencyMismatch { left: Currency::Usd, right: Currency::Eur };
        for (new, expected) in [
            (NewOrder { lines: vec![], ..new_order() }, ContentError::NoLines),
            (
                NewOrder { lines: vec![line; Order::LINES_MAX + 1], ..new_order() },
                ContentError::TooManyLines,
            ),
            (NewOrder { lines: vec![eur], ..new_order() }, ContentError::Total(mixed)),
            (
                NewOrder {
                    adjustments: vec![
                        adjustment(AdjustmentKind::Tax, 1);
                        Order::ADJUSTMENTS_MAX + 1
                    ],
                    ..new_order()
                },
                ContentError::TooManyAdjustments,
            ),
            (NewOrder { metadata, ..new_order() }, ContentError::TooMuchMetadata),
        ] {
            assert_eq!(Order::place(OrderId(Uuid::nil()), new, at(1)), Err(expected));
        }
    }

    #[test]
    fn a_line_has_a_price_and_a_sensible_quantity() {
        for (minor, quantity, expected) in [
            (0, 1, Err(LineProblem::NoAmount)),
            (1, 0, Err(LineProblem::Quantity)),
            (1, QUANTITY_MAX, Ok(())),
            (1, QUANTITY_MAX + 1, Err(LineProblem::Quantity)),
        ] {
            assert_eq!(LineItem::new("x", usd(minor), quantity).map(drop), expected);
        }
        assert!(matches!(LineItem::new(" ", usd(1), 1), Err(LineProblem::Name(_))));
    }

    #[test]
    fn an_edit_makes_a_new_revision_and_an_empty_edit_makes_none() {
        let order = placed();
        let lines = Some(vec![LineItem::new("Bone", usd(300), 2).unwrap()]);
        let edited = order.edit(OrderEdit { lines, ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!((edited.order.total, edited.order.revision), (usd(600), 2));
        assert_eq!(
            edited.facts,
            [Fact::OrderEdited { before: usd(11_500), total: usd(600), revision: 2 }]
        );
        let same =
            order.edit(OrderEdit { email: Some(None), ..OrderEdit::default() }, at(200)).unwrap();
        assert_eq!(same, Decision::unchanged(order));
    }

    #[test]
    fn a_canceled_order_stays_canceled_and_takes_no_edit() {
        let canceled = placed().cancel(CancelReason::Abandoned, at(200)).unwrap();
        assert_eq!(canceled.facts, [Fact::OrderCanceled { reason: CancelReason::Abandoned }]);
        let again = canceled.order.cancel(CancelReason::Fraudulent, at(300)).unwrap();
        assert_eq!(again, Decision::unchanged(canceled.order.clone()));
        assert_eq!(canceled.order.edit(OrderEdit::default(), at(300)), Err(EditError::Canceled));
    }

    #[test]
    fn an_order_that_no_step_could_make_is_not_restored() {
        let good = placed().data;
        let paid = OrderState::Paid { by: IntentId::new("pi_1").unwrap(), at: at(1) };
        assert!(Order::restore(good.clone()).is_ok());
        assert_eq!(
            Order::restore(OrderData { total: usd(1), ..good.clone() }),
            Err(CorruptOrder::Total)
        );
        assert_eq!(
            Order::restore(OrderData { state: paid, ..good }),
            Err(CorruptOrder::PaidByNothing)
        );
    }
}
