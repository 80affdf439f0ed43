//! Keys that Paywright writes to and reads from the metadata of Stripe objects. Stripe allows 50 keys per object, and
//! values of at most 500 characters ("Metadata").

use std::collections::BTreeMap;

use paywright_app::{NewIntent, ProviderRefund};
use paywright_domain::OrderId;
use paywright_domain::id::{CustomerId, Epoch, InstallationId, OrderNumber};
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
/// Digest of the request for which a refund was created.
const REQUEST: &str = "request_digest";

/// Metadata of a Stripe object.
pub(crate) type Metadata = BTreeMap<String, String>;

/// Installation that this client acts for. `None` if the installation has no id: then every object counts as its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owner(pub(crate) Option<InstallationId>);

impl Owner {
    /// Installation id to send with a request decided in `epoch`. A request stored before epochs existed must not
    /// change by a letter, because Stripe may already know its idempotency key.
    fn id_for(self, epoch: Option<Epoch>) -> Option<String> {
        self.0.filter(|_| epoch.is_some()).map(|it| it.to_string())
    }

    /// Id of the other installation that an object's metadata names, if it names another one.
    pub(crate) fn other_installation(self, metadata: &Metadata) -> Option<&str> {
        self.unless_ours(metadata.get(INSTALLATION)?)
    }

    /// As [`Self::other_installation`], for the JSON of any object: a charge has a copy of its intent's metadata.
    pub(crate) fn other_installation_of(self, object: &Value) -> Option<&str> {
        self.unless_ours(object.get("metadata")?.get(INSTALLATION)?.as_str()?)
    }

    fn unless_ours(self, named: &str) -> Option<&str> {
        self.0.is_some_and(|ours| ours.to_string() != named).then_some(named)
    }

    /// Id of the order that an object's metadata names; `None` if the object is of another installation.
    pub(crate) fn order(self, metadata: &Metadata) -> Option<OrderId> {
        let order = || metadata.get(ORDER).and_then(|it| it.parse::<Uuid>().ok()).map(OrderId);
        if self.other_installation(metadata).is_some() { None } else { order() }
    }

    /// Whether an object's metadata names this installation.
    pub(crate) fn is_named(self, metadata: &Metadata) -> bool {
        self.0.is_some_and(|ours| metadata.get(INSTALLATION) == Some(&ours.to_string()))
    }

    /// Metadata of a PaymentIntent.
    pub(crate) fn of_intent(self, new: &NewIntent) -> IntentMetadata {
        IntentMetadata {
            order_id: new.order.to_string(),
            order_number: new.number.to_string(),
            revision: new.revision,
            customer_id: new.customer.as_ref().filter(|_| new.epoch.is_some()).map(|it| it.as_str().to_owned()),
            installation_id: self.id_for(new.epoch),
        }
    }

    /// Metadata of a Refund.
    pub(crate) fn of_refund(self, new: &ProviderRefund) -> Metadata {
        let mut metadata = Metadata::from([(REFUND.to_owned(), new.name.clone())]);
        if let Some(installation) = self.id_for(new.epoch) {
            metadata.insert(INSTALLATION.to_owned(), installation);
            metadata.extend(new.request.map(|it| (REQUEST.to_owned(), it.to_string())));
        }
        metadata
    }

    /// Metadata of a Customer (with the shop's customer id) or of a SetupIntent (without).
    pub(crate) fn of_customer(self, customer: Option<&str>) -> Metadata {
        let customer = customer.map(|it| (CUSTOMER.to_owned(), it.to_owned()));
        let owner = self.0.map(|it| (INSTALLATION.to_owned(), it.to_string()));
        customer.into_iter().chain(owner).collect()
    }
}

/// Revision of the order for which a PaymentIntent was created.
pub(crate) fn revision(metadata: &Metadata) -> Option<u32> {
    metadata.get(REVISION)?.parse().ok()
}

/// Number of the order for which a PaymentIntent was created.
pub(crate) fn order_number(metadata: &Metadata) -> Option<OrderNumber> {
    OrderNumber::parse(metadata.get(ORDER_NUMBER)?).ok()
}

/// Shop's customer id of the order for which a PaymentIntent was created.
pub(crate) fn customer(metadata: &Metadata) -> Option<CustomerId> {
    CustomerId::new(metadata.get(CUSTOMER)?).ok()
}

/// Name of a refund within its order.
pub(crate) fn refund_name(metadata: &Metadata) -> Option<String> {
    metadata.get(REFUND).cloned()
}

/// Digest of the request for which a refund was created.
pub(crate) fn refund_request(metadata: &Metadata) -> Option<Uuid> {
    metadata.get(REQUEST)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use paywright_domain::id::CustomerId;
    use paywright_domain::{IntentId, Money};

    use super::*;

    /// Stripe's limits: keys per object, characters per key, characters per value ("Metadata").
    const LIMITS: (usize, usize, usize) = (50, 40, 500);

    #[test]
    fn the_longest_metadata_fits_stripes_limits_and_names_the_installation() {
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
        for metadata in [owner.of_refund(&refund), owner.of_customer(Some(&customer)), owner.of_customer(None)] {
            assert_eq!(metadata.get(INSTALLATION), Some(&Uuid::max().to_string()));
            let longest = |of: fn((&String, &String)) -> usize| metadata.iter().map(of).max().unwrap();
            let size = (metadata.len(), longest(|it| it.0.chars().count()), longest(|it| it.1.chars().count()));
            assert!(size.0 <= LIMITS.0 && size.1 <= LIMITS.1 && size.2 <= LIMITS.2, "{size:?}");
        }
    }
}
