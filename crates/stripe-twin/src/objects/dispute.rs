use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{BalanceTransaction, Fields, Metadata};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Dispute {
    pub(crate) id: String,
    pub(crate) charge: String,
    pub(crate) intent: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    /// Brand of the card.
    pub(crate) brand: String,
    /// Movements of the balance because of the dispute, in order.
    pub(crate) movements: Vec<BalanceTransaction>,
    pub(crate) evidence: Fields,
    pub(crate) submissions: u32,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

/// Names of the texts of `evidence`.
pub(crate) const EVIDENCE: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
];

/// Names of the files of `evidence`, which the twin does not model.
const FILES: &[&str] = &[
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
];

impl Dispute {
    /// Time for submitting evidence: a week.
    const DUE_SECONDS: i64 = 7 * 24 * 3600;

    /// Whether the bank has not decided yet.
    pub(crate) fn is_open(&self) -> bool {
        self.is_inquiry() || self.status == "needs_response" || self.status == "under_review"
    }

    /// Whether this is an open inquiry, which withdraws no money.
    pub(crate) fn is_inquiry(&self) -> bool {
        self.status == "warning_needs_response" || self.status == "warning_under_review"
    }

    /// Amount that was withdrawn and not reinstated.
    pub(crate) fn withdrawn(&self) -> i64 {
        // Each movement withdraws or reinstates all of it.
        if self.movements.last().is_some_and(|it| it.amount < 0) { self.amount } else { 0 }
    }

    /// `case_type` of a card's dispute.
    fn case_type(&self) -> &'static str {
        match (self.status.starts_with("warning_"), self.reason.as_str()) {
            (true, _) => "inquiry",
            (false, "noncompliant") => "compliance",
            (false, _) => "chargeback",
        }
    }

    fn evidence(&self) -> Value {
        let mut fields = Map::new();
        for name in EVIDENCE {
            fields.insert((*name).to_owned(), json!(self.evidence.get(name)));
        }
        for name in FILES {
            fields.insert((*name).to_owned(), Value::Null);
        }
        fields.insert("enhanced_evidence".to_owned(), json!({}));
        Value::Object(fields)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": self.movements.iter().map(|it| it.to_json(it.created)).collect::<Vec<_>>(),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "enhanced_eligibility_types": [],
            "evidence": self.evidence(),
            "evidence_details": { "due_by": self.created + Self::DUE_SECONDS, "enhanced_eligibility": {},
                "has_evidence": !self.evidence.is_empty(), "past_due": false, "submission_count": self.submissions },
            "is_charge_refundable": self.is_inquiry(),
            "livemode": false,
            "metadata": self.metadata,
            "payment_intent": self.intent,
            "payment_method_details": { "card": { "brand": self.brand, "case_type": self.case_type(),
                "network_reason_code": "10" }, "type": "card" },
            "reason": self.reason,
            "status": self.status,
        })
    }
}
