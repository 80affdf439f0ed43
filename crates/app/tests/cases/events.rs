use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use paywright_app::{
    Access, EventPage, EventStatus, ForeignEvent, GatewayError, IssuedIntent, Lease, OrderRef, OtherVersion, Page,
    ProviderEvent, ProviderRecords, ProviderUpdate, RecordedOrder, Settings, StorePorts,
};
use paywright_domain::anomaly::NoticeKind;
use paywright_domain::dispute::{Dispute, DisputeStatus};
use paywright_domain::id::{ChargeId, DisputeId, RefundId};
use paywright_domain::intent::IntentStatus;
use paywright_domain::order::PaymentState;
use paywright_domain::refund::{NewRefund, RefundSnapshot, RefundStatus};
use paywright_domain::{IntentId, IntentSnapshot, Order, Timestamp};
use paywright_testkit::{HandClock, MockGateway, NoRecords, at, issuing_gateway, order_id, usd};
use uuid::Uuid;

use crate::{NOW, Shop, update};

fn event(id: &str, update: ProviderUpdate) -> ProviderEvent {
    let (created_at, request) = (at(NOW), Some("req_9".to_owned()));
    ProviderEvent {
        id: id.into(),
        kind: "some.event".into(),
        created_at,
        livemode: false,
        request,
        update,
        foreign: None,
        other_version: None,
    }
}

async fn take(shop: &Shop, event: ProviderEvent) -> EventStatus {
    shop.app.take_event(event, "webhook", BTreeMap::new()).await.unwrap()
}

fn of_intent(snapshot: IntentSnapshot) -> ProviderUpdate {
    ProviderUpdate::Intent(Box::new(snapshot))
}

fn dispute(order: &Order, status: DisputeStatus) -> Dispute {
    Dispute {
        id: DisputeId::new("du_1").unwrap(),
        intent: order.paid_by().unwrap().id.clone(),
        amount: order.total,
        status,
        reason: "fraudulent".into(),
        due_by: Some(at(NOW + 900)),
        withdrawn: true,
        reinstated: false,
    }
}

#[tokio::test]
async fn every_event_is_stored_with_its_status() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    let paid = of_intent(update(&order, &intent, IntentStatus::Succeeded));
    let foreign =
        IntentSnapshot { order: None, ..update(&order, &IntentId::new("pi_x").unwrap(), IntentStatus::Succeeded) };
    for (id, update, status) in [
        ("evt_1", paid.clone(), EventStatus::Applied),
        ("evt_1", paid, EventStatus::Applied),
        ("evt_2", ProviderUpdate::Nothing, EventStatus::Ignored),
        ("evt_payout", ProviderUpdate::Balance, EventStatus::Ignored),
        ("evt_3", of_intent(foreign), EventStatus::Foreign),
    ] {
        assert_eq!(take(&shop, event(id, update)).await, status, "{id}");
        assert_eq!(shop.store.inbox.known_events(&[id.to_owned()]).await.unwrap(), [id]);
    }
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    let cause = facts.last().and_then(|it| it.cause.clone()).unwrap();
    assert_eq!((cause.source.as_str(), cause.event.as_deref()), ("webhook", Some("evt_1")));
    assert_eq!(cause.request.as_deref(), Some("req_9"));
    assert_eq!(facts.iter().filter(|it| it.fact.kind() == "order.paid").count(), 1);
}

/// Pain 11: the event is acknowledged, stored, and applied when its order exists.
#[tokio::test]
async fn an_event_that_arrives_before_its_order_waits_for_it() {
    let shop = Shop::open().await;
    let early = IntentSnapshot {
        status: IntentStatus::Succeeded,
        received: usd(12_185),
        ..IntentSnapshot::new(IntentId::new("pi_early").unwrap(), order_id(1), usd(12_185), at(NOW))
    };
    shop.provider().adds(early.clone());
    assert_eq!(take(&shop, event("evt_1", of_intent(early))).await, EventStatus::Parked);
    shop.after(60).await;
    let order = shop.placed().await;
    assert_eq!(order.id, order_id(1), "the order that the event names");
    shop.after(3600).await;
    assert_eq!(shop.order(&order).await.state.name(), "paid");
    let lone = IntentSnapshot::new(IntentId::new("pi_lone").unwrap(), order_id(77), usd(500), at(NOW));
    assert_eq!(take(&shop, event("evt_2", of_intent(lone))).await, EventStatus::Parked);
    for _ in 0..12 {
        shop.after(86_400).await;
    }
    assert_eq!(
        shop.app.run_due_tasks(at(NOW + 100 * 86_400)).await.unwrap(),
        0,
        "it was given up, and stays stored as that"
    );
}

