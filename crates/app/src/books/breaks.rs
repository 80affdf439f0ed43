//! Breaks: what the books and Stripe say differently.

use paywright_domain::books::SignedMoney;
use paywright_domain::{OrderId, Timestamp, variant_names};
use serde::{Deserialize, Serialize};

/// A break: two records of one amount that do not agree, or a movement that cannot be explained. It is stored when it is
/// first seen, and stays when it is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// Name of the break: its class and its object, such as `missing_there:pi_3R8f5yQ9LjHruSyq1ofjdVY5`.
    pub id: String,
    /// Class.
    pub class: BreakClass,
    /// Stripe's id of the object, or the name of a balance, category or day.
    pub object: String,
    /// Order that the object belongs to, if it is one of this installation.
    pub order: Option<OrderId>,
    /// Amount that the orders or the books have; `None` if they have none.
    pub ours: Option<SignedMoney>,
    /// Amount that Stripe has; `None` if it has none.
    pub theirs: Option<SignedMoney>,
    /// Time of the latest movement or fact that it is about; its age counts from here.
    pub since: Timestamp,
    /// Time at which it was first seen.
    pub first_seen: Timestamp,
    /// Time at which it was found to be gone; `None` while it exists.
    pub gone_at: Option<Timestamp>,
    /// How an operator resolved it.
    pub resolution: Option<Resolution>,
}

/// How an operator resolved a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Time of the resolution.
    pub at: Timestamp,
    /// Name of the operator or application.
    pub by: String,
    /// Explanation.
    pub note: String,
}

/// Class of a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakClass {
    /// The facts of an order expect a movement, and Stripe has none after its time of grace.
    MissingThere,
    /// Stripe moved money for an object of an order, and no fact of the order expects it.
    MissingHere,
    /// Both have an amount, and the amounts differ.
    Amount,
    /// A balance transaction contradicts itself: its amount less its fee is not its net amount, or the parts of its fee
    /// do not add up.
    FeeSum,
    /// Both have an amount, in different currencies.
    Currency,
    /// A movement belongs to no order of this installation.
    Link,
    /// Two balance transactions of one category for one object.
    Duplicate,
    /// The balance transactions of a payout do not add up to it.
    PayoutSum,
    /// The books' closing balance is not Stripe's.
    Balance,
    /// A category that this version does not know: its movements are booked under its own name.
    UnknownCategory,
    /// A closed day has another hash than its rows give: the past was changed.
    History,
}

variant_names! {
    /// Name of the class.
    BreakClass {
        MissingThere => "missing_there",
        MissingHere => "missing_here",
        Amount => "amount",
        FeeSum => "fee_sum",
        Currency => "currency",
        Link => "link",
        Duplicate => "duplicate",
        PayoutSum => "payout_sum",
        Balance => "balance",
        UnknownCategory => "unknown_category",
        History => "history",
    }
}

impl Break {
    /// Whether it exists and is not resolved.
    pub const fn is_open(&self) -> bool {
        self.gone_at.is_none() && self.resolution.is_none()
    }
}
