//! Identity of one database of orders, and the epochs between its restores from a backup.

use std::fmt;

use uuid::Uuid;

/// Id of one database of orders, drawn at random when the database is created. It is in the metadata of each object
/// that the installation creates at Stripe, so that two installations on one Stripe account recognize their own
/// objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallationId(pub Uuid);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Period of an installation between two restores from a backup: the Unix time, in seconds, at which the last restore
/// was recovered (`paywright recover`); 0 before the first.
///
/// A restored database assigns numbers again that Stripe has already seen in idempotency keys. A key therefore ends
/// with the epoch in which its request was decided: the second use of a number is another request at Stripe, and a
/// request from before the backup keeps its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(pub u32);

impl Epoch {
    /// Epoch of an installation that was never restored.
    pub const FIRST: Self = Self(0);

    /// Suffix of the idempotency key of a request that was decided in `epoch`: empty in the first.
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
    use crate::intent::IntentRequest;
    use crate::operation::{Operation, OperationKind};
    use crate::order::CancelReason;
    use crate::order::tests::{at, usd};
    use crate::refund::{Refund, RefundOrigin, RefundStatus};
    use crate::{IntentId, OrderId};

    /// Maximum length of a key at Stripe, in characters ("Idempotent requests").
    const KEY_CHARS_MAX: usize = 255;

    /// Idempotency keys of one order's requests, all with the same epoch and number.
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
            closing: None,
        };
        vec![
            IntentRequest { revision: number, attempt: number, epoch }.idempotency_key(order),
            operation(OperationKind::Cancel { reason: CancelReason::Abandoned }).idempotency_key(order),
            operation(OperationKind::Capture { amount: usd(1) }).idempotency_key(order),
            refund.idempotency_key(order),
        ]
    }

    #[test]
    fn a_key_names_its_order_and_epoch_within_stripes_length_limit() {
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
