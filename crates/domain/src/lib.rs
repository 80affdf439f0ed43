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
//! * [`books`]: double entry of what orders expect and of what moved the balance at Stripe.
//! * [`task`]: [`Decision`], [`Task`] and definite failures of requests to Stripe.
//! * [`fact`]: the history of an order.
//! * [`money`], [`country`], [`timestamp`], [`text`] and [`id`]: the values of all these.
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
pub mod books;
pub mod country;
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
