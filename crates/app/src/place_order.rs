use paywright_domain::id::OrderNumber;
use paywright_domain::order::ContentError;
use paywright_domain::{Decision, NewOrder, Order, OrderId, Timestamp};
use thiserror::Error;

use crate::change::Attempt;
use crate::{App, Changes, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, OrderRef, StoreError, Version};

/// Idempotency key of a request to place an order: a repeat with the same key gets the first answer.
pub struct IdempotentRequest {
    /// The caller's key.
    pub key: IdempotencyKey,
    /// Digest of the whole request.
    pub fingerprint: [u8; 32],
    /// Formats the answer in the caller's dialect, without secrets.
    pub answer: fn(&Order) -> String,
}

impl IdempotentRequest {
    /// Record of this request, which placed `order` at `at`.
    fn record(&self, order: &Order, at: Timestamp) -> IdempotencyRecord {
        IdempotencyRecord {
            key: self.key.clone(),
            fingerprint: self.fingerprint,
            order: order.id,
            outcome: IdempotencyOutcome::Order { answer: (self.answer)(order) },
            at,
        }
    }
}

/// An order that was placed now, or by an earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacedOrder {
    /// Placed by this request.
    Now(Box<Order>),
    /// Placed by an earlier request.
    Before {
        /// Id of the order.
        order: OrderId,
        /// Answer of the earlier request.
        answer: String,
    },
}

/// Why no order was placed.
#[derive(Debug, Error)]
pub enum PlaceOrderError {
    /// The content of the order is refused.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The key was used for another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// An earlier request with this key placed an order that a restore from a backup has lost.
    #[error(
        "an earlier request with this idempotency key placed the order {0}, which a restore from a backup has lost"
    )]
    Lost(OrderId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new order as the next attempt commits it.
struct Placement {
    decision: Decision,
    at: Timestamp,
    /// Whether an earlier attempt may have committed this order.
    in_doubt: bool,
}

impl App {
    /// Places an order: one commit of the order, its first fact, and the record by which a repeat of the request finds
    /// it.
    pub async fn place_order(
        &self,
        new: NewOrder,
        request: Option<IdempotentRequest>,
    ) -> Result<PlacedOrder, PlaceOrderError> {
        let (new, request) = (&NewOrder { livemode: self.settings.livemode, ..new }, request.as_ref());
        let first = self.decide_placement(new, request, OrderNumber::of)?;
        self.retry_with(first, |mut placement, attempt| async move {
            if attempt > 1
                && let Some(placed) = self.placed_meanwhile(&mut placement, new, request).await?
            {
                return Ok((Attempt::Done(placed), placement));
            }
            let Placement { decision, at, .. } = &placement;
            let order = decision.order.clone();
            let idempotency = request.map(|it| it.record(&order, *at));
            let changes = Changes { idempotency, ..self.changes(Version::NEW, decision.clone(), *at) };
            let committed = self.commit(changes).await;
            placement.in_doubt |= matches!(committed, Err(StoreError::Unknown(_)));
            Ok((Attempt::committed(committed, PlacedOrder::Now(Box::new(order))), placement))
        })
        .await
    }

    /// Decides on a new order with a new id. The id of an order with an idempotency key is made of the key.
    fn decide_placement(
        &self,
        new: &NewOrder,
        request: Option<&IdempotentRequest>,
        number: impl FnOnce(OrderId, Timestamp) -> OrderNumber,
    ) -> Result<Placement, PlaceOrderError> {
        let at = self.clock.now();
        let id = request.map_or_else(|| self.ids.order_id(at), |it| it.key.order_id(at));
        let decision = Order::place_as(id, number(id, at), new.clone(), at)?;
        Ok(Placement { decision, at, in_doubt: false })
    }

    /// Finds out, after a failed commit, whether the order is placed by now. If not, `placement` is what the next
    /// attempt commits.
    async fn placed_meanwhile(
        &self,
        placement: &mut Placement,
        new: &NewOrder,
        request: Option<&IdempotentRequest>,
    ) -> Result<Option<PlacedOrder>, PlaceOrderError> {
        let (order, in_doubt) = (&placement.decision.order, placement.in_doubt);
        match self.earlier_placement(request).await? {
            // Ids of one key and one millisecond are equal: in doubt, the order may be of this request.
            Some(PlacedOrder::Before { order: before, .. }) if before == order.id && in_doubt => {}
            Some(earlier) => return Ok(Some(earlier)),
            None if !in_doubt => {
                if let Some(request) = request
                    && let Some(lost) = self.store.installations.lost_order(order.id).await?
                {
                    return self.recovered_placement(request, lost, order).await.map(Some);
                }
                // The number may be taken.
                *placement = self.decide_placement(new, request, |id, at| self.ids.order_number(id, at))?;
                return Ok(None);
            }
            None => {}
        }
        // In doubt, the same order is tried again until it is known to be stored: the second of the two commits is
        // refused, so that they cannot become two orders.
        let stored = self.store.orders.order(&OrderRef::Id(order.id)).await?;
        Ok(stored.map(|_| PlacedOrder::Now(Box::new(order.clone()))))
    }

    /// Finds the order that an earlier request placed and a restore lost, if an operator has recreated it.
    async fn recovered_placement(
        &self,
        request: &IdempotentRequest,
        lost: OrderId,
        wanted: &Order,
    ) -> Result<PlacedOrder, PlaceOrderError> {
        match self.store.orders.order(&OrderRef::Id(lost)).await? {
            // The fingerprint of the first request is lost, its total is not.
            Some(found) if found.value.total != wanted.total => Err(PlaceOrderError::KeyReused),
            Some(found) => Ok(PlacedOrder::Before { order: lost, answer: (request.answer)(&found.value) }),
            None => Err(PlaceOrderError::Lost(lost)),
        }
    }

    /// Finds the order that an earlier request with the same key placed. Read after a failed commit only: the commit
    /// itself refuses a used key, so that a first request needs no read.
    async fn earlier_placement(
        &self,
        request: Option<&IdempotentRequest>,
    ) -> Result<Option<PlacedOrder>, PlaceOrderError> {
        let Some(request) = request else { return Ok(None) };
        let Some(record) = self.store.orders.idempotency_record(&request.key).await? else { return Ok(None) };
        match record.outcome {
            IdempotencyOutcome::Order { answer } if record.fingerprint == request.fingerprint => {
                Ok(Some(PlacedOrder::Before { order: record.order, answer }))
            }
            IdempotencyOutcome::Order { .. } | IdempotencyOutcome::Refund { .. } => Err(PlaceOrderError::KeyReused),
        }
    }
}
