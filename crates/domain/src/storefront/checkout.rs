//! Steps of the checkout, and what each of them requires.

use thiserror::Error;

use super::{Address, AddressField, Cart, CartId, Terms};
use crate::Timestamp;

/// Step of the checkout that the customer has reached. The order's state follows after the last: paid or canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CheckoutStep {
    /// The customer fills the cart.
    Cart,
    /// The customer enters the addresses.
    Address,
    /// The customer chooses a shipping rate. Skipped if the terms have none.
    Delivery,
    /// The customer pays.
    Payment,
}

variant_names! {
    /// Name of the step in the API.
    CheckoutStep {
        Cart => "cart",
        Address => "address",
        Delivery => "delivery",
        Payment => "payment",
    }
}

parsed_by_name! { CheckoutStep: "a step of the checkout" }

/// Why a checkout cannot proceed to the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckoutError {
    /// The cart is empty.
    #[error("the cart is empty")]
    NoLines,
    /// The email address for the receipt is missing.
    #[error("an email address is required")]
    NoEmail,
    /// The shipping address is missing.
    #[error("a shipping address is required")]
    NoShippingAddress,
    /// The billing address is missing, by which taxes are calculated if nothing is shipped.
    #[error("a billing address is required")]
    NoBillingAddress,
    /// A required field of the shipping address is blank.
    #[error("the shipping address requires {}", .0.name())]
    ShippingAddressLacks(AddressField),
    /// A required field of the billing address is blank.
    #[error("the billing address requires {}", .0.name())]
    BillingAddressLacks(AddressField),
    /// The shop does not ship to the shipping address.
    #[error("the shop does not ship to this address")]
    NoShippingRates,
    /// No shipping rate is chosen.
    #[error("a shipping rate must be chosen")]
    NoShippingRate,
    /// The checkout is at the payment step, and the order is not paid.
    #[error("the order is not paid")]
    NotPaid,
}

impl Cart {
    /// Returns what is missing to leave `step`. The email address and the full quick address are required only before the
    /// payment step: a wallet sends them after its customer has confirmed.
    fn missing_in(&self, step: CheckoutStep, terms: &Terms) -> Vec<CheckoutError> {
        match step {
            CheckoutStep::Cart => self.lines.is_empty().then_some(CheckoutError::NoLines).into_iter().collect(),
            CheckoutStep::Address if terms.shipping.is_empty() => {
                let email = self.missing_email();
                email.into_iter().chain(self.missing_address(terms)).chain(self.missing_fields()).collect()
            }
            CheckoutStep::Address => self.missing_address(terms).into_iter().collect(),
            CheckoutStep::Delivery if terms.shipping.is_empty() => Vec::new(),
            CheckoutStep::Delivery => {
                let rate = self.shipping_rate.is_none().then(|| self.missing_rate(terms));
                self.missing_email().into_iter().chain(rate).chain(self.missing_fields()).collect()
            }
            CheckoutStep::Payment => vec![CheckoutError::NotPaid],
        }
    }

    fn missing_email(&self) -> Option<CheckoutError> {
        self.email.is_none().then_some(CheckoutError::NoEmail)
    }

    fn missing_address(&self, terms: &Terms) -> Option<CheckoutError> {
        let no_shipping_address = self.shipping_address.is_none();
        if !terms.shipping.is_empty() {
            no_shipping_address.then_some(CheckoutError::NoShippingAddress)
        } else if !terms.taxes.is_empty() {
            (no_shipping_address && self.billing_address.is_none()).then_some(CheckoutError::NoBillingAddress)
        } else {
            None
        }
    }

    fn missing_rate(&self, terms: &Terms) -> CheckoutError {
        let ships_to = |it: &Address| terms.shipping_to(it, self.currency).next().is_some();
        let is_shippable = self.shipping_address.as_ref().is_none_or(ships_to);
        if is_shippable { CheckoutError::NoShippingRate } else { CheckoutError::NoShippingRates }
    }

    /// Required fields that are blank in quick addresses.
    fn missing_fields(&self) -> Vec<CheckoutError> {
        let missing =
            |it: &Option<Address>| it.as_ref().map(Address::missing_until_payment).unwrap_or_default().into_iter();
        let shipping = missing(&self.shipping_address).map(CheckoutError::ShippingAddressLacks);
        shipping.chain(missing(&self.billing_address).map(CheckoutError::BillingAddressLacks)).collect()
    }

