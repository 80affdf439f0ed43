//! Reads of Stripe's balance: requests to the letter, and the values made of the answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::time::Duration;

use paywright_app::{BalancePage, BalanceSum, CreatedRange, GatewayError, ProviderBalance, ReportedTransaction};
use paywright_domain::books::{
    BalanceTransaction, BalanceType, Payout, PayoutStatus, Reconciliation, ReportingCategory, SignedMoney, Source,
};
use paywright_domain::id::{BalanceTransactionId, DisputeId, PayoutId, RefundId};
use paywright_domain::{Currency, IntentId, Timestamp};
use paywright_payments_stripe::{Client, ClientSettings, StripeGateway};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

const NOW: i64 = 1_743_415_050;

async fn stripe() -> (MockServer, StripeGateway) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let server = MockServer::start().await;
    let client = Client::new(ClientSettings {
        base_url: server.uri(),
        backoff: Duration::from_millis(2),
        ..ClientSettings::new(SecretString::from("sk_test_hush"))
    });
    let gateway = StripeGateway::new(client.unwrap().for_books(), || at(NOW));
    (server, gateway)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn range() -> CreatedRange {
    CreatedRange { from: at(NOW - 86_400), until: at(NOW) }
}

fn list(data: &[Value], has_more: bool) -> ResponseTemplate {
    let list = json!({ "object": "list", "data": data, "has_more": has_more, "url": "/v1/balance_transactions" });
    ResponseTemplate::new(200).set_body_json(list)
}

async fn answers(server: &MockServer, template: ResponseTemplate) {
    Mock::given(wiremock::matchers::any()).respond_with(template).mount(server).await;
}

/// Paths and queries of the requests that were sent.
async fn urls(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let url = |it: &wiremock::Request| format!("{}?{}", it.url.path(), it.url.query().unwrap_or_default());
    requests.iter().map(url).collect()
}

/// Balance transaction as Stripe answers it, with these fields instead of the usual ones.
fn row(changes: &Value) -> Value {
    let usual = json!({ "id": "txn_1", "object": "balance_transaction", "amount": 12_450, "available_on": NOW + 9,
        "balance_type": "payments", "created": NOW - 60, "currency": "usd", "description": null,
        "exchange_rate": null, "fee": 391, "fee_details": [{ "amount": 391, "application": null, "currency": "usd",
        "description": "Stripe processing fees", "type": "stripe_fee" }], "net": 12_059,
        "reporting_category": "charge", "source": "ch_1", "status": "pending", "type": "charge" });
    with(usual, changes)
}

/// Amounts of a row without a fee.
fn amounts(amount: i64, currency: &str) -> Value {
    json!({ "amount": amount, "net": amount, "currency": currency, "fee": 0, "fee_details": [] })
}

fn with(mut value: Value, changes: &Value) -> Value {
    value.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    value
}

fn charge(amount: i64, captured: i64, currency: &str) -> Value {
    json!({ "id": "ch_1", "object": "charge", "amount": amount, "amount_captured": captured, "amount_refunded": 0,
        "balance_transaction": "txn_1", "captured": true, "currency": currency, "payment_intent": "pi_1",
        "billing_details": { "name": null }, "metadata": { "order_id": "of-another-program" } })
}

fn refund(amount: i64, currency: &str) -> Value {
    json!({ "id": "re_1", "object": "refund", "amount": amount, "charge": "ch_1", "currency": currency,
        "payment_intent": "pi_1", "status": "succeeded", "metadata": {} })
}

fn dispute(amount: i64, currency: &str) -> Value {
    json!({ "id": "du_1", "object": "dispute", "amount": amount, "charge": "ch_1", "currency": currency,
        "payment_intent": "pi_1", "status": "lost", "balance_transactions": [] })
}

async fn read_page(rows: &[Value]) -> BalancePage<ReportedTransaction> {
    let (server, gateway) = stripe().await;
    answers(&server, list(rows, false)).await;
    gateway.transactions(range(), None).await.unwrap()
}

async fn read(row: Value) -> ReportedTransaction {
    let BalancePage { mut items, refused, .. } = read_page(&[row]).await;
    assert_eq!(refused, []);
    items.remove(0)
}

