//! Idempotency keys of callers, and the records of their requests.

use std::borrow::Cow;

use paywright_domain::{OrderId, Timestamp};
use uuid::Uuid;

/// Idempotency key of a caller's request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Id of the application whose key it is: two applications may choose the same text.
    pub scope: Uuid,
    /// Text that the caller chose.
    pub key: String,
}

impl IdempotencyKey {
    /// Digest of scope and text, as a UUID of version 5 (RFC 9562, section 5.5).
    pub fn digest(&self) -> Uuid {
        Uuid::new_v5(&self.scope, self.key.as_bytes())
    }

    /// Id of an order that is placed with this key at `now`: a UUID of version 7 whose random bits are those of the
    /// digest. If a restore loses the order, a repeated request gets an id with the same random bits, by which the lost
    /// order is recognized in Stripe's metadata.
    pub fn order_id(&self, now: Timestamp) -> OrderId {
        /// Bits after the milliseconds, the version among them.
        const TAIL: u128 = (1 << 80) - 1;
        /// Bits of the version, 7, and those that it replaces.
        const VERSION: (u128, u128) = (7 << 76, 15 << 76);
        let millis = u128::try_from(now.unix_micros() / 1000).unwrap_or_default();
        OrderId(Uuid::from_u128((millis << 80) | (self.digest().as_u128() & TAIL & !VERSION.1) | VERSION.0))
    }
}

/// Idempotency record: an earlier request with an idempotency key, and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Key of the request.
    pub key: IdempotencyKey,
    /// Digest of the whole request: a repetition with another digest is refused.
    pub fingerprint: [u8; 32],
    /// Order that the request placed or changed.
    pub order: OrderId,
    /// Outcome of the request.
    pub outcome: IdempotencyOutcome,
    /// Time of the commit.
    pub at: Timestamp,
}

/// Outcome of a request with an idempotency key, by which a repeat is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyOutcome {
    /// The request placed an order.
    Order {
        /// Answer that the caller got, in the words of its dialect, without secrets; never a number alone.
        answer: String,
    },
    /// The request made a refund.
    Refund {
        /// Number of the refund in its order.
        number: u32,
    },
}

impl IdempotencyOutcome {
    /// Text of the outcome in stored rows: the answer, or the number of the refund in decimal digits.
    pub fn stored(&self) -> Cow<'_, str> {
        match self {
            Self::Order { answer } => Cow::Borrowed(answer),
            Self::Refund { number } => Cow::Owned(number.to_string()),
        }
    }

    /// Outcome that has this text in stored rows.
    pub fn restore(stored: String) -> Self {
        match stored.parse::<u32>() {
            Ok(number) if number.to_string() == stored => Self::Refund { number },
            Ok(_) | Err(_) => Self::Order { answer: stored },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_restored_from_the_text_of_its_row() {
        let order = |answer: &str| IdempotencyOutcome::Order { answer: answer.to_owned() };
        for (stored, outcome) in [
            ("1", IdempotencyOutcome::Refund { number: 1 }),
            ("4294967295", IdempotencyOutcome::Refund { number: u32::MAX }),
            ("{\"id\":\"0196\"}", order("{\"id\":\"0196\"}")),
            ("ORD-20250331-1A2B3C", order("ORD-20250331-1A2B3C")),
            ("", order("")),
            ("+1", order("+1")),
            ("01", order("01")),
        ] {
            assert_eq!(IdempotencyOutcome::restore(stored.to_owned()), outcome);
            assert_eq!(outcome.stored(), stored);
        }
    }
}
