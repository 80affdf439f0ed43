use async_trait::async_trait;
use paywright_app::{GatewayError, IssuedIntent, NewIntent, PaymentGateway};
use paywright_domain::{IntentId, IntentSnapshot, Timestamp};
use secrecy::SecretString;

mockall::mock! {
    /// A gateway whose answers a test scripts.
    pub Gateway {}

    #[async_trait]
    impl PaymentGateway for Gateway {
        async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;
        async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError>;
    }
}

/// The answer of a provider that has just made the intent asked for.
pub fn issued(id: &str, new: &NewIntent, now: Timestamp) -> IssuedIntent {
    let mut snapshot = IntentSnapshot::new(IntentId::new(id).unwrap(), new.order, new.amount, now);
    snapshot.revision = Some(new.revision);
    IssuedIntent { client_secret: SecretString::from(format!("{id}_secret_x")), snapshot }
}

/// A gateway that names intents after the idempotency key, as a provider with true idempotency would, and
/// reports every one of them as it was made.
pub fn issuing_gateway(now: Timestamp) -> MockGateway {
    let mut gateway = MockGateway::new();
    gateway.expect_create_intent().returning(move |new, key| {
        let name: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(issued(&format!("pi_{name}"), new, now))
    });
    gateway
}
