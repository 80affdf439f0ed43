//! Actors: the callers and programs that cause changes. The actor of a change is stored with each of its facts.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Actor: who caused a change. It contains no customer id and no token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// An application with an API key.
    ApiKey {
        /// Id of the API key.
        key: Uuid,
        /// Name of the API key at the time of the change, stored so that it can be read after the key is deleted.
        key_name: String,
    },
    /// A person who ran a command of the program.
    Operator {
        /// Name of the user of the operating system.
        operator: String,
    },
    /// A customer with a bearer token that the shop signed.
    Customer,
    /// A shopper with the token of a cart.
    CartToken,
    /// A shopper with the token of an order.
    OrderToken,
    /// Stripe, through one of its events.
    Stripe,
    /// The worker, which performed a task or processed a parked event.
    Worker,
}

impl Actor {
    /// Name of the kind of actor in stored rows, logs and answers.
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

    /// Id and name of the API key, if the actor is an application.
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

    /// User name, if the actor is an operator.
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