#[tokio::test]
async fn a_dispute_is_followed_and_stops_refunds() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let opened = ProviderUpdate::Dispute(Box::new(dispute(&order, DisputeStatus::NeedsResponse)));
    assert_eq!(take(&shop, event("evt_1", opened)).await, EventStatus::Applied);
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Disputed);
    let refund = shop.app.refund_payment(&OrderRef::Id(order.id), &Access::All, &NewRefund::default(), None).await;
    assert!(refund.is_err(), "{refund:?}");
    let won = ProviderUpdate::Dispute(Box::new(dispute(&order, DisputeStatus::Won)));
    assert_eq!(take(&shop, event("evt_2", won)).await, EventStatus::Applied);
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Paid);
}

/// The bank may decide again. Events do not say which decision is the later one, so the dispute is read.
#[tokio::test]
async fn a_dispute_that_is_decided_again_is_read_from_stripe() {
    use DisputeStatus::{Lost, NeedsResponse, Won};
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let reported = |status| ProviderUpdate::Dispute(Box::new(dispute(&order, status)));
    shop.provider().dispute(dispute(&order, Lost));
    assert_eq!(take(&shop, event("evt_told_1", reported(Lost))).await, EventStatus::Applied);
    for (id, now, event_says, expected) in [
        ("evt_told_2", Won, Won, PaymentState::Paid),
        ("evt_told_3", Won, NeedsResponse, PaymentState::Paid),
        ("evt_told_4", Lost, Lost, PaymentState::Disputed),
        ("evt_told_5", Won, Lost, PaymentState::Disputed),
    ] {
        shop.provider().dispute(dispute(&order, now));
        let status = take(&shop, event(id, reported(event_says))).await;
        let contradicts = shop.order(&order).await.disputes[0].status != event_says;
        assert_eq!(status == EventStatus::Parked, contradicts, "{id}");
        if id != "evt_told_5" {
            shop.after(0).await;
        }
        assert_eq!(shop.order(&order).await.payment_state(), expected, "{id}");
    }
}

/// The object of such an event may mean something else: the current one is read from Stripe.
#[tokio::test]
async fn an_event_of_another_api_version_is_read_from_stripe_and_warned_of_once() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    shop.provider().pay(&intent);
    for id in ["evt_1", "evt_2"] {
        let old = ProviderEvent {
            other_version: Some(OtherVersion { version: "2024-06-20".to_owned(), expected: "2026-05-27.dahlia" }),
            ..event(id, ProviderUpdate::ReadRequired(intent.clone()))
        };
        assert_eq!(take(&shop, old).await, EventStatus::Parked);
    }
    shop.after(0).await;
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Paid);
    let warnings = shop.app.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("2024-06-20"), "{warnings:?}");
    assert!(warnings[0].ends_with("set the endpoint's version to 2026-05-27.dahlia."), "{warnings:?}");
}

#[tokio::test]
async fn an_early_fraud_warning_is_recorded_once() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    let notice = |reason: &str| ProviderUpdate::Notice {
        intent: intent.clone(),
        kind: NoticeKind::EarlyFraudWarning,
        reason: Some(reason.into()),
    };
    assert_eq!(take(&shop, event("evt_1", notice("unauthorized_use_of_card"))).await, EventStatus::Applied);
    assert_eq!(take(&shop, event("evt_2", notice("other"))).await, EventStatus::Applied);
    let after = shop.order(&order).await;
    assert_eq!(after.anomalies.iter().map(|it| it.kind.name()).collect::<Vec<_>>(), ["early_fraud_warning"]);
    assert_eq!(after.payment_state(), PaymentState::Paid);
}

