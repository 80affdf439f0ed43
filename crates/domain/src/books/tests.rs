//! Tests of the books as a whole: figures that anybody can add up again, and entries of any amounts.

use proptest::prelude::*;

use super::*;
use crate::anomaly::Policies;
use crate::dispute::{Dispute, DisputeStatus};
use crate::id::{BalanceTransactionId, DisputeId, PayoutId, RefundId};
use crate::intent::{IntentPlan, IntentStatus, NewAcceptance};
use crate::money::{MoneyError, Percent};
use crate::order::tests::at;
use crate::order::{Adjustment, AdjustmentKind, ContentError, TaxRateDetails};
use crate::refund::{NewRefund, Refund, RefundStatus};
use crate::text::Text;
use crate::{Currency, Fact, IntentId, IntentSnapshot, LineItem, Money, NewOrder, Order, OrderId, Timestamp};

fn money(minor: i64, currency: Currency) -> Money {
    Money::new(minor, currency).unwrap()
}

fn usd(minor: i64) -> SignedMoney {
    SignedMoney::new(minor, Currency::Usd)
}

fn pi(name: &str) -> IntentId {
    IntentId::new(format!("pi_{name}")).unwrap()
}

/// Adjustment whose label may name the rate of a tax and its country: `VAT:19:DE`.
fn adjustment(kind: AdjustmentKind, label: &str, amount: Money) -> Adjustment {
    let tax = tax(label);
    Adjustment { tax_rate_details: tax.rate.filter(|_| kind.is_tax()), ..Adjustment::new(kind, tax.label, amount) }
}

/// Tax of a name as the account shows it.
fn tax(name: &str) -> TaxName {
    let mut parts = name.split(':');
    let (label, percent, country) = (parts.next().unwrap(), parts.next(), parts.next());
    let country = country.map(|it| it.parse().unwrap());
    let rate = percent.map(|it| TaxRateDetails { percent: Percent::parse(it).unwrap(), country });
    TaxName { label: Text::new(label).unwrap(), rate }
}

fn paid(lines: &[(i64, u32)], adjustments: &[(AdjustmentKind, &str, i64)], currency: Currency, by: &IntentId) -> Order {
    try_paid(lines, adjustments, currency, by).unwrap()
}

/// Order that was paid by a PaymentIntent, if an order can have this content.
fn try_paid(
    lines: &[(i64, u32)],
    adjustments: &[(AdjustmentKind, &str, i64)],
    currency: Currency,
    by: &IntentId,
) -> Result<Order, ContentError> {
    let lines = lines.iter().map(|(unit, quantity)| LineItem::new("x", money(*unit, currency), *quantity).unwrap());
    let adjustments =
        adjustments.iter().map(|(kind, label, amount)| adjustment(*kind, label, money(*amount, currency)));
    let new = NewOrder { lines: lines.collect(), adjustments: adjustments.collect(), ..NewOrder::empty(currency) };
    let order = Order::place(OrderId(uuid::Uuid::from_u128(9)), new, at(100))?.order;
    let IntentPlan::Create { decision: Some(requested), .. } = order.request_intent(at(200)).unwrap() else {
        panic!("a new order requests an intent")
    };
    let created = IntentSnapshot::new(by.clone(), order.id, order.total, at(300));
    let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..created };
    Ok(requested.order.settle(&paid, &Policies::DEFAULT, at(301)).unwrap().order)
}

/// Refund of an order's payment as the first one, under an id of Stripe's.
fn refund(order: &Order, amount: Money, id: &str) -> Refund {
    let intent = order.intents.first().unwrap().id.clone();
    let new = NewRefund { amount: Some(amount), ..NewRefund::default() };
    let (decision, number) = order.refund(&new, at(400)).unwrap();
    let mut refund = decision.order.refund_numbered(number).unwrap().clone();
    assert_eq!(refund.intent, intent);
    refund.provider_id = Some(RefundId::new(id).unwrap());
    refund.status = RefundStatus::Succeeded;
    refund
}

