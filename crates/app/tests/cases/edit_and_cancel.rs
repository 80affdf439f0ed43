use paywright_app::{Access, CancelOrderError, Changed, EditOrderError, GetOrderError, OrderRef};
use paywright_domain::id::CustomerId;
use paywright_domain::intent::IntentStatus;
use paywright_domain::operation::{CancelError, EditError, NotNow};
use paywright_domain::order::CancelReason;
use paywright_testkit::{MockGateway, Trouble, edit_of_lines, usd};

use crate::{PROVIDER_TIMEOUT_SECONDS, Shop};

#[tokio::test]
async fn an_order_without_a_payable_intent_is_edited_and_canceled_at_once() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    let which = OrderRef::Number(order.number.clone());
    let edited = shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap();
    assert_eq!((edited.order().total, edited.order().revision), (usd(700), 2));
    // The same edit again changes nothing.
    let again = shop.app.edit_order(&which, &Access::All, edit_of_lines(700)).await.unwrap();
    assert_eq!(again, edited);
    for _ in 0..2 {
        let canceled = shop.app.cancel_order(&which, &Access::All, CancelReason::Abandoned).await.unwrap();
        assert_eq!(canceled.order().state.name(), "canceled");
    }
    assert_eq!(shop.facts(&order).await, ["order.placed", "order.edited", "order.canceled"]);
}

fn new_amount() -> paywright_domain::order::OrderEdit {
    edit_of_lines(700)
}

#[tokio::test]
async fn an_edit_under_a_payable_intent_changes_both_or_neither() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    let which = OrderRef::Id(order.id);
    let edited = shop.app.edit_order(&which, &Access::All, new_amount()).await.unwrap();
    assert!(matches!(&edited, Changed::Done(it) if it.total == usd(700) && it.revision == 2), "{edited:?}");
    let at_stripe = shop.provider().intent_now(&intent);
    assert_eq!((at_stripe.amount, at_stripe.revision), (usd(700), Some(2)));
    assert_eq!(shop.provider().calls().len(), 2, "one intent, updated in place");
    let facts = shop.facts(&order).await;
    assert_eq!(facts.get(3..), Some(["operation.requested", "order.edited"].as_slice()));
    assert_eq!(shop.tasks(&order).await, [format!("poll_intent:{intent}")]);
}

/// Pain 8, through all layers: the customer pays while the edit is sent to Stripe.
#[tokio::test]
async fn an_order_is_paid_whichever_amount_a_customer_pays_during_an_edit() {
    for (trouble, total, reported) in [
        // Paid before the edit reached Stripe: the edit is refused, and the old order is paid.
        (Trouble::LostBefore, None, "operation.dropped"),
        // Paid after the edit reached Stripe, whose answer was lost: the new order is paid.
        (Trouble::LostAfter, Some(usd(700)), "order.edited"),
    ] {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        shop.provider().will([trouble]);
        let edited = shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, new_amount()).await.unwrap();
        assert!(matches!(edited, Changed::UnderWay(_)), "{edited:?}");
        shop.provider().pay(&intent);
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let after = shop.order(&order).await;
        assert_eq!((after.state.name(), after.anomalies.len()), ("paid", 0), "{trouble:?}");
        assert_eq!(after.total, total.unwrap_or(order.total), "{trouble:?}");
        assert!(shop.facts(&order).await.contains(&reported), "{trouble:?}");
        assert_eq!(shop.tasks(&order).await, Vec::<String>::new(), "no task is left");
    }
}

#[tokio::test]
async fn an_edit_that_stripe_refuses_leaves_the_order_as_it_was() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    // The bank is processing the payment, and the store does not know that yet.
    shop.provider().change(&intent, |it| it.status = IntentStatus::Processing);
    let edit = shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, new_amount()).await;
    let in_progress = EditError::NotNow(NotNow::PaymentInProgress);
    assert!(matches!(edit, Err(EditOrderError::Refused(error)) if error == in_progress), "{edit:?}");
    let after = shop.order(&order).await;
    assert_eq!((after.total, &after.operation, after.payment_state().name()), (order.total, &None, "processing"));
}

#[tokio::test]
async fn an_edit_is_completed_after_each_fault() {
    for trouble in Trouble::PASSING {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        shop.provider().will([trouble]);
        shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, new_amount()).await.unwrap();
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let after = shop.order(&order).await;
        assert_eq!((after.total, after.revision, &after.operation), (usd(700), 2, &None), "{trouble:?}");
        assert_eq!(shop.provider().intent_now(&intent).amount, usd(700), "{trouble:?}");
    }
}

