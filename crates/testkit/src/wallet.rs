use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use paywright_app::{GatewayError, SavedCard, Wallet};
use paywright_domain::IntentId;
use paywright_domain::id::{CustomerId, PaymentMethodId, ProviderCustomerId};
use paywright_domain::intent::IntentError;
use secrecy::SecretString;

/// Stripe customers and their cards in memory, for one test. It stores idempotency keys as Stripe does.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    customers: BTreeMap<String, ProviderCustomerId>,
    cards: Vec<(ProviderCustomerId, SavedCard)>,
    of_intents: BTreeMap<String, SavedCard>,
    secrets: u32,
    keys: Vec<String>,
    unknown_version: Option<String>,
    unknown_method: Option<String>,
}

/// Card with this id.
fn visa(id: &str) -> SavedCard {
    SavedCard {
        id: PaymentMethodId::new(id).unwrap(),
        brand: "visa".into(),
        last4: "4242".into(),
        exp_month: 12,
        exp_year: 2034,
        name: Some("Ada".into()),
    }
}

impl Cards {
    /// Number of customers that were created.
    pub fn customers(&self) -> usize {
        self.state.lock().unwrap().customers.len()
    }

    /// Attaches a card to a customer.
    pub fn save(&self, customer: &str, card: &str) {
        let saved = (ProviderCustomerId::new(customer).unwrap(), visa(card));
        self.state.lock().unwrap().cards.insert(0, saved);
    }

    /// Makes a card, of which no holder is known, the payment method of a PaymentIntent.
    pub fn pays(&self, intent: &str, card: &str) {
        self.state.lock().unwrap().of_intents.insert(intent.to_owned(), SavedCard { name: None, ..visa(card) });
    }

    /// Refuses ephemeral keys for this API version from now on, as Stripe does for an unknown one.
    pub fn does_not_know(&self, version: &str) {
        self.state.lock().unwrap().unknown_version = Some(version.to_owned());
    }

    /// Knows no payment method with this id from now on. Any other one that was not saved is attached to nobody.
    pub fn does_not_know_method(&self, id: &str) {
        self.state.lock().unwrap().unknown_method = Some(id.to_owned());
    }

    /// Idempotency keys of all calls so far.
    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().keys.clone()
    }

    fn record_key(&self, key: &str) {
        self.state.lock().unwrap().keys.push(key.to_owned());
    }

    fn secret(&self, kind: &str) -> SecretString {
        let mut state = self.state.lock().unwrap();
        state.secrets += 1;
        SecretString::from(format!("{kind}_{}", state.secrets))
    }
}

#[async_trait]
impl Wallet for Cards {
    async fn create_customer(&self, customer: &CustomerId, key: &str) -> Result<ProviderCustomerId, GatewayError> {
        self.record_key(key);
        tokio::task::yield_now().await;
        let id = ProviderCustomerId::new(format!("cus_{:.200}", customer.as_str())).unwrap();
        Ok(self.state.lock().unwrap().customers.entry(key.to_owned()).or_insert(id).clone())
    }

    async fn ephemeral_key(
        &self,
        customer: &ProviderCustomerId,
        version: Option<&str>,
        key: &str,
    ) -> Result<SecretString, GatewayError> {
        self.record_key(key);
        if version.is_some() && version == self.state.lock().unwrap().unknown_version.as_deref() {
            return Err(GatewayError::Refused(IntentError::default()));
        }
        Ok(self.secret(&format!("ek_{customer}_{}", version.unwrap_or("ours"))))
    }

    async fn setup_intent(&self, _: &ProviderCustomerId, key: &str) -> Result<SecretString, GatewayError> {
        self.record_key(key);
        Ok(self.secret("seti"))
    }

    async fn saved_cards(&self, customer: &ProviderCustomerId) -> Result<Vec<SavedCard>, GatewayError> {
        let state = self.state.lock().unwrap();
        Ok(state.cards.iter().filter(|(owner, _)| owner == customer).map(|(_, card)| card.clone()).collect())
    }

    async fn owner_of_method(&self, method: &PaymentMethodId) -> Result<Option<ProviderCustomerId>, GatewayError> {
        let state = self.state.lock().unwrap();
        if state.unknown_method.as_deref() == Some(method.as_str()) {
            return Err(GatewayError::NotFound("no such PaymentMethod".into()));
        }
        Ok(state.cards.iter().find(|(_, card)| card.id == *method).map(|(owner, _)| owner.clone()))
    }

    async fn card_of_intent(&self, intent: &IntentId) -> Result<Option<SavedCard>, GatewayError> {
        Ok(self.state.lock().unwrap().of_intents.get(intent.as_str()).cloned())
    }

    async fn forget_method(&self, method: &PaymentMethodId, key: &str) -> Result<(), GatewayError> {
        self.record_key(key);
        self.state.lock().unwrap().cards.retain(|(_, card)| card.id != *method);
        Ok(())
    }
}