fn dispute(id: &str, intent: &IntentId, amount: Money) -> Dispute {
    Dispute {
        id: DisputeId::new(id).unwrap(),
        intent: intent.clone(),
        amount,
        status: DisputeStatus::Lost,
        reason: "fraudulent".into(),
        due_by: None,
        withdrawn: true,
        reinstated: false,
    }
}

fn row(id: u32, category: ReportingCategory, amount: i64, fee: i64, source: Source) -> BalanceTransaction {
    let id = BalanceTransactionId::new(format!("txn_{id}")).unwrap();
    BalanceTransaction::new(id, at(500), category, usd(amount), usd(fee)).with_source(source)
}

/// Books of several entries.
struct Books(Vec<Entry>);

impl Books {
    fn balance(&self, account: &Account) -> i64 {
        self.0.iter().map(|it| it.sum_of(account, Currency::Usd).minor()).sum()
    }

    /// Objects whose clearing account is not zero.
    fn open_items(&self) -> Vec<String> {
        let mut accounts: Vec<&Account> = self.0.iter().flat_map(Entry::postings).map(|it| &it.account).collect();
        accounts.sort();
        accounts.dedup();
        let is_open = |it: &&&Account| matches!(it, Account::Clearing(_)) && self.balance(it) != 0;
        accounts.iter().filter(is_open).map(ToString::to_string).collect()
    }
}

/// Three sales of 124.50, 10.00 and 20.00; a refund of 12.50 of the first, one of the second that fails later, and a lost
/// dispute of the third with a fee of 15.00; then a payout of all that is left.
fn a_month() -> Books {
    let mut entries = Vec::new();
    let mut rows = 0;
    let mut book = |category, amount, fee, source: &Source| {
        rows += 1;
        Entry::of_balance_transaction(&row(rows, category, amount, fee, source.clone())).unwrap()
    };
    let mut orders = Vec::new();
    for (name, total, fee) in [("a", 12_450, 391), ("b", 1_000, 59), ("c", 2_000, 88)] {
        let intent = pi(name);
        let order = paid(&[(total, 1)], &[], Currency::Usd, &intent);
        entries.push(Entry::of_payment(&order, &intent, money(0, Currency::Usd), order.total).unwrap());
        entries.push(book(ReportingCategory::Charge, total, fee, &Source::Payment { intent: intent.clone() }));
        orders.push(order);
    }
    for (order, amount, id, fails) in [(&orders[0], 1_250, "re_a", false), (&orders[1], 1_000, "re_b", true)] {
        let source = Source::Refund { refund: RefundId::new(id).unwrap() };
        let refund = refund(order, money(amount, Currency::Usd), id);
        let entry = Entry::of_refund(order, &refund, money(0, Currency::Usd)).unwrap().unwrap();
        entries.push(book(ReportingCategory::Refund, -amount, 0, &source));
        if fails {
            entries.push(entry.reversed().unwrap());
            entries.push(book(ReportingCategory::RefundFailure, amount, 0, &source));
        }
        entries.push(entry);
    }
    let disputed = dispute("du_c", &pi("c"), money(2_000, Currency::Usd));
    let source = Source::Dispute { dispute: disputed.id.clone() };
    entries.push(Entry::of_dispute(&disputed).unwrap());
    entries.push(book(ReportingCategory::Dispute, -2_000, 1_500, &source));
    let payout = Source::Payout { payout: PayoutId::new("po_1").unwrap() };
    entries.push(book(ReportingCategory::Payout, -10_162, 0, &payout));
    Books(entries)
}

#[test]
fn the_books_of_a_month_have_the_figures_of_its_movements() {
    let books = a_month();
    assert_eq!(books.open_items(), [""; 0]);
    for (account, balance) in [
        (Account::Balance(BalanceType::Payments), 0),
        (Account::PayoutsInTransit, 10_162),
        (Account::Sales(SalesPart::Goods), -15_450),
        (Account::Refunds(SalesPart::Goods), 1_250),
        (Account::Fees(FeeKind::Payment), 538),
        (Account::Fees(FeeKind::Dispute), 1_500),
        (Account::Disputes, 2_000),
    ] {
        assert_eq!(books.balance(&account), balance, "{account}");
    }
}

