//! The requests to Stripe that Paywright sends. Each type defines its path, its form or query, and its reply.

use serde::{Serialize, de::DeserializeOwned};

use crate::objects::{
    ChargeOfIntent, Customer, Dispute, EphemeralKey, List, MethodOfIntent, PaymentIntent, PaymentMethod, Refund,
    SetupIntent,
};
use crate::{CancellationReason, CaptureMethod, RefundReason, SetupUsage, StripeId};

/// A `POST` request. Its serialized fields are the form.
pub trait Post: Serialize + Sync {
    /// Object that Stripe answers.
    type Reply: DeserializeOwned;
    /// Path of the request, beginning with `/v1`.
    fn path(&self) -> String;
    /// API version to send instead of [`crate::API_VERSION`].
    fn api_version(&self) -> Option<&str> {
        None
    }
}

/// A `GET` request. Its serialized fields are the query.
pub trait Get: Serialize + Sync {
    /// Object that Stripe answers.
    type Reply: DeserializeOwned;
    /// Path of the request, beginning with `/v1`.
    fn path(&self) -> String;
}

/// Metadata of a PaymentIntent: what is needed to find its order again, and no more (a value has at most 500
/// characters; "Metadata").
#[derive(Debug, Clone, Serialize)]
pub struct IntentMetadata {
    /// Id of the order.
    pub order_id: String,
    /// Number of the order.
    pub order_number: String,
    /// Revision of the order whose content the PaymentIntent has.
    pub revision: u32,
    /// Shop's id of the order's customer; absent if `installation_id` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Id of the order's installation; absent in requests stored before installations had ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<String>,
}

/// `automatic_payment_methods`: Stripe offers the payment methods enabled in the dashboard.
#[derive(Debug, Clone, Serialize)]
pub struct AutomaticPaymentMethods {
    /// Whether Stripe chooses the payment methods.
    pub enabled: bool,
}

/// `amount_details`: the parts of an amount. Stripe refuses parts that do not add up ("Payment line items", changelog
/// 2026-01-28): the lines, less the discount, plus tax, plus shipping, must equal the amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AmountDetails {
    /// Line items, at most 200.
    pub line_items: Replaced<Vec<DetailLine>>,
    /// Discount on the whole order, in the currency's wire units, at least 1. `None` leaves it unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount_amount: Option<Replaced<i64>>,
    /// Cost of shipping. `None` leaves it unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Replaced<DetailShipping>>,
    /// Taxes added to the prices. `None` leaves them unchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Replaced<DetailTax>>,
}

/// `shipping` of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailShipping {
    /// Cost of shipping, in the currency's wire units.
    pub amount: i64,
}

/// `tax` of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailTax {
    /// Sum of the taxes, in the currency's wire units.
    pub total_tax_amount: i64,
}

/// New value of a field, or its removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Replaced<T> {
    /// Sets the field to this value.
    With(T),
    /// Clears the field: an empty text on the wire.
    Cleared(Empty),
}

/// Empty text, with which Stripe clears a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(into = "&'static str")]
pub struct Empty;

impl From<Empty> for &'static str {
    fn from(_: Empty) -> Self {
        ""
    }
}

/// One line item of [`AmountDetails`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailLine {
    /// Name of the product, at most 1024 characters.
    pub product_name: String,
    /// Number of items.
    pub quantity: u32,
    /// Price of one item, in the currency's wire units.
    pub unit_cost: i64,
}

/// `POST /v1/payment_intents`.
#[derive(Debug, Clone, Serialize)]
pub struct CreatePaymentIntent {
    /// Amount to be paid, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
    /// Stripe customer who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Saved payment method to pay with; if absent, the customer chooses one at confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// Future use for which the payment method is saved with the customer; absent if it is not saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_future_usage: Option<SetupUsage>,
    /// Whether Stripe offers the payment methods enabled in the dashboard.
    pub automatic_payment_methods: AutomaticPaymentMethods,
    /// Whether the payment is captured automatically or by a later request.
    pub capture_method: CaptureMethod,
    /// Description shown in the dashboard, at most 1000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Address to which Stripe sends the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_email: Option<String>,
    /// Metadata that names the order.
    pub metadata: IntentMetadata,
    /// Parts of the amount.
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
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// References to expand to whole objects, like `latest_charge`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expand: Vec<&'static str>,
}

impl Get for RetrievePaymentIntent {
    type Reply = PaymentIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}", self.intent.segment())
    }
}

