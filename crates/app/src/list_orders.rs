use paywright_domain::{Order, OrderId};
use thiserror::Error;

use crate::{Access, App, OrderQuery, StoreError};

/// Largest size of the orders of one page, in bytes of their JSON, roughly. A page has at least one order.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Largest number of orders that are read at once: a page that ends early has read few orders without need.
const STEP: u16 = 25;

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

    /// Reads the page that `query` names, of at most [`Self::PAGE_MAX`] orders. It ends early where its JSON would exceed
    /// about 4 MiB. A customer's own orders are listed where
    /// `access` is that customer's; the holder of an order's token lists none.
    pub async fn list_orders(&self, query: OrderQuery, access: &Access) -> Result<OrderPage, ListOrdersError> {
        let customer = match access {
            Access::All => query.customer,
            Access::Customer(own) if query.customer.as_ref().is_none_or(|it| it == own) => Some(own.clone()),
            Access::Customer(_) | Access::Order(_) => return Err(ListOrdersError::NotAllowed),
        };
        let limit = query.limit.clamp(1, Self::PAGE_MAX);
        let (mut page, mut bytes) = (OrderPage { orders: Vec::new(), next: None }, 0);
        let mut left = OrderQuery { customer, ..query };
        loop {
            let missing = usize::from(limit) - page.orders.len();
            // One more order shows whether there is another page.
            left.limit = u16::try_from(missing + 1).unwrap_or(STEP).min(STEP);
            let read = self.store.orders.orders(&left).await?;
            let is_last = read.len() < usize::from(left.limit);
            for order in read {
                bytes += bytes_of(&order);
                if page.orders.len() == usize::from(limit) || bytes > PAGE_BYTES_MAX && !page.orders.is_empty() {
                    page.next = page.orders.last().map(|it| it.id);
                    return Ok(page);
                }
                left.older_than = Some(order.id);
                page.orders.push(order);
            }
            if is_last {
                return Ok(page);
            }
        }
    }
}

/// Number of bytes that an order's JSON has, roughly: that of its texts, and those of its fields.
fn bytes_of(order: &Order) -> usize {
    const FIELDS_OF_ORDER: usize = 1024;
    const FIELDS_OF_PART: usize = 200;
    let parts = order.lines.len()
        + order.adjustments.len()
        + order.metadata.len()
        + order.refunds.len()
        + order.anomalies.len()
        + order.disputes.len();
    let of_lines = order.lines.iter().map(|it| {
        let sku = it.sku.as_ref().map_or(0, |it| it.as_str().len());
        it.name.as_str().len() + it.description.as_str().len() + sku
    });
    let of_adjustments = order.adjustments.iter().map(|it| it.label.as_str().len());
    let of_metadata = order.metadata.iter().map(|(key, value)| key.as_str().len() + value.as_str().len());
    let texts: usize = of_lines.chain(of_adjustments).chain(of_metadata).sum();
    FIELDS_OF_ORDER + FIELDS_OF_PART * parts + texts
}
