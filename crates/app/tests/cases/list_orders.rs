use paywright_app::{Access, App, ListOrdersError, OrderQuery};
use paywright_domain::id::CustomerId;
use paywright_domain::order::LineItem;
use paywright_domain::text::Text;
use paywright_domain::{NewOrder, Order};
use paywright_testkit::{MockGateway, new_order, order_id, usd};

use crate::Shop;

#[tokio::test]
async fn pages_of_orders_are_read_to_the_end() {
    let shop = Shop::with(MockGateway::new()).await;
    for _ in 0..7 {
        shop.placed().await;
    }
    let mut query = OrderQuery::newest(3);
    let mut pages = Vec::new();
    loop {
        let page = shop.app.list_orders(query.clone(), &Access::All).await.unwrap();
        pages.push(page.orders.iter().map(|it| it.id).collect::<Vec<_>>());
        query.older_than = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let ids = |from: u32, to: u32| (from..=to).rev().map(order_id).collect::<Vec<_>>();
    assert_eq!(pages, [ids(5, 7), ids(2, 4), ids(1, 1)]);
}

/// Otherwise a page of 100 large orders would have more than 20 MB.
#[tokio::test]
async fn a_page_of_large_orders_ends_early_and_the_next_one_continues_it() {
    let shop = Shop::with(MockGateway::new()).await;
    let mut line = LineItem::new("x".repeat(250), usd(100), 1).unwrap();
    line.description = Text::new("x".repeat(1000)).unwrap();
    let new = NewOrder { lines: vec![line; Order::LINES_MAX], adjustments: Vec::new(), ..new_order() };
    for _ in 0..30 {
        shop.app.place_order(new.clone(), None).await.unwrap();
    }
    let mut query = OrderQuery::newest(App::PAGE_MAX);
    let mut pages = Vec::new();
    let mut listed = Vec::new();
    loop {
        let page = shop.app.list_orders(query.clone(), &Access::All).await.unwrap();
        pages.push(page.orders.len());
        listed.extend(page.orders.iter().map(|it| it.id));
        query.older_than = page.next;
        if page.next.is_none() {
            break;
        }
    }
    // Each has about 290 kB, and a page at most 4 MiB.
    assert_eq!(pages, [14, 14, 2]);
    assert_eq!(listed, (1..=30).rev().map(order_id).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_customer_lists_own_orders_alone() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    let customer = |it: &str| CustomerId::new(it).unwrap();
    let own = order.customer.clone().unwrap();
    let list = async |of: Option<CustomerId>, access: Access| {
        let query = OrderQuery { customer: of, ..OrderQuery::newest(3) };
        shop.app.list_orders(query, &access).await.map(|it| it.orders.len())
    };
    let access = || Access::Customer(own.clone());
    for (of, access, found) in [
        (None, access(), Some(1)),
        (Some(own.clone()), access(), Some(1)),
        (Some(customer("eve")), access(), None),
        (None, Access::Customer(customer("eve")), Some(0)),
        (Some(own.clone()), Access::All, Some(1)),
        (None, Access::Order(order.id), None),
    ] {
        let listed = list(of, access).await;
        assert!(listed.is_ok() || matches!(listed, Err(ListOrdersError::NotAllowed)));
        assert_eq!(listed.ok(), found);
    }
}
