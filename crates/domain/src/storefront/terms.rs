use std::collections::BTreeSet;

use thiserror::Error;

use super::{Address, PriceProblem, Prices};
use crate::country::CountryCode;
use crate::money::{MoneyError, Percent};
use crate::text::{Text, TextProblem};
use crate::{Currency, Money, Timestamp};

/// Terms of sale beside the prices: shipping rates, taxes and coupons.
///
/// They are simple on purpose. Shipping is a flat price for an order, taxes are a percentage of an order, both selected
/// by the country of the shipping address; coupons reduce the items by an amount or a percentage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Terms {
    /// Shipping rates, at most [`Self::SHIPPING_MAX`]; empty if the shop ships nothing.
    #[cfg_attr(feature = "serde", serde(default))]
    pub shipping: Vec<ShippingRate>,
    /// Tax rates, at most [`Self::TAXES_MAX`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub taxes: Vec<TaxRate>,
    /// Coupons, at most [`Self::COUPONS_MAX`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub coupons: Vec<Coupon>,
}

/// Shipping rate of a whole order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ShippingRate {
    /// Id of the shipping rate in requests.
    pub id: Text<1, 50>,
    /// Name for the customer.
    pub name: Text<1, 100>,
    /// Countries to which the shop ships at this rate; all countries if empty.
    #[cfg_attr(feature = "serde", serde(default))]
    pub countries: BTreeSet<CountryCode>,
    /// Shipping price by currency; may be zero.
    pub prices: Prices,
}

/// Tax rate on a whole order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TaxRate {
    /// Name for the customer.
    pub name: Text<1, 100>,
    /// Country of the address in which the tax is due.
    pub country: CountryCode,
    /// Percentage of the net amount.
    pub percent: Percent,
    /// Whether the prices contain the tax already.
    #[cfg_attr(feature = "serde", serde(default))]
    pub included: bool,
    /// Whether the tax is due on shipping as well.
    #[cfg_attr(feature = "serde", serde(default))]
    pub on_shipping: bool,
}

/// Coupon with which a customer gets a discount.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Coupon {
    /// Code that the customer enters.
    pub code: CouponCode,
    /// Name for the customer.
    pub name: Text<1, 100>,
    /// Discount on the items.
    pub discount: Discount,
    /// Time at which the coupon expires, serialized in seconds since 1970; never if absent.
    #[cfg_attr(feature = "serde", serde(default, with = "seconds"))]
    pub expires_at: Option<Timestamp>,
}

/// Discount of a coupon on the items, never more than their sum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Discount {
    /// Fixed amount by currency. The coupon is not valid in a currency without amount.
    Amount(Prices),
    /// Percentage of the items' sum after earlier coupons.
    Percent(Percent),
}

/// Code of a coupon. Case does not matter: the code is stored in lower case, as in Spree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct CouponCode(String);

impl CouponCode {
    /// Checks a code of 1 to 50 characters, after trimming white space.
    pub fn new(text: &str) -> Result<Self, TextProblem> {
        Ok(Self(Text::<1, 50>::new(text.trim().to_lowercase())?.into()))
    }

    /// The code in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CouponCode {
    type Error = TextProblem;
    fn try_from(text: String) -> Result<Self, TextProblem> {
        Self::new(&text)
    }
}

impl From<CouponCode> for String {
    fn from(code: CouponCode) -> Self {
        code.0
    }
}

/// Why terms of sale are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TermsProblem {
    /// A table has too many entries.
    #[error("{field} must have at most {max} entries")]
    TooMany {
        /// Name of the table, `shipping`, `taxes` or `coupons`.
        field: &'static str,
        /// Maximum number of entries.
        max: usize,
    },
    /// Two entries of a table have the same id or code.
    #[error("{field}: {name} is defined twice")]
    Twice {
        /// Name of the table, `shipping`, `taxes` or `coupons`.
        field: &'static str,
        /// Id or code of the two entries.
        name: String,
    },
    /// Stripe cannot charge a price.
    #[error("{field}: the price of {name} {problem}")]
    Price {
        /// Name of the table, `shipping`, `taxes` or `coupons`.
        field: &'static str,
        /// Id or code of the entry.
        name: String,
        /// Limit that the price violates.
        problem: PriceProblem,
    },
}

