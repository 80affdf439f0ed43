//! Texts of the hot statements, with names for their parameters. A benchmark runs them by `pgbench`.

use crate::audit_trail::audited;
use crate::orders::{ASSIGNMENTS, COLUMNS, READ, VALUES};
use crate::statement::filled;

/// Text of a statement without the sections of these names, as a value that does not need them is written.
pub fn without(sql: &str, left_out: &[&str]) -> String {
    crate::statement::without(sql, left_out)
}

/// Statement that places an order (`place.sql`), with all of its sections.
pub const PLACE: &str = filled!(include_str!("sql/place.sql"), "{columns}" => COLUMNS, "{values}" => VALUES);

/// Statement that changes an order as most commits do (`change.sql`), with all of its sections.
pub const CHANGE: &str =
    filled!(concat!(include_str!("sql/change.sql"), "SELECT FROM changed"), "{assignments}" => ASSIGNMENTS);

/// Statement that changes an order in any way (`change.sql` and `rest.sql`).
pub(crate) const CHANGE_ALL: &str = filled!(
    concat!(include_str!("sql/change.sql"), include_str!("sql/rest.sql")),
    "{assignments}" => ASSIGNMENTS,
    "{audited}" => audited!("changed")
);

/// Query for orders (`order.sql`), without its condition.
pub const ORDERS: &str = filled!(include_str!("sql/order.sql"), "{columns}" => READ);

/// Query for the sums of the balance transactions of days (`category_sums.sql`).
pub const CATEGORY_SUMS: &str = include_str!("sql/category_sums.sql");
