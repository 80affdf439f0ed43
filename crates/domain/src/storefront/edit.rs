use super::{Address, Cart, CartError, CouponCode, Terms};
use crate::Timestamp;
use crate::id::PaymentMethodId;
use crate::text::{Email, Text};

/// Edit of a field that may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FieldEdit<T> {
    /// The field stays as it is.
    #[default]
    Keep,
    /// The field is emptied.
    Clear,
    /// The field gets a value.
    Set(T),
}

impl<T: Clone> FieldEdit<T> {
    /// Applies the edit to `cart`, whose field `set` writes.
    fn applied(&self, cart: Cart, set: impl FnOnce(Cart, Option<T>) -> Cart) -> Cart {
        match self {
            Self::Keep => cart,
            Self::Clear => set(cart, None),
            Self::Set(value) => set(cart, Some(value.clone())),
        }
    }
}

/// Payment method that a checkout chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentMethodChoice {
    /// PaymentMethod that the browser has just created at Stripe.
    New(PaymentMethodId),
    /// Saved card, which must be one of the cart's customer.
    Saved(PaymentMethodId),
}

impl PaymentMethodChoice {
    /// Stripe's id of the PaymentMethod (`pm_…`).
    pub const fn id(&self) -> &PaymentMethodId {
        match self {
            Self::New(id) | Self::Saved(id) => id,
        }
    }
}

/// Edit of a cart at checkout. By default nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutEdit {
    /// New email address of the receipt.
    pub email: Option<Email>,
    /// Edit of the customer's note to the shop.
    pub special_instructions: FieldEdit<Text<1, 1000>>,
    /// Edit of the billing address.
    pub billing_address: FieldEdit<Address>,
    /// Edit of the shipping address.
    pub shipping_address: FieldEdit<Address>,
    /// Whether the billing address becomes the shipping address too, after both were edited.
    pub use_billing: bool,
    /// Whether the shipping address becomes the billing address too, after both were edited.
    pub use_shipping: bool,
    /// Coupon code to apply.
    pub coupon: Option<CouponCode>,
    /// Id of the shipping rate to choose for the shipping address after the edit.
    pub shipping_rate: Option<String>,
    /// Payment method to choose.
    pub payment_method: Option<PaymentMethodChoice>,
    /// Whether the checkout stays at its step, as far as nothing that the step needs is missing.
    pub keeps_step: bool,
}

