//! Statements over a pooler in transaction mode, such as PgBouncer with `pool_mode = transaction`: each transaction may be
//! on another connection to the server, so that nothing outlives it. A statement is parsed and planned each time, in one
//! round trip (the extended query protocol without a name: PostgreSQL 17, section 53.2.3), and the settings are set in its
//! transaction.

use std::error::Error;
use std::num::NonZeroU32;
use std::ops::Range;

use diesel::QueryResult;
use diesel::deserialize::FromSqlRow;
use diesel::pg::{Pg, PgMetadataLookup, PgQueryBuilder, PgTypeMetadata, PgValue, TypeOidLookup};
use diesel::query_builder::bind_collector::RawBytesBindCollector;
use diesel::query_builder::{QueryBuilder, QueryFragment};
use diesel::result::Error::{DatabaseError, DeserializationError, SerializationError};
use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind};
use diesel::row::{Field, PartialRow, Row, RowIndex, RowSealed};
use futures_util::TryStreamExt;
use futures_util::future::join3;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::connection::Answer;
use crate::statement::{PreparedStatement, Statement};

/// Beginning of a transaction, with the settings of `connect.rs` that matter to a statement that is planned for its values.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL jit = off;
    SET LOCAL statement_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
";

/// Connection to a pooler.
pub(crate) struct Pooler(Client);

impl Pooler {
    /// Connection over a client, whose messages a task of its own exchanges.
    pub(crate) const fn of(client: Client) -> Self {
        Self(client)
    }

    /// Runs a query alone: many may be under way on this connection at once, so that none may begin a transaction.
    pub(crate) fn ask<T, R>(&self, question: T) -> Answer<'_, Vec<R>>
    where
        T: PreparedStatement + 'static,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        let message = Message::of(&Statement(question));
        Box::pin(async move { built(&self.rows(message?).await?.0) })
    }

    /// Runs a statement in a transaction of its own, and collects its rows.
    pub(crate) fn run<T, R>(&mut self, statement: T) -> Answer<'_, Vec<R>>
    where
        T: PreparedStatement + 'static,
        R: FromSqlRow<T::Columns, Pg> + Send + 'static,
    {
        let message = Message::of(&Statement(statement));
        Box::pin(async move { built(&self.in_transaction(message?).await?.0) })
    }

    /// Runs a statement in a transaction of its own, and returns the number of its rows.
    pub(crate) fn count<T: PreparedStatement>(&mut self, statement: T) -> Answer<'_, usize> {
        let message = Message::of(&Statement(statement));
        Box::pin(async move {
            let (_, count) = self.in_transaction(message?).await?;
            Ok(usize::try_from(count).unwrap_or(usize::MAX))
        })
    }

    /// Waits until what is under way on this connection has ended.
    pub(crate) async fn wait(&mut self) -> QueryResult<()> {
        self.0.batch_execute("SELECT 1").await.map_err(|it| failed(&it))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Runs a query without parameters, and returns a column of its rows as texts, without those that are NULL.
    pub(crate) async fn column(&self, sql: &str, name: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let messages = self.0.simple_query(sql).await?;
        let text = |it| if let SimpleQueryMessage::Row(row) = it { row.get(name).map(str::to_owned) } else { None };
        Ok(messages.into_iter().filter_map(text).collect())
    }

    /// Sends the beginning, the statement and the end of a transaction at once, and waits for the three answers. A caller
    /// that is dropped cannot leave it open: all is sent before the first wait. An end after an error is a rollback.
    async fn in_transaction(&mut self, message: Message) -> QueryResult<(Vec<tokio_postgres::Row>, u64)> {
        // They are polled, and so sent, in this order.
        let (begun, answer, ended) =
            join3(self.0.batch_execute(BEGIN), self.rows(message), self.0.batch_execute("COMMIT")).await;
        begun.map_err(|it| failed(&it))?;
        let answer = answer?;
        ended.map_err(|it| failed(&it))?;
        Ok(answer)
    }

    async fn rows(&self, Message { sql, values }: Message) -> QueryResult<(Vec<tokio_postgres::Row>, u64)> {
        let mut stream = std::pin::pin!(self.0.query_typed_raw(&sql, values).await.map_err(|it| failed(&it))?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await.map_err(|it| failed(&it))? {
            rows.push(row);
        }
        let count = stream.rows_affected().unwrap_or_default();
        Ok((rows, count))
    }
}

/// Statement as it is sent: its text, and its values with their types.
struct Message {
    sql: String,
    values: Vec<(WireValue, Type)>,
}

impl Message {
    fn of<T: PreparedStatement>(statement: &Statement<T>) -> QueryResult<Self> {
        let mut sql = PgQueryBuilder::default();
        statement.to_sql(&mut sql, &Pg)?;
        let mut collected = RawBytesBindCollector::<Pg>::new();
        statement.collect_binds(&mut collected, &mut BuiltIn, &Pg)?;
        let value = |(metadata, value): (PgTypeMetadata, Option<Vec<u8>>)| {
            let oid = metadata.oid().map_err(|error| SerializationError(Box::new(error)))?;
            let of_type = Type::from_oid(oid).ok_or_else(|| SerializationError("the type is not built in".into()))?;
            Ok((WireValue(value), of_type))
        };
        let values = collected.metadata.into_iter().zip(collected.binds).map(value).collect::<QueryResult<_>>()?;
        Ok(Self { sql: sql.finish(), values })
    }
}

/// Lookup of types by their names: no statement has a type that is not built in.
struct BuiltIn;

impl PgMetadataLookup for BuiltIn {
    fn lookup_type(&mut self, name: &str, schema: Option<&str>) -> PgTypeMetadata {
        let _ = (name, schema);
        PgTypeMetadata::new(0, 0)
    }
}

/// Value in the form of the wire, which diesel has made; `None` for NULL.
#[derive(Debug)]
struct WireValue(Option<Vec<u8>>);

impl ToSql for WireValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of_type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(of_type, out)
    }
}

