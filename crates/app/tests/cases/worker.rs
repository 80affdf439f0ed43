use std::sync::{Arc, Mutex};

use paywright_app::{Access, Changed, CreatePaymentIntentError, GatewayError, OrderRef, Settings, WorkId};
use paywright_domain::intent::{IntentError, IntentStatus};
use paywright_domain::order::CancelReason;
use paywright_domain::task::TaskKey;
use paywright_testkit::{MockGateway, Trouble, at, edit_of_lines};

use crate::{NOW, PROVIDER_TIMEOUT_SECONDS, Shop};

const DAY: u32 = 86_400;

#[tokio::test]
async fn a_requested_intent_is_created_by_another_process() {
    for trouble in [Trouble::LostBefore, Trouble::LostAfter, Trouble::Busy] {
        for pause in [PROVIDER_TIMEOUT_SECONDS, 2 * DAY] {
            let shop = Shop::open().await;
            let order = shop.placed().await;
            shop.provider().will([trouble]);
            shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap_err();
            shop.another().after(pause).await;
            let after = shop.order(&order).await;
            assert_eq!((after.intents.len(), after.requested), (1, None), "{trouble:?} {pause}");
            assert_eq!(shop.provider().made_now(), 1, "{trouble:?} {pause}");
        }
    }
}

#[tokio::test]
async fn calls_to_stripe_carry_the_id_of_the_task() {
    let seen = Arc::<Mutex<Vec<Option<WorkId>>>>::default();
    let mut gateway = MockGateway::new();
    let recorded = Arc::clone(&seen);
    gateway.expect_create_intent().returning(move |_, _| {
        recorded.lock().unwrap().push(WorkId::current());
        Err(GatewayError::Busy("429".into()))
    });
    let shop = Shop::with(gateway).await;
    let order = shop.placed().await;
    let which = OrderRef::Id(order.id);
    let by_request = shop.app.create_payment_intent(&which, &Access::All);
    WorkId::Request("a".into()).scope(by_request).await.unwrap_err();
    shop.app.run_due_tasks(at(NOW).plus_seconds(PROVIDER_TIMEOUT_SECONDS)).await.unwrap();
    let key = TaskKey::stored("create_intent:1:1".into());
    let expected = [WorkId::Request("a".into()), WorkId::Task { order: order.id, key }];
    assert_eq!(*seen.lock().unwrap(), expected.map(Some));
}

/// Stripe repeats a saved failure for a day: its list shows whether the intent was created, and no caller has to wait.
#[tokio::test]
async fn an_intent_is_created_under_another_key_when_stripe_repeats_a_saved_failure() {
    for trouble in [Trouble::FailsBefore, Trouble::FailsAfter] {
        let shop = Shop::open().await;
        let order = shop.placed().await;
        shop.provider().will([trouble]);
        let made = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
        assert_eq!((made.order.intents.len(), shop.provider().made_now()), (1, 1), "{trouble:?}");
    }
}

/// Without any webhook, every order still ends as it should (I4, I6).
#[tokio::test]
async fn a_payment_becomes_known_without_any_webhook() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.after(600).await;
    assert_eq!(shop.order(&order).await.payment_state().name(), "unpaid");
    shop.provider().pay(&intent);
    shop.after(3600).await;
    assert_eq!(shop.order(&order).await.state.name(), "paid");
    assert_eq!(shop.tasks(&order).await, Vec::<String>::new(), "no task is left");
}

/// A clock that ran two days ahead for a moment delays nothing by two days, also after a restart.
#[tokio::test]
async fn a_task_that_is_due_later_than_possible_is_performed() {
    let settings = Settings { expire_after_seconds: Some(365 * DAY), ..Settings::default() };
    for restarted in [false, true] {
        let shop = Shop::open_with(settings).await;
        shop.after(0).await;
        shop.clock.advance_seconds(2 * DAY);
        let (order, _) = shop.payable().await;
        shop.clock.set_back_seconds(2 * DAY);
        let (shop, wait) = if restarted { (shop.another(), 0) } else { (shop, 300) };
        shop.after(wait).await;
        let poll = shop.store.tasks.tasks(order.id).await.unwrap().remove(0);
        assert!(poll.task.key().as_str().starts_with("poll_intent:"), "{poll:?}");
        let now = paywright_app::Clock::now(&*shop.clock);
        assert!((now..now.plus_seconds(300)).contains(&poll.due_at), "restarted: {restarted}, {poll:?}");
        assert_eq!(poll.taken, 1, "it was performed");
    }
}