    /// Everything that is missing before the cart can be paid. Empty if the total and the delivery are complete.
    pub fn missing_for_payment(&self, terms: &Terms) -> Vec<CheckoutError> {
        self.missing_between(CheckoutStep::Cart, CheckoutStep::Payment, terms)
    }

    /// Everything that is missing between the steps `from` and `goal`: lines first, then the email address, then the
    /// rest.
    fn missing_between(&self, from: CheckoutStep, goal: CheckoutStep, terms: &Terms) -> Vec<CheckoutError> {
        let between = CheckoutStep::ALL.into_iter().filter(|it| (from..goal).contains(it));
        let mut missing: Vec<_> = between.flat_map(|it| self.missing_in(it, terms)).collect();
        missing.sort_by_key(|it| match it {
            CheckoutError::NoLines => 0,
            CheckoutError::NoEmail => 1,
            CheckoutError::NoShippingAddress
            | CheckoutError::NoBillingAddress
            | CheckoutError::ShippingAddressLacks(_)
            | CheckoutError::BillingAddressLacks(_)
            | CheckoutError::NoShippingRates
            | CheckoutError::NoShippingRate
            | CheckoutError::NotPaid => 2,
        });
        missing
    }

    /// The present step, or the first earlier one whose requirements are no longer met.
    pub(super) fn reached_step(&self, terms: &Terms) -> CheckoutStep {
        let first_incomplete = CheckoutStep::ALL.into_iter().find(|&it| !self.missing_in(it, terms).is_empty());
        self.step.min(first_incomplete.unwrap_or(CheckoutStep::Payment))
    }

    /// Id of the cart's one shipment, which is the cart's own; `None` without a shipping address.
    pub fn shipment(&self) -> Option<CartId> {
        self.shipping_address.as_ref().map(|_| self.id)
    }

    /// Proceeds one step. Chooses the first shipping rate if none is chosen. The caller prices the cart again, as after
    /// every change.
    pub fn next(mut self, terms: &Terms, now: Timestamp) -> Result<Self, CheckoutError> {
        if let Some(missing) = self.missing_in(self.step, terms).into_iter().next() {
            return Err(missing);
        }
        let next = match self.step {
            CheckoutStep::Cart => CheckoutStep::Address,
            CheckoutStep::Address if terms.shipping.is_empty() => CheckoutStep::Payment,
            CheckoutStep::Address => CheckoutStep::Delivery,
            CheckoutStep::Delivery | CheckoutStep::Payment => CheckoutStep::Payment,
        };
        if next == CheckoutStep::Delivery {
            self = self.with_default_rate(terms)?;
        }
        Ok(self.at_step(next, now))
    }

    /// Chooses the first shipping rate, if none is chosen.
    fn with_default_rate(mut self, terms: &Terms) -> Result<Self, CheckoutError> {
        if self.shipping_rate.is_none() {
            let address = self.shipping_address.as_ref().ok_or(CheckoutError::NoShippingAddress)?;
            let first = terms.shipping_to(address, self.currency).next().ok_or(CheckoutError::NoShippingRates)?;
            self.data.shipping_rate = Some(first.0.id.clone());
        }
        Ok(self)
    }

    /// Proceeds to the step `goal`, unless the cart has reached it; without a goal, at least one step, and on until
    /// something is missing. The error lists everything that is missing. The caller prices the cart again.
    pub fn advanced(
        self,
        goal: Option<CheckoutStep>,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Self, Vec<CheckoutError>> {
        let one = |error| vec![error];
        let mut cart = match goal {
            Some(_) if self.step == CheckoutStep::Delivery => self.with_default_rate(terms).map_err(one)?,
            Some(_) => self,
            None => self.next(terms, now).map_err(one)?,
        };
        while goal.is_none_or(|goal| cart.step < goal) {
            match (cart.clone().next(terms, now), goal) {
                (Ok(further), _) => cart = further,
                (Err(_), None) => break,
                (Err(error), Some(goal)) => {
                    let mut missing = cart.missing_between(cart.step, goal, terms);
                    // The delivery step chooses a rate itself.
                    missing.retain(|it| *it != CheckoutError::NoShippingRate);
                    if !missing.contains(&error) {
                        missing.push(error);
                    }
                    return Err(missing);
                }
            }
        }
        Ok(cart)
    }

    /// Sets the step of `before`. Pricing the cart again returns to an earlier one if its requirements are no longer
    /// met.
    #[must_use]
    pub fn at_step_of(mut self, before: &Self) -> Self {
        self.data.step = before.step;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::{
        Address, CartError, CartId, Coupon, CouponCode, Discount, LineId, Prices, ShippingRate, TaxRate, Variant,
        VariantId,
    };
    use super::*;
    use crate::id::CustomerId;
    use crate::money::Percent;
    use crate::order::tests::at;
    use crate::order::{AdjustmentKind, Metadata, Payer};
    use crate::text::{Email, Text};
    use crate::{Currency, Money, Order, OrderId};

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::Eur).unwrap()
    }

