use paywright_domain::Order;
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use paywright_domain::storefront::Cart;
use secrecy::SecretString;
use uuid::Uuid;

use super::{Shopper, Storefront, StorefrontError};
use crate::{GatewayError, SavedCard};

/// Most idempotency keys under which a customer is created, where Stripe repeats a failure of one.
const CUSTOMER_KEYS_MAX: u32 = 3;

/// Secrets with which an app saves a payment method without paying.
#[derive(Debug, Clone)]
pub struct CardSetup {
    /// Id of the customer at Stripe.
    pub customer: ProviderCustomerId,
    /// Ephemeral key with which the app lists saved payment methods.
    pub ephemeral_key: SecretString,
    /// Client secret of the SetupIntent with which the app saves another one.
    pub setup_intent: SecretString,
}

impl Storefront {
    /// Returns the one Stripe customer of a customer, and creates it if there is none. Parallel calls send the same
    /// request under the same key, and the first stored id is kept.
    pub(super) async fn provider_customer(&self, customer: &CustomerId) -> Result<ProviderCustomerId, StorefrontError> {
        let livemode = self.app.settings.livemode;
        if let Some(known) = self.carts.provider_customer(customer, livemode).await? {
            return Ok(known);
        }
        let key = self.installation_key(customer.as_str()).await?;
        let mut attempt = 1;
        let created = loop {
            match self.wallet.create_customer(customer, &format!("customer:{key}:{attempt}")).await {
                Err(GatewayError::KeyExhausted(_)) if attempt < CUSTOMER_KEYS_MAX => attempt += 1,
                created => break created?,
            }
        };
        Ok(self.carts.keep_provider_customer(customer, livemode, &created).await?)
    }

    /// Creates an ephemeral key for the app of a Stripe customer. No money moves by it, so each call has an idempotency
    /// key of its own.
    pub async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
    ) -> Result<SecretString, GatewayError> {
        self.wallet.ephemeral_key(customer, version, &self.fresh_key("ephemeral")).await
    }

    /// Creates the secrets with which an app saves a payment method of `customer`.
    pub async fn save_card(&self, customer: &CustomerId, version: Option<&str>) -> Result<CardSetup, StorefrontError> {
        let customer = self.provider_customer(customer).await?;
        let ephemeral_key = self.ephemeral_key(&customer, version).await?;
        let setup_intent = self.wallet.setup_intent(&customer, &self.fresh_key("setup")).await?;
        Ok(CardSetup { customer, ephemeral_key, setup_intent })
    }

    /// Lists the saved cards of a customer, the newest first.
    pub async fn saved_cards(&self, customer: &CustomerId) -> Result<Vec<SavedCard>, StorefrontError> {
        match self.carts.provider_customer(customer, self.app.settings.livemode).await? {
            Some(known) => Ok(self.wallet.saved_cards(&known).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Reads the card that paid a complete order. `None` where the order was paid otherwise, and where Stripe does not
    /// answer: the order is shown all the same.
    pub async fn card_of_payment(&self, order: &Order) -> Option<SavedCard> {
        let intent = order.leading_intent().filter(|_| order.is_complete())?;
        self.wallet.card_of_intent(&intent.id).await.unwrap_or_else(|error| {
            tracing::warn!(%error, intent = %intent.id, "the card of a payment could not be read");
            None
        })
    }

    /// Checks that a saved card may pay the shopper's cart: both belong to the shopper, a customer.
    pub(super) async fn check_saved_card(
        &self,
        cart: &Cart,
        shopper: &Shopper,
        method: &PaymentMethodId,
    ) -> Result<(), StorefrontError> {
        let owner = shopper.customer.as_ref().filter(|it| cart.customer.as_ref() == Some(it));
        let cards = self.saved_cards(owner.ok_or(StorefrontError::NoCard)?).await?;
        if cards.iter().any(|it| it.id == *method) { Ok(()) } else { Err(StorefrontError::NoCard) }
    }

    /// Detaches a saved card of this customer.
    pub async fn forget_card(&self, customer: &CustomerId, card: &PaymentMethodId) -> Result<(), StorefrontError> {
        let cards = self.saved_cards(customer).await?;
        let own = cards.iter().find(|it| it.id == *card).ok_or(StorefrontError::NoCard)?;
        let key = self.installation_key(own.id.as_str()).await?;
        Ok(self.wallet.forget_method(&own.id, &format!("forget:{key}")).await?)
    }

    /// Part of an idempotency key that is made of a name and this installation: another installation on the same Stripe
    /// account has another one for the same name.
    async fn installation_key(&self, name: &str) -> Result<Uuid, StorefrontError> {
        let installation = self.app.store.installations.installation().await?.id;
        Ok(Uuid::new_v5(&installation.0, name.as_bytes()))
    }

    fn fresh_key(&self, what: &str) -> String {
        format!("{what}:{}", self.app.ids.idempotency_key())
    }
}
