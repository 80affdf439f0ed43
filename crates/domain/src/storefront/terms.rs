use std::collections::BTreeSet;
use std::fmt;

use thiserror::Error;

use super::{Address, CountryCode, PriceProblem, Prices};
use crate::{Currency, Money, MoneyError, Text, TextProblem, Timestamp};

/// The conditions of sale beside the prices: what shipping costs, which taxes are due, which coupons there are.
///
/// They are simple on purpose. Shipping is a flat price of an order, taxes are a percentage of an order, both chosen
/// by the country of the shipping address; coupons take an amount or a percentage off the items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Terms {
    /// The ways to ship, at most [`Self::SHIPPING_MAX`]. None at all where nothing is shipped.
    #[cfg_attr(feature = "serde", serde(default))]
    pub shipping: Vec<ShippingRate>,
    /// The taxes, at most [`Self::TAXES_MAX`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub taxes: Vec<TaxRate>,
    /// The coupons, at most [`Self::COUPONS_MAX`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub coupons: Vec<Coupon>,
}

/// A way to ship a whole order, at one price.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ShippingRate {
    /// Its name in requests.
    pub id: Text<1, 50>,
    /// Its name for the customer.
    pub name: Text<1, 100>,
    /// Where to; everywhere if empty.
    #[cfg_attr(feature = "serde", serde(default))]
    pub countries: BTreeSet<CountryCode>,
    /// What it costs, which may be nothing.
    pub prices: Prices,
}

/// A tax on a whole order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TaxRate {
    /// Its name on the receipt.
    pub name: Text<1, 100>,
    /// Where it is due.
    pub country: CountryCode,
    /// How much.
    pub percent: Percent,
    /// Whether prices contain it already.
    #[cfg_attr(feature = "serde", serde(default))]
    pub included: bool,
    /// Whether shipping is taxed too.
    #[cfg_attr(feature = "serde", serde(default))]
    pub on_shipping: bool,
}

/// Something off, for those who know its code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Coupon {
    /// What the customer types.
    pub code: CouponCode,
    /// Its name on the receipt.
    pub name: Text<1, 100>,
    /// What it takes off.
    pub discount: Discount,
    /// Until when it is taken, in seconds since 1970; for ever if absent.
    #[cfg_attr(feature = "serde", serde(default, with = "seconds"))]
    pub expires_at: Option<Timestamp>,
}

/// What a coupon takes off the items: never more than they cost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Discount {
    /// A fixed amount, in each currency that it is taken in.
    Amount(Prices),
    /// A part of them.
    Percent(Percent),
}

/// The code of a coupon. Case does not matter: it is kept in lower case, as Spree keeps it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct CouponCode(String);

impl CouponCode {
    /// Takes 1 to 50 characters, and cuts white space around them off.
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

/// A percentage with at most three decimals, more than 0 and at most 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Percent {
    thousandths: u32,
}

/// Not a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a percentage like 19 or 8.875, more than 0, at most 100, with at most three decimals")]
pub struct PercentProblem;

impl Percent {
    pub(super) const WHOLE: u32 = 100_000;

    /// Reads a decimal like `8.875`.
    pub fn parse(text: &str) -> Result<Self, PercentProblem> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|digit| digit.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 3 {
            return Err(PercentProblem);
        }
        let thousandths: u32 = format!("{whole}{fraction:0<3}").parse().map_err(|_| PercentProblem)?;
        if (1..=Self::WHOLE).contains(&thousandths) { Ok(Self { thousandths }) } else { Err(PercentProblem) }
    }

    /// This part of `amount`, rounded half up to what can be paid in its currency.
    pub fn of(self, amount: Money) -> Result<Money, MoneyError> {
        rounded(amount, self.thousandths, Self::WHOLE)
    }

    /// The percentage in thousandths.
    pub(super) const fn thousandths(self) -> u32 {
        self.thousandths
    }
}

/// `amount * part / whole`, rounded half up to a multiple of what can be paid in its currency.
pub(super) fn rounded(amount: Money, part: u32, whole: u32) -> Result<Money, MoneyError> {
    let step = i128::from(amount.currency().minor_step());
    let whole = i128::from(whole) * step;
    let steps = (i128::from(amount.minor()) * i128::from(part) * 2 + whole) / (whole * 2);
    Money::new(i64::try_from(steps * step).map_err(|_| MoneyError::TooLarge)?, amount.currency())
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.thousandths / 1000, self.thousandths % 1000);
        let fraction = format!("{fraction:03}");
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

/// Why terms are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TermsProblem {
    /// More than a limit.
    #[error("{field} must have at most {max} entries")]
    TooMany {
        /// Which table.
        field: &'static str,
        /// The limit.
        max: usize,
    },
    /// Two of one name.
    #[error("{field}: {name} is there twice")]
    Twice {
        /// Which table.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// A price that Stripe cannot charge.
    #[error("{field}: the price of {name} {problem}")]
    Price {
        /// Which table.
        field: &'static str,
        /// The entry's name.
        name: String,
        /// The reason.
        problem: PriceProblem,
    },
}