fn pi() -> IntentId {
    IntentId::new("pi_1").unwrap()
}

fn payment() -> Source {
    Source::Payment { intent: pi() }
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let (server, gateway) = stripe().await;
    let pages = [("", "txn_3", true), ("txn_3", "txn_2", true), ("txn_2", "txn_1", false)];
    for (after, id, has_more) in pages {
        let mock = Mock::given(path("/v1/balance_transactions"));
        let mock = match after {
            "" => mock.and(query_param_is_missing("starting_after")),
            after => mock.and(query_param("starting_after", after)),
        };
        mock.respond_with(list(&[row(&json!({ "id": id }))], has_more)).mount(&server).await;
    }
    let (mut after, mut ids) = (None::<String>, Vec::new());
    loop {
        let page = gateway.transactions(range(), after.as_deref()).await.unwrap();
        ids.extend(page.items.into_iter().map(|it| it.transaction.id.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["txn_3", "txn_2", "txn_1"]);
    let query = "/v1/balance_transactions?created[gte]=1743328650&created[lt]=1743415050&limit=100";
    let sent = urls(&server).await;
    assert_eq!(sent[0], format!("{query}&expand[0]=data.source"));
    assert_eq!(sent[1], format!("{query}&starting_after=txn_3&expand[0]=data.source"));
}

#[tokio::test]
async fn a_charge_is_read_with_its_fees_and_its_payment() {
    let fees = json!({ "amount": 12_450, "fee": 401, "net": 12_049, "description": "Order\u{0} 9", "fee_details": [
        { "amount": 350, "currency": "usd", "type": "stripe_fee" }, { "amount": 41, "currency": "usd", "type": "tax" },
        { "amount": 10, "currency": "usd", "type": "loyalty_fee" }] });
    let read = read(with(row(&fees), &json!({ "source": charge(12_450, 12_450, "usd") }))).await;
    let usd = |minor| SignedMoney::new(minor, Currency::Usd);
    assert_eq!(read.intent, Some(pi()));
    let transaction = read.transaction;
    let kinds: Vec<_> = transaction.fees.iter().map(|it| (it.kind.as_str(), it.amount)).collect();
    assert_eq!(kinds, [("stripe_fee", usd(350)), ("tax", usd(41)), ("loyalty_fee", usd(10))]);
    assert_eq!(transaction.check(), Ok(()));
    let expected = BalanceTransaction::new(
        BalanceTransactionId::new("txn_1").unwrap(),
        at(NOW - 60),
        ReportingCategory::Charge,
        usd(12_450),
        usd(401),
    )
    .with_source(payment());
    let fees = transaction.fees.clone();
    assert_eq!(transaction, BalanceTransaction { fees, description: "Order\u{fffd} 9".into(), ..expected });
}

#[tokio::test]
async fn a_row_that_contradicts_itself_is_read_as_it_is() {
    let read = read(row(&json!({ "fee": 392 }))).await.transaction;
    assert!(read.check().is_err());
    assert_eq!((read.fee.minor(), read.net.minor()), (392, 12_059));
}

/// Rows of each category, in a balance of the same currency and of another one.
#[tokio::test]
async fn the_amount_in_the_currency_of_the_payment_has_the_sign_of_the_row() {
    let to_refund = || Source::Refund { refund: RefundId::new("re_1").unwrap() };
    let to_dispute = || Source::Dispute { dispute: DisputeId::new("du_1").unwrap() };
    let eur = |minor| Some(SignedMoney::new(minor, Currency::Eur));
    let part = charge(10_000, 4_000, "eur");
    // A failed bank payment, whose charge has nothing captured any more.
    let failed = charge(10_000, 0, "eur");
    for (category, amount, source, to, presented) in [
        ("charge", 10_837, charge(10_000, 10_000, "eur"), payment(), eur(10_000)),
        ("charge", 4_335, part.clone(), payment(), eur(4_000)),
        ("charge", 10_837, part.clone(), payment(), eur(10_000)),
        ("charge", 3_251, part.clone(), payment(), None),
        ("partial_capture_reversal", -6_502, part, payment(), eur(-6_000)),
        ("partial_capture_reversal", -6_502, refund(6_000, "eur"), payment(), eur(-6_000)),
        ("charge", 10_837, failed.clone(), payment(), eur(10_000)),
        ("charge_failure", -10_837, failed, payment(), eur(-10_000)),
        ("charge_failure", -10_837, refund(10_000, "eur"), payment(), eur(-10_000)),
        ("refund", -5_419, refund(5_000, "eur"), to_refund(), eur(-5_000)),
        ("refund_failure", 5_419, refund(5_000, "eur"), to_refund(), eur(5_000)),
        ("dispute", -10_837, dispute(10_000, "eur"), to_dispute(), eur(-10_000)),
        ("dispute_reversal", 10_837, dispute(10_000, "eur"), to_dispute(), eur(10_000)),
        ("dispute_reversal", 5_419, dispute(10_000, "eur"), to_dispute(), None),
        // A fee is not the amount of its payment or dispute.
        ("fee", -1_500, dispute(10_000, "eur"), to_dispute(), None),
        ("other_adjustment", 10_837, charge(10_000, 10_000, "eur"), payment(), None),
        ("charge", 10_000, charge(10_000, 10_000, "usd"), payment(), None),
        ("refund", -500, refund(500, "usd"), to_refund(), None),
        // A currency that no order can have.
        ("charge", 10_837, charge(10_000, 10_000, "usdc"), payment(), None),
        ("charge", 0, charge(10_000, 10_000, "eur"), payment(), None),
    ] {
        let read = moved_by(category, amount, &source, json!(1.0837)).await;
        assert_eq!((&read.transaction.source, read.intent), (&to, Some(pi())), "{category} {amount}");
        assert_eq!(read.transaction.amount, SignedMoney::new(amount, Currency::Usd));
        assert_eq!(read.transaction.presented, presented, "{category} {amount}");
    }
}

/// A row of a dollar balance.
async fn moved_by(category: &str, amount: i64, source: &Value, rate: Value) -> ReportedTransaction {
    let changes = json!({ "reporting_category": category, "exchange_rate": rate, "source": source });
    read(with(row(&amounts(amount, "usd")), &changes)).await
}

#[tokio::test]
async fn without_a_rate_the_usual_amount_of_the_source_is_taken() {
    for (category, amount, source, presented) in [
        ("charge", 4_335, charge(10_000, 4_000, "eur"), Some(4_000)),
        ("charge", 10_837, charge(10_000, 0, "eur"), Some(10_000)),
        ("partial_capture_reversal", -6_502, charge(10_000, 4_000, "eur"), Some(-6_000)),
        ("refund", -5_419, refund(5_000, "eur"), Some(-5_000)),
        ("dispute_reversal", 5_419, dispute(10_000, "eur"), Some(10_000)),
        ("fee", -1_500, dispute(10_000, "eur"), None),
        ("dispute", 0, dispute(10_000, "eur"), None),
    ] {
        let read = moved_by(category, amount, &source, Value::Null).await.transaction;
        assert_eq!(read.presented, presented.map(|it| SignedMoney::new(it, Currency::Eur)), "{category} {amount}");
    }
}

#[tokio::test]
async fn amounts_have_the_digits_of_their_currency() {
    for (currency, wire, rate, (settled, amount), minor, presented) in [
        (Currency::Jpy, 15_000, json!(0.6723), (Currency::Usd, 10_085), 10_085, 15_000),
        (Currency::Kwd, 12_340, json!(0.325), (Currency::Usd, 4_011), 4_011, 12_340),
        (Currency::Usd, 10_085, json!(1.4874), (Currency::Jpy, 15_000), 15_000, 10_085),
        (Currency::Isk, 50_000, json!(0.00725), (Currency::Usd, 363), 363, 500),
        (Currency::Usd, 500, json!(137.9), (Currency::Isk, 68_900), 689, 500),
    ] {
        let source = charge(wire, wire, currency.code());
        let moved = with(row(&amounts(amount, settled.code())), &json!({ "exchange_rate": rate, "source": source }));
        let read = read(moved).await.transaction;
        assert_eq!(read.net, SignedMoney::new(minor, settled), "{currency}");
        assert_eq!(read.presented, Some(SignedMoney::new(presented, currency)), "{currency}");
    }
}

#[tokio::test]
async fn a_source_is_known_by_its_object_or_by_its_prefix() {
    let other = |id: &str| Source::Other { id: id.into() };
    let unpaid = with(charge(500, 500, "usd"), &json!({ "payment_intent": null }));
    let foreign_id = with(charge(500, 500, "usd"), &json!({ "payment_intent": "gone/1" }));
    let whole_intent = json!({ "id": "pi_1", "object": "payment_intent", "amount": 500, "currency": "usd",
        "status": "succeeded", "livemode": false, "created": 1 });
    let expanded_twice = with(charge(500, 500, "usd"), &json!({ "payment_intent": whole_intent }));
    let payout = Source::Payout { payout: PayoutId::new("po_1").unwrap() };
    for (source, expected, intent) in [
        (Value::Null, Source::None, None),
        (json!("ch_1"), other("ch_1"), None),
        (json!("py_1"), other("py_1"), None),
        (json!("re_1"), Source::Refund { refund: RefundId::new("re_1").unwrap() }, None),
        (json!("pyr_1"), Source::Refund { refund: RefundId::new("pyr_1").unwrap() }, None),
        (json!("du_1"), Source::Dispute { dispute: DisputeId::new("du_1").unwrap() }, None),
        (json!("dp_1"), Source::Dispute { dispute: DisputeId::new("dp_1").unwrap() }, None),
        (json!("po_1"), payout.clone(), None),
        (json!("re_"), Source::Refund { refund: RefundId::new("re_").unwrap() }, None),
        (json!("po/1"), other("po/1"), None),
        (json!("tu_1"), other("tu_1"), None),
        (json!({ "id": "po_1", "object": "payout", "amount": 500 }), payout, None),
        (json!({ "id": "tu_1", "object": "topup", "amount": "of a new shape" }), other("tu_1"), None),
        (unpaid, other("ch_1"), None),
        (foreign_id, other("ch_1"), None),
        (expanded_twice, payment(), Some(pi())),
        (charge(500, 500, "usd"), payment(), Some(pi())),
    ] {
        let read = read(row(&json!({ "source": source }))).await;
        assert_eq!((read.transaction.source, read.intent), (expected, intent), "{source}");
    }
}

#[tokio::test]
async fn each_balance_and_category_is_read() {
    for balance in BalanceType::ALL {
        let read = read(row(&json!({ "balance_type": balance.name() }))).await.transaction;
        assert_eq!(read.balance, balance);
    }
    for category in ["payout_minimum_balance_hold", "risk_reserved_funds", "climate_order_purchase"] {
        let read = read(row(&json!({ "reporting_category": category, "source": null }))).await.transaction;
        assert_eq!(read.category.as_str(), category);
    }
}

#[tokio::test]
async fn a_row_that_the_books_cannot_hold_is_told_apart_from_the_others() {
    let no_fee = |name: &str| {
        let mut row = row(&json!({}));
        row.as_object_mut().unwrap().remove(name);
        row
    };
    for wrong in [
        row(&json!({ "balance_type": "petty_cash" })),
        row(&json!({ "reporting_category": "" })),
        row(&json!({ "reporting_category": "a\u{7}" })),
        row(&json!({ "reporting_category": "x".repeat(101) })),
        row(&json!({ "fee": i64::MIN })),
        row(&json!({ "net": i64::MIN })),
        row(&json!({ "fee_details": [{ "amount": 1, "currency": "usdc", "type": "tax" }] })),
        row(&json!({ "fee_details": [{ "amount": 105, "currency": "isk", "type": "tax" }] })),
        row(&json!({ "currency": "usdc" })),
        row(&json!({ "currency": "isk", "amount": 105 })),
        row(&json!({ "amount": "12.50" })),
        row(&json!({ "source": { "object": "charge", "id": "ch_1", "amount": "12.50", "currency": "usd" } })),
        row(&json!({ "source": with(charge(105, 105, "isk"), &json!({})), "amount": 105, "exchange_rate": 1.0 })),
        row(&json!({ "source": 7 })),
        no_fee("net"),
    ] {
        let page = read_page(&[row(&json!({ "id": "txn_2" })), wrong.clone(), row(&json!({ "id": "txn_0" }))]).await;
        let read: Vec<_> = page.items.iter().map(|it| it.transaction.id.as_str()).collect();
        let [refused] = page.refused.as_slice() else { panic!("{wrong}: {page:?}") };
        assert_eq!((read, refused.id.as_str(), refused.created), (vec!["txn_2", "txn_0"], "txn_1", Some(at(NOW - 60))));
        assert!(refused.problem.starts_with("txn_1: "), "{refused:?}");
    }
    for (wrong, id, created) in [
        (json!({ "id": "txn/1\n" }), "txn/1", Some(at(NOW - 60))),
        (json!({ "id": "x".repeat(300) }), "x".repeat(255).as_str(), Some(at(NOW - 60))),
        (json!({ "id": null }), "an object without an id", Some(at(NOW - 60))),
        (json!({ "created": -1 }), "txn_1", None),
        (json!({ "created": "yesterday" }), "txn_1", None),
    ] {
        let refused = read_page(&[row(&wrong)]).await.refused.remove(0);
        assert_eq!((refused.id.as_str(), refused.created), (id, created), "{refused:?}");
    }
}

/// PostgreSQL cannot store U+0000.
#[tokio::test]
async fn no_text_of_an_answer_has_u0000() {
    let fees = json!([{ "amount": 391, "currency": "usd", "type": "stripe\0_fee", "description": "\0" }]);
    let nul = json!({ "description": "\0Levy\0", "fee_details": fees, "reporting_category": "quantum\0_levy",
        "source": "x\0_1", "type": "adjust\0ment" });
    let transaction = read(row(&nul)).await.transaction;
    let texts = (transaction.category.as_str(), transaction.description.as_str(), transaction.fees[0].kind.as_str());
    assert_eq!(texts, ("quantum\u{fffd}_levy", "\u{fffd}Levy\u{fffd}", "stripe\u{fffd}_fee"));
    assert_eq!(transaction.source, Source::Other { id: "x\u{fffd}_1".into() });
    let refused = read_page(&[row(&json!({ "id": "txn\0_5" }))]).await.refused.remove(0);
    assert_eq!(refused.id, "txn\u{fffd}_5");
    let (server, gateway) = stripe().await;
    let nul = json!({ "failure_code": "a\0b", "trace_id": { "value": "T\0-1" } });
    answers(&server, ResponseTemplate::new(200).set_body_json(payout(&nul))).await;
    let read = gateway.payout(&PayoutId::new("po_1").unwrap()).await.unwrap();
    assert_eq!((read.failure_code.as_deref(), read.trace_id.as_deref()), (Some("a\u{fffd}b"), Some("T\u{fffd}-1")));
}

fn payout(changes: &Value) -> Value {
    let payout = json!({ "id": "po_1", "object": "payout", "amount": 10_162, "arrival_date": NOW + 86_400,
        "automatic": true, "balance_transaction": "txn_9", "created": NOW - 60, "currency": "usd",
        "failure_balance_transaction": null, "failure_code": null, "livemode": false, "method": "standard",
        "reconciliation_status": "completed", "source_type": "card", "status": "paid",
        "trace_id": { "status": "supported", "value": "T-1" }, "type": "bank_account" });
    with(payout, changes)
}

#[tokio::test]
async fn a_payout_is_read_in_each_status() {
    let expected = Payout {
        id: PayoutId::new("po_1").unwrap(),
        amount: SignedMoney::new(10_162, Currency::Usd),
        created: at(NOW - 60),
        arrival: at(NOW + 86_400),
        status: PayoutStatus::Paid,
        automatic: true,
        reconciliation: Reconciliation::Completed,
        balance_transaction: BalanceTransactionId::new("txn_9").ok(),
        failure_balance_transaction: None,
        failure_code: None,
        trace_id: Some("T-1".into()),
    };
    let failed = Payout {
        status: PayoutStatus::Failed,
        failure_balance_transaction: BalanceTransactionId::new("txn_10").ok(),
        failure_code: Some("account_closed".into()),
        ..expected.clone()
    };
    let debit = Payout {
        amount: SignedMoney::new(-500, Currency::Jpy),
        automatic: false,
        reconciliation: Reconciliation::NotApplicable,
        trace_id: None,
        ..expected.clone()
    };
    let failure = json!({ "status": "failed", "failure_balance_transaction": "txn_10",
        "failure_code": "account_closed" });
    let by_hand = json!({ "amount": -500, "currency": "jpy", "automatic": false, "trace_id": null,
        "reconciliation_status": "not_applicable" });
    for (changes, expected) in [(json!({}), expected.clone()), (failure, failed), (by_hand, debit)] {
        let (server, gateway) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(payout(&changes))).await;
        assert_eq!(gateway.payout(&expected.id).await.unwrap(), expected);
        assert_eq!(urls(&server).await, ["/v1/payouts/po_1?"]);
    }
    for (field, value) in
        [("status", "on_a_pigeon"), ("reconciliation_status", "unheard_of"), ("currency", "usdc"), ("created", "x")]
    {
        let (server, gateway) = stripe().await;
        answers(&server, ResponseTemplate::new(200).set_body_json(payout(&json!({ field: value })))).await;
        let read = gateway.payout(&expected.id).await;
        assert!(matches!(&read, Err(GatewayError::NotUnderstood(it)) if it.starts_with("po_1: ")), "{read:?}");
        let (server, gateway) = stripe().await;
        answers(&server, list(&[payout(&json!({ field: value })), payout(&json!({ "id": "po_2" }))], false)).await;
        let page = gateway.payouts(range(), None).await.unwrap();
        assert_eq!((page.items.len(), page.refused.len(), page.refused[0].id.as_str()), (1, 1, "po_1"), "{page:?}");
    }
}

#[tokio::test]
async fn payouts_are_listed_by_their_creation() {
    let (server, gateway) = stripe().await;
    answers(&server, list(&[payout(&json!({ "id": "po_2" })), payout(&json!({}))], true)).await;
    let page = gateway.payouts(range(), Some("po_3")).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|it| it.id.as_str()).collect();
    assert_eq!((ids, page.next.as_deref()), (vec!["po_2", "po_1"], Some("po_1")));
    let query = "/v1/payouts?created[gte]=1743328650&created[lt]=1743415050&limit=100&starting_after=po_3";
    assert_eq!(urls(&server).await, [query]);
}

