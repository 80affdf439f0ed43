//! What Stripe answers, as far as it is used. Unknown fields are ignored; what may be null or absent is an
//! `Option`; what may be an id or the object itself is [`Expandable`].

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use crate::error::ErrorBody;
use crate::{
    CancellationReason, CaptureMethod, IntentStatus, RefundReason, RefundStatus, SetupIntentStatus, SetupUsage,
    StripeId,
};

/// A reference that Stripe sends as an id, or as the object where it was asked to expand it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// The id alone.
    Id(StripeId),
    /// The object.
    Object(Box<T>),
}

impl Expandable<PaymentIntent> {
    /// The id, either way.
    pub fn id(&self) -> &StripeId {
        match self {
            Self::Id(id) => id,
            Self::Object(intent) => &intent.id,
        }
    }
}

/// A PaymentIntent. `Debug` does not show the client secret.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentIntent {
    /// `pi_…`.
    pub id: StripeId,
    /// In the currency's wire units.
    pub amount: i64,
    /// Authorised and not captured yet.
    #[serde(default)]
    pub amount_capturable: i64,
    /// Received.
    #[serde(default)]
    pub amount_received: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands.
    pub status: IntentStatus,
    /// When the money moves.
    pub capture_method: Option<CaptureMethod>,
    /// Lets a browser pay it.
    pub client_secret: Option<SecretString>,
    /// Who pays.
    pub customer: Option<Expandable<Customer>>,
    /// Where Stripe's receipt goes.
    #[serde(default)]
    pub receipt_email: Option<String>,
    /// What moved the money, once a confirmation was tried.
    pub latest_charge: Option<Expandable<Charge>>,
    /// Why the last attempt failed.
    pub last_payment_error: Option<ErrorBody>,
    /// Why it was given up.
    pub cancellation_reason: Option<CancellationReason>,
    /// Our own notes.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Whether it is about real money.
    pub livemode: bool,
    /// Seconds since 1970.
    pub created: i64,
}

/// A Refund.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    /// `re_…`.
    pub id: StripeId,
    /// In the currency's wire units.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands.
    pub status: Option<RefundStatus>,
    /// Why.
    pub reason: Option<RefundReason>,
    /// Of which payment.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// Of which charge.
    pub charge: Option<Expandable<Charge>>,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// Our own notes.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Seconds since 1970.
    pub created: i64,
}

/// A Charge: one movement of money.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Charge {
    /// `ch_…` or `py_…`.
    pub id: StripeId,
    /// In the currency's wire units.
    pub amount: i64,
    /// Given back so far.
    #[serde(default)]
    pub amount_refunded: i64,
    /// Whether the card holder disputes it.
    #[serde(default)]
    pub disputed: bool,
    /// What came of it on the shop's balance; null until a moment after it.
    #[serde(default)]
    pub balance_transaction: Option<Expandable<BalanceTransaction>>,
}

/// A movement of the shop's balance, in the currency of the balance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BalanceTransaction {
    /// `txn_…`.
    pub id: StripeId,
    /// Before fees, in the currency's wire units; negative where money went out.
    pub amount: i64,
    /// What Stripe keeps.
    pub fee: i64,
    /// ISO 4217, lower case.
    pub currency: String,
}

/// A Dispute.
#[derive(Debug, Clone, Deserialize)]
pub struct Dispute {
    /// `du_…` or `dp_…`.
    pub id: StripeId,
    /// In the currency's wire units.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Where it stands; open, as new words may come.
    pub status: String,
    /// Why, in the bank's word.
    pub reason: String,
    /// Of which payment.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// What is asked for.
    pub evidence_details: Option<EvidenceDetails>,
    /// What moved on the shop's balance because of it.
    #[serde(default)]
    pub balance_transactions: Vec<BalanceMovement>,
}

/// What evidence is asked for.
#[derive(Debug, Clone, Deserialize)]
pub struct EvidenceDetails {
    /// By when, in seconds since 1970.
    pub due_by: Option<i64>,
}

