use paywright_domain::id::CustomerId;
use paywright_domain::{Order, OrderId};

/// Access of a caller to orders. To a caller without access, an order does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All orders: the caller is an application of the shop.
    All,
    /// Orders of one customer.
    Customer(CustomerId),
    /// One order: the caller has its token.
    Order(OrderId),
}

impl Access {
    /// Whether the caller may see `order`.
    pub fn permits(&self, order: &Order) -> bool {
        match self {
            Self::All => true,
            Self::Customer(customer) => order.customer.as_ref() == Some(customer),
            Self::Order(id) => order.id == *id,
        }
    }
}
