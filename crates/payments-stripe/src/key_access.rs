//! Access of an API key: reads that change nothing, for an operator who checks an installation.

use paywright_domain::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::Client;
use crate::error::{ApiError, NoAnswer, StripeError};
use crate::requests::Get;

/// Objects of Stripe that Paywright reads. A restricted key has a permission for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// PaymentIntents.
    PaymentIntents,
    /// Refunds.
    Refunds,
    /// Charges.
    Charges,
    /// Disputes.
    Disputes,
    /// Events.
    Events,
    /// The balance.
    Balance,
    /// Balance transactions.
    BalanceTransactions,
    /// Payouts.
    Payouts,
    /// Customers.
    Customers,
    /// Payment methods.
    PaymentMethods,
    /// SetupIntents.
    SetupIntents,
}

/// Customer that no account has. Payment methods are listed by customer: that Stripe does not know this one shows that it
/// may be read.
const NO_CUSTOMER: &str = "cus_paywright_doctor";

impl Resource {
    /// Name of its permission in Stripe's dashboard.
    pub const fn permission(self) -> &'static str {
        match self {
            Self::PaymentIntents => "PaymentIntents",
            Self::Refunds => "Refunds",
            Self::Charges => "Charges",
            Self::Disputes => "Disputes",
            Self::Events => "Events",
            Self::Balance => "Balance",
            Self::BalanceTransactions => "Balance transaction sources",
            Self::Payouts => "Payouts",
            Self::Customers => "Customers",
            Self::PaymentMethods => "PaymentMethods",
            Self::SetupIntents => "SetupIntents",
        }
    }

    const fn collection(self) -> &'static str {
        match self {
            Self::PaymentIntents => "payment_intents",
            Self::Refunds => "refunds",
            Self::Charges => "charges",
            Self::Disputes => "disputes",
            Self::Events => "events",
            Self::Balance => "balance",
            Self::BalanceTransactions => "balance_transactions",
            Self::Payouts => "payouts",
            Self::Customers => "customers",
            Self::PaymentMethods => "payment_methods",
            Self::SetupIntents => "setup_intents",
        }
    }
}

/// Answer to a read whose object is of no interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access<T> {
    /// The key may read.
    Allowed(T),
    /// The key may read, and the object that the call names does not exist.
    NothingThere,
    /// The key lacks a permission (403): its name at Stripe, if the answer has it.
    Denied(Option<String>),
    /// Stripe does not accept the key (401).
    KeyRefused,
    /// The call does not exist (404): a stand-in for Stripe lacks it.
    NoSuchCall,
}

/// Read of at most one object of a list, or of the balance.
#[derive(Serialize)]
struct FirstOf {
    #[serde(skip)]
    resource: Resource,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'static str>,
}

impl Get for FirstOf {
    type Reply = Value;
    fn path(&self) -> String {
        format!("/v1/{}", self.resource.collection())
    }
}

impl Client {
    /// Checks whether the key may read a resource.
    pub async fn access(&self, resource: Resource) -> Result<Access<Value>, StripeError> {
        let limit = (resource != Resource::Balance).then_some(1);
        let customer = (resource == Resource::PaymentMethods).then_some(NO_CUSTOMER);
        self.read(&FirstOf { resource, limit, customer }).await
    }

    /// Seconds by which Stripe's clock is ahead of `now`, by the last answer; negative if it is behind.
    pub fn clock_ahead_of(&self, now: Timestamp) -> Option<i64> {
        self.stripe_time.ahead_of(now)
    }

    /// Reads, and tells a refusal by its reason.
    pub(crate) async fn read<R: Get>(&self, request: &R) -> Result<Access<R::Reply>, StripeError> {
        let error = match self.get(request).await {
            Ok(answer) => return Ok(Access::Allowed(answer.value)),
            Err(StripeError::Api(error)) => error,
            Err(error @ (StripeError::Unknown { .. } | StripeError::KeyExhausted(_) | StripeError::NotSent(_))) => {
                return Err(error);
            }
        };
        match error.status.as_u16() {
            401 => Ok(Access::KeyRefused),
            403 => Ok(Access::Denied(permission_in(&error))),
            400 | 404 if error.is_resource_missing() => Ok(Access::NothingThere),
            404 => Ok(Access::NoSuchCall),
            _ => Err(StripeError::Api(error)),
        }
    }
}

/// Permission that Stripe's message names, like `rak_charge_read`.
pub(crate) fn permission_in(error: &ApiError) -> Option<String> {
    let is_part = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let message = error.body.message.as_deref()?;
    message.split(|it| !is_part(it)).find(|it| it.starts_with("rak_")).map(str::to_owned)
}

impl StripeError {
    /// Sentence without Stripe's own message, which may repeat a part of the key.
    pub fn without_message(&self) -> String {
        let answered = |it: &ApiError| {
            let status = it.status.as_u16();
            let code = it.body.code.as_ref().map(|it| format!(", code {it}")).unwrap_or_default();
            let request = it.request_id.as_ref().map(|it| format!(", request {it}")).unwrap_or_default();
            format!("{}: the answer is {status}{code}{request}", it.call)
        };
        match self {
            Self::Api(error) | Self::KeyExhausted(error) | Self::Unknown { cause: NoAnswer::Server(error), .. } => {
                answered(error)
            }
            Self::Unknown { cause: NoAnswer::Transport(_) | NoAnswer::Unreadable { .. }, .. } | Self::NotSent(_) => {
                self.to_string()
            }
        }
    }
}
