//! Installation: its id, its epoch, and the orders that a restore from a backup has lost.

use async_trait::async_trait;
use paywright_domain::id::{Epoch, InstallationId};
use paywright_domain::{OrderId, Timestamp, variant_names};

use super::store::StoreError;

/// Port to what is known of the installation itself: its id, its epoch, and the orders that a restore from a backup has
/// lost.
///
/// Each call is one transaction.
#[async_trait]
pub trait Installations: Send + Sync {
    /// Reads the id of this installation, and its epoch.
    async fn installation(&self) -> Result<Installation, StoreError>;

    /// Begins an epoch, which orders that are read from then on have. An epoch that is not later than the current one
    /// changes nothing.
    async fn begin_epoch(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Stores the id of an order that a restore from a backup has lost. From then on, a commit conflicts that would
    /// place an order with an idempotency key under an id with the same random bits ([`IdempotencyKey::order_id`](crate::IdempotencyKey::order_id)).
    async fn add_lost_order(&self, order: OrderId, at: Timestamp) -> Result<(), StoreError>;

    /// Finds the lost order whose id equals `like` in all bits after the time.
    async fn lost_order(&self, like: OrderId) -> Result<Option<OrderId>, StoreError>;

    /// Stores the decision on a lost order, unless there is one already, and returns the stored one. `None` if there is
    /// none, or if the order is not stored as lost.
    async fn decide_on_lost_order(
        &self,
        order: OrderId,
        decision: Option<LostOrderDecision>,
    ) -> Result<Option<LostOrderDecision>, StoreError>;
}

/// Id and epoch of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Id of the installation.
    pub id: InstallationId,
    /// Epoch in which requests are decided now.
    pub epoch: Epoch,
}

/// Decision on an order that a restore has lost. The first decision on an order is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostOrderDecision {
    /// Creates the order again, from its PaymentIntent.
    Recreate,
    /// Creates the order again and refunds its payment, or cancels the order where it is not paid.
    Refund,
}

variant_names! {
    /// Name of the decision in stored rows.
    LostOrderDecision {
        Recreate => "recreate",
        Refund => "refund",
    }
}
