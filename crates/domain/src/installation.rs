//! The service that keeps orders, as Stripe is told of it: which one it is, and which restored copy of its data.

use std::fmt;

use uuid::Uuid;

/// Name of one database of orders, drawn at random when the database is created. Stripe keeps it in the metadata of
/// whatever is made, so that two installations on one Stripe account tell their objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallationId(pub Uuid);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A stretch of an installation's life between two restores from a backup: the second, counted from 1970, at which the
/// restore was recovered from; 0 before the first.
///
/// A restored database hands out numbers again that Stripe has seen. An idempotency key has the epoch in which its
/// request was decided, so that the second use of a number is another request, and a request from before the backup
/// stays the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch of an installation that was never restored.
    pub const FIRST: Self = Self(0);

    /// End of an idempotency key of a request that was decided in this epoch: nothing in the first.
    pub(crate) fn suffix(epoch: Option<Self>) -> String {
        match epoch {
            None | Some(Self::FIRST) => String::new(),
            Some(Self(number)) => format!(":e{number}"),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::{at, usd};
    use crate::{
        CancelReason, IntentId, IntentRequest, Operation, OperationKind, OrderId, Refund, RefundOrigin, RefundStatus,
    };

    /// The most characters of a key that Stripe takes ("Idempotent requests").
    const KEY_CHARS_MAX: usize = 255;

    /// Keys of one order's requests, of one epoch and with one number everywhere.
    fn keys(order: OrderId, number: u32, epoch: Option<Epoch>) -> Vec<String> {
        let intent = || IntentId::new("pi_1").unwrap();
        let operation = |kind| Operation { number, intent: intent(), kind, since: at(1), epoch };
        let refund = Refund {
            number,
            intent: intent(),
            amount: usd(1),
            reason: None,
            origin: RefundOrigin::Shop,
            status: RefundStatus::Requested,
            provider_id: None,
            attempt: number,
            failure: None,
            requested_at: at(1),
            epoch,
            request: None,
        };
        vec![
            IntentRequest { revision: number, attempt: number, epoch }.idempotency_key(order),
            operation(OperationKind::Cancel { reason: CancelReason::Abandoned }).idempotency_key(order),
            operation(OperationKind::Capture { amount: usd(1) }).idempotency_key(order),
            refund.idempotency_key(order),
        ]
    }

    #[test]
    fn a_key_is_of_its_order_and_epoch_and_never_longer_than_stripe_takes() {
        let order = OrderId(Uuid::from_u128(7));
        for key in keys(order, u32::MAX, Some(Epoch(u32::MAX))) {
            assert!(key.len() <= KEY_CHARS_MAX && key.contains(&order.to_string()), "{key}");
        }
        let before = keys(order, 1, None);
        assert_eq!(
            before,
            ["pi:{}:1:1", "cancel:{}:1", "capture:{}:1", "refund:{}:1"].map(|it| it.replace("{}", &order.to_string()))
        );
        assert_eq!(keys(order, 1, Some(Epoch::FIRST)), before);
        let after = keys(order, 1, Some(Epoch(9)));
        assert!(after.iter().zip(&before).all(|(after, before)| *after == format!("{before}:e9")), "{after:?}");
    }
}
