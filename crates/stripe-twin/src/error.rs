use serde_json::{Value, json};

use crate::cards::Decline;
use crate::objects::set;

/// An error answer in Stripe's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status of the answer.
    pub status: u16,
    /// Type of the error: `invalid_request_error`, `card_error`, `idempotency_error` or `api_error`.
    pub kind: &'static str,
    /// Error code, like `resource_missing`.
    pub code: Option<String>,
    /// Decline code of the card's bank, like `insufficient_funds`.
    pub decline_code: Option<String>,
    /// Name of the parameter that caused the error.
    pub param: Option<String>,
    /// Message for people.
    pub message: String,
    /// Objects included in the error: `payment_intent`, `charge`.
    pub with: Vec<(&'static str, Value)>,
    /// Whether the answer is saved under the idempotency key. A refusal before the work began is not.
    pub(crate) saved: bool,
}

impl Refusal {
    fn new(status: u16, code: Option<&str>, param: Option<&str>, message: String) -> Self {
        Self {
            status,
            kind: "invalid_request_error",
            code: code.map(str::to_owned),
            decline_code: None,
            param: param.map(str::to_owned),
            message,
            with: Vec::new(),
            saved: false,
        }
    }

    pub(crate) fn parameter(code: &str, param: &str, message: &str) -> Self {
        Self::new(400, Some(code), Some(param), message.to_owned())
    }

    pub(crate) fn required(param: &str) -> Self {
        Self::parameter("parameter_missing", param, &format!("Missing required param: {param}."))
    }

    pub(crate) fn empty(param: &str) -> Self {
        let message = format!(
            "You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter; \
             however '{param}' cannot be unset. You should remove '{param}' from your request or supply a non-empty value."
        );
        Self::parameter("parameter_invalid_empty", param, &message)
    }

    /// Refusal of parameters that the call does not have at Stripe.
    pub(crate) fn unknown_parameters(names: &[String]) -> Self {
        let plural = if names.len() > 1 { "s" } else { "" };
        let message = format!("Received unknown parameter{plural}: {}", names.join(", "));
        Self::parameter("parameter_unknown", names.first().map_or("", String::as_str), &message)
    }

    /// Refusal of a parameter that Stripe has and the twin does not model.
    pub(crate) fn not_modelled(param: &str) -> Self {
        let message = format!(
            "The twin does not model the parameter {param}, which this call has at Stripe. docs/twin.md lists the \
             parameters that it honours."
        );
        Self::parameter("parameter_not_modelled", param, &message)
    }

    /// Refusal of a form that is not UTF-8.
    pub(crate) fn garbled() -> Self {
        Self::new(400, None, None, "Invalid UTF-8 in the parameters of the request.".to_owned())
    }

    pub(crate) fn parameter_less(code: &str, message: String) -> Self {
        Self::new(400, Some(code), None, message)
    }

    pub(crate) fn invalid(param: &str, message: &str) -> Self {
        Self::new(400, None, Some(param), message.to_owned())
    }

    /// Refusal of a payment method that is attached to another customer than the one of the intent.
    pub(crate) fn not_of_customer(method: &str, customer: &str) -> Self {
        let message = format!(
            "The PaymentMethod {method} does not belong to the Customer you supplied {customer}. Please use this \
             PaymentMethod with the Customer that it belongs to instead."
        );
        Self::invalid("payment_method", &message)
    }

    /// Refusal of an id in the path: `noun` is the kind of the object, as Stripe's messages name it.
    pub(crate) fn no_such(noun: &str, id: &str) -> Self {
        let param = match noun {
            "payment_intent" | "setupintent" => "intent",
            "PaymentMethod" => "payment_method",
            "webhook endpoint" => "webhook_endpoint",
            _ => "id",
        };
        Self::new(404, Some("resource_missing"), Some(param), format!("No such {noun}: '{id}'"))
    }

    /// The same refusal, for an id that a parameter of the request names.
    pub(crate) fn of_param(self, param: &str) -> Self {
        Self { status: 400, param: Some(param.to_owned()), ..self }
    }

    /// Refusal of an amount that is zero or negative.
    pub(crate) fn not_positive(param: &str) -> Self {
        Self::parameter("parameter_invalid_integer", param, "This value must be greater than or equal to 1.")
    }

    /// Refusal of a body that is not a form.
    #[cfg(feature = "server")]
    pub(crate) fn not_a_form() -> Self {
        let message = "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you \
                       have any questions, we can help at https://support.stripe.com/.";
        Self::new(400, None, None, message.to_owned())
    }

    pub(crate) fn amount(code: &str, message: String) -> Self {
        Self::new(400, Some(code), Some("amount"), message)
    }

    pub(crate) fn state(code: &str, message: String) -> Self {
        Self { saved: true, ..Self::new(400, Some(code), None, message) }
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(401, None, None, message.to_owned())
    }

    pub(crate) fn url(method: &str, path: &str) -> Self {
        Self::new(
            404,
            None,
            None,
            format!("Unrecognized request URL ({method}: {path}). The twin has the calls that docs/twin.md lists."),
        )
    }

    #[cfg(feature = "server")]
    pub(crate) fn key_in_use() -> Self {
        let message =
            "There is currently another in-progress request using this Idempotency-Key. Please try again later."
                .to_owned();
        Self { kind: "idempotency_error", ..Self::new(409, Some("idempotency_key_in_use"), None, message) }
    }

    pub(crate) fn other_parameters(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using \
             a key other than '{key}' if you meant to execute a different request."
        );
        Self { kind: "idempotency_error", ..Self::new(400, None, None, message) }
    }

    pub(crate) fn declined(decline: Decline) -> Self {
        Self {
            kind: "card_error",
            decline_code: Some(decline.decline_code.to_owned()).filter(|it| !it.is_empty()),
            saved: true,
            ..Self::new(402, Some(decline.code), None, decline.message.to_owned())
        }
    }

    pub(crate) fn server(status: u16) -> Self {
        let kind = if status >= 500 { "api_error" } else { "invalid_request_error" };
        let code = (status == 429).then_some("rate_limit");
        Self {
            kind,
            saved: status >= 500,
            ..Self::new(status, code, None, "A fault of the twin was requested".to_owned())
        }
    }

    /// The error as the `error` object of the answer.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({ "type": self.kind, "message": self.message });
        if let Some(code) = &self.code {
            let page = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            set(&mut error, "doc_url", json!(page));
        }
        for (name, value) in [("code", &self.code), ("decline_code", &self.decline_code), ("param", &self.param)] {
            if let Some(value) = value {
                set(&mut error, name, json!(value));
            }
        }
        for (name, value) in &self.with {
            set(&mut error, name, value.clone());
        }
        error
    }
}
