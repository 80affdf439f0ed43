use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use super::{Address, CheckoutStep, CouponCode, Terms, Variant, VariantId, VariantProblem};
use crate::content::Totals;
use crate::{
    Adjustment, AdjustmentKind, Breakdown, CaptureMethod, Currency, CustomerId, Email, LineItem, LineProblem, Metadata,
    Money, MoneyError, NewOrder, Order, OrderEdit, OrderId, OrderNumber, Payer, PaymentMethodId, ShippingTax, Text,
    Timestamp,
};

/// Names a cart. Given from outside as a version 7 UUID (RFC 9562).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartId(pub Uuid);

impl fmt::Display for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The name of a line in requests: `{cart}_{line}`. It names a line of that cart alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineId {
    /// The cart.
    pub cart: CartId,
    /// The line's number in it.
    pub line: u32,
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.cart, self.line)
    }
}

impl FromStr for LineId {
    type Err = CartError;

    /// What is no name of a line names none: [`CartError::NoSuchLine`].
    fn from_str(text: &str) -> Result<Self, CartError> {
        let (cart, line) = text.split_once('_').ok_or(CartError::NoSuchLine)?;
        let cart = CartId(Uuid::try_parse(cart).map_err(|_| CartError::NoSuchLine)?);
        Ok(Self { cart, line: line.parse().map_err(|_| CartError::NoSuchLine)? })
    }
}

/// One line of a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartLine {
    /// Its name in the cart, from 1; never given twice.
    pub id: u32,
    /// What is bought.
    pub variant: VariantId,
    /// At which price, of the last time that the cart was priced.
    pub item: LineItem,
    /// Whether it can be bought as it is.
    pub is_sold: bool,
}

/// Everything that a cart is. A store keeps these fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CartData {
    /// Its name.
    pub id: CartId,
    /// The order that it becomes, or has become: named before it is placed, so that it is placed once.
    pub order: OrderId,
    /// When that name was given; the order's number has this day.
    pub order_named_at: Timestamp,
    /// Whose it is; nobody's for a guest.
    pub customer: Option<CustomerId>,
    /// Where the receipt goes.
    pub email: Option<Email>,
    /// What everything in it is counted in.
    pub currency: Currency,
    /// What is to be bought.
    pub lines: Vec<CartLine>,
    /// How many lines there have been.
    pub lines_ever: u32,
    /// What changes the total beside the lines, of the last time that the cart was priced.
    pub adjustments: Vec<Adjustment>,
    /// The part of the taxes among them that is due on the shipping; `None` for a cart that was priced before it was
    /// stored.
    #[cfg_attr(feature = "serde", serde(default))]
    pub shipping_tax: Option<ShippingTax>,
    /// The coupons, in the order in which they are taken off.
    pub coupons: Vec<CouponCode>,
    /// Who is to pay.
    pub billing_address: Option<Address>,
    /// Where the goods go.
    pub shipping_address: Option<Address>,
    /// How they go there.
    pub shipping_rate: Option<Text<1, 50>>,
    /// What the customer wants to say.
    pub special_instructions: Option<Text<1, 1000>>,
    /// The shop's own notes.
    pub metadata: Metadata,
    /// The means of payment that was chosen.
    pub payment_method: Option<PaymentMethodId>,
    /// How far the customer has come.
    pub step: CheckoutStep,
    /// Since when it is done with: its order was paid or canceled.
    pub closed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What somebody is about to buy. Its [`CartData`] is read through it and changes by its methods alone; each gives the
/// next cart, and whoever calls them prices it anew ([`Cart::priced`]) before it is kept.
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

