use std::collections::BTreeMap;

use paywright_domain::id::IdError;
use paywright_domain::intent::IntentStatus;
use paywright_domain::{IntentId, IntentSnapshot, Order, Timestamp};

/// Stand-in for Stripe's API: PaymentIntents by the idempotency key of the request that created them.
#[derive(Default)]
pub struct Stripe {
    intents: BTreeMap<String, IntentSnapshot>,
}

impl Stripe {
    /// Creates a PaymentIntent of the order's total; a repeated key gets the same one.
    pub fn create(&mut self, key: &str, order: &Order, now: Timestamp) -> Result<IntentSnapshot, IdError> {
        let id = IntentId::new(format!("pi_{}", self.intents.len() + 1))?;
        let new = || IntentSnapshot::new(id, order.id, order.total, now);
        Ok(self.intents.entry(key.to_owned()).or_insert_with(new).clone())
    }

    /// Lets the customer pay the order's PaymentIntent, and returns the event of it.
    pub fn pay(&mut self, order: &Order) -> Result<IntentSnapshot, &'static str> {
        let payable = order.payable_intent().ok_or("nothing can be paid")?;
        let intent = self.intents.values_mut().find(|it| it.intent == payable.id).ok_or("no such PaymentIntent")?;
        (intent.status, intent.received) = (IntentStatus::Succeeded, intent.amount);
        Ok(intent.clone().delivered_by_webhook())
    }

    /// Reads a PaymentIntent.
    pub fn read(&self, id: &IntentId) -> Option<&IntentSnapshot> {
        self.intents.values().find(|it| it.intent == *id)
    }
}