    fn variant(id: &str, minor: i64) -> Variant {
        Variant {
            id: VariantId::new(id).unwrap(),
            sku: None,
            name: Text::new(id).unwrap(),
            description: Text::default(),
            prices: [eur(minor)].into_iter().collect(),
            active: true,
        }
    }

    fn cart() -> Cart {
        Cart::new(CartId(Uuid::nil()), OrderId(Uuid::nil()), None, Currency::Eur, at(1))
    }

    fn terms() -> Terms {
        let rate = |id: &str, minor, countries: &[&str]| ShippingRate {
            id: Text::new(id).unwrap(),
            name: Text::new(id).unwrap(),
            countries: countries.iter().map(|it| it.parse().unwrap()).collect(),
            prices: [eur(minor)].into_iter().collect(),
        };
        let tax = |country: &str, percent: &str, included| TaxRate {
            name: Text::new("VAT").unwrap(),
            country: country.parse().unwrap(),
            percent: Percent::parse(percent).unwrap(),
            included,
            on_shipping: true,
        };
        let coupon = |code: &str, discount| Coupon {
            code: CouponCode::new(code).unwrap(),
            name: Text::new(code).unwrap(),
            discount,
            expires_at: Some(at(100)),
        };
        Terms {
            shipping: vec![rate("post", 490, &["DE", "AT"]), rate("courier", 1500, &["DE", "AT"])],
            taxes: vec![tax("DE", "19", true), tax("AT", "20", false)],
            coupons: vec![
                coupon("ten", Discount::Percent(Percent::parse("10").unwrap())),
                coupon("five", Discount::Amount([eur(500)].into_iter().collect())),
                coupon("dollars", Discount::Amount(Prices::default())),
            ],
        }
    }

    fn kinds(cart: &Cart) -> Vec<(AdjustmentKind, i64)> {
        cart.adjustments.iter().map(|it| (it.kind, it.amount.minor())).collect()
    }

    #[test]
    fn a_cart_is_priced_with_coupons_then_shipping_then_tax() {
        use AdjustmentKind::{Discount, Shipping, Tax, TaxIncluded};
        let bone = variant("bone", 1000);
        let filled = cart().with_more(&bone, 2).unwrap().with_more(&bone, 1).unwrap();
        assert_eq!((filled.lines.len(), filled.item_count()), (1, 3));
        for (country, coupons, expected, due) in [
            ("DE", vec!["ten"], vec![(Discount, 300), (Shipping, 490), (TaxIncluded, 509)], 3190),
            ("AT", vec!["five", "ten"], vec![(Discount, 500), (Discount, 250), (Shipping, 490), (Tax, 548)], 3288),
        ] {
            let mut cart = filled.clone().with_shipping_address(Some(Address::of(country.parse().unwrap())));
            for code in coupons {
                cart = cart.with_coupon(CouponCode::new(code).unwrap(), &terms(), at(2)).unwrap();
            }
            let cart = cart.with_shipping_rate("post", &terms()).unwrap();
            let cart = cart.priced(std::slice::from_ref(&bone), &terms(), at(2)).unwrap();
            assert_eq!((kinds(&cart), cart.totals().unwrap().due), (expected, eur(due)), "{country}");
            let order = cart.to_order(Payer::default());
            assert_eq!(order.adjustments, cart.adjustments);
            let later = cart.priced(std::slice::from_ref(&bone), &terms(), at(100)).unwrap();
            assert!(later.coupons.is_empty(), "its coupons have expired");
        }
    }

