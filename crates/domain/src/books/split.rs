//! Division of an order's total into goods, shipping, discounts and taxes.

use super::account::TaxName;
use super::{SalesPart, SignedMoney};
use crate::money::{MoneyError, complete};
use crate::order::Breakdown;
use crate::{Money, Order};

/// Parts of an order's total, which add up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split {
    total: Money,
    parts: Vec<(SalesPart, i64)>,
}

impl Split {
    /// Divides the total of an order. Each tax is a part of its own, by label, rate and country. If the order does not say
    /// which part of the taxes in its prices is in the shipping price, they are allocated by the prices less discounts.
    pub(super) fn of(order: &Order) -> Result<Self, MoneyError> {
        let whole = Breakdown::of(order.total.currency(), &order.lines, &order.adjustments, None)?;
        let in_shipping = whole.shipping.tax_included.minor();
        let in_goods = whole.totals.taxes_included.minor() - in_shipping;
        let mut parts = vec![
            (SalesPart::Goods, whole.totals.items.minor() - in_goods),
            (SalesPart::Shipping, whole.totals.shipping.minor() - in_shipping),
            (SalesPart::Discounts, -whole.totals.discounts.minor()),
        ];
        for adjustment in &order.adjustments {
            if adjustment.kind.is_tax() {
                let part = SalesPart::Tax(TaxName::of(adjustment));
                match parts.iter_mut().find(|it| it.0 == part) {
                    Some((_, sum)) => *sum += adjustment.amount.minor(),
                    None => parts.push((part, adjustment.amount.minor())),
                }
            }
        }
        Ok(Self { total: order.total, parts })
    }

    /// Parts of what is between two amounts, each of zero or more: the parts of `to` less those of `from`. So amounts
    /// that are paid or refunded one after the other add up, in each part, to what they are together. What is above the
    /// total is a part of its own.
    pub(super) fn between(&self, from: Money, to: Money) -> Result<Vec<(SalesPart, SignedMoney)>, MoneyError> {
        self.total.same_currency(from)?;
        self.total.same_currency(to)?;
        let currency = self.total.currency();
        let (before, after) = (self.at(from.minor())?, self.at(to.minor())?);
        let names = self.parts.iter().map(|it| &it.0).chain([&SalesPart::Unexpected]);
        let parts = names.zip(before.iter().zip(after));
        Ok(parts.map(|(name, (before, after))| (name.clone(), SignedMoney::new(after - before, currency))).collect())
    }

    /// Parts of `amount`, by largest remainders, to the earlier of two equal ones first; and at last what is above the
    /// total.
    fn at(&self, amount: i64) -> Result<Vec<i64>, MoneyError> {
        let total = self.total.minor();
        let within = amount.min(total);
        let mut shares = Vec::with_capacity(self.parts.len() + 1);
        let mut remainders = Vec::with_capacity(self.parts.len());
        for (place, (_, part)) in self.parts.iter().enumerate() {
            let exact = i128::from(*part) * i128::from(within);
            // The total of an order is never zero.
            let (share, remainder) = (exact.checked_div_euclid(total.into()), exact.checked_rem_euclid(total.into()));
            shares.push(share.and_then(|it| i64::try_from(it).ok()).ok_or(MoneyError::TooLarge)?);
            remainders.push((remainder.unwrap_or(0), place));
        }
        complete(&mut shares, remainders, within)?;
        shares.push(amount - within);
        Ok(shares)
    }
}
