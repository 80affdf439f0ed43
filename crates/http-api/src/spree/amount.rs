//! Amounts as Spree writes them.

use std::collections::BTreeSet;

use paywright_domain::storefront::Prices;
use paywright_domain::{Currency, Money};
use serde_json::Value;

use super::symbol::{Place, decimals, symbol};
use crate::reader::{Reader, Reason};

/// Reads prices by currency, of which none is given twice: upper and lower case of a code are the same currency.
pub(super) fn prices(
    fields: &mut Reader<'_>,
    name: &str,
    read: impl Fn(&Value, Currency) -> Result<Money, Reason>,
) -> Option<Prices> {
    let prices = fields.required_entries(name, |code, amount| read(amount, code.parse()?))?;
    let mut currencies = BTreeSet::new();
    if let Some(twice) = prices.iter().find(|it| !currencies.insert(it.currency())) {
        fields.note(name, format!("has a price in {} twice", twice.currency().code()));
        return None;
    }
    Some(prices.into_iter().collect())
}

/// Decimal in major units, with at least one digit after the point and no other trailing zeroes: `44.0`, `12.34`.
pub(super) fn decimal(amount: Money) -> String {
    let text = amount.to_decimal();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    format!("{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
}

/// Negative of [`decimal`]; zero has no sign.
pub(super) fn negative_decimal(amount: Money) -> String {
    if amount.is_zero() { decimal(amount) } else { format!("-{}", decimal(amount)) }
}

/// Amount for people, as Spree's `display_…` shows it in English: `$1,234.50`, `1,234.50 kr`.
pub(crate) fn display(amount: Money) -> String {
    displayed(amount, "")
}

/// Negative of [`display`], with the sign before the symbol, wherever that is: `-$10.00`, `10.00 -kr`. Zero has no sign.
pub(super) fn negative_display(amount: Money) -> String {
    displayed(amount, if amount.is_zero() { "" } else { "-" })
}

fn displayed(amount: Money, sign: &str) -> String {
    let number = grouped(amount);
    match symbol(amount.currency()) {
        (symbol, Place::Before) => format!("{sign}{symbol}{number}"),
        (symbol, Place::BeforeSpace) => format!("{sign}{symbol} {number}"),
        (symbol, Place::After) => format!("{number} {sign}{symbol}"),
    }
}

/// Amount in major units with `,` between thousands. It has the decimals of [`decimals`], or those of ISO 4217 where the
/// amount would not be exact otherwise.
fn grouped(amount: Money) -> String {
    let text = amount.to_decimal();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = match decimals(amount.currency()) {
        0 if fraction.bytes().all(|it| it == b'0') => String::new(),
        1 if fraction.is_empty() => "0".to_owned(),
        _ => fraction.to_owned(),
    };
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// Hundredths of a major unit, whatever the currency's minor unit is: 1000 yen are 100000.
pub(super) fn cents(amount: Money) -> i64 {
    // A hundred times `Money::MINOR_MAX` fits.
    amount.minor() * 100 / 10_i64.pow(amount.currency().iso_exponent())
}

/// ISO 4217 code in upper case.
pub(super) fn code(currency: Currency) -> String {
    currency.code().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_written_in_four_ways() {
        for (minor, currency, as_decimal, as_display, as_cents) in [
            (4400, Currency::Usd, "44.0", "$44.00", 4400),
            (1234, Currency::Eur, "12.34", "€12.34", 1234),
            (0, Currency::Usd, "0.0", "$0.00", 0),
            (123_456_750, Currency::Usd, "1234567.5", "$1,234,567.50", 123_456_750),
            (1000, Currency::Jpy, "1000.0", "¥1,000", 100_000),
            (12_340, Currency::Kwd, "12.34", "د.ك12.340", 1234),
            (10_050, Currency::Chf, "100.5", "CHF 100.50", 10_050),
        ] {
            let amount = Money::new(minor, currency).unwrap();
            assert_eq!(
                (decimal(amount).as_str(), display(amount).as_str(), cents(amount)),
                (as_decimal, as_display, as_cents)
            );
        }
        let ten = Money::new(1000, Currency::Usd).unwrap();
        assert_eq!((negative_decimal(ten).as_str(), negative_display(ten).as_str()), ("-10.0", "-$10.00"));
        let none = Money::zero(Currency::Usd);
        assert_eq!((negative_decimal(none).as_str(), negative_display(none).as_str()), ("0.0", "$0.00"));
    }
    /// Lines of `tests/data/display_of_money.tsv`: currency, amount, its display, and that of minus ten units.
    fn displays_of_gem_money() -> impl Iterator<Item = [&'static str; 4]> {
        let lines = include_str!("../../tests/data/display_of_money.tsv").lines().filter(|it| !it.starts_with('#'));
        lines.map(|it| it.split('\t').collect::<Vec<_>>().try_into().unwrap())
    }

    #[test]
    fn an_amount_is_shown_in_each_currency_as_in_spree() {
        let mut shown = Vec::new();
        for [code, minor, positive, negative] in displays_of_gem_money() {
            let currency: Currency = code.parse().unwrap();
            let amount = Money::new(minor.parse().unwrap(), currency).unwrap();
            let ten = Money::parse_decimal("10", currency).unwrap();
            assert_eq!((display(amount).as_str(), negative_display(ten).as_str()), (positive, negative), "{code}");
            shown.push(currency);
        }
        assert_eq!(shown, Currency::ALL);
    }

    /// Checked by hand against the currency table of gem money and the format of the English locale of Rails.
    #[test]
    fn an_amount_in_a_known_currency_is_shown_with_its_sign() {
        for (minor, currency, shown) in [
            (123_456, Currency::Usd, "$1,234.56"),
            (123_456, Currency::Cad, "$1,234.56"),
            (123_456, Currency::Eur, "€1,234.56"),
            (123_456, Currency::Gbp, "£1,234.56"),
            (123_456, Currency::Sek, "1,234.56 kr"),
            (123_456, Currency::Nok, "1,234.56 kr"),
            (123_456, Currency::Dkk, "1,234.56 kr."),
            (123_456, Currency::Pln, "1,234.56 zł"),
            (123_456, Currency::Czk, "1,234.56 Kč"),
            (123_456, Currency::Chf, "CHF 1,234.56"),
            (123_456, Currency::Brl, "R$1,234.56"),
            (123_456, Currency::Inr, "₹1,234.56"),
            (123_456, Currency::Try, "₺1,234.56"),
            (1_234_567, Currency::Vnd, "1,234,567 ₫"),
            (1_234_567, Currency::Jpy, "¥1,234,567"),
            (1_234_567, Currency::Krw, "₩1,234,567"),
            (123_400, Currency::Huf, "1,234 Ft"),
            (123_450, Currency::Huf, "1,234.50 Ft"),
        ] {
            assert_eq!(display(Money::new(minor, currency).unwrap()), shown);
        }
    }
}
