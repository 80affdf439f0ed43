//! Each row is restored as it was, and a damaged column is named.

use std::num::NonZeroU32;

use paywright_domain::anomaly::{Anomaly, AnomalyKind, NoticeKind};
use paywright_domain::id::{Epoch, RefundId};
use paywright_domain::intent::{IntentError, IntentRequest, IntentStatus, PaymentIntent, Proceeds};
use paywright_domain::operation::{Operation, OperationKind};
use paywright_domain::order::{CancelReason, OrderData, OrderState};
use paywright_domain::refund::{Closing, Refund, RefundFailure, RefundOrigin, RefundReason, RefundStatus};
use paywright_domain::storefront::{Cart, CartId, Variant, VariantId};
use paywright_domain::text::Text;
use paywright_domain::{Currency, IntentId, Money, Order, OrderId};
use uuid::Uuid;

use super::*;
use crate::fixtures::{at, dispute, usd};
use crate::{ApiKey, Cause, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, KeyUse, Scope, Version};
use crate::{EventRef, SubjectId};

/// Order with a value in every column, and a row in every table.
fn order() -> Order {
    let placed = Order::place(OrderId(Uuid::from_u128(1)), paywright_testkit::new_order(), at(1)).unwrap().order;
    let epoch = Some(Epoch(7));
    let paying = IntentId::new("pi_1").unwrap();
    let intent = PaymentIntent {
        id: paying.clone(),
        revision: 1,
        amount: placed.total,
        status: IntentStatus::Succeeded,
        received: placed.total,
        confirmed_at: Some(at(4)),
        capturable: usd(0),
        capture_requested: Some(usd(12_185)),
        proceeds: Some(Proceeds { gross: eur(100), fee: eur(3) }),
        last_error: Some(IntentError { code: Some("card_declined".into()), ..IntentError::default() }),
        as_of: at(3),
        created_at: at(2),
    };
    let refund = Refund {
        number: 1,
        intent: paying.clone(),
        amount: usd(100),
        reason: Some(RefundReason::Duplicate),
        origin: RefundOrigin::Shop,
        status: RefundStatus::Pending,
        provider_id: Some(RefundId::new("re_1").unwrap()),
        attempt: 2,
        failure: Some(RefundFailure::from("declined".to_owned())),
        requested_at: at(5),
        epoch,
        request: Some(Uuid::from_u128(9)),
        closing: Some(Closing { at: at(6), amount: usd(50) }),
    };
    let anomaly = Anomaly {
        intent: Some(paying.clone()),
        kind: AnomalyKind::Notice(NoticeKind::RefundFailed { refund: 1 }),
        reason: Some("declined".into()),
        found_at: at(6),
        accepted_at: Some(at(7)),
    };
    let kind = OperationKind::Cancel { reason: CancelReason::Duplicate };
    let operation = Operation { number: 1, intent: paying.clone(), kind, since: at(5), epoch };
    Order::restore(OrderData {
        state: OrderState::Paid { by: paying, at: at(4) },
        requested: Some(IntentRequest { revision: 1, attempt: 1, epoch }),
        operations: 1,
        operation: Some(operation),
        intents: vec![intent],
        refunds: vec![refund],
        disputes: vec![dispute()],
        anomalies: vec![anomaly],
        epoch: Epoch(8),
        ..OrderData::clone(&placed)
    })
    .unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::Eur).unwrap()
}

/// All rows of an order.
fn rows(order: &Order) -> (StoredOrder<'_>, StoredParts<'_>) {
    let parts = StoredParts {
        lines: order.lines.iter().map(StoredLine::of).collect(),
        adjustments: order.adjustments.iter().map(|it| StoredAdjustment::of(order, it)).collect(),
        intents: order.intents.iter().map(|it| StoredIntent::of(order, it).unwrap()).collect(),
        refunds: order.refunds.iter().map(StoredRefund::of).collect(),
        disputes: order.disputes.iter().map(StoredDispute::of).collect(),
        anomalies: order.anomalies.iter().map(|it| StoredAnomaly::of(it).unwrap()).collect(),
        epoch: i64::from(order.epoch.0),
    };
    (StoredOrder::of(order).unwrap(), parts)
}