/// An order that may be paid for a year is not canceled before.
#[tokio::test]
async fn an_expiry_after_a_year_is_not_rescheduled() {
    let shop = Shop::open_with(Settings { expire_after_seconds: Some(365 * DAY), ..Settings::default() }).await;
    let order = shop.placed().await;
    for _ in 0..3 {
        shop.after(DAY).await;
    }
    assert_eq!(shop.order(&order).await.state.name(), "open");
    assert_eq!(shop.tasks(&order).await, ["expire_order"]);
}

#[tokio::test]
async fn an_open_intent_is_polled_less_and_less_often() {
    let shop = Shop::open().await;
    let (order, _) = shop.payable().await;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let task = shop.store.tasks.tasks(order.id).await.unwrap().remove(0);
        let now = paywright_app::Clock::now(&*shop.clock);
        let wait = u32::try_from(task.due_at.unix_seconds() - now.unix_seconds()).unwrap();
        waits.push(wait);
        shop.after(wait).await;
    }
    assert_eq!(waits, [30, 60, 120, 300, 600, 1800]);
}

#[tokio::test]
async fn an_unpaid_order_is_canceled_at_stripe_before_it_expires() {
    let shop = Shop::open_with(Settings { expire_after_seconds: Some(DAY), ..Settings::default() }).await;
    let (order, intent) = shop.payable().await;
    let plain = shop.placed().await;
    let paid = shop.paid().await;
    shop.after(DAY - 60).await;
    assert_eq!(shop.order(&order).await.state.name(), "open");
    shop.after(60).await;
    for order in [&order, &plain] {
        let after = shop.order(order).await;
        assert_eq!(after.state.name(), "canceled");
        assert_eq!(shop.tasks(order).await, Vec::<String>::new());
    }
    assert_eq!(shop.provider().intent_now(&intent).status, IntentStatus::Canceled);
    assert_eq!(shop.order(&paid).await.state.name(), "paid");
}

/// Pain 19: it was paid at the last moment, and no event has reported it yet.
#[tokio::test]
async fn an_order_that_was_paid_at_the_last_moment_does_not_expire() {
    let shop = Shop::open_with(Settings { expire_after_seconds: Some(DAY), ..Settings::default() }).await;
    let (order, intent) = shop.payable().await;
    shop.after(DAY - 1).await;
    shop.provider().pay(&intent);
    shop.after(1).await;
    let after = shop.order(&order).await;
    assert_eq!((after.state.name(), after.anomalies.len(), after.refunds.len()), ("paid", 0, 0));
    let held = Shop::open_with(Settings { expire_after_seconds: Some(DAY), ..Settings::default() }).await;
    held.provider().holds_money();
    let (order, intent) = held.payable().await;
    held.provider().pay(&intent);
    held.after(DAY).await;
    assert_eq!(
        held.order(&order).await.payment_state().name(),
        "authorized",
        "the shop decides on an authorized payment"
    );
}

