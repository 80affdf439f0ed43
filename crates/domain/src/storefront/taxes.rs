//! Taxes on goods and shipping, by the terms of sale.

use super::{Address, TaxRate, Terms};
use crate::Money;
use crate::money::{MoneyError, Percent, rounded};
use crate::order::{Adjustment, AdjustmentKind, ShippingTax, TaxRateDetails};
use crate::text::Text;

/// Taxes of one order.
pub(super) struct Taxes {
    /// One adjustment for each tax that is not zero or has a rate of zero, in the order of the terms.
    pub(super) adjustments: Vec<Adjustment>,
    /// The part of the taxes that is due on the shipping.
    pub(super) on_shipping: ShippingTax,
}

impl Terms {
    /// Calculates the taxes of an order to `address` on its `goods`, less discounts, and its `shipping`.
    pub(super) fn taxes_on(&self, address: &Address, goods: Money, shipping: Money) -> Result<Taxes, MoneyError> {
        let rates: Vec<&TaxRate> = self.taxes.iter().filter(|it| it.country == address.country).collect();
        let on_goods = taxes_of(&rates, goods, |_| true)?;
        let on_shipping = taxes_of(&rates, shipping, |it| it.on_shipping)?;
        let mut taxes = Taxes { adjustments: Vec::new(), on_shipping: ShippingTax::none(shipping.currency()) };
        for (rate, (of_goods, of_shipping)) in rates.into_iter().zip(on_goods.into_iter().zip(on_shipping)) {
            let (kind, sum) = if rate.included {
                (AdjustmentKind::TaxIncluded, &mut taxes.on_shipping.included)
            } else {
                (AdjustmentKind::Tax, &mut taxes.on_shipping.added)
            };
            *sum = sum.plus(of_shipping)?;
            let amount = of_goods.plus(of_shipping)?;
            // A rate of zero is on the order too, for the tax report.
            if !amount.is_zero() || rate.percent.is_zero() {
                let label = Text::new(format!("{} {}%", rate.name, rate.percent)).unwrap_or_default();
                let details = TaxRateDetails { percent: rate.percent, country: Some(rate.country) };
                taxes.adjustments.push(Adjustment { kind, label, amount, tax_rate_details: Some(details) });
            }
        }
        Ok(taxes)
    }

    /// Calculates the taxes on a shipping price to `address`.
    pub fn shipping_tax(&self, address: &Address, price: Money) -> Result<ShippingTax, MoneyError> {
        Ok(self.taxes_on(address, Money::zero(price.currency()), price)?.on_shipping)
    }
}

/// Tax of each of `rates` on one base; zero where the rate is not `due` on it.
fn taxes_of(rates: &[&TaxRate], base: Money, due: impl Fn(&TaxRate) -> bool) -> Result<Vec<Money>, MoneyError> {
    let percents = |is: bool| {
        let percent = |it: &&TaxRate| Some(it.percent).filter(|_| it.included == is && due(it));
        rates.iter().map(percent).collect::<Vec<_>>()
    };
    let included = included_in(base, &percents(true))?;
    let added = percents(false).into_iter().map(|it| it.map_or(Ok(Money::zero(base.currency())), |it| it.of(base)));
    added.zip(included).map(|(added, included)| if included.is_zero() { added } else { Ok(included) }).collect()
}

