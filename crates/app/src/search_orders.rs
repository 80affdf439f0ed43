use paywright_domain::Order;

use crate::{App, OrderRef, OrderSearch, StoreError};

/// Page of the orders that a filter admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOrders {
    /// Orders of the page.
    pub orders: Vec<Order>,
    /// Number of all orders that the filter admits.
    pub total: u64,
}

impl App {
    /// Most orders on a page of [`Self::search_orders`].
    pub const SEARCH_PAGE_MAX: u16 = 500;

    /// Reads a page of the orders that a filter admits, for an application of the shop.
    pub async fn search_orders(&self, search: OrderSearch) -> Result<FoundOrders, StoreError> {
        if let Some(number) = search.filter.number.clone() {
            let found = self.store.orders.order(&OrderRef::Number(number)).await?.map(|it| it.value);
            let orders: Vec<Order> = found.into_iter().filter(|it| search.filter.admits(it)).collect();
            let total = u64::from(!orders.is_empty());
            return Ok(FoundOrders { orders: if search.offset == 0 { orders } else { Vec::new() }, total });
        }
        let search = OrderSearch { limit: search.limit.clamp(1, Self::SEARCH_PAGE_MAX), ..search };
        let orders = self.store.orders.search_orders(&search).await?;
        // A page that is not full is the last one, unless it is beyond the last one.
        let is_last = orders.len() < usize::from(search.limit) && (search.offset == 0 || !orders.is_empty());
        let total = match u64::try_from(orders.len()) {
            Ok(count) if is_last => search.offset + count,
            Ok(_) | Err(_) => self.store.orders.count_orders(&search.filter).await?,
        };
        Ok(FoundOrders { orders, total })
    }
}
