//! Ids of orders, customers, objects of Stripe and installations.

mod installation;

pub use self::installation::{Epoch, InstallationId};

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use uuid::Uuid;

use crate::Timestamp;

/// Id of an order: a version 7 UUID (RFC 9562) that the caller draws, so that newer orders sort later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OrderId(pub Uuid);

impl OrderId {
    /// Time at which the id was drawn, to the second; `None` if it is not a version 7 UUID.
    pub fn drawn_at(self) -> Option<Timestamp> {
        if self.0.get_version_num() != 7 {
            return None;
        }
        let seconds = i64::try_from((self.0.as_u128() >> 80) / 1000).ok()?;
        Timestamp::from_unix_seconds(seconds).ok()
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for OrderId {
    type Err = IdError;

    /// Parses a UUID in any of its usual forms.
    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError::NotAUuid)
    }
}

/// Order number for people: `ORD-YYYYMMDD-XXXXXX`, the UTC day on which the order was placed and the last 30 bits of
/// its id in Crockford's base 32 (no I, L, O or U).
///
/// Two orders of one day can have the same number: the store refuses the second, and the caller draws a new id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct OrderNumber(String);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NUMBER_PREFIX: &str = "ORD-";
const NUMBER_LEN: usize = "ORD-YYYYMMDD-XXXXXX".len();

impl OrderNumber {
    /// Makes the number of the order `id` from its id and the day of `placed_at`.
    pub fn of(id: OrderId, placed_at: Timestamp) -> Self {
        let random = id.0.as_u128();
        let suffix: String = (0..6_u32)
            .rev()
            .filter_map(|place| usize::try_from(random >> (5 * place) & 31).ok())
            .filter_map(|digit| CROCKFORD.get(digit).copied().map(char::from))
            .collect();
        Self(format!("{NUMBER_PREFIX}{}-{suffix}", placed_at.date_compact()))
    }

    /// Parses a number as people type it, with letters of either case.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.to_ascii_uppercase();
        let well_formed = text.len() == NUMBER_LEN
            && text.strip_prefix(NUMBER_PREFIX).and_then(|it| it.split_once('-')).is_some_and(|(day, suffix)| {
                day.len() == 8
                    && day.bytes().all(|it| it.is_ascii_digit())
                    && suffix.bytes().all(|it| CROCKFORD.contains(&it))
            });
        if well_formed { Ok(Self(text)) } else { Err(IdError::NotAnOrderNumber) }
    }

    /// Whether `text` begins with `ORD-` in either case. An order number of another system may do so too.
    pub fn is_like(text: &str) -> bool {
        text.get(..NUMBER_PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(NUMBER_PREFIX))
    }

    /// The number as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OrderNumber {
    type Err = IdError;

    /// Parses a number as [`Self::parse`] does.
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for OrderNumber {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<OrderNumber> for String {
    fn from(number: OrderNumber) -> Self {
        number.0
    }
}

/// Why an id is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is not a UUID.
    #[error("must be a UUID like 0195ead7-9d10-7000-8000-000000000009")]
    NotAUuid,
    /// The text is not of the form `ORD-YYYYMMDD-XXXXXX`.
    #[error("must be an order number like ORD-20250331-5XZF0A")]
    NotAnOrderNumber,
    /// The id is empty, too long or has a character other than those allowed.
    #[error("must be 1 to {max} letters, digits or any of `_-.:@|`")]
    NotAnId {
        /// Maximum number of characters.
        max: usize,
    },
    /// The text is not `pi_` followed by letters, digits or underscores, or is longer than 255 characters.
    #[error("must be a PaymentIntent id like pi_3R8f5yQ9LjHruSyq1ofjdVY5")]
    NotAnIntentId,
}

/// Id of a customer in the shop's system, e.g. the `sub` of the shop's tokens. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CustomerId(String);

impl CustomerId {
    /// Maximum number of characters of a customer id.
    pub const CHARS_MAX: usize = 255;

    /// Checks an id of 1 to [`Self::CHARS_MAX`] letters, digits or any of `_-.:@|`.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        check_shop_id(text.into(), Self::CHARS_MAX).map(Self)
    }

    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Implements `FromStr` for ids that are made of a text.
macro_rules! parsed_as_new {
    ($($Id:ident),+) => {$(
        impl FromStr for $Id {
            type Err = IdError;

            /// Checks an id as [`Self::new`] does.
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    )+};
}

parsed_as_new!(
    CustomerId,
    IntentId,
    RefundId,
    ChargeId,
    DisputeId,
    ProviderCustomerId,
    BalanceTransactionId,
    PayoutId,
    PaymentMethodId
);

/// Checks an id of the shop's system: 1 to `max` letters, digits or any of `_-.:@|`.
pub(crate) fn check_shop_id(text: String, max: usize) -> Result<String, IdError> {
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"_-.:@|".contains(&it);
    if (1..=max).contains(&text.len()) && text.bytes().all(is_allowed) {
        Ok(text)
    } else {
        Err(IdError::NotAnId { max })
    }
}

/// Stripe's id of a PaymentIntent, like `pi_3R8f5yQ9LjHruSyq1ofjdVY5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntentId(String);

impl IntentId {
    const LEN_MAX: usize = 255;

    /// Checks an id of `pi_` followed by letters, digits or underscores, at most 255 characters in all.
    pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let fits = text.len() <= Self::LEN_MAX
            && text.strip_prefix("pi_").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
            });
        if fits { Ok(Self(text)) } else { Err(IdError::NotAnIntentId) }
    }

    /// The id as a string, as Stripe writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Defines ids of Stripe objects whose prefix is not checked. An adapter must check one before it is put into a path.
