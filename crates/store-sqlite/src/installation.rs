//! Installation id and epoch of the file, and the orders that a restore has lost.

use diesel::prelude::*;
use paywright_app::{Installation, LostOrderDecision};
use paywright_domain::id::{Epoch, InstallationId};
use paywright_domain::{OrderId, Timestamp};

use crate::failure::Failure;
use crate::rows::Column;
use crate::schema::{installation, lost_orders};

/// Number of bytes of the time in an order's id; the bytes after it are its tail.
const TIME_BYTES: usize = 6;

pub(crate) fn read(db: &mut SqliteConnection) -> Result<Installation, Failure> {
    let (id, epoch): (Vec<u8>, i64) = installation::table.select((installation::id, installation::epoch)).first(db)?;
    let column = |name| Column("installation", name);
    Ok(Installation { id: InstallationId(column("id").uuid(&id)?), epoch: Epoch(column("epoch").count(epoch)?) })
}

/// Reads the epoch alone, for loading an order.
pub(crate) fn epoch(db: &mut SqliteConnection) -> Result<Epoch, Failure> {
    let epoch: i64 = installation::table.select(installation::epoch).first(db)?;
    Ok(Epoch(Column("installation", "epoch").count(epoch)?))
}

pub(crate) fn begin_epoch(db: &mut SqliteConnection, epoch: Epoch) -> Result<(), Failure> {
    let epoch = i64::from(epoch.0);
    let earlier = installation::table.filter(installation::epoch.lt(epoch));
    diesel::update(earlier).set(installation::epoch.eq(epoch)).execute(db)?;
    Ok(())
}

pub(crate) fn add_lost_order(db: &mut SqliteConnection, order: OrderId, at: Timestamp) -> Result<(), Failure> {
    let row = (
        lost_orders::tail.eq(tail(&order)),
        lost_orders::order_id.eq(order.0.as_bytes().as_slice()),
        lost_orders::found_at.eq(at.unix_micros()),
    );
    diesel::insert_into(lost_orders::table).values(row).on_conflict_do_nothing().execute(db)?;
    Ok(())
}

pub(crate) fn lost_order(db: &mut SqliteConnection, like: OrderId) -> Result<Option<OrderId>, Failure> {
    let found: Option<Vec<u8>> =
        lost_orders::table.find(tail(&like)).select(lost_orders::order_id).first(db).optional()?;
    found.map(|it| Ok(OrderId(Column("lost_orders", "order_id").uuid(&it)?))).transpose()
}

pub(crate) fn decide_on_lost_order(
    db: &mut SqliteConnection,
    order: OrderId,
    decision: Option<LostOrderDecision>,
) -> Result<Option<LostOrderDecision>, Failure> {
    let own = lost_orders::table.filter(lost_orders::order_id.eq(order.0.as_bytes().as_slice()));
    if let Some(decision) = decision {
        diesel::update(own.filter(lost_orders::decision.is_null()))
            .set(lost_orders::decision.eq(decision.name()))
            .execute(db)?;
    }
    let decided: Option<Option<String>> = own.select(lost_orders::decision).first(db).optional()?;
    let column = Column("lost_orders", "decision");
    decided.flatten().map(|it| column.found(LostOrderDecision::named(&it))).transpose()
}

fn tail(order: &OrderId) -> &[u8] {
    order.0.as_bytes().get(TIME_BYTES..).unwrap_or_default()
}
