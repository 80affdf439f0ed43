use paywright_domain::{NewRefund, Order, Refund, RefundError, RefundStatus};
use thiserror::Error;
use uuid::Uuid;

use crate::{Access, App, GetOrderError, IdempotencyKey, IdempotencyRecord, OrderRef, StoreError, Versioned};

/// A refund, and the order that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// The order.
    pub order: Order,
    /// The refund as it stands.
    pub refund: Refund,
    /// Whether an earlier request with the same key asked for it.
    pub replayed: bool,
}

/// Why nothing is given back.
#[derive(Debug, Error)]
pub enum RefundPaymentError {
    /// The order cannot be shown to this caller.
    #[error(transparent)]
    Get(#[from] GetOrderError),
    /// The order does not give it.
    #[error(transparent)]
    Refused(RefundError),
    /// The key stood for another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// Gives money back: the refund is a row of its order before Stripe is asked, so that it is made once whatever
    /// happens, and never for more than is left. `request` is the caller's key with a digest of all that it said: a
    /// repeat gets the same refund.
    pub async fn refund_payment(
        &self,
        which: &OrderRef,
        access: &Access,
        new: &NewRefund,
        request: Option<(IdempotencyKey, [u8; 32])>,
    ) -> Result<Refunded, RefundPaymentError> {
        // A request without a key gets one of its own: where the store leaves it open whether it committed, the
        // record of the key tells, and nothing is given back twice.
        let own = || (IdempotencyKey { scope: Uuid::nil(), key: self.ids.owner().to_string() }, [0; 32]);
        let new = &NewRefund { request: request.as_ref().map(|(key, _)| key.digest()), ..new.clone() };
        let request = request.unwrap_or_else(own);
        let mut attempt = 1;
        let (order, number) = loop {
            if let Some(earlier) = self.earlier_refund(which, access, &request).await? {
                if attempt == 1 {
                    return Ok(earlier);
                }
                break (earlier.order, earlier.refund.number);
            }
            let Versioned { version, value: order } = self.load(which, access).await?;
            // A restore from a backup has lost the record of the key, and found the refund at Stripe.
            if let Some(refund) = new.request.and_then(|it| order.refund_requested_by(it)).cloned() {
                let is_same = new.amount.is_none_or(|it| it == refund.amount);
                return if is_same {
                    Ok(Refunded { order, refund, replayed: true })
                } else {
                    Err(RefundPaymentError::KeyReused)
                };
            }
            let now = self.clock.now();
            let (decision, number) = match order.refund(new, now) {
                Ok(decided) => decided,
                Err(refusal) => {
                    // Another request with the same key may have taken what this one was to take, a moment ago.
                    let earlier = self.earlier_refund(which, access, &request).await?;
                    return earlier.ok_or(RefundPaymentError::Refused(refusal));
                }
            };
            let decided = decision.order.clone();
            let mut changes = self.changes(version, decision, now);
            changes.idempotency = Some(IdempotencyRecord {
                key: request.0.clone(),
                fingerprint: request.1,
                order: order.id,
                answer: number.to_string(),
                at: now,
            });
            match self.commit(changes).await {
                Ok(()) => break (decided, number),
                Err(error) => self.again_after(error, &mut attempt).await?,
            }
        };
        self.refund_now(order, number).await
    }

    /// Makes a refund that was committed a moment ago. Whatever goes wrong is no failure of the request any more:
    /// the worker goes on with it.
    async fn refund_now(&self, order: Order, number: u32) -> Result<Refunded, RefundPaymentError> {
        let requested = order.refund_numbered(number).filter(|it| it.status == RefundStatus::Requested);
        let made = match requested {
            Some(refund) => self.make_refund(&order, refund).await,
            None => Ok(order.clone()),
        };
        let order = made.unwrap_or_else(|error| {
            tracing::warn!(refund = number, %error, "left to the worker");
            order
        });
        let refund = order.refund_numbered(number).cloned();
        let refund = refund.ok_or(RefundPaymentError::Refused(RefundError::NothingReceived))?;
        Ok(Refunded { order, refund, replayed: false })
    }

    /// The refund that an earlier request with the same key led to, as it stands now.
    async fn earlier_refund(
        &self,
        which: &OrderRef,
        access: &Access,
        (key, fingerprint): &(IdempotencyKey, [u8; 32]),
    ) -> Result<Option<Refunded>, RefundPaymentError> {
        let Some(record) = self.store.idempotency_record(key).await? else { return Ok(None) };
        let order = self.load(which, access).await?.value;
        let number = record.answer.parse().ok().filter(|_| record.fingerprint == *fingerprint);
        let refund = number.filter(|_| record.order == order.id).and_then(|it| order.refund_numbered(it)).cloned();
        let refund = refund.ok_or(RefundPaymentError::KeyReused)?;
        Ok(Some(Refunded { order, refund, replayed: true }))
    }
}
