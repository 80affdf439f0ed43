//! Table `orders`: its columns, each listed once.

use paywright_app::stored::StoredOrder;

use crate::columns::stored_table;

stored_table! {
    /// Row of an order.
    OrderRow of StoredOrder in orders (id)
    fixed (id, number, currency, capture, livemode, placed_at)
    own {
        version: BigInt,
    }
    columns {
        id: Binary,
        number: Text,
        customer: Nullable<Text>,
        email: Nullable<Text>,
        currency: Text,
        total: BigInt,
        capture: Text,
        metadata: Text,
        livemode: Bool,
        revision: BigInt,
        attempt: BigInt,
        state: Text,
        paid_by: Nullable<Text>,
        cancel_reason: Nullable<Text>,
        state_at: Nullable<BigInt>,
        requested_revision: Nullable<BigInt>,
        requested_attempt: Nullable<BigInt>,
        requested_epoch: Nullable<BigInt>,
        operations: BigInt,
        operation: Nullable<Text>,
        payer: Nullable<Text>,
        placed_at: BigInt,
        updated_at: BigInt,
    }
}

impl OrderRow<'_> {
    /// Id of the order as the other tables have it.
    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    /// Version of the order.
    pub(crate) const fn version(&self) -> i64 {
        self.version
    }
}
