//! Mapping of the columns of the stored form to the types of PostgreSQL.

use std::borrow::Cow;

use diesel::data_types::PgTimestamp;
use diesel::deserialize::{self, FromSql};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::rows::{from_pg_micros, to_pg_micros};

/// SQL type of a column.
pub(crate) trait ColumnType {
    /// Value in [`paywright_app::stored`].
    type Stored<'a>;
    /// Value that diesel binds and reads.
    type Bound<'a>;

    /// Converts a value that is written.
    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_>;
    /// Converts a value that was read.
    fn stored(bound: Self::Bound<'static>) -> Self::Stored<'static>;
}

macro_rules! same {
    ($($sql:ty: $value:ty,)*) => {$(
        impl ColumnType for $sql {
            type Stored<'a> = $value;
            type Bound<'a> = $value;

            fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
                stored
            }

            fn stored(bound: Self::Bound<'static>) -> Self::Stored<'static> {
                bound
            }
        }
    )*};
}

same! {
    SqlText: Cow<'a, str>,
    Binary: Cow<'a, [u8]>,
    BigInt: i64,
    Bool: bool,
    SqlUuid: Uuid,
}

impl ColumnType for Timestamptz {
    type Stored<'a> = i64;
    type Bound<'a> = PgTimestamp;

    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
        PgTimestamp(to_pg_micros(stored))
    }

    fn stored(bound: Self::Bound<'static>) -> Self::Stored<'static> {
        from_pg_micros(bound.0)
    }
}

impl<S: ColumnType + diesel::sql_types::SqlType> ColumnType for Nullable<S> {
    type Stored<'a> = Option<S::Stored<'a>>;
    type Bound<'a> = Option<S::Bound<'a>>;

    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
        stored.map(S::bound)
    }

    fn stored(bound: Self::Bound<'static>) -> Self::Stored<'static> {
        bound.map(S::stored)
    }
}

/// Values of a result row, in the order of its columns.
pub(crate) struct Values<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, 'a, R: NamedRow<'a, Pg>> Values<'r, R> {
    /// Values from the first column on.
    pub(crate) const fn of(row: &'r R) -> Self {
        Self { row, next: 0 }
    }

    /// Value of the next column, of the SQL type `S`.
    pub(crate) fn next<S>(&mut self) -> deserialize::Result<S::Stored<'static>>
    where
        S: ColumnType,
        S::Bound<'static>: FromSql<S, Pg>,
    {
        Ok(S::stored(self.value::<S, _>()?))
    }

    /// Rows in the next column, an array of records.
    pub(crate) fn rows<T>(&mut self) -> deserialize::Result<Vec<T::Stored>>
    where
        T: Records,
        Vec<T::Values>: FromSql<Array<T::Columns>, Pg>,
    {
        Ok(self.value::<Array<T::Columns>, Vec<T::Values>>()?.into_iter().map(T::stored).collect())
    }

    fn value<S, T: FromSql<S, Pg>>(&mut self) -> deserialize::Result<T> {
        let value = self.row.get_value(self.next);
        self.next += 1;
        value
    }
}

/// Rows of a table that belong to one order, read as an array of records.
pub(crate) trait Records {
    /// SQL type of a record.
    type Columns: 'static;
    /// Values of a record.
    type Values;
    /// Row in [`paywright_app::stored`].
    type Stored;

    /// Converts a record that was read.
    fn stored(values: Self::Values) -> Self::Stored;
}

/// Defines the columns of a table whose rows belong to an order: a struct with one array for each column, to write
/// rows of the stored form, with its [`parameters!`](crate::statement::parameters), and [`Records`], to read them. Each
/// column has the name of its parameter, its own name and its SQL type, in the order of `order.sql`.
macro_rules! tables {
    ($($(#[$meta:meta])* $arrays:ident of $stored:ident { $($parameter:ident: $column:ident as $sql:ty,)* })*) => {$(
        $(#[$meta])*
        pub(crate) struct $arrays<'a> {
            $($column: Vec<<$sql as $crate::columns::ColumnType>::Bound<'a>>,)*
        }

        impl<'a> $arrays<'a> {
            /// Arrays of these rows.
            pub(crate) fn of(
                rows: impl ExactSizeIterator<Item = Result<$stored<'a>, ColumnError>>,
            ) -> Result<Self, ColumnError> {
                let mut arrays = Self { $($column: Vec::with_capacity(rows.len()),)* };
                for row in rows {
                    let $stored { $($column,)* } = row?;
                    $(arrays.$column.push(<$sql as $crate::columns::ColumnType>::bound($column));)*
                }
                Ok(arrays)
            }
        }

        $crate::statement::parameters!(self: $arrays<'_> {
            $($parameter: diesel::sql_types::Array<$sql> = self.$column,)*
        });

        impl $crate::columns::Records for $arrays<'static> {
            type Columns = diesel::sql_types::Record<($($sql,)*)>;
            type Values = ($(<$sql as $crate::columns::ColumnType>::Bound<'static>,)*);
            type Stored = $stored<'static>;

            fn stored(($($column,)*): Self::Values) -> Self::Stored {
                $stored { $($column: <$sql as $crate::columns::ColumnType>::stored($column),)* }
            }
        }
    )*};
}
pub(crate) use tables;

/// Defines a row of the stored form that a statement returns: a struct with that row, and its columns in their order.
macro_rules! row {
    ($(#[$meta:meta])* $row:ident of $stored:ident { $($column:ident as $sql:ty,)* }) => {
        $(#[$meta])*
        pub(crate) struct $row(pub(crate) $stored<'static>);

        impl diesel::deserialize::QueryableByName<diesel::pg::Pg> for $row {
            fn build<'a>(row: &impl diesel::row::NamedRow<'a, diesel::pg::Pg>) -> diesel::deserialize::Result<Self> {
                let mut values = $crate::columns::Values::of(row);
                Ok(Self($stored { $($column: values.next::<$sql>()?,)* }))
            }
        }
    };
}
pub(crate) use row;
