//! Stripe's balance: its transactions, payouts and sums.

use async_trait::async_trait;
use paywright_domain::books::{BalanceTransaction, BalanceType, Payout, SignedMoney};
use paywright_domain::id::{BalanceTransactionId, PayoutId};
use paywright_domain::{IntentId, Timestamp};
use serde::{Deserialize, Serialize};

use super::gateway::GatewayError;

/// Port to Stripe's balance, for the books. It only reads. A list is read page by page, the newest object first; each
/// list method takes `after`, the [`BalancePage::next`] of the page before (`None` for the first page). No text that is
/// read has the character U+0000, which PostgreSQL cannot store.
#[async_trait]
pub trait ProviderBalance: Send + Sync {
    /// Reads a page of the balance transactions created in `range`.
    async fn transactions(
        &self,
        range: CreatedRange,
        after: Option<&str>,
    ) -> Result<BalancePage<ReportedTransaction>, GatewayError>;

    /// Reads a page of the payouts created in `range`.
    async fn payouts(&self, range: CreatedRange, after: Option<&str>) -> Result<BalancePage<Payout>, GatewayError>;

    /// Reads a payout. [`GatewayError::NotFound`] if Stripe has none with this id, [`GatewayError::NotUnderstood`] if it has
    /// a value that the books cannot hold.
    async fn payout(&self, id: &PayoutId) -> Result<Payout, GatewayError>;

    /// Reads a page of the balance transactions that an automatic payout contains, without the payout's own. It may be read
    /// once the payout's reconciliation is completed.
    async fn members(&self, payout: &PayoutId, after: Option<&str>) -> Result<BalancePage<PayoutMember>, GatewayError>;

    /// Reads the sums of each balance in each currency, without those that the books cannot hold.
    async fn balance(&self) -> Result<Vec<BalanceSum>, GatewayError>;

    /// Seconds by which Stripe's clock was ahead of this machine's at Stripe's last answer; negative where it was
    /// behind. `None` before the first answer that had a date.
    fn clock_difference_seconds(&self) -> Option<i64> {
        None
    }
}

/// Range of creation times, in whole seconds: from `from` on, and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreatedRange {
    /// First time of the range.
    pub from: Timestamp,
    /// First time after the range.
    pub until: Timestamp,
}

/// One page of a list of Stripe's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancePage<T> {
    /// Objects of the page, the newest first.
    pub items: Vec<T>,
    /// Objects of the page with values that the books cannot hold.
    pub refused: Vec<RefusedObject>,
    /// Value of `after` for the next page; `None` on the last page.
    pub next: Option<String>,
}

/// Object of a list with a value that the books cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedObject {
    /// Stripe's id of the object.
    pub id: String,
    /// Time at which Stripe created it, if that can be read.
    pub created: Option<Timestamp>,
    /// The value, and why it cannot be held.
    pub problem: String,
}

/// Balance transaction in an answer of Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedTransaction {
    /// The balance transaction.
    pub transaction: BalanceTransaction,
    /// PaymentIntent of the charge, refund or dispute that caused it, if there is one.
    pub intent: Option<IntentId>,
}

/// Balance transaction that a payout contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutMember {
    /// Stripe's id of it.
    pub id: BalanceTransactionId,
    /// The balance transaction; `None` if it has a value that the books cannot hold.
    pub transaction: Option<ReportedTransaction>,
}

/// Sum of one balance at Stripe in one currency, available and pending together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceSum {
    /// Balance.
    pub balance: BalanceType,
    /// Amount that is available, for payouts and refunds.
    pub available: SignedMoney,
    /// Amount that is not available yet.
    pub pending: SignedMoney,
}
