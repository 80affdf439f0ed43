//! `Wallet` over the Stripe client: customers and their saved cards.

use async_trait::async_trait;
use paywright_app::{GatewayError, SavedCard, Wallet};
use paywright_domain::IntentId;
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use secrecy::SecretString;

use crate::gateway::{gateway_error, read_failure};
use crate::objects::{Expandable, PaymentMethod};
use crate::requests::{
    AutomaticPaymentMethods, CreateCustomer, CreateEphemeralKey, CreateSetupIntent, DetachPaymentMethod,
    ListPaymentMethods, RetrieveMethodOfIntent, RetrievePaymentMethod,
};
use crate::{API_VERSION, SetupUsage, StripeGateway, StripeId};

/// Most saved cards that are read: the largest page that Stripe answers.
const CARDS_MAX: u8 = 100;

fn customer_id(id: &ProviderCustomerId) -> Result<StripeId, GatewayError> {
    StripeId::new("cus_", id.as_str()).map_err(GatewayError::from)
}

/// Secret that an app needs. Stripe may answer null, and would repeat that answer under the same idempotency key.
fn secret(found: Option<SecretString>, what: &str) -> Result<SecretString, GatewayError> {
    found.ok_or_else(|| GatewayError::KeyExhausted(format!("{what} without its secret").into()))
}

/// Details of a saved payment method that its owner may see; `None` if it is not a card.
fn card_of(method: PaymentMethod) -> Option<SavedCard> {
    let card = method.card?;
    Some(SavedCard {
        id: PaymentMethodId::new(method.id.as_str()).ok()?,
        brand: card.brand,
        last4: card.last4,
        exp_month: card.exp_month,
        exp_year: card.exp_year,
        name: method.billing_details.and_then(|it| it.name),
    })
}

#[async_trait]
impl Wallet for StripeGateway {
    async fn create_customer(&self, customer: &CustomerId, key: &str) -> Result<ProviderCustomerId, GatewayError> {
        // A pure function of the shop's customer id: a repeat under the same idempotency key must be the same.
        let metadata = self.owner().of_customer(Some(customer.as_str()));
        let answer = self.client().post(&CreateCustomer { email: None, name: None, metadata }, key).await;
        let id = answer.map_err(gateway_error)?.value.id;
        ProviderCustomerId::new(id.as_str()).map_err(|problem| GatewayError::Unknown(Box::new(problem)))
    }

    async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
        key: &str,
    ) -> Result<SecretString, GatewayError> {
        let sdk_version = version.unwrap_or(API_VERSION).to_owned();
        let request = CreateEphemeralKey { customer: customer_id(customer)?, sdk_version };
        secret(self.client().post(&request, key).await.map_err(gateway_error)?.value.secret, "an ephemeral key")
    }

    async fn setup_intent(&self, customer: &ProviderCustomerId, key: &str) -> Result<SecretString, GatewayError> {
        let request = CreateSetupIntent {
            customer: Some(customer_id(customer)?),
            usage: Some(SetupUsage::OffSession),
            automatic_payment_methods: AutomaticPaymentMethods { enabled: true },
            metadata: self.owner().of_customer(None),
        };
        secret(self.client().post(&request, key).await.map_err(gateway_error)?.value.client_secret, "a SetupIntent")
    }

    async fn saved_cards(&self, customer: &ProviderCustomerId) -> Result<Vec<SavedCard>, GatewayError> {
        let request = ListPaymentMethods { customer: customer_id(customer)?, kind: "card", limit: CARDS_MAX };
        let list = self.list(&request).await?;
        Ok(list.data.into_iter().filter_map(card_of).collect())
    }

    async fn owner_of_method(&self, method: &PaymentMethodId) -> Result<Option<ProviderCustomerId>, GatewayError> {
        let payment_method = StripeId::new("pm_", method.as_str()).map_err(GatewayError::from)?;
        let read = self.client().get(&RetrievePaymentMethod { payment_method }).await.map_err(read_failure)?.value;
        let owner = read.customer.map(|it| match it {
            Expandable::Id(id) => id,
            Expandable::Object(customer) => customer.id,
        });
        let owner = owner.map(|it| ProviderCustomerId::new(it.as_str())).transpose();
        owner.map_err(|problem| GatewayError::Unknown(Box::new(problem)))
    }

    async fn card_of_intent(&self, intent: &IntentId) -> Result<Option<SavedCard>, GatewayError> {
        let intent = StripeId::new("pi_", intent.as_str()).map_err(GatewayError::from)?;
        let answer = self.client().get(&RetrieveMethodOfIntent::new(intent)).await.map_err(read_failure)?;
        Ok(answer.value.payment_method.and_then(card_of))
    }

    async fn forget_method(&self, method: &PaymentMethodId, key: &str) -> Result<(), GatewayError> {
        let payment_method = StripeId::new("pm_", method.as_str()).map_err(GatewayError::from)?;
        self.client().post(&DetachPaymentMethod { payment_method }, key).await.map(drop).map_err(gateway_error)
    }
}
