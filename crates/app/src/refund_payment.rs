use paywright_domain::Order;
use paywright_domain::refund::{NewRefund, Refund, RefundError, RefundStatus};
use thiserror::Error;
use uuid::Uuid;

use crate::change::Attempt;
use crate::{Access, App, GetOrderError, IdempotencyKey, IdempotencyOutcome, IdempotencyRecord, OrderRef, Versioned};

/// A refund, with its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// The order.
    pub order: Order,
    /// The refund as it is now.
    pub refund: Refund,
    /// Whether an earlier request with the same key has made it.
    pub replayed: bool,
}

impl Refunded {
    /// The refund with this number, made by this request.
    fn of(order: Order, number: u32) -> Result<Self, RefundError> {
        let refund = order.refund_numbered(number).cloned().ok_or(RefundError::NothingReceived)?;
        Ok(Self { order, refund, replayed: false })
    }
}

/// Why nothing is refunded.
#[derive(Debug, Error)]
pub enum RefundPaymentError {
    /// The order could not be read.
    #[error(transparent)]
    Order(#[from] GetOrderError),
    /// The order refuses the refund.
    #[error(transparent)]
    Refused(#[from] RefundError),
    /// The order is no longer as the caller has shown it to a person.
    #[error("the order has changed meanwhile")]
    OutOfDate,
    /// The key was used for another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
}

impl App {
    /// Refunds a payment. The refund is a row of its order before it is sent to Stripe, so that it is made once, and
    /// never for more than is left. `request` is the caller's key with a digest of the whole request: a repeat gets the
    /// same refund.
    pub async fn refund_payment(
        &self,
        which: &OrderRef,
        access: &Access,
        new: &NewRefund,
        request: Option<(IdempotencyKey, [u8; 32])>,
    ) -> Result<Refunded, RefundPaymentError> {
        self.refund_if(which, access, new, request, &|_| true).await
    }

    /// As [`Self::refund_payment`], for a person who has decided on an order as a page has shown it: it is refused with
    /// [`RefundPaymentError::OutOfDate`] if `is_shown` denies that of the order on which the refund is committed.
    pub async fn refund_shown_payment(
        &self,
        which: &OrderRef,
        new: &NewRefund,
        request: (IdempotencyKey, [u8; 32]),
        is_shown: impl Fn(&Order) -> bool + Send + Sync,
    ) -> Result<Refunded, RefundPaymentError> {
        self.refund_if(which, &Access::All, new, Some(request), &is_shown).await
    }

    async fn refund_if(
        &self,
        which: &OrderRef,
        access: &Access,
        new: &NewRefund,
        request: Option<(IdempotencyKey, [u8; 32])>,
        is_shown: &(dyn Fn(&Order) -> bool + Send + Sync),
    ) -> Result<Refunded, RefundPaymentError> {
        let new = &NewRefund { request: request.as_ref().map(|(key, _)| key.digest()), ..new.clone() };
        let request = &request.unwrap_or_else(|| self.own_request());
        let attempt = |attempt| async move {
            match self.earlier_refund(which, access, request).await? {
                // After the first attempt it is of this very request, whose commit was in doubt.
                Some(earlier) => Ok(Attempt::Done(Refunded { replayed: attempt == 1, ..earlier })),
                None => self.commit_refund((which, access), new, request, is_shown).await,
            }
        };
        let refunded = self.retry(attempt).await?;
        if refunded.replayed { Ok(refunded) } else { Ok(self.refund_now(refunded).await) }
    }

    /// Key of a request whose caller chose none: where it is unknown whether its commit was done, the record of the key
    /// shows it, and nothing is refunded twice.
    fn own_request(&self) -> (IdempotencyKey, [u8; 32]) {
        (IdempotencyKey { scope: Uuid::nil(), key: self.ids.idempotency_key().to_string() }, [0; 32])
    }

    /// Decides on a refund and commits it, with the record of the request's key.
    async fn commit_refund(
        &self,
        (which, access): (&OrderRef, &Access),
        new: &NewRefund,
        request: &(IdempotencyKey, [u8; 32]),
        is_shown: &(dyn Fn(&Order) -> bool + Send + Sync),
    ) -> Result<Attempt<Refunded>, RefundPaymentError> {
        let Versioned { version, value: order } = self.load(which, access).await?;
        // A restore from a backup has lost the record of the key, and found the refund at Stripe.
        if let Some(refund) = new.request.and_then(|it| order.refund_requested_by(it)).cloned() {
            let is_same = new.amount.is_none_or(|it| it == refund.amount);
            let refunded = Refunded { order, refund, replayed: true };
            return if is_same { Ok(Attempt::Done(refunded)) } else { Err(RefundPaymentError::KeyReused) };
        }
        if !is_shown(&order) {
            return Err(RefundPaymentError::OutOfDate);
        }
        let now = self.clock.now();
        let (decision, number) = match order.refund(new, now) {
            Ok(decided) => decided,
            Err(refusal) => {
                // Another request with the same key may have refunded the same money a moment ago.
                let earlier = self.earlier_refund(which, access, request).await?;
                return Ok(Attempt::Done(earlier.ok_or(RefundPaymentError::Refused(refusal))?));
            }
        };
        let refunded = Refunded::of(decision.order.clone(), number)?;
        let mut changes = self.changes(version, decision, now);
        changes.idempotency = Some(IdempotencyRecord {
            key: request.0.clone(),
            fingerprint: request.1,
            order: order.id,
            outcome: IdempotencyOutcome::Refund { number },
            at: now,
        });
        Ok(Attempt::committed(self.commit(changes).await, refunded))
    }

    /// Makes a refund that was committed a moment ago. A failure is logged and left to the worker: the request has
    /// succeeded with its commit.
    async fn refund_now(&self, refunded: Refunded) -> Refunded {
        if refunded.refund.status != RefundStatus::Requested {
            return refunded;
        }
        let number = refunded.refund.number;
        match self.make_refund(&refunded.order, &refunded.refund).await {
            Ok(order) => Refunded::of(order, number).unwrap_or(refunded),
            Err(error) => {
                tracing::warn!(refund = number, %error, "a refund is left to the worker");
                refunded
            }
        }
    }

    /// Finds the refund that an earlier request with the same key has made, as it is now.
    async fn earlier_refund(
        &self,
        which: &OrderRef,
        access: &Access,
        (key, fingerprint): &(IdempotencyKey, [u8; 32]),
    ) -> Result<Option<Refunded>, RefundPaymentError> {
        let Some(record) = self.store.orders.idempotency_record(key).await? else { return Ok(None) };
        let order = self.load(which, access).await?.value;
        let is_same = record.order == order.id && record.fingerprint == *fingerprint;
        let refund = match record.outcome {
            IdempotencyOutcome::Refund { number } if is_same => order.refund_numbered(number).cloned(),
            IdempotencyOutcome::Refund { .. } | IdempotencyOutcome::Order { .. } => None,
        };
        let refund = refund.ok_or(RefundPaymentError::KeyReused)?;
        Ok(Some(Refunded { order, refund, replayed: true }))
    }
}