/// The fee is booked a moment after the payment, and the payment does not depend on it.
#[tokio::test]
async fn the_proceeds_of_a_payment_are_read_when_stripe_has_booked_them() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    assert_eq!(take(&shop, event("evt_1", ProviderUpdate::Proceeds(intent.clone()))).await, EventStatus::Parked);
    shop.after(0).await;
    let proceeds = shop.order(&order).await.paid_by().and_then(|it| it.proceeds).unwrap();
    assert_eq!((proceeds.gross, proceeds.fee), (order.total, usd(121)));
    assert_eq!(shop.facts(&order).await.last(), Some(&"payment_intent.proceeds_known"));
}

/// A failed read is repeated soon; only an unknown order keeps an event waiting for hours.
#[tokio::test]
async fn a_failed_read_of_a_parked_event_is_repeated_soon() {
    let mut gateway = MockGateway::new();
    gateway.expect_intent().times(6).returning(|_| Err(GatewayError::Busy("429".into())));
    gateway.expect_intent().times(1).returning(|_| Err(GatewayError::NotFound("pi_1".into())));
    let shop = Shop::with(gateway).await;
    let look = ProviderUpdate::ReadRequired(IntentId::new("pi_1").unwrap());
    assert_eq!(take(&shop, event("evt_1", look)).await, EventStatus::Parked);
    for seconds in [0, 2, 4, 8, 16, 32, 64] {
        shop.after(seconds).await;
    }
    shop.after(86_400).await;
}

/// Found by the simulator: an event that had waited for days was given up at the first read that failed.
#[tokio::test]
async fn an_event_is_not_given_up_while_stripe_cannot_be_read() {
    let mut gateway = MockGateway::new();
    gateway.expect_intent().returning(|_| Err(GatewayError::Misconfigured("the key was rotated".to_owned())));
    let shop = Shop::with(gateway).await;
    let look = ProviderUpdate::ReadRequired(IntentId::new("pi_1").unwrap());
    assert_eq!(take(&shop, event("evt_1", look)).await, EventStatus::Parked);
    shop.after(5 * 86_400).await;
    shop.after(5 * 86_400).await;
    let now = at(NOW + 11 * 86_400);
    let lease = Lease { owner: Uuid::nil(), now, until: now, limit: 10 };
    let waiting: Vec<_> = shop.store.inbox.lease_events(&lease).await.unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(waiting, ["evt_1"]);
}

#[tokio::test]
async fn an_event_that_requires_a_read_is_followed_by_one() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    shop.provider().refund_at_dashboard(&intent, order.total);
    assert_eq!(take(&shop, event("evt_1", ProviderUpdate::ReadRequired(intent))).await, EventStatus::Parked);
    assert_eq!(shop.waker.woken(), 1);
    shop.after(0).await;
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Refunded);
}

#[tokio::test]
async fn an_event_of_the_other_mode_or_account_is_stored_and_changes_nothing() {
    let shop = Shop::open().await;
    let (open, intent) = shop.payable().await;
    let live = IntentSnapshot { livemode: true, ..update(&open, &intent, IntentStatus::Succeeded) };
    let live = ProviderEvent { livemode: true, ..event("evt_1", of_intent(live)) };
    assert_eq!(take(&shop, live).await, EventStatus::Foreign);
    let connected = ProviderEvent {
        foreign: Some("it is of the connected account acct_1".to_owned().into()),
        ..event("evt_2", of_intent(update(&open, &intent, IntentStatus::Succeeded)))
    };
    assert_eq!(take(&shop, connected).await, EventStatus::Foreign);
    assert_eq!(shop.order(&open).await, open);

    let order = shop.paid().await;
    let opened = ProviderUpdate::Dispute(Box::new(dispute(&order, DisputeStatus::NeedsResponse)));
    let live = ProviderEvent { livemode: true, ..event("evt_3", opened) };
    assert_eq!(take(&shop, live).await, EventStatus::Foreign);
    assert_eq!(shop.order(&order).await.payment_state(), PaymentState::Paid);
    let warnings = shop.app.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("live mode"), "one warning: {warnings:?}");
}

