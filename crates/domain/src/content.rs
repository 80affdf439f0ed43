//! What an order is made of, and what it comes to.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::text::{Email, Text};
use crate::{
    CaptureMethod, ChargeError, Currency, CustomerId, Money, MoneyError, Order, PaymentMethodId, ProviderCustomerId,
    TextProblem,
};

/// The most of one line.
pub const QUANTITY_MAX: u32 = 10_000;

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "UncheckedLine"))]
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

#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct UncheckedLine {
    name: Text<1, 250>,
    description: Text<0, 1000>,
    sku: Option<Text<1, 100>>,
    unit_amount: Money,
    quantity: u32,
}

#[cfg(feature = "serde")]
impl TryFrom<UncheckedLine> for LineItem {
    type Error = LineProblem;
    fn try_from(it: UncheckedLine) -> Result<Self, LineProblem> {
        let line = Self::new(it.name, it.unit_amount, it.quantity)?;
        Ok(Self { description: it.description, sku: it.sku, ..line })
    }
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
    pub fn new(name: impl Into<String>, unit_amount: Money, quantity: u32) -> Result<Self, LineProblem> {
        if unit_amount.is_zero() {
            return Err(LineProblem::NoAmount);
        }
        let name = Text::new(name).map_err(LineProblem::Name)?;
        Self { name, description: Text::default(), sku: None, unit_amount, quantity }.with_quantity(quantity)
    }

    /// The same line with another quantity.
    pub fn with_quantity(self, quantity: u32) -> Result<Self, LineProblem> {
        let fits = (1..=QUANTITY_MAX).contains(&quantity);
        if fits { Ok(Self { quantity, ..self }) } else { Err(LineProblem::Quantity) }
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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

variant_names! {
    /// Its name in the API and in stored rows.
    AdjustmentKind {
        Discount => "discount",
        Shipping => "shipping",
        Tax => "tax",
        TaxIncluded => "tax_included",
    }
}

/// The shop's own notes on an order. Never sent to Stripe.
pub type Metadata = BTreeMap<Text<1, 40>, Text<0, 500>>;

/// Who pays and by what, as far as that is settled before the customer pays. Nothing, if all of it is left to the
/// moment of paying.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Payer {
    /// The customer at Stripe, whose saved means of payment may be used and by whom a new one is saved.
    pub customer: Option<ProviderCustomerId>,
    /// The means of payment that was chosen.
    pub payment_method: Option<PaymentMethodId>,
}

/// What a shop asks for when it places an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Whose it is; nobody's for a guest.
    pub customer: Option<CustomerId>,
    /// Where the receipt goes.
    pub email: Option<Email>,
    /// Who pays, as Stripe knows them.
    pub payer: Payer,
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
            payer: Payer { customer: None, payment_method: None },
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
    /// Whose it is from now on, if it was a guest's. An order never goes from one customer to another.
    pub customer: Option<CustomerId>,
    /// All lines from now on.
    pub lines: Option<Vec<LineItem>>,
    /// All adjustments from now on.
    pub adjustments: Option<Vec<Adjustment>>,
    /// Where the receipt goes from now on; `Some(None)` for nowhere.
    pub email: Option<Option<Email>>,
    /// Who pays from now on.
    pub payer: Option<Payer>,
    /// All notes from now on.
    pub metadata: Option<Metadata>,
}

/// What an edit makes of an order, where it has to wait for Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Content {
    /// Whose it becomes, if it was a guest's.
    #[cfg_attr(feature = "serde", serde(default))]
    pub customer: Option<CustomerId>,
    /// What is bought.
    pub lines: Vec<LineItem>,
    /// What changes the total beside the lines.
    pub adjustments: Vec<Adjustment>,
    /// Where the receipt goes.
    pub email: Option<Email>,
    /// Who pays.
    #[cfg_attr(feature = "serde", serde(default))]
    pub payer: Payer,
    /// The shop's own notes.
    pub metadata: Metadata,
    /// What all of it comes to.
    pub total: Money,
    /// The revision that this content is.
    pub revision: u32,
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
    /// The included taxes are more than the prices that contain them.
    #[error("tax_included must be at most {} {}, the lines less discounts plus shipping", limit.to_decimal(), limit.currency())]
    TaxIncludedExceedsPrices {
        /// What the prices come to.
        limit: Money,
    },
    /// The sum cannot be.
    #[error("the total {0}")]
    Total(MoneyError),
    /// Stripe would not charge the sum.
    #[error("the total {0}")]
    NotChargeable(ChargeError),
}

pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), ContentError> {
    if metadata.len() > Order::METADATA_MAX { Err(ContentError::TooMuchMetadata) } else { Ok(()) }
}

/// What lines and adjustments come to, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The lines.
    pub items: Money,
    /// What is taken off.
    pub discounts: Money,
    /// What shipping costs.
    pub shipping: Money,
    /// Taxes on top of the prices.
    pub taxes: Money,
    /// Taxes that the prices contain.
    pub taxes_included: Money,
    /// What is due: items, plus shipping, plus taxes, less discounts.
    pub due: Money,
}

impl Totals {
    /// Adds up. Whether the sum can be charged is another question. [`MoneyError::Negative`] where the discounts are more
    /// than the rest.
    pub fn of<'a>(
        currency: Currency,
        lines: impl IntoIterator<Item = &'a LineItem>,
        adjustments: &[Adjustment],
    ) -> Result<Self, MoneyError> {
        let zero = Money::zero(currency);
        let mut sums =
            Self { items: zero, discounts: zero, shipping: zero, taxes: zero, taxes_included: zero, due: zero };
        for line in lines {
            sums.items = sums.items.plus(line.unit_amount.times(line.quantity)?)?;
        }
        for adjustment in adjustments {
            let sum = match adjustment.kind {
                AdjustmentKind::Discount => &mut sums.discounts,
                AdjustmentKind::Shipping => &mut sums.shipping,
                AdjustmentKind::Tax => &mut sums.taxes,
                AdjustmentKind::TaxIncluded => &mut sums.taxes_included,
            };
            *sum = sum.plus(adjustment.amount)?;
        }
        sums.due = sums.items.plus(sums.shipping)?.plus(sums.taxes)?.minus(sums.discounts)?;
        Ok(sums)
    }
}

/// What is due, which must be something that Stripe charges. For what comes in: a limit of Stripe's may have been another
/// when an order was stored.
pub(crate) fn chargeable_total_of(
    currency: Currency,
    lines: &[LineItem],
    adjustments: &[Adjustment],
) -> Result<Money, ContentError> {
    let total = total_of(currency, lines, adjustments)?;
    total.to_charge().map_err(ContentError::NotChargeable)?;
    check_included_taxes(currency, lines, adjustments)?;
    Ok(total)
}

/// Checks that the included taxes are a part of the prices: of the lines less discounts plus shipping. For what comes in:
/// an order that was stored before this rule may have more.
pub(crate) fn check_included_taxes(
    currency: Currency,
    lines: &[LineItem],
    adjustments: &[Adjustment],
) -> Result<(), ContentError> {
    let totals = Totals::of(currency, lines, adjustments).map_err(ContentError::Total)?;
    // Discounts may be more than the prices, as far as added taxes make up for it.
    let limit = match totals.due.minus(totals.taxes) {
        Err(MoneyError::Negative) => Ok(Money::zero(currency)),
        limit => limit,
    };
    let limit = limit.map_err(ContentError::Total)?;
    if totals.taxes_included.minus(limit).is_ok_and(|over| !over.is_zero()) {
        return Err(ContentError::TaxIncludedExceedsPrices { limit });
    }
    Ok(())
}