#[test]
fn an_order_is_restored_from_its_rows() {
    let paid = order();
    let open = Order::restore(OrderData {
        state: OrderState::Open,
        requested: None,
        operation: None,
        ..OrderData::clone(&paid)
    })
    .unwrap();
    let canceled = OrderState::Canceled { reason: CancelReason::Abandoned, at: at(9) };
    let canceled = Order::restore(OrderData { state: canceled, ..OrderData::clone(&paid) }).unwrap();
    for order in [paid, open, canceled] {
        let (row, parts) = rows(&order);
        assert_eq!(row.restore(parts), Ok(order.clone()));
    }
}

/// A process of the release before edits the order, and leaves the columns that it does not know as they are.
#[test]
fn a_rate_of_an_earlier_revision_is_not_the_rate_of_the_tax() {
    let order = order();
    let (row, parts) = rows(&order);
    assert!(row.clone().restore(parts.clone()).unwrap().adjustments[2].tax_rate_details.is_some());
    let edited = StoredOrder { revision: row.revision + 1, ..row };
    assert!(edited.restore(parts).unwrap().adjustments.iter().all(|it| it.tax_rate_details.is_none()));
}

/// Damage to the rows of an order.
type Damage = fn(&mut StoredOrder<'_>, &mut StoredParts<'_>);

/// Damages, with the table and the column that the error names.
const DAMAGES: &[(&str, Damage)] = &[
    ("orders number", |it, _| it.number = "12".into()),
    ("orders customer", |it, _| it.customer = Some("".into())),
    ("orders email", |it, _| it.email = Some("".into())),
    ("orders currency", |it, _| it.currency = "xxx".into()),
    ("orders total", |it, _| it.total = -1),
    ("orders (row)", |it, _| it.total = 1),
    ("orders capture", |it, _| it.capture = "later".into()),
    ("orders metadata", |it, _| it.metadata = "[]".into()),
    ("orders metadata", |it, _| it.metadata = format!("{{\"{}\":\"\"}}", "k".repeat(600)).into()),
    ("orders revision", |it, _| it.revision = -1),
    ("orders attempt", |it, _| it.attempt = i64::MAX),
    ("orders state", |it, _| it.state = "lost".into()),
    ("orders state", |it, _| it.paid_by = None),
    ("orders paid_by", |it, _| it.paid_by = Some("".into())),
    ("orders cancel_reason", |it, _| it.cancel_reason = Some("whim".into())),
    ("orders state_at", |it, _| it.state_at = Some(i64::MIN)),
    ("orders requested_revision", |it, _| it.requested_revision = Some(-1)),
    ("orders requested_attempt", |it, _| it.requested_attempt = Some(-1)),
    ("orders requested_epoch", |it, _| it.requested_epoch = Some(-1)),
    ("orders operations", |it, _| it.operations = -1),
    ("orders operation", |it, _| it.operation = Some("{}".into())),
    ("orders payer", |it, _| it.payer = Some("{".into())),
    ("orders placed_at", |it, _| it.placed_at = i64::MAX),
    ("orders updated_at", |it, _| it.updated_at = i64::MAX),
    ("installation epoch", |_, parts| parts.epoch = -1),
    ("order_lines unit_amount", |_, parts| parts.lines[0].unit_amount = -1),
    ("order_lines quantity", |_, parts| parts.lines[0].quantity = -1),
    ("order_lines (row)", |_, parts| parts.lines[0].name = "".into()),
    ("order_lines description", |_, parts| parts.lines[0].description = "a\0".into()),
    ("order_lines sku", |_, parts| parts.lines[0].sku = Some("a\0".into())),
    ("order_adjustments kind", |_, parts| parts.adjustments[0].kind = "toll".into()),
    ("order_adjustments label", |_, parts| parts.adjustments[0].label = "a\0".into()),
    ("order_adjustments amount", |_, parts| parts.adjustments[0].amount = -1),
    ("order_adjustments tax_percent", |_, parts| parts.adjustments[2].tax_percent = Some("101".into())),
    ("order_adjustments tax_country", |_, parts| parts.adjustments[2].tax_country = Some("D".into())),
    ("payment_intents provider_id", |_, parts| parts.intents[0].provider_id = "".into()),
    ("payment_intents revision", |_, parts| parts.intents[0].revision = -1),
    ("payment_intents currency", |_, parts| parts.intents[0].currency = "xxx".into()),
    ("payment_intents amount", |_, parts| parts.intents[0].amount = -1),
    ("payment_intents status", |_, parts| parts.intents[0].status = "fine".into()),
    ("payment_intents received", |_, parts| parts.intents[0].received = -1),
    ("payment_intents capturable", |_, parts| parts.intents[0].capturable = -1),
    ("payment_intents capture_asked", |_, parts| parts.intents[0].capture_asked = Some(-1)),
    ("payment_intents balance_currency", |_, parts| parts.intents[0].balance_currency = Some("xxx".into())),
    ("payment_intents balance_gross", |_, parts| parts.intents[0].balance_gross = Some(-1)),
    ("payment_intents balance_fee", |_, parts| parts.intents[0].balance_fee = Some(-1)),
    ("payment_intents last_error", |_, parts| parts.intents[0].last_error = Some("[".into())),
    ("payment_intents as_of", |_, parts| parts.intents[0].as_of = i64::MAX),
    ("payment_intents created_at", |_, parts| parts.intents[0].created_at = i64::MAX),
    ("payment_intents confirmed_at", |_, parts| parts.intents[0].confirmed_at = Some(i64::MAX)),
    ("refunds number", |_, parts| parts.refunds[0].number = -1),
    ("refunds intent_id", |_, parts| parts.refunds[0].intent_id = "".into()),
    ("refunds provider_id", |_, parts| parts.refunds[0].provider_id = Some("".into())),
    ("refunds currency", |_, parts| parts.refunds[0].currency = "xxx".into()),
    ("refunds amount", |_, parts| parts.refunds[0].amount = -1),
    ("refunds reason", |_, parts| parts.refunds[0].reason = Some("whim".into())),
    ("refunds origin", |_, parts| parts.refunds[0].origin = "sky".into()),
    ("refunds status", |_, parts| parts.refunds[0].status = "fine".into()),
    ("refunds attempt", |_, parts| parts.refunds[0].attempt = -1),
    ("refunds requested_at", |_, parts| parts.refunds[0].requested_at = i64::MAX),
    ("refunds closed_at", |_, parts| parts.refunds[0].closed_at = Some(i64::MAX)),
    ("refunds closed_amount", |_, parts| parts.refunds[0].closed_amount = Some(-1)),
    ("refunds epoch", |_, parts| parts.refunds[0].epoch = Some(-1)),
    ("disputes provider_id", |_, parts| parts.disputes[0].provider_id = "".into()),
    ("disputes intent_id", |_, parts| parts.disputes[0].intent_id = "".into()),
    ("disputes currency", |_, parts| parts.disputes[0].currency = "xxx".into()),
    ("disputes amount", |_, parts| parts.disputes[0].amount = -1),
    ("disputes status", |_, parts| parts.disputes[0].status = "fine".into()),
    ("disputes due_by", |_, parts| parts.disputes[0].due_by = Some(i64::MAX)),
    ("anomalies provider_id", |_, parts| parts.anomalies[0].provider_id = "a b".into()),
    ("anomalies payload", |_, parts| parts.anomalies[0].payload = "{}".into()),
    ("anomalies policy", |_, parts| parts.anomalies[0].policy = "shrug".into()),
    ("anomalies found_at", |_, parts| parts.anomalies[0].found_at = i64::MAX),
    ("anomalies accepted_at", |_, parts| parts.anomalies[0].accepted_at = Some(i64::MAX)),
];

