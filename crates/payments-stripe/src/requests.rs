//! The requests a shop needs. Each knows its path, what is in its form and what it is answered with.

use serde::{Serialize, de::DeserializeOwned};

use crate::objects::{Customer, Dispute, EphemeralKey, List, PaymentIntent, PaymentMethod, Refund, SetupIntent};
use crate::{CancellationReason, CaptureMethod, RefundReason, SetupUsage, StripeId};

/// A request that changes something. Its fields are its form.
pub trait Post: Serialize + Sync {
    /// What it is answered with.
    type Reply: DeserializeOwned;
    /// Where it goes, from `/v1` on.
    fn path(&self) -> String;
    /// The API version to ask for instead of [`crate::API_VERSION`].
    fn api_version(&self) -> Option<&str> {
        None
    }
}

/// A request that reads. Its fields are its query.
pub trait Get: Serialize + Sync {
    /// What it is answered with.
    type Reply: DeserializeOwned;
    /// Where it goes, from `/v1` on.
    fn path(&self) -> String;
}

/// Our notes on an intent: what is needed to find the order again, and no more (a value is limited to 500
/// characters; "Metadata").
#[derive(Debug, Clone, Serialize)]
pub struct IntentMetadata {
    /// The order's id.
    pub order_id: String,
    /// The order's number.
    pub order_number: String,
    /// The order's revision.
    pub revision: u32,
    /// The customer whose order it is, in the shop's own terms; absent as the installation is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The installation whose order it is; absent in requests from before installations had names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<String>,
}

/// Whether Stripe chooses the means of payment by the dashboard's settings.
#[derive(Debug, Clone, Serialize)]
pub struct AutomaticPaymentMethods {
    /// Whether it does.
    pub enabled: bool,
}

/// `amount_details`: the parts that an amount is made of. Stripe refuses what does not add up ("Payment line items",
/// changelog 2026-01-28): the lines, less the discount, plus tax, plus shipping, are the amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AmountDetails {
    /// The lines: at most 200.
    pub line_items: Replaced<Vec<DetailLine>>,
    /// The discount on the whole, in the currency's wire units: at least 1. What is `None` stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_amount: Option<Replaced<i64>>,
    /// What shipping costs. What is `None` stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Replaced<DetailShipping>>,
    /// Taxes on top of the prices. What is `None` stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Replaced<DetailTax>>,
}

/// The shipping part of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailShipping {
    /// In the currency's wire units.
    pub amount: i64,
}

/// The tax part of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailTax {
    /// In the currency's wire units.
    pub total_tax_amount: i64,
}

/// A field that is given another value, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Replaced<T> {
    /// This from now on.
    With(T),
    /// Nothing from now on: an empty text on the wire.
    Cleared(Empty),
}

/// An empty text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "&'static str")]
pub struct Empty;

impl From<Empty> for &'static str {
    fn from(_: Empty) -> Self {
        ""
    }
}

/// One line of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailLine {
    /// At most 1024 characters.
    pub product_name: String,
    /// How many.
    pub quantity: u32,
    /// In the currency's wire units.
    pub unit_cost: i64,
}

/// `POST /v1/payment_intents`.
#[derive(Debug, Clone, Serialize)]
pub struct CreatePaymentIntent {
    /// In the currency's wire units.
    pub amount: i64,
    /// ISO 4217, lower case.
    pub currency: String,
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// By what; chosen while paying if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// Whether the card is kept for the customer, and for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_future_usage: Option<SetupUsage>,
    /// Which means of payment.
    pub automatic_payment_methods: AutomaticPaymentMethods,
    /// When the money moves.
    pub capture_method: CaptureMethod,
    /// At most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where Stripe's receipt goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_email: Option<String>,
    /// Our notes.
    pub metadata: IntentMetadata,
    /// The parts of the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_details: Option<AmountDetails>,
}

impl Post for CreatePaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        "/v1/payment_intents".into()
    }
}

/// `GET /v1/payment_intents/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievePaymentIntent {
    /// Which.
    #[serde(skip)]
    pub intent: StripeId,
    /// What to send whole, like `latest_charge`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expand: Vec<&'static str>,
}

impl Get for RetrievePaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}", self.intent.segment())
    }
}

/// `POST /v1/payment_intents/{id}`: what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdatePaymentIntent {
    /// Which.
    #[serde(skip)]
    pub intent: StripeId,
    /// The new amount, in the currency's wire units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// Whether the card is kept for the customer, and for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_future_usage: Option<SetupUsage>,
    /// Where the receipt goes; `Some("")` clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_email: Option<String>,
    /// Our notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<IntentMetadata>,
    /// The parts of the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_details: Option<Replaced<AmountDetails>>,
}

impl Post for UpdatePaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}", self.intent.segment())
    }
}

/// `POST /v1/payment_intents/{id}/confirm`.
#[derive(Debug, Clone, Serialize)]
pub struct ConfirmPaymentIntent {
    /// Which.
    #[serde(skip)]
    pub intent: StripeId,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// Where a customer comes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Whether the customer is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off_session: Option<bool>,
}

impl Post for ConfirmPaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}/confirm", self.intent.segment())
    }
}

/// `POST /v1/payment_intents/{id}/capture`.
#[derive(Debug, Clone, Serialize)]
pub struct CapturePaymentIntent {
    /// Which.
    #[serde(skip)]
    pub intent: StripeId,
    /// How much, in the currency's wire units; all of it by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_to_capture: Option<i64>,
    /// The parts of the amount that is captured. Stripe wants them, or to be told that there are none, where the intent
    /// was created with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_details: Option<AmountDetails>,
}

