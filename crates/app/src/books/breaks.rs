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
    /// Time of the latest movement or fact that it is about, or of the first reading in which a balance differed; its age
    /// counts from here.
    pub since: Timestamp,
    /// Time at which it was first seen.
    pub first_seen: Timestamp,
    /// Time at which it was found to be gone; `None` while it exists.
    pub gone_at: Option<Timestamp>,
    /// Resolution by an operator.
    pub resolution: Option<Resolution>,
}

/// Resolution of a break by an operator or an application.
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
    /// Two balance transactions of one category for one object, and none that returns the first.
    Duplicate,
    /// The balance transactions of a payout do not add up to it.
    PayoutSum,
    /// The books' closing balance is not Stripe's.
    Balance,
    /// A category that this version does not know: its movements are booked under its own name.
    UnknownCategory,
    /// A balance transaction or payout has a value that the books cannot hold: it is not booked.
    Unreadable,
    /// The statement of a closed day no longer gives its stored hash: what is stored was changed afterwards.
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
        Unreadable => "unreadable",
        History => "history",
    }
}

impl BreakClass {
    /// Whether each comparison finds the breaks of this class again, so that one that it does not find is gone. Breaks of
    /// the past are found by [`Bookkeeper::reconcile`](super::Bookkeeper::reconcile) alone, and an unreadable object is
    /// read again by each process once. The others are about one record, and stay until they are resolved.
    pub const fn is_compared(self) -> bool {
        match self {
            Self::MissingThere
            | Self::MissingHere
            | Self::Amount
            | Self::Currency
            | Self::Link
            | Self::Duplicate
            | Self::PayoutSum
            | Self::Balance => true,
            Self::FeeSum | Self::UnknownCategory | Self::Unreadable | Self::History => false,
        }
    }

    /// Next step of a person about a break of this class.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::MissingThere => {
                "run `paywright explain` for the order, and look at the payment in Stripe's Dashboard"
            }
            Self::MissingHere => "run `paywright explain` for the order, and look at the object in Stripe's Dashboard",
            Self::Amount => "compare the object in Stripe's Dashboard with `paywright explain` for the order",
            Self::FeeSum => "compare the balance transaction in Stripe's Dashboard, and ask Stripe's support",
            Self::Currency => "compare the currency of the object in Stripe's Dashboard with the order's",
            Self::Link => {
                "if another program uses the Stripe account, set `books.shared_account`; else look at the payment in Stripe's Dashboard"
            }
            Self::Duplicate => {
                "look at the balance transactions of the object in Stripe's Dashboard, and ask Stripe's support"
            }
            Self::PayoutSum => {
                "run `paywright books payout` for it, and compare it with the payout in Stripe's Dashboard"
            }
            Self::Balance => {
                "run `paywright books reconcile --since DAY` for a day before it began, which reads again what Stripe lists since; if it stays, compare Stripe's report \"Balance change from activity\" with `paywright books statement` day by day"
            }
            Self::UnknownCategory => {
                "read what Stripe's documentation says of the category, and choose an account for it in `books.accounts`"
            }
            Self::Unreadable => {
                "the log names the value; update Paywright: it is booked by the first version that can read it"
            }
            Self::History => {
                "compare the rows and the statement of the day with a backup of the database: they were changed after the day was closed"
            }
        }
    }
}

impl Break {
    /// Break of an object, without amounts.
    pub(super) fn new(class: BreakClass, object: &str, since: Timestamp, now: Timestamp) -> Self {
        Self {
            id: format!("{}:{object}", class.name()),
            class,
            object: object.to_owned(),
            order: None,
            ours: None,
            theirs: None,
            since,
            first_seen: now,
            gone_at: None,
            resolution: None,
        }
    }

    /// This break, found after it was stored as `known`: it keeps the time at which it was first seen, unless it was gone,
    /// and its resolution, unless its amounts have changed.
    pub(super) fn after(&self, known: &Self) -> Self {
        let is_same = (known.ours, known.theirs, known.gone_at) == (self.ours, self.theirs, None);
        // A balance differs since the first reading that differed.
        let is_older = self.class == BreakClass::Balance && known.gone_at.is_none();
        Self {
            since: if is_older { known.since.min(self.since) } else { self.since },
            first_seen: if known.gone_at.is_none() { known.first_seen } else { self.first_seen },
            resolution: known.resolution.clone().filter(|_| is_same),
            ..self.clone()
        }
    }

    /// Amount that Stripe has less the one that the orders or the books have. `None` if the currencies differ.
    pub fn difference(&self) -> Option<SignedMoney> {
        match (self.ours, self.theirs) {
            (Some(ours), Some(theirs)) => theirs.minus(ours).ok(),
            (None, Some(theirs)) => Some(theirs),
            (Some(ours), None) => ours.negated().ok(),
            (None, None) => None,
        }
    }

    /// Whether it exists and is not resolved.
    pub const fn is_open(&self) -> bool {
        self.gone_at.is_none() && self.resolution.is_none()
    }
}
