//! Totals of an order, allocated to its lines and its shipping.

use crate::money::MoneyError;
use crate::order::{Adjustment, Totals};
use crate::{Currency, LineItem, Money};

/// Taxes on the shipping price, a part of the order's taxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ShippingTax {
    /// Tax added to the shipping price.
    pub added: Money,
    /// Tax contained in the shipping price.
    pub included: Money,
}

impl ShippingTax {
    /// Zero in `currency`: no tax on the shipping.
    pub const fn none(currency: Currency) -> Self {
        Self { added: Money::zero(currency), included: Money::zero(currency) }
    }
}

/// Amounts of one line or of the shipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Price times quantity of the line, or the shipping price.
    pub amount: Money,
    /// Discount on the amount.
    pub discount: Money,
    /// Tax added to the amount.
    pub tax: Money,
    /// Tax contained in the amount.
    pub tax_included: Money,
}

impl Part {
    /// Contribution to the order's total: amount plus added tax, less discount.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.amount.plus(self.tax)?.minus(self.discount)
    }
}

/// Totals of an order, allocated to its lines and its shipping. The parts add up to the totals exactly.
///
/// Discounts reduce the lines first, and the shipping after that. The tax on the lines is allocated by their prices
/// less discounts; the tax on the shipping belongs to the shipping alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breakdown {
    /// Totals of the order.
    pub totals: Totals,
    /// Amounts of each line, in the order of the lines.
    pub lines: Vec<Part>,
    /// Amounts of the shipping.
    pub shipping: Part,
}

impl Breakdown {
    /// Allocates the totals of lines and adjustments. Where the tax on the shipping is not known, the taxes are
    /// allocated to lines and shipping by their prices less discounts.
    pub fn of<'a>(
        currency: Currency,
        lines: impl IntoIterator<Item = &'a LineItem> + Clone,
        adjustments: &[Adjustment],
        shipping_tax: Option<ShippingTax>,
    ) -> Result<Self, MoneyError> {
        let totals = Totals::of(currency, lines.clone(), adjustments)?;
        let amounts =
            lines.into_iter().map(|it| it.unit_amount().times(it.quantity())).collect::<Result<Vec<_>, _>>()?;
        let (off_goods, beyond_goods) = split_at(totals.discounts, totals.items)?;
        let discounts = allocate_or(off_goods, &amounts, &amounts)?;
        let discounted: Vec<Money> =
            amounts.iter().zip(&discounts).map(|(amount, it)| amount.minus(*it)).collect::<Result<_, _>>()?;
        let known = shipping_tax
            .filter(|it| totals.taxes.minus(it.added).is_ok() && totals.taxes_included.minus(it.included).is_ok());
        let on_shipping = known.map_or_else(|| shipping_share(&totals), Ok)?;
        let taxes = allocate_or(totals.taxes.minus(on_shipping.added)?, &discounted, &amounts)?;
        let included = allocate_or(totals.taxes_included.minus(on_shipping.included)?, &discounted, &amounts)?;
        // A discount of more than lines and shipping reduces the added taxes.
        let (off_shipping, off_taxes) = split_at(beyond_goods, totals.shipping.plus(on_shipping.added)?)?;
        let off_taxes = allocate_or(off_taxes, &taxes, &amounts)?;
        let parts = amounts.into_iter().zip(discounts).zip(off_taxes).zip(taxes.into_iter().zip(included));
        let lines = parts
            .map(|(((amount, discount), more), (tax, tax_included))| {
                Ok(Part { amount, discount: discount.plus(more)?, tax, tax_included })
            })
            .collect::<Result<_, MoneyError>>()?;
        let shipping = Part {
            amount: totals.shipping,
            discount: off_shipping,
            tax: on_shipping.added,
            tax_included: on_shipping.included,
        };
        Ok(Self { totals, lines, shipping })
    }

    /// The tax contained in the prices of the lines.
    pub fn goods_tax_included(&self) -> Result<Money, MoneyError> {
        self.totals.taxes_included.minus(self.shipping.tax_included)
    }
}

/// Taxes on the shipping by its share of all prices less discounts.
fn shipping_share(totals: &Totals) -> Result<ShippingTax, MoneyError> {
    let (off_goods, rest) = split_at(totals.discounts, totals.items)?;
    let (off_shipping, _) = split_at(rest, totals.shipping)?;
    let prices = [totals.items, totals.shipping];
    let discounted = [totals.items.minus(off_goods)?, totals.shipping.minus(off_shipping)?];
    let goods = |sum| Ok(allocate_or(sum, &discounted, &prices)?.first().copied().unwrap_or(sum));
    Ok(ShippingTax {
        added: totals.taxes.minus(goods(totals.taxes)?)?,
        included: totals.taxes_included.minus(goods(totals.taxes_included)?)?,
    })
}

/// Splits `sum` into a part of at most `most` and the rest.
fn split_at(sum: Money, most: Money) -> Result<(Money, Money), MoneyError> {
    match sum.minus(most) {
        Ok(rest) => Ok((most, rest)),
        Err(MoneyError::Negative) => Ok((sum, Money::zero(sum.currency()))),
        Err(
            problem @ (MoneyError::TooLarge
            | MoneyError::AboveMaximum { .. }
            | MoneyError::CurrencyMismatch { .. }
            | MoneyError::NotADecimal { .. }
            | MoneyError::Inexact { .. }
            | MoneyError::NoWeights),
        ) => Err(problem),
    }
}

