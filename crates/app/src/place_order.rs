use paywright_domain::{ContentError, NewOrder, Order, OrderId, OrderNumber};
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
    /// An earlier request with this key placed an order that a restore from a backup has lost.
    #[error(
        "an earlier request with this idempotency key placed the order {0}, which a restore from a backup has lost"
    )]
    Lost(OrderId),
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
        let mut drawn = self.ids.order_id(now);
        let mut id = request.as_ref().map_or(drawn, |it| it.key.order_id(now));
        let mut number = OrderNumber::of(id, now);
        let mut attempt = 1;
        let mut in_doubt = false;
        loop {
            let decision = Order::place_as(id, number.clone(), new.clone(), now)?;
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
                // Ids of one key and one millisecond are equal: in doubt, the order may be of this request.
                Some(PlacedOrder::Before { order: before, .. }) if before == id && in_doubt => {}
                Some(earlier) => return Ok(earlier),
                None if !in_doubt => {
                    if let Some(request) = &request
                        && let Some(lost) = self.store.lost_order(id).await?
                    {
                        return self.recovered_placement(request, lost, &order).await;
                    }
                    // The number may be taken.
                    now = self.clock.now();
                    drawn = self.ids.order_id(now);
                    id = request.as_ref().map_or(drawn, |it| it.key.order_id(now));
                    number = OrderNumber::of(drawn, now);
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

    /// The order that an earlier request placed and a restore lost, where an operator has created it again.
    async fn recovered_placement(
        &self,
        request: &IdempotentRequest,
        lost: OrderId,
        wanted: &Order,
    ) -> Result<PlacedOrder, PlaceOrderError> {
        match self.store.order(&OrderRef::Id(lost)).await? {
            // The fingerprint of the first request is lost; what it came to is not.
            Some(found) if found.value.total != wanted.total => Err(PlaceOrderError::KeyReused),
            Some(found) => Ok(PlacedOrder::Before { order: lost, answer: (request.answer)(&found.value) }),
            None => Err(PlaceOrderError::Lost(lost)),
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
