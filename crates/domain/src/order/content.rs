//! Content of an order, with its checks and totals.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::country::CountryCode;
use crate::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use crate::intent::CaptureMethod;
use crate::money::{ChargeError, MoneyError, Percent};
use crate::text::{Email, Text, TextProblem};
use crate::{Currency, Money, Order};

/// Maximum quantity of one line.
pub const QUANTITY_MAX: u32 = 10_000;

/// Line item of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "UncheckedLine"))]
pub struct LineItem {
    /// Name of the item, for the customer.
    pub name: Text<1, 250>,
    /// Description of the item, for the customer; may be empty.
    pub description: Text<0, 1000>,
    /// The shop's stock keeping unit (SKU) of the item.
    pub sku: Option<Text<1, 100>>,
    /// Price of one item, more than zero.
    unit_amount: Money,
    /// Number of items, 1 to [`QUANTITY_MAX`].
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

/// Why a line is refused. The message begins with the field's name in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// The name is empty, too long or has control characters.
    #[error("name {0}")]
    Name(TextProblem),
    /// The price is zero.
    #[error("amount must be at least 1")]
    NoAmount,
    /// The quantity is zero or more than [`QUANTITY_MAX`].
    #[error("quantity must be 1 to {QUANTITY_MAX}")]
    Quantity,
}

impl LineItem {
    /// Makes a line with a name, a price and a quantity, and without description and SKU. The name may be a stored one:
    /// that of a caller is checked by [`Text::of_one_line`] before.
    pub fn new(name: impl Into<String>, unit_amount: Money, quantity: u32) -> Result<Self, LineProblem> {
        if unit_amount.is_zero() {
            return Err(LineProblem::NoAmount);
        }
        let name = Text::restore(name).map_err(LineProblem::Name)?;
        Self { name, description: Text::default(), sku: None, unit_amount, quantity }.with_quantity(quantity)
    }

    /// Returns the line with another quantity.
    pub fn with_quantity(self, quantity: u32) -> Result<Self, LineProblem> {
        let fits = (1..=QUANTITY_MAX).contains(&quantity);
        if fits { Ok(Self { quantity, ..self }) } else { Err(LineProblem::Quantity) }
    }

    /// The price of one item.
    pub const fn unit_amount(&self) -> Money {
        self.unit_amount
    }

    /// The number of items.
    pub const fn quantity(&self) -> u32 {
        self.quantity
    }
}

/// Discount, shipping price or tax of an order, beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Adjustment {
    /// Kind of the adjustment.
    pub kind: AdjustmentKind,
    /// Label for the customer.
    pub label: Text<1, 250>,
    /// Amount, never negative: a discount of 5.00 has the amount 5.00.
    pub amount: Money,
    /// Rate and country of a tax, if they are known. Only a tax has them.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub tax_rate_details: Option<TaxRateDetails>,
}

impl Adjustment {
    /// Makes an adjustment without the rate and the country of a tax.
    pub const fn new(kind: AdjustmentKind, label: Text<1, 250>, amount: Money) -> Self {
        Self { kind, label, amount, tax_rate_details: None }
    }
}

/// Rate of a tax, and the country that it is due in. Named after `tax_rate_details` of Stripe Tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TaxRateDetails {
    /// Percentage of the net amount; zero for a zero-rated sale.
    pub percent: Percent,
    /// Country that the tax is due in, if it is known.
    #[cfg_attr(feature = "serde", serde(default))]
    pub country: Option<CountryCode>,
}

/// Kind of an adjustment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum AdjustmentKind {
    /// Discount: lowers the total.
    Discount,
    /// Shipping price: raises the total.
    Shipping,
    /// Tax added to the prices: raises the total.
    Tax,
    /// Tax that the prices contain: does not change the total.
    TaxIncluded,
}

variant_names! {
    /// Name of the kind in the API and in stored rows.
    AdjustmentKind {
        Discount => "discount",
        Shipping => "shipping",
        Tax => "tax",
        TaxIncluded => "tax_included",
    }
}

impl AdjustmentKind {
    /// Whether it is a tax, added to the prices or contained in them.
    pub const fn is_tax(self) -> bool {
        match self {
            Self::Tax | Self::TaxIncluded => true,
            Self::Discount | Self::Shipping => false,
        }
    }
}

parsed_by_name! { AdjustmentKind: "a kind of adjustment" }

/// Metadata that the shop sets on an order, by key. Never sent to Stripe.
pub type Metadata = BTreeMap<Text<1, 40>, Text<0, 500>>;

/// Stripe customer and payment method for an order's PaymentIntents, as far as they are known before the customer pays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Payer {
    /// Stripe customer whose saved payment methods can be used and to whom a new one is attached.
    pub customer: Option<ProviderCustomerId>,
    /// Payment method that the customer chose.
    pub payment_method: Option<PaymentMethodId>,
}

