use paywright_domain::Order;
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use paywright_domain::storefront::{Cart, PaymentMethodChoice};
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

/// Object that a payment method is to pay.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payable<'a> {
    /// A cart, and its order.
    Cart(&'a Cart),
    /// An order that was not made from a cart.
    Order(&'a Order),
}

impl Payable<'_> {
    /// Whether the bearer token of the request is that of the customer of the cart or the order.
    fn is_owned_by(self, shopper: &Shopper) -> bool {
        let customer = match self {
            Self::Cart(cart) => &cart.customer,
            Self::Order(order) => &order.customer,
        };
        customer.is_some() && *customer == shopper.customer
    }
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

    /// Checks that the shopper may pay with a payment method: that it is attached to nobody, or to the customer of what is
    /// paid. A saved card must be attached, and be named with that customer's bearer token. Whether a payment method of
    /// another customer exists is not told.
    pub(super) async fn check_method(
        &self,
        shopper: &Shopper,
        payable: Payable<'_>,
        choice: &PaymentMethodChoice,
    ) -> Result<(), StorefrontError> {
        let is_owner = match choice {
            PaymentMethodChoice::Saved(_) => payable.is_owned_by(shopper),
            PaymentMethodChoice::New(_) => true,
        };
        let is_allowed = is_owner
            && match self.wallet.owner_of_method(choice.id()).await {
                Ok(Some(owner)) => self.provider_customer_of(payable).await?.is_some_and(|it| it == owner),
                Ok(None) => matches!(choice, PaymentMethodChoice::New(_)),
                Err(GatewayError::NotFound(_)) => false,
                Err(error) => return Err(error.into()),
            };
        match (is_allowed, choice) {
            (true, _) => Ok(()),
            (false, PaymentMethodChoice::Saved(_)) => Err(StorefrontError::NoCard),
            (false, PaymentMethodChoice::New(id)) => Err(StorefrontError::NoPaymentMethod(id.clone())),
        }
    }

    /// Customer at Stripe of the PaymentIntent that pays a cart or an order.
    async fn provider_customer_of(&self, payable: Payable<'_>) -> Result<Option<ProviderCustomerId>, StorefrontError> {
        match payable {
            Payable::Cart(cart) => match &cart.customer {
                Some(customer) => Ok(self.carts.provider_customer(customer, self.app.settings.livemode).await?),
                None => Ok(None),
            },
            Payable::Order(order) => Ok(order.payer.customer.clone()),
        }
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