#[test]
fn a_movement_that_is_missing_or_differs_leaves_its_object_open() {
    let Books(entries) = a_month();
    let balance = Account::Balance(BalanceType::Payments);
    for missing in 0..entries.len() {
        let (mut rest, payout) = (entries.clone(), Account::PayoutsInTransit);
        let entry = rest.remove(missing);
        let books = Books(rest);
        let is_payout = entry.postings().iter().any(|it| it.account == payout);
        assert_eq!(books.open_items().len(), usize::from(!is_payout), "{entry:?}");
        let is_of_stripe = entry.postings().iter().any(|it| it.account == balance);
        assert_eq!(books.balance(&balance) != 0, is_of_stripe, "{entry:?}");
    }
}

#[test]
fn a_sale_is_divided_into_goods_shipping_discounts_and_taxes() {
    use AdjustmentKind::{Discount, Shipping, Tax, TaxIncluded};
    let adjustments = [
        (Discount, "welcome", 1_000),
        (Shipping, "post", 500),
        (TaxIncluded, "VAT:19:DE", 1_017),
        (TaxIncluded, "VAT:7:DE", 300),
        (TaxIncluded, "VAT:19:DE", 100),
        (TaxIncluded, "VAT:19", 80),
        (TaxIncluded, "VAT", 20),
        (Tax, "Fee", 100),
        (Tax, "Export:0:CH", 0),
    ];
    let order = paid(&[(5_000, 2)], &adjustments, Currency::Eur, &pi("1"));
    let zero = money(0, Currency::Eur);
    let entry = Entry::of_payment(&order, &pi("1"), zero, order.total).unwrap();
    let of = |part| entry.sum_of(&Account::Sales(part), Currency::Eur).minor();
    let of_tax = |name: &str| of(SalesPart::Tax(tax(name)));
    assert_eq!(of(SalesPart::Goods), -10_000 + 1_437);
    assert_eq!(of(SalesPart::Shipping), -500 + 80);
    assert_eq!((of(SalesPart::Discounts), of_tax("Fee"), of_tax("VAT:7:DE")), (1_000, -100, -300));
    assert_eq!((of_tax("VAT:19:DE"), of_tax("VAT:19"), of_tax("VAT")), (-1_117, -80, -20));
    let accounts: Vec<_> = entry.postings().iter().map(|it| it.account.to_string()).collect();
    let taxes = ["VAT:19:DE", "VAT:7:DE", "VAT:19", "VAT", "Fee", "Export:0:CH"].map(|it| format!("sales:tax:{it}"));
    assert_eq!(accounts[4..], taxes);
    // A share of zero still names the tax.
    let refund = Entry::of_refund(&order, &refund(&order, money(1, Currency::Eur), "re_1"), zero).unwrap().unwrap();
    assert_eq!(refund.postings().iter().filter(|it| it.account.tax().is_some()).count(), taxes.len());
    assert_eq!(refund.postings().iter().filter(|it| it.amount.is_zero()).count(), taxes.len());
    assert_eq!(entry.sum_of(&Account::Clearing(Source::Payment { intent: pi("1") }), Currency::Eur).minor(), 9_600);
}

#[test]
fn an_order_that_settles_in_another_currency_goes_through_the_exchange() {
    let charge = row(1, ReportingCategory::Charge, 10_837, 344, Source::Payment { intent: pi("1") });
    let charge = BalanceTransaction { presented: Some(SignedMoney::new(10_000, Currency::Eur)), ..charge };
    let entry = Entry::of_balance_transaction(&charge).unwrap();
    let clearing = Account::Clearing(Source::Payment { intent: pi("1") });
    assert_eq!(entry.sum_of(&clearing, Currency::Eur).minor(), -10_000);
    assert_eq!(entry.sum_of(&clearing, Currency::Usd).minor(), 0);
    assert_eq!(entry.sum_of(&Account::Exchange, Currency::Eur).minor(), 10_000);
    assert_eq!(entry.sum_of(&Account::Exchange, Currency::Usd).minor(), -10_837);
    assert_eq!(entry.sum_of(&Account::Balance(BalanceType::Payments), Currency::Usd).minor(), 10_493);
}

