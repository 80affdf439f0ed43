use super::SignedMoney;
use crate::Timestamp;
use crate::id::{BalanceTransactionId, PayoutId};

/// Payout of a balance at Stripe to the shop's bank, as Stripe's API reports it ("The Payout object").
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Payout {
    /// Stripe's id of the payout (`po_…`).
    pub id: PayoutId,
    /// Amount that the bank receives; negative if Stripe debits the bank.
    pub amount: SignedMoney,
    /// Time at which Stripe created it, in whole seconds.
    pub created: Timestamp,
    /// Day on which the bank is expected to receive it, as its start in UTC.
    pub arrival: Timestamp,
    /// Latest known status. A payout that is `paid` may still become `failed`.
    pub status: PayoutStatus,
    /// Whether Stripe made it by the account's schedule. Only then it has members.
    pub automatic: bool,
    /// Whether the balance transactions that it contains may be listed.
    pub reconciliation: Reconciliation,
    /// Stripe's id of the balance transaction that took the amount.
    pub balance_transaction: Option<BalanceTransactionId>,
    /// Stripe's id of the balance transaction that returned the amount.
    pub failure_balance_transaction: Option<BalanceTransactionId>,
    /// Stripe's code of a failure, such as `account_closed`.
    pub failure_code: Option<String>,
    /// Reference of the transfer at the bank, where the bank gave one.
    pub trace_id: Option<String>,
}

/// Status of a payout, by Stripe's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PayoutStatus {
    /// Made, and not submitted to the bank yet.
    Pending,
    /// Submitted to the bank.
    InTransit,
    /// Expected to have arrived. The bank may still return it for some days.
    Paid,
    /// Returned by the bank: the amount is on the balance again.
    Failed,
    /// Canceled before it was submitted.
    Canceled,
}

variant_names! {
    /// Stripe's name of the status.
    PayoutStatus {
        Pending => "pending",
        InTransit => "in_transit",
        Paid => "paid",
        Failed => "failed",
        Canceled => "canceled",
    }
}

parsed_by_name! { PayoutStatus: "a status of a payout" }

/// Whether Stripe has listed the balance transactions of a payout (`reconciliation_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Reconciliation {
    /// Listed in full.
    Completed,
    /// Stripe has not found all of them yet.
    InProgress,
    /// Stripe does not know them: the payout was made by hand, or is instant.
    NotApplicable,
}

variant_names! {
    /// Stripe's name of the status.
    Reconciliation {
        Completed => "completed",
        InProgress => "in_progress",
        NotApplicable => "not_applicable",
    }
}

parsed_by_name! { Reconciliation: "a reconciliation status" }
