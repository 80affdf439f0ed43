use std::fmt;

use thiserror::Error;

use crate::Money;
use crate::money::MoneyError;

/// Percentage from 0 to 100 with at most four decimals, as Stripe's tax rates have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Percent {
    ten_thousandths: u32,
}

/// Error of a text that is not such a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a percentage like 19 or 8.875, from 0 to 100, with at most four decimals")]
#[non_exhaustive]
pub struct PercentProblem;

impl Percent {
    /// 100 % in ten-thousandths of a percent.
    pub const WHOLE: u32 = 1_000_000;

    /// Parses a decimal like `8.875`.
    pub fn parse(text: &str) -> Result<Self, PercentProblem> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|digit| digit.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 4 {
            return Err(PercentProblem);
        }
        let ten_thousandths: u32 = format!("{whole}{fraction:0<4}").parse().map_err(|_| PercentProblem)?;
        if ten_thousandths <= Self::WHOLE { Ok(Self { ten_thousandths }) } else { Err(PercentProblem) }
    }

    /// Calculates the percentage of `amount`, rounded half up to a payable amount ([`crate::Currency::minor_step`]).
    pub fn of(self, amount: Money) -> Result<Money, MoneyError> {
        rounded(amount, self.ten_thousandths, Self::WHOLE)
    }

    /// The percentage in ten-thousandths of a percent: 190,000 for 19 %.
    pub const fn ten_thousandths(self) -> u32 {
        self.ten_thousandths
    }

    /// Whether the percentage is zero.
    pub const fn is_zero(self) -> bool {
        self.ten_thousandths == 0
    }
}

/// Calculates `amount * part / whole`, rounded half up to a multiple of [`crate::Currency::minor_step`].
pub(crate) fn rounded(amount: Money, part: u32, whole: u32) -> Result<Money, MoneyError> {
    let step = i128::from(amount.currency().minor_step());
    let whole = i128::from(whole) * step;
    let steps = (i128::from(amount.minor()) * i128::from(part) * 2 + whole) / (whole * 2);
    Money::new(i64::try_from(steps * step).map_err(|_| MoneyError::TooLarge)?, amount.currency())
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.ten_thousandths / 10_000, self.ten_thousandths % 10_000);
        let fraction = format!("{fraction:04}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

impl TryFrom<String> for Percent {
    type Error = PercentProblem;
    fn try_from(text: String) -> Result<Self, PercentProblem> {
        Self::parse(&text)
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        percent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    #[test]
    fn a_percentage_is_parsed_to_four_decimals_and_formatted_without_trailing_zeroes() {
        for (text, shown, ten_thousandths) in [
            ("19", "19", 190_000),
            ("8.875", "8.875", 88_750),
            ("7.50", "7.5", 75_000),
            ("0.0001", "0.0001", 1),
            ("0", "0", 0),
            ("0.0", "0", 0),
            ("100", "100", Percent::WHOLE),
        ] {
            let percent = Percent::parse(text).unwrap();
            assert_eq!((percent.to_string().as_str(), percent.ten_thousandths()), (shown, ten_thousandths));
            assert_eq!(percent.is_zero(), ten_thousandths == 0);
        }
        for wrong in ["", "-1", "100.0001", "1.23456", "1.", ".5", "1e1", " 1", "+1", "1000"] {
            assert_eq!(Percent::parse(wrong), Err(PercentProblem), "{wrong}");
        }
    }

    #[test]
    fn a_percentage_of_an_amount_is_rounded_half_up_to_a_payable_amount() {
        use Currency::{Isk, Jpy, Kwd, Usd};
        let money = |minor, currency| Money::new(minor, currency).unwrap();
        for (percent, minor, currency, of) in [
            ("19", 11_900, Usd, 2261),
            ("10", 5, Usd, 1),
            ("8.875", 1000, Usd, 89),
            ("6.3875", 10_000, Usd, 639),
            ("0", 10_000, Usd, 0),
            ("10", 1005, Jpy, 101),
            // Three decimals, charged in steps of ten.
            ("5", 12_340, Kwd, 620),
            ("24", 1999, Isk, 480),
            ("100", 999, Usd, 999),
        ] {
            let (percent, amount) = (Percent::parse(percent).unwrap(), money(minor, currency));
            assert_eq!(percent.of(amount), Ok(money(of, currency)), "{percent}% of {minor} {currency:?}");
        }
    }
}