#[test]
fn a_damaged_column_of_an_order_is_named() {
    let order = order();
    for (expected, damage) in DAMAGES {
        let (mut row, mut parts) = rows(&order);
        damage(&mut row, &mut parts);
        let found = row.restore(parts).map_err(|it| format!("{} {}", it.table, it.column));
        assert_eq!(found, Err((*expected).to_owned()));
    }
}

#[test]
fn a_fact_is_restored_from_its_row() {
    let cause = Cause::of("poll");
    let document = StoredFact::document(&cause).unwrap();
    let fact = paywright_domain::Fact::OrderPlaced { total: usd(5) };
    let row = StoredFact::of(&fact, Version(3), at(1), Some(&document)).unwrap();
    let found = row.clone().restore().unwrap();
    assert_eq!((found.version, &found.fact, found.at, found.cause), (Version(3), &fact, at(1), Some(cause)));
    for (expected, row) in [
        ("version", StoredFact { version: -1, ..row.clone() }),
        ("payload", StoredFact { payload: "{}".into(), ..row.clone() }),
        ("at", StoredFact { at: i64::MAX, ..row.clone() }),
        ("cause", StoredFact { cause: Some("[".into()), ..row }),
    ] {
        assert_eq!(row.restore().map_err(|it| (it.table, it.column)), Err(("facts", expected)));
    }
}

