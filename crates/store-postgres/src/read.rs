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

/// A page of the orders that a customer has completed. Its ids are found first: what belongs to an order is read of
/// those on the page alone.
pub(crate) struct CompletedOrders<const OLDEST_FIRST: bool> {
    pub(crate) customer: String,
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

impl<const OLDEST_FIRST: bool> PreparedStatement for CompletedOrders<OLDEST_FIRST> {
    type Id = Self;
    type Columns = OrderColumns;

    fn text() -> &'static Text {
        if OLDEST_FIRST {
            text!(
                include_str!("sql/order.sql"),
                "WHERE id = ANY (ARRAY(SELECT id\n",
                include_str!("sql/completed_orders.sql"),
                "ORDER BY id OFFSET $2 LIMIT $3)) ORDER BY id"
            )
        } else {
            text!(
                include_str!("sql/order.sql"),
                "WHERE id = ANY (ARRAY(SELECT id\n",
                include_str!("sql/completed_orders.sql"),
                "ORDER BY id DESC OFFSET $2 LIMIT $3)) ORDER BY id DESC"
            )
        }
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.customer)?;
        to.value::<BigInt, _>(&self.offset)?;
        to.value::<BigInt, _>(&self.limit)
    }
}

#[derive(Clone)]
pub(crate) struct CountCompletedOrders(pub(crate) String);

impl PreparedStatement for CountCompletedOrders {
    type Id = Self;
    type Columns = BigInt;

    fn text() -> &'static Text {
        text!("SELECT count(*)\n", include_str!("sql/completed_orders.sql"))
    }

    fn bind<'b>(&'b self, to: &mut Binder<'_, '_, 'b>) -> QueryResult<()> {
        to.value::<SqlText, _>(&self.0)
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

#[cfg(test)]
mod tests {
    use paywright_testkit::postgres::Database;

    use super::*;
    use crate::PostgresStore;

    /// Plans of [`crate::connect`]'s session settings.
    #[tokio::test]
    async fn completed_orders_are_found_by_indexes() {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        let client = database.client().await;
        client.batch_execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off").await.unwrap();
        for (name, text, arguments) in [
            ("newest", CompletedOrders::<false>::text(), "('ada', 0, 25)"),
            ("oldest", CompletedOrders::<true>::text(), "('ada', 0, 25)"),
            ("count", CountCompletedOrders::text(), "('ada')"),
        ] {
            client.batch_execute(&format!("PREPARE {name} AS {}", text.whole())).await.unwrap();
            let rows = client.query(&format!("EXPLAIN EXECUTE {name} {arguments}"), &[]).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|it| it.get(0)).collect();
            assert!(plan.iter().any(|it| it.contains("orders_of_a_customer")), "{plan:#?}");
            // The table of the installation has one row.
            let scanned = plan.iter().find(|it| it.contains("Seq Scan") && !it.contains("Seq Scan on installation"));
            assert_eq!(scanned, None, "{plan:#?}");
        }
    }
}
