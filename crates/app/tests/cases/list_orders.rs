use paywright_app::OrderQuery;
use paywright_testkit::{MockGateway, order_id};

use crate::Shop;

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let shop = Shop::with(MockGateway::new()).await;
    for _ in 0..7 {
        shop.placed().await;
    }
    let mut query = OrderQuery { customer: None, older_than: None, limit: 3 };
    let mut pages = Vec::new();
    loop {
        let page = shop.app.list_orders(query.clone()).await.unwrap();
        pages.push(page.orders.iter().map(|it| it.id).collect::<Vec<_>>());
        query.older_than = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let ids = |from: u32, to: u32| (from..=to).rev().map(order_id).collect::<Vec<_>>();
    assert_eq!(pages, [ids(5, 7), ids(2, 4), ids(1, 1)]);
}
