//! Amounts of money and their currencies.
//!
//! ```
//! use paywright_domain::{Currency, Money};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let price = Money::parse_decimal("19.99", Currency::Eur)?;
//! let total = price.times(3)?.plus(Money::new(500, Currency::Eur)?)?;
//! assert_eq!((total.minor(), total.to_string()), (6497, "64.97 EUR".to_owned()));
//! // Stripe counts ISK in hundredths, which the currency does not have.
//! assert_eq!(Money::new(500, Currency::Isk)?.to_wire()?, 50_000);
//! # Ok(())
//! # }
//! ```

mod currency;
mod percent;

pub use self::currency::{Currency, UnknownCurrency};
#[cfg(feature = "storefront")]
pub(crate) use self::percent::rounded;
pub use self::percent::{Percent, PercentProblem};

use std::fmt;

use thiserror::Error;

/// Amount of money in whole minor units of ISO 4217, never negative, never above [`Money::MINOR_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
pub struct Money {
    minor: i64,
    currency: Currency,
}

#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Unchecked {
    minor: i64,
    currency: Currency,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for Money {
    type Error = MoneyError;
    fn try_from(it: Unchecked) -> Result<Self, MoneyError> {
        Self::new(it.minor, it.currency)
    }
}

/// Why an amount is invalid, or cannot be calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// The amount is less than zero.
    #[error("must not be negative")]
    Negative,
    /// The amount in minor units is more than [`Money::MINOR_MAX`].
    #[error("must be at most {} minor units", Money::MINOR_MAX)]
    TooLarge,
    /// The two amounts of a sum or difference have different currencies.
    #[error("{left} and {right} cannot be added")]
    CurrencyMismatch {
        /// Currency of the left operand.
        left: Currency,
        /// Currency of the right operand.
        right: Currency,
    },
    /// The text is not a decimal number, or has more decimals than the currency.
    #[error("must be a decimal number with at most {decimals} decimals")]
    NotADecimal {
        /// Maximum number of decimals.
        decimals: u32,
    },
    /// The amount cannot be converted exactly to or from Stripe's units.
    #[error("must be a multiple of {} {}", step.to_decimal(), step.currency())]
    Inexact {
        /// Smallest amount; every amount must be a multiple of it.
        step: Money,
    },
    /// A decimal, a sum or a product is above [`Money::MINOR_MAX`].
    #[error("must be at most {} {}", maximum.to_decimal(), maximum.currency())]
    AboveMaximum {
        /// Maximum amount, [`Money::MINOR_MAX`] in its currency.
        maximum: Money,
    },
    /// The weights of an allocation are all zero, or there are none.
    #[error("needs at least one weight that is not zero")]
    NoWeights,
}

/// Why Stripe would not charge an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChargeError {
    /// The amount is below Stripe's minimum for its currency.
    #[error("must be at least {} {}", minimum.to_decimal(), minimum.currency())]
    TooSmall {
        /// Minimum amount.
        minimum: Money,
    },
    /// The amount is above Stripe's maximum for its currency.
    #[error("must be at most {} {}", maximum.to_decimal(), maximum.currency())]
    TooLarge {
        /// Maximum amount.
        maximum: Money,
    },
    /// The amount has a fraction that cannot be charged in its currency.
    #[error("must be a multiple of {} {}", step.to_decimal(), step.currency())]
    Fraction {
        /// Smallest amount; every amount must be a multiple of it.
        step: Money,
    },
}

/// Minor units of an integer of Stripe's API, of any size and sign. [`MoneyError::Inexact`] if it has a fraction that the
/// currency does not have.
pub(crate) fn minor_of_wire(amount: i64, currency: Currency) -> Result<i64, MoneyError> {
    let (iso, wire) = (currency.iso_exponent(), currency.wire_exponent());
    let (scale_up, scale_down) = (power_of_ten(iso.saturating_sub(wire)), power_of_ten(wire.saturating_sub(iso)));
    if amount % scale_down != 0 {
        return Err(MoneyError::Inexact { step: Money { minor: 1, currency } });
    }
    (amount / scale_down).checked_mul(scale_up).ok_or(MoneyError::TooLarge)
}

