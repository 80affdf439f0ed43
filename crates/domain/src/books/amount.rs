use std::fmt;

use crate::money::{MoneyError, minor_of_wire};
use crate::{Currency, Money};

/// Amount of money in whole minor units of ISO 4217, negative or not. In a posting, a debit is positive and a credit
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SignedMoney {
    minor: i64,
    currency: Currency,
}

impl SignedMoney {
    /// Makes an amount of `minor` units of ISO 4217.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Zero in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Converts a signed integer of Stripe's API. Unlike an amount of an order it has no maximum: a balance is the sum of many.
    /// [`MoneyError::Inexact`] if it has a fraction that the currency does not have, [`MoneyError::TooLarge`] if it does not
    /// fit.
    pub fn from_wire(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        let minor = minor_of_wire(amount, currency)?;
        // Each amount has one with the other sign.
        minor.checked_neg().ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, currency })
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency of the amount.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether the amount is zero.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Adds an amount of the same currency. [`MoneyError::TooLarge`] if the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency });
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }

    /// Subtracts an amount of the same currency. [`MoneyError::TooLarge`] if the difference does not fit.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.plus(other.negated()?)
    }

    /// The amount with the other sign. [`MoneyError::TooLarge`] for the one amount whose negative does not fit.
    pub fn negated(self) -> Result<Self, MoneyError> {
        Ok(Self { minor: self.minor.checked_neg().ok_or(MoneyError::TooLarge)?, ..self })
    }

    /// The amount as a decimal number in major units, with all decimals of the currency: `-149.12`.
    pub fn to_decimal(self) -> String {
        let digits = usize::try_from(self.currency.iso_exponent()).unwrap_or(0);
        let sign = if self.minor < 0 { "-" } else { "" };
        let all = format!("{:0>1$}", self.minor.unsigned_abs(), digits + 1);
        let (major, minor) = all.split_at(all.len() - digits);
        if minor.is_empty() { format!("{sign}{major}") } else { format!("{sign}{major}.{minor}") }
    }
}

impl From<Money> for SignedMoney {
    fn from(amount: Money) -> Self {
        Self { minor: amount.minor(), currency: amount.currency() }
    }
}

impl fmt::Display for SignedMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_amount_has_the_decimals_of_its_currency() {
        for (minor, currency, text) in [
            (-14_912, Currency::Usd, "-149.12"),
            (-5, Currency::Usd, "-0.05"),
            (0, Currency::Usd, "0.00"),
            (500, Currency::Jpy, "500"),
            (-500, Currency::Jpy, "-500"),
            (1_234, Currency::Kwd, "1.234"),
            (i64::MIN, Currency::Jpy, "-9223372036854775808"),
        ] {
            assert_eq!(SignedMoney::new(minor, currency).to_decimal(), text);
        }
    }

    #[test]
    fn a_sum_that_does_not_fit_or_has_two_currencies_is_refused() {
        let most = SignedMoney::new(i64::MAX, Currency::Usd);
        assert_eq!(most.plus(SignedMoney::new(1, Currency::Usd)), Err(MoneyError::TooLarge));
        assert_eq!(SignedMoney::new(i64::MIN, Currency::Usd).negated(), Err(MoneyError::TooLarge));
        let (left, right) = (Currency::Usd, Currency::Eur);
        assert_eq!(most.plus(SignedMoney::zero(right)), Err(MoneyError::CurrencyMismatch { left, right }));
    }

    #[test]
    fn stripes_integers_are_read_with_their_sign() {
        assert_eq!(SignedMoney::from_wire(-50_000, Currency::Isk), Ok(SignedMoney::new(-500, Currency::Isk)));
        assert!(matches!(SignedMoney::from_wire(-50_001, Currency::Isk), Err(MoneyError::Inexact { .. })));
        assert_eq!(SignedMoney::from_wire(i64::MIN, Currency::Usd), Err(MoneyError::TooLarge));
        // A balance of many orders in rupiahs, above the maximum of one.
        let balance = 100 * Money::MINOR_MAX;
        assert_eq!(SignedMoney::from_wire(-balance, Currency::Idr), Ok(SignedMoney::new(-balance, Currency::Idr)));
    }
}
