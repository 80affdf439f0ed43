use paywright_domain::{ContentError, NewOrder, Order, OrderId};
use thiserror::Error;

use crate::{App, IdempotencyKey, IdempotencyRecord, OrderRef, StoreError, Version};

/// What makes a request repeatable: a repeat with the same key gets the first one's answer.
pub struct IdempotentRequest {
    /// The caller's key.
    pub key: IdempotencyKey,
    /// A digest of all that the request said.
    pub fingerprint: [u8; 32],
    /// Words the answer in the caller's dialect, without secrets.
    pub answer: fn(&Order) -> String,
}

/// An order that was placed now, or by an earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacedOrder {
    /// Placed by this request.
    Now(Box<Order>),
    /// Placed before: here is what was answered then.
    Before {
        /// The order it was about.
        order: OrderId,
        /// What was answered.
        answer: String,
    },
}

/// Why no order was placed.
#[derive(Debug, Error)]
pub enum PlaceOrderError {
    /// Its content is refused.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The key stood for another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Places an order: one commit of the order, its first fact, and the record that lets a repeat of the
    /// request find it.
    pub async fn place_order(
        &self,
        new: NewOrder,
        request: Option<IdempotentRequest>,
    ) -> Result<PlacedOrder, PlaceOrderError> {
        let new = NewOrder { livemode: self.settings.livemode, ..new };
        let mut now = self.clock.now();
        let mut id = self.ids.order_id(now);
        let mut attempt = 1;
        let mut in_doubt = false;
        loop {
            let decision = Order::place(id, new.clone(), now)?;
            let order = decision.order.clone();
            let mut changes = self.changes(Version::NEW, decision, now);
            if let Some(IdempotentRequest { key, fingerprint, answer }) = &request {
                changes.idempotency = Some(IdempotencyRecord {
                    key: key.clone(),
                    fingerprint: *fingerprint,
                    order: order.id,
                    answer: answer(&order),
                    at: now,
                });
            }
            match self.commit(changes).await {
                Ok(()) => return Ok(PlacedOrder::Now(Box::new(order))),
                Err(error) => {
                    in_doubt |= matches!(error, StoreError::Unknown(_));
                    self.again_after(error, &mut attempt).await?;
                }
            }
            match self.earlier_placement(request.as_ref()).await? {
                Some(PlacedOrder::Before { order: before, .. }) if before == id => {}
                Some(earlier) => return Ok(earlier),
                None if !in_doubt => {
                    // The number that the id makes may be taken.
                    now = self.clock.now();
                    id = self.ids.order_id(now);
                    continue;
                }
                None => {}
            }
            // Once the store has left it open, the same order is tried again until it is known to be there: the
            // second of the two is refused, so that they cannot become two orders.
            if self.store.order(&OrderRef::Id(id)).await?.is_some() {
                return Ok(PlacedOrder::Now(Box::new(order)));
            }
        }
    }

    /// What an earlier request with the same key led to. Asked after a conflict alone: the commit itself
    /// refuses a key that is taken, so that the usual request pays nothing for the question.
    async fn earlier_placement(
        &self,
        request: Option<&IdempotentRequest>,
    ) -> Result<Option<PlacedOrder>, PlaceOrderError> {
        let Some(request) = request else { return Ok(None) };
        match self.store.idempotency_record(&request.key).await? {
            Some(record) if record.fingerprint == request.fingerprint => {
                Ok(Some(PlacedOrder::Before { order: record.order, answer: record.answer }))
            }
            Some(_) => Err(PlaceOrderError::KeyReused),
            None => Ok(None),
        }
    }
}