    #[test]
    fn pricing_takes_new_prices_and_marks_lines_that_are_not_for_sale() {
        let filled = cart().with_more(&variant("bone", 1000), 2).unwrap();
        let dearer = filled.clone().priced(&[variant("bone", 1100)], &terms(), at(2)).unwrap();
        assert_eq!(dearer.totals().unwrap().due, eur(2200));
        let gone = dearer.priced(&[Variant { active: false, ..variant("bone", 1) }], &terms(), at(3)).unwrap();
        assert_eq!(gone.unsold().collect::<Vec<_>>(), ["bone"]);
        assert!(gone.without_unsold().lines.is_empty());
        let unpriced = Variant { prices: Prices::default(), ..variant("toy", 1) };
        let problem = filled.clone().with_more(&unpriced, 1).unwrap_err();
        assert_eq!(problem.to_string(), "toy is not available in EUR");
        assert_eq!(filled.with_more(&variant("toy", 1), 0), Err(CartError::Line(crate::order::LineProblem::Quantity)));
    }

    #[test]
    fn each_step_requires_the_data_of_the_steps_before_it() {
        let bone = variant("bone", 1000);
        let price = |cart: Cart| cart.priced(std::slice::from_ref(&bone), &terms(), at(2)).unwrap();
        let next = |cart: &Cart| cart.clone().next(&terms(), at(2)).map(price);
        assert_eq!(next(&cart()), Err(CheckoutError::NoLines));
        let at_address = next(&cart().with_more(&bone, 1).unwrap()).unwrap();
        let no_address = Err(CheckoutError::NoShippingAddress);
        assert_eq!((at_address.step, next(&at_address)), (CheckoutStep::Address, no_address));
        let abroad = at_address.clone().with_shipping_address(Some(Address::of("US".parse().unwrap())));
        assert_eq!(next(&abroad), Err(CheckoutError::NoShippingRates));
        let at_delivery = next(&at_address.with_shipping_address(Some(Address::of("DE".parse().unwrap())))).unwrap();
        assert_eq!(
            (at_delivery.step, kinds(&at_delivery).first()),
            (CheckoutStep::Delivery, Some(&(AdjustmentKind::Shipping, 490)))
        );
        assert_eq!(next(&at_delivery), Err(CheckoutError::NoEmail), "which no earlier step requires");
        let at_payment = next(&at_delivery.with_email(Email::new("ada@example.com").unwrap())).unwrap();
        assert_eq!((at_payment.step, next(&at_payment)), (CheckoutStep::Payment, Err(CheckoutError::NotPaid)));
        let moved = price(at_payment.clone().with_shipping_address(Some(Address::of("FR".parse().unwrap()))));
        assert_eq!((moved.step, &moved.shipping_rate), (CheckoutStep::Address, &None));
        assert_eq!(price(at_payment.emptied()).step, CheckoutStep::Cart);
    }

    #[test]
    fn a_cart_advances_to_the_goal_or_lists_everything_that_is_missing() {
        use CheckoutError::{NoEmail, NoLines, NoShippingAddress, NoShippingRates, NotPaid, ShippingAddressLacks};
        use CheckoutStep::{Cart as AtCart, Delivery, Payment};
        let to = |cart: Cart, country: &str, is_quick| {
            let city = Text::new("Town").unwrap();
            let address = Address { city, is_quick, ..Address::of(country.parse().unwrap()) };
            cart.with_shipping_address(Some(address))
        };
        let mailed = |cart: Cart| cart.with_email(Email::new("ada@example.com").unwrap());
        let filled = cart().with_more(&variant("bone", 1000), 1).unwrap();
        let advanced = |cart: Cart, goal| cart.advanced(goal, &terms(), at(2));
        let full = advanced(mailed(to(filled.clone(), "DE", false)), None).unwrap();
        let at_delivery = advanced(to(filled.clone(), "DE", true), Some(Delivery)).unwrap();
        let names = [AddressField::FirstName, AddressField::LastName, AddressField::Street].map(ShippingAddressLacks);
        for (cart, goal, expected) in [
            (cart(), None, Err(vec![NoLines])),
            (filled.clone(), None, Ok(CheckoutStep::Address)),
            (filled.clone(), Some(AtCart), Ok(AtCart)),
            (filled.clone(), Some(Delivery), Err(vec![NoShippingAddress])),
            (filled.clone(), Some(Payment), Err(vec![NoEmail, NoShippingAddress])),
            (to(filled.clone(), "FR", true), Some(Delivery), Err(vec![NoShippingRates])),
            (to(filled.clone(), "DE", true), Some(Delivery), Ok(Delivery)),
            (to(filled.clone(), "DE", true), None, Ok(Delivery)),
            (to(filled.clone(), "DE", true), Some(Payment), Err([&[NoEmail][..], &names].concat())),
            (mailed(to(filled, "DE", true)), Some(Payment), Err(names.to_vec())),
            (to(full.clone(), "AT", false).at_step_of(&at_delivery), Some(Delivery), Ok(Delivery)),
            (full.clone(), Some(Delivery), Ok(Payment)),
            (full.clone(), Some(Payment), Ok(Payment)),
            (full, None, Err(vec![NotPaid])),
        ] {
            let reached = advanced(cart.clone(), goal);
            assert_eq!(reached.as_ref().map(|it| it.step).map_err(Clone::clone), expected, "{cart:?}");
            let again = reached.map(|it| advanced(it.clone(), goal.or(Some(AtCart))) == Ok(it));
            assert!(again.unwrap_or(true), "a cart that has reached the goal stays as it is");
        }
    }

