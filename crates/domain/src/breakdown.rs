//! An order's totals, by line and by shipping.

use crate::content::Totals;
use crate::{Adjustment, Currency, LineItem, Money, MoneyError};

/// The part of an order's taxes that is due on its shipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ShippingTax {
    /// On top of the shipping price.
    pub added: Money,
    /// Contained in the shipping price.
    pub included: Money,
}

impl ShippingTax {
    /// No tax on the shipping.
    pub const fn none(currency: Currency) -> Self {
        Self { added: Money::zero(currency), included: Money::zero(currency) }
    }
}

/// The amounts of one line, or of the shipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Price times quantity; the price of the shipping.
    pub amount: Money,
    /// Taken off.
    pub discount: Money,
    /// Tax on top.
    pub tax: Money,
    /// Tax that the amount contains.
    pub tax_included: Money,
}

impl Part {
    /// What it adds to the total: amount and tax on top, less the discount.
    pub fn total(&self) -> Result<Money, MoneyError> {
        self.amount.plus(self.tax)?.minus(self.discount)
    }
}

/// The totals of an order, shared out over its lines and its shipping. The parts add up to the totals exactly.
///
/// A discount is taken off the goods first. The tax of the goods is shared over the lines by their prices less
/// discounts; the tax of the shipping is no line's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// The totals.
    pub totals: Totals,
    /// One part for each line, in order.
    pub lines: Vec<Part>,
    /// The shipping.
    pub shipping: Part,
}

impl Breakdown {
    /// Shares out what lines and adjustments come to. Where it is not known which part of the taxes is due on the
    /// shipping, it is the shipping's share of the whole price.
    pub fn of<'a>(
        currency: Currency,
        lines: impl IntoIterator<Item = &'a LineItem> + Clone,
        adjustments: &[Adjustment],
        shipping_tax: Option<ShippingTax>,
    ) -> Result<Self, MoneyError> {
        let totals = Totals::of(currency, lines.clone(), adjustments)?;
        let amounts =
            lines.into_iter().map(|it| it.unit_amount().times(it.quantity())).collect::<Result<Vec<_>, _>>()?;
        let (off_goods, beyond_goods) = up_to(totals.discounts, totals.items)?;
        let discounts = shared(off_goods, &amounts, &amounts)?;
        let discounted: Vec<Money> =
            amounts.iter().zip(&discounts).map(|(amount, it)| amount.minus(*it)).collect::<Result<_, _>>()?;
        let known = shipping_tax
            .filter(|it| totals.taxes.minus(it.added).is_ok() && totals.taxes_included.minus(it.included).is_ok());
        let on_shipping = known.map_or_else(|| shipping_share(&totals), Ok)?;
        let taxes = shared(totals.taxes.minus(on_shipping.added)?, &discounted, &amounts)?;
        let included = shared(totals.taxes_included.minus(on_shipping.included)?, &discounted, &amounts)?;
        // A discount of more than goods and shipping is taken off the taxes on top.
        let (off_shipping, off_taxes) = up_to(beyond_goods, totals.shipping.plus(on_shipping.added)?)?;
        let off_taxes = shared(off_taxes, &taxes, &amounts)?;
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

    /// The tax that the prices of the lines contain.
    pub fn goods_tax_included(&self) -> Result<Money, MoneyError> {
        self.totals.taxes_included.minus(self.shipping.tax_included)
    }
}

/// The part of the taxes that falls on the shipping by its share of the whole price, less discounts.
fn shipping_share(totals: &Totals) -> Result<ShippingTax, MoneyError> {
    let (off_goods, rest) = up_to(totals.discounts, totals.items)?;
    let (off_shipping, _) = up_to(rest, totals.shipping)?;
    let prices = [totals.items, totals.shipping];
    let discounted = [totals.items.minus(off_goods)?, totals.shipping.minus(off_shipping)?];
    let goods = |sum| Ok(shared(sum, &discounted, &prices)?.first().copied().unwrap_or(sum));
    Ok(ShippingTax {
        added: totals.taxes.minus(goods(totals.taxes)?)?,
        included: totals.taxes_included.minus(goods(totals.taxes_included)?)?,
    })
}

/// As much of `sum` as `most` holds, and the rest.
fn up_to(sum: Money, most: Money) -> Result<(Money, Money), MoneyError> {
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

/// `sum` by `weights`; by `otherwise` where they are all nothing. Nothing needs no weight.
fn shared(sum: Money, weights: &[Money], otherwise: &[Money]) -> Result<Vec<Money>, MoneyError> {
    if sum.is_zero() {
        return Ok(vec![sum; weights.len()]);
    }
    let minor = |weights: &[Money]| weights.iter().map(|it| it.minor().unsigned_abs()).collect::<Vec<_>>();
    match sum.allocate(&minor(weights)) {
        Err(MoneyError::NoWeights) => sum.allocate(&minor(otherwise)),
        shares => shares,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AdjustmentKind, Text};

    fn adjustment(kind: AdjustmentKind, amount: Money) -> Adjustment {
        Adjustment { kind, label: Text::new("x").unwrap(), amount }
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
    fn the_tax_of_the_shipping_is_no_lines() {
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
            // A row from before the part was stored.
            (
                vec![(100, 1)],
                vec![(Shipping, 10_000), (TaxIncluded, 1613)],
                None,
                vec![[100, 0, 0, 16]],
                [10_000, 0, 0, 1597],
            ),
            // A part that is more than there is was another price's.
            (vec![(100, 1)], vec![(Tax, 10)], known(11, 0), vec![[100, 0, 10, 0]], [0, 0, 0, 0]),
            // What is free has no tax.
            (
                vec![(100, 1), (100, 1)],
                vec![(Discount, 101), (Tax, 9)],
                known(0, 0),
                vec![[100, 51, 4, 0], [100, 50, 5, 0]],
                [0, 0, 0, 0],
            ),
            // A discount of all that there is, and more.
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
        /// Whatever an order is made of, also by the other dialect.
        #[test]
        fn lines_and_shipping_add_up_to_the_order(
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