/// Why a cart does not take a change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CartError {
    /// There is no such line.
    #[error("there is no such line item")]
    NoSuchLine,
    /// A quantity that no line can have.
    #[error("{0}")]
    Line(LineProblem),
    /// What is wanted is not sold.
    #[error(transparent)]
    NotSold(VariantProblem),
    /// More than [`Order::LINES_MAX`] lines.
    #[error("a cart has at most {} line items", Order::LINES_MAX)]
    TooManyLines,
    /// More than [`Order::METADATA_MAX`] notes.
    #[error("a cart has at most {} metadata entries", Order::METADATA_MAX)]
    TooMuchMetadata,
    /// No coupon has this code, or no more.
    #[error("there is no such coupon")]
    NoSuchCoupon,
    /// The coupon is in the cart already.
    #[error("the coupon is in the cart already")]
    CouponTakenAlready,
    /// The coupon takes nothing off in this currency.
    #[error("the coupon is not taken in {}", .0.code().to_uppercase())]
    CouponNotInCurrency(Currency),
    /// More than [`Cart::COUPONS_MAX`].
    #[error("a cart takes at most {} coupons", Cart::COUPONS_MAX)]
    TooManyCoupons,
    /// The coupon is not in the cart.
    #[error("there is no such coupon in this cart")]
    CouponNotThere,
    /// It is another customer's.
    #[error("the cart is another customer's")]
    AnothersAlready,
    /// There is no such way to ship to this address.
    #[error("there is no such way to ship to this address")]
    NoSuchShippingRate,
    /// The sum cannot be.
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
    /// The most coupons of one cart.
    pub const COUPONS_MAX: usize = 10;

    /// An empty cart, under fresh names.
    pub fn new(id: CartId, order: OrderId, customer: Option<CustomerId>, currency: Currency, now: Timestamp) -> Self {
        Self {
            data: CartData {
                id,
                order,
                order_named_at: now,
                customer,
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

    /// The number that its order has or will have; another only if that is taken when it is placed.
    pub fn number(&self) -> OrderNumber {
        OrderNumber::of(self.order, self.order_named_at)
    }

    /// What it comes to.
    pub fn totals(&self) -> Result<Totals, MoneyError> {
        Totals::of(self.currency, self.lines.iter().map(|it| &it.item), &self.adjustments)
    }

    /// What each line and the shipping come to.
    pub fn breakdown(&self) -> Result<Breakdown, MoneyError> {
        Breakdown::of(self.currency, self.lines.iter().map(|it| &it.item), &self.adjustments, self.shipping_tax)
    }

    /// Whether `other` says the same, whenever it was written.
    pub fn is_as(&self, other: &Self) -> bool {
        let same_time = Self { data: CartData { updated_at: self.updated_at, ..other.data.clone() } };
        *self == same_time
    }

    /// How many things are in it.
    pub fn item_count(&self) -> u64 {
        self.lines.iter().map(|it| u64::from(it.item.quantity())).sum()
    }

    /// The names of what can no longer be bought.
    pub fn unsold(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|it| !it.is_sold).map(|it| it.item.name.as_str())
    }

    /// With `quantity` more of `variant`.
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
        let line = CartLine { id: self.lines_ever, variant: variant.id.clone(), item, is_sold: true };
        self.data.lines.push(line);
        Ok(self)
    }

    /// The name of its line with this number.
    pub fn line_id(&self, line: u32) -> LineId {
        LineId { cart: self.id, line }
    }

    /// With `quantity` of what `line` is about.
    pub fn with_quantity(mut self, line: LineId, quantity: u32) -> Result<Self, CartError> {
        let lines = if line.cart == self.id { self.data.lines.as_mut_slice() } else { &mut [] };
        let found = lines.iter_mut().find(|it| it.id == line.line).ok_or(CartError::NoSuchLine)?;
        found.item = found.item.clone().with_quantity(quantity).map_err(CartError::Line)?;
        Ok(self)
    }

    /// Without a line.
    pub fn without_line(mut self, line: LineId) -> Result<Self, CartError> {
        let before = self.lines.len();
        let cart = self.id;
        self.data.lines.retain(|it| line != LineId { cart, line: it.id });
        if self.lines.len() == before { Err(CartError::NoSuchLine) } else { Ok(self) }
    }

    /// With nothing in it, and back at its beginning.
    #[must_use]
    pub fn emptied(mut self) -> Self {
        self.data.lines.clear();
        self.data.coupons.clear();
        self.data.shipping_rate = None;
        self.data.step = CheckoutStep::Cart;
        self
    }

    /// Without what can no longer be bought.
    #[must_use]
    pub fn without_unsold(mut self) -> Self {
        self.data.lines.retain(|it| it.is_sold);
        self
    }

    /// With a coupon.
    pub fn with_coupon(mut self, code: CouponCode, terms: &Terms, now: Timestamp) -> Result<Self, CartError> {
        let coupon = terms.coupon(&code, now).ok_or(CartError::NoSuchCoupon)?;
        if self.coupons.contains(&code) {
            return Err(CartError::CouponTakenAlready);
        }
        if self.coupons.len() >= Self::COUPONS_MAX {
            return Err(CartError::TooManyCoupons);
        }
        if coupon.off(Money::zero(self.currency))?.is_none() {
            return Err(CartError::CouponNotInCurrency(self.currency));
        }
        self.data.coupons.push(code);
        Ok(self)
    }

    /// Without a coupon, or without any.
    pub fn without_coupon(mut self, code: Option<&CouponCode>) -> Result<Self, CartError> {
        let before = self.coupons.len();
        self.data.coupons.retain(|it| code.is_some_and(|code| it != code));
        if code.is_some() && self.coupons.len() == before { Err(CartError::CouponNotThere) } else { Ok(self) }
    }

    /// With the receipt going to `email`.
    #[must_use]
    pub fn with_email(mut self, email: Email) -> Self {
        self.data.email = Some(email);
        self
    }

    /// With what the customer wants to say.
    #[must_use]
    pub fn with_special_instructions(mut self, text: Option<Text<1, 1000>>) -> Self {
        self.data.special_instructions = text;
        self
    }

    /// With the shop's own notes, added to those that are there.
    pub fn with_metadata(mut self, notes: Metadata) -> Result<Self, CartError> {
        self.data.metadata.extend(notes);
        if self.metadata.len() > Order::METADATA_MAX { Err(CartError::TooMuchMetadata) } else { Ok(self) }
    }

    /// With who is to pay.
    #[must_use]
    pub fn with_billing_address(mut self, address: Option<Address>) -> Self {
        self.data.billing_address = address;
        self.data.step = self.step.min(CheckoutStep::Address);
        self
    }

    /// With where the goods go: how they do is to be chosen again where that is another country.
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

    /// With a way to ship.
    pub fn with_shipping_rate(mut self, id: &str, terms: &Terms) -> Result<Self, CartError> {
        let address = self.shipping_address.as_ref().ok_or(CartError::NoSuchShippingRate)?;
        let mut rates = terms.shipping_to(address, self.currency);
        let rate = rates.find(|(it, _)| it.id.as_str() == id).ok_or(CartError::NoSuchShippingRate)?.0.id.clone();
        self.data.shipping_rate = Some(rate);
        self.data.step = self.step.min(CheckoutStep::Delivery);
        Ok(self)
    }

    /// With a means of payment, or with none chosen.
    #[must_use]
    pub fn with_payment_method(mut self, method: Option<PaymentMethodId>) -> Self {
        self.data.payment_method = method;
        self
    }

    /// Whether it belongs to another customer than `bearer`. A holder of its token who is no known customer may use it.
    pub fn is_anothers(&self, bearer: Option<&CustomerId>) -> bool {
        self.customer.as_ref().zip(bearer).is_some_and(|(owner, bearer)| owner != bearer)
    }

    /// As `customer`'s, if it was a guest's.
    pub fn owned_by(mut self, customer: CustomerId) -> Result<Self, CartError> {
        if self.is_anothers(Some(&customer)) {
            return Err(CartError::AnothersAlready);
        }
        self.data.customer = Some(customer);
        Ok(self)
    }

    /// In another currency, without what has no price in it.
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

    /// For another order, where the one that it was for has been given up.
    #[must_use]
    pub fn for_order(mut self, order: OrderId, now: Timestamp) -> Self {
        self.data.order = order;
        self.data.order_named_at = now;
        self
    }

    /// Done with.
    #[must_use]
    pub fn closed(mut self, now: Timestamp) -> Self {
        self.data.closed_at = self.closed_at.or(Some(now));
        self
    }

    /// At the prices and on the terms of this moment. What is not sold any more stays and says so; coupons that are not
    /// taken any more, and a way to ship that there is no more, are gone.
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
        self.take_coupons_off(items, terms, now)?;
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
        self.data.step = self.step_that_holds(terms);
        self.data.updated_at = now;
        Ok(self)
    }

    fn take_coupons_off(&mut self, items: Money, terms: &Terms, now: Timestamp) -> Result<(), CartError> {
        let mut left = items;
        let mut taken = Vec::new();
        for code in std::mem::take(&mut self.data.coupons) {
            let Some(coupon) = terms.coupon(&code, now) else { continue };
            let Some(off) = coupon.off(left)? else { continue };
            left = left.minus(off)?;
            taken.push(code);
            let label = Text::new(coupon.name.as_str()).unwrap_or_default();
            self.data.adjustments.push(Adjustment { kind: AdjustmentKind::Discount, label, amount: off });
        }
        self.data.coupons = taken;
        Ok(())
    }

    /// The price of the way to ship that was chosen.
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
        self.data.adjustments.push(Adjustment { kind: AdjustmentKind::Shipping, label, amount: price });
        price
    }

    fn items(&self) -> Vec<LineItem> {
        self.lines.iter().map(|it| it.item.clone()).collect()
    }

    /// The order that it makes.
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

    /// What makes the order that was placed for it the one that it would make now.
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