    #[test]
    fn a_cart_returns_to_the_step_whose_requirements_are_no_longer_met() {
        let bone = variant("bone", 1000);
        let price = |cart: Cart| cart.priced(std::slice::from_ref(&bone), &terms(), at(2)).unwrap();
        let to = |cart: &Cart, country: &str, is_quick| {
            let address = Address { is_quick, ..Address::of(country.parse().unwrap()) };
            price(cart.clone().with_shipping_address(Some(address)).at_step_of(cart))
        };
        let filled = cart().with_more(&bone, 1).unwrap().with_email(Email::new("ada@example.com").unwrap());
        let first = filled.with_shipping_address(Some(Address::of("DE".parse().unwrap())));
        let at_payment = price(first.advanced(Some(CheckoutStep::Payment), &terms(), at(2)).unwrap());
        for (country, is_quick, step) in [
            ("DE", false, CheckoutStep::Payment),
            // The other country clears the shipping rate; the quick address has no names.
            ("AT", false, CheckoutStep::Delivery),
            ("DE", true, CheckoutStep::Delivery),
        ] {
            let moved = to(&at_payment, country, is_quick);
            assert_eq!(moved.step, step, "{country}");
            let payable = moved.missing_for_payment(&terms()).is_empty();
            assert_eq!(payable, step == CheckoutStep::Payment, "{country}");
        }
    }

    #[test]
    fn a_cart_can_be_paid_only_when_its_checkout_is_complete() {
        use CheckoutError::{
            NoBillingAddress, NoEmail, NoLines, NoShippingAddress, NoShippingRate, NoShippingRates,
            ShippingAddressLacks,
        };
        let bone = variant("bone", 1000);
        let mailed = |cart: Cart| cart.with_email(Email::new("ada@example.com").unwrap());
        let to = |cart: Cart, country: &str| cart.with_shipping_address(Some(Address::of(country.parse().unwrap())));
        let filled = cart().with_more(&bone, 1).unwrap();
        let ready = to(mailed(filled.clone()), "DE").with_shipping_rate("post", &terms()).unwrap();
        let wallet = Address { city: Text::new("Wien").unwrap(), is_quick: true, ..Address::of("AT".parse().unwrap()) };
        let quick = ready.clone().with_shipping_address(Some(wallet)).with_shipping_rate("post", &terms()).unwrap();
        let unshipped = Terms { shipping: Vec::new(), ..terms() };
        let street = vec![AddressField::FirstName, AddressField::LastName, AddressField::Street];
        let street: Vec<_> = street.into_iter().map(ShippingAddressLacks).collect();
        for (cart, terms, missing) in [
            (cart(), terms(), vec![NoLines, NoEmail, NoShippingAddress, NoShippingRate]),
            (filled.clone(), terms(), vec![NoEmail, NoShippingAddress, NoShippingRate]),
            (mailed(filled.clone()), terms(), vec![NoShippingAddress, NoShippingRate]),
            (to(mailed(filled.clone()), "DE"), terms(), vec![NoShippingRate]),
            (to(mailed(filled.clone()), "FR"), terms(), vec![NoShippingRates]),
            (ready.clone(), terms(), vec![]),
            (to(ready.clone(), "AT"), terms(), vec![NoShippingRate]),
            (quick.clone(), terms(), street.clone()),
            // If nothing is shipped, either address will do for the taxes.
            (mailed(filled.clone()), unshipped.clone(), vec![NoBillingAddress]),
            (
                mailed(filled.clone()).with_billing_address(Some(Address::of("DE".parse().unwrap()))),
                unshipped.clone(),
                vec![],
            ),
            (quick.clone(), unshipped, street),
            (mailed(filled.clone()), Terms::default(), vec![]),
            (filled, Terms::default(), vec![NoEmail]),
        ] {
            assert_eq!(cart.missing_for_payment(&terms), missing, "{cart:?}");
        }
        // An incomplete quick address reaches the delivery step.
        let next = |cart: &Cart| cart.clone().next(&terms(), at(2));
        let at_delivery = next(&next(&quick).unwrap()).unwrap();
        assert_eq!(at_delivery.step, CheckoutStep::Delivery);
        assert_eq!(next(&at_delivery), Err(ShippingAddressLacks(AddressField::FirstName)));
    }