/// Pain 22: the lease of a dead process ends, and another process performs the task.
#[tokio::test]
async fn a_task_of_a_dead_owner_is_leased_by_another_after_the_lease() {
    let shop = Shop::open().await;
    let order = shop.placed().await;
    shop.provider().will([Trouble::LostBefore]);
    shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap_err();
    shop.clock.advance_seconds(PROVIDER_TIMEOUT_SECONDS);
    let now = paywright_app::Clock::now(&*shop.clock);
    let dead = paywright_app::Lease {
        owner: uuid::Uuid::max(),
        now,
        until: now.plus_seconds(2 * PROVIDER_TIMEOUT_SECONDS),
        limit: 10,
    };
    assert_eq!(shop.store.tasks.lease_tasks(&dead).await.unwrap().len(), 1);
    shop.after(2 * PROVIDER_TIMEOUT_SECONDS - 1).await;
    assert!(shop.order(&order).await.requested.is_some(), "its owner may still be performing it");
    shop.after(1).await;
    assert_eq!(shop.order(&order).await.intents.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_recorded_and_the_next_request_is_a_new_attempt() {
    let shop = Shop::open().await;
    let order = shop.placed().await;
    shop.provider().will([Trouble::LostBefore, Trouble::Refuses("amount_too_small")]);
    shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap_err();
    shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    let after = shop.order(&order).await;
    assert_eq!((after.requested, after.attempt), (None, 2));
    assert_eq!(shop.tasks(&order).await, Vec::<String>::new());
    let made = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await.unwrap();
    assert_eq!(made.order.intents.len(), 1);
}

#[tokio::test]
async fn an_intent_that_stripe_does_not_have_gets_a_notice_and_is_still_polled() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().forgets(&intent);
    shop.after(30).await;
    let after = shop.order(&order).await;
    assert_eq!(after.anomalies.iter().map(|it| it.kind.name()).collect::<Vec<_>>(), ["intent_lost"]);
    assert_eq!(shop.tasks(&order).await, [format!("poll_intent:{intent}")]);
    let requested = shop.app.create_payment_intent(&OrderRef::Id(order.id), &Access::All).await;
    assert!(matches!(requested, Err(CreatePaymentIntentError::Gateway(GatewayError::NotFound(_)))), "{requested:?}");
}

#[tokio::test]
async fn a_failing_task_is_retried_with_growing_waits() {
    let shop = Shop::open().await;
    let (order, _) = shop.payable().await;
    shop.provider().will([Trouble::Busy; 4]);
    let edited = shop.app.edit_order(&OrderRef::Id(order.id), &Access::All, edit_of_lines(700)).await.unwrap();
    assert!(matches!(edited, Changed::UnderWay(_)));
    let mut tries = Vec::new();
    shop.clock.advance_seconds(PROVIDER_TIMEOUT_SECONDS);
    for _ in 0..3 {
        shop.after(0).await;
        let tasks = shop.store.tasks.tasks(order.id).await.unwrap();
        let task = tasks.iter().find(|it| it.task.key().as_str() == "update_intent:1").unwrap();
        let now = paywright_app::Clock::now(&*shop.clock);
        let wait = u32::try_from(task.due_at.unix_seconds() - now.unix_seconds()).unwrap();
        tries.push((wait, task.taken, task.error.clone().unwrap_or_default()));
        shop.clock.advance_seconds(wait);
    }
    let busy = || "Stripe is busy: the provider of this test is busy".to_owned();
    assert_eq!(tries, [(2, 1, busy()), (4, 2, busy()), (8, 3, busy())]);
    shop.after(0).await;
    assert_eq!(shop.order(&order).await.revision, 2);
}

/// Such as a cancellation that came too late.
#[tokio::test]
async fn a_task_that_cannot_succeed_ends_with_a_reason() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().will([Trouble::LostBefore]);
    shop.app.cancel_order(&OrderRef::Id(order.id), &Access::All, CancelReason::Abandoned).await.unwrap();
    shop.provider().change(&intent, |it| it.status = IntentStatus::Processing);
    shop.after(PROVIDER_TIMEOUT_SECONDS).await;
    let after = shop.order(&order).await;
    assert_eq!((after.payment_state().name(), &after.operation), ("processing", &None));
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    let dropped = facts.into_iter().find_map(|it| {
        if let paywright_domain::Fact::OperationDropped { error, .. } = it.fact { Some(error) } else { None }
    });
    assert_eq!(dropped, Some(IntentError::of_code("payment_intent_unexpected_state")));
}
