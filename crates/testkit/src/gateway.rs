use async_trait::async_trait;
use paywright_app::{
    EventPage, GatewayError, IssuedIntent, IssuedRefund, NewIntent, Page, PaymentGateway, ProviderRecords,
    ProviderRefund, ReadPayment, RecordedOrder,
};
use paywright_domain::dispute::Dispute;
use paywright_domain::id::{ChargeId, RefundId};
use paywright_domain::order::CancelReason;
use paywright_domain::refund::RefundSnapshot;
use paywright_domain::{IntentId, IntentSnapshot, Money, Timestamp};
use secrecy::SecretString;

mockall::mock! {
    /// Gateway whose answers a test scripts.
    pub Gateway {}

    #[async_trait]
    impl PaymentGateway for Gateway {
        async fn create_intent(&self, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;
        async fn intent(&self, id: &IntentId) -> Result<IssuedIntent, GatewayError>;
        async fn payment(&self, id: &IntentId) -> Result<ReadPayment, GatewayError>;
        async fn update_intent(&self, id: &IntentId, new: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;
        async fn cancel_intent(&self, id: &IntentId, reason: CancelReason, key: &str) -> Result<IssuedIntent, GatewayError>;
        async fn capture_intent(&self, id: &IntentId, amount: Money, order: &NewIntent, key: &str) -> Result<IssuedIntent, GatewayError>;
        async fn create_refund(&self, new: &ProviderRefund, key: &str) -> Result<IssuedRefund, GatewayError>;
        async fn refund(&self, id: &RefundId) -> Result<IssuedRefund, GatewayError>;
    }
}

/// Stripe's records of an account without objects.
#[derive(Debug, Clone, Copy)]
pub struct NoRecords;

#[async_trait]
impl ProviderRecords for NoRecords {
    async fn events(&self, _after: Option<&str>, _since: Timestamp) -> Result<EventPage, GatewayError> {
        Ok(EventPage { events: Vec::new(), last: None, more: false })
    }
    async fn intents(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<IntentSnapshot>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }
    async fn recorded_order(&self, _: &IntentId) -> Result<Option<RecordedOrder>, GatewayError> {
        Ok(None)
    }
    async fn intent_of_charge(&self, _: &ChargeId) -> Result<Option<IntentId>, GatewayError> {
        Ok(None)
    }
    async fn refunds(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<RefundSnapshot>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }
    async fn refunds_of(&self, _: &IntentId, _after: Option<&str>) -> Result<Page<RefundSnapshot>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }
    async fn disputes(&self, _after: Option<&str>, _since: Timestamp) -> Result<Page<Dispute>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }
    async fn disputes_of(&self, _: &IntentId, _after: Option<&str>) -> Result<Page<Dispute>, GatewayError> {
        Ok(Page::last(Vec::new()))
    }
}

/// Makes Stripe's answer to a request that has created the intent `id`.
pub fn issued(id: &str, new: &NewIntent, now: Timestamp) -> IssuedIntent {
    let mut snapshot = IntentSnapshot::new(IntentId::new(id).unwrap(), new.order, new.amount, now);
    snapshot.revision = Some(new.revision);
    IssuedIntent { client_secret: Some(SecretString::from(format!("{id}_secret_x"))), snapshot, request: None }
}

/// Makes a gateway that derives each intent's id from the idempotency key, so that a repeated request gets the same
/// intent, in the state after its creation.
pub fn issuing_gateway(now: Timestamp) -> MockGateway {
    let mut gateway = MockGateway::new();
    gateway.expect_create_intent().returning(move |new, key| {
        let name: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
        Ok(issued(&format!("pi_{name}"), new, now))
    });
    gateway
}
