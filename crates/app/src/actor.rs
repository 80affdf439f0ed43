//! Actors: whoever asks for a change, kept with each fact so that it can be told later.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Caller on whose behalf work is done. It names no customer and holds no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// An application, by its API key.
    ApiKey {
        /// Id of the key.
        key: Uuid,
        /// Name of the key at that time: it stays readable when the key is gone.
        key_name: String,
    },
    /// A person who ran a command.
    Operator {
        /// Name of the operating system's user.
        operator: String,
    },
    /// A customer, by a bearer token that the shop signed.
    Customer,
    /// A shopper with the token of a cart.
    CartToken,
    /// A shopper with the token of an order.
    OrderToken,
    /// Stripe, by one of its events.
    Stripe,
    /// The worker, when a committed task was due or an event was read again.
    Worker,
}

impl Actor {
    /// Name of this kind of actor, as it is stored, logged and told.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "api_key",
            Self::Operator { .. } => "operator",
            Self::Customer => "customer",
            Self::CartToken => "cart_token",
            Self::OrderToken => "order_token",
            Self::Stripe => "stripe",
            Self::Worker => "worker",
        }
    }

    /// Id and name of the API key, if it was one.
    pub fn api_key(&self) -> Option<(Uuid, &str)> {
        match self {
            Self::ApiKey { key, key_name } => Some((*key, key_name)),
            Self::Operator { .. }
            | Self::Customer
            | Self::CartToken
            | Self::OrderToken
            | Self::Stripe
            | Self::Worker => None,
        }
    }

    /// Name of the operator, if it was one.
    pub fn operator(&self) -> Option<&str> {
        match self {
            Self::Operator { operator } => Some(operator),
            Self::ApiKey { .. } | Self::Customer | Self::CartToken | Self::OrderToken | Self::Stripe | Self::Worker => {
                None
            }
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey { key, key_name } => write!(f, "API key {key_name} ({key})"),
            Self::Operator { operator } => write!(f, "operator {operator}"),
            Self::Customer => f.write_str("a customer"),
            Self::CartToken => f.write_str("a shopper with the cart's token"),
            Self::OrderToken => f.write_str("a shopper with the order's token"),
            Self::Stripe => f.write_str("Stripe"),
            Self::Worker => f.write_str("the worker"),
        }
    }
}
