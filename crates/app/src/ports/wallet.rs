use async_trait::async_trait;
use paywright_domain::{CustomerId, PaymentMethodId, ProviderCustomerId};
use secrecy::SecretString;

use super::gateway::GatewayError;

/// What the provider keeps of customers: who they are and what they pay with. No money moves here.
#[async_trait]
pub trait Wallet: Send + Sync {
    /// Makes a customer, or gives the one that an earlier call with the same `key` made.
    async fn create_customer(&self, customer: &CustomerId, key: &str) -> Result<ProviderCustomerId, GatewayError>;

    /// A key by which an app may read and change what is saved of one customer, for an hour. `version` is the one of
    /// the provider's API that the app speaks; ours if it does not say. Never stored, never logged.
    async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
        key: &str,
    ) -> Result<SecretString, GatewayError>;

    /// What lets a browser save a means of payment without paying. Never stored, never logged.
    async fn setup_intent(&self, customer: &ProviderCustomerId, key: &str) -> Result<SecretString, GatewayError>;

    /// The cards that are saved of a customer, the newest first; a hundred at most.
    async fn saved_cards(&self, customer: &ProviderCustomerId) -> Result<Vec<SavedCard>, GatewayError>;

    /// Forgets a saved means of payment.
    async fn forget_method(&self, method: &PaymentMethodId, key: &str) -> Result<(), GatewayError>;
}

/// A saved card, as far as its owner is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCard {
    /// Its name at the provider.
    pub id: PaymentMethodId,
    /// `visa`, `mastercard`, `amex`.
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// The last month of its validity, from 1.
    pub exp_month: u8,
    /// And the year.
    pub exp_year: u16,
    /// The name on it.
    pub name: Option<String>,
}
