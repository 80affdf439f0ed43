use paywright_domain::{CustomerId, Order, OrderId};

/// Whose orders a caller may see. To anyone else, an order does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All of them: an application of the shop itself.
    All,
    /// Those of one customer.
    Customer(CustomerId),
    /// This one alone: the holder of its token.
    Order(OrderId),
}

impl Access {
    /// Whether `order` may be seen.
    pub fn permits(&self, order: &Order) -> bool {
        match self {
            Self::All => true,
            Self::Customer(customer) => order.customer.as_ref() == Some(customer),
            Self::Order(id) => order.id == *id,
        }
    }
}
