//! Lists of all orders by filters, with the states by which accounting and fulfilment look for orders.

use paywright_domain::id::OrderNumber;
use paywright_domain::order::OrderState;
use paywright_domain::{Order, Timestamp, variant_names};

/// Completion of an order. Derived from the order, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Completion {
    /// Placed, and neither complete nor canceled.
    Open,
    /// Paid, or its payment is processing, as [`Order::is_complete`] defines it.
    Complete,
    /// Canceled.
    Canceled,
}

variant_names! {
    /// Name of the completion in statements.
    Completion {
        Open => "open",
        Complete => "complete",
        Canceled => "canceled",
    }
}

impl Completion {
    /// Completion of `order`.
    pub fn of(order: &Order) -> Self {
        match order.state {
            OrderState::Canceled { .. } => Self::Canceled,
            OrderState::Open | OrderState::Paid { .. } if order.is_complete() => Self::Complete,
            OrderState::Open | OrderState::Paid { .. } => Self::Open,
        }
    }

    /// Time at which `order` was completed: that of its payment, or while the payment is processing, that at which the
    /// order was placed.
    pub fn completed_at(order: &Order) -> Option<Timestamp> {
        match order.state {
            OrderState::Paid { at, .. } => order.is_paid().then_some(at),
            OrderState::Open => order.awaits_money().then_some(order.placed_at),
            OrderState::Canceled { .. } => None,
        }
    }
}

/// Balance of an order: the received money that is not refunded, compared with the amount due ([`Order::amount_due`]).
/// Derived from the order, never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Balance {
    /// Less than the amount due was received and not refunded.
    Due,
    /// The amount due was received and not refunded.
    Paid,
    /// More than the amount due was received and not refunded.
    CreditOwed,
    /// The order is canceled.
    Void,
}

variant_names! {
    /// Name of the balance in statements.
    Balance {
        Due => "balance_due",
        Paid => "paid",
        CreditOwed => "credit_owed",
        Void => "void",
    }
}

impl Balance {
    /// Balance of `order`.
    pub fn of(order: &Order) -> Self {
        match &order.state {
            OrderState::Canceled { .. } => Self::Void,
            OrderState::Paid { by, .. } if order.is_paid() => {
                let left = order.left_of(by);
                match left.minus(order.amount_due()) {
                    Err(_) => Self::Due,
                    Ok(over) if over.is_zero() => Self::Paid,
                    Ok(_) => Self::CreditOwed,
                }
            }
            OrderState::Open | OrderState::Paid { .. } => Self::Due,
        }
    }
}

/// Times from one on until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// First time of the range; `None` if it has no start.
    pub from: Option<Timestamp>,
    /// First time after the range; `None` if it has no end.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// Whether `at` is in the range.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether the range has neither start nor end.
    pub const fn is_unbounded(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Whether a time that may be missing is in the range: a missing one is in an unbounded range only.
    pub fn contains_optional(&self, at: Option<Timestamp>) -> bool {
        at.map_or(self.is_unbounded(), |at| self.contains(at))
    }
}

/// Conditions on orders, all of which must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Number of the order.
    pub number: Option<OrderNumber>,
    /// Email address of the order, as it is stored.
    pub email: Option<String>,
    /// Completion of the order.
    pub completion: Option<Completion>,
    /// Balance of the order.
    pub balance: Option<Balance>,
    /// Times at which the order may have been placed.
    pub placed: TimeRange,
    /// Times of its last change.
    pub updated: TimeRange,
    /// Times at which it may have been completed, as [`Completion::completed_at`] defines it.
    pub completed: TimeRange,
    /// Whether the order must have a PaymentIntent.
    pub has_intent: bool,
}

impl OrderFilter {
    /// Whether `order` fulfils every condition.
    pub fn admits(&self, order: &Order) -> bool {
        self.number.as_ref().is_none_or(|it| *it == order.number)
            && self.email.as_ref().is_none_or(|it| order.email.as_ref().is_some_and(|own| own.as_str() == it))
            && self.completion.is_none_or(|it| it == Completion::of(order))
            && self.balance.is_none_or(|it| it == Balance::of(order))
            && self.placed.contains(order.placed_at)
            && self.updated.contains(order.updated_at)
            && self.completed.contains_optional(Completion::completed_at(order))
            && (!self.has_intent || !order.intents.is_empty())
    }
}

/// Order of a list. Each has an index, and ends with the order's id, so that no two orders have the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderSort {
    /// Oldest id first: as the orders, or their carts, were begun.
    Id,
    /// Newest id first.
    IdDescending,
    /// Lowest number first.
    Number,
    /// Highest number first.
    NumberDescending,
    /// Longest unchanged first.
    UpdatedAt,
    /// Last changed first.
    UpdatedAtDescending,
}

/// Query for a page of the orders that a filter admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSearch {
    /// Conditions on the orders.
    pub filter: OrderFilter,
    /// Order of the list.
    pub sort: OrderSort,
    /// Number of orders before the page.
    pub offset: u64,
    /// Most orders on the page.
    pub limit: u16,
}