    #[test]
    fn the_delivery_step_is_skipped_if_there_are_no_shipping_rates() {
        let terms = Terms::default();
        let filled = cart().with_more(&variant("song", 100), 1).unwrap().with_email(Email::new("a@b.c").unwrap());
        let at_address = filled.next(&terms, at(2)).unwrap();
        assert_eq!(at_address.next(&terms, at(2)).unwrap().step, CheckoutStep::Payment);
    }

    #[test]
    fn a_line_id_names_its_cart() {
        let id = LineId { cart: CartId(Uuid::from_u128(7)), line: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in
            ["", "1", "_1", "7_1", "00000000-0000-0000-0000-000000000007", "00000000-0000-0000-0000-000000000007_x"]
        {
            assert_eq!(wrong.parse::<LineId>(), Err(CartError::NoSuchLine), "{wrong}");
        }
    }

    #[test]
    fn an_invalid_change_of_a_cart_is_refused() {
        let bone = variant("bone", 1000);
        let filled = cart().with_more(&bone, 1).unwrap();
        let code = |text: &str| CouponCode::new(text).unwrap();
        let ten = filled.clone().with_coupon(code("TEN"), &terms(), at(2)).unwrap();
        let of_another = LineId { cart: CartId(Uuid::from_u128(7)), line: 1 };
        for (changed, problem) in [
            (filled.clone().with_quantity(filled.line_id(2), 1), CartError::NoSuchLine),
            (filled.clone().with_quantity(filled.line_id(1), 0), CartError::Line(crate::order::LineProblem::Quantity)),
            (filled.clone().without_line(filled.line_id(2)), CartError::NoSuchLine),
            (filled.clone().with_quantity(of_another, 1), CartError::NoSuchLine),
            (filled.clone().without_line(of_another), CartError::NoSuchLine),
            (filled.clone().with_coupon(code("none"), &terms(), at(2)), CartError::NoSuchCoupon),
            (filled.clone().with_coupon(code("ten"), &terms(), at(100)), CartError::NoSuchCoupon),
            (
                filled.clone().with_coupon(code("dollars"), &terms(), at(2)),
                CartError::CouponNotInCurrency(Currency::Eur),
            ),
            (ten.clone().with_coupon(code("ten"), &terms(), at(2)), CartError::CouponAlreadyApplied),
            (ten.without_coupon(Some(&code("five"))), CartError::CouponNotApplied),
            (filled.clone().without_coupon(None), CartError::NoCoupons),
            (
                filled.clone().with_line_metadata(&VariantId::new("none").unwrap(), Metadata::new()),
                CartError::NoSuchLine,
            ),
            (filled.clone().with_shipping_rate("post", &terms()), CartError::NoSuchShippingRate),
        ] {
            assert_eq!(changed, Err(problem));
        }
        let customer = |it: &str| CustomerId::new(it).unwrap();
        let owned = filled.owned_by(customer("ada")).unwrap();
        assert_eq!(owned.clone().owned_by(customer("ada")), Ok(owned.clone()));
        assert!(owned.is_anothers(Some(&customer("eve"))) && !cart().is_anothers(Some(&customer("eve"))));
        assert!(!owned.is_anothers(Some(&customer("ada"))) && !owned.is_anothers(None));
        assert!(owned.was_guests && !cart().was_guests);
        assert_eq!(owned.owned_by(customer("eve")), Err(CartError::OfAnotherCustomer));
        let full = (0..crate::Order::LINES_MAX)
            .try_fold(cart(), |cart, n| cart.with_more(&variant(&n.to_string(), 1), 1))
            .unwrap();
        assert_eq!(full.with_more(&bone, 1), Err(CartError::TooManyLines));
        assert!(BTreeSet::from(CheckoutStep::ALL).into_iter().all(|it| CheckoutStep::named(it.name()) == Some(it)));
    }

    proptest! {
        /// Holds for all carts and terms: the order's total is the one that the cart has shown.
        #[test]
        fn an_order_has_the_total_that_its_cart_has_shown(
            lines in prop::collection::vec((1_i64..5_000_000, 1_u32..20), 1..6),
            off in (1_u32..=100_000, 0_i64..2_000_000),
            taxes in prop::collection::vec((1_u32..=100_000, any::<bool>(), any::<bool>()), 1..4),
            shipping in 0_i64..10_000,
            currency in prop::sample::select(vec![Currency::Eur, Currency::Jpy, Currency::Kwd, Currency::Isk]),
        ) {
            let money = |minor: i64| Money::new(minor * currency.minor_step(), currency).unwrap();
            let percent = |it: u32| Percent::parse(&format!("{}.{:04}", it / 10_000, it % 10_000)).unwrap();
            let coupon = |code: &str, discount| Coupon {
                code: CouponCode::new(code).unwrap(),
                name: Text::new(code).unwrap(),
                discount,
                expires_at: None,
            };
            let country = "DE".parse().unwrap();
            let terms = Terms {
                shipping: vec![ShippingRate {
                    id: Text::new("post").unwrap(),
                    name: Text::new("Post").unwrap(),
                    countries: BTreeSet::new(),
                    prices: [money(shipping)].into_iter().collect(),
                }],
                taxes: taxes.iter().map(|(rate, included, on_shipping)| TaxRate {
                    name: Text::new("VAT").unwrap(),
                    country,
                    percent: percent(*rate),
                    included: *included,
                    on_shipping: *on_shipping,
                }).collect(),
                coupons: vec![
                    coupon("part", Discount::Percent(percent(off.0))),
                    coupon("sum", Discount::Amount([money(off.1)].into_iter().collect())),
                ],
            };
            let variants: Vec<Variant> = lines.iter().enumerate().map(|(place, (minor, _))| Variant {
                prices: [money(*minor)].into_iter().collect(),
                ..variant(&place.to_string(), 1)
            }).collect();
            let empty = Cart::new(CartId(Uuid::nil()), OrderId(Uuid::nil()), None, currency, at(1));
            let filled = variants.iter().zip(&lines).try_fold(empty, |cart, (it, (_, quantity))| cart.with_more(it, *quantity));
            let addressed = filled.unwrap().with_shipping_address(Some(Address::of(country)));
            let cart = ["part", "sum"].into_iter().try_fold(addressed, |cart, code| {
                cart.with_coupon(CouponCode::new(code).unwrap(), &terms, at(2))
            });
            let cart = cart.unwrap().with_shipping_rate("post", &terms).unwrap().priced(&variants, &terms, at(2)).unwrap();
            let totals = cart.totals().unwrap();
            prop_assert!(totals.items.minus(totals.discounts).is_ok(), "discounts are at most the items");
            for part in [totals.discounts, totals.taxes, totals.taxes_included, totals.due] {
                prop_assert_eq!(part.minor() % currency.minor_step(), 0, "a payable amount");
            }
            let parts = cart.breakdown().unwrap();
            for part in parts.lines.iter().chain([&parts.shipping]) {
                let price = part.amount.minus(part.discount).unwrap();
                prop_assert!(price.minus(part.tax_included).is_ok(), "at most the price is tax: {part:?}");
                let taxes_of_one_each = i64::try_from(taxes.len()).unwrap();
                let most = price.minor() * taxes_of_one_each + currency.minor_step() * taxes_of_one_each;
                prop_assert!(part.tax.minor() <= most, "{part:?}");
            }
            let untaxed = taxes.iter().all(|it| !it.2);
            prop_assert!(!untaxed || parts.shipping.tax.is_zero() && parts.shipping.tax_included.is_zero());
            match Order::place(OrderId(Uuid::nil()), cart.to_order(Payer::default()), at(3)) {
                Ok(placed) => prop_assert_eq!(placed.order.total, totals.due),
                Err(refused) => prop_assert!(totals.due.to_charge().is_err(), "{}", refused),
            }
        }
    }
}
