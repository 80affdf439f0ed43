use async_trait::async_trait;
use paywright_domain::IntentId;
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use secrecy::SecretString;

use super::gateway::GatewayError;

/// Port to Stripe's customers and their saved payment methods. No money moves here. A `key` is Stripe's idempotency
/// key, as in [`PaymentGateway`](crate::PaymentGateway).
#[async_trait]
pub trait Wallet: Send + Sync {
    /// Creates a customer, or returns the one that an earlier call with the same `key` created.
    async fn create_customer(&self, customer: &CustomerId, key: &str) -> Result<ProviderCustomerId, GatewayError>;

    /// Creates an ephemeral key, with which a mobile app may read and change one customer's payment methods for an
    /// hour. `version` is the API version that the app's Stripe SDK uses; `None` is that of this program. The key is
    /// never stored or logged.
    async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
        key: &str,
    ) -> Result<SecretString, GatewayError>;

    /// Creates a SetupIntent, with which a browser saves a payment method without paying, and returns its client
    /// secret, which is never stored or logged.
    async fn setup_intent(&self, customer: &ProviderCustomerId, key: &str) -> Result<SecretString, GatewayError>;

    /// Reads the saved cards of a customer, the newest first; a hundred at most.
    async fn saved_cards(&self, customer: &ProviderCustomerId) -> Result<Vec<SavedCard>, GatewayError>;

    /// Reads to which customer a payment method is attached; `None` for one that is attached to nobody.
    /// [`GatewayError::NotFound`] if Stripe has no such payment method.
    async fn owner_of_method(&self, method: &PaymentMethodId) -> Result<Option<ProviderCustomerId>, GatewayError>;

    /// Reads the card of a PaymentIntent's payment method; `None` where it has none, or one that is not a card.
    async fn card_of_intent(&self, intent: &IntentId) -> Result<Option<SavedCard>, GatewayError>;

    /// Detaches a saved payment method from its customer.
    async fn forget_method(&self, method: &PaymentMethodId, key: &str) -> Result<(), GatewayError>;
}

/// A card, saved or used for a payment, with what its owner may see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCard {
    /// Stripe's id of the PaymentMethod (`pm_…`).
    pub id: PaymentMethodId,
    /// Brand as Stripe spells it, such as `visa`, `mastercard` or `amex`.
    pub brand: String,
    /// Last four digits of the card number.
    pub last4: String,
    /// Month in which the card expires, from 1 to 12.
    pub exp_month: u8,
    /// Year in which the card expires, with four digits.
    pub exp_year: u16,
    /// Name of the cardholder.
    pub name: Option<String>,
}
