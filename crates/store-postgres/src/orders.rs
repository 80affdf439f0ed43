//! Table `orders`: its columns, each listed once, with the statements' parts that write and read them.

use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use paywright_app::Versioned;
use paywright_app::stored::{Column, ColumnError, StoredOrder, StoredParts};
use paywright_domain::Order;

use crate::columns::{ColumnType, Values};
use crate::parts::{Adjustments, Anomalies, Disputes, Intents, Lines, Refunds};
use crate::statement::parameters;

/// Type in which a column is read: a document is read as text.
macro_rules! read_as {
    (jsonb) => {
        "text"
    };
    ($sql:ident) => {
        stringify!($sql)
    };
}

/// Defines the columns of `orders` beside `id` and `version`: those that are set when the order is placed, and those
/// that change. Each has the type of its parameter, which is that of [`StoredOrder`], and its own type in PostgreSQL.
macro_rules! columns {
    (
        placed { $($fixed:ident: $fixed_type:ty as $fixed_sql:ident,)* }
        changed { $($name:ident: $type:ty as $sql:ident,)* }
    ) => {
        /// `{columns}` of `place.sql`.
        pub(crate) const COLUMNS: &str = concat!($(", ", stringify!($fixed),)* $(", ", stringify!($name),)*);
        /// `{values}` of `place.sql`.
        pub(crate) const VALUES: &str = concat!(
            $(", :", stringify!($fixed), "::", stringify!($fixed_sql),)*
            $(", :", stringify!($name), "::", stringify!($sql),)*
        );
        /// `{assignments}` of `change.sql`.
        pub(crate) const ASSIGNMENTS: &str =
            concat!($(", ", stringify!($name), " = :", stringify!($name), "::", stringify!($sql),)*);
        /// `{columns}` of `order.sql`.
        pub(crate) const READ: &str = concat!(
            $(", ", stringify!($fixed), "::", read_as!($fixed_sql),)*
            $(", ", stringify!($name), "::", read_as!($sql),)*
        );

        /// Columns that are set when an order is placed.
        pub(crate) struct PlacedColumns<'a> {
            $($fixed: <$fixed_type as ColumnType>::Bound<'a>,)*
        }

        parameters!(self: PlacedColumns<'_> { $($fixed: $fixed_type = self.$fixed,)* });

        /// Columns that may change.
        pub(crate) struct ChangedColumns<'a> {
            $($name: <$type as ColumnType>::Bound<'a>,)*
        }

        parameters!(self: ChangedColumns<'_> { $($name: $type = self.$name,)* });

        /// Columns of an order, those that change last.
        pub(crate) fn columns_of(order: &Order) -> Result<(PlacedColumns<'_>, ChangedColumns<'_>), ColumnError> {
            let StoredOrder { id: _, $($fixed,)* $($name,)* } = StoredOrder::of(order)?;
            Ok((
                PlacedColumns { $($fixed: <$fixed_type as ColumnType>::bound($fixed),)* },
                ChangedColumns { $($name: <$type as ColumnType>::bound($name),)* },
            ))
        }

        fn read_order<'a, R: NamedRow<'a, Pg>>(values: &mut Values<'_, R>) -> deserialize::Result<StoredOrder<'static>> {
            Ok(StoredOrder {
                id: values.next::<SqlUuid>()?,
                $($fixed: values.next::<$fixed_type>()?,)*
                $($name: values.next::<$type>()?,)*
            })
        }
    };
}

columns! {
    placed {
        number: SqlText as text,
        currency: SqlText as text,
        capture: SqlText as text,
        livemode: Bool as boolean,
        placed_at: Timestamptz as timestamptz,
    }
    changed {
        customer: Nullable<SqlText> as text,
        email: Nullable<SqlText> as text,
        total: BigInt as bigint,
        metadata: SqlText as jsonb,
        revision: BigInt as bigint,
        attempt: BigInt as bigint,
        state: SqlText as text,
        paid_by: Nullable<SqlText> as text,
        cancel_reason: Nullable<SqlText> as text,
        state_at: Nullable<Timestamptz> as timestamptz,
        requested_revision: Nullable<BigInt> as bigint,
        requested_attempt: Nullable<BigInt> as bigint,
        requested_epoch: Nullable<BigInt> as bigint,
        operations: BigInt as bigint,
        operation: Nullable<SqlText> as jsonb,
        updated_at: Timestamptz as timestamptz,
        payer: Nullable<SqlText> as jsonb,
    }
}

/// Row of `order.sql`: an order with all that belongs to it.
pub(crate) struct OrderRow {
    version: i64,
    order: StoredOrder<'static>,
    parts: StoredParts<'static>,
}

impl QueryableByName<Pg> for OrderRow {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let mut values = Values::of(row);
        Ok(Self {
            version: values.next::<BigInt>()?,
            parts: StoredParts {
                epoch: values.next::<BigInt>()?,
                lines: values.rows::<Lines<'static>>()?,
                adjustments: values.rows::<Adjustments<'static>>()?,
                intents: values.rows::<Intents<'static>>()?,
                refunds: values.rows::<Refunds<'static>>()?,
                disputes: values.rows::<Disputes<'static>>()?,
                anomalies: values.rows::<Anomalies<'static>>()?,
            },
            order: read_order(&mut values)?,
        })
    }
}

impl OrderRow {
    pub(crate) fn restore(self) -> Result<Versioned<Order>, ColumnError> {
        let version = Column("orders", "version").version(self.version)?;
        Ok(Versioned { version, value: self.order.restore(self.parts)? })
    }
}
