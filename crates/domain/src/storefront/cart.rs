use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use super::{Address, CheckoutStep, CouponCode, Terms, Variant, VariantId, VariantProblem};
use crate::id::{CustomerId, OrderNumber, PaymentMethodId};
use crate::intent::CaptureMethod;
use crate::money::MoneyError;
use crate::order::{
    Adjustment, AdjustmentKind, Breakdown, LineProblem, Metadata, OrderEdit, Payer, ShippingTax, Totals,
};
use crate::text::{Email, Text};
use crate::{Currency, LineItem, Money, NewOrder, Order, OrderId, Timestamp};

/// Id of a cart: a version 7 UUID (RFC 9562) that the caller draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartId(pub Uuid);

impl fmt::Display for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Id of a cart's line in requests, `{cart}_{line}`, so that it never identifies a line of another cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineId {
    /// Id of the cart.
    pub cart: CartId,
    /// Number of the line in the cart.
    pub line: u32,
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.cart, self.line)
    }
}

impl FromStr for LineId {
    type Err = CartError;

    /// Parses an id; a malformed one identifies no line: [`CartError::NoSuchLine`].
    fn from_str(text: &str) -> Result<Self, CartError> {
        let (cart, line) = text.split_once('_').ok_or(CartError::NoSuchLine)?;
        let cart = CartId(Uuid::try_parse(cart).map_err(|_| CartError::NoSuchLine)?);
        Ok(Self { cart, line: line.parse().map_err(|_| CartError::NoSuchLine)? })
    }
}

/// Line of a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartLine {
    /// Number of the line in the cart, from 1; never used again.
    pub id: u32,
    /// Variant that is bought.
    pub variant: VariantId,
    /// Line item with quantity and price, as of the last pricing.
    pub item: LineItem,
    /// Whether the variant is for sale, as of the last pricing.
    pub is_sold: bool,
    /// The storefront's metadata of the line. It is the cart's alone: lines of orders have none.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Metadata::is_empty"))]
    pub metadata: Metadata,
}

/// Data of a cart, as a store saves it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartData {
    /// Id of the cart.
    pub id: CartId,
    /// Id of the order that the cart becomes, assigned before the order is placed, so that it is placed once.
    pub order: OrderId,
    /// Time at which the order's id was assigned; the order number has its day.
    pub order_named_at: Timestamp,
    /// Customer of the cart; `None` for a guest.
    pub customer: Option<CustomerId>,
    /// Whether the cart was a guest's before it was assigned to its customer. The token that the guest was given then
    /// gives no access any more.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub was_guests: bool,
    /// Email address for the receipt.
    pub email: Option<Email>,
    /// Currency of all amounts of the cart.
    pub currency: Currency,
    /// Lines, oldest first.
    pub lines: Vec<CartLine>,
    /// Number of lines ever added, and so the number of the last one.
    pub lines_ever: u32,
    /// Discounts, shipping and taxes, as of the last pricing.
    pub adjustments: Vec<Adjustment>,
    /// The part of the taxes that is due on the shipping; `None` if the cart was last priced before this was stored.
    #[cfg_attr(feature = "serde", serde(default))]
    pub shipping_tax: Option<ShippingTax>,
    /// Codes of the coupons, in the order in which they are applied.
    pub coupons: Vec<CouponCode>,
    /// Billing address.
    pub billing_address: Option<Address>,
    /// Shipping address.
    pub shipping_address: Option<Address>,
    /// Id of the chosen shipping rate.
    pub shipping_rate: Option<Text<1, 50>>,
    /// Note of the customer for the shop.
    pub special_instructions: Option<Text<1, 1000>>,
    /// The shop's metadata.
    pub metadata: Metadata,
    /// Payment method that the customer chose.
    pub payment_method: Option<PaymentMethodId>,
    /// Step of the checkout that the customer has reached.
    pub step: CheckoutStep,
    /// Time at which the cart was closed, because its order was paid or canceled.
    pub closed_at: Option<Timestamp>,
    /// Time at which the cart was created.
    pub created_at: Timestamp,
    /// Time of the last change.
    pub updated_at: Timestamp,
}