/// Taxes that the price `gross` contains. All rates apply to the same net amount, so each tax is
/// `gross * rate / (100 + sum of the rates)`; the sum is rounded half up and allocated by largest remainder.
fn included_in(gross: Money, percents: &[Option<Percent>]) -> Result<Vec<Money>, MoneyError> {
    let weights: Vec<u32> = percents.iter().map(|it| it.map_or(0, Percent::ten_thousandths)).collect();
    let rate: u32 = weights.iter().sum();
    if rate == 0 {
        return Ok(vec![Money::zero(gross.currency()); percents.len()]);
    }
    let taxes = rounded(gross, rate, Percent::WHOLE + rate)?;
    // Rounding up to the payable step can exceed a price that is not a multiple of it.
    let taxes = if gross.minus(taxes).is_ok() { taxes } else { gross };
    let weights: Vec<u64> = weights.into_iter().map(u64::from).collect();
    let step = u32::try_from(gross.currency().minor_step()).unwrap_or(1);
    let steps = Money::new(taxes.minor() / i64::from(step), taxes.currency())?;
    let shares = steps.allocate(&weights)?.into_iter().map(|it| it.times(step)).collect::<Result<Vec<_>, _>>()?;
    // Of a price that is not a multiple of the step, the shares leave out the remainder.
    if taxes.minor() % i64::from(step) == 0 { Ok(shares) } else { taxes.allocate(&weights) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Currency;

    fn money(minor: i64, currency: Currency) -> Money {
        Money::new(minor, currency).unwrap()
    }

    fn shares(percents: &[&str], gross: Money) -> Vec<i64> {
        let percents: Vec<_> = percents.iter().map(|it| Some(Percent::parse(it).unwrap())).collect();
        included_in(gross, &percents).unwrap().iter().map(|it| it.minor()).collect()
    }

    #[test]
    fn included_taxes_are_calculated_from_one_gross_price() {
        use Currency::{Eur, Isk, Jpy, Kwd};
        for (percents, gross, expected) in [
            (&["19"][..], money(11_900, Eur), &[1900][..]),
            (&["10"], money(5, Eur), &[0]),
            (&["10", "5"], money(11_500, Eur), &[1000, 500]),
            (&["20", "2.5"], money(12_250, Eur), &[2000, 250]),
            (&["100"], money(999, Eur), &[500]),
            (&["5", "5", "5"], money(1000, Eur), &[44, 43, 43]),
            (&["10"], money(1005, Jpy), &[91]),
            // Three decimals, charged in steps of ten.
            (&["5"], money(12_340, Kwd), &[590]),
            (&["5", "5"], money(12_340, Kwd), &[560, 560]),
            (&["24"], money(1999, Isk), &[387]),
            // A price that cannot be charged contains no more tax than the price.
            (&["100", "100", "100", "100"], money(7, Kwd), &[2, 2, 2, 1]),
        ] {
            assert_eq!(shares(percents, gross), expected, "{percents:?} in {gross}");
        }
    }

    #[test]
    fn each_tax_has_its_rate_and_the_country_of_the_terms() {
        let rate = |name: &str, country: &str, percent: &str| TaxRate {
            name: Text::new(name).unwrap(),
            country: country.parse().unwrap(),
            percent: Percent::parse(percent).unwrap(),
            included: true,
            on_shipping: true,
        };
        let taxes = vec![
            rate("VAT", "DE", "19"),
            TaxRate { included: false, ..rate("Deposit", "DE", "0.0001") },
            rate("VAT", "CH", "0"),
        ];
        let terms = Terms { taxes, ..Terms::default() };
        for (country, expected) in [("DE", &[("VAT 19%", "19", 1900)][..]), ("CH", &[("VAT 0%", "0", 0)]), ("US", &[])]
        {
            let address = Address::of(country.parse().unwrap());
            let goods = money(11_900, Currency::Eur);
            let taxes = terms.taxes_on(&address, goods, Money::zero(Currency::Eur)).unwrap().adjustments;
            let adjustment = |(label, percent, minor): &(&str, &str, i64)| {
                let amount = money(*minor, Currency::Eur);
                let details =
                    TaxRateDetails { percent: Percent::parse(percent).unwrap(), country: Some(address.country) };
                let tax = Adjustment::new(AdjustmentKind::TaxIncluded, Text::new(*label).unwrap(), amount);
                Adjustment { tax_rate_details: Some(details), ..tax }
            };
            assert_eq!(taxes, expected.iter().map(adjustment).collect::<Vec<_>>(), "{country}");
        }
    }

    proptest! {
        #[test]
        fn net_amount_and_included_taxes_add_up_to_the_gross_price(
            steps in 0_i64..9_999_999,
            rates in prop::collection::vec(1_u32..=Percent::WHOLE, 1..=Terms::TAXES_OF_A_COUNTRY_MAX),
            currency in prop::sample::select(Currency::ALL),
        ) {
            let gross = money(steps * currency.minor_step(), currency);
            let percents: Vec<String> = rates.iter().map(|it| format!("{}.{:04}", it / 10_000, it % 10_000)).collect();
            let taxes = shares(&percents.iter().map(String::as_str).collect::<Vec<_>>(), gross);
            let sum: i64 = taxes.iter().sum();
            prop_assert!((0..=gross.minor()).contains(&sum));
            let (net, step) = (i128::from(gross.minor() - sum), i128::from(currency.minor_step()));
            for (tax, rate) in taxes.into_iter().zip(rates) {
                prop_assert_eq!(tax % currency.minor_step(), 0);
                // Each tax is its percentage of the net amount: the sum is rounded, and each share by less than a step
                // more.
                let off = net * i128::from(rate) - i128::from(tax) * i128::from(Percent::WHOLE);
                prop_assert!(off.abs() <= 2 * step * i128::from(Percent::WHOLE), "{off}");
            }
        }
    }
}