/// Events of a refund and a dispute of another program on the same account: their intent is read once.
#[tokio::test]
async fn events_of_another_program_are_stored_as_foreign() {
    let shop = Shop::open().await;
    let (order, intent) = shop.payable().await;
    let foreign = IntentId::new("pi_theirs").unwrap();
    let theirs =
        IntentSnapshot { intent: foreign.clone(), order: None, ..update(&order, &intent, IntentStatus::Succeeded) };
    shop.provider().adds(theirs);
    let refund = shop.provider().refund_at_dashboard(&foreign, usd(100));
    assert_eq!(take(&shop, event("evt_1", ProviderUpdate::Refund(Box::new(refund)))).await, EventStatus::Parked);
    shop.after(5).await;
    assert_eq!(shop.order(&order).await.refunds, []);
    assert!(shop.store.inbox.known_events(&["evt_1".to_owned()]).await.unwrap().len() == 1);
}

fn of_refund(intent: &IntentId) -> ProviderUpdate {
    ProviderUpdate::Refund(Box::new(RefundSnapshot {
        id: RefundId::new("re_1").unwrap(),
        name: None,
        intent: intent.clone(),
        amount: usd(100),
        reason: None,
        status: RefundStatus::Succeeded,
        failure: None,
        request: None,
    }))
}

/// Updates about a payment that do not name its installation.
fn without_installation(intent: &IntentId) -> Vec<ProviderUpdate> {
    let notice = |kind| ProviderUpdate::Notice { intent: intent.clone(), kind, reason: None };
    let dispute = Dispute {
        id: DisputeId::new("du_1").unwrap(),
        intent: intent.clone(),
        amount: usd(100),
        status: DisputeStatus::NeedsResponse,
        reason: "fraudulent".into(),
        due_by: None,
        withdrawn: true,
        reinstated: false,
    };
    vec![
        of_refund(intent),
        ProviderUpdate::Dispute(Box::new(dispute)),
        notice(NoticeKind::EarlyFraudWarning),
        notice(NoticeKind::UnderReview),
        ProviderUpdate::ReadRequired(intent.clone()),
        ProviderUpdate::Proceeds(intent.clone()),
    ]
}

/// Ids of the parked events.
async fn waiting(shop: &Shop) -> Vec<String> {
    let now = at(NOW + 30 * 86_400);
    let lease = Lease { owner: Uuid::nil(), now, until: now, limit: 100 };
    shop.store.inbox.lease_events(&lease).await.unwrap().into_iter().map(|it| it.id).collect()
}

/// Disputes, charges, warnings and refunds made in the dashboard name no installation. Their PaymentIntent does: one
/// read suffices.
#[tokio::test]
async fn an_intent_of_another_installation_is_read_once() {
    let (order, own) = Shop::open().await.payable().await;
    let theirs = IntentId::new("pi_theirs").unwrap();
    let snapshot =
        IntentSnapshot { intent: theirs.clone(), order: None, ..update(&order, &own, IntentStatus::Succeeded) };
    let issued = move || IssuedIntent { snapshot: snapshot.clone(), client_secret: None, request: None };
    let answers: [Box<dyn Fn() -> Result<IssuedIntent, GatewayError> + Send>; 2] = [
        Box::new(move || Ok(issued())),
        // A currency that no order can have.
        Box::new(|| Err(GatewayError::Foreign("the currency usdc is not known here".into()))),
    ];
    for answered in answers {
        let mut gateway = MockGateway::new();
        gateway.expect_intent().times(1).returning(move |_| answered());
        let shop = Shop::with(gateway).await;
        for (n, update) in without_installation(&theirs).into_iter().enumerate() {
            assert_eq!(take(&shop, event(&format!("evt_{n}"), update)).await, EventStatus::Parked);
        }
        shop.after(5).await;
        assert_eq!(waiting(&shop).await, [""; 0]);
        for (n, update) in without_installation(&theirs).into_iter().enumerate() {
            assert_eq!(take(&shop, event(&format!("evt_later_{n}"), update)).await, EventStatus::Foreign);
        }
    }
}

