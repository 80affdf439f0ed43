use paywright_domain::{Order, OrderId};

use crate::{App, OrderQuery, StoreError};

/// A page of orders, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<Order>,
    /// Where the next page begins, if there may be one.
    pub next: Option<OrderId>,
}

impl App {
    /// The most orders of one page.
    pub const PAGE_MAX: u16 = 100;

    /// Reads the page that `query` asks for, of [`Self::PAGE_MAX`] orders at most.
    pub async fn list_orders(&self, query: OrderQuery) -> Result<OrderPage, StoreError> {
        let limit = query.limit.clamp(1, Self::PAGE_MAX);
        let mut orders = self.store.orders(&OrderQuery { limit: limit + 1, ..query }).await?;
        let more = orders.len() > usize::from(limit);
        orders.truncate(usize::from(limit));
        let next = if more { orders.last().map(|it| it.id) } else { None };
        Ok(OrderPage { orders, next })
    }
}