/// Allocates `sum` by `weights`, or by `fallback` where all of them are zero. Zero is allocated without weights.
fn allocate_or(sum: Money, weights: &[Money], fallback: &[Money]) -> Result<Vec<Money>, MoneyError> {
    if sum.is_zero() {
        return Ok(vec![sum; weights.len()]);
    }
    let minor = |weights: &[Money]| weights.iter().map(|it| it.minor().unsigned_abs()).collect::<Vec<_>>();
    match sum.allocate(&minor(weights)) {
        Err(MoneyError::NoWeights) => sum.allocate(&minor(fallback)),
        shares => shares,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::order::AdjustmentKind;
    use crate::text::Text;

    fn adjustment(kind: AdjustmentKind, amount: Money) -> Adjustment {
        Adjustment::new(kind, Text::new("x").unwrap(), amount)
    }

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::Eur).unwrap()
    }

    fn line(unit: Money, quantity: u32) -> LineItem {
        LineItem::new("x", unit, quantity).unwrap()
    }

    fn shown(part: &Part) -> [i64; 4] {
        [part.amount, part.discount, part.tax, part.tax_included].map(Money::minor)
    }

    #[test]
    fn the_tax_on_the_shipping_is_not_allocated_to_lines() {
        use AdjustmentKind::{Discount, Shipping, Tax, TaxIncluded};
        let known = |added, included| Some(ShippingTax { added: eur(added), included: eur(included) });
        for (lines, adjustments, on_shipping, expected_lines, expected_shipping) in [
            // 1.00 of goods and 100.00 of shipping, with 19 % included.
            (
                vec![(100, 1)],
                vec![(Shipping, 10_000), (TaxIncluded, 1613)],
                known(0, 1597),
                vec![[100, 0, 0, 16]],
                [10_000, 0, 0, 1597],
            ),
            // A row from before the tax on the shipping was stored.
            (
                vec![(100, 1)],
                vec![(Shipping, 10_000), (TaxIncluded, 1613)],
                None,
                vec![[100, 0, 0, 16]],
                [10_000, 0, 0, 1597],
            ),
            // A tax on the shipping above all taxes belongs to another price, and is ignored.
            (vec![(100, 1)], vec![(Tax, 10)], known(11, 0), vec![[100, 0, 10, 0]], [0, 0, 0, 0]),
            // A line whose price is fully discounted has no tax.
            (
                vec![(100, 1), (100, 1)],
                vec![(Discount, 101), (Tax, 9)],
                known(0, 0),
                vec![[100, 51, 4, 0], [100, 50, 5, 0]],
                [0, 0, 0, 0],
            ),
            // A discount of more than lines and shipping.
            (
                vec![(100, 2)],
                vec![(Discount, 750), (Shipping, 500), (Tax, 100)],
                known(40, 0),
                vec![[200, 210, 60, 0]],
                [500, 540, 40, 0],
            ),
        ] {
            let lines: Vec<_> = lines.into_iter().map(|(unit, quantity)| line(eur(unit), quantity)).collect();
            let adjustments: Vec<_> = adjustments.into_iter().map(|(kind, it)| adjustment(kind, eur(it))).collect();
            let parts = Breakdown::of(Currency::Eur, &lines, &adjustments, on_shipping).unwrap();
            assert_eq!(parts.lines.iter().map(shown).collect::<Vec<_>>(), expected_lines, "{adjustments:?}");
            assert_eq!(shown(&parts.shipping), expected_shipping, "{adjustments:?}");
        }
    }

    proptest! {
        /// Holds for all orders, also those of the shop dialect, where the tax on the shipping is not known.
        #[test]
        fn lines_and_shipping_add_up_to_the_totals_of_the_order(
            lines in prop::collection::vec((1_i64..5_000_000, 1_u32..20), 1..6),
            adjustments in prop::collection::vec(
                (prop::sample::select(AdjustmentKind::ALL.to_vec()), 0_i64..9_000_000), 0..8),
            on_shipping in prop::option::of((0_i64..9_000_000, 0_i64..9_000_000)),
            currency in prop::sample::select(Currency::ALL),
        ) {
            let money = |minor: i64| Money::new(minor, currency).unwrap();
            let lines: Vec<_> = lines.into_iter().map(|(unit, quantity)| line(money(unit), quantity)).collect();
            let adjustments: Vec<_> = adjustments.into_iter().map(|(kind, it)| adjustment(kind, money(it))).collect();
            let on_shipping =
                on_shipping.map(|(added, included)| ShippingTax { added: money(added), included: money(included) });
            let Ok(totals) = Totals::of(currency, &lines, &adjustments) else { return Ok(()) };
            let parts = Breakdown::of(currency, &lines, &adjustments, on_shipping).unwrap();
            prop_assert_eq!(parts.totals, totals);
            let all = || parts.lines.iter().chain([&parts.shipping]);
            let sum = |of: fn(&Part) -> Money| all().map(|it| of(it).minor()).sum::<i64>();
            prop_assert_eq!(sum(|it| it.amount), totals.items.minor() + totals.shipping.minor());
            prop_assert_eq!(sum(|it| it.discount), totals.discounts.minor());
            prop_assert_eq!(sum(|it| it.tax), totals.taxes.minor());
            prop_assert_eq!(sum(|it| it.tax_included), totals.taxes_included.minor());
            prop_assert_eq!(sum(|it| it.total().unwrap()), totals.due.minor());
        }
    }
}