const fn power_of_ten(exponent: u32) -> i64 {
    10_i64.pow(exponent)
}

impl Money {
    /// Maximum of one amount, in minor units: twelve digits, the most that Stripe allows in any currency.
    pub const MINOR_MAX: i64 = 999_999_999_999;

    /// Makes an amount of `minor` units of ISO 4217: cents for USD, yen for JPY, fils for KWD.
    pub const fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor < 0 {
            return Err(MoneyError::Negative);
        }
        if minor > Self::MINOR_MAX {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { minor, currency })
    }

    /// Zero in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
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

    /// Adds an amount of the same currency. [`MoneyError::AboveMaximum`] if the sum is too large.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.within_maximum(self.minor.checked_add(other.minor))
    }

    /// Subtracts an amount of the same currency. [`MoneyError::Negative`] if `other` is more than this amount.
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.minor.checked_sub(other.minor).ok_or(MoneyError::Negative)?, self.currency)
    }

    /// Multiplies the amount by `quantity`. [`MoneyError::AboveMaximum`] if the product is too large.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        self.within_maximum(self.minor.checked_mul(i64::from(quantity)))
    }

    /// Checks a sum or a product. The error names the maximum as a decimal, since no caller wrote the amount in minor
    /// units.
    fn within_maximum(self, minor: Option<i64>) -> Result<Self, MoneyError> {
        let above = MoneyError::AboveMaximum { maximum: Self { minor: Self::MINOR_MAX, ..self } };
        minor.and_then(|it| Self::new(it, self.currency).ok()).ok_or(above)
    }

    /// Allocates the amount by `weights`; the shares add up to it exactly. Each share is its exact part rounded down;
    /// the remaining minor units go to the largest remainders, to the earlier of two equal ones first.
    pub fn allocate(self, weights: &[u64]) -> Result<Vec<Self>, MoneyError> {
        let sum: u128 = weights.iter().map(|&it| u128::from(it)).sum();
        if sum == 0 {
            return Err(MoneyError::NoWeights);
        }
        let amount = u128::from(self.minor.unsigned_abs());
        let mut shares = Vec::with_capacity(weights.len());
        let mut remainders = Vec::with_capacity(weights.len());
        for (place, &weight) in weights.iter().enumerate() {
            // At most 2^40 * 2^64, which fits a u128.
            let exact = amount * u128::from(weight);
            shares.push(i64::try_from(exact / sum).map_err(|_| MoneyError::TooLarge)?);
            remainders.push((exact % sum, place));
        }
        complete(&mut shares, remainders, self.minor)?;
        shares.into_iter().map(|it| Self::new(it, self.currency)).collect()
    }

    /// Converts the amount to the integer of Stripe's API. [`MoneyError::Inexact`] if it is not a multiple of the
    /// smallest amount in that currency.
    pub fn to_wire(self) -> Result<i64, MoneyError> {
        let (iso, wire) = (self.currency.iso_exponent(), self.currency.wire_exponent());
        let (scale_up, scale_down) = (power_of_ten(wire.saturating_sub(iso)), power_of_ten(iso.saturating_sub(wire)));
        let step = (self.currency.wire_step() / scale_up).max(1) * scale_down;
        if self.minor % step != 0 {
            return Err(MoneyError::Inexact { step: Self { minor: step, ..self } });
        }
        (self.minor / scale_down).checked_mul(scale_up).ok_or(MoneyError::TooLarge)
    }

    /// Converts an integer of Stripe's API to an amount. [`MoneyError::Inexact`] if it has a fraction that the currency
    /// does not have (ISK and UGX).
    pub fn from_wire(amount: i64, currency: Currency) -> Result<Self, MoneyError> {
        Self::new(minor_of_wire(amount, currency)?, currency)
    }

    /// Converts the amount to the integer of Stripe's API, if it is within Stripe's minimum and maximum for a charge.
    pub fn to_charge(self) -> Result<i64, ChargeError> {
        let at = |wire| Self::from_wire(wire, self.currency).unwrap_or(Self::zero(self.currency));
        let least = self.currency.wire_minimum().unwrap_or(1).max(self.currency.wire_step());
        let wire = self.to_wire().map_err(|problem| match problem {
            MoneyError::Inexact { step } => ChargeError::Fraction { step },
            MoneyError::Negative
            | MoneyError::TooLarge
            | MoneyError::AboveMaximum { .. }
            | MoneyError::CurrencyMismatch { .. }
            | MoneyError::NotADecimal { .. }
            | MoneyError::NoWeights => ChargeError::TooLarge { maximum: self.charge_maximum() },
        })?;
        if wire < least {
            return Err(ChargeError::TooSmall { minimum: at(least) });
        }
        if wire > self.currency.wire_maximum() {
            return Err(ChargeError::TooLarge { maximum: self.charge_maximum() });
        }
        Ok(wire)
    }

    /// Converts a price to the integer of Stripe's API. Unlike a total it may be below Stripe's minimum for a charge.
    pub fn to_price(self) -> Result<i64, ChargeError> {
        match self.to_charge() {
            Err(ChargeError::TooSmall { .. }) => {
                self.to_wire().map_err(|_| ChargeError::TooLarge { maximum: self.charge_maximum() })
            }
            charge => charge,
        }
    }

    fn charge_maximum(self) -> Self {
        let (step, most) = (self.currency.wire_step(), self.currency.wire_maximum());
        Self::from_wire(most / step * step, self.currency).unwrap_or(Self::zero(self.currency))
    }

    /// Formats the amount in major units, like `112.00`, with the currency's usual decimals; with those of ISO 4217
    /// where the usual ones would not be exact.
    pub fn to_decimal(self) -> String {
        let iso = self.currency.iso_exponent();
        let shown = self.currency.display_exponent();
        let dropped = power_of_ten(iso.saturating_sub(shown));
        let (minor, decimals) =
            if self.minor % dropped == 0 { (self.minor / dropped, shown.min(iso)) } else { (self.minor, iso) };
        let unit = power_of_ten(decimals);
        match usize::try_from(decimals) {
            Ok(width) if width > 0 => format!("{}.{:0width$}", minor / unit, minor % unit),
            _ => minor.to_string(),
        }
    }

    /// Parses an amount in major units: digits, and optionally a point with at most the decimals of ISO 4217.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimals = currency.iso_exponent();
        let wrong = MoneyError::NotADecimal { decimals };
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(wrong),
            Some(parts) => parts,
            None => (text, ""),
        };
        let places = u32::try_from(fraction.len()).map_err(|_| wrong)?;
        let digits = |it: &str| it.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || places > decimals {
            return Err(wrong);
        }
        let above = MoneyError::AboveMaximum { maximum: Self { minor: Self::MINOR_MAX, currency } };
        let number: i64 = format!("{whole}{fraction}").parse().map_err(|_| above)?;
        let minor = number.checked_mul(power_of_ten(decimals - places)).ok_or(above)?;
        Self::new(minor, currency).map_err(|_| above)
    }

    pub(crate) fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency })
    }
}

