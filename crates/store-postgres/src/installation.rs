//! Installation id and epoch of the database, and the orders that a restore has lost.

use diesel::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::{Installation, LostOrderDecision};
use paywright_domain::{Epoch, InstallationId};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rows::Column;
use crate::statement::{Binder, PreparedStatement, Text, text};

/// Query for the installation id and the epoch.
#[derive(Clone)]
pub(crate) struct Read;

impl PreparedStatement for Read {
    type Id = Self;
    type Columns = (SqlUuid, BigInt);

    fn text() -> &'static Text {
        text!("SELECT id, epoch FROM installation")
    }

    fn bind<'b>(&'b self, _to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        Ok(())
    }
}

/// Converts the row of [`Read`].
pub(crate) fn restore(row: Option<(Uuid, i64)>) -> Result<Installation, Failure> {
    let column = |name| Column("installation", name);
    let (id, epoch) = column("(row)").found(row)?;
    Ok(Installation { id: InstallationId(id), epoch: Epoch(column("epoch").count(epoch)?) })
}

/// Statement that raises the epoch.
pub(crate) struct BeginEpoch(pub(crate) i64);

impl PreparedStatement for BeginEpoch {
    type Id = Self;
    type Columns = ();

    fn text() -> &'static Text {
        text!("UPDATE installation SET epoch = $1 WHERE epoch < $1")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<BigInt, _>(&self.0)
    }
}

/// Statement that records the id of a lost order.
pub(crate) struct AddLostOrder {
    pub(crate) order: Uuid,
    pub(crate) at: PgTimestamp,
}

impl PreparedStatement for AddLostOrder {
    type Id = Self;
    type Columns = ();

    fn text() -> &'static Text {
        text!(
            "INSERT INTO lost_orders (tail, order_id, found_at) ",
            "VALUES (substring(uuid_send($1) FROM 7), $1, $2) ON CONFLICT DO NOTHING"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.order)?;
        to.value::<Timestamptz, _>(&self.at)
    }
}

/// Query for the lost order whose id has the same tail.
#[derive(Clone)]
pub(crate) struct LostOrder(pub(crate) Uuid);

impl PreparedStatement for LostOrder {
    type Id = Self;
    type Columns = SqlUuid;

    fn text() -> &'static Text {
        text!("SELECT order_id FROM lost_orders WHERE tail = substring(uuid_send($1) FROM 7)")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.0)
    }
}

/// Statement that records the decision on a lost order, unless one was recorded before.
pub(crate) struct DecideOnLostOrder {
    pub(crate) order: Uuid,
    pub(crate) decision: Option<&'static str>,
}

impl PreparedStatement for DecideOnLostOrder {
    type Id = Self;
    type Columns = Nullable<SqlText>;

    fn text() -> &'static Text {
        text!(
            "UPDATE lost_orders SET decision = coalesce(decision, $1::text) WHERE order_id = $2 ",
            "RETURNING decision"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Nullable<SqlText>, _>(&self.decision)?;
        to.value::<SqlUuid, _>(&self.order)
    }
}

/// Converts a stored decision.
pub(crate) fn decision(name: Option<String>) -> Result<Option<LostOrderDecision>, Failure> {
    let column = Column("lost_orders", "decision");
    name.map(|it| column.found(LostOrderDecision::named(&it))).transpose()
}