#[test]
fn a_partial_capture_may_be_one_row_or_two() {
    let source = Source::Payment { intent: pi("1") };
    let book = |category, amount, fee| Entry::of_balance_transaction(&row(1, category, amount, fee, source.clone()));
    let one = Books(vec![book(ReportingCategory::Charge, 4_000, 146).unwrap()]);
    let two = Books(vec![
        book(ReportingCategory::Charge, 10_000, 320).unwrap(),
        book(ReportingCategory::PartialCaptureReversal, -6_000, -174).unwrap(),
    ]);
    for account in
        [Account::Balance(BalanceType::Payments), Account::Fees(FeeKind::Payment), Account::Clearing(source.clone())]
    {
        assert_eq!(one.balance(&account), two.balance(&account), "{account}");
    }
}

#[test]
fn each_kind_of_movement_and_fee_has_its_account() {
    let fee = |kind: &str, amount| Fee { kind: kind.into(), amount: usd(amount) };
    let fees = vec![fee("stripe_fee", 30), fee("tax", 6), fee("payment_method_passthrough_fee", 4), fee("new", 1)];
    let charge = row(1, ReportingCategory::Charge, 1_000, 41, Source::None);
    let entry = Entry::of_balance_transaction(&BalanceTransaction { fees, ..charge }).unwrap();
    let of = |account| entry.sum_of(&account, Currency::Usd).minor();
    assert_eq!(of(Account::Fees(FeeKind::Payment)), 31);
    assert_eq!((of(Account::TaxOnFees), of(Account::Fees(FeeKind::Network))), (6, 4));

    let new: ReportingCategory = "climate_order_purchase".parse().unwrap();
    for (category, description, account) in [
        (ReportingCategory::Fee, "Radar (2026-11-24)", Account::Fees(FeeKind::Service)),
        (ReportingCategory::Fee, "Dispute countered fee (2026-11-24)", Account::Fees(FeeKind::Dispute)),
        (ReportingCategory::NetworkCost, "", Account::Fees(FeeKind::Network)),
        (ReportingCategory::Tax, "", Account::TaxOnFees),
        (ReportingCategory::PayoutReversal, "", Account::PayoutsInTransit),
        (ReportingCategory::PayoutMinimumBalanceHold, "", Account::MinimumBalance),
        (ReportingCategory::RiskReservedFunds, "", Account::Reserves),
        (new.clone(), "", Account::Other(new)),
    ] {
        let row = BalanceTransaction { description: description.into(), ..row(1, category, -700, 0, Source::None) };
        let entry = Entry::of_balance_transaction(&row).unwrap();
        assert_eq!(entry.sum_of(&account, Currency::Usd), usd(700), "{account}");
    }
}

#[test]
fn what_a_row_does_not_explain_is_booked_under_its_own_name() {
    let charge = row(1, ReportingCategory::Charge, 1_000, 59, Source::None);
    for (wrong, rest) in [
        (BalanceTransaction { net: usd(942), ..charge.clone() }, -1),
        (BalanceTransaction { fees: vec![], ..charge.clone() }, 59),
        (BalanceTransaction { amount: usd(1_001), ..charge.clone() }, 1),
        (charge.clone(), 0),
    ] {
        assert_eq!(wrong.check().is_ok(), rest == 0);
        let entry = Entry::of_balance_transaction(&wrong).unwrap();
        assert_eq!(entry.sum_of(&Account::Unexplained, Currency::Usd), usd(rest), "{wrong:?}");
        assert_eq!(entry.sum_of(&Account::Balance(BalanceType::Payments), Currency::Usd), wrong.net);
    }
    let wrong = BalanceTransaction { net: usd(942), ..charge.clone() };
    assert!(matches!(wrong.check(), Err(RowError::Net { .. })));
    let wrong = BalanceTransaction { fees: vec![], ..charge.clone() };
    assert!(matches!(wrong.check(), Err(RowError::Fees { .. })));
    let wrong = BalanceTransaction { fee: SignedMoney::new(59, Currency::Eur), ..charge };
    assert!(matches!(wrong.check(), Err(RowError::Money(_))));
}

