//! The client behind the ports of the use cases. It translates and decides nothing.

use async_trait::async_trait;
use paywright_app::{
    GatewayError, IssuedIntent, NewIntent, PaymentGateway, ProviderEvent, ProviderNews, WebhookError, Webhooks,
};
use paywright_domain::{
    CaptureMethod, Currency, IntentError, IntentId, IntentSnapshot, IntentStatus, Money, OrderId, Timestamp,
};
use reqwest::StatusCode;
use secrecy::SecretString;

use crate::error::{ApiError, ErrorBody, NotSent, StripeError};
use crate::objects::{Event, PaymentIntent};
use crate::requests::{
    AmountDetails, AutomaticPaymentMethods, CreatePaymentIntent, DetailLine, IntentMetadata, RetrievePaymentIntent,
};
use crate::webhook::verify;
use crate::{Client, StripeId};

/// Stripe as the use cases see it.
#[derive(Debug, Clone)]
pub struct StripeGateway {
    client: Client,
    now: fn() -> Timestamp,
}

impl StripeGateway {
    /// Puts a client behind the port. `now` dates what Stripe answers.
    pub const fn new(client: Client, now: fn() -> Timestamp) -> Self {
        Self { client, now }
    }

    fn issued(intent: &PaymentIntent, as_of: Timestamp) -> Result<IssuedIntent, GatewayError> {
        let snapshot = snapshot_of(intent, as_of).map_err(|it| GatewayError::Unknown(it.into()))?;
        let client_secret = intent.client_secret.clone().unwrap_or_default();
        Ok(IssuedIntent { snapshot, client_secret })
    }
}

/// What Stripe's `amount_details[line_items]` takes: at most this many lines are sent, or none.
const DETAIL_LINES_MAX: usize = 100;

#[async_trait]
impl PaymentGateway for StripeGateway {
    async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError> {
        let request = create_request(new)?;
        let made = self.client.post(&request, key).await;
        let intent = made.map_err(|error| match gateway_error(error) {
            // Something that the request names is not there: a definite no, like any other.
            GatewayError::NotFound => GatewayError::Refused(IntentError::default()),
            error @ (GatewayError::Refused(_)
            | GatewayError::Busy
            | GatewayError::InFlight
            | GatewayError::Misconfigured(_)
            | GatewayError::Unknown(_)) => error,
        })?;
        // Stripe repeats the first answer to a repeated key: it tells how things stood at the creation.
        let created = Timestamp::from_unix_seconds(intent.created).unwrap_or(Timestamp::EPOCH);
        let issued = Self::issued(&intent, created)?;
        Ok(IssuedIntent { snapshot: issued.snapshot.within_second(created), ..issued })
    }

    async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError> {
        // The time of asking: what changed after it is newer than this answer may know.
        let asked_at = (self.now)();
        let intent = StripeId::new("pi_", id.as_str()).map_err(|_| GatewayError::NotFound)?;
        let request = RetrievePaymentIntent { intent, expand: Vec::new() };
        let intent = self.client.get(&request).await.map_err(gateway_error)?;
        Self::issued(&intent, asked_at)
    }
}

/// A pure function of the stored order: a repeat with the same key must be the same to the letter.
fn create_request(new: &NewIntent) -> Result<CreatePaymentIntent, GatewayError> {
    let amount = new.amount.to_charge().map_err(|problem| {
        GatewayError::Refused(IntentError { message: Some(problem.to_string()), ..IntentError::default() })
    })?;
    let details: Option<Vec<DetailLine>> = (new.lines.len() <= DETAIL_LINES_MAX)
        .then(|| {
            new.lines
                .iter()
                .map(|line| {
                    let unit_cost = line.unit_amount().to_wire().ok()?;
                    Some(DetailLine { product_name: line.name.to_string(), quantity: line.quantity(), unit_cost })
                })
                .collect()
        })
        .flatten();
    Ok(CreatePaymentIntent {
        amount,
        currency: new.amount.currency().code().into(),
        customer: None,
        automatic_payment_methods: AutomaticPaymentMethods { enabled: true },
        capture_method: match new.capture {
            CaptureMethod::Automatic => crate::CaptureMethod::AutomaticAsync,
            CaptureMethod::Manual => crate::CaptureMethod::Manual,
        },
        description: Some(format!("Payment for Order #{}", new.number)),
        receipt_email: new.email.as_ref().map(|it| it.as_str().to_owned()),
        metadata: IntentMetadata {
            order_id: new.order.to_string(),
            order_number: new.number.to_string(),
            revision: new.revision,
        },
        amount_details: details.map(|line_items| AmountDetails { line_items }),
    })
}

