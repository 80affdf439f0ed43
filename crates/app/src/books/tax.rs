//! Sales, refunds and taxes of a period by country and rate, for a VAT return.

mod render;
#[cfg(test)]
mod tests;

pub use self::render::{TaxLineView, TaxReportView, TaxTotalView};

use std::collections::{BTreeMap, BTreeSet};

use paywright_domain::books::{Account, Day, Entry, SalesPart, SignedMoney, TaxName};
use paywright_domain::money::{MoneyError, Percent};
use paywright_domain::{Currency, Money, OrderId};

use crate::ports::books::BookedEntry;

/// Report of what was sold and refunded in a period, and of the taxes in it. Taxes are reported exactly as the orders
/// have them. The net amounts of all lines add up to the sales and refunds of the period exactly.
///
/// A sale with one tax is a net amount at its rate. The net amount of a sale with several taxes is allocated to them by
/// largest remainder: by each tax divided by its rate, while taxes with a rate of zero, or without one, share what is
/// left. A sale without a tax has a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxReport {
    from: Day,
    to: Day,
    lines: BTreeMap<(Currency, Option<TaxName>), Line>,
    totals: BTreeMap<Currency, Total>,
}

/// Line of a report: the sales and refunds with one tax in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxLine {
    /// Currency of all amounts.
    pub currency: Currency,
    /// The tax; `None` for sales without one.
    pub tax: Option<TaxName>,
    /// Number of orders with a sale.
    pub orders: usize,
    /// Amounts.
    pub figures: TaxFigures,
    /// Part of the net base that was allocated, because its orders have several taxes.
    pub allocated: SignedMoney,
}

/// Sums of all lines in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxTotal {
    /// Currency of all amounts.
    pub currency: Currency,
    /// Number of orders with a sale.
    pub orders: usize,
    /// Amounts.
    pub figures: TaxFigures,
    /// Money received less refunded that paid for nothing on an order. It is not in the lines.
    pub unexpected: SignedMoney,
}

/// Net amounts and taxes of sales and refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxFigures {
    /// Sales without taxes: goods and shipping less discounts.
    pub net_sales: SignedMoney,
    /// Taxes on the sales.
    pub tax: SignedMoney,
    /// Refunds without taxes.
    pub net_refunds: SignedMoney,
    /// Taxes in the refunds.
    pub tax_refunded: SignedMoney,
}

impl TaxFigures {
    const fn zero(currency: Currency) -> Self {
        let zero = SignedMoney::zero(currency);
        Self { net_sales: zero, tax: zero, net_refunds: zero, tax_refunded: zero }
    }

    /// Net sales less net refunds: the tax base.
    pub fn net_base(&self) -> Result<SignedMoney, MoneyError> {
        self.net_sales.minus(self.net_refunds)
    }

    /// Taxes less refunded taxes.
    pub fn tax_due(&self) -> Result<SignedMoney, MoneyError> {
        self.tax.minus(self.tax_refunded)
    }

    fn add(&mut self, kind: Movement, net: SignedMoney, tax: SignedMoney) -> Result<(), MoneyError> {
        let (nets, taxes) = match kind {
            Movement::Sale => (&mut self.net_sales, &mut self.tax),
            Movement::Refund => (&mut self.net_refunds, &mut self.tax_refunded),
        };
        (*nets, *taxes) = (nets.plus(net)?, taxes.plus(tax)?);
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    orders: BTreeSet<OrderId>,
    figures: TaxFigures,
    allocated: SignedMoney,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Total {
    orders: BTreeSet<OrderId>,
    figures: TaxFigures,
    unexpected: SignedMoney,
}

/// Movement of sales: into them, or out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Movement {
    Sale,
    Refund,
}

impl Movement {
    /// `amount`, with the sign that it has in the difference of sales and refunds.
    fn signed(self, amount: SignedMoney) -> Result<SignedMoney, MoneyError> {
        match self {
            Self::Sale => Ok(amount),
            Self::Refund => amount.negated(),
        }
    }
}

/// Sale or refund in an entry. All amounts of a refund that failed, and of a sale that was reversed, are negative.
struct Part {
    net: SignedMoney,
    taxes: Vec<(TaxName, SignedMoney)>,
    unexpected: SignedMoney,
}

impl TaxReport {
    /// Makes a report of the days `from` to `to`, both included, without entries.
    pub const fn new(from: Day, to: Day) -> Self {
        Self { from, to, lines: BTreeMap::new(), totals: BTreeMap::new() }
    }

    /// Adds an entry of the period. [`MoneyError::TooLarge`] if a sum does not fit.
    pub fn add(&mut self, booked: &BookedEntry) -> Result<(), MoneyError> {
        for ((currency, movement), part) in parts_of(&booked.entry)? {
            let tax = part.taxes.iter().try_fold(SignedMoney::zero(currency), |sum, it| sum.plus(it.1))?;
            let total = self.totals.entry(currency).or_insert_with(|| Total {
                orders: BTreeSet::new(),
                figures: TaxFigures::zero(currency),
                unexpected: SignedMoney::zero(currency),
            });
            total.figures.add(movement, part.net, tax)?;
            total.unexpected = total.unexpected.plus(movement.signed(part.unexpected)?)?;
            if movement == Movement::Sale && !(part.net.is_zero() && tax.is_zero()) {
                total.orders.insert(booked.order);
            }
            let is_allocated = part.taxes.len() > 1;
            let bases = bases(part.net, &part.taxes)?;
            if part.taxes.is_empty() {
                self.add_line(booked.order, movement, None, (part.net, tax), false)?;
            }
            for ((name, tax), base) in part.taxes.into_iter().zip(bases) {
                self.add_line(booked.order, movement, Some(name), (base, tax), is_allocated)?;
            }
        }
        Ok(())
    }

