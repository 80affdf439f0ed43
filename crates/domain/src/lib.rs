#![doc = include_str!("../README.md")]
//! # Modules
//!
//! The crate's root has the names that nearly every program needs; a module has everything about one idea.
//!
//! * [`order`]: [`Order`] with its content, state, totals and transitions.
//! * [`intent`]: PaymentIntents, and [`Order::request_intent`] and [`Order::settle`], by which one pays an order.
//! * [`operation`]: [`Order::edit`], [`Order::cancel`] and [`Order::capture`], where a PaymentIntent must change too.
//! * [`refund`] and [`dispute`]: money that the shop refunds, or that the customer's bank withdraws from it.
//! * [`anomaly`]: money that does not match an order, and the policies on it.
//! * [`task`]: [`Decision`], [`Task`] and definite failures of requests to Stripe.
//! * [`fact`]: the history of an order.
//! * [`money`], [`timestamp`], [`text`] and [`id`]: the values of all these.
#![cfg_attr(feature = "storefront", doc = "* [`storefront`]: carts, a price list and terms of sale.")]
//!
//! # What may grow
//!
//! A type that is matched or stored in whole is exhaustive on purpose, so that the compiler shows each place where
//! money or data would be lost: decisions, tasks, facts, states, statuses that an order passes through, mismatches,
//! policies, the errors of transitions, and the data of orders. A new variant or field of these is a breaking release.
//! Values that a caller builds, such as [`NewOrder`] and [`IntentSnapshot`], are exhaustive too: with `..` and their
//! constructors a program compiles with further fields.
//!
//! Everything else that may grow is `#[non_exhaustive]`: [`Currency`] and the statuses of disputes, which Stripe adds to;
//! the errors of values, which are texts for a person; and totals, which only this crate calculates.
//!
//! # Errors
//!
//! Messages have no capital letter and no full stop. Where one begins with `must`, the caller puts the name of the field
//! or the text before it; the others are whole sentences.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod variant_names;

pub mod anomaly;
pub mod dispute;
pub mod fact;
pub mod id;
pub mod intent;
pub mod money;
pub mod operation;
pub mod order;
pub mod refund;
#[cfg(feature = "storefront")]
pub mod storefront;
pub mod task;
pub mod text;
pub mod timestamp;

pub use uuid;

pub use fact::Fact;
pub use id::{IntentId, OrderId};
pub use intent::IntentSnapshot;
pub use money::{Currency, Money};
pub use order::{LineItem, NewOrder, Order};
pub use task::{Decision, Task};
pub use timestamp::Timestamp;

// Flat names, until no crate uses them any more.
#[doc(hidden)]
pub use anomaly::{Anomaly, AnomalyDetails, AnomalyKind, Mismatch, NoticeKind, Policies, Policy};
#[doc(hidden)]
pub use dispute::{Dispute, DisputeStatus, DisputeUpdateError};
#[doc(hidden)]
pub use fact::FeedEventType;
#[doc(hidden)]
pub use id::{CustomerId, DisputeId, IdError, OrderNumber, PaymentMethodId, ProviderCustomerId, RefundId};
#[doc(hidden)]
pub use id::{Epoch, InstallationId};
#[doc(hidden)]
pub use intent::SettleError;
#[doc(hidden)]
pub use intent::{CaptureMethod, IntentError, IntentStatus, PaymentIntent, Proceeds, SnapshotSource};
#[doc(hidden)]
pub use intent::{IntentPlan, IntentRequest, RequestIntentError};
#[doc(hidden)]
pub use money::UnknownCurrency;
#[doc(hidden)]
pub use money::{ChargeError, MoneyError};
#[doc(hidden)]
pub use operation::{CancelError, CaptureError, EditError, NotNow, Operation, OperationKind};
#[doc(hidden)]
pub use order::{
    Adjustment, AdjustmentKind, Content, ContentError, LineProblem, Metadata, OrderEdit, Payer, QUANTITY_MAX, Totals,
};
#[doc(hidden)]
pub use order::{Breakdown, Part, ShippingTax};
#[doc(hidden)]
pub use order::{CancelReason, CorruptOrder, OrderData, OrderState, PaymentState};
#[doc(hidden)]
pub use order::{LostOrder, RecreateError};
#[doc(hidden)]
pub use refund::{
    NewRefund, REFUND_ATTEMPTS_MAX, Refund, RefundError, RefundFailure, RefundOrigin, RefundReason, RefundSnapshot,
    RefundStatus, RefundUpdateError,
};
#[doc(hidden)]
#[cfg(feature = "storefront")]
pub use storefront::{
    Address, AddressField, Cart, CartData, CartError, CartId, CartLine, CheckoutEdit, CheckoutError, CheckoutStep,
    CountryCode, CountryProblem, Coupon, CouponCode, Discount, FieldEdit, LineId, PaymentMethodChoice, Percent,
    PercentProblem, PriceProblem, Prices, ShippingRate, TaxRate, Terms, TermsProblem, Variant, VariantId,
    VariantProblem,
};
#[doc(hidden)]
pub use task::{ProviderFailure, ProviderRequest};
#[doc(hidden)]
pub use task::{TaskKey, TaskKind};
#[doc(hidden)]
pub use text::{Email, Text, TextProblem};
#[doc(hidden)]
pub use timestamp::{NotATimestamp, TimestampOutOfRange};