macro_rules! stripe_ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(String);

        impl $name {
            const LEN_MAX: usize = 255;

            /// Checks an id of 1 to 255 letters, digits or underscores.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let fits = (1..=Self::LEN_MAX).contains(&text.len())
                    && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
                if fits { Ok(Self(text)) } else { Err(IdError::NotAnId { max: Self::LEN_MAX }) }
            }

            /// The id as a string, as Stripe writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

stripe_ids! {
    /// Stripe's id of a Refund, like `re_3R8f5yQ9LjHruSyq1Kq2Xw3Z`.
    RefundId,
    /// Stripe's id of a Charge, like `ch_3R8f5yQ9LjHruSyq1Yd0Lw2P`; of a bank debit, like `py_3R8f5yQ9LjHruSyq1ZkT7aVb`.
    ChargeId,
    /// Stripe's id of a Dispute, like `du_1R8f5yQ9LjHruSyq`.
    DisputeId,
    /// Stripe's id of a Customer, like `cus_Q9uqUz6gVQFku2`.
    ProviderCustomerId,
    /// Stripe's id of a balance transaction, like `txn_3R8f5yQ9LjHruSyq1VbT0aKd`.
    BalanceTransactionId,
    /// Stripe's id of a Payout, like `po_1R9aQzQ9LjHruSyqW2mXc7Tf`.
    PayoutId,
    /// Stripe's id of a PaymentMethod, like `pm_1Qedd42ESifGlJez0IOx5AZ3`.
    PaymentMethodId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_has_the_day_and_the_last_thirty_bits_of_the_id() {
        let placed_at = Timestamp::from_unix_seconds(1_743_415_050).unwrap();
        for (random, number) in [
            (0, "ORD-20250331-000000"),
            (31, "ORD-20250331-00000Z"),
            (0x3fff_ffff, "ORD-20250331-ZZZZZZ"),
            (u128::MAX, "ORD-20250331-ZZZZZZ"),
            (32, "ORD-20250331-000010"),
        ] {
            let made = OrderNumber::of(OrderId(Uuid::from_u128(random)), placed_at);
            assert_eq!(made.as_str(), number);
            assert_eq!(OrderNumber::parse(&number.to_lowercase()), Ok(made));
        }
        for bad in ["", "ORD-20250331-00000", "ORD-20250331-00000U", "ORD-2025033a-000000", "ord_20250331_000000"] {
            assert_eq!(OrderNumber::parse(bad), Err(IdError::NotAnOrderNumber), "{bad}");
        }
    }

    #[test]
    fn an_order_id_has_the_time_at_which_it_was_drawn() {
        for (id, drawn_at) in [
            (0x0195_ec4a_58b4_7000_8000_0000_0000_0009, Some(1_743_426_050)),
            (0x0000_0000_03e7_7fff_8000_0000_0000_0000, Some(0)),
            (0x0195_ec4a_58b4_4000_8000_0000_0000_0009, None),
            (u128::MAX, None),
        ] {
            let drawn = OrderId(Uuid::from_u128(id)).drawn_at();
            assert_eq!(drawn.map(Timestamp::unix_seconds), drawn_at, "{id:x}");
        }
    }

    #[test]
    fn an_order_number_of_another_system_is_recognized_by_its_prefix() {
        for text in ["ORD-20250331-5XZF", "ord-1", "ORD-", "ORD-ä"] {
            assert!(OrderNumber::is_like(text) && OrderNumber::parse(text).is_err(), "{text}");
        }
        for text in ["", "ORD", "ORDER-1", "R123456789", "äöü-1"] {
            assert!(!OrderNumber::is_like(text), "{text}");
        }
    }

    #[test]
    fn an_intent_id_has_no_character_with_a_meaning_in_a_path() {
        for bad in ["", "pi_", "ch_1", "pi_1/refunds", "pi_1?x=1", "pi_..", "pi_ä"] {
            assert!(IntentId::new(bad).is_err(), "{bad}");
        }
        assert!(IntentId::new("pi_3R8f5yQ9LjHruSyq1ofjdVY5").is_ok());
    }

    #[test]
    fn a_refund_or_dispute_id_outside_of_its_limits_is_refused() {
        assert!(RefundId::new("pyr_1").is_ok() && DisputeId::new("du_1").is_ok());
        for bad in [String::new(), "re_1/x".into(), "re 1".into(), "x".repeat(256)] {
            assert!(RefundId::new(bad.clone()).is_err() && DisputeId::new(bad.clone()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_customer_id_outside_of_its_limits_is_refused() {
        assert!(CustomerId::new("auth0|5f7c").is_ok());
        for bad in [String::new(), "a b".into(), "a\n".into(), "x".repeat(CustomerId::CHARS_MAX + 1)] {
            assert!(CustomerId::new(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
