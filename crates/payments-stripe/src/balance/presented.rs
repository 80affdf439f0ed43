//! Amount of a balance transaction in the currency of the payment, refund or dispute that caused it.
//!
//! Stripe does not report it. It is an amount of the source, never a product with a rate of exchange: the rate only
//! decides which of the source's amounts the balance transaction moved, or that it moved another part of them.

use paywright_domain::Currency;
use paywright_domain::books::{ReportingCategory, SignedMoney};
use paywright_domain::money::MoneyError;
use serde_json::Number;

use super::rows::Row;

/// Amounts of the source of a balance transaction, in wire units.
pub(super) struct Origin<'a> {
    pub(super) currency: &'a str,
    /// Authorized amount of a charge, or the amount of a refund or dispute.
    pub(super) whole: i64,
    /// Captured part of a charge; `None` for a refund or dispute.
    pub(super) captured: Option<i64>,
}

/// Finds the amount of `row`, in the balance's currency `settled`, in the currency of its source, with the sign of the
/// row. `None` if that is the same currency or one that no order can have, if the category is none of a payment, refund
/// or dispute (a fee for a dispute is not its amount), or if the row moved an unknown part of the source: a charge that
/// was captured in several parts has a row for each, and a dispute may be won in part.
pub(super) fn presented(
    row: &Row,
    category: &ReportingCategory,
    settled: Currency,
    origin: &Origin<'_>,
) -> Result<Option<SignedMoney>, MoneyError> {
    let Ok(currency) = origin.currency.parse::<Currency>() else { return Ok(None) };
    if currency == settled || row.amount == 0 {
        return Ok(None);
    }
    let mut candidates = candidates(category, origin);
    candidates.retain(|it| *it > 0);
    let found = match &row.exchange_rate {
        Some(rate) => by_rate(&candidates, row.amount, rate, (currency, settled)),
        None => candidates.first().copied(),
    };
    let signed = found.map(|it| if row.amount < 0 { -it } else { it });
    signed.map(|it| SignedMoney::from_wire(it, currency)).transpose()
}

/// Amounts of a source that a row of this category may have moved, the usual one first.
fn candidates(category: &ReportingCategory, origin: &Origin<'_>) -> Vec<i64> {
    use ReportingCategory::{
        Charge, ChargeFailure, Dispute, DisputeReversal, PartialCaptureReversal, Refund, RefundFailure,
    };
    let whole = origin.whole;
    match (category, origin.captured) {
        // Before 2025-03-31.basil a charge that was captured in part had a row of the whole amount and a reversal of the
        // rest. A failed bank payment may have no captured amount.
        (Charge | ChargeFailure, Some(captured)) => vec![captured, whole],
        (PartialCaptureReversal, Some(captured)) => vec![whole.saturating_sub(captured)],
        (Charge | ChargeFailure | PartialCaptureReversal | Refund | RefundFailure | Dispute | DisputeReversal, _) => {
            vec![whole]
        }
        _ => Vec::new(),
    }
}

/// Largest difference between a candidate at the rate and the row's amount, as a fraction of the latter: a twentieth.
/// Stripe rounds the rates that it shows.
const DIFFERENCE_MAX: i128 = 20;

/// Finds the candidate that, at the rate, is nearest to `amount`, if it is near enough. Stripe's description says that the
/// rate applies to integers of the API; a rate between major units is accepted too.
fn by_rate(candidates: &[i64], amount: i64, rate: &Number, (from, to): (Currency, Currency)) -> Option<i64> {
    let (digits, scale) = decimal(rate)?;
    let shift = i32::try_from(to.wire_exponent()).ok()? - i32::try_from(from.wire_exponent()).ok()?;
    [0, shift].into_iter().find_map(|shift| {
        let digits = digits.checked_mul(power_of_ten(shift.max(0))?)?;
        let unit = power_of_ten(scale)?.checked_mul(power_of_ten((-shift).max(0))?)?;
        let moved = i128::from(amount.unsigned_abs()).checked_mul(unit)?;
        let difference = |it: &i64| Some(i128::from(*it).checked_mul(digits)?.checked_sub(moved)?.abs());
        let nearest = candidates.iter().filter_map(|it| Some((difference(it)?, *it))).min_by_key(|(by, _)| *by);
        let (by, nearest) = nearest?;
        (by <= (moved / DIFFERENCE_MAX).max(unit)).then_some(nearest)
    })
}

fn power_of_ten(exponent: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(exponent).ok()?)
}

/// A positive number as whole digits, and how many of them are decimals.
fn decimal(number: &Number) -> Option<(i128, i32)> {
    let text = number.to_string().to_lowercase();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{decimals}").parse().ok()?;
    let scale = i32::try_from(decimals.len()).ok()?.checked_sub(exponent.parse().ok()?)?;
    let digits = digits.checked_mul(power_of_ten(scale.checked_neg()?.max(0))?)?;
    (digits > 0).then_some((digits, scale.max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_rate_is_read_as_whole_digits() {
        for (text, expected) in [
            ("1.0837", Some((10_837, 4))),
            ("0.006723", Some((6_723, 6))),
            ("0.00000041", Some((41, 8))),
            ("4e-7", Some((4, 7))),
            ("149", Some((149, 0))),
            ("1.5e20", Some((150_000_000_000_000_000_000, 0))),
            ("0", None),
            ("-1.5", None),
            ("1e300", None),
        ] {
            assert_eq!(decimal(&number(text)), expected, "{text}");
        }
    }

    #[test]
    fn the_rate_decides_which_amount_of_the_source_was_moved() {
        let (eur, usd, jpy) = (Currency::Eur, Currency::Usd, Currency::Jpy);
        for (candidates, amount, rate, currencies, expected) in [
            (vec![4_000, 10_000], 4_335, "1.0837", (eur, usd), Some(4_000)),
            (vec![4_000, 10_000], 10_837, "1.0837", (eur, usd), Some(10_000)),
            // Two captures of 30.00 and 10.00: neither row is all of it.
            (vec![4_000, 10_000], 3_251, "1.0837", (eur, usd), None),
            (vec![4_000, 10_000], 1_084, "1.0837", (eur, usd), None),
            // A few cents, where rounding is a large part.
            (vec![1], 2, "1.0837", (eur, usd), Some(1)),
            (vec![15_000], 10_085, "0.672300", (jpy, usd), Some(15_000)),
            (vec![15_000], 10_085, "0.006723", (jpy, usd), Some(15_000)),
            (vec![10_085], 15_000, "148.74", (usd, jpy), Some(10_085)),
            (vec![], 10_085, "1", (eur, usd), None),
            (vec![i64::MAX], i64::MIN, "1e30", (eur, usd), None),
        ] {
            assert_eq!(by_rate(&candidates, amount, &number(rate), currencies), expected, "{candidates:?} {amount}");
        }
    }
}
