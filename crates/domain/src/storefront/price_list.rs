use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::id::{IdError, check_shop_id};
use crate::money::{ChargeError, MoneyError};
use crate::order::LineProblem;
use crate::text::Text;
use crate::{Currency, LineItem, Money};

/// Id of a variant on the shop's price list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct VariantId(String);

impl VariantId {
    /// Maximum number of characters of a variant id.
    pub const CHARS_MAX: usize = 100;

    /// Checks an id of 1 to [`Self::CHARS_MAX`] letters, digits or any of `_-.:@|`.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        check_shop_id(text.into(), Self::CHARS_MAX).map(Self)
    }

    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VariantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for VariantId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::new(text)
    }
}

impl From<VariantId> for String {
    fn from(id: VariantId) -> Self {
        id.0
    }
}

/// Prices of one item, at most one for each currency.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "BTreeMap<String, i64>", into = "BTreeMap<String, i64>"))]
pub struct Prices(BTreeMap<Currency, Money>);

impl Prices {
    /// The price in `currency`; `None` if there is none.
    pub fn price_in(&self, currency: Currency) -> Option<Money> {
        self.0.get(&currency).copied()
    }

    /// All prices, in the order of the currencies.
    pub fn all(&self) -> impl Iterator<Item = Money> {
        self.0.values().copied()
    }

    /// Checks that each price can be charged.
    pub fn check(&self) -> Result<(), PriceProblem> {
        self.all().try_for_each(check_price)
    }

    /// Whether there is no price.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks a new price. Stored prices are not checked again.
fn check_price(price: Money) -> Result<(), PriceProblem> {
    price.to_price().map(drop).map_err(|problem| PriceProblem::NotChargeable { price, problem })
}

impl FromIterator<Money> for Prices {
    /// Collects prices; of two in the same currency the later is kept.
    fn from_iter<I: IntoIterator<Item = Money>>(prices: I) -> Self {
        Self(prices.into_iter().map(|it| (it.currency(), it)).collect())
    }
}

impl TryFrom<BTreeMap<String, i64>> for Prices {
    type Error = String;
    /// Reads amounts in minor units by currency code.
    fn try_from(minor: BTreeMap<String, i64>) -> Result<Self, String> {
        let price = |(code, minor): (String, i64)| {
            let currency: Currency = code.parse().map_err(|problem| format!("{code} {problem}"))?;
            Money::new(minor, currency).map_err(|problem| format!("{code} {problem}"))
        };
        minor.into_iter().map(price).collect()
    }
}

impl From<Prices> for BTreeMap<String, i64> {
    fn from(prices: Prices) -> Self {
        prices.all().map(|it| (it.currency().code().to_owned(), it.minor())).collect()
    }
}

/// Variant of a product on the price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Id of the variant in requests.
    pub id: VariantId,
    /// The shop's stock keeping unit (SKU).
    pub sku: Option<Text<1, 100>>,
    /// Name for the customer.
    pub name: Text<1, 250>,
    /// Description for the customer; may be empty.
    pub description: Text<0, 1000>,
    /// Prices of one item.
    pub prices: Prices,
    /// Whether the variant is for sale.
    pub active: bool,
}

/// Why a variant cannot be added to a cart.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VariantProblem {
    /// The variant is not for sale.
    #[error("{name} is not available")]
    NotActive {
        /// Name of the variant.
        name: String,
    },
    /// The variant has no price in the cart's currency.
    #[error("{name} is not available in {}", .currency.code().to_uppercase())]
    NoPrice {
        /// Name of the variant.
        name: String,
        /// Currency of the cart.
        currency: Currency,
    },
    /// The quantity or the variant's data make no valid line.
    #[error("{0}")]
    Line(LineProblem),
}

/// Why a price is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PriceProblem {
    /// The text is not an amount in the currency.
    #[error(transparent)]
    Amount(#[from] MoneyError),
    /// The price is zero.
    #[error("must be more than 0")]
    Nothing,
    /// Stripe cannot charge the price at any quantity.
    #[error("{problem}: {} {} cannot be charged", price.to_decimal(), price.currency())]
    NotChargeable {
        /// Price that was refused.
        price: Money,
        /// Limit that it violates.
        problem: ChargeError,
    },
}

impl Variant {
    /// Parses a price in major units, like `14.00`.
    pub fn parse_price(text: &str, currency: Currency) -> Result<Money, PriceProblem> {
        let price = Money::parse_decimal(text, currency)?;
        if price.is_zero() {
            return Err(PriceProblem::Nothing);
        }
        check_price(price)?;
        Ok(price)
    }

    /// Makes a line of `quantity` items at the present price in `currency`.
    pub fn line(&self, quantity: u32, currency: Currency) -> Result<LineItem, VariantProblem> {
        let name = || self.name.to_string();
        if !self.active {
            return Err(VariantProblem::NotActive { name: name() });
        }
        let price = self.prices.price_in(currency).ok_or_else(|| VariantProblem::NoPrice { name: name(), currency })?;
        let mut line = LineItem::new(name(), price, quantity).map_err(VariantProblem::Line)?;
        line.description.clone_from(&self.description);
        line.sku.clone_from(&self.sku);
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_that_stripe_cannot_charge_is_refused_and_quoted() {
        for (text, currency, expected) in [
            ("4.500", Currency::Kwd, Ok(4_500)),
            ("0.10", Currency::Usd, Ok(10)),
            ("4.505", Currency::Kwd, Err("must be a multiple of 0.010 kwd: 4.505 kwd cannot be charged")),
            ("1200.50", Currency::Mga, Err("must be a multiple of 1 mga: 1200.50 mga cannot be charged")),
            ("5.5", Currency::Isk, Err("must be a decimal number with at most 0 decimals")),
            ("1000000", Currency::Usd, Err("must be at most 999999.99 usd: 1000000.00 usd cannot be charged")),
            ("10000000000", Currency::Usd, Err("must be at most 9999999999.99 usd")),
            ("0", Currency::Usd, Err("must be more than 0")),
        ] {
            let read = Variant::parse_price(text, currency);
            assert_eq!(read.map(Money::minor).map_err(|it| it.to_string()), expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn stored_prices_are_read_without_a_check() {
        let stored = BTreeMap::from([("kwd".to_owned(), 4_505), ("usd".to_owned(), 100_000_000)]);
        let prices = Prices::try_from(stored.clone()).unwrap();
        assert_eq!(BTreeMap::from(prices.clone()), stored);
        assert!(prices.check().is_err());
    }
}