/// Content of an order to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    /// Customer of the order; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// Email address for the receipt.
    pub email: Option<Email>,
    /// Stripe customer and payment method.
    pub payer: Payer,
    /// Currency of all amounts of the order.
    pub currency: Currency,
    /// Line items, 1 to [`Order::LINES_MAX`].
    pub lines: Vec<LineItem>,
    /// Discounts, shipping and taxes, at most [`Order::ADJUSTMENTS_MAX`].
    pub adjustments: Vec<Adjustment>,
    /// Capture method of the PaymentIntents.
    pub capture: CaptureMethod,
    /// The shop's metadata, at most [`Order::METADATA_MAX`] entries.
    pub metadata: Metadata,
    /// Whether the order is paid with real money, as Stripe's `livemode`.
    pub livemode: bool,
}

impl NewOrder {
    /// Makes the content of a guest's order without lines, to be completed by the caller.
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

/// Edit of an order's content: a field that is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderEdit {
    /// New customer of a guest's order. An order of one customer is never given to another.
    pub customer: Option<CustomerId>,
    /// New line items, in place of all present ones.
    pub lines: Option<Vec<LineItem>>,
    /// New adjustments, in place of all present ones.
    pub adjustments: Option<Vec<Adjustment>>,
    /// New email address for the receipt; `Some(None)` removes it.
    pub email: Option<Option<Email>>,
    /// New Stripe customer and payment method.
    pub payer: Option<Payer>,
    /// New metadata, in place of all present entries.
    pub metadata: Option<Metadata>,
}

/// Content that an edit gives an order after Stripe has updated its PaymentIntent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Content {
    /// New customer of a guest's order.
    #[cfg_attr(feature = "serde", serde(default))]
    pub customer: Option<CustomerId>,
    /// Line items.
    pub lines: Vec<LineItem>,
    /// Discounts, shipping and taxes.
    pub adjustments: Vec<Adjustment>,
    /// Email address for the receipt.
    pub email: Option<Email>,
    /// Stripe customer and payment method.
    #[cfg_attr(feature = "serde", serde(default))]
    pub payer: Payer,
    /// The shop's metadata.
    pub metadata: Metadata,
    /// Total of the new content.
    pub total: Money,
    /// Revision that the order has with this content.
    pub revision: u32,
}

/// Why an order's content is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContentError {
    /// The order has no lines.
    #[error("an order needs at least one line")]
    NoLines,
    /// The order has more than [`Order::LINES_MAX`] lines.
    #[error("an order has at most {} lines", Order::LINES_MAX)]
    TooManyLines,
    /// The order has more than [`Order::ADJUSTMENTS_MAX`] adjustments.
    #[error("an order has at most {} adjustments", Order::ADJUSTMENTS_MAX)]
    TooManyAdjustments,
    /// The order has more than [`Order::METADATA_MAX`] metadata entries.
    #[error("an order has at most {} metadata entries", Order::METADATA_MAX)]
    TooMuchMetadata,
    /// The discounts are more than lines, shipping and added taxes together.
    #[error("discounts must not exceed the rest of the order")]
    DiscountsExceedTotal,
    /// The included taxes are more than the prices that contain them.
    #[error("tax_included must be at most {} {}, the lines less discounts plus shipping", limit.to_decimal(), limit.currency())]
    TaxIncludedExceedsPrices {
        /// Maximum of the included taxes: lines less discounts plus shipping.
        limit: Money,
    },
    /// A discount or a shipping price has the rate of a tax.
    #[error("tax_rate_details must be on a tax or tax_included, not on a {}", kind.name())]
    TaxRateOfNoTax {
        /// Kind of the adjustment.
        kind: AdjustmentKind,
    },
    /// The total cannot be calculated, e.g. because it is too large.
    #[error("the total {0}")]
    Total(MoneyError),
    /// The total is outside of Stripe's limits for a charge.
    #[error("the total {0}")]
    NotChargeable(ChargeError),
}

pub(crate) fn check_metadata(metadata: &Metadata) -> Result<(), ContentError> {
    if metadata.len() > Order::METADATA_MAX { Err(ContentError::TooMuchMetadata) } else { Ok(()) }
}

/// Sums of the lines and of each kind of adjustment, and the total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Sum of the lines.
    pub items: Money,
    /// Sum of the discounts.
    pub discounts: Money,
    /// Sum of the shipping prices.
    pub shipping: Money,
    /// Sum of the taxes that are added to the prices.
    pub taxes: Money,
    /// Sum of the taxes that the prices contain.
    pub taxes_included: Money,
    /// Total: items, plus shipping, plus taxes, less discounts.
    pub due: Money,
}

