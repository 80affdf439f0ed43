use paywright_domain::{CustomerId, PaymentMethodId, ProviderCustomerId};
use secrecy::SecretString;
use uuid::Uuid;

use super::{Shopper, Storefront, StorefrontError};
use crate::{GatewayError, SavedCard};

/// How many keys are tried for making a customer, where the provider repeats a failure for one.
const CUSTOMER_KEYS_MAX: u32 = 3;

/// What an app needs to save a means of payment without paying.
#[derive(Debug, Clone)]
pub struct CardSetup {
    /// Who the customer is at the provider.
    pub customer: ProviderCustomerId,
    /// What lets an app see what is saved.
    pub ephemeral_key: SecretString,
    /// What lets it save more.
    pub setup_intent: SecretString,
}

impl Storefront {
    /// Who a customer is at the provider: one customer, whoever asks how often. All who ask at once send the same
    /// request under the same key, and what is kept first stands.
    pub(super) async fn provider_customer(&self, customer: &CustomerId) -> Result<ProviderCustomerId, StorefrontError> {
        let livemode = self.app.settings.livemode;
        if let Some(known) = self.carts.provider_customer(customer, livemode).await? {
            return Ok(known);
        }
        let key = self.installation_key(customer.as_str()).await?;
        let mut attempt = 1;
        let made = loop {
            match self.wallet.create_customer(customer, &format!("customer:{key}:{attempt}")).await {
                Err(GatewayError::KeyExhausted(_)) if attempt < CUSTOMER_KEYS_MAX => attempt += 1,
                made => break made?,
            }
        };
        Ok(self.carts.keep_provider_customer(customer, livemode, &made).await?)
    }

    /// A fresh key for an app of this customer, who is known at the provider already. No money moves by it, so that
    /// a new key each time is what is wanted.
    pub async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
    ) -> Result<SecretString, GatewayError> {
        self.wallet.ephemeral_key(customer, version, &self.fresh_key("ephemeral")).await
    }

    /// What an app needs to save a means of payment of `customer`.
    pub async fn save_card(&self, customer: &CustomerId, version: Option<&str>) -> Result<CardSetup, StorefrontError> {
        let customer = self.provider_customer(customer).await?;
        let ephemeral_key = self.ephemeral_key(&customer, version).await?;
        let setup_intent = self.wallet.setup_intent(&customer, &self.fresh_key("setup")).await?;
        Ok(CardSetup { customer, ephemeral_key, setup_intent })
    }

    /// The saved cards of a customer, the newest first.
    pub async fn saved_cards(&self, customer: &CustomerId) -> Result<Vec<SavedCard>, StorefrontError> {
        match self.carts.provider_customer(customer, self.app.settings.livemode).await? {
            Some(known) => Ok(self.wallet.saved_cards(&known).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Checks that a saved card may pay the shopper's cart: cart and card are the shopper's, who is a customer.
    pub async fn check_saved_card(&self, shopper: &Shopper, method: &PaymentMethodId) -> Result<(), StorefrontError> {
        let cart = self.current(shopper).await?.cart;
        let owner = shopper.customer.as_ref().filter(|it| cart.customer.as_ref() == Some(it));
        let cards = self.saved_cards(owner.ok_or(StorefrontError::NoCard)?).await?;
        if cards.iter().any(|it| it.id == *method) { Ok(()) } else { Err(StorefrontError::NoCard) }
    }

    /// Forgets a saved card of this customer.
    pub async fn forget_card(&self, customer: &CustomerId, card: &PaymentMethodId) -> Result<(), StorefrontError> {
        let cards = self.saved_cards(customer).await?;
        let own = cards.iter().find(|it| it.id == *card).ok_or(StorefrontError::NoCard)?;
        let key = self.installation_key(own.id.as_str()).await?;
        Ok(self.wallet.forget_method(&own.id, &format!("forget:{key}")).await?)
    }

    /// Part of an idempotency key that names something of this installation: another installation on the same account at
    /// Stripe has another one for the same name.
    async fn installation_key(&self, name: &str) -> Result<Uuid, StorefrontError> {
        let installation = self.app.store.installation().await?.id;
        Ok(Uuid::new_v5(&installation.0, name.as_bytes()))
    }

    fn fresh_key(&self, what: &str) -> String {
        format!("{what}:{}", self.app.ids.idempotency_key())
    }
}
