//! Storefront model: a price list, the terms of sale, and a cart that becomes an order. Prices come from the price list
//! only, never from the caller.

mod address;
mod cart;
mod checkout;
mod edit;
mod price_list;
mod taxes;
mod terms;

pub use address::{Address, AddressField, CountryCode, CountryProblem};
pub use cart::{Cart, CartData, CartError, CartId, CartLine, LineId};
pub use checkout::{CheckoutError, CheckoutStep};
pub use edit::{CheckoutEdit, FieldEdit, PaymentMethodChoice};
pub use price_list::{PriceProblem, Prices, Variant, VariantId, VariantProblem};
pub use terms::{Coupon, CouponCode, Discount, Percent, PercentProblem, ShippingRate, TaxRate, Terms, TermsProblem};