impl Terms {
    /// Maximum number of shipping rates.
    pub const SHIPPING_MAX: usize = 100;
    /// Maximum number of tax rates.
    pub const TAXES_MAX: usize = 300;
    /// Maximum number of tax rates of one country. An order has an adjustment for each.
    pub const TAXES_OF_A_COUNTRY_MAX: usize = 10;
    /// Maximum number of coupons.
    pub const COUPONS_MAX: usize = 500;

    /// Checks that Stripe can charge each price. Amounts from percentages are rounded to payable ones
    /// ([`Percent::of`]).
    fn check_prices(&self) -> Result<(), TermsProblem> {
        let shipping = self.shipping.iter().map(|it| ("shipping", it.id.as_str(), Some(&it.prices)));
        let coupons = self.coupons.iter().map(|it| match &it.discount {
            Discount::Amount(prices) => ("coupons", it.code.as_str(), Some(prices)),
            Discount::Percent(_) => ("coupons", it.code.as_str(), None),
        });
        for (field, name, prices) in shipping.chain(coupons) {
            let price = |problem| TermsProblem::Price { field, name: name.to_owned(), problem };
            prices.map_or(Ok(()), Prices::check).map_err(price)?;
        }
        Ok(())
    }

    /// Checks the prices, the limits and that ids and codes are unique.
    pub fn check(&self) -> Result<(), TermsProblem> {
        self.check_prices()?;
        for (field, entries, max) in [
            ("shipping", self.shipping.len(), Self::SHIPPING_MAX),
            ("taxes", self.taxes.len(), Self::TAXES_MAX),
            ("coupons", self.coupons.len(), Self::COUPONS_MAX),
        ] {
            if entries > max {
                return Err(TermsProblem::TooMany { field, max });
            }
        }
        for tax in &self.taxes {
            let of_country = self.taxes.iter().filter(|it| it.country == tax.country).count();
            if of_country > Self::TAXES_OF_A_COUNTRY_MAX {
                return Err(TermsProblem::TooMany { field: "taxes of one country", max: Self::TAXES_OF_A_COUNTRY_MAX });
            }
        }
        unique("shipping", self.shipping.iter().map(|it| it.id.as_str()))?;
        unique("coupons", self.coupons.iter().map(|it| it.code.as_str()))
    }

    /// Shipping rates to `address` with their price in `currency`, in the order of the terms.
    pub fn shipping_to(
        &self,
        address: &Address,
        currency: Currency,
    ) -> impl Iterator<Item = (&ShippingRate, Money)> + use<'_> {
        let country = address.country;
        let ships_there = move |it: &&ShippingRate| it.countries.is_empty() || it.countries.contains(&country);
        self.shipping.iter().filter(ships_there).filter_map(move |it| Some((it, it.prices.price_in(currency)?)))
    }

    /// Finds the coupon with this code, if it has not expired at `now`.
    pub fn coupon(&self, code: &CouponCode, now: Timestamp) -> Option<&Coupon> {
        let known = self.coupons.iter().find(|it| it.code == *code);
        known.filter(|it| it.expires_at.is_none_or(|end| now < end))
    }
}

impl Coupon {
    /// Calculates the discount on `items`; `None` if the coupon is not valid in their currency.
    pub(super) fn discount_on(&self, items: Money) -> Result<Option<Money>, MoneyError> {
        let discount = match &self.discount {
            Discount::Amount(prices) => prices.price_in(items.currency()),
            Discount::Percent(percent) => Some(percent.of(items)?),
        };
        Ok(discount.map(|it| if items.minus(it).is_ok() { it } else { items }))
    }
}

fn unique<'a>(field: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), TermsProblem> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(TermsProblem::Twice { field, name: name.to_owned() });
        }
    }
    Ok(())
}