#[test]
fn an_event_of_the_feed_is_restored_from_its_row_if_there_is_one() {
    let fact = paywright_domain::Fact::OrderPlaced { total: usd(5) };
    let row = StoredFeedEvent {
        position: Some(4),
        kind: Some("order.placed".into()),
        event_id: None,
        order_id: Some(Uuid::from_u128(1)),
        version: Some(1),
        fact_position: Some(0),
        payload: Some(document(&fact).unwrap().into()),
        at: Some(1),
        cause: Some("{\"source\":\"poll\"}".into()),
        view: Some("{}".into()),
        personal: None,
        livemode: Some(false),
    };
    let found = row.clone().restore().unwrap().unwrap();
    let told = found.of_order().unwrap();
    assert_eq!((found.position.0, &told.recorded.fact, told.snapshot.view.as_str()), (4, &fact, "{}"));
    let account = StoredFeedEvent {
        kind: Some("payout.paid".into()),
        event_id: Some(Uuid::from_u128(7)),
        version: Some(2),
        payload: None,
        cause: None,
        ..row.clone()
    };
    let found = account.restore().unwrap().unwrap();
    let name = EventRef { subject: SubjectId(Uuid::from_u128(1)), version: Version(2), index: 0 };
    assert_eq!((found.reference(), found.id(), found.of_order()), (name, Uuid::from_u128(7), None));
    assert_eq!(StoredFeedEvent::default().restore(), Ok(None));
    for (expected, row) in [
        ("feed position", StoredFeedEvent { position: Some(-1), ..row.clone() }),
        ("feed kind", StoredFeedEvent { kind: Some("order.lost".into()), ..row.clone() }),
        ("feed order_id", StoredFeedEvent { order_id: None, ..row.clone() }),
        ("feed version", StoredFeedEvent { version: None, ..row.clone() }),
        ("feed fact_position", StoredFeedEvent { fact_position: Some(-1), ..row.clone() }),
        ("facts payload", StoredFeedEvent { payload: None, ..row.clone() }),
        ("feed at", StoredFeedEvent { at: Some(i64::MAX), ..row.clone() }),
        ("facts cause", StoredFeedEvent { cause: Some("[".into()), ..row.clone() }),
        ("(snapshot) view", StoredFeedEvent { view: None, ..row.clone() }),
        ("(snapshot) livemode", StoredFeedEvent { livemode: None, ..row }),
    ] {
        let found = row.restore().map_err(|it| format!("{} {}", it.table, it.column));
        assert_eq!(found, Err(expected.to_owned()));
    }
}

#[test]
fn a_task_is_restored_from_its_row() {
    let payload = document(&paywright_domain::Task::ExpireOrder).unwrap();
    let row = StoredTaskRow {
        payload: payload.into(),
        due_at: 5,
        taken: 2,
        leased_until: Some(7),
        error: Some("late".into()),
    };
    let found = row.clone().restore().unwrap();
    let times =
        (found.due_at.unix_micros(), found.taken, found.leased_until.map(paywright_domain::Timestamp::unix_micros));
    assert_eq!((times, found.error.as_deref()), ((5, 2, Some(7)), Some("late")));
    for (expected, row) in [
        ("payload", StoredTaskRow { payload: "{}".into(), ..row.clone() }),
        ("due_at", StoredTaskRow { due_at: i64::MAX, ..row.clone() }),
        ("taken", StoredTaskRow { taken: -1, ..row.clone() }),
        ("leased_until", StoredTaskRow { leased_until: Some(i64::MAX), ..row }),
    ] {
        assert_eq!(row.restore().map_err(|it| (it.table, it.column)), Err(("tasks", expected)));
    }
}

#[test]
fn an_idempotency_record_is_restored_from_its_row() {
    let record = IdempotencyRecord {
        key: IdempotencyKey { scope: Uuid::from_u128(1), key: "k".into() },
        fingerprint: [7; 32],
        order: OrderId(Uuid::from_u128(2)),
        outcome: IdempotencyOutcome::Order { answer: "{}".into() },
        at: at(1),
    };
    let row = StoredIdempotencyRecord::of(&record);
    assert_eq!(row.clone().restore(), Ok(record.clone()));
    for (expected, row) in [
        ("fingerprint", StoredIdempotencyRecord { fingerprint: Cow::Borrowed(&[7]), ..row.clone() }),
        ("at", StoredIdempotencyRecord { at: i64::MAX, ..row }),
    ] {
        assert_eq!(row.restore().map_err(|it| (it.table, it.column)), Err(("idempotency_records", expected)));
    }
}