/// What is due: lines, plus shipping, plus added taxes, less discounts.
pub(crate) fn total_of(
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
    let total = Totals::of(currency, lines, adjustments).map_err(|problem| match problem {
        MoneyError::Negative => ContentError::DiscountsExceedTotal,
        MoneyError::TooLarge
        | MoneyError::AboveMaximum { .. }
        | MoneyError::CurrencyMismatch { .. }
        | MoneyError::NotADecimal { .. }
        | MoneyError::Inexact { .. }
        | MoneyError::NoWeights => ContentError::Total(problem),
    })?;
    Ok(total.due)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::order::tests::{at, new_order, usd};
    use crate::{EditError, OrderId};

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
            (vec![(TaxIncluded, 11_500)], Ok(usd(11_500))),
            (vec![(TaxIncluded, 11_501)], Err(ContentError::TaxIncludedExceedsPrices { limit: usd(11_500) })),
            (
                vec![(TaxIncluded, 5000), (TaxIncluded, 6001), (Discount, 1000), (Shipping, 500), (Tax, 700)],
                Err(ContentError::TaxIncludedExceedsPrices { limit: usd(11_000) }),
            ),
            (
                vec![(Discount, 11_600), (Tax, 700), (TaxIncluded, 1)],
                Err(ContentError::TaxIncludedExceedsPrices { limit: usd(0) }),
            ),
            (vec![(Discount, 11_501)], Err(ContentError::DiscountsExceedTotal)),
            (vec![(Discount, 11_500)], Err(ContentError::NotChargeable(ChargeError::TooSmall { minimum: usd(50) }))),
        ] {
            let adjustments = adjustments.into_iter().map(|(kind, minor)| adjustment(kind, minor)).collect();
            let placed = Order::place(OrderId(Uuid::nil()), NewOrder { adjustments, ..new_order() }, at(1));
            assert_eq!(placed.map(|it| it.order.total), expected);
        }
    }

    #[test]
    fn an_order_whose_total_is_outside_of_todays_limits_is_restored_as_it_was() {
        for minor in [49, 100_000_000] {
            let mut data = Order::place(OrderId(Uuid::nil()), new_order(), at(1)).unwrap().order.data;
            data.lines = vec![LineItem::new("x", usd(minor), 1).unwrap()];
            data.adjustments = Vec::new();
            data.total = usd(minor);
            let order = Order::restore(data.clone()).unwrap();
            let edit = OrderEdit { metadata: Some(Metadata::new()), ..OrderEdit::default() };
            assert!(order.edit(edit, at(2)).is_ok(), "what is due is not touched");
            let new = NewOrder { lines: data.lines, ..NewOrder::empty(Currency::Usd) };
            let placed = Order::place(OrderId(Uuid::nil()), new, at(1));
            assert!(matches!(placed, Err(ContentError::NotChargeable(_))), "{minor}");
        }
    }

    #[test]
    fn an_order_that_was_stored_with_more_included_tax_than_its_prices_is_restored_and_edited_elsewhere() {
        let mut data = Order::place(OrderId(Uuid::nil()), new_order(), at(1)).unwrap().order.data;
        data.adjustments = vec![adjustment(AdjustmentKind::TaxIncluded, 11_501)];
        let order = Order::restore(data.clone()).unwrap();
        assert_eq!(order.data, data);
        let metadata = Some(Metadata::from([(Text::new("a").unwrap(), Text::default())]));
        assert!(
            order.edit(OrderEdit { metadata, ..OrderEdit::default() }, at(2)).is_ok(),
            "its prices are not touched"
        );
        let same = OrderEdit { adjustments: Some(data.adjustments), ..OrderEdit::default() };
        assert!(order.edit(same, at(2)).is_ok(), "what is there may be named again");
        let more = Some(vec![adjustment(AdjustmentKind::TaxIncluded, 11_502)]);
        let edited = order.edit(OrderEdit { adjustments: more, ..OrderEdit::default() }, at(2));
        let limit = ContentError::TaxIncludedExceedsPrices { limit: usd(11_500) };
        assert!(matches!(&edited, Err(EditError::Content(error)) if *error == limit), "{edited:?}");
    }

    #[test]
    fn content_beyond_a_limit_is_refused() {
        let line = LineItem::new("x", usd(1), 1).unwrap();
        let eur = LineItem::new("x", Money::new(100, Currency::Eur).unwrap(), 1).unwrap();
        let metadata =
            (0..=Order::METADATA_MAX).map(|it| (Text::new(it.to_string()).unwrap(), Text::default())).collect();
        let huge = LineItem::new("x", usd(Money::MINOR_MAX), 1).unwrap();
        let above = MoneyError::AboveMaximum { maximum: usd(Money::MINOR_MAX) };
        let mixed = MoneyError::CurrencyMismatch { left: Currency::Usd, right: Currency::Eur };
        for (new, expected) in [
            (NewOrder { lines: vec![], ..new_order() }, ContentError::NoLines),
            (NewOrder { lines: vec![line; Order::LINES_MAX + 1], ..new_order() }, ContentError::TooManyLines),
            (NewOrder { lines: vec![eur], ..new_order() }, ContentError::Total(mixed)),
            (NewOrder { lines: vec![huge.clone(), huge], ..new_order() }, ContentError::Total(above)),
            (
                NewOrder {
                    adjustments: vec![adjustment(AdjustmentKind::Tax, 1); Order::ADJUSTMENTS_MAX + 1],
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
}