/// `GET /v1/payment_intents/{id}`, for its payment method as a whole object.
#[derive(Debug, Clone, Serialize)]
pub struct RetrieveMethodOfIntent {
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// Reference to expand: `payment_method`.
    pub expand: [&'static str; 1],
}

impl RetrieveMethodOfIntent {
    /// Request for the payment method of `intent`.
    pub const fn new(intent: StripeId) -> Self {
        Self { intent, expand: ["payment_method"] }
    }
}

impl Get for RetrieveMethodOfIntent {
    type Reply = MethodOfIntent;
    fn path(&self) -> String {
        format!("/v1/payment_intents/{}", self.intent.segment())
    }
}

/// `POST /v1/payment_intents/{id}`. Fields that are `None` stay unchanged.
#[derive(Debug, Clone, Serialize)]
pub struct UpdatePaymentIntent {
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// New amount, in the currency's wire units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Stripe customer who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Saved payment method to pay with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// Future use for which the payment method is saved with the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup_future_usage: Option<SetupUsage>,
    /// Address to which Stripe sends the receipt; `Some("")` clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt_email: Option<String>,
    /// Metadata that names the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<IntentMetadata>,
    /// Parts of the amount.
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
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// Payment method to pay with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<StripeId>,
    /// URL to which a redirecting payment method sends the customer back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Whether the customer is absent and cannot authenticate.
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
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// Amount to capture, in the currency's wire units; by default all that is authorized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_to_capture: Option<i64>,
    /// Parts of the captured amount. If the PaymentIntent has parts, Stripe requires a capture to name them or to clear
    /// them.
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
    /// Id of the PaymentIntent.
    #[serde(skip)]
    pub intent: StripeId,
    /// Reason for the cancellation.
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
    /// PaymentIntent whose money is refunded.
    pub payment_intent: StripeId,
    /// Amount to refund, in the currency's wire units; by default all that is not refunded yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// Reason for the refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RefundReason>,
    /// Metadata of the refund.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl Post for CreateRefund {
    type Reply = Refund;
    fn path(&self) -> String {
        "/v1/refunds".into()
    }
}

/// `GET /v1/charges/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrieveCharge {
    /// Id of the charge.
    #[serde(skip)]
    pub charge: StripeId,
}

impl Get for RetrieveCharge {
    type Reply = ChargeOfIntent;
    fn path(&self) -> String {
        format!("/v1/charges/{}", self.charge.segment())
    }
}

/// `GET /v1/refunds/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrieveRefund {
    /// Id of the refund.
    #[serde(skip)]
    pub refund: StripeId,
}

impl Get for RetrieveRefund {
    type Reply = Refund;
    fn path(&self) -> String {
        format!("/v1/refunds/{}", self.refund.segment())
    }
}

/// `created` filter of a list: only objects created at or after a time.
#[derive(Debug, Clone, Serialize)]
pub struct Since {
    /// Earliest time of creation, in seconds since 1970.
    pub gte: i64,
}

/// `GET /v1/payment_intents`.
#[derive(Debug, Clone, Serialize)]
pub struct ListPaymentIntents {
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Earliest time of creation.
    pub created: Since,
    /// Last object of the previous page.
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
    /// PaymentIntent to which the list is restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Earliest time of creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// Last object of the previous page.
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
    /// PaymentIntent to which the list is restricted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<StripeId>,
    /// Earliest time of creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Last object of the previous page.
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
    /// Email address, at most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Name, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Metadata of the customer.
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub metadata: std::collections::BTreeMap<String, String>,
}

impl Post for CreateCustomer {
    type Reply = Customer;
    fn path(&self) -> String {
        "/v1/customers".into()
    }
}

/// `POST /v1/ephemeral_keys`. The request must name the API version of the mobile SDK, which the app provides.
#[derive(Debug, Clone, Serialize)]
pub struct CreateEphemeralKey {
    /// Stripe customer to whom the key gives access.
    pub customer: StripeId,
    /// API version of the app's Stripe SDK.
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
    /// Stripe customer for whom the card is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// Future use for which the card is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<SetupUsage>,
    /// Whether Stripe offers the payment methods enabled in the dashboard.
    pub automatic_payment_methods: AutomaticPaymentMethods,
    /// Metadata of the SetupIntent.
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
    /// Stripe customer whose payment methods are listed.
    #[serde(skip)]
    pub customer: StripeId,
    /// Type of payment method, like `card`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
}

impl Get for ListPaymentMethods {
    type Reply = List<PaymentMethod>;
    fn path(&self) -> String {
        format!("/v1/customers/{}/payment_methods", self.customer.segment())
    }
}

/// `GET /v1/payment_methods/{id}`.
#[derive(Debug, Clone, Serialize)]
pub struct RetrievePaymentMethod {
    /// Id of the payment method.
    #[serde(skip)]
    pub payment_method: StripeId,
}

impl Get for RetrievePaymentMethod {
    type Reply = PaymentMethod;
    fn path(&self) -> String {
        format!("/v1/payment_methods/{}", self.payment_method.segment())
    }
}

/// `POST /v1/payment_methods/{id}/detach`.
#[derive(Debug, Clone, Serialize)]
pub struct DetachPaymentMethod {
    /// Id of the payment method.
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
    /// Number of objects per page, 1 to 100.
    pub limit: u8,
    /// Event types to which the list is restricted; all if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<&'static str>,
    /// Earliest time of creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Since>,
    /// Last event of the previous page, when reading towards older events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starting_after: Option<StripeId>,
    /// First event of the previous page, when reading towards newer events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending_before: Option<StripeId>,
    /// Filter by delivery: `false` for events that a webhook endpoint has not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_success: Option<bool>,
}

impl Get for ListEvents {
    type Reply = List<serde_json::Value>;
    fn path(&self) -> String {
        "/v1/events".into()
    }
}