/// Serialized form of a time that people write: seconds since 1970.
#[cfg(feature = "serde")]
mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Timestamp;

    #[expect(clippy::ref_option, reason = "serde passes the field by reference")]
    pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::unix_seconds).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let seconds = Option::<i64>::deserialize(deserializer)?;
        seconds.map(Timestamp::from_unix_seconds).transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, currency: Currency) -> Money {
        Money::new(minor, currency).unwrap()
    }

    #[test]
    fn a_discount_is_at_most_the_sum_of_the_items() {
        let coupon = |discount| Coupon {
            code: CouponCode::new(" Spring ").unwrap(),
            name: Text::new("Spring").unwrap(),
            discount,
            expires_at: None,
        };
        let fixed = coupon(Discount::Amount([money(500, Currency::Usd)].into_iter().collect()));
        assert_eq!(fixed.code.as_str(), "spring");
        assert_eq!(fixed.discount_on(money(1200, Currency::Usd)), Ok(Some(money(500, Currency::Usd))));
        assert_eq!(fixed.discount_on(money(300, Currency::Usd)), Ok(Some(money(300, Currency::Usd))));
        assert_eq!(fixed.discount_on(money(1200, Currency::Eur)), Ok(None));
        let part = coupon(Discount::Percent(Percent::parse("10").unwrap()));
        assert_eq!(part.discount_on(money(1200, Currency::Eur)), Ok(Some(money(120, Currency::Eur))));
    }

    #[test]
    fn terms_with_a_price_that_stripe_cannot_charge_are_refused() {
        let prices: Prices = [money(4_505, Currency::Kwd), money(0, Currency::Usd)].into_iter().collect();
        let (id, name) = (Text::new("post").unwrap(), Text::new("Post").unwrap());
        let rate = ShippingRate { id, name, countries: BTreeSet::new(), prices: prices.clone() };
        let (code, name) = (CouponCode::new("spring").unwrap(), Text::new("Spring").unwrap());
        let coupon = Coupon { code, name, discount: Discount::Amount(prices), expires_at: None };
        let why = "must be a multiple of 0.010 kwd: 4.505 kwd cannot be charged";
        for (terms, place) in [
            (Terms { shipping: vec![rate], ..Terms::default() }, "shipping: the price of post"),
            (Terms { coupons: vec![coupon], ..Terms::default() }, "coupons: the price of spring"),
        ] {
            assert_eq!(terms.check().unwrap_err().to_string(), format!("{place} {why}"));
        }
    }

    #[test]
    fn terms_with_too_many_entries_or_two_of_one_id_are_refused() {
        let rate = |id: &str| ShippingRate {
            id: Text::new(id).unwrap(),
            name: Text::new(id).unwrap(),
            countries: BTreeSet::new(),
            prices: Prices::default(),
        };
        let twice = Terms { shipping: vec![rate("a"), rate("a")], ..Terms::default() };
        assert_eq!(twice.check(), Err(TermsProblem::Twice { field: "shipping", name: "a".into() }));
        let shipping = (0..=Terms::SHIPPING_MAX).map(|it| rate(&it.to_string())).collect();
        let many = Terms { shipping, ..Terms::default() };
        assert_eq!(many.check(), Err(TermsProblem::TooMany { field: "shipping", max: Terms::SHIPPING_MAX }));
        let tax = TaxRate {
            name: Text::new("VAT").unwrap(),
            country: "DE".parse().unwrap(),
            percent: Percent::parse("1").unwrap(),
            included: false,
            on_shipping: false,
        };
        let most = Terms { taxes: vec![tax.clone(); Terms::TAXES_OF_A_COUNTRY_MAX], ..Terms::default() };
        assert_eq!(most.check(), Ok(()));
        let many = Terms { taxes: vec![tax; Terms::TAXES_OF_A_COUNTRY_MAX + 1], ..Terms::default() };
        assert!(matches!(many.check(), Err(TermsProblem::TooMany { max: Terms::TAXES_OF_A_COUNTRY_MAX, .. })));
    }
}