/// The events of a PaymentIntent name its installation, so that those of its disputes need no read.
#[tokio::test]
async fn an_intent_whose_event_named_another_installation_is_not_read() {
    let shop = Shop::with(MockGateway::new()).await;
    let theirs = IntentId::new("pi_theirs").unwrap();
    let foreign = ForeignEvent { reason: "it is of the installation B".into(), intent: Some(theirs.clone()) };
    let created = ProviderEvent { foreign: Some(foreign), ..event("evt_created", ProviderUpdate::Nothing) };
    assert_eq!(take(&shop, created).await, EventStatus::Foreign);
    for (n, update) in without_installation(&theirs).into_iter().enumerate() {
        assert_eq!(take(&shop, event(&format!("evt_{n}"), update)).await, EventStatus::Foreign);
    }
    let another = take(&shop, event("evt_other", of_refund(&IntentId::new("pi_other").unwrap()))).await;
    assert_eq!(another, EventStatus::Parked, "it may be of an order whose payment is not known yet");
}

/// The event of the fee may come before the answer that has the payment.
#[tokio::test]
async fn proceeds_whose_event_comes_before_the_payment_are_read() {
    let shop = Shop::open().await;
    let order = shop.placed().await;
    let intent = IntentId::new("pi_early").unwrap();
    shop.provider().adds(update(&order, &intent, IntentStatus::Succeeded));
    assert_eq!(take(&shop, event("evt_1", ProviderUpdate::Proceeds(intent))).await, EventStatus::Parked);
    shop.after(0).await;
    let paid = shop.order(&order).await;
    assert_eq!(paid.payment_state(), PaymentState::Paid);
    assert!(paid.paid_by().unwrap().proceeds.is_some());
}

/// The event was missed while the process was down: Stripe's list is read from where the last walk ended.
#[tokio::test]
async fn an_event_that_no_webhook_delivered_is_found_by_the_back_fill() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    shop.after(0).await;
    let intent = order.paid_by().unwrap().id.clone();
    shop.provider().refund_at_dashboard(&intent, usd(500));
    shop.provider().dispute(dispute(&order, DisputeStatus::NeedsResponse));
    shop.after(299).await;
    assert_eq!(shop.order(&order).await.refunds, [], "not yet");
    shop.after(1).await;
    let after = shop.order(&order).await;
    assert_eq!((after.refunds.len(), after.disputes.len()), (1, 1));
    let facts = shop.store.orders.facts(order.id).await.unwrap();
    let causes: Vec<_> = facts.iter().filter_map(|it| it.cause.as_ref().map(|it| it.source.as_str())).collect();
    assert_eq!(causes.last(), Some(&"back_fill"));
    // Another process continues from there: the cursor is in the store.
    let calls = shop.provider().walked();
    shop.after(0).await;
    assert_eq!(shop.provider().walked(), calls, "the back-fill has run already");
    shop.another().after(0).await;
    assert!(shop.provider().walked() > calls, "the back-fill runs at the start of a process");
}

/// On a busy account the events of the last minute are more than one walk reads. They are read once in a period, and
/// not again and again for as long as they are young.
#[tokio::test]
async fn events_of_a_busy_account_are_read_once_in_a_period() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    shop.after(0).await;
    let intent = order.paid_by().unwrap().id.clone();
    shop.clock.advance_seconds(300);
    for _ in 0..100 {
        shop.provider().refund_at_dashboard(&intent, usd(1));
    }
    let before = shop.provider().walked();
    shop.after(0).await;
    let pages = shop.provider().walked() - before;
    assert!(pages <= 20, "{pages} pages of young messages were read in one period");
    // The next period reads all of them, as they are old by then, and each page once.
    shop.after(300).await;
    let pages = shop.provider().walked() - before - pages;
    assert!((50..=60).contains(&pages), "{pages}");
    assert_eq!(shop.order(&order).await.refunds.len(), 100);
}

