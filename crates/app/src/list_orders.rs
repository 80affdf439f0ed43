use paywright_domain::{Order, OrderId};
use thiserror::Error;

use crate::{Access, App, OrderQuery, StoreError};

/// Page of orders, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// Orders of the page.
    pub orders: Vec<Order>,
    /// Last order of this page, after which the next page begins; `None` on the last page.
    pub next: Option<OrderId>,
}

/// Why orders are not listed.
#[derive(Debug, Error)]
pub enum ListOrdersError {
    /// The caller may list only a customer's own orders, and requested others.
    #[error("this token does not give access to this list")]
    NotAllowed,
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Most orders of one page.
    pub const PAGE_MAX: u16 = 100;

    /// Reads the page that `query` names, of at most [`Self::PAGE_MAX`] orders. A customer's own orders are listed where
    /// `access` is that customer's; the holder of an order's token lists none.
    pub async fn list_orders(&self, query: OrderQuery, access: &Access) -> Result<OrderPage, ListOrdersError> {
        let customer = match access {
            Access::All => query.customer,
            Access::Customer(own) if query.customer.as_ref().is_none_or(|it| it == own) => Some(own.clone()),
            Access::Customer(_) | Access::Order(_) => return Err(ListOrdersError::NotAllowed),
        };
        let limit = query.limit.clamp(1, Self::PAGE_MAX);
        let mut orders = self.store.orders.orders(&OrderQuery { customer, limit: limit + 1, ..query }).await?;
        let more = orders.len() > usize::from(limit);
        orders.truncate(usize::from(limit));
        let next = if more { orders.last().map(|it| it.id) } else { None };
        Ok(OrderPage { orders, next })
    }
}
