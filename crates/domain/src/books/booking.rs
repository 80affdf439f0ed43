//! Entries of balance transactions.

use super::{Account, BalanceTransaction, Entry, EntryError, Fee, FeeKind, Posting, ReportingCategory};

impl Entry {
    /// Books a balance transaction: the balance at Stripe by the net amount, the fees by their kinds, and the other
    /// account of its category by the amount. In two currencies, [`Account::Exchange`] is between them; a rate of
    /// exchange is never used, because both amounts are known. If the amounts contradict each other
    /// ([`BalanceTransaction::check`]), what is left is in [`Account::Unexplained`]; of a part of the fee in another
    /// currency, all of it. Only amounts whose sum does not fit are refused.
    pub fn of_balance_transaction(row: &BalanceTransaction) -> Result<Self, EntryError> {
        let mut postings = vec![Posting::debit(Account::Balance(row.balance), row.net)];
        postings.extend(row.fees.iter().map(|it| Posting::debit(account_of_fee(it, row), it.amount)));
        let mut rests = vec![row.amount];
        for Posting { amount, .. } in &postings {
            match rests.iter_mut().find(|it| it.currency() == amount.currency()) {
                Some(rest) => *rest = rest.minus(*amount)?,
                None => rests.push(amount.negated()?),
            }
        }
        postings.extend(rests.into_iter().map(|it| Posting::debit(Account::Unexplained, it)));
        let other = other_account(row);
        match row.presented.filter(|it| it.currency() != row.amount.currency()) {
            Some(presented) => postings.extend([
                Posting::credit(Account::Exchange, row.amount)?,
                Posting::debit(Account::Exchange, presented),
                Posting::credit(other, presented)?,
            ]),
            None => postings.push(Posting::credit(other, row.amount)?),
        }
        Self::new(postings)
    }
}

/// Account on the other side of the balance.
fn other_account(row: &BalanceTransaction) -> Account {
    match &row.category {
        ReportingCategory::Charge
        | ReportingCategory::ChargeFailure
        | ReportingCategory::PartialCaptureReversal
        | ReportingCategory::Refund
        | ReportingCategory::RefundFailure
        | ReportingCategory::Dispute
        | ReportingCategory::DisputeReversal => Account::Clearing(row.source.clone()),
        ReportingCategory::Fee => Account::Fees(kind_by_description(&row.description)),
        ReportingCategory::NetworkCost => Account::Fees(FeeKind::Network),
        ReportingCategory::Tax => Account::TaxOnFees,
        ReportingCategory::Payout | ReportingCategory::PayoutReversal => Account::PayoutsInTransit,
        ReportingCategory::PayoutMinimumBalanceHold | ReportingCategory::PayoutMinimumBalanceRelease => {
            Account::MinimumBalance
        }
        ReportingCategory::RiskReservedFunds => Account::Reserves,
        ReportingCategory::Other(_) => Account::Other(row.category.clone()),
    }
}

/// Account of a part of a fee. Kinds that Stripe adds are fees of the movement that they belong to.
fn account_of_fee(fee: &Fee, row: &BalanceTransaction) -> Account {
    match fee.kind.as_str() {
        "tax" => Account::TaxOnFees,
        "withheld_tax" => Account::TaxWithheld,
        "application_fee" => Account::Fees(FeeKind::Application),
        "payment_method_passthrough_fee" => Account::Fees(FeeKind::Network),
        _ => Account::Fees(kind_of_movement(row)),
    }
}

fn kind_of_movement(row: &BalanceTransaction) -> FeeKind {
    match &row.category {
        ReportingCategory::Charge | ReportingCategory::ChargeFailure | ReportingCategory::PartialCaptureReversal => {
            FeeKind::Payment
        }
        ReportingCategory::Refund | ReportingCategory::RefundFailure => FeeKind::Refund,
        ReportingCategory::Dispute | ReportingCategory::DisputeReversal => FeeKind::Dispute,
        ReportingCategory::NetworkCost => FeeKind::Network,
        ReportingCategory::Payout | ReportingCategory::PayoutReversal => FeeKind::Payout,
        ReportingCategory::Fee => kind_by_description(&row.description),
        ReportingCategory::Tax
        | ReportingCategory::PayoutMinimumBalanceHold
        | ReportingCategory::PayoutMinimumBalanceRelease
        | ReportingCategory::RiskReservedFunds
        | ReportingCategory::Other(_) => FeeKind::Service,
    }
}

/// Kind of a fee that is a movement of its own. Stripe tells the fee for a countered dispute by the description alone.
fn kind_by_description(description: &str) -> FeeKind {
    if description.to_lowercase().contains("dispute") { FeeKind::Dispute } else { FeeKind::Service }
}
