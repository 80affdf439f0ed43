//! Stripe's objects, with the fields that Paywright uses. Unknown fields are ignored; a field that may be null or
//! absent is an `Option`; a field that may be an id or the whole object is [`Expandable`].

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;

use crate::error::ErrorBody;
use crate::{
    CancellationReason, CaptureMethod, IntentStatus, RefundReason, RefundStatus, SetupIntentStatus, SetupUsage,
    StripeId,
};

/// Reference to an object: Stripe sends its id, or the whole object if the request expanded it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// Id of the object.
    Id(StripeId),
    /// The whole object.
    Object(Box<T>),
}

impl Expandable<PaymentIntent> {
    /// Id of the PaymentIntent in either form.
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
    /// Stripe's id of the PaymentIntent (`pi_…`).
    pub id: StripeId,
    /// Amount to be paid, in the currency's wire units.
    pub amount: i64,
    /// Amount authorized and not captured yet, in the currency's wire units.
    #[serde(default)]
    pub amount_capturable: i64,
    /// Amount received, in the currency's wire units.
    #[serde(default)]
    pub amount_received: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
    /// Status of the PaymentIntent.
    pub status: IntentStatus,
    /// Whether the payment is captured automatically or by a later request.
    pub capture_method: Option<CaptureMethod>,
    /// Client secret with which a browser confirms the PaymentIntent.
    pub client_secret: Option<SecretString>,
    /// Stripe customer who pays.
    pub customer: Option<Expandable<Customer>>,
    /// Address to which Stripe sends the receipt.
    #[serde(default)]
    pub receipt_email: Option<String>,
    /// Charge of the latest confirmation; `None` before the first one.
    pub latest_charge: Option<Expandable<Charge>>,
    /// Error of the last failed payment attempt.
    pub last_payment_error: Option<ErrorBody>,
    /// Reason for which the PaymentIntent was canceled.
    pub cancellation_reason: Option<CancellationReason>,
    /// Metadata, as written by the program that created the PaymentIntent.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Whether the object is of live mode (real money) rather than test mode.
    pub livemode: bool,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
}

/// A Refund.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    /// Stripe's id of the refund (`re_…`).
    pub id: StripeId,
    /// Amount refunded, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
    /// Status of the refund.
    pub status: Option<RefundStatus>,
    /// Reason given when the refund was created.
    pub reason: Option<RefundReason>,
    /// PaymentIntent whose money is refunded.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// Charge whose money is refunded.
    pub charge: Option<Expandable<Charge>>,
    /// Reason for which a failed refund failed.
    pub failure_reason: Option<String>,
    /// Metadata, as written by the program that created the refund.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
}

/// A Charge: one attempt to move money into the Stripe account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Charge {
    /// Stripe's id of the charge (`ch_…` or `py_…`).
    pub id: StripeId,
    /// Amount charged, in the currency's wire units.
    pub amount: i64,
    /// Amount refunded so far, in the currency's wire units.
    #[serde(default)]
    pub amount_refunded: i64,
    /// Whether the cardholder has disputed the charge.
    #[serde(default)]
    pub disputed: bool,
    /// Balance transaction of the charge, with its fee; Stripe fills it in shortly after the charge.
    #[serde(default)]
    pub balance_transaction: Option<Expandable<BalanceTransaction>>,
}

/// A Charge, as far as it says whose it is.
#[derive(Debug, Clone, Deserialize)]
pub struct ChargeOfIntent {
    /// PaymentIntent that made the charge, if one did.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
}

/// A balance transaction: one movement of the shop's Stripe balance, in the currency of the balance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BalanceTransaction {
    /// Stripe's id of the balance transaction (`txn_…`).
    pub id: StripeId,
    /// Gross amount before fees, in the currency's wire units; negative if money left the balance.
    pub amount: i64,
    /// Fee that Stripe charges, in the currency's wire units.
    pub fee: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
}

/// A Dispute.
#[derive(Debug, Clone, Deserialize)]
pub struct Dispute {
    /// Stripe's id of the dispute (`du_…` or `dp_…`).
    pub id: StripeId,
    /// Disputed amount, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
    /// Status of the dispute, as text: Stripe may add values.
    pub status: String,
    /// Reason given by the cardholder's bank, like `fraudulent`.
    pub reason: String,
    /// PaymentIntent whose payment is disputed.
    pub payment_intent: Option<Expandable<PaymentIntent>>,
    /// Deadline and state of the evidence.
    pub evidence_details: Option<EvidenceDetails>,
    /// Balance transactions of the dispute: withdrawals and reinstatements.
    #[serde(default)]
    pub balance_transactions: Vec<BalanceMovement>,
}