/// Adds one unit each to the shares with the largest remainders, to the earlier of two equal ones first, until they add up
/// to `sum`. `remainders` have the places of their shares; each share is its exact part rounded down.
pub(crate) fn complete<R: Ord>(
    shares: &mut [i64],
    mut remainders: Vec<(R, usize)>,
    sum: i64,
) -> Result<(), MoneyError> {
    let left = usize::try_from(sum - shares.iter().sum::<i64>()).map_err(|_| MoneyError::TooLarge)?;
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, place) in remainders.into_iter().take(left) {
        if let Some(share) = shares.get_mut(place) {
            *share += 1;
        }
    }
    Ok(())
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency.code().to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(minor: i64, currency: Currency) -> Money {
        Money::new(minor, currency).unwrap()
    }

    #[test]
    fn amounts_are_formatted_and_sent_by_the_exponents_of_each_currency() {
        for (minor, currency, decimal, wire) in [
            (11_200, Currency::Usd, "112.00", 11_200),
            (5, Currency::Usd, "0.05", 5),
            (500, Currency::Jpy, "500", 500),
            (5_120, Currency::Kwd, "5.120", 5_120),
            (5, Currency::Isk, "5", 500),
            (5_000, Currency::Ugx, "5000", 500_000),
            (17_500, Currency::Huf, "175.00", 17_500),
            (120_000, Currency::Mga, "1200", 1_200),
            (100, Currency::Twd, "1.00", 100),
        ] {
            let amount = money(minor, currency);
            assert_eq!(amount.to_decimal(), decimal, "{currency}");
            assert_eq!(amount.to_wire(), Ok(wire), "{currency}");
            assert_eq!(Money::from_wire(wire, currency), Ok(amount), "{currency}");
            assert_eq!(Money::parse_decimal(decimal, currency), Ok(amount), "{currency}");
        }
    }

    #[test]
    fn an_amount_that_cannot_be_converted_exactly_is_refused() {
        let inexact = |step, currency| Err(MoneyError::Inexact { step: money(step, currency) });
        assert_eq!(money(5_124, Currency::Kwd).to_wire(), inexact(10, Currency::Kwd));
        assert_eq!(money(120_050, Currency::Mga).to_wire(), inexact(100, Currency::Mga));
        assert_eq!(Money::from_wire(550, Currency::Isk), Err(MoneyError::Inexact { step: money(1, Currency::Isk) }));
        let shown = MoneyError::Inexact { step: money(10, Currency::Kwd) }.to_string();
        assert_eq!(shown, "must be a multiple of 0.010 kwd");
        assert_eq!(Money::from_wire(-1, Currency::Usd), Err(MoneyError::Negative));
    }

    #[test]
    fn a_charge_is_within_stripes_minimum_maximum_and_step() {
        let usd = |minor| money(minor, Currency::Usd);
        for (amount, expected) in [
            (usd(50), Ok(50)),
            (usd(49), Err(ChargeError::TooSmall { minimum: usd(50) })),
            (usd(0), Err(ChargeError::TooSmall { minimum: usd(50) })),
            (usd(99_999_999), Ok(99_999_999)),
            (usd(100_000_000), Err(ChargeError::TooLarge { maximum: usd(99_999_999) })),
            (money(17_499, Currency::Huf), Err(ChargeError::TooSmall { minimum: money(17_500, Currency::Huf) })),
            (money(1_001, Currency::Kwd), Err(ChargeError::Fraction { step: money(10, Currency::Kwd) })),
            (money(1, Currency::Isk), Ok(100)),
            (money(1_000_000, Currency::Isk), Err(ChargeError::TooLarge { maximum: money(999_999, Currency::Isk) })),
            (money(1, Currency::Vnd), Ok(1)),
            (money(999_999_999_999, Currency::Idr), Ok(999_999_999_999)),
            (money(9_999_999_999, Currency::Jpy), Ok(9_999_999_999)),
            (
                money(10_000_000_000, Currency::Jpy),
                Err(ChargeError::TooLarge { maximum: money(9_999_999_999, Currency::Jpy) }),
            ),
        ] {
            assert_eq!(amount.to_charge(), expected, "{amount}");
        }
    }

    #[test]
    fn a_price_may_be_below_the_minimum_of_a_charge() {
        for (minor, currency, expected) in [
            (1, Currency::Usd, Ok(1)),
            (4_500, Currency::Kwd, Ok(4_500)),
            (4_505, Currency::Kwd, Err("must be a multiple of 0.010 kwd")),
            (5, Currency::Kwd, Err("must be a multiple of 0.010 kwd")),
            (120_050, Currency::Mga, Err("must be a multiple of 1 mga")),
            (100_000_000, Currency::Usd, Err("must be at most 999999.99 usd")),
        ] {
            let price = money(minor, currency);
            assert_eq!(price.to_price().map_err(|it| it.to_string()), expected.map_err(str::to_owned), "{price}");
        }
    }

    #[test]
    fn a_decimal_has_only_digits_and_at_most_the_currencys_decimals() {
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1.005", "1e3", "1,00", "0x1", " 1", "١"] {
            assert_eq!(
                Money::parse_decimal(bad, Currency::Usd),
                Err(MoneyError::NotADecimal { decimals: 2 }),
                "{bad:?}"
            );
        }
        let above = MoneyError::AboveMaximum { maximum: money(Money::MINOR_MAX, Currency::Usd) };
        for large in ["99999999999999999999", "99999999999999999", "10000000000", "10000000000.00"] {
            assert_eq!(Money::parse_decimal(large, Currency::Usd), Err(above), "{large}");
        }
        assert_eq!(above.to_string(), "must be at most 9999999999.99 usd");
        assert_eq!(Money::parse_decimal("44.0", Currency::Usd), Ok(money(4_400, Currency::Usd)));
        assert!(Money::parse_decimal("1.0", Currency::Jpy).is_err());
    }

    #[test]
    fn amounts_of_two_currencies_are_neither_added_nor_subtracted() {
        let (usd, eur) = (money(1, Currency::Usd), money(1, Currency::Eur));
        let expected = Err(MoneyError::CurrencyMismatch { left: Currency::Usd, right: Currency::Eur });
        assert_eq!(usd.plus(eur), expected);
        assert_eq!(usd.minus(eur), expected);
    }

    #[test]
    fn an_allocation_gives_the_remaining_units_to_the_largest_remainders() {
        let shares = |minor, weights: &[u64]| -> Vec<i64> {
            money(minor, Currency::Usd).allocate(weights).unwrap().iter().map(|it| it.minor()).collect()
        };
        assert_eq!(shares(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(shares(5, &[2, 3, 5]), [1, 2, 2]);
        assert_eq!(shares(0, &[1, 2]), [0, 0]);
        assert_eq!(shares(7, &[0, 1]), [0, 7]);
        assert_eq!(money(1, Currency::Usd).allocate(&[]), Err(MoneyError::NoWeights));
        assert_eq!(money(1, Currency::Usd).allocate(&[0, 0]), Err(MoneyError::NoWeights));
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(Currency::ALL)
    }

    proptest! {
        #[test]
        fn shares_add_up_and_are_within_one_unit_of_the_exact_shares(
            minor in 0..=Money::MINOR_MAX,
            weights in prop::collection::vec(0..=u64::MAX, 1..40),
        ) {
            prop_assume!(weights.iter().any(|&it| it > 0));
            let shares = money(minor, Currency::Eur).allocate(&weights).unwrap();
            prop_assert_eq!(shares.iter().map(|it| it.minor()).sum::<i64>(), minor);
            let sum: u128 = weights.iter().map(|&it| u128::from(it)).sum();
            for (share, weight) in shares.iter().zip(weights) {
                let floor = i128::try_from(u128::try_from(minor).unwrap() * u128::from(weight) / sum).unwrap();
                let extra = i128::from(share.minor()) - floor;
                prop_assert!(extra == 0 || extra == 1, "{extra}");
            }
        }

        #[test]
        fn an_amount_is_read_back_from_the_wire_and_from_a_decimal(minor in 0..=Money::MINOR_MAX, currency in any_currency()) {
            let amount = money(minor, currency);
            prop_assert_eq!(Money::parse_decimal(&amount.to_decimal(), currency), Ok(amount));
            match amount.to_wire() {
                Ok(wire) => {
                    prop_assert_eq!(wire % currency.wire_step(), 0);
                    prop_assert_eq!(Money::from_wire(wire, currency), Ok(amount));
                }
                Err(MoneyError::Inexact { step }) => prop_assert_ne!(minor % step.minor(), 0),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }

        #[test]
        fn arithmetic_returns_an_error_and_never_overflows(
            a in 0..=Money::MINOR_MAX, b in 0..=Money::MINOR_MAX, quantity: u32, wire: i64, currency in any_currency(),
        ) {
            let (left, right) = (money(a, currency), money(b, currency));
            prop_assert_eq!(left.plus(right).is_ok(), a + b <= Money::MINOR_MAX);
            prop_assert_eq!(left.minus(right).is_ok(), a >= b);
            let product = i128::from(a) * i128::from(quantity);
            prop_assert_eq!(left.times(quantity).is_ok(), product <= i128::from(Money::MINOR_MAX));
            if let Ok(read) = Money::from_wire(wire, currency) {
                prop_assert!(read.minor() >= 0);
            }
            if let Ok(wire) = left.to_charge() {
                prop_assert!((1..=currency.wire_maximum()).contains(&wire));
            }
        }
    }
}