impl Post for CapturePaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}/capture", self.intent.segment())
    }
}

/// `POST /v1/payment_intents/{id}/cancel`.
#[derive(Debug, Clone, Serialize)]
pub struct CancelPaymentIntent {
    /// Which.
    #[serde(skip)]
    pub intent: StripeId,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellation_reason: Option<CancellationReason>,
}

impl Post for CancelPaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}/cancel", self.intent.segment())
    }
}

/// `POST /v1/refunds`.
#[derive(Debug, Clone, Serialize)]
pub struct CreateRefund {
    /// Of which payment.
    pub payment_intent: StripeId,
    /// How much, in the currency's wire units; the rest by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefundReason>,
    /// Our notes.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl Post for CreateRefund {
    type Reply = Refund;
    fn path(&self) -> String {
        "/v1/refunds".into()
    }
}

/// `GET /v1/refunds/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrieveRefund {
    /// Which.
    #[serde(skip)]
    pub refund: StripeId,
}

impl Get for RetrieveRefund {
    type Reply = Refund;
    fn path(&self) -> String {
        format!("/v1/refunds/{}", self.refund.segment())
    }
}

/// Only what was made from a moment on.
#[derive(Debug, Clone, Serialize)]
pub struct Since {
    /// Seconds since 1970.
    pub gte: i64,
}

/// `GET /v1/payment_intents`.
#[derive(Debug, Clone, Serialize)]
pub struct ListPaymentIntents {
    /// 1 to 100.
    pub limit: u8,
    /// Only those made since.
    pub created: Since,
    /// The last of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
}

impl Get for ListPaymentIntents {
    type Reply = List<serde_json::Value>;
    fn path(&self) -> String {
        "/v1/payment_intents".into()
    }
}

/// `GET /v1/disputes`.
#[derive(Debug, Clone, Serialize)]
pub struct ListDisputes {
    /// Only of this payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// 1 to 100.
    pub limit: u8,
    /// Only those opened since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// The last of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
}

impl Get for ListDisputes {
    type Reply = List<Dispute>;
    fn path(&self) -> String {
        "/v1/disputes".into()
    }
}

/// `GET /v1/refunds`.
#[derive(Debug, Clone, Serialize)]
pub struct ListRefunds {
    /// Only of this payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Only those made since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// 1 to 100.
    pub limit: u8,
    /// The last of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
}

impl Get for ListRefunds {
    type Reply = List<Refund>;
    fn path(&self) -> String {
        "/v1/refunds".into()
    }
}

/// `POST /v1/customers`.
#[derive(Debug, Clone, Serialize)]
pub struct CreateCustomer {
    /// At most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// At most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Our notes.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl Post for CreateCustomer {
    type Reply = Customer;
    fn path(&self) -> String {
        "/v1/customers".into()
    }
}

/// `POST /v1/ephemeral_keys`. The version is the mobile SDK's, handed over by the app.
#[derive(Debug, Clone, Serialize)]
pub struct CreateEphemeralKey {
    /// Whose.
    pub customer: StripeId,
    /// The version that the app's SDK speaks.
    #[serde(skip)]
    pub sdk_version: String,
}

impl Post for CreateEphemeralKey {
    type Reply = EphemeralKey;
    fn path(&self) -> String {
        "/v1/ephemeral_keys".into()
    }
    fn api_version(&self) -> Option<&str> {
        Some(&self.sdk_version)
    }
}

/// `POST /v1/setup_intents`.
#[derive(Debug, Clone, Serialize)]
pub struct CreateSetupIntent {
    /// Whose card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// What it will be used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<SetupUsage>,
    /// Which means of payment.
    pub automatic_payment_methods: AutomaticPaymentMethods,
    /// Our notes.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl Post for CreateSetupIntent {
    type Reply = SetupIntent;
    fn path(&self) -> String {
        "/v1/setup_intents".into()
    }
}

/// `GET /v1/customers/{id}/payment_methods`.
#[derive(Debug, Clone, Serialize)]
pub struct ListPaymentMethods {
    /// Whose.
    #[serde(skip)]
    pub customer: StripeId,
    /// Like `card`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// At most 100.
    pub limit: u8,
}

impl Get for ListPaymentMethods {
    type Reply = List<PaymentMethod>;
    fn path(&self) -> String {
        format!("/v1/customers/{}/payment_methods", self.customer.segment())
    }
}

/// `POST /v1/payment_methods/{id}/detach`.
#[derive(Debug, Clone, Serialize)]
pub struct DetachPaymentMethod {
    /// Which.
    #[serde(skip)]
    pub payment_method: StripeId,
}

impl Post for DetachPaymentMethod {
    type Reply = PaymentMethod;
    fn path(&self) -> String {
        format!("/v1/payment_methods/{}/detach", self.payment_method.segment())
    }
}

/// `GET /v1/events`.
#[derive(Debug, Clone, Serialize)]
pub struct ListEvents {
    /// 1 to 100.
    pub limit: u8,
    /// Only these types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<&'static str>,
    /// Only those made since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// The last of the page before, walking back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
    /// The first of the page before, walking on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<StripeId>,
    /// Only those that an endpoint did not take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_success: Option<bool>,
}

impl Get for ListEvents {
    type Reply = List<serde_json::Value>;
    fn path(&self) -> String {
        "/v1/events".into()
    }
}