/// Pain 19: at Stripe first, so that no customer pays a canceled order.
#[tokio::test]
async fn an_order_is_canceled_at_stripe_first() {
    for trouble in Trouble::none_and_each_passing() {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        shop.provider().will(trouble);
        let requested = shop.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await;
        let is_gone = shop.provider().intent_now(&intent).status == IntentStatus::Canceled;
        let canceled = requested.unwrap().order().state.name() == "canceled";
        assert!(is_gone || !canceled, "{trouble:?}");
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        assert_eq!(shop.order(&order).await.state.name(), "canceled", "{trouble:?}");
        assert_eq!(shop.provider().intent_now(&intent).status, IntentStatus::Canceled, "{trouble:?}");
        assert_eq!(shop.tasks(&order).await, Vec::<String>::new(), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_paid_order_is_not_canceled_whenever_the_payment_becomes_known() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    let cancel = shop.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await;
    assert!(matches!(cancel, Err(CancelOrderError::Refused(CancelError::Paid))), "{cancel:?}");
    let after = shop.order(&order).await;
    assert_eq!((after.state.name(), after.anomalies.len(), after.refunds.len()), ("paid", 0, 0));
}

#[tokio::test]
async fn an_order_whose_intent_is_in_doubt_is_changed_after_the_intent_is_found() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter] {
        let shop = Shop::open().await;
        let order = shop.placed().await;
        let which = OrderRef::Id(order.id);
        shop.provider().will([trouble]);
        shop.app.create_payment_intent(&which, &Access::All).await.unwrap_err();
        let edited = shop.app.edit_order(&which, &Access::All, new_amount()).await.unwrap();
        assert_eq!(edited.order().total, usd(700), "{trouble:?}");
        let canceled = shop.app.cancel_order(&which, &Access::All, CancelReason::Abandoned).await.unwrap();
        assert_eq!(canceled.order().state.name(), "canceled", "{trouble:?}");
    }
}

#[tokio::test]
async fn another_customer_changes_nothing() {
    let shop = Shop::with(MockGateway::new()).await;
    let order = shop.placed().await;
    let (which, eve) = (OrderRef::Id(order.id), Access::Customer(CustomerId::new("cus-eve").unwrap()));
    let edit = shop.app.edit_order(&which, &eve, edit_of_lines(700)).await;
    assert!(matches!(edit, Err(EditOrderError::Order(GetOrderError::NotFound))), "{edit:?}");
    let cancel = shop.app.cancel_order(&which, &eve, CancelReason::Abandoned).await;
    assert!(matches!(cancel, Err(CancelOrderError::Order(GetOrderError::NotFound))), "{cancel:?}");
    assert_eq!(shop.order(&order).await, order);
}

#[tokio::test]
async fn an_edit_is_completed_without_an_email_that_stripe_refuses() {
    for trouble in Trouble::none_and_each_passing() {
        let shop = Shop::open().await;
        let (order, intent) = shop.payable().await;
        shop.provider().refuses_emails();
        shop.provider().will(trouble);
        let email = Some(Some(paywright_domain::text::Email::new("bob@example.com").unwrap()));
        let edit = paywright_domain::order::OrderEdit { email, ..new_amount() };
        let edited = shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, edit.clone()).await.unwrap();
        assert_eq!(matches!(edited, Changed::Done(_)), trouble.is_none(), "{trouble:?}");
        shop.after(PROVIDER_TIMEOUT_SECONDS).await;
        let after = shop.order(&order).await;
        assert_eq!((after.total, &after.operation), (usd(700), &None), "{trouble:?}");
        assert_eq!(after.email.as_ref().map(paywright_domain::text::Email::as_str), Some("bob@example.com"));
        let reported: Vec<_> = after.anomalies.iter().map(|it| (it.kind.name(), it.reason.as_deref())).collect();
        assert_eq!(reported, [("receipt_email_refused", Some("bob@example.com"))], "{trouble:?}");
        assert_eq!(shop.provider().intent_now(&intent).amount, usd(700), "{trouble:?}");
        // The next edit leaves the address out.
        let more = paywright_testkit::edit_of_lines(900);
        assert!(shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, more).await.is_ok());
        let after = shop.order(&order).await;
        assert_eq!((after.total, after.anomalies.len()), (usd(900), 1), "{trouble:?}");
    }
}
