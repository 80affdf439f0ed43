//! Storefront model: a price list, the terms of sale, and a cart that becomes an order. Prices come from the price list
//! only, never from the caller.
//!
//! ```
//! use paywright_domain::order::Payer;
//! use paywright_domain::storefront::{Cart, CartId, Terms, Variant, VariantId};
//! use paywright_domain::text::Text;
//! use paywright_domain::uuid::Uuid;
//! use paywright_domain::{Currency, Order, OrderId, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Timestamp::from_unix_seconds(1_743_415_050)?;
//! let bone = Variant {
//!     id: VariantId::new("bone")?,
//!     sku: None,
//!     name: Text::new("Bone")?,
//!     description: Text::default(),
//!     prices: [Variant::parse_price("14.00", Currency::Usd)?].into_iter().collect(),
//!     active: true,
//! };
//! let cart = Cart::new(CartId(Uuid::from_u128(1)), OrderId(Uuid::from_u128(2)), None, Currency::Usd, now);
//! let cart = cart.with_more(&bone, 2)?.priced(&[bone], &Terms::default(), now)?;
//! assert_eq!(cart.totals()?.due.to_string(), "28.00 USD");
//!
//! // The cart becomes an order under the id and the number that it was given.
//! let placed = Order::place_as(cart.order, cart.number(), cart.to_order(Payer::default()), now)?;
//! assert_eq!(placed.order.total, cart.totals()?.due);
//! # Ok(())
//! # }
//! ```

mod address;
mod cart;
mod checkout;
mod edit;
mod price_list;
mod taxes;
mod terms;

pub use address::{Address, AddressField};
pub use cart::{Cart, CartData, CartError, CartId, CartLine, LineId};
pub use checkout::{CheckoutError, CheckoutStep};
pub use edit::{CheckoutEdit, FieldEdit, PaymentMethodChoice};
pub use price_list::{PriceProblem, Prices, Variant, VariantId, VariantProblem};
pub use terms::{Coupon, CouponCode, Discount, ShippingRate, TaxRate, Terms, TermsProblem};