/// Builds the values of rows.
fn built<C, R: FromSqlRow<C, Pg>>(rows: &[tokio_postgres::Row]) -> QueryResult<Vec<R>> {
    let build = |row| R::build_from_row(&WireRow::of(row)).map_err(DeserializationError);
    rows.iter().map(build).collect()
}

/// Row as diesel reads it.
struct WireRow<'r> {
    row: &'r tokio_postgres::Row,
    types: Vec<Oid>,
}

/// Object id of a type; `None` of none, which no column has.
struct Oid(Option<NonZeroU32>);

impl TypeOidLookup for Oid {
    fn lookup(&self) -> NonZeroU32 {
        self.0.unwrap_or(NonZeroU32::MIN)
    }
}

impl<'r> WireRow<'r> {
    fn of(row: &'r tokio_postgres::Row) -> Self {
        let types = row.columns().iter().map(|it| Oid(NonZeroU32::new(it.type_().oid()))).collect();
        Self { row, types }
    }
}

impl RowSealed for WireRow<'_> {}

impl RowIndex<usize> for WireRow<'_> {
    fn idx(&self, index: usize) -> Option<usize> {
        (index < self.types.len()).then_some(index)
    }
}

impl<'n> RowIndex<&'n str> for WireRow<'_> {
    fn idx(&self, name: &'n str) -> Option<usize> {
        self.row.columns().iter().position(|it| it.name() == name)
    }
}

impl<'a> Row<'a, Pg> for WireRow<'_> {
    type Field<'f>
        = WireField<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        self.types.len()
    }

    fn get<'f, I>(&'f self, index: I) -> Option<Self::Field<'f>>
    where
        'a: 'f,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        Some(WireField { row: self.row, index, of_type: self.types.get(index)? })
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self::InnerPartialRow> {
        PartialRow::new(self, range)
    }
}

/// Field of a row.
struct WireField<'f> {
    row: &'f tokio_postgres::Row,
    index: usize,
    of_type: &'f Oid,
}

impl Field<'_, Pg> for WireField<'_> {
    fn field_name(&self) -> Option<&str> {
        self.row.columns().get(self.index).map(tokio_postgres::Column::name)
    }

    fn value(&self) -> Option<PgValue<'_>> {
        let Bytes(bytes) = self.row.try_get(self.index).ok()?;
        bytes.map(|it| PgValue::new(it, self.of_type))
    }
}

/// Bytes of a field in the form of the wire; `None` for NULL.
struct Bytes<'f>(Option<&'f [u8]>);

impl<'f> FromSql<'f> for Bytes<'f> {
    fn from_sql(_: &Type, raw: &'f [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Error of a statement as diesel has it, with the kinds that [`Failure`](crate::failure::Failure) tells apart.
fn failed(error: &tokio_postgres::Error) -> diesel::result::Error {
    let Some(of_server) = error.as_db_error() else {
        let information = Box::new(error.to_string());
        return DatabaseError(DatabaseErrorKind::UnableToSendCommand, information);
    };
    let code = of_server.code();
    let kinds = [
        (SqlState::UNIQUE_VIOLATION, DatabaseErrorKind::UniqueViolation),
        (SqlState::FOREIGN_KEY_VIOLATION, DatabaseErrorKind::ForeignKeyViolation),
        (SqlState::T_R_SERIALIZATION_FAILURE, DatabaseErrorKind::SerializationFailure),
        (SqlState::READ_ONLY_SQL_TRANSACTION, DatabaseErrorKind::ReadOnlyTransaction),
        (SqlState::NOT_NULL_VIOLATION, DatabaseErrorKind::NotNullViolation),
        (SqlState::CHECK_VIOLATION, DatabaseErrorKind::CheckViolation),
    ];
    let kind = kinds.into_iter().find(|(known, _)| known == code).map_or(DatabaseErrorKind::Unknown, |(_, kind)| kind);
    DatabaseError(kind, Box::new(Refusal(of_server.clone())))
}

/// Error of the server.
struct Refusal(DbError);

impl DatabaseErrorInformation for Refusal {
    fn message(&self) -> &str {
        self.0.message()
    }

    fn details(&self) -> Option<&str> {
        self.0.detail()
    }

    fn hint(&self) -> Option<&str> {
        self.0.hint()
    }

    fn table_name(&self) -> Option<&str> {
        self.0.table()
    }

    fn column_name(&self) -> Option<&str> {
        self.0.column()
    }

    fn constraint_name(&self) -> Option<&str> {
        self.0.constraint()
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}