#[test]
fn an_api_key_is_restored_from_its_row() {
    let first = ApiKey::new(Uuid::from_u128(1), "shop".into(), [7; 32], vec![Scope::OrdersRead], at(1));
    assert_eq!(StoredApiKey::of(&first).application, None);
    assert_eq!(StoredApiKey::of(&first).restore(), Ok(first.clone()));
    let key = ApiKey {
        application: Uuid::from_u128(9),
        scopes: vec![Scope::OrdersRead, Scope::OrdersWrite],
        expires_at: Some(at(2)),
        revoked_at: Some(at(3)),
        replaced_by: Some(Uuid::from_u128(2)),
        networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        calls_per_minute: NonZeroU32::new(60),
        ..first
    };
    let row = StoredApiKey::of(&key);
    assert_eq!(row.clone().restore(), Ok(key.clone()));
    for (expected, row) in [
        ("digest", StoredApiKey { digest: Cow::Borrowed(&[7]), ..row.clone() }),
        ("scopes", StoredApiKey { scopes: "orders:burn".into(), ..row.clone() }),
        ("created_at", StoredApiKey { created_at: i64::MAX, ..row.clone() }),
        ("expires_at", StoredApiKey { expires_at: Some(i64::MAX), ..row.clone() }),
        ("revoked_at", StoredApiKey { revoked_at: Some(i64::MAX), ..row.clone() }),
        ("networks", StoredApiKey { networks: "10.0.0.0/8 everywhere".into(), ..row.clone() }),
        ("calls_per_minute", StoredApiKey { calls_per_minute: Some(0), ..row.clone() }),
        ("calls_per_minute", StoredApiKey { calls_per_minute: Some(-1), ..row }),
    ] {
        assert_eq!(row.restore().map_err(|it| (it.table, it.column)), Err(("api_keys", expected)));
    }
    let used = KeyUse { key: Uuid::from_u128(1), scope: Scope::BooksRead, last_used: at(86_400) };
    let row = StoredKeyUse::of(&used);
    assert_eq!(row.clone().restore(), Ok(used));
    assert!(StoredKeyUse { scope: "orders:burn".into(), ..row.clone() }.restore().is_err());
    assert!(StoredKeyUse { last_used: i64::MAX, ..row }.restore().is_err());
}

#[test]
fn a_cart_is_restored_from_its_row() {
    let cart = Cart::new(CartId(Uuid::from_u128(1)), OrderId(Uuid::from_u128(2)), None, Currency::Usd, at(1));
    let row = StoredCart::of(&cart).unwrap();
    assert_eq!((row.id, row.order_id, row.is_open), (cart.id.0, cart.order.0, true));
    let found = StoredCart::restore(3, &row.payload).unwrap();
    assert_eq!((found.version, &found.value), (Version(3), &cart));
    for (expected, found) in
        [("version", StoredCart::restore(-1, &row.payload)), ("payload", StoredCart::restore(1, "{}"))]
    {
        assert_eq!(found.map_err(|it| (it.table, it.column)), Err(("carts", expected)));
    }
}

#[test]
fn a_variant_is_restored_from_its_row() {
    let variant = Variant {
        id: VariantId::new("mug").unwrap(),
        sku: Some(Text::new("M-1").unwrap()),
        name: Text::new("Mug").unwrap(),
        description: Text::new("Blue").unwrap(),
        prices: serde_json::from_str("{\"usd\":950}").unwrap(),
        active: true,
    };
    let row = StoredVariant::of(&variant).unwrap();
    assert_eq!(row.clone().restore(), Ok(variant.clone()));
    for (expected, row) in [
        ("id", StoredVariant { id: "".into(), ..row.clone() }),
        ("sku", StoredVariant { sku: Some("a\0".into()), ..row.clone() }),
        ("name", StoredVariant { name: "a\0".into(), ..row.clone() }),
        ("description", StoredVariant { description: "a\0".into(), ..row.clone() }),
        ("prices", StoredVariant { prices: "[]".into(), ..row }),
    ] {
        assert_eq!(row.restore().map_err(|it| (it.table, it.column)), Err(("variants", expected)));
    }
}
