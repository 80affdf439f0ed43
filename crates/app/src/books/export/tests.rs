use paywright_domain::books::{Account, BalanceType, Entry, Posting, SalesPart, SignedMoney, TaxName};
use paywright_domain::text::Text;
use paywright_domain::uuid::Uuid;
use paywright_domain::{Currency, OrderId};

use super::*;
use crate::books::samples::{day, opening, payment, payout, row, summary, with_source};

/// Day with an opening balance, the sale of an order in euros that settles in dollars, and a payout.
fn export(format: ExportFormat) -> String {
    let usd = |id, at, category, amounts| row(id, at, category, Currency::Usd, amounts);
    let euros = SignedMoney::new(10_000, Currency::Eur);
    let mut charge = with_source(usd("1", "2026-11-24T09:00:00Z", "charge", [10_837, 344]), payment("a"));
    charge.transaction.presented = Some(euros);
    charge.transaction.description = "Order of \"Ada\"; 2 mugs,\n1 pot".into();
    charge.intent = Some("pi_a".parse().unwrap());
    charge.order = Some(OrderId(Uuid::from_u128(9)));
    let payout = with_source(usd("2", "2026-11-24T10:00:00Z", "payout", [-10_000, 0]), payout("1"));
    let fee = usd("3", "2026-11-24T11:00:00Z", "fee", [0, 250]);
    let opening =
        opening(&[(BalanceType::Payments, 1_000, Currency::Usd), (BalanceType::RiskReserved, -5, Currency::Jpy)]);
    let rows = [charge, payout, fee];
    let at = rows[0].transaction.created;
    let entry = BookedEntry {
        id: "pi_a".into(),
        order: OrderId(Uuid::from_u128(9)),
        at,
        day: Some(day("2026-11-24")),
        source: payment("a"),
        entry: sale(euros),
    };
    let number = OrderNumber::of(entry.order, at);
    let member: PayoutId = "po_2".parse().unwrap();
    let mut exporter = Exporter::new(format, Vec::new(), AccountNames::default()).unwrap();
    let first = summary(&opening, &rows);
    exporter.start_day(day("2026-11-24"), &first).unwrap();
    for booked in &rows {
        let of_order = booked.order.is_some();
        let order_number = of_order.then_some(&number);
        exporter.transaction(&ExportRow { booked, payout: of_order.then_some(&member), order_number }).unwrap();
    }
    exporter.entry(&ExportEntry { booked: &entry, order_number: None }).unwrap();
    let closing: Vec<_> =
        first.balances.iter().map(|it| (it.balance, it.closing.minor(), it.closing.currency())).collect();
    exporter.start_day(day("2026-11-25"), &summary(&crate::books::samples::opening(&closing), &[])).unwrap();
    String::from_utf8(exporter.finish().unwrap()).unwrap()
}

fn sale(amount: SignedMoney) -> Entry {
    let part = |minor| SignedMoney::new(minor, amount.currency());
    let tax = SalesPart::Tax(TaxName { label: Text::new("VAT 19 %").unwrap(), rate: None });
    Entry::new(vec![
        Posting { account: Account::Clearing(payment("a")), amount },
        Posting { account: Account::Sales(SalesPart::Goods), amount: part(-8_403) },
        Posting { account: Account::Sales(tax), amount: part(-1_597) },
    ])
    .unwrap()
}

#[test]
fn a_day_is_exported_as_these_files() {
    assert_eq!(export(ExportFormat::Hledger), include_str!("golden/day.journal"));
    assert_eq!(export(ExportFormat::Beancount), include_str!("golden/day.beancount"));
    let csv = export(ExportFormat::Csv).replace("\r\n", "\n");
    assert_eq!(csv, include_str!("golden/itemized.csv"));
    let csv = export(ExportFormat::Journal).replace("\r\n", "\n");
    assert_eq!(csv, include_str!("golden/journal.csv"));
}

#[test]
fn rows_and_days_out_of_order_are_refused() {
    let booked = &row("1", "2026-11-24T09:00:00Z", "charge", Currency::Usd, [10_837, 344]);
    let row = ExportRow { booked, payout: None, order_number: None };
    let figures = summary(&[], &[]);
    for format in ExportFormat::ALL {
        let mut exporter = Exporter::new(format, Vec::new(), AccountNames::default()).unwrap();
        assert!(matches!(exporter.transaction(&row), Err(ExportError::Order { .. })), "before the first day");
        exporter.start_day(day("2026-11-25"), &figures).unwrap();
        assert!(matches!(exporter.transaction(&row), Err(ExportError::Order { .. })), "of another day");
        assert!(matches!(exporter.start_day(day("2026-11-25"), &figures), Err(ExportError::Order { .. })));
    }
}