impl Cart {
    /// Applies `edit`: addresses first, then the coupon, then the shipping rate, which depends on the address. The caller
    /// prices the cart again, as after every change.
    pub fn edited(&self, edit: &CheckoutEdit, terms: &Terms, now: Timestamp) -> Result<Self, CartError> {
        let mut cart = self.clone();
        if let Some(email) = &edit.email {
            cart = cart.with_email(email.clone());
        }
        cart = edit.special_instructions.applied(cart, Self::with_special_instructions);
        cart = edit.billing_address.applied(cart, Self::with_billing_address);
        cart = edit.shipping_address.applied(cart, Self::with_shipping_address);
        if edit.use_billing {
            let address = cart.billing_address.clone();
            cart = cart.with_shipping_address(address);
        }
        if edit.use_shipping {
            let address = cart.shipping_address.clone();
            cart = cart.with_billing_address(address);
        }
        if let Some(code) = &edit.coupon {
            cart = cart.with_coupon(code.clone(), terms, now)?;
        }
        if let Some(rate) = &edit.shipping_rate {
            cart = cart.with_shipping_rate(rate, terms)?;
        }
        if let Some(choice) = &edit.payment_method {
            cart = cart.with_payment_method(Some(choice.id().clone()));
        }
        Ok(if edit.keeps_step { cart.at_step_of(self) } else { cart })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::{CartId, ShippingRate};
    use super::*;
    use crate::order::tests::{at, usd};
    use crate::storefront::CheckoutStep;
    use crate::{Currency, OrderId};

    /// Terms of a post that goes to Germany alone.
    fn terms() -> Terms {
        let post = ShippingRate {
            id: Text::new("post").unwrap(),
            name: Text::new("Post").unwrap(),
            countries: ["DE".parse().unwrap()].into(),
            prices: [usd(490)].into_iter().collect(),
        };
        Terms { shipping: vec![post], ..Terms::default() }
    }

    fn cart() -> Cart {
        Cart::new(CartId(Uuid::from_u128(7)), OrderId(Uuid::nil()), None, Currency::Usd, at(1))
    }

    fn address(country: &str) -> Address {
        Address::of(country.parse().unwrap())
    }

    #[test]
    fn an_edit_changes_what_it_names_and_keeps_the_rest() {
        let text = Text::new("Ring twice").unwrap();
        let card = PaymentMethodId::new("pm_1").unwrap();
        let edit = CheckoutEdit {
            email: Some(Email::new("ada@example.com").unwrap()),
            special_instructions: FieldEdit::Set(text.clone()),
            billing_address: FieldEdit::Set(address("AT")),
            shipping_address: FieldEdit::Set(address("DE")),
            shipping_rate: Some("post".to_owned()),
            payment_method: Some(PaymentMethodChoice::New(card.clone())),
            ..CheckoutEdit::default()
        };
        let edited = cart().edited(&edit, &terms(), at(2)).unwrap();
        assert_eq!(edited.email, edit.email);
        assert_eq!(edited.special_instructions, Some(text));
        assert_eq!((&edited.billing_address, &edited.shipping_address), (&Some(address("AT")), &Some(address("DE"))));
        assert_eq!(edited.shipping_rate.as_ref().map(Text::as_str), Some("post"), "for the new address");
        assert_eq!(edited.payment_method, Some(card));
        assert_eq!(edited.edited(&CheckoutEdit::default(), &terms(), at(3)).unwrap(), edited);
        let clear = CheckoutEdit {
            special_instructions: FieldEdit::Clear,
            billing_address: FieldEdit::Clear,
            shipping_address: FieldEdit::Clear,
            ..CheckoutEdit::default()
        };
        let cleared = edited.edited(&clear, &terms(), at(3)).unwrap();
        assert_eq!((&cleared.special_instructions, &cleared.billing_address), (&None, &None));
        assert_eq!((&cleared.shipping_address, &cleared.shipping_rate, cleared.shipment()), (&None, &None, None));
    }

    #[test]
    fn one_address_is_used_as_the_other_after_both_were_edited() {
        let both = CheckoutEdit {
            billing_address: FieldEdit::Set(address("DE")),
            shipping_address: FieldEdit::Set(address("AT")),
            ..CheckoutEdit::default()
        };
        for (use_billing, use_shipping, country) in [(true, false, "DE"), (false, true, "AT")] {
            let edit = CheckoutEdit { use_billing, use_shipping, ..both.clone() };
            let edited = cart().edited(&edit, &terms(), at(2)).unwrap();
            let expected = Some(address(country));
            assert_eq!((&edited.billing_address, &edited.shipping_address), (&expected, &expected));
        }
    }

    #[test]
    fn a_shipping_rate_that_does_not_go_to_the_address_is_refused() {
        for shipping_address in [FieldEdit::Keep, FieldEdit::Set(address("AT"))] {
            let shipping_rate = Some("post".to_owned());
            let edit = CheckoutEdit { shipping_address, shipping_rate, ..CheckoutEdit::default() };
            assert_eq!(cart().edited(&edit, &terms(), at(2)), Err(CartError::NoSuchShippingRate));
        }
    }

    #[test]
    fn an_edit_of_an_address_goes_back_to_the_address_step_unless_it_keeps_the_step() {
        let edit = CheckoutEdit {
            billing_address: FieldEdit::Set(address("DE")),
            keeps_step: false,
            ..CheckoutEdit::default()
        };
        let mut at_payment = cart();
        at_payment.data.step = CheckoutStep::Payment;
        for (keeps_step, step) in [(false, CheckoutStep::Address), (true, CheckoutStep::Payment)] {
            let edited = at_payment.edited(&CheckoutEdit { keeps_step, ..edit.clone() }, &terms(), at(2)).unwrap();
            assert_eq!(edited.step, step);
        }
    }
}