#[test]
fn amounts_in_another_currency_than_the_rows_are_unexplained() {
    let charge = row(1, ReportingCategory::Charge, 1_000, 59, Source::None);
    let euros = |minor| SignedMoney::new(minor, Currency::Eur);
    let part = |amount| Fee { kind: "tax".into(), amount };
    let fees = vec![part(usd(39)), part(euros(20)), part(euros(7))];
    let wrong = BalanceTransaction { fees, ..charge.clone() };
    assert!(matches!(wrong.check(), Err(RowError::Money(_))));
    let entry = Entry::of_balance_transaction(&wrong).unwrap();
    let unexplained = |entry: &Entry, currency| entry.sum_of(&Account::Unexplained, currency).minor();
    assert_eq!((unexplained(&entry, Currency::Usd), unexplained(&entry, Currency::Eur)), (20, -27));
    assert_eq!(entry.sum_of(&Account::TaxOnFees, Currency::Eur), euros(27));
    assert_eq!(entry.sum_of(&Account::Balance(BalanceType::Payments), Currency::Usd), charge.net);
    let wrong = BalanceTransaction { net: euros(941), presented: Some(euros(900)), ..charge.clone() };
    let entry = Entry::of_balance_transaction(&wrong).unwrap();
    assert_eq!((unexplained(&entry, Currency::Usd), unexplained(&entry, Currency::Eur)), (941, -941));
    // Only sums that do not fit are refused.
    let largest = BalanceTransaction { amount: usd(i64::MIN), ..charge };
    assert_eq!(Entry::of_balance_transaction(&largest), Err(EntryError::Money(MoneyError::TooLarge)));
}

#[test]
fn money_that_did_not_pay_the_order_is_no_sale() {
    let order = paid(&[(5_000, 1)], &[], Currency::Usd, &pi("1"));
    let second = Entry::of_payment(&order, &pi("2"), money(0, Currency::Usd), order.total);
    assert_eq!(second, Err(EntryError::NotOfTheOrder));
    let more = Entry::of_payment(&order, &pi("1"), order.total, money(5_300, Currency::Usd)).unwrap();
    assert_eq!(more.sum_of(&Account::Sales(SalesPart::Unexpected), Currency::Usd), usd(-300));
}

/// Facts of an order whose payment was refunded twice, where the second refund failed, and was then disputed.
fn a_history(order: &Order) -> Vec<(Timestamp, Fact)> {
    let change =
        |refund, before, status| Fact::RefundChanged { refund, provider_id: None, before, status, failure: None };
    let dispute = DisputeId::new("du_1").unwrap();
    let disputed = |status, withdrawn, reinstated| {
        let before = DisputeStatus::NeedsResponse;
        Fact::DisputeChanged { dispute: dispute.clone(), before, status, withdrawn, reinstated }
    };
    let opened = Fact::DisputeOpened {
        dispute: dispute.clone(),
        intent: pi("1"),
        amount: order.total,
        reason: "fraudulent".into(),
        status: DisputeStatus::NeedsResponse,
    };
    let paid = IntentStatus::Succeeded;
    let facts = [
        Fact::IntentChanged { intent: pi("1"), before: IntentStatus::Processing, status: paid, last_error: None },
        Fact::OrderPaid { by: pi("1"), amount: order.total },
        change(1, RefundStatus::Requested, RefundStatus::Pending),
        change(1, RefundStatus::Pending, RefundStatus::Succeeded),
        change(2, RefundStatus::Requested, RefundStatus::Succeeded),
        change(2, RefundStatus::Succeeded, RefundStatus::Failed),
        opened,
        disputed(DisputeStatus::NeedsResponse, true, false),
        disputed(DisputeStatus::Won, true, true),
    ];
    (500..).map(at).zip(facts).collect()
}

