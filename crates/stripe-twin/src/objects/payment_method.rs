use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fields, Metadata, set};
use crate::cards;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PaymentMethod {
    pub(crate) id: String,
    /// Token of the test card.
    pub(crate) token: String,
    pub(crate) customer: Option<String>,
    /// Whether it was detached, or paid without being saved for a customer: it cannot be used again.
    pub(crate) is_used_up: bool,
    /// Whether the customer has authenticated it for later payments off session.
    pub(crate) is_set_up: bool,
    pub(crate) allow_redisplay: String,
    pub(crate) billing_details: Fields,
    pub(crate) exp_month: i64,
    pub(crate) exp_year: i64,
    pub(crate) metadata: Metadata,
    pub(crate) created: i64,
}

impl PaymentMethod {
    /// Type: `card` or `us_bank_account`.
    pub(crate) fn kind(&self) -> &'static str {
        cards::by_token(&self.token).map_or("card", |it| it.kind())
    }

    pub(crate) fn to_json(&self) -> Value {
        let kind = self.kind();
        let mut json = json!({
            "id": self.id,
            "object": "payment_method",
            "allow_redisplay": self.allow_redisplay,
            "billing_details": self.billing_details.to_billing_details(),
            "created": self.created,
            "customer": self.customer,
            "livemode": false,
            "metadata": self.metadata,
            "type": kind,
        });
        set(&mut json, kind, cards::shown(&self.token, self.exp_month, self.exp_year));
        json
    }
}