/// Cart of a storefront, before and while it has an order.
///
/// The fields of [`CartData`] are read through `Deref`. They change by the methods only, each of which returns the next
/// cart; the caller prices it again ([`Cart::priced`]) before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Cart {
    pub(super) data: CartData,
}

impl Deref for Cart {
    type Target = CartData;
    fn deref(&self) -> &CartData {
        &self.data
    }
}

/// Why a change of a cart is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CartError {
    /// The cart has no line with this id.
    #[error("the cart has no such line item")]
    NoSuchLine,
    /// The quantity or another field of a line is invalid.
    #[error("{0}")]
    Line(LineProblem),
    /// The variant is not for sale, or not in this currency.
    #[error(transparent)]
    NotSold(VariantProblem),
    /// The cart has more than [`Order::LINES_MAX`] lines.
    #[error("a cart has at most {} line items", Order::LINES_MAX)]
    TooManyLines,
    /// The cart or the line has more than [`Order::METADATA_MAX`] metadata entries.
    #[error("a cart and each of its lines have at most {} metadata entries", Order::METADATA_MAX)]
    TooMuchMetadata,
    /// No coupon has this code, or the coupon has expired.
    #[error("no coupon has this code, or it has expired")]
    NoSuchCoupon,
    /// The coupon is applied to the cart already.
    #[error("the coupon is applied to the cart already")]
    CouponAlreadyApplied,
    /// The coupon has no discount in the cart's currency.
    #[error("the coupon is not valid in {}", .0.code().to_uppercase())]
    CouponNotInCurrency(Currency),
    /// The cart has more than [`Cart::COUPONS_MAX`] coupons.
    #[error("a cart has at most {} coupons", Cart::COUPONS_MAX)]
    TooManyCoupons,
    /// The coupon is not applied to the cart.
    #[error("the coupon is not applied to this cart")]
    CouponNotApplied,
    /// No coupon is applied to the cart, so that none can be removed.
    #[error("no coupon is applied to this cart")]
    NoCoupons,
    /// The cart belongs to another customer.
    #[error("the cart belongs to another customer")]
    OfAnotherCustomer,
    /// The terms have no such shipping rate for the shipping address.
    #[error("there is no such shipping rate for the shipping address")]
    NoSuchShippingRate,
    /// The total cannot be calculated, e.g. because it is too large.
    #[error("the total {0}")]
    Total(#[from] MoneyError),
}

impl From<VariantProblem> for CartError {
    fn from(problem: VariantProblem) -> Self {
        match problem {
            VariantProblem::Line(problem) => Self::Line(problem),
            VariantProblem::NotActive { .. } | VariantProblem::NoPrice { .. } => Self::NotSold(problem),
        }
    }
}

impl Cart {
    /// Maximum number of coupons of one cart.
    pub const COUPONS_MAX: usize = 10;

    /// Makes an empty cart under new ids of cart and order.
    pub fn new(id: CartId, order: OrderId, customer: Option<CustomerId>, currency: Currency, now: Timestamp) -> Self {
        Self {
            data: CartData {
                id,
                order,
                order_named_at: now,
                customer,
                was_guests: false,
                email: None,
                currency,
                lines: Vec::new(),
                lines_ever: 0,
                adjustments: Vec::new(),
                shipping_tax: None,
                coupons: Vec::new(),
                billing_address: None,
                shipping_address: None,
                shipping_rate: None,
                special_instructions: None,
                metadata: Metadata::new(),
                payment_method: None,
                step: CheckoutStep::Cart,
                closed_at: None,
                created_at: now,
                updated_at: now,
            },
        }
    }

    /// Number that the order has or will have. It differs only if the number is taken when the order is placed.
    pub fn number(&self) -> OrderNumber {
        OrderNumber::of(self.order, self.order_named_at)
    }

    /// Calculates the totals of the cart.
    pub fn totals(&self) -> Result<Totals, MoneyError> {
        Totals::of(self.currency, self.lines.iter().map(|it| &it.item), &self.adjustments)
    }

    /// Allocates the totals to each line and the shipping.
    pub fn breakdown(&self) -> Result<Breakdown, MoneyError> {
        Breakdown::of(self.currency, self.lines.iter().map(|it| &it.item), &self.adjustments, self.shipping_tax)
    }