#[tokio::test]
async fn the_members_of_a_payout_are_read_without_its_own_row() {
    let (server, gateway) = stripe().await;
    let own = |id: &str, kind: &str| row(&json!({ "id": id, "type": kind, "source": "po_1" }));
    let returned = row(&json!({ "id": "txn_4", "type": "payout_failure", "source": "po_0" }));
    let rows = [
        row(&json!({ "id": "txn_5" })),
        row(&json!({ "id": "txn_6", "balance_type": "new" })),
        returned,
        row(&json!({ "id": "txn_3", "type": "stripe_fee", "source": null })),
        own("txn_2", "stripe_fee"),
        own("txn_1", "payout"),
    ];
    answers(&server, list(&rows, true)).await;
    let po = PayoutId::new("po_1").unwrap();
    let page = gateway.members(&po, Some("txn_6")).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|it| it.id.as_str()).collect();
    assert_eq!((ids, page.next.as_deref()), (vec!["txn_5", "txn_6", "txn_4", "txn_3", "txn_2"], Some("txn_1")));
    let can_be_held: Vec<_> = page.items.iter().map(|it| it.transaction.is_some()).collect();
    assert_eq!(can_be_held, [true, false, true, true, true]);
    let query = "/v1/balance_transactions?payout=po_1&limit=100&starting_after=txn_6&expand[0]=data.source";
    assert_eq!(urls(&server).await, [query]);
    let (server, gateway) = stripe().await;
    answers(&server, list(&[row(&json!({ "id": "txn/1" })), row(&json!({}))], false)).await;
    let page = gateway.members(&po, None).await.unwrap();
    assert_eq!((page.items.len(), page.refused[0].id.as_str()), (1, "txn/1"), "{page:?}");
    let not_a_payout = gateway.members(&PayoutId::new("x").unwrap(), None).await;
    assert!(matches!(not_a_payout, Err(GatewayError::NotFound(_))));
}

