//! Amounts as Spree writes them.

use paywright_domain::{Currency, Money};

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

/// Amount for people: `$1,234.50`.
pub(crate) fn display(amount: Money) -> String {
    let text = amount.to_decimal();
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.map_or_else(String::new, |it| format!(".{it}"));
    format!("{}{grouped}{fraction}", symbol(amount.currency()))
}

/// Negative of [`display`]: `-$10.00`; zero has no sign.
pub(super) fn negative_display(amount: Money) -> String {
    if amount.is_zero() { display(amount) } else { format!("-{}", display(amount)) }
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

#[expect(clippy::wildcard_enum_match_arm, reason = "other currencies are shown by their codes")]
fn symbol(currency: Currency) -> String {
    let symbol = match currency {
        Currency::Usd
        | Currency::Cad
        | Currency::Aud
        | Currency::Nzd
        | Currency::Sgd
        | Currency::Hkd
        | Currency::Mxn => "$",
        Currency::Eur => "€",
        Currency::Gbp => "£",
        Currency::Jpy | Currency::Cny => "¥",
        Currency::Inr => "₹",
        Currency::Krw => "₩",
        Currency::Brl => "R$",
        other => return format!("{} ", code(other)),
    };
    symbol.to_owned()
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
            (12_340, Currency::Kwd, "12.34", "KWD 12.340", 1234),
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
}