#[tokio::test]
async fn a_clock_difference_is_warned_of_with_its_size_and_direction() {
    let shop = Shop::open().await;
    for (ahead, warning) in [
        (30, None),
        (-30, None),
        (93, Some("The clock of this machine is 93 seconds behind Stripe's: set it right.")),
        (-172_800, Some("The clock of this machine is 172800 seconds ahead of Stripe's: set it right.")),
    ] {
        shop.provider().clock_is_ahead(ahead);
        assert_eq!(shop.app.warnings().first().map(String::as_str), warning, "{ahead}");
    }
}

/// A cursor that a process with a clock two days ahead has moved does not stop the back-fill for two days.
#[tokio::test]
async fn a_cursor_that_is_due_later_than_possible_is_due_now() {
    let shop = Shop::open().await;
    shop.after(0).await;
    shop.clock.advance_seconds(2 * 86_400);
    shop.after(0).await;
    shop.clock.set_back_seconds(2 * 86_400 - 600);
    let before = shop.provider().walked();
    shop.after(0).await;
    assert!(shop.provider().walked() > before);
}

/// Stripe may list an event after a younger one. While this machine's clock is ahead, the youngest are not taken for old.
#[tokio::test]
async fn a_clock_that_is_ahead_does_not_move_the_cursor_past_the_events_of_the_last_minute() {
    let shop = Shop::open().await;
    let order = shop.paid().await;
    let intent = order.paid_by().unwrap().id.clone();
    shop.after(300).await;
    shop.provider().refund_at_dashboard(&intent, usd(1));
    shop.provider().clock_is_ahead(-2 * 86_400);
    shop.clock.advance_seconds(2 * 86_400 + 10);
    shop.after(0).await;
    assert_eq!(shop.order(&order).await.refunds.len(), 1, "it is read");
    // An event that was created before the last one, and is listed after it was read.
    shop.provider().refund_listed_late(&intent, usd(2));
    shop.after(300).await;
    assert_eq!(shop.order(&order).await.refunds.len(), 2);
}

/// List with the same event on every page, which says each time that there is more.
struct RepeatingList(AtomicU32);

#[async_trait]
impl ProviderRecords for RepeatingList {
    async fn events(&self, _after: Option<&str>, _since: Timestamp) -> Result<EventPage, GatewayError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(EventPage { events: Vec::new(), last: Some(("evt_1".into(), at(NOW - 3600))), more: true })
    }
    async fn intents(&self, after: Option<&str>, since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        NoRecords.intents(after, since).await
    }
    async fn recorded_order(&self, id: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        NoRecords.recorded_order(id).await
    }
    async fn intent_of_charge(&self, id: &ChargeId) -> Result<Option<IntentId>, GatewayError> {
        NoRecords.intent_of_charge(id).await
    }
    async fn refunds(&self, after: Option<&str>, since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        NoRecords.refunds(after, since).await
    }
    async fn refunds_of(&self, id: &IntentId, after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        NoRecords.refunds_of(id, after).await
    }
    async fn disputes(&self, after: Option<&str>, since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        NoRecords.disputes(after, since).await
    }
    async fn disputes_of(&self, id: &IntentId, after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        NoRecords.disputes_of(id, after).await
    }
}

#[tokio::test]
async fn a_walk_that_does_not_move_its_cursor_waits_for_its_period_with_a_warning() {
    let (store, _kept) = crate::fresh_store().await;
    let clock = Arc::new(HandClock::at(at(NOW)));
    let records = Arc::new(RepeatingList(AtomicU32::new(0)));
    let gateway = Arc::new(issuing_gateway(at(NOW)));
    let shop =
        Shop::of(StorePorts::of(store), gateway, Arc::<RepeatingList>::clone(&records), clock, Settings::default());
    shop.after(0).await;
    let walked = || records.0.load(Ordering::SeqCst);
    // The first walk has come as far as the event, and the second no further.
    assert_eq!(walked(), 40);
    shop.after(299).await;
    assert_eq!(walked(), 40, "nothing is due before the period is over");
    shop.after(1).await;
    assert_eq!(walked(), 60);
    let reported: Vec<_> =
        shop.app.warnings().into_iter().filter(|it| it.contains("did not advance its cursor")).collect();
    assert_eq!(reported.len(), 1, "{reported:?}");
}
