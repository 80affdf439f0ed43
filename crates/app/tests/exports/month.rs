//! A month of books with all that an export may meet.

use paywright_app::{
    AccountNames, BalanceAmount, BookedEntry, BookedTransaction, DaySummary, ExportEntry, ExportFormat, ExportRow,
    Exporter, StatementBuilder,
};
use paywright_domain::books::{
    Account, BalanceTransaction, BalanceType, Day, Entry, Fee, Posting, SalesPart, SignedMoney, Source, TaxName,
};
use paywright_domain::id::{OrderNumber, PayoutId};
use paywright_domain::text::Text;
use paywright_domain::uuid::Uuid;
use paywright_domain::{Currency, OrderId, Timestamp};

/// Currencies of the balances: with two, no and three decimals.
pub(crate) const CURRENCIES: [Currency; 4] = [Currency::Usd, Currency::Eur, Currency::Jpy, Currency::Kwd];

/// Descriptions that a format could take for a part of itself.
const DESCRIPTIONS: [&str; 13] = [
    "",
    "Payment for \"Ada\" & 'Bob'",
    "a; b | c, d",
    "line\nbreak\r\n2026-01-01 open Assets:X",
    "漢字 ü 🎉",
    "back\\slash\\n \\",
    "= 5.00 USD",
    "\ttab  and  spaces ",
    "option \"title\" \"x\"",
    ") (code) ! *",
    "^link #tag key: \"value\"",
    "a\u{2028}b\u{85}c\u{7f}d",
    "-1,5 @ {2 USD}",
];

/// Labels of taxes that have similar names.
const TAXES: [&str; 7] = ["VAT 19 %", "VAT: 19%", "19", "Umsatzsteuer", "消費税", "VAT;19  x", "VAT-19"];

/// One day of the books.
pub(crate) struct BookedDay {
    pub(crate) day: Day,
    pub(crate) rows: Vec<BookedTransaction>,
    entries: Vec<BookedEntry>,
    pub(crate) summary: DaySummary,
}

/// Books of November 2026.
pub(crate) struct Month {
    pub(crate) days: Vec<BookedDay>,
}

impl Month {
    pub(crate) fn new() -> Self {
        let mut month = Maker::default();
        let start = BalanceAmount { balance: BalanceType::Payments, amount: SignedMoney::new(-1_234, Currency::Eur) };
        month.amounts[1] = start.amount.minor();
        let (mut opening, mut days) = (vec![start], Vec::new());
        for date in 1..=30 {
            let (day, rows, entries) = month.day(date);
            let mut builder = StatementBuilder::new(&opening, day_of).unwrap();
            for row in &rows {
                builder.add(row).unwrap();
            }
            let summary = builder.finish().unwrap();
            opening =
                summary.balances.iter().map(|it| BalanceAmount { balance: it.balance, amount: it.closing }).collect();
            days.push(BookedDay { day, rows, entries, summary });
        }
        Self { days }
    }

    /// Figures of the month.
    pub(crate) fn summary(&self) -> DaySummary {
        let days = self.days.iter().map(|it| it.summary.clone());
        days.reduce(|month, day| month.followed_by(&day).unwrap()).unwrap()
    }

    pub(crate) fn export(&self, format: ExportFormat, names: &AccountNames) -> String {
        let mut exporter = Exporter::new(format, Vec::new(), names.clone()).unwrap();
        let member: PayoutId = "po_member".parse().unwrap();
        for BookedDay { day, rows, entries, summary } in &self.days {
            exporter.start_day(*day, summary).unwrap();
            for booked in rows {
                let number = booked.order.map(|it| OrderNumber::of(it, booked.transaction.created));
                let payout = booked.order.map(|_| &member);
                exporter.transaction(&ExportRow { booked, payout, order_number: number.as_ref() }).unwrap();
            }
            for booked in entries {
                let number = OrderNumber::of(booked.order, booked.at);
                exporter.entry(&ExportEntry { booked, order_number: Some(&number) }).unwrap();
            }
        }
        String::from_utf8(exporter.finish().unwrap()).unwrap()
    }
}

fn day_of(at: Timestamp) -> Day {
    at.to_string()[..10].parse().unwrap()
}

/// Maker of the rows, one day after the other.
#[derive(Default)]
struct Maker {
    number: u32,
    /// Amount of the ordinary balance in each of the currencies.
    amounts: [i64; 4],
}

