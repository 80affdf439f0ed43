use std::borrow::Cow;

use paywright_domain::Timestamp;
use paywright_domain::books::Payout;
use paywright_domain::id::{BalanceTransactionId, PayoutId};

use super::super::{Column, ColumnError, text};
use super::{code, signed};
use crate::{BookedPayout, MemberSum};

/// Row of the table `payouts`.
#[expect(missing_docs, reason = "each field is the column of its name, and `Payout` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayout<'a> {
    pub id: Cow<'a, str>,
    pub currency: Cow<'a, str>,
    pub amount: i64,
    pub created: i64,
    pub arrival: i64,
    pub status: Cow<'a, str>,
    pub automatic: bool,
    pub reconciliation: Cow<'a, str>,
    pub balance_transaction: Option<Cow<'a, str>>,
    pub failure_balance_transaction: Option<Cow<'a, str>>,
    pub failure_code: Option<Cow<'a, str>>,
    pub trace_id: Option<Cow<'a, str>>,
}

impl<'a> StoredPayout<'a> {
    /// Row of a payout.
    pub fn of(payout: &'a Payout) -> Self {
        let id = |it: &'a Option<BalanceTransactionId>| it.as_ref().map(|it| text(it.as_str()));
        Self {
            id: text(payout.id.as_str()),
            currency: code(payout.amount),
            amount: payout.amount.minor(),
            created: payout.created.unix_micros(),
            arrival: payout.arrival.unix_micros(),
            status: text(payout.status.name()),
            automatic: payout.automatic,
            reconciliation: text(payout.reconciliation.name()),
            balance_transaction: id(&payout.balance_transaction),
            failure_balance_transaction: id(&payout.failure_balance_transaction),
            failure_code: payout.failure_code.as_deref().map(text),
            trace_id: payout.trace_id.as_deref().map(text),
        }
    }

    fn restore(self) -> Result<Payout, ColumnError> {
        let column = |name| Column("payouts", name);
        let id = |name, id: Option<Cow<'_, str>>| column(name).read(id.map(BalanceTransactionId::new).transpose());
        let time = |name, micros| -> Result<Timestamp, ColumnError> { column(name).time(micros) };
        Ok(Payout {
            id: column("id").read(PayoutId::new(self.id))?,
            amount: signed(self.amount, column("currency").read(self.currency.parse())?),
            created: time("created", self.created)?,
            arrival: time("arrival", self.arrival)?,
            status: column("status").read(self.status.parse())?,
            automatic: self.automatic,
            reconciliation: column("reconciliation").read(self.reconciliation.parse())?,
            balance_transaction: id("balance_transaction", self.balance_transaction)?,
            failure_balance_transaction: id("failure_balance_transaction", self.failure_balance_transaction)?,
            failure_code: self.failure_code.map(Cow::into_owned),
            trace_id: self.trace_id.map(Cow::into_owned),
        })
    }
}

/// Columns of the table `payout_sums`: what is known of the members of a payout.
#[expect(missing_docs, reason = "each field is the column of its name, and `MemberSum` describes its value")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPayoutSum {
    pub members: i64,
    pub known: i64,
    pub net: i64,
}

/// Row of a payout, with the sum of its members once they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBookedPayout<'a> {
    /// The payout.
    pub payout: StoredPayout<'a>,
    /// Sum of its members.
    pub sum: Option<StoredPayoutSum>,
}

impl StoredBookedPayout<'_> {
    /// Restores the payout and the sum.
    pub fn restore(self) -> Result<BookedPayout, ColumnError> {
        let column = |name| Column("payout_sums", name);
        let payout = self.payout.restore()?;
        let members = self.sum.map(|StoredPayoutSum { members, known, net }| {
            Ok(MemberSum {
                count: column("members").read(u64::try_from(members))?,
                known: column("known").read(u64::try_from(known))?,
                net: signed(net, payout.amount.currency()),
            })
        });
        Ok(BookedPayout { members: members.transpose()?, payout })
    }
}

/// Members of a payout, for rows of the table `payout_members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMembers<'a> {
    /// Payout.
    pub payout_id: Cow<'a, str>,
    /// Ids of the balance transactions that it contains, each once.
    pub transaction_ids: Vec<Cow<'a, str>>,
}

impl<'a> StoredMembers<'a> {
    /// Members of a list, in which an id may be repeated.
    pub fn of(payout: &'a PayoutId, members: &'a [BalanceTransactionId]) -> Self {
        let mut transaction_ids: Vec<_> = members.iter().map(|it| text(it.as_str())).collect();
        transaction_ids.sort_unstable();
        transaction_ids.dedup();
        Self { payout_id: text(payout.as_str()), transaction_ids }
    }
}