/// `evidence_details` of a Dispute.
#[derive(Debug, Clone, Deserialize)]
pub struct EvidenceDetails {
    /// Deadline for evidence, in seconds since 1970.
    pub due_by: Option<i64>,
}

/// Balance transaction of a dispute, reduced to its amount.
#[derive(Debug, Clone, Deserialize)]
pub struct BalanceMovement {
    /// Amount in the currency's wire units: negative if withdrawn from the shop's balance, positive if reinstated.
    pub amount: i64,
}

/// A Customer. Stripe answers only the id of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Customer {
    /// Stripe's id of the customer (`cus_…`).
    pub id: StripeId,
    /// Whether the customer was deleted.
    #[serde(default)]
    pub deleted: bool,
    /// Email address of the customer.
    pub email: Option<String>,
}

/// A PaymentMethod, like a saved card.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentMethod {
    /// Stripe's id of the payment method (`pm_…`).
    pub id: StripeId,
    /// Details of the card, if the payment method is a card.
    pub card: Option<Card>,
    /// Billing details of the payer.
    pub billing_details: Option<BillingDetails>,
    /// Stripe customer to whom the payment method is attached.
    pub customer: Option<Expandable<Customer>>,
}

/// A PaymentIntent of which only the payment method was requested, as a whole object.
#[derive(Debug, Clone, Deserialize)]
pub struct MethodOfIntent {
    /// Payment method with which the PaymentIntent was confirmed last.
    pub payment_method: Option<PaymentMethod>,
}

/// Details of a card that its owner may see.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// Card brand, like `visa`.
    pub brand: String,
    /// Last four digits of the card number.
    pub last4: String,
    /// Month of expiry, 1 to 12.
    pub exp_month: u8,
    /// Year of expiry, with four digits.
    pub exp_year: u16,
}

/// Billing details of a payment method.
#[derive(Debug, Clone, Deserialize)]
pub struct BillingDetails {
    /// Name of the cardholder.
    pub name: Option<String>,
}

/// An EphemeralKey. `Debug` does not show its secret, which Stripe answers only once.
#[derive(Debug, Clone, Deserialize)]
pub struct EphemeralKey {
    /// Stripe's id of the key (`ephkey_…`).
    pub id: StripeId,
    /// Time of expiry, in seconds since 1970.
    pub expires: i64,
    /// Secret with which a mobile app reads and changes the customer's payment methods.
    pub secret: Option<SecretString>,
}

/// A SetupIntent. `Debug` does not show the client secret.
#[derive(Debug, Clone, Deserialize)]
pub struct SetupIntent {
    /// Stripe's id of the SetupIntent (`seti_…`).
    pub id: StripeId,
    /// Status of the SetupIntent.
    pub status: SetupIntentStatus,
    /// Future use for which the card is saved.
    pub usage: Option<SetupUsage>,
    /// Stripe customer for whom the card is saved.
    pub customer: Option<Expandable<Customer>>,
    /// Client secret with which a browser confirms the SetupIntent.
    pub client_secret: Option<SecretString>,
}

/// An Event, with its object as raw JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    /// Stripe's id of the event (`evt_…`), the same in every delivery.
    pub id: StripeId,
    /// Type of the event, like `payment_intent.succeeded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Whether the event is of live mode (real money) rather than test mode.
    pub livemode: bool,
    /// API version in which the object is rendered: the webhook endpoint's; in the event list, the version that was the
    /// account's when the event was created.
    pub api_version: Option<String>,
    /// Connected account of the event (`acct_…`); `None` for an event of the account itself ("Connect webhooks").
    pub account: Option<String>,
    /// Request that caused the event.
    pub request: Option<EventRequest>,
    /// Object of the event.
    pub data: EventData,
}

/// Request that caused an event.
#[derive(Debug, Clone, Deserialize)]
pub struct EventRequest {
    /// Stripe's id of the request (`req_…`); `None` if Stripe acted by itself.
    pub id: Option<String>,
}

/// `data` of an Event.
#[derive(Debug, Clone, Deserialize)]
pub struct EventData {
    /// The object as it was when the event was created.
    pub object: serde_json::Value,
}

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    /// Objects of the page, the newest first.
    pub data: Vec<T>,
    /// Whether the list has more objects after the last one of this page.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expandable_reference_is_read_from_an_id_an_object_or_null() {
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
    fn debug_does_not_show_secrets() {
        let json = r#"{"id":"pi_1","amount":1,"currency":"usd","status":"succeeded","livemode":false,"created":1,
            "client_secret":"pi_1_secret_hush","last_payment_error":{"type":"card_error","payment_intent":{"id":"pi_1",
            "client_secret":"pi_1_secret_hush"}}}"#;
        let intent: PaymentIntent = serde_json::from_str(json).unwrap();
        assert!(!format!("{intent:?}").contains("hush"));
    }
}