#[test]
fn the_facts_of_an_order_expect_each_movement_once_and_its_return() {
    let paid = paid(&[(10_000, 1)], &[], Currency::Usd, &pi("1"));
    let refunds = [refund(&paid, money(400, Currency::Usd), "re_1"), refund(&paid, money(100, Currency::Usd), "re_2")];
    let dispute = Dispute { reinstated: true, ..dispute("du_1", &pi("1"), paid.total) };
    let mut data = paid.data.clone();
    data.refunds = refunds.into_iter().zip(1..).map(|(it, number)| Refund { number, ..it }).collect();
    data.disputes = vec![dispute];
    let order = Order::restore(data).unwrap();
    let facts = a_history(&order);
    let read = || facts.iter().map(|(at, fact)| (*at, fact));
    let expected = expected_by(&order, read()).unwrap();
    let ids: Vec<(&str, i64)> = expected.iter().map(|it| (it.id.as_str(), it.at.unix_seconds())).collect();
    assert_eq!(ids, [("pi_1", 500), ("re_1", 502), ("re_2", 504), ("re_2:2", 505), ("du_1", 506), ("du_1:2", 508)]);
    let entries = Books(expected.iter().map(|it| it.entry.clone()).collect());
    assert_eq!(entries.balance(&Account::Refunds(SalesPart::Goods)), 400);
    assert_eq!(entries.balance(&Account::Disputes), 0);
    assert_eq!(entries.open_items(), ["clearing:pi_1", "clearing:re_1"]);
    // Later facts add entries, and change none.
    for first in 0..facts.len() {
        let earlier = expected_by(&order, read().take(first)).unwrap();
        assert_eq!(earlier, expected[..earlier.len()]);
    }
}

/// Order of 100.00 plus 19.00 of tax whose payment has received another amount, which was accepted.
fn accepted(received: i64) -> Order {
    let lines = vec![LineItem::new("x", money(10_000, Currency::Usd), 1).unwrap()];
    let adjustments = vec![adjustment(AdjustmentKind::Tax, "VAT", money(1_900, Currency::Usd))];
    let new = NewOrder { lines, adjustments, ..NewOrder::empty(Currency::Usd) };
    let order = Order::place(OrderId(uuid::Uuid::from_u128(9)), new, at(100)).unwrap().order;
    let created = IntentSnapshot::new(pi("1"), order.id, order.total, at(300));
    let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: money(received, Currency::Usd), ..created };
    let held = order.settle(&paid, &Policies::DEFAULT, at(301)).unwrap().order;
    let acceptance = NewAcceptance { intent: None, amount: None, note: Text::new("enough").unwrap() };
    held.accept_payment(&acceptance, at(400)).unwrap().order
}

/// Facts of an accepted payment, with a refund before that, which failed later, and others until it failed and after.
fn facts_of_acceptance(order: &Order, until: u32, refunds: u32) -> Vec<(Timestamp, Fact)> {
    let change =
        |refund, before, status| Fact::RefundChanged { refund, provider_id: None, before, status, failure: None };
    let received = order.intents.first().unwrap().received;
    let succeeded = IntentStatus::Succeeded;
    let mut facts = vec![Fact::IntentChanged {
        intent: pi("1"),
        before: IntentStatus::Processing,
        status: succeeded,
        last_error: None,
    }];
    if refunds > 0 {
        facts.push(change(1, RefundStatus::Requested, RefundStatus::Succeeded));
    }
    let note = Text::new("enough").unwrap();
    facts.push(Fact::PaymentAccepted { intent: pi("1"), expected: order.total, received, note });
    facts.push(Fact::OrderPaid { by: pi("1"), amount: received });
    let made = |it| change(it, RefundStatus::Requested, RefundStatus::Succeeded);
    facts.extend((2..=until).map(made));
    if refunds > 0 {
        facts.push(change(1, RefundStatus::Succeeded, RefundStatus::Failed));
    }
    facts.extend((until + 1..=refunds).map(made));
    (500..).map(at).zip(facts).collect()
}

fn with_refunds(order: &Order, amounts: &[i64]) -> Order {
    let mut data = order.data.clone();
    let refunds = amounts.iter().zip(1..).map(|(amount, number)| {
        let made = refund(order, money(*amount, Currency::Usd), &format!("re_{number}"));
        Refund { number, ..made }
    });
    data.refunds = refunds.collect();
    if let Some(first) = data.refunds.first_mut() {
        first.status = RefundStatus::Failed;
    }
    Order::restore(data).unwrap()
}