/// Reads an intent as the domain sees it. What it cannot see is an error, never a guess.
fn snapshot_of(intent: &PaymentIntent, as_of: Timestamp) -> Result<IntentSnapshot, String> {
    let currency: Currency = intent.currency.parse().map_err(|_| format!("unknown currency {}", intent.currency))?;
    let money = |wire| Money::from_wire(wire, currency).map_err(|problem| format!("the amount {wire} {problem}"));
    let status: IntentStatus = intent
        .status
        .as_str()
        .parse()
        .map_err(|()| format!("unknown payment intent status {}", intent.status.as_str()))?;
    Ok(IntentSnapshot {
        intent: IntentId::new(intent.id.as_str()).map_err(|problem| problem.to_string())?,
        order: order_named_by(intent),
        revision: intent.metadata.get("revision").and_then(|it| it.parse().ok()),
        amount: money(intent.amount)?,
        status,
        received: money(intent.amount_received)?,
        capturable: money(intent.amount_capturable)?,
        last_error: intent.last_payment_error.as_ref().map(intent_error),
        livemode: intent.livemode,
        as_of,
        as_of_max: as_of,
    })
}

fn order_named_by(intent: &PaymentIntent) -> Option<OrderId> {
    intent.metadata.get("order_id").and_then(|it| it.parse::<uuid::Uuid>().ok()).map(OrderId)
}

fn intent_error(body: &ErrorBody) -> IntentError {
    // Not every store can keep a NUL in a text, and no message means one.
    let text = |it: &Option<String>| it.as_ref().map(|it| it.replace('\0', ""));
    IntentError { code: text(&body.code), decline_code: text(&body.decline_code), message: text(&body.message) }
}

/// Who can do something about a failure: the customer, time, or an operator.
fn gateway_error(error: StripeError) -> GatewayError {
    match error {
        StripeError::Api(error) => refusal(&error),
        StripeError::Unknown { .. } => GatewayError::Unknown(Box::new(error)),
        // No attempt reached Stripe: it may be asked again as if nothing had been.
        StripeError::NotSent(NotSent::NoConnection(error)) => {
            tracing::warn!(%error, "Stripe cannot be reached");
            GatewayError::Busy
        }
        StripeError::NotSent(reason) => GatewayError::Misconfigured(reason.to_string()),
    }
}

fn refusal(error: &ApiError) -> GatewayError {
    let is_key_reuse = error.body.kind == "idempotency_error";
    match error.status {
        // Stripe answers these before it looks at the idempotency key, and saves nothing under it.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::FAILED_DEPENDENCY => GatewayError::Busy,
        StatusCode::CONFLICT => GatewayError::InFlight,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => GatewayError::Misconfigured(error.to_string()),
        _ if is_key_reuse => GatewayError::Misconfigured(error.to_string()),
        StatusCode::NOT_FOUND => GatewayError::NotFound,
        _ => {
            tracing::warn!(%error, "Stripe refused a request");
            GatewayError::Refused(intent_error(&error.body))
        }
    }
}

/// Stripe's webhooks, signed by any of the secrets in use.
#[derive(Debug, Clone)]
pub struct StripeWebhooks {
    secrets: Vec<SecretString>,
}

impl StripeWebhooks {
    /// Takes every secret that is valid now: two while one is rolled.
    pub const fn new(secrets: Vec<SecretString>) -> Self {
        Self { secrets }
    }
}

impl Webhooks for StripeWebhooks {
    fn open(&self, body: &[u8], signature: &str, now: Timestamp) -> Result<ProviderEvent, WebhookError> {
        verify(body, signature, &self.secrets, now).map_err(|problem| {
            tracing::warn!(%problem, "a webhook was refused");
            WebhookError::BadSignature("see \"Verify webhook signatures\" of the payment provider")
        })?;
        let unreadable = |problem: &dyn std::fmt::Display| WebhookError::Unreadable(problem.to_string());
        let json: serde_json::Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        if json.get("object").and_then(serde_json::Value::as_str) == Some("v2.core.event") {
            return Err(WebhookError::Thin);
        }
        let event: Event = serde_json::from_value(json).map_err(|error| unreadable(&error))?;
        let news = if event.kind.starts_with("payment_intent.") {
            let as_of = Timestamp::from_unix_seconds(event.created).map_err(|error| unreadable(&error))?;
            intent_news(event.data.object, as_of)?
        } else {
            ProviderNews::Nothing
        };
        Ok(ProviderEvent { id: event.id.to_string(), kind: event.kind, news })
    }
}

/// What an event says of an intent. One that cannot be understood is an error where it names an order, and of no
/// concern where it does not: another program on the same account may use currencies that we do not.
fn intent_news(object: serde_json::Value, as_of: Timestamp) -> Result<ProviderNews, WebhookError> {
    let intent: PaymentIntent =
        serde_json::from_value(object).map_err(|error| WebhookError::Unreadable(error.to_string()))?;
    match snapshot_of(&intent, as_of) {
        Ok(snapshot) => Ok(ProviderNews::Intent(Box::new(snapshot.within_second(as_of)))),
        Err(problem) if order_named_by(&intent).is_some() => Err(WebhookError::Unreadable(problem)),
        Err(problem) => {
            tracing::info!(intent = %intent.id, problem, "an event of a foreign intent");
            Ok(ProviderNews::Nothing)
        }
    }
}
