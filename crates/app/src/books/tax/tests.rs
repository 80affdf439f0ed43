use paywright_domain::books::{Entry, Posting, Source};
use paywright_domain::order::TaxRateDetails;
use paywright_domain::text::Text;
use paywright_domain::{IntentId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn usd(minor: i64) -> SignedMoney {
    SignedMoney::new(minor, Currency::Usd)
}

fn november() -> TaxReport {
    let day = |day| Day::new(2026, 11, day).unwrap();
    TaxReport::new(day(1), day(30))
}

/// Tax of a name such as `VAT:19:DE`.
fn tax(name: &str) -> TaxName {
    let mut parts = name.split(':');
    let (label, percent, country) = (parts.next().unwrap(), parts.next(), parts.next());
    let country = country.map(|it| it.parse().unwrap());
    let rate = percent.map(|it| TaxRateDetails { percent: Percent::parse(it).unwrap(), country });
    TaxName { label: Text::new(label).unwrap(), rate }
}

/// Parts of a sale: goods, discount and taxes.
type Sale<'a> = (i64, i64, &'a [(&'a str, i64)]);

/// Entry of a sale, or of a refund, in a currency.
fn entry(movement: Movement, currency: Currency, (goods, discount, taxes): Sale<'_>) -> Entry {
    let intent = IntentId::new("pi_1").unwrap();
    let parts = [(SalesPart::Goods, goods), (SalesPart::Discounts, -discount)].into_iter();
    let parts: Vec<_> = parts.chain(taxes.iter().map(|(name, minor)| (SalesPart::Tax(tax(name)), *minor))).collect();
    let sum: i64 = parts.iter().map(|it| it.1).sum();
    let sign = if movement == Movement::Sale { -1 } else { 1 };
    let posting = |account, minor: i64| Posting { account, amount: SignedMoney::new(minor, currency) };
    let account = |part| if movement == Movement::Sale { Account::Sales(part) } else { Account::Refunds(part) };
    let mut postings: Vec<_> = parts.into_iter().map(|(part, minor)| posting(account(part), sign * minor)).collect();
    postings.push(posting(Account::Clearing(Source::Payment { intent }), -sign * sum));
    Entry::new(postings).unwrap()
}

fn booked(order: u128, entry: Entry) -> BookedEntry {
    BookedEntry {
        id: "pi_1".into(),
        order: OrderId(Uuid::from_u128(order)),
        at: Timestamp::EPOCH,
        day: Day::new(2026, 11, 24).ok(),
        source: Source::None,
        entry,
    }
}

fn report(entries: &[(u128, Entry)]) -> TaxReport {
    let mut report = november();
    for (order, entry) in entries {
        report.add(&booked(*order, entry.clone())).unwrap();
    }
    report
}

/// Name of a line, its number of orders and its amounts: net sales, tax, net refunds, refunded tax, allocated.
fn shown(line: &TaxLine) -> (String, usize, [i64; 5]) {
    let figures = &line.figures;
    let amounts = [figures.net_sales, figures.tax, figures.net_refunds, figures.tax_refunded, line.allocated];
    let name = line.tax.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    (name, line.orders, amounts.map(SignedMoney::minor))
}

/// Entries of a month: sales with one, several and no taxes, and refunds.
fn a_month() -> TaxReport {
    let sale = |sale| entry(Movement::Sale, Currency::Eur, sale);
    let refund = |sale| entry(Movement::Refund, Currency::Eur, sale);
    let failed = refund((500, 0, &[("VAT:19:DE", 95)])).reversed().unwrap();
    report(&[
        (1, sale((10_500, 500, &[("VAT:19:DE", 1_900)]))),
        (2, sale((5_000, 0, &[("VAT:19:DE", 950)]))),
        // 60.00 at 19 % and 40.00 at 7 %.
        (3, sale((10_000, 0, &[("VAT:19:DE", 1_140), ("VAT:7:DE", 280)]))),
        (4, sale((2_000, 0, &[("MwSt., normal:20:AT", 400)]))),
        // 30.00 at 20 % and the rest at a rate of zero.
        (5, sale((5_000, 0, &[("MwSt., normal:20:AT", 600), ("Export:0:CH", 0)]))),
        (6, sale((1_000, 0, &[("Tax", 80)]))),
        (7, sale((300, 0, &[]))),
        (1, refund((1_000, 0, &[("VAT:19:DE", 190)]))),
        // So small that both taxes are zero.
        (3, refund((1, 0, &[("VAT:19:DE", 0), ("VAT:7:DE", 0)]))),
        (2, refund((500, 0, &[("VAT:19:DE", 95)]))),
        (2, failed),
    ])
}

#[test]
fn each_tax_has_its_amount_and_the_net_amount_that_it_is_due_on() {
    let lines: Vec<_> = a_month().lines().iter().map(shown).collect();
    let expected = [
        ("MwSt., normal:20:AT", 2, [5_000, 1_000, 0, 0, 3_000]),
        ("Export:0:CH", 1, [2_000, 0, 0, 0, 2_000]),
        ("VAT:7:DE", 1, [4_000, 280, 0, 0, 4_000]),
        ("VAT:19:DE", 3, [21_000, 3_990, 1_001, 190, 5_999]),
        ("Tax", 1, [1_000, 80, 0, 0, 0]),
        ("none", 1, [300, 0, 0, 0, 0]),
    ];
    assert_eq!(lines, expected.map(|(name, orders, amounts)| (name.to_owned(), orders, amounts)));
    let [total] = &a_month().totals()[..] else { panic!("one currency") };
    assert_eq!((total.orders, total.figures.net_sales.minor(), total.figures.tax.minor()), (7, 33_300, 5_350));
    assert_eq!((total.figures.net_refunds.minor(), total.figures.tax_refunded.minor()), (1_001, 190));
}

#[test]
fn several_taxes_on_one_net_amount_share_it_in_proportion_to_what_each_is_due_on() {
    for (net, taxes, expected) in [
        // Both on the whole amount, as in the United States: each is shown with a half.
        (10_000, vec![("State:4:US", 400), ("City:4.875:US", 488)], vec![4_998, 5_002]),
        (10_000, vec![("A:19", 1_140), ("B", 50), ("C:0", 0)], vec![6_000, 2_000, 2_000]),
        (10_001, vec![("A:19", 1_140), ("B", 50), ("C:0", 0)], vec![6_000, 2_001, 2_000]),
        (5, vec![("A:19", 0), ("B:7", 0)], vec![3, 2]),
        (-5, vec![("A:19", 0), ("B:7", 0)], vec![-3, -2]),
        (0, vec![("A:19", 19), ("B:7", 7)], vec![0, 0]),
        (999_999_999_999, vec![("A:0.0001", 999_999_999_999), ("B:100", 1), ("C", 1)], vec![999_999_999_999, 0, 0]),
    ] {
        let taxes: Vec<_> = taxes.into_iter().map(|(name, minor)| (tax(name), usd(minor))).collect();
        let bases = bases(usd(net), &taxes).unwrap();
        assert_eq!(bases.into_iter().map(SignedMoney::minor).collect::<Vec<_>>(), expected, "{taxes:?}");
    }
}

#[test]
fn money_that_paid_for_nothing_is_in_no_line() {
    let unexpected = |account: fn(SalesPart) -> Account, minor: i64| {
        let sale = Posting { account: account(SalesPart::Unexpected), amount: usd(minor) };
        Entry::new(vec![sale, Posting { account: Account::Unexplained, amount: usd(-minor) }]).unwrap()
    };
    let report = report(&[(1, unexpected(Account::Sales, -500)), (1, unexpected(Account::Refunds, 200))]);
    assert_eq!(report.lines(), []);
    let [total] = &report.totals()[..] else { panic!("one currency") };
    assert_eq!((total.orders, total.unexpected), (0, usd(300)));
    assert!(report.to_text().unwrap().ends_with("Not in the table: 3.00 that paid for nothing on an order.\n"));
}

#[test]
fn a_report_is_text_csv_and_json() {
    let text = "\
Sales and taxes from 2026-11-01 to 2026-11-30

EUR
country  rate           label          orders  net sales    tax  net refunds  tax refunded  net base  tax due
AT       20 %           MwSt., normal       2      50.00  10.00         0.00          0.00     50.00    10.00
CH       0 %            Export              1      20.00   0.00         0.00          0.00     20.00     0.00
DE       7 %            VAT                 1      40.00   2.80         0.00          0.00     40.00     2.80
DE       19 %           VAT                 3     210.00  39.90        10.01          1.90    199.99    38.00
-        no rate given  Tax                 1      10.00   0.80         0.00          0.00     10.00     0.80
-        no tax         -                   1       3.00   0.00         0.00          0.00      3.00     0.00
total                                       7     333.00  53.50        10.01          1.90    322.99    51.60
Parts of the net base that are allocated, because their orders have several taxes:
  MwSt., normal:20:AT: 30.00
  Export:0:CH: 20.00
  VAT:7:DE: 40.00
  VAT:19:DE: 59.99
";
    assert_eq!(a_month().to_text().unwrap(), text);
    let csv = a_month().to_csv().unwrap();
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        rows[..2],
        [
            "from,to,currency,country,percentage,label,orders,net_sales,tax,net_refunds,tax_refunded,net_base,tax_due,\
             allocated",
            "2026-11-01,2026-11-30,eur,AT,20,\"MwSt., normal\",2,50.00,10.00,0.00,0.00,50.00,10.00,30.00",
        ]
    );
    assert_eq!(rows[6..], ["2026-11-01,2026-11-30,eur,,,,1,3.00,0.00,0.00,0.00,3.00,0.00,0.00", ""]);
    let json = serde_json::to_value(a_month().view().unwrap()).unwrap();
    let figures = serde_json::json!({
        "currency": "eur", "country": "DE", "percentage": "19", "label": "VAT", "orders": 3, "net_sales": "210.00",
        "tax": "39.90", "net_refunds": "10.01", "tax_refunded": "1.90", "net_base": "199.99", "tax_due": "38.00",
        "allocated": "59.99",
    });
    assert_eq!((&json["lines"][3], json["lines"].as_array().unwrap().len()), (&figures, 6));
    assert_eq!((&json["to"], &json["totals"][0]["unexpected"]), (&"2026-11-30".into(), &"0.00".into()));
    let empty = november().to_text().unwrap();
    assert_eq!(empty, "Sales and taxes from 2026-11-01 to 2026-11-30\n\nNo sales and no refunds.\n");
}

/// Taxes of a sale: a name and an amount of each.
fn taxes() -> impl Strategy<Value = Vec<(&'static str, i64)>> {
    let name = prop::sample::select(vec!["VAT:19:DE", "VAT:7:DE", "VAT:7", "Export:0:CH", "Tax", "a, \"b\":0.0001:US"]);
    prop::collection::btree_map(name, prop_oneof![Just(0_i64), 0_i64..10_000_000], 0..5)
        .prop_map(|it| it.into_iter().collect())
}

proptest! {
    #[test]
    fn lines_add_up_to_the_sales_and_refunds_of_the_period(
        sales in prop::collection::vec((
            prop::sample::select(vec![Movement::Sale, Movement::Refund]),
            prop::sample::select(vec![Currency::Eur, Currency::Jpy]),
            0_i64..900_000_000, 0_i64..900_000_000, taxes(), any::<bool>(),
        ), 0..12),
    ) {
        let mut entries = Vec::new();
        for (order, (movement, currency, goods, discount, taxes, is_reversed)) in (1..).zip(&sales) {
            let entry = entry(*movement, *currency, (*goods, *discount, taxes));
            entries.push((order, entry.clone()));
            if *is_reversed {
                entries.push((order, entry.reversed().unwrap()));
            }
        }
        let report = report(&entries);
        let (lines, totals) = (report.lines(), report.totals());
        for total in &totals {
            let of_currency = || lines.iter().filter(|it| it.currency == total.currency).map(|it| it.figures);
            let kept = || sales.iter().filter(|it| it.1 == total.currency && !it.5);
            for movement in [Movement::Sale, Movement::Refund] {
                let net: i64 = kept().filter(|it| it.0 == movement).map(|it| it.2 - it.3).sum();
                let tax: i64 = kept().filter(|it| it.0 == movement).flat_map(|it| &it.4).map(|it| it.1).sum();
                let of = |it: TaxFigures| match movement {
                    Movement::Sale => [it.net_sales.minor(), it.tax.minor()],
                    Movement::Refund => [it.net_refunds.minor(), it.tax_refunded.minor()],
                };
                prop_assert_eq!(of(total.figures), [net, tax]);
                let sums = of_currency().map(of).fold([0, 0], |sum, it| [sum[0] + it[0], sum[1] + it[1]]);
                prop_assert_eq!(sums, [net, tax]);
            }
        }
        // Each tax is reported exactly.
        for line in &lines {
            let is_of_line = |(name, _): &&(&str, i64)| Some(tax(name)) == line.tax;
            let of = |movement| {
                let kept = sales.iter().filter(|it| it.0 == movement && it.1 == line.currency && !it.5);
                kept.flat_map(|it| it.4.iter().filter(is_of_line)).map(|it| it.1).sum::<i64>()
            };
            prop_assert_eq!(line.figures.tax.minor(), of(Movement::Sale));
            prop_assert_eq!(line.figures.tax_refunded.minor(), of(Movement::Refund));
        }
        // The order of the entries makes no difference.
        entries.reverse();
        prop_assert_eq!(self::report(&entries), report.clone());
        prop_assert_eq!(report.to_csv().unwrap().matches("\r\n").count(), lines.len() + 1);
    }
}