#[tokio::test]
async fn the_sums_of_each_balance_are_read() {
    let of = |amount: i64, currency: &str| json!({ "amount": amount, "currency": currency, "source_types": {} });
    let balance = json!({ "object": "balance", "livemode": false,
        "available": [of(-4_750, "usd"), of(500, "jpy"), of(0, "usdc")],
        "pending": [of(14_912, "usd"), of(12_340, "kwd"), of(0, "usdc")],
        "instant_available": [of(1, "usd")], "connect_reserved": [of(9, "usd")],
        "issuing": { "available": [of(700, "usd")] },
        "refund_and_dispute_prefunding": { "available": [of(100, "usd")], "pending": [of(50, "usd")] } });
    let (server, gateway) = stripe().await;
    answers(&server, ResponseTemplate::new(200).set_body_json(balance)).await;
    let sum = |balance, currency, available, pending| BalanceSum {
        balance,
        available: SignedMoney::new(available, currency),
        pending: SignedMoney::new(pending, currency),
    };
    let expected = [
        sum(BalanceType::Payments, Currency::Usd, -4_750, 14_912),
        sum(BalanceType::Payments, Currency::Jpy, 500, 0),
        sum(BalanceType::Payments, Currency::Kwd, 0, 12_340),
        sum(BalanceType::RefundAndDisputePrefunding, Currency::Usd, 100, 50),
        sum(BalanceType::Issuing, Currency::Usd, 700, 0),
    ];
    assert_eq!(gateway.balance().await.unwrap(), expected);
    assert_eq!(urls(&server).await, ["/v1/balance?"]);
    for (available, expected) in [
        // More than an order can have: ten thousand orders in rupiahs.
        (
            json!([of(1_800_000_000_000, "idr")]),
            Some(vec![sum(BalanceType::Payments, Currency::Idr, 1_800_000_000_000, 0)]),
        ),
        (json!([of(1, "usdc"), of(500, "jpy")]), Some(vec![sum(BalanceType::Payments, Currency::Jpy, 500, 0)])),
        (json!([of(105, "isk")]), Some(vec![])),
        (json!("none"), None),
    ] {
        let (server, gateway) = stripe().await;
        let balance = json!({ "object": "balance", "available": available, "pending": [] });
        answers(&server, ResponseTemplate::new(200).set_body_json(balance)).await;
        match (gateway.balance().await, expected) {
            (Ok(read), Some(expected)) => assert_eq!(read, expected, "{available}"),
            (read, expected) => {
                assert!(matches!(read, Err(GatewayError::NotUnderstood(_))) && expected.is_none(), "{read:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_says_what_can_be_done_about_it() {
    let error = |status: u16, kind: &str, code: &str| {
        let body = json!({ "error": { "type": kind, "code": code, "message": "No." } });
        ResponseTemplate::new(status).set_body_json(body)
    };
    let po = PayoutId::new("po_1").unwrap();
    let busy: fn(&GatewayError) -> bool = |it| matches!(it, GatewayError::Busy(_));
    let misconfigured: fn(&GatewayError) -> bool = |it| matches!(it, GatewayError::Misconfigured(_));
    let unknown: fn(&GatewayError) -> bool = |it| matches!(it, GatewayError::Unknown(_));
    for (template, is_expected) in [
        (error(429, "invalid_request_error", "rate_limit"), busy),
        (error(401, "invalid_request_error", ""), misconfigured),
        (error(403, "invalid_request_error", ""), misconfigured),
        (error(500, "api_error", ""), unknown),
    ] {
        let (server, gateway) = stripe().await;
        answers(&server, template).await;
        let errors = [
            gateway.transactions(range(), None).await.unwrap_err(),
            gateway.payouts(range(), None).await.unwrap_err(),
            gateway.members(&po, None).await.unwrap_err(),
            gateway.payout(&po).await.unwrap_err(),
            gateway.balance().await.unwrap_err(),
        ];
        assert!(errors.iter().all(is_expected), "{errors:?}");
    }
    let (server, gateway) = stripe().await;
    answers(&server, error(404, "invalid_request_error", "resource_missing")).await;
    assert!(matches!(gateway.payout(&po).await, Err(GatewayError::NotFound(_))));
}
