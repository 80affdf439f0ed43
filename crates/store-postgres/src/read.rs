//! Read queries, each one statement. A query owns its parameters, because diesel would otherwise tie their lifetimes to
//! those of the rows.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text as SqlText, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::rows::OrderColumns;
use crate::statement::{Binder, PreparedStatement, Text, text};

#[derive(Clone)]
pub(crate) struct OrderById(pub(crate) Uuid);

impl PreparedStatement for OrderById {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/order.sql"), "WHERE id = $1")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.0)
    }
}

#[derive(Clone)]
pub(crate) struct OrderByNumber(pub(crate) String);

impl PreparedStatement for OrderByNumber {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/order.sql"), "WHERE number = $1")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.0)
    }
}

#[derive(Clone)]
pub(crate) struct OrderByIntent(pub(crate) String);

impl PreparedStatement for OrderByIntent {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/order.sql"), "WHERE id = (SELECT order_id FROM payment_intents WHERE provider_id = $1)")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.0)
    }
}

/// Query for a page of all orders, newest first.
pub(crate) struct Orders {
    pub(crate) older_than: Uuid,
    pub(crate) limit: i64,
}

impl PreparedStatement for Orders {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/order.sql"), "WHERE id < $1 ORDER BY id DESC LIMIT $2")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.older_than)?;
        to.value::<BigInt, _>(&self.limit)
    }
}

/// Query for a page of a customer's orders, newest first.
pub(crate) struct OrdersOfCustomer {
    pub(crate) customer: String,
    pub(crate) page: Orders,
}

impl PreparedStatement for OrdersOfCustomer {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        text!(include_str!("sql/order.sql"), "WHERE customer = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.customer)?;
        self.page.bind(to)
    }
}

pub(crate) struct Facts(pub(crate) Uuid);

impl PreparedStatement for Facts {
    type Id = Self;
    type Columns = (BigInt, SqlText, Timestamptz, Nullable<SqlText>);

    fn text() -> &'static Text {
        text!(
            "SELECT version, payload::text, at, cause::text FROM facts WHERE order_id = $1 ORDER BY version, position"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.0)
    }
}

pub(crate) struct Tasks(pub(crate) Uuid);

impl PreparedStatement for Tasks {
    type Id = Self;
    type Columns = (SqlText, Timestamptz, BigInt, Nullable<Timestamptz>, Nullable<SqlText>);

    fn text() -> &'static Text {
        text!(
            "SELECT payload::text, due_at, taken::bigint, leased_until, error FROM tasks WHERE order_id = $1 ",
            "ORDER BY due_at, key"
        )
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.0)
    }
}

/// Query for those of the given event ids that are stored.
pub(crate) struct KnownEvents(pub(crate) Vec<String>);

impl PreparedStatement for KnownEvents {
    type Id = Self;
    type Columns = SqlText;

    fn text() -> &'static Text {
        text!("SELECT event_id FROM webhook_inbox WHERE event_id = ANY ($1)")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Array<SqlText>, _>(&self.0)
    }
}

#[derive(Clone)]
pub(crate) struct IdempotencyRecordOf {
    pub(crate) scope: Uuid,
    pub(crate) key: String,
}

impl PreparedStatement for IdempotencyRecordOf {
    type Id = Self;
    type Columns = (Binary, SqlUuid, SqlText, Timestamptz);

    fn text() -> &'static Text {
        text!("SELECT fingerprint, order_id, answer, at FROM idempotency_records WHERE scope = $1 AND key = $2")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlUuid, _>(&self.scope)?;
        to.value::<SqlText, _>(&self.key)
    }
}

type ApiKeyColumns = (SqlUuid, SqlText, Binary, SqlText, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>);

#[derive(Clone)]
pub(crate) struct ApiKeyOf(pub(crate) Vec<u8>);

impl PreparedStatement for ApiKeyOf {
    type Id = Self;
    type Columns = ApiKeyColumns;

    fn text() -> &'static Text {
        text!("SELECT id, name, digest, scopes, created_at, expires_at, revoked_at FROM api_keys WHERE digest = $1")
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<Binary, _>(&self.0)
    }
}

pub(crate) struct ApiKeys;

impl PreparedStatement for ApiKeys {
    type Id = Self;
    type Columns = ApiKeyColumns;

    fn text() -> &'static Text {
        text!(
            "SELECT id, name, digest, scopes, created_at, expires_at, revoked_at FROM api_keys ",
            "ORDER BY created_at DESC, id DESC"
        )
    }

    fn bind<'b>(&'b self, _to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        Ok(())
    }
}
