//! Sums of balances by balance and currency.

use std::collections::BTreeMap;

use paywright_domain::books::{BalanceType, SignedMoney};
use paywright_domain::money::MoneyError;

use crate::{BalanceAmount, BalanceSum};

/// Sums of amounts by balance and currency, in this order. Sums of zero are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Balances(BTreeMap<(BalanceType, &'static str), SignedMoney>);

impl Balances {
    /// Adds an amount to its balance.
    pub(super) fn add(&mut self, balance: BalanceType, amount: SignedMoney) -> Result<(), MoneyError> {
        let key = (balance, amount.currency().code());
        let sum = self.0.get(&key).copied().unwrap_or(SignedMoney::zero(amount.currency()));
        self.0.insert(key, sum.plus(amount)?);
        Ok(())
    }

    /// Sums of amounts.
    pub(super) fn of(amounts: &[BalanceAmount]) -> Result<Self, MoneyError> {
        let mut balances = Self::default();
        for each in amounts {
            balances.add(each.balance, each.amount)?;
        }
        Ok(balances)
    }

    /// Sums that Stripe reports, available and pending together.
    pub(super) fn reported(sums: &[BalanceSum]) -> Result<Self, MoneyError> {
        let mut balances = Self::default();
        for each in sums {
            balances.add(each.balance, each.available)?;
            balances.add(each.balance, each.pending)?;
        }
        Ok(balances)
    }

    /// These sums without those of balances that Stripe does not report ("The Balance object" has no sum of
    /// `risk_reserved`).
    pub(super) fn of_reported_balances(mut self) -> Self {
        self.0.retain(|(balance, _), _| *balance != BalanceType::RiskReserved);
        self
    }

    /// These sums less others.
    pub(super) fn less(mut self, others: &Self) -> Result<Self, MoneyError> {
        for ((balance, _), amount) in &others.0 {
            self.add(*balance, amount.negated()?)?;
        }
        Ok(self)
    }

    /// These sums and others.
    pub(super) fn with(mut self, others: &Self) -> Result<Self, MoneyError> {
        for ((balance, _), amount) in &others.0 {
            self.add(*balance, *amount)?;
        }
        Ok(self)
    }

    /// Sum of a balance in the currency of `like`.
    pub(super) fn sum_like(&self, balance: BalanceType, like: SignedMoney) -> SignedMoney {
        self.0.get(&(balance, like.currency().code())).copied().unwrap_or(SignedMoney::zero(like.currency()))
    }

    /// All sums, by balance and currency, those of zero included.
    pub(super) fn all(&self) -> Vec<BalanceAmount> {
        self.0.iter().map(|((balance, _), amount)| BalanceAmount { balance: *balance, amount: *amount }).collect()
    }

    /// The sums that are not zero, by balance and currency.
    pub(super) fn amounts(&self) -> Vec<BalanceAmount> {
        self.all().into_iter().filter(|it| !it.amount.is_zero()).collect()
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::Currency;

    use super::*;

    fn amount(balance: BalanceType, minor: i64) -> BalanceAmount {
        BalanceAmount { balance, amount: SignedMoney::new(minor, Currency::Usd) }
    }

    #[test]
    fn a_reserve_is_not_compared_because_stripe_reports_no_sum_of_it() {
        let (payments, reserved) = (BalanceType::Payments, BalanceType::RiskReserved);
        let ours = Balances::of(&[amount(payments, 100), amount(reserved, 30), amount(payments, -30)]).unwrap();
        assert_eq!(ours.amounts(), [amount(payments, 70), amount(reserved, 30)]);
        assert_eq!(ours.of_reported_balances().amounts(), [amount(payments, 70)]);
    }
}
