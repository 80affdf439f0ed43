//! Our notes in the metadata of Stripe's objects. Stripe takes 50 of them for an object, each of 500 characters at the
//! most ("Metadata").

use std::collections::BTreeMap;

use paywright_app::{NewIntent, ProviderRefund};
use paywright_domain::{CustomerId, Epoch, InstallationId, OrderId, OrderNumber};
use serde_json::Value;
use uuid::Uuid;

use crate::requests::IntentMetadata;

const INSTALLATION: &str = "installation_id";
const ORDER: &str = "order_id";
const ORDER_NUMBER: &str = "order_number";
const REVISION: &str = "revision";
const CUSTOMER: &str = "customer_id";
/// Name of a refund within its order.
const REFUND: &str = "refund_id";
/// Digest of the request that a refund was made for.
const REQUEST: &str = "request_digest";

/// Metadata as Stripe answers.
pub(crate) type Notes = BTreeMap<String, String>;

/// The installation whose objects these are; `None` where it has no name, and every object counts as its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owner(pub(crate) Option<InstallationId>);

impl Owner {
    /// What is told of the owner with a request of this epoch. A request from before there were epochs has to stay the
    /// same to the letter, since its idempotency key may be known to Stripe.
    fn told(self, epoch: Option<Epoch>) -> Option<String> {
        self.0.filter(|_| epoch.is_some()).map(|it| it.to_string())
    }

    /// Name of the other installation that an object is of, by its metadata.
    pub(crate) fn stranger(self, notes: &Notes) -> Option<&str> {
        self.other_than_ours(notes.get(INSTALLATION)?)
    }

    /// As [`Self::stranger`], of an object of any kind that may have metadata: a charge has a copy of its intent's.
    pub(crate) fn stranger_of(self, object: &Value) -> Option<&str> {
        self.other_than_ours(object.get("metadata")?.get(INSTALLATION)?.as_str()?)
    }

    fn other_than_ours(self, named: &str) -> Option<&str> {
        self.0.is_some_and(|ours| ours.to_string() != named).then_some(named)
    }

    /// The order that an object names, if it can be one of this installation's.
    pub(crate) fn order(self, notes: &Notes) -> Option<OrderId> {
        let order = || notes.get(ORDER).and_then(|it| it.parse::<Uuid>().ok()).map(OrderId);
        if self.stranger(notes).is_some() { None } else { order() }
    }

    /// Whether an object names this installation.
    pub(crate) fn is_named(self, notes: &Notes) -> bool {
        self.0.is_some_and(|ours| notes.get(INSTALLATION) == Some(&ours.to_string()))
    }

    /// Notes on an intent.
    pub(crate) fn of_intent(self, new: &NewIntent) -> IntentMetadata {
        IntentMetadata {
            order_id: new.order.to_string(),
            order_number: new.number.to_string(),
            revision: new.revision,
            customer_id: new.customer.as_ref().filter(|_| new.epoch.is_some()).map(|it| it.as_str().to_owned()),
            installation_id: self.told(new.epoch),
        }
    }

    /// Notes on a refund.
    pub(crate) fn of_refund(self, new: &ProviderRefund) -> BTreeMap<String, String> {
        let mut notes = BTreeMap::from([(REFUND.to_owned(), new.name.clone())]);
        if let Some(owner) = self.told(new.epoch) {
            notes.insert(INSTALLATION.to_owned(), owner);
            notes.extend(new.request.map(|it| (REQUEST.to_owned(), it.to_string())));
        }
        notes
    }

    /// Notes on whatever else is made, of a customer or for one.
    pub(crate) fn of_customer(self, customer: Option<&str>) -> BTreeMap<String, String> {
        let customer = customer.map(|it| (CUSTOMER.to_owned(), it.to_owned()));
        let owner = self.0.map(|it| (INSTALLATION.to_owned(), it.to_string()));
        customer.into_iter().chain(owner).collect()
    }
}

/// The order's revision that an intent was made for.
pub(crate) fn revision(notes: &Notes) -> Option<u32> {
    notes.get(REVISION)?.parse().ok()
}

/// Number of the order that an intent was made for.
pub(crate) fn order_number(notes: &Notes) -> Option<OrderNumber> {
    OrderNumber::parse(notes.get(ORDER_NUMBER)?).ok()
}

/// The customer whose order it was.
pub(crate) fn customer(notes: &Notes) -> Option<CustomerId> {
    CustomerId::new(notes.get(CUSTOMER)?).ok()
}

/// Name of a refund within its order.
pub(crate) fn refund_name(notes: &Notes) -> Option<String> {
    notes.get(REFUND).cloned()
}

/// Digest of the request that a refund was made for.
pub(crate) fn refund_request(notes: &Notes) -> Option<Uuid> {
    notes.get(REQUEST)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use paywright_domain::{CustomerId, IntentId, Money};

    use super::*;

    /// Limits of metadata, in keys and characters ("Metadata").
    const LIMITS: (usize, usize, usize) = (50, 40, 500);

    #[test]
    fn the_longest_notes_fit_and_name_the_installation() {
        let owner = Owner(Some(InstallationId(Uuid::max())));
        let order = OrderId(Uuid::max());
        let refund = ProviderRefund {
            intent: IntentId::new("pi_1").unwrap(),
            amount: Money::new(1, paywright_domain::Currency::Usd).unwrap(),
            reason: None,
            name: format!("{order}:{}:e{}", u32::MAX, u32::MAX),
            epoch: Some(Epoch(u32::MAX)),
            request: Some(Uuid::max()),
        };
        let customer = "c".repeat(CustomerId::CHARS_MAX);
        for notes in [owner.of_refund(&refund), owner.of_customer(Some(&customer)), owner.of_customer(None)] {
            assert_eq!(notes.get(INSTALLATION), Some(&Uuid::max().to_string()));
            let longest = |of: fn((&String, &String)) -> usize| notes.iter().map(of).max().unwrap();
            let size = (notes.len(), longest(|it| it.0.chars().count()), longest(|it| it.1.chars().count()));
            assert!(size.0 <= LIMITS.0 && size.1 <= LIMITS.1 && size.2 <= LIMITS.2, "{size:?}");
        }
    }
}
