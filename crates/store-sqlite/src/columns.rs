//! Mapping of the columns of the stored form to the types of SQLite.

use std::borrow::Cow;

use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SqlType, Text};
use paywright_app::stored::{Column, ColumnError};
use uuid::Uuid;

/// SQL type of a column.
pub(crate) trait ColumnType {
    /// Value in [`paywright_app::stored`].
    type Stored<'a>;
    /// Value that diesel binds and reads.
    type Bound<'a>;

    /// Converts a value that is written.
    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_>;
    /// Converts a value that was read from `column`.
    fn stored(bound: Self::Bound<'_>, column: Column) -> Result<Self::Stored<'_>, ColumnError>;
}

macro_rules! same {
    ($($sql:ty: $value:ty,)*) => {$(
        impl ColumnType for $sql {
            type Stored<'a> = $value;
            type Bound<'a> = $value;

            fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
                stored
            }

            fn stored(bound: Self::Bound<'_>, _: Column) -> Result<Self::Stored<'_>, ColumnError> {
                Ok(bound)
            }
        }
    )*};
}

same! {
    Text: Cow<'a, str>,
    BigInt: i64,
    Bool: bool,
}

impl ColumnType for Binary {
    type Stored<'a> = Uuid;
    type Bound<'a> = Cow<'a, [u8]>;

    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
        Cow::Owned(stored.as_bytes().to_vec())
    }

    fn stored(bound: Self::Bound<'_>, column: Column) -> Result<Self::Stored<'_>, ColumnError> {
        column.read(Uuid::from_slice(&bound))
    }
}

impl<S: ColumnType + SqlType> ColumnType for Nullable<S> {
    type Stored<'a> = Option<S::Stored<'a>>;
    type Bound<'a> = Option<S::Bound<'a>>;

    fn bound(stored: Self::Stored<'_>) -> Self::Bound<'_> {
        stored.map(S::bound)
    }

    fn stored(bound: Self::Bound<'_>, column: Column) -> Result<Self::Stored<'_>, ColumnError> {
        bound.map(|it| S::stored(it, column)).transpose()
    }
}

/// Defines a table of the stored form and its row: `own` has the columns that the stored form lacks, `fixed` names those
/// that an update of the row leaves as they are.
macro_rules! stored_table {
    (
        $(#[$meta:meta])* $row:ident of $stored:ident in $table:ident ($($key:ident),*)
        fixed ($($fixed:ident),*)
        own { $($own:ident: $own_sql:ident,)* }
        columns { $($column:ident: $sql:ident $(<$inner:ident>)?,)* }
    ) => {
        diesel::table! {
            $table ($($key),*) {
                $($own -> $own_sql,)*
                $($column -> $sql $(<$inner>)?,)*
            }
        }

        $(#[$meta])*
        #[derive(diesel::Queryable, diesel::Insertable, diesel::AsChangeset)]
        #[diesel(table_name = $table, primary_key($($fixed),*))]
        #[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
        pub(crate) struct $row<'a> {
            $($own: <diesel::sql_types::$own_sql as $crate::columns::ColumnType>::Bound<'a>,)*
            $($column: <diesel::sql_types::$sql $(<diesel::sql_types::$inner>)? as $crate::columns::ColumnType>::Bound<'a>,)*
        }

        impl<'a> $row<'a> {
            /// Row of the stored form, with the columns that it lacks.
            pub(crate) fn of(
                $($own: <diesel::sql_types::$own_sql as $crate::columns::ColumnType>::Bound<'a>,)*
                stored: $stored<'a>,
            ) -> Self {
                let $stored { $($column,)* } = stored;
                Self {
                    $($own,)*
                    $($column: <diesel::sql_types::$sql $(<diesel::sql_types::$inner>)? as $crate::columns::ColumnType>::bound($column),)*
                }
            }

            /// Stored form of the row.
            pub(crate) fn stored(self) -> Result<$stored<'a>, paywright_app::stored::ColumnError> {
                let column = |name| paywright_app::stored::Column(stringify!($table), name);
                Ok($stored {
                    $($column: <diesel::sql_types::$sql $(<diesel::sql_types::$inner>)? as $crate::columns::ColumnType>::stored(
                        self.$column,
                        column(stringify!($column)),
                    )?,)*
                })
            }
        }
    };
}
pub(crate) use stored_table;
