//! Orders, payments and money as values with pure, total transitions.
//!
//! The crate models an order that is paid through Stripe PaymentIntents: it is placed, edited, paid, captured, refunded
//! or canceled. It does no I/O, reads no clock and draws no random number: the caller passes ids and times in, and each
//! transition returns a [`Decision`].
//!
//! # Overview
//!
//! * [`Order`] has the transitions, e.g. [`Order::place`], [`Order::request_intent`], [`Order::settle`] and
//!   [`Order::refund`].
//! * [`Decision`] is the next [`Order`], the [`Fact`]s that happened and the [`Task`]s to perform outside. The caller
//!   stores all of it in one transaction and performs the tasks after the commit.
//! * [`IntentSnapshot`], [`RefundSnapshot`] and [`Dispute`] are what an event or an answer of Stripe says of an object.
//! * [`Money`] is an amount in integer minor units of its [`Currency`], with checked arithmetic.
//! * [`Cart`], [`Terms`] and [`Variant`] are a storefront's cart before there is an order, its terms of sale and its
//!   price list.
//!
//! # Example
//!
//! A shop places an order, Stripe creates a PaymentIntent for it, and the money that Stripe reports pays the order,
//! once:
//!
//! ```
//! use paywright_domain::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::from_unix_seconds(1_743_415_050)?;
//! let new = NewOrder {
//!     lines: vec![LineItem::new("Main product 2", Money::new(5600, Currency::Usd)?, 2)?],
//!     ..NewOrder::empty(Currency::Usd)
//! };
//! let id = OrderId(uuid::Uuid::from_u128(0x0195_ead7_9d10_7000_8000_0000_0000_0009));
//! let placed = Order::place(id, new, now)?;
//! assert_eq!(placed.order.total.to_decimal(), "112.00");
//!
//! // Request and task are stored before Stripe is called. The idempotency key follows from order and request.
//! let IntentPlan::Create { request, decision } = placed.order.request_intent(now)? else { panic!() };
//! assert_eq!(request.idempotency_key(id), format!("pi:{id}:1:1"));
//! let requested = decision.expect("a first request changes the order").order;
//!
//! // A snapshot may come from an answer, a webhook or a poll, in any order and any number of times.
//! let mut seen = IntentSnapshot::new(IntentId::new("pi_1")?, id, requested.total, now);
//! let issued = requested.settle(&seen, &Policies::DEFAULT, now)?.order;
//! seen.status = IntentStatus::Succeeded;
//! seen.received = issued.total;
//! let paid = issued.settle(&seen, &Policies::DEFAULT, now)?;
//! assert_eq!(paid.order.payment_state(), PaymentState::Paid);
//! assert_eq!(paid.facts.last().map(|it| it.kind()), Some("order.paid"));
//! assert!(paid.order.settle(&seen, &Policies::DEFAULT, now)?.facts.is_empty(), "the same snapshot changes nothing");
//! # Ok(())
//! # }
//! ```
//!
//! # Crate features
//!
//! * `serde` (off by default): implements `Serialize` and `Deserialize` for facts, tasks, carts, terms of sale and the
//!   values in them. Stores and feeds have these forms: a later version reads those of an earlier one.

#[macro_use]
mod variant_names;

mod anomaly;
mod dispute;
mod fact;
mod id;
mod intent;
mod money;
mod operation;
mod order;
mod refund;
mod storefront;
mod task;
mod text;
mod timestamp;

pub use anomaly::{Anomaly, AnomalyDetails, AnomalyKind, Mismatch, NoticeKind, Policies, Policy};
pub use dispute::{Dispute, DisputeStatus, DisputeUpdateError};
pub use fact::Fact;
pub use fact::feed_event::FeedEventType;
pub use id::installation::{Epoch, InstallationId};
pub use id::{
    CustomerId, DisputeId, IdError, IntentId, OrderId, OrderNumber, PaymentMethodId, ProviderCustomerId, RefundId,
};
pub use intent::request::{IntentPlan, IntentRequest, RequestIntentError};
pub use intent::settle::SettleError;
pub use intent::{CaptureMethod, IntentError, IntentSnapshot, IntentStatus, PaymentIntent, Proceeds, SnapshotSource};
pub use money::currency::{Currency, UnknownCurrency};
pub use money::{ChargeError, Money, MoneyError};
pub use operation::{CancelError, CaptureError, EditError, NotNow, Operation, OperationKind};
pub use order::breakdown::{Breakdown, Part, ShippingTax};
pub use order::content::{
    Adjustment, AdjustmentKind, Content, ContentError, LineItem, LineProblem, Metadata, NewOrder, OrderEdit, Payer,
    QUANTITY_MAX, Totals,
};
pub use order::lost::{LostOrder, RecreateError};
pub use order::{CancelReason, CorruptOrder, Order, OrderData, OrderState, PaymentState};
pub use refund::{
    NewRefund, REFUND_ATTEMPTS_MAX, Refund, RefundError, RefundFailure, RefundOrigin, RefundReason, RefundSnapshot,
    RefundStatus, RefundUpdateError,
};
pub use storefront::{
    Address, AddressField, Cart, CartData, CartError, CartId, CartLine, CheckoutEdit, CheckoutError, CheckoutStep,
    CountryCode, CountryProblem, Coupon, CouponCode, Discount, FieldEdit, LineId, PaymentMethodChoice, Percent,
    PercentProblem, PriceProblem, Prices, ShippingRate, TaxRate, Terms, TermsProblem, Variant, VariantId,
    VariantProblem,
};
pub use task::failure::{ProviderFailure, ProviderRequest};
pub use task::{Decision, Task, TaskKey, TaskKind};
pub use text::{Email, Text, TextProblem};
pub use timestamp::{NotATimestamp, Timestamp, TimestampOutOfRange};
