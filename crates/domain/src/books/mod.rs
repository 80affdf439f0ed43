//! Double-entry books of the money of orders: of what the orders expect, and of what moved the balance at Stripe.
//!
//! A [`BalanceTransaction`] is a movement of the shop's balance at Stripe, and nothing else moves it.
//! [`Entry::of_balance_transaction`] books one, [`Entry::of_payment`], [`Entry::of_refund`] and [`Entry::of_dispute`]
//! book what the facts of an order expect. Both meet in an [`Account::Clearing`] of the PaymentIntent, refund or dispute:
//! its balance is zero once Stripe has moved what the order expects, and is otherwise a break.
//!
//! ```
//! use paywright_domain::books::{Account, BalanceTransaction, BalanceType, Entry, ReportingCategory, SignedMoney, Source};
//! use paywright_domain::{Currency, IntentId, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let usd = |minor| SignedMoney::new(minor, Currency::Usd);
//! let created = Timestamp::from_unix_seconds(1_743_415_050)?;
//! let intent = IntentId::new("pi_3R8f5yQ9LjHruSyq1ofjdVY5")?;
//! let charge = BalanceTransaction::new("txn_1".parse()?, created, ReportingCategory::Charge, usd(12_450), usd(391))
//!     .with_source(Source::Payment { intent: intent.clone() });
//! let entry = Entry::of_balance_transaction(&charge)?;
//! assert_eq!(entry.sum_of(&Account::Balance(BalanceType::Payments), Currency::Usd), usd(12_059));
//! assert_eq!(entry.sum_of(&Account::Clearing(Source::Payment { intent }), Currency::Usd), usd(-12_450));
//! # Ok(())
//! # }
//! ```

mod account;
mod amount;
mod balance_transaction;
mod booking;
mod category;
mod day;
mod entry;
mod expected;
mod of_order;
mod payout;
mod split;
#[cfg(test)]
mod tests;

pub use self::account::{Account, FeeKind, SalesPart, TaxName};
pub use self::amount::SignedMoney;
pub use self::balance_transaction::{BalanceTransaction, BalanceType, Fee, RowError, Source};
pub use self::category::{OtherCategory, ReportingCategory};
pub use self::day::{Day, DayError};
pub use self::entry::{Entry, EntryError, Posting};
pub use self::of_order::{Expected, expected_by};
pub use self::payout::{Payout, PayoutStatus, Reconciliation};