#[test]
fn an_accepted_payment_is_the_whole_sale_and_a_difference() {
    let tax = SalesPart::Tax(tax("VAT"));
    for (received, difference) in [(11_000, 900), (12_500, -600)] {
        let order = accepted(received);
        let facts = facts_of_acceptance(&order, 0, 0);
        let expected = expected_by(&order, facts.iter().map(|(at, fact)| (*at, fact))).unwrap();
        let ids: Vec<(&str, i64)> = expected.iter().map(|it| (it.id.as_str(), it.at.unix_seconds())).collect();
        assert_eq!(ids, [("pi_1", 500), ("pi_1:accepted", 501)]);
        assert_eq!(
            Books(expected.iter().take(1).map(|it| it.entry.clone()).collect())
                .balance(&Account::Sales(SalesPart::Unexpected)),
            -received
        );
        let books = Books(expected.iter().map(|it| it.entry.clone()).collect());
        assert_eq!(books.balance(&Account::Sales(SalesPart::Unexpected)), 0);
        assert_eq!(books.balance(&Account::Sales(SalesPart::Goods)), -10_000);
        assert_eq!(books.balance(&Account::Sales(tax.clone())), -1_900);
        assert_eq!(books.balance(&Account::PaymentDifferences), difference);
        assert_eq!(books.balance(&Account::Clearing(Source::Payment { intent: pi("1") })), received);
        // The same payment in one entry, as it is booked where its acceptance came first.
        let whole =
            Entry::of_payment(&order, &pi("1"), money(0, Currency::Usd), money(received, Currency::Usd)).unwrap();
        let whole = Books(vec![whole]);
        assert_eq!(whole.balance(&Account::Sales(tax.clone())), -1_900);
        assert_eq!(whole.balance(&Account::PaymentDifferences), difference);
    }
}

#[test]
fn refunds_of_an_accepted_payment_undo_its_sale_and_its_difference() {
    let tax = Account::Refunds(SalesPart::Tax(tax("VAT")));
    let goods = Account::Refunds(SalesPart::Goods);
    // Amount received, refunds (the first of them before the acceptance; it fails after so many), and what is left booked of
    // goods, tax and difference.
    for (received, refunds, until, left) in [
        // What is missing of the total goes with the last of the money.
        (11_000, &[1_190, 9_810][..], 2, [8_244, 1_566, 900]),
        (11_000, &[500][..], 1, [0, 0, 900]),
        // What is above the total is refunded first.
        (12_500, &[600, 1_190][..], 2, [496, 94, 0]),
        // All of the money, after a refund that came back: nothing is left.
        (11_000, &[2_000, 8_000, 3_000][..], 2, [10_000, 1_900, 0]),
        (12_500, &[600, 11_900, 600][..], 2, [10_000, 1_900, 0]),
        (12_500, &[1_000, 300, 12_200][..], 2, [10_000, 1_900, 0]),
    ] {
        let order = with_refunds(&accepted(received), refunds);
        let count = u32::try_from(refunds.len()).unwrap();
        let facts = facts_of_acceptance(&order, until, count);
        let expected = expected_by(&order, facts.iter().map(|(at, fact)| (*at, fact))).unwrap();
        let books = Books(expected.iter().map(|it| it.entry.clone()).collect());
        for account in [Account::Sales(SalesPart::Unexpected), Account::Refunds(SalesPart::Unexpected)] {
            assert_eq!(books.balance(&account), 0, "{account}");
        }
        let balances = [books.balance(&goods), books.balance(&tax), books.balance(&Account::PaymentDifferences)];
        assert_eq!(balances, left, "{refunds:?} of {received}");
    }
}

fn categories() -> impl Strategy<Value = ReportingCategory> {
    let known = prop::sample::select(vec![
        "charge",
        "charge_failure",
        "partial_capture_reversal",
        "refund",
        "refund_failure",
        "dispute",
        "dispute_reversal",
        "fee",
        "network_cost",
        "tax",
        "payout",
        "payout_reversal",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
        "risk_reserved_funds",
        "topup",
    ]);
    prop_oneof![known.prop_map(|it| it.parse().unwrap()), "[a-z_]{1,20}".prop_map(|it| it.parse().unwrap())]
}

