use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Metadata;

/// A payout to the account's bank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payout {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// Whether the schedule made it, and not a request.
    pub(crate) automatic: bool,
    /// Status: `pending`, `in_transit`, `paid`, `failed` or `canceled`.
    pub(crate) status: String,
    /// Whether its balance transactions can be listed. Never for one that a request made.
    pub(crate) is_reconciled: bool,
    pub(crate) balance_transaction: String,
    pub(crate) failure_balance_transaction: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) statement_descriptor: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
    pub(crate) arrival_date: i64,
}

impl Payout {
    /// Whether the money is on its way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.status == "pending" || self.status == "in_transit"
    }

    pub(crate) fn to_json(&self) -> Value {
        let trace = json!({ "status": if self.status == "paid" { "supported" } else { "pending" },
            "value": (self.status == "paid").then(|| self.id.replace("po_", "")) });
        let reconciliation = match (self.automatic, self.is_reconciled) {
            (false, _) => "not_applicable",
            (true, false) => "in_progress",
            (true, true) => "completed",
        };
        json!({
            "id": self.id,
            "object": "payout",
            "amount": self.amount,
            "application_fee": null,
            "application_fee_amount": null,
            "arrival_date": self.arrival_date,
            "automatic": self.automatic,
            "balance_transaction": self.balance_transaction,
            "created": self.created,
            "currency": self.currency,
            "description": self.description,
            "destination": null,
            "failure_balance_transaction": self.failure_balance_transaction,
            "failure_code": self.failure_code,
            "failure_message": self.failure_code.as_ref().map(|_| "The bank returned the payout."),
            "livemode": false,
            "metadata": self.metadata,
            "method": "standard",
            "original_payout": null,
            "payout_method": null,
            "reconciliation_status": reconciliation,
            "reversed_by": null,
            "source_type": "card",
            "statement_descriptor": self.statement_descriptor,
            "status": self.status,
            "trace_id": trace,
            "type": "bank_account",
        })
    }
}
