//! Definite failures of requests to Stripe.

use crate::intent::{IntentError, IntentRequest};

/// Stored and shown code of [`ProviderFailure::KeyExhausted`]. It is none of Stripe's codes.
pub(crate) const KEY_EXHAUSTED: &str = "provider_failed";

/// Definite failure of a request to Stripe: it was not carried out, and never will be under its idempotency key.
///
/// Stored as an [`IntentError`], in which an exhausted key has the code `provider_failed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderFailure {
    /// Stripe refused the request with this error.
    Refused(IntentError),
    /// The idempotency key is exhausted: Stripe repeats a saved failure, or remembers the key with other parameters
    /// (Stripe, "Idempotent requests"), and its lists show that nothing was done.
    KeyExhausted,
}

impl From<IntentError> for ProviderFailure {
    fn from(error: IntentError) -> Self {
        if error == IntentError::of_code(KEY_EXHAUSTED) { Self::KeyExhausted } else { Self::Refused(error) }
    }
}

impl From<ProviderFailure> for IntentError {
    fn from(failure: ProviderFailure) -> Self {
        match failure {
            ProviderFailure::Refused(error) => error,
            ProviderFailure::KeyExhausted => Self::of_code(KEY_EXHAUSTED),
        }
    }
}

/// Request to Stripe that an order stores before it is sent, identified by what its idempotency key is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderRequest {
    /// Request to create a PaymentIntent.
    PaymentIntent(IntentRequest),
    /// Operation on a PaymentIntent.
    Operation {
        /// Number of the operation within the order.
        operation: u32,
        /// Name of its kind: `edit`, `cancel` or `capture`.
        name: String,
    },
    /// Request to make a refund.
    Refund {
        /// Number of the refund within the order.
        refund: u32,
    },
}