/// A movement of the shop's balance.
#[derive(Debug, Clone, Deserialize)]
pub struct BalanceMovement {
    /// Negative where money was taken.
    pub amount: i64,
}

/// A Customer; one that was deleted has nothing but its id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// `cus_…`.
    pub id: StripeId,
    /// Whether it was deleted.
    #[serde(default)]
    pub deleted: bool,
    /// Where receipts go.
    pub email: Option<String>,
}

/// A saved means of payment (`PaymentMethod`).
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentMethod {
    /// `pm_…`.
    pub id: StripeId,
    /// The card, if it is one.
    pub card: Option<Card>,
    /// Who pays by it.
    pub billing_details: Option<BillingDetails>,
}

/// A card, as far as its owner is shown.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// Like `visa`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// From 1.
    pub exp_month: u8,
    /// Four digits.
    pub exp_year: u16,
}

/// Who pays.
#[derive(Debug, Clone, Deserialize)]
pub struct BillingDetails {
    /// The name on the card.
    pub name: Option<String>,
}

/// An EphemeralKey. `Debug` does not show its secret, which Stripe gives once.
#[derive(Debug, Clone, Deserialize)]
pub struct EphemeralKey {
    /// `ephkey_…`.
    pub id: StripeId,
    /// Seconds since 1970.
    pub expires: i64,
    /// What a mobile app is handed.
    pub secret: Option<SecretString>,
}

/// A SetupIntent. `Debug` does not show the client secret.
#[derive(Debug, Clone, Deserialize)]
pub struct SetupIntent {
    /// `seti_…`.
    pub id: StripeId,
    /// Where it stands.
    pub status: SetupIntentStatus,
    /// What the card will be used for.
    pub usage: Option<SetupUsage>,
    /// Whose card.
    pub customer: Option<Expandable<Customer>>,
    /// Lets a browser finish it.
    pub client_secret: Option<SecretString>,
}

/// An Event, with its object unread.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// `evt_…`.
    pub id: StripeId,
    /// Like `payment_intent.succeeded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Whether it is about real money.
    pub livemode: bool,
    /// The version of the API that its object is rendered in: the endpoint's, or in a list the one that was the
    /// account's when it was made.
    pub api_version: Option<String>,
    /// The connected account that it is of (`acct_…`); none for one of the account itself ("Connect webhooks").
    pub account: Option<String>,
    /// What caused it.
    pub request: Option<EventRequest>,
    /// What it is about.
    pub data: EventData,
}

/// The request that caused an event.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRequest {
    /// `req_…`; none where Stripe acted by itself.
    pub id: Option<String>,
}

/// What an event is about.
#[derive(Debug, Clone, Deserialize)]
pub struct EventData {
    /// The object at the moment of the event.
    pub object: serde_json::Value,
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// The newest first.
    pub data: Vec<T>,
    /// Whether there is more behind the last one.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_id_object_or_null() {
        let read = |customer: &str| {
            let json = format!(
                r#"{{"id":"pi_1","object":"payment_intent","amount":1,"currency":"usd","status":"succeeded",
                    "livemode":false,"created":1,"customer":{customer},"new_field":[1]}}"#
            );
            serde_json::from_str::<PaymentIntent>(&json).unwrap().customer
        };
        let id = StripeId::new("cus_", "cus_1").unwrap();
        assert_eq!(read("null"), None);
        assert_eq!(read(r#""cus_1""#), Some(Expandable::Id(id.clone())));
        let deleted = Customer { id, deleted: true, email: None };
        assert_eq!(
            read(r#"{"id":"cus_1","object":"customer","deleted":true}"#),
            Some(Expandable::Object(Box::new(deleted)))
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let json = r#"{"id":"pi_1","amount":1,"currency":"usd","status":"succeeded","livemode":false,"created":1,
            "client_secret":"pi_1_secret_hush","last_payment_error":{"type":"card_error","payment_intent":{"id":"pi_1",
            "client_secret":"pi_1_secret_hush"}}}"#;
        let intent: PaymentIntent = serde_json::from_str(json).unwrap();
        assert!(!format!("{intent:?}").contains("hush"));
    }
}
