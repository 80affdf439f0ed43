use paywright_app::{Access, CancelOrderError, EditOrderError, OrderRef};
use paywright_domain::{CancelError, CancelReason, CustomerId, EditError};
use paywright_testkit::{MockGateway, at, edit_of_lines, issuing_gateway, usd};

use crate::{NOW, Shop};

#[tokio::test]
async fn an_order_that_nobody_can_be_paying_is_edited_and_canceled() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    let which = OrderRef::Number(order.number.clone());
    let edited = shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap();
    assert_eq!((edited.total, edited.revision), (usd(700), 2));
    // The same edit again is no news.
    let again = shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap();
    assert_eq!(again, edited);
    for _ in 0..2 {
        let canceled = shop.app.cancel_order(&which, &Access::All, CancelReason::Abandoned).await.unwrap();
        assert_eq!(canceled.state.name(), "canceled");
    }
    assert_eq!(shop.facts(&order).await, ["order.placed", "order.edited", "order.canceled"]);
}

#[tokio::test]
async fn an_order_with_an_intent_is_neither_edited_nor_canceled() {
    let shop = Shop::with(issuing_gateway(at(NOW))).await;
    let order = shop.placed().await;
    let which = OrderRef::Id(order.id);
    let before = shop.app.create_payment_intent(&which, &Access::All).await.unwrap().order;
    let edit = shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await;
    assert!(matches!(edit, Err(EditOrderError::Refused(EditError::HasIntent))), "{edit:?}");
    let cancel = shop.app.cancel_order(&which, &Access::All, CancelReason::Abandoned).await;
    assert!(matches!(cancel, Err(CancelOrderError::Refused(CancelError::HasIntent))), "{cancel:?}");
    assert_eq!(shop.order(&order).await, before);
}

#[tokio::test]
async fn a_stranger_changes_nothing() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    let (which, eve) = (OrderRef::Id(order.id), Access::Customer(CustomerId::new("cus-eve").unwrap()));
    let edit = shop.app.edit_order(&which, &eve, edit_of_lines(700)).await;
    assert!(matches!(edit, Err(EditOrderError::NotFound)), "{edit:?}");
    let cancel = shop.app.cancel_order(&which, &eve, CancelReason::Abandoned).await;
    assert!(matches!(cancel, Err(CancelOrderError::NotFound)), "{cancel:?}");
    assert_eq!(shop.order(&order).await, order);
}
