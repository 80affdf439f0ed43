//! Installation id and epoch of the database, and the orders that a restore has lost.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{Installation, LostOrderDecision};
use paywright_domain::id::{Epoch, InstallationId};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::Column;
use crate::statement::statement;

/// Query for the installation id and the epoch.
#[derive(Clone)]
pub(crate) struct Read;

statement!(Read => (SqlUuid, BigInt), "SELECT id, epoch FROM installation", self {});

/// Converts the row of [`Read`].
pub(crate) fn restore(row: Option<(Uuid, i64)>) -> Result<Installation, Failure> {
    let column = |name| Column("installation", name);
    let (id, epoch) = column("(row)").found(row)?;
    Ok(Installation { id: InstallationId(id), epoch: Epoch(column("epoch").count(epoch)?) })
}

/// Statement that raises the epoch.
pub(crate) struct BeginEpoch(pub(crate) i64);

statement!(BeginEpoch => (), "UPDATE installation SET epoch = :epoch WHERE epoch < :epoch", self {
    epoch: BigInt = self.0,
});

/// Statement that records the id of a lost order.
pub(crate) struct AddLostOrder {
    pub(crate) order: Uuid,
    pub(crate) at: PgTimestamp,
}

statement!(AddLostOrder => (),
    concat!(
        "INSERT INTO lost_orders (tail, order_id, found_at) ",
        "VALUES (substring(uuid_send(:order_id) FROM 7), :order_id, :at) ON CONFLICT DO NOTHING",
    ),
    self {
        order_id: SqlUuid = self.order,
        at: Timestamptz = self.at,
    }
);

/// Query for the lost order whose id has the same tail.
#[derive(Clone)]
pub(crate) struct LostOrder(pub(crate) Uuid);

statement!(LostOrder => SqlUuid,
    "SELECT order_id FROM lost_orders WHERE tail = substring(uuid_send(:order_id) FROM 7)",
    self {
        order_id: SqlUuid = self.0,
    }
);

/// Statement that records the decision on a lost order, unless one was recorded before.
pub(crate) struct DecideOnLostOrder {
    pub(crate) order: Uuid,
    pub(crate) decision: Option<&'static str>,
}

statement!(DecideOnLostOrder => Nullable<SqlText>,
    concat!(
        "UPDATE lost_orders SET decision = coalesce(decision, :decision::text) WHERE order_id = :order_id ",
        "RETURNING decision",
    ),
    self {
        decision: Nullable<SqlText> = self.decision,
        order_id: SqlUuid = self.order,
    }
);

/// Converts a stored decision.
pub(crate) fn decision(name: Option<String>) -> Result<Option<LostOrderDecision>, Failure> {
    let column = Column("lost_orders", "decision");
    name.map(|it| column.found(LostOrderDecision::named(&it))).transpose()
}