impl Maker {
    fn day(&mut self, date: u32) -> (Day, Vec<BookedTransaction>, Vec<BookedEntry>) {
        let day = Day::new(2026, 11, u8::try_from(date).unwrap()).unwrap();
        let (mut rows, mut entries) = (Vec::new(), Vec::new());
        if date.is_multiple_of(7) {
            let late = self.row(day, "charge", 0, [1_000, 59]);
            let created = late.transaction.created.minus_seconds(86_400);
            rows.push(BookedTransaction { transaction: BalanceTransaction { created, ..late.transaction }, ..late });
        }
        for place in 0..5 {
            let (row, entry) = self.sale(day, place % 4);
            rows.push(row);
            entries.push(entry);
        }
        for (every, category, amounts) in [
            (3, "refund", [-1_250, 0]),
            (4, "refund_failure", [1_250, 0]),
            (5, "fee", [0, 77]),
            (6, "topup", [5_000, 0]),
            (9, "a new category", [-3, 1]),
            (10, "dispute", [-90_000, 1_500]),
        ] {
            if date.is_multiple_of(every) {
                rows.push(self.row(day, category, 1, amounts));
            }
        }
        if date.is_multiple_of(8) {
            let held = self.row(day, "risk_reserved_funds", 0, [-700, 0]);
            rows.push(held);
            let mut reserved = self.row(day, "risk_reserved_funds", 0, [700, 0]);
            self.amounts[0] -= 700;
            reserved.transaction.balance = BalanceType::RiskReserved;
            rows.push(reserved);
        }
        // Where the balance is negative, the shop's bank is debited.
        let place = usize::try_from(date % 4).unwrap();
        rows.push(self.row(day, "payout", place, [-self.amounts[place], 0]));
        rows.push(self.row(day, "charge", place, [10, 0]));
        (day, rows, entries)
    }

    fn row(&mut self, day: Day, category: &str, place: usize, [amount, fee]: [i64; 2]) -> BookedTransaction {
        self.number += 1;
        let number = self.number;
        let created: Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        let created = created.plus_seconds(number * 10);
        let money = |minor| SignedMoney::new(minor, CURRENCIES[place]);
        let id = format!("txn_{number}").parse().unwrap();
        let category = category.parse().unwrap();
        let mut transaction = BalanceTransaction::new(id, created, category, money(amount), money(fee));
        self.amounts[place] += amount - fee;
        transaction.description = DESCRIPTIONS[usize::try_from(number).unwrap() % DESCRIPTIONS.len()].into();
        transaction.source = match transaction.category.as_str() {
            "payout" => Source::Payout { payout: format!("po_{number}").parse().unwrap() },
            "refund" | "refund_failure" => Source::Refund { refund: format!("re_{number}").parse().unwrap() },
            "dispute" => Source::Dispute { dispute: format!("du_{number}").parse().unwrap() },
            "topup" => Source::Other { id: "tu_1, x: y".into() },
            "charge" => Source::Payment { intent: format!("pi_{number}").parse().unwrap() },
            _ => Source::None,
        };
        BookedTransaction { transaction, intent: None, order: None, day: Some(day), recorded_at: created }
    }

    /// Payment of an order, with what the order expects. One in dollars was paid in euros.
    fn sale(&mut self, day: Day, place: usize) -> (BookedTransaction, BookedEntry) {
        let amount = i64::from(self.number) * 37 % 9_000 + 500;
        let mut row = self.row(day, "charge", place, [amount, 41]);
        let fee = |kind: &str, minor| Fee { kind: kind.into(), amount: SignedMoney::new(minor, CURRENCIES[place]) };
        row.transaction.fees = vec![fee("stripe_fee", 30), fee("tax", 6), fee("payment_method_passthrough_fee", 5)];
        let order = OrderId(Uuid::from_u128(u128::from(self.number)));
        row.order = Some(order);
        let paid = if place == 0 { SignedMoney::new(amount - 100, Currency::Eur) } else { row.transaction.amount };
        row.transaction.presented = Some(paid).filter(|it| it.currency() != CURRENCIES[place]);
        let part = |minor| SignedMoney::new(minor, paid.currency());
        let label = TAXES[usize::try_from(self.number).unwrap() % TAXES.len()];
        let source = row.transaction.source.clone();
        let entry = Entry::new(vec![
            Posting { account: Account::Clearing(source.clone()), amount: paid },
            Posting { account: Account::Sales(SalesPart::Goods), amount: part(19 - paid.minor()) },
            Posting {
                account: Account::Sales(SalesPart::Tax(TaxName { label: Text::new(label).unwrap(), rate: None })),
                amount: part(-19),
            },
        ]);
        let (id, at) = (source.to_string(), row.transaction.created);
        let entry = BookedEntry { id, order, at, day: Some(day), source, entry: entry.unwrap() };
        (row, entry)
    }
}