impl Totals {
    /// Adds up lines and adjustments. [`MoneyError::Negative`] if the discounts are more than the rest. Stripe's limits
    /// for a charge are not checked.
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

/// Total of new content, checked against Stripe's limits for a charge. Not for stored orders: a limit of Stripe's may
/// have been another when they were placed.
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

/// Checks that the included taxes are at most the lines less discounts plus shipping. Not for stored orders: those from
/// before this rule may have more.
pub(crate) fn check_included_taxes(
    currency: Currency,
    lines: &[LineItem],
    adjustments: &[Adjustment],
) -> Result<(), ContentError> {
    let totals = Totals::of(currency, lines, adjustments).map_err(ContentError::Total)?;
    // Discounts may exceed the prices by up to the added taxes.
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

/// Total of lines and adjustments: lines, plus shipping, plus added taxes, less discounts.
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
    if let Some(it) = adjustments.iter().find(|it| it.tax_rate_details.is_some() && !it.kind.is_tax()) {
        return Err(ContentError::TaxRateOfNoTax { kind: it.kind });
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
    use crate::OrderId;
    use crate::operation::EditError;
    use crate::order::tests::{at, new_order, usd};

    fn adjustment(kind: AdjustmentKind, minor: i64) -> Adjustment {
        Adjustment::new(kind, Text::new("x").unwrap(), usd(minor))
    }

    fn rated(kind: AdjustmentKind) -> Adjustment {
        let details = TaxRateDetails { percent: Percent::parse("19").unwrap(), country: "DE".parse().ok() };
        Adjustment { tax_rate_details: Some(details), ..adjustment(kind, 1) }
    }

    #[test]
    fn a_tax_may_have_a_rate_and_an_edit_of_the_rate_alone_is_an_edit() {
        let adjustments = vec![rated(AdjustmentKind::Tax), rated(AdjustmentKind::TaxIncluded)];
        let order = Order::place(OrderId(Uuid::nil()), NewOrder { adjustments, ..new_order() }, at(1)).unwrap().order;
        assert_eq!(Order::restore(order.data.clone()), Ok(order.clone()));
        let without = Some(vec![adjustment(AdjustmentKind::Tax, 1), adjustment(AdjustmentKind::TaxIncluded, 1)]);
        let edited = order.edit(OrderEdit { adjustments: without, ..OrderEdit::default() }, at(2)).unwrap().order;
        assert_eq!((edited.total, edited.revision), (order.total, 2));
        assert!(edited.adjustments.iter().all(|it| it.tax_rate_details.is_none()));
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
    fn a_stored_order_whose_total_is_outside_of_stripes_present_limits_is_restored() {
        for minor in [49, 100_000_000] {
            let mut data = Order::place(OrderId(Uuid::nil()), new_order(), at(1)).unwrap().order.data;
            data.lines = vec![LineItem::new("x", usd(minor), 1).unwrap()];
            data.adjustments = Vec::new();
            data.total = usd(minor);
            let order = Order::restore(data.clone()).unwrap();
            let edit = OrderEdit { metadata: Some(Metadata::new()), ..OrderEdit::default() };
            assert!(order.edit(edit, at(2)).is_ok(), "the edit does not change the total");
            let new = NewOrder { lines: data.lines, ..NewOrder::empty(Currency::Usd) };
            let placed = Order::place(OrderId(Uuid::nil()), new, at(1));
            assert!(matches!(placed, Err(ContentError::NotChargeable(_))), "{minor}");
        }
    }

    #[test]
    fn a_stored_order_with_more_included_tax_than_its_prices_is_restored_and_can_be_edited() {
        let mut data = Order::place(OrderId(Uuid::nil()), new_order(), at(1)).unwrap().order.data;
        data.adjustments = vec![adjustment(AdjustmentKind::TaxIncluded, 11_501)];
        let order = Order::restore(data.clone()).unwrap();
        assert_eq!(order.data, data);
        let metadata = Some(Metadata::from([(Text::new("a").unwrap(), Text::default())]));
        assert!(
            order.edit(OrderEdit { metadata, ..OrderEdit::default() }, at(2)).is_ok(),
            "the edit does not change the prices"
        );
        let same = OrderEdit { adjustments: Some(data.adjustments), ..OrderEdit::default() };
        assert!(order.edit(same, at(2)).is_ok(), "an edit with the same adjustments is no change");
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
            (
                NewOrder { adjustments: vec![rated(AdjustmentKind::Discount)], ..new_order() },
                ContentError::TaxRateOfNoTax { kind: AdjustmentKind::Discount },
            ),
            (
                NewOrder { adjustments: vec![rated(AdjustmentKind::Shipping)], ..new_order() },
                ContentError::TaxRateOfNoTax { kind: AdjustmentKind::Shipping },
            ),
            (NewOrder { metadata, ..new_order() }, ContentError::TooMuchMetadata),
        ] {
            assert_eq!(Order::place(OrderId(Uuid::nil()), new, at(1)), Err(expected));
        }
    }

    #[test]
    fn a_line_without_price_or_with_a_quantity_outside_the_limits_is_refused() {
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