fn row_of_any_kind() -> impl Strategy<Value = BalanceTransaction> {
    let kinds = prop::sample::select(vec!["stripe_fee", "tax", "withheld_tax", "application_fee", "x"]);
    let currencies = prop::sample::select(vec![Currency::Usd, Currency::Usd, Currency::Eur]);
    let fees = prop::collection::vec(((kinds, currencies), -1_000_i64..100_000), 0..4);
    let presented = prop::option::of((-9_000_000_i64..9_000_000, prop::sample::select(Currency::ALL)));
    (categories(), -9_000_000_i64..9_000_000, fees, prop::sample::select(BalanceType::ALL.to_vec()), presented)
        .prop_map(|(category, amount, fees, balance, presented)| {
            let fees: Vec<_> = fees
                .into_iter()
                .map(|((kind, of), fee)| Fee { kind: kind.into(), amount: SignedMoney::new(fee, of) })
                .collect();
            let fee = fees.iter().map(|it| it.amount.minor()).sum();
            let presented = presented.map(|(minor, currency)| SignedMoney::new(minor, currency));
            BalanceTransaction { balance, fees, presented, ..row(1, category, amount, fee, Source::None) }
        })
}

/// Names of taxes that differ in label, rate or country only.
const TAXES: [&str; 5] = ["a", "a:19", "a:19:DE", "a:19:AT", "b:19:DE"];

proptest! {
    #[test]
    fn any_rows_add_up_to_zero_in_each_currency_and_to_stripes_balance(
        rows in prop::collection::vec(row_of_any_kind(), 0..20),
    ) {
        let entries: Vec<_> = rows.iter().map(|it| Entry::of_balance_transaction(it).unwrap()).collect();
        for currency in Currency::ALL {
            let of_currency = entries.iter().flat_map(Entry::postings).filter(|it| it.amount.currency() == *currency);
            prop_assert_eq!(of_currency.map(|it| it.amount.minor()).sum::<i64>(), 0);
        }
        for balance in BalanceType::ALL {
            let net: i64 = rows.iter().filter(|it| it.balance == balance).map(|it| it.net.minor()).sum();
            prop_assert_eq!(Books(entries.clone()).balance(&Account::Balance(balance)), net);
        }
    }

    /// Refunds in any steps, and payments in any steps, are together what they are at once.
    #[test]
    fn steps_of_a_payment_add_up_to_the_payment(
        lines in prop::collection::vec((1_i64..50_000, 1_u32..4), 1..4),
        adjustments in prop::collection::vec(
            (prop::sample::select(AdjustmentKind::ALL.to_vec()), prop::sample::select(TAXES.to_vec()), 0_i64..20_000),
            0..7),
        steps in prop::collection::vec(0_u32..=100, 0..6),
    ) {
        let Ok(order) = try_paid(&lines, &adjustments, Currency::Usd, &pi("1")) else { return Ok(()) };
        let total = order.total.minor();
        let mut amounts: Vec<i64> = steps.iter().map(|it| total * i64::from(*it) / 100).collect();
        amounts.extend([0, total]);
        amounts.sort_unstable();
        let amounts: Vec<_> = amounts.into_iter().map(|it| money(it, Currency::Usd)).collect();
        let steps: Vec<_> = amounts
            .windows(2)
            .map(|it| Entry::of_payment(&order, &pi("1"), it[0], it[1]).unwrap())
            .collect();
        let at_once = Entry::of_payment(&order, &pi("1"), money(0, Currency::Usd), order.total).unwrap();
        for posting in at_once.postings() {
            prop_assert_eq!(Books(steps.clone()).balance(&posting.account), posting.amount.minor());
        }
        let whole = Books(vec![at_once]);
        for name in TAXES {
            let of_name = |it: &&(AdjustmentKind, &str, i64)| it.0.is_tax() && it.1 == name;
            let sum: i64 = adjustments.iter().filter(of_name).map(|it| it.2).sum();
            prop_assert_eq!(-whole.balance(&Account::Sales(SalesPart::Tax(tax(name)))), sum);
        }
    }
}