impl Terms {
    /// The most ways to ship.
    pub const SHIPPING_MAX: usize = 100;
    /// The most taxes.
    pub const TAXES_MAX: usize = 300;
    /// The most taxes of one country: an order has an adjustment for each.
    pub const TAXES_OF_A_COUNTRY_MAX: usize = 10;
    /// The most coupons.
    pub const COUPONS_MAX: usize = 500;

    /// Checks that Stripe can charge what the tables say. Of what a percentage gives, [`Percent::of`] sees to it.
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

    /// Checks what the tables say together.
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

    /// The ways to ship to `address` that have a price in `currency`, in the order of the table.
    pub fn shipping_to(
        &self,
        address: &Address,
        currency: Currency,
    ) -> impl Iterator<Item = (&ShippingRate, Money)> + use<'_> {
        let country = address.country;
        let goes = move |it: &&ShippingRate| it.countries.is_empty() || it.countries.contains(&country);
        self.shipping.iter().filter(goes).filter_map(move |it| Some((it, it.prices.price_in(currency)?)))
    }

    /// The coupon of this code, if it is taken at `now`.
    pub fn coupon(&self, code: &CouponCode, now: Timestamp) -> Option<&Coupon> {
        let known = self.coupons.iter().find(|it| it.code == *code);
        known.filter(|it| it.expires_at.is_none_or(|end| now < end))
    }
}

impl Coupon {
    /// What it takes off `items`; `None` where it is not taken in their currency.
    pub(super) fn off(&self, items: Money) -> Result<Option<Money>, MoneyError> {
        let off = match &self.discount {
            Discount::Amount(prices) => prices.price_in(items.currency()),
            Discount::Percent(percent) => Some(percent.of(items)?),
        };
        Ok(off.map(|it| if items.minus(it).is_ok() { it } else { items }))
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

/// A moment in seconds, where people write it.
#[cfg(feature = "serde")]
mod seconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Timestamp;

    #[expect(clippy::ref_option, reason = "serde hands it over so")]
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
    fn a_percentage_is_read_to_three_decimals_and_written_without_zeroes() {
        for (text, shown) in [("19", "19"), ("8.875", "8.875"), ("7.50", "7.5"), ("0.001", "0.001"), ("100", "100")] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), shown);
        }
        for wrong in ["", "0", "-1", "100.001", "1.2345", "1.", ".5", "1e1", " 1", "1000"] {
            assert_eq!(Percent::parse(wrong), Err(PercentProblem), "{wrong}");
        }
    }

    #[test]
    fn a_part_is_rounded_half_up_to_what_can_be_paid() {
        use Currency::{Isk, Jpy, Kwd, Usd};
        for (percent, minor, currency, of) in [
            ("19", 11_900, Usd, 2261),
            ("10", 5, Usd, 1),
            ("8.875", 1000, Usd, 89),
            ("10", 1005, Jpy, 101),
            // Three decimals, and cards take steps of ten.
            ("5", 12_340, Kwd, 620),
            ("24", 1999, Isk, 480),
            ("100", 999, Usd, 999),
        ] {
            let (percent, amount) = (Percent::parse(percent).unwrap(), money(minor, currency));
            assert_eq!(percent.of(amount), Ok(money(of, currency)), "{percent}% of {minor} {currency:?}");
        }
    }

    #[test]
    fn a_coupon_takes_off_no_more_than_there_is() {
        let coupon = |discount| Coupon {
            code: CouponCode::new(" Spring ").unwrap(),
            name: Text::new("Spring").unwrap(),
            discount,
            expires_at: None,
        };
        let fixed = coupon(Discount::Amount([money(500, Currency::Usd)].into_iter().collect()));
        assert_eq!(fixed.code.as_str(), "spring");
        assert_eq!(fixed.off(money(1200, Currency::Usd)), Ok(Some(money(500, Currency::Usd))));
        assert_eq!(fixed.off(money(300, Currency::Usd)), Ok(Some(money(300, Currency::Usd))));
        assert_eq!(fixed.off(money(1200, Currency::Eur)), Ok(None));
        let part = coupon(Discount::Percent(Percent::parse("10").unwrap()));
        assert_eq!(part.off(money(1200, Currency::Eur)), Ok(Some(money(120, Currency::Eur))));
    }

    #[test]
    fn a_price_in_terms_is_one_that_stripe_can_charge() {
        let prices: Prices = [money(4_505, Currency::Kwd), money(0, Currency::Usd)].into_iter().collect();
        let (id, name) = (Text::new("post").unwrap(), Text::new("Post").unwrap());
        let rate = ShippingRate { id, name, countries: BTreeSet::new(), prices: prices.clone() };
        let (code, name) = (CouponCode::new("spring").unwrap(), Text::new("Spring").unwrap());
        let coupon = Coupon { code, name, discount: Discount::Amount(prices), expires_at: None };
        let why = "must be a multiple of 0.010 kwd: 4.505 kwd cannot be charged";
        for (terms, said) in [
            (Terms { shipping: vec![rate], ..Terms::default() }, "shipping: the price of post"),
            (Terms { coupons: vec![coupon], ..Terms::default() }, "coupons: the price of spring"),
        ] {
            assert_eq!(terms.check().unwrap_err().to_string(), format!("{said} {why}"));
        }
    }

    #[test]
    fn terms_have_limits_and_no_name_twice() {
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
