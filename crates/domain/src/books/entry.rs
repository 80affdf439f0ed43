use thiserror::Error;

use super::{Account, SignedMoney};
use crate::Currency;
use crate::money::MoneyError;

/// Entry of the books: postings that add up to zero in each currency.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Entry {
    postings: Vec<Posting>,
}

/// Change of an account by an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Posting {
    /// Account that changes.
    pub account: Account,
    /// Amount; a debit is positive, a credit negative.
    pub amount: SignedMoney,
}

/// Why an entry cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The postings do not add up to zero.
    #[error("the postings add up to {sum}, not to zero")]
    Unbalanced {
        /// Sum in the first currency that does not add up to zero.
        sum: SignedMoney,
    },
    /// Amounts cannot be added or allocated.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The facts name a PaymentIntent, refund or dispute that the order does not have.
    #[error("the order has no such PaymentIntent, refund or dispute")]
    NotOfTheOrder,
}

impl Entry {
    /// Makes an entry of these postings. Those of zero are left out, except for taxes: a tax at the rate of zero, or whose
    /// share of a small refund is zero, tells which tax the rest of the sale is subject to. [`EntryError::Unbalanced`] if
    /// they do not add up to zero in each currency.
    pub fn new(postings: Vec<Posting>) -> Result<Self, EntryError> {
        let is_kept = |it: &Posting| !it.amount.is_zero() || it.account.tax().is_some();
        let postings: Vec<_> = postings.into_iter().filter(is_kept).collect();
        let mut sums: Vec<SignedMoney> = Vec::new();
        for Posting { amount, .. } in &postings {
            match sums.iter_mut().find(|it| it.currency() == amount.currency()) {
                Some(sum) => *sum = sum.plus(*amount)?,
                None => sums.push(*amount),
            }
        }
        match sums.into_iter().find(|it| !it.is_zero()) {
            Some(sum) => Err(EntryError::Unbalanced { sum }),
            None => Ok(Self { postings }),
        }
    }

    /// Makes an entry of these postings, with one posting for each account and currency.
    pub(super) fn netted(postings: Vec<Posting>) -> Result<Self, EntryError> {
        let mut sums: Vec<Posting> = Vec::new();
        for posting in postings {
            let is_same =
                |it: &&mut Posting| it.account == posting.account && it.amount.currency() == posting.amount.currency();
            match sums.iter_mut().find(is_same) {
                Some(sum) => sum.amount = sum.amount.plus(posting.amount)?,
                None => sums.push(posting),
            }
        }
        Self::new(sums)
    }

    pub(super) fn into_postings(self) -> Vec<Posting> {
        self.postings
    }

    /// Postings of the entry. Only those of taxes may have an amount of zero.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// Sum of the postings to `account` in `currency`.
    pub fn sum_of(&self, account: &Account, currency: Currency) -> SignedMoney {
        let of_account = self.postings.iter().filter(|it| it.account == *account && it.amount.currency() == currency);
        // The whole entry was added up when it was made; a part of it may still be too large, and is cut off then.
        let minor = of_account.fold(0_i64, |sum, it| sum.saturating_add(it.amount.minor()));
        SignedMoney::new(minor, currency)
    }
}

impl Posting {
    /// Makes a debit of `amount`, or a credit if it is negative.
    pub(super) fn debit(account: Account, amount: SignedMoney) -> Self {
        Self { account, amount }
    }

    /// Makes a credit of `amount`, or a debit if it is negative.
    pub(super) fn credit(account: Account, amount: SignedMoney) -> Result<Self, MoneyError> {
        Ok(Self { account, amount: amount.negated()? })
    }
}
