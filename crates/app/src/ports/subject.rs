use paywright_domain::OrderId;
use paywright_domain::id::InstallationId;
use uuid::Uuid;

/// Subject of a feed event: its order, or the object of the account that it is about. Events of one subject are delivered
/// in their order, and each endpoint has a queue of each subject.
///
/// Ids of orders are UUIDs of version 7, and those of objects are of version 5: none is taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub Uuid);

impl SubjectId {
    /// Version of the UUID of an object (RFC 9562, section 5.5).
    const OBJECT_VERSION: usize = 5;

    /// Subject of the events about an object of the account of `installation`. `object` is a class and an id, such as
    /// `payout:po_1OaFDbEcg9tTZuTgNYmX0PKB`.
    pub fn of_object(installation: InstallationId, object: &str) -> Self {
        Self(Uuid::new_v5(&installation.0, object.as_bytes()))
    }

    /// Order, if the subject is one.
    pub fn order(self) -> Option<OrderId> {
        (self.0.get_version_num() != Self::OBJECT_VERSION).then_some(OrderId(self.0))
    }
}

impl From<OrderId> for SubjectId {
    fn from(order: OrderId) -> Self {
        Self(order.0)
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::Timestamp;

    use super::*;
    use crate::IdempotencyKey;

    #[test]
    fn an_object_is_not_taken_for_an_order() {
        let installation = InstallationId(Uuid::from_u128(1));
        let payout = SubjectId::of_object(installation, "payout:po_1");
        assert_eq!(payout.order(), None);
        assert_eq!(SubjectId::of_object(installation, "payout:po_1"), payout);
        for other in [
            SubjectId::of_object(installation, "payout:po_2"),
            SubjectId::of_object(InstallationId(Uuid::from_u128(2)), "payout:po_1"),
        ] {
            assert_ne!(other, payout);
        }
        let key = IdempotencyKey { scope: Uuid::from_u128(9), key: "payout:po_1".to_owned() };
        let order = key.order_id(Timestamp::from_unix_seconds(1_743_415_050).unwrap());
        assert_eq!(SubjectId::from(order).order(), Some(order));
    }
}