    fn add_line(
        &mut self,
        order: OrderId,
        movement: Movement,
        name: Option<TaxName>,
        (net, tax): (SignedMoney, SignedMoney),
        is_allocated: bool,
    ) -> Result<(), MoneyError> {
        if net.is_zero() && tax.is_zero() {
            return Ok(());
        }
        let currency = net.currency();
        let line = self.lines.entry((currency, name)).or_insert_with(|| Line {
            orders: BTreeSet::new(),
            figures: TaxFigures::zero(currency),
            allocated: SignedMoney::zero(currency),
        });
        line.figures.add(movement, net, tax)?;
        if is_allocated {
            line.allocated = line.allocated.plus(movement.signed(net)?)?;
        }
        if movement == Movement::Sale {
            line.orders.insert(order);
        }
        Ok(())
    }

    /// First and last day.
    pub const fn days(&self) -> (Day, Day) {
        (self.from, self.to)
    }

    /// Lines by currency, country, rate and label; those that have none come last.
    pub fn lines(&self) -> Vec<TaxLine> {
        let line = |((currency, tax), line): (&(Currency, Option<TaxName>), &Line)| TaxLine {
            currency: *currency,
            tax: tax.clone(),
            orders: line.orders.len(),
            figures: line.figures,
            allocated: line.allocated,
        };
        let mut lines: Vec<_> = self.lines.iter().map(line).collect();
        lines.sort_by(|left, right| left.position().cmp(&right.position()));
        lines
    }

    /// Sums of each currency.
    pub fn totals(&self) -> Vec<TaxTotal> {
        let total = |(currency, total): (&Currency, &Total)| TaxTotal {
            currency: *currency,
            orders: total.orders.len(),
            figures: total.figures,
            unexpected: total.unexpected,
        };
        let mut totals: Vec<_> = self.totals.iter().map(total).collect();
        totals.sort_by_key(|it| it.currency.code());
        totals
    }
}

impl TaxLine {
    /// Order of the lines.
    fn position(&self) -> impl Ord + use<'_> {
        let rate = self.tax.as_ref().and_then(|it| it.rate);
        let country = rate.and_then(|it| it.country);
        let percent = rate.map(|it| it.percent);
        let label = self.tax.as_ref().map(|it| it.label.as_str());
        (self.currency.code(), country.is_none(), country, percent.is_none(), percent, label.is_none(), label)
    }
}

/// Sales and refunds in an entry, by currency.
fn parts_of(entry: &Entry) -> Result<BTreeMap<(Currency, Movement), Part>, MoneyError> {
    let mut parts: BTreeMap<(Currency, Movement), Part> = BTreeMap::new();
    for posting in entry.postings() {
        let (movement, of, amount) = if let Account::Sales(of) = &posting.account {
            (Movement::Sale, of, posting.amount.negated()?)
        } else if let Account::Refunds(of) = &posting.account {
            (Movement::Refund, of, posting.amount)
        } else {
            continue;
        };
        let zero = SignedMoney::zero(amount.currency());
        let empty = || Part { net: zero, taxes: Vec::new(), unexpected: zero };
        let part = parts.entry((amount.currency(), movement)).or_insert_with(empty);
        if let Some(tax) = of.tax() {
            part.taxes.push((tax.clone(), amount));
        } else if *of == SalesPart::Unexpected {
            part.unexpected = part.unexpected.plus(amount)?;
        } else {
            part.net = part.net.plus(amount)?;
        }
    }
    Ok(parts)
}

/// Net amount of each tax of a sale or a refund. They add up to `net`, unless there are no taxes.
fn bases(net: SignedMoney, taxes: &[(TaxName, SignedMoney)]) -> Result<Vec<SignedMoney>, MoneyError> {
    match taxes {
        [] => return Ok(Vec::new()),
        [_] => return Ok(vec![net]),
        [_, _, ..] => {}
    }
    let size = Money::new(net.minor().checked_abs().ok_or(MoneyError::TooLarge)?, net.currency())?;
    let known: Vec<Option<u64>> = taxes.iter().map(|(name, tax)| net_of(name, *tax)).collect();
    let sum = known.iter().flatten().fold(0_u64, |sum, it| sum.saturating_add(*it));
    let rest = size.minor().unsigned_abs().saturating_sub(sum);
    // Each of the others has the weight of its part of the rest, where all weights are multiplied by their number.
    let others = known.iter().filter(|it| it.is_none()).count();
    let scale = u64::try_from(others.max(1)).unwrap_or(u64::MAX);
    let weights: Vec<u64> = known.into_iter().map(|it| it.map_or(rest, |it| it.saturating_mul(scale))).collect();
    let shares = match size.allocate(&weights) {
        Err(MoneyError::NoWeights) => size.allocate(&vec![1; taxes.len()]),
        shares => shares,
    };
    let signed = |share: Money| if net.minor() < 0 { SignedMoney::from(share).negated() } else { Ok(share.into()) };
    shares?.into_iter().map(signed).collect()
}

/// Net amount that a tax is its percentage of, rounded to minor units and without sign. `None` if the rate does not tell it.
fn net_of(name: &TaxName, tax: SignedMoney) -> Option<u64> {
    let rate = u128::from(name.rate?.percent.ten_thousandths());
    let whole = u128::from(tax.minor().unsigned_abs()) * u128::from(Percent::WHOLE);
    let net = (whole + rate / 2).checked_div(rate)?;
    Some(u64::try_from(net).unwrap_or(u64::MAX))
}