    /// Whether `other` has the same data, except for the time of the last change.
    pub fn is_as(&self, other: &Self) -> bool {
        let same_time = Self { data: CartData { updated_at: self.updated_at, ..other.data.clone() } };
        *self == same_time
    }

    /// Number of items, the sum of the quantities.
    pub fn item_count(&self) -> u64 {
        self.lines.iter().map(|it| u64::from(it.item.quantity())).sum()
    }

    /// Names of the items that are no longer for sale.
    pub fn unsold(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|it| !it.is_sold).map(|it| it.item.name.as_str())
    }

    /// Adds `quantity` items of `variant`, to its line if there is one.
    pub fn with_more(mut self, variant: &Variant, quantity: u32) -> Result<Self, CartError> {
        let currency = self.currency;
        if let Some(line) = self.data.lines.iter_mut().find(|it| it.variant == variant.id) {
            let quantity = quantity.checked_add(line.item.quantity()).ok_or(CartError::Line(LineProblem::Quantity))?;
            line.item = variant.line(quantity, currency)?;
            return Ok(self);
        }
        if self.lines.len() >= Order::LINES_MAX {
            return Err(CartError::TooManyLines);
        }
        let item = variant.line(quantity, currency)?;
        self.data.lines_ever += 1;
        let metadata = Metadata::new();
        let line = CartLine { id: self.lines_ever, variant: variant.id.clone(), item, is_sold: true, metadata };
        self.data.lines.push(line);
        Ok(self)
    }

    /// Replaces the metadata of the line of a variant.
    pub fn with_line_metadata(mut self, variant: &VariantId, metadata: Metadata) -> Result<Self, CartError> {
        if metadata.len() > Order::METADATA_MAX {
            return Err(CartError::TooMuchMetadata);
        }
        let line = self.data.lines.iter_mut().find(|it| it.variant == *variant).ok_or(CartError::NoSuchLine)?;
        line.metadata = metadata;
        Ok(self)
    }

    /// Id of the line with this number.
    pub fn line_id(&self, line: u32) -> LineId {
        LineId { cart: self.id, line }
    }

    /// Sets the quantity of a line.
    pub fn with_quantity(mut self, line: LineId, quantity: u32) -> Result<Self, CartError> {
        let lines = if line.cart == self.id { self.data.lines.as_mut_slice() } else { &mut [] };
        let found = lines.iter_mut().find(|it| it.id == line.line).ok_or(CartError::NoSuchLine)?;
        found.item = found.item.clone().with_quantity(quantity).map_err(CartError::Line)?;
        Ok(self)
    }

    /// Removes a line.
    pub fn without_line(mut self, line: LineId) -> Result<Self, CartError> {
        let before = self.lines.len();
        let cart = self.id;
        self.data.lines.retain(|it| line != LineId { cart, line: it.id });
        if self.lines.len() == before { Err(CartError::NoSuchLine) } else { Ok(self) }
    }

    /// Removes all lines, coupons and the shipping rate, and returns to the first step.
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.data.lines.clear();
        self.data.coupons.clear();
        self.data.shipping_rate = None;
        self.data.step = CheckoutStep::Cart;
        self
    }

    /// Removes the lines that are no longer for sale.
    #[must_use]
    pub fn without_unsold(mut self) -> Self {
        self.data.lines.retain(|it| it.is_sold);
        self
    }

    /// Applies a coupon.
    pub fn with_coupon(mut self, code: CouponCode, terms: &Terms, now: Timestamp) -> Result<Self, CartError> {
        let coupon = terms.coupon(&code, now).ok_or(CartError::NoSuchCoupon)?;
        if self.coupons.contains(&code) {
            return Err(CartError::CouponAlreadyApplied);
        }
        if self.coupons.len() >= Self::COUPONS_MAX {
            return Err(CartError::TooManyCoupons);
        }
        if coupon.discount_on(Money::zero(self.currency))?.is_none() {
            return Err(CartError::CouponNotInCurrency(self.currency));
        }
        self.data.coupons.push(code);
        Ok(self)
    }

    /// Removes the coupon with this code, or all coupons if `code` is `None`.
    pub fn without_coupon(mut self, code: Option<&CouponCode>) -> Result<Self, CartError> {
        let before = self.coupons.len();
        if code.is_none() && before == 0 {
            return Err(CartError::NoCoupons);
        }
        self.data.coupons.retain(|it| code.is_some_and(|code| it != code));
        if code.is_some() && self.coupons.len() == before { Err(CartError::CouponNotApplied) } else { Ok(self) }
    }

    /// Sets the email address for the receipt.
    #[must_use]
    pub fn with_email(mut self, email: Email) -> Self {
        self.data.email = Some(email);
        self
    }

    /// Sets the note of the customer for the shop.
    #[must_use]
    pub fn with_special_instructions(mut self, text: Option<Text<1, 1000>>) -> Self {
        self.data.special_instructions = text;
        self
    }

    /// Adds entries to the shop's metadata, and replaces those with the same key.
    pub fn with_metadata(mut self, entries: Metadata) -> Result<Self, CartError> {
        self.data.metadata.extend(entries);
        if self.metadata.len() > Order::METADATA_MAX { Err(CartError::TooMuchMetadata) } else { Ok(self) }
    }

    /// Sets the billing address, and returns to the address step if the checkout is past it.
    #[must_use]
    pub fn with_billing_address(mut self, address: Option<Address>) -> Self {
        self.data.billing_address = address;
        self.data.step = self.step.min(CheckoutStep::Address);
        self
    }

    /// Sets the shipping address, and returns to the address step if the checkout is past it. Another country clears
    /// the shipping rate.
    #[must_use]
    pub fn with_shipping_address(mut self, address: Option<Address>) -> Self {
        let country = |it: &Option<Address>| it.as_ref().map(|it| it.country);
        if country(&address) != country(&self.shipping_address) {
            self.data.shipping_rate = None;
        }
        self.data.shipping_address = address;
        self.data.step = self.step.min(CheckoutStep::Address);
        self
    }

    /// Chooses a shipping rate, and returns to the delivery step if the checkout is past it.
    pub fn with_shipping_rate(mut self, id: &str, terms: &Terms) -> Result<Self, CartError> {
        let address = self.shipping_address.as_ref().ok_or(CartError::NoSuchShippingRate)?;
        let mut rates = terms.shipping_to(address, self.currency);
        let rate = rates.find(|(it, _)| it.id.as_str() == id).ok_or(CartError::NoSuchShippingRate)?.0.id.clone();
        self.data.shipping_rate = Some(rate);
        self.data.step = self.step.min(CheckoutStep::Delivery);
        Ok(self)
    }

    /// Sets or clears the payment method.
    #[must_use]
    pub fn with_payment_method(mut self, method: Option<PaymentMethodId>) -> Self {
        self.data.payment_method = method;
        self
    }

    /// Whether the cart belongs to another customer than `bearer`. A holder of the cart's token without one (`None`) is no
    /// other customer.
    pub fn is_anothers(&self, bearer: Option<&CustomerId>) -> bool {
        self.customer.as_ref().zip(bearer).is_some_and(|(owner, bearer)| owner != bearer)
    }

    /// Assigns a guest's cart to `customer`.
    pub fn owned_by(mut self, customer: CustomerId) -> Result<Self, CartError> {
        if self.is_anothers(Some(&customer)) {
            return Err(CartError::OfAnotherCustomer);
        }
        self.data.was_guests |= self.customer.is_none();
        self.data.customer = Some(customer);
        Ok(self)
    }

    /// Changes the currency, and removes the lines without a price in it.
    #[must_use]
    pub fn in_currency(mut self, currency: Currency, variants: &[Variant]) -> Self {
        let line = |line: CartLine| {
            let variant = variants.iter().find(|it| it.id == line.variant)?;
            Some(CartLine { item: variant.line(line.item.quantity(), currency).ok()?, ..line })
        };
        self.data.lines = std::mem::take(&mut self.data.lines).into_iter().filter_map(line).collect();
        self.data.currency = currency;
        self.data.adjustments.clear();
        self.data.shipping_tax = None;
        self
    }

    /// Assigns the id of another order, where the previous one was canceled.
    #[must_use]
    pub fn for_order(mut self, order: OrderId, now: Timestamp) -> Self {
        self.data.order = order;
        self.data.order_named_at = now;
        self
    }

    /// Closes the cart. A closed cart keeps its first closing time.
    #[must_use]
    pub fn closed(mut self, now: Timestamp) -> Self {
        self.data.closed_at = self.closed_at.or(Some(now));
        self
    }

    /// Prices the cart again by the present price list and terms. Lines that are no longer for sale stay, with
    /// `is_sold` false; coupons and a shipping rate that are no longer valid are removed.
    pub fn priced(mut self, variants: &[Variant], terms: &Terms, now: Timestamp) -> Result<Self, CartError> {
        let currency = self.currency;
        for line in &mut self.data.lines {
            let known = variants.iter().find(|it| it.id == line.variant);
            let item = known.and_then(|it| it.line(line.item.quantity(), currency).ok());
            line.is_sold = item.is_some();
            if let Some(item) = item {
                line.item = item;
            }
        }
        self.data.adjustments.clear();
        let items = self.totals()?.due;
        self.apply_coupons(items, terms, now)?;
        let discounted = self.totals()?.due;
        let shipping = self.add_shipping(terms);
        self.data.shipping_tax = Some(ShippingTax::none(currency));
        let address = self.shipping_address.clone().or_else(|| self.billing_address.clone());
        if let Some(address) = address {
            let taxes = terms.taxes_on(&address, discounted, shipping)?;
            self.data.adjustments.extend(taxes.adjustments);
            self.data.shipping_tax = Some(taxes.on_shipping);
        }
        self.totals()?;
        let step = self.reached_step(terms);
        Ok(self.at_step(step, now))
    }

    /// Completes a change of the cart: sets its step, and the time of its last change.
    pub(super) fn at_step(mut self, step: CheckoutStep, now: Timestamp) -> Self {
        self.data.step = step;
        self.data.updated_at = now;
        self
    }

    fn apply_coupons(&mut self, items: Money, terms: &Terms, now: Timestamp) -> Result<(), CartError> {
        let mut left = items;
        let mut applied = Vec::new();
        for code in std::mem::take(&mut self.data.coupons) {
            let Some(coupon) = terms.coupon(&code, now) else { continue };
            let Some(discount) = coupon.discount_on(left)? else { continue };
            left = left.minus(discount)?;
            applied.push(code);
            let label = Text::new(coupon.name.as_str()).unwrap_or_default();
            self.data.adjustments.push(Adjustment::new(AdjustmentKind::Discount, label, discount));
        }
        self.data.coupons = applied;
        Ok(())
    }

    /// Adds the price of the chosen shipping rate and returns it; clears a rate that is no longer valid.
    fn add_shipping(&mut self, terms: &Terms) -> Money {
        let chosen = self
            .shipping_rate
            .as_ref()
            .zip(self.shipping_address.as_ref())
            .and_then(|(id, address)| terms.shipping_to(address, self.currency).find(|(it, _)| it.id == *id));
        let Some((rate, price)) = chosen.filter(|_| !self.lines.is_empty()) else {
            self.data.shipping_rate = None;
            return Money::zero(self.currency);
        };
        let label = Text::new(rate.name.as_str()).unwrap_or_default();
        self.data.adjustments.push(Adjustment::new(AdjustmentKind::Shipping, label, price));
        price
    }

    fn items(&self) -> Vec<LineItem> {
        self.lines.iter().map(|it| it.item.clone()).collect()
    }

    /// Content of the order that the cart becomes.
    pub fn to_order(&self, payer: Payer) -> NewOrder {
        NewOrder {
            customer: self.customer.clone(),
            email: self.email.clone(),
            payer,
            currency: self.currency,
            lines: self.items(),
            adjustments: self.adjustments.clone(),
            capture: CaptureMethod::Automatic,
            metadata: self.metadata.clone(),
            livemode: false,
        }
    }

    /// Edit that gives the cart's placed order the present content of the cart.
    pub fn to_edit(&self, payer: Payer) -> OrderEdit {
        OrderEdit {
            customer: self.customer.clone(),
            lines: Some(self.items()),
            adjustments: Some(self.adjustments.clone()),
            email: Some(self.email.clone()),
            payer: Some(payer),
            metadata: Some(self.metadata.clone()),
        }
    }
}
