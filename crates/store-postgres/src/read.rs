//! Read queries, each one statement. A query owns its parameters, because diesel would otherwise tie their lifetimes to
//! those of the rows.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Nullable, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::OrderQuery;
use paywright_domain::Currency;
use uuid::Uuid;

use crate::orders::READ;
use crate::search::bounds;
use crate::statement::{filled, parameters, statement};

/// Text of `order.sql` with its condition.
macro_rules! orders {
    ($($condition:tt)*) => {
        filled!(concat!(include_str!("sql/order.sql"), $($condition)*), "{columns}" => READ)
    };
}

#[derive(Clone)]
pub(crate) struct OrderById(pub(crate) Uuid);

statement!(OrderById => Untyped, orders!("WHERE id = :order_id"), self {
    order_id: SqlUuid = self.0,
});

#[derive(Clone)]
pub(crate) struct OrderByNumber(pub(crate) String);

statement!(OrderByNumber => Untyped, orders!("WHERE number = :number"), self {
    number: SqlText = self.0,
});

#[derive(Clone)]
pub(crate) struct OrderByIntent(pub(crate) String);

statement!(OrderByIntent => Untyped,
    orders!(
        "WHERE id = (SELECT order_id FROM payment_intents WHERE provider_id = :intent)",
    ),
    self {
        intent: SqlText = self.0,
    }
);

/// Query for a page of all orders, newest first.
pub(crate) struct Orders {
    older_than: Uuid,
    state: Option<&'static str>,
    currency: Option<&'static str>,
    placed: [PgTimestamp; 2],
    limit: i64,
}

impl Orders {
    pub(crate) fn of(query: &OrderQuery) -> Self {
        Self {
            older_than: query.older_than.map_or(Uuid::max(), |it| it.0),
            state: query.state,
            currency: query.currency.map(Currency::code),
            placed: bounds(query.placed),
            limit: i64::from(query.limit),
        }
    }
}

/// End of a query for a page, which an index by id sorts.
macro_rules! page {
    () => {
        "id < :older_than AND (:state::text IS NULL OR state = :state) \
         AND (:currency::text IS NULL OR currency = :currency) \
         AND placed_at >= :placed_from AND placed_at < :placed_until ORDER BY id DESC LIMIT :limit"
    };
}

statement!(Orders => Untyped,
    orders!("WHERE ", page!()),
    self {
        older_than: SqlUuid = self.older_than,
        state: Nullable<SqlText> = self.state,
        currency: Nullable<SqlText> = self.currency,
        placed_from: Timestamptz = self.placed[0],
        placed_until: Timestamptz = self.placed[1],
        limit: BigInt = self.limit,
    }
);

/// Query for a page of a customer's orders, newest first.
pub(crate) struct OrdersOfCustomer {
    pub(crate) customer: String,
    pub(crate) page: Orders,
}

statement!(OrdersOfCustomer => Untyped,
    orders!("WHERE customer = :customer AND ", page!()),
    self {
        customer: SqlText = self.customer,
        ..Orders = self.page,
    }
);

/// Query for a page of the orders with an email address, and of a customer if that is given, newest first.
pub(crate) struct OrdersOfEmail {
    pub(crate) email: String,
    pub(crate) customer: Option<String>,
    pub(crate) page: Orders,
}

statement!(OrdersOfEmail => Untyped,
    orders!("WHERE email = :email AND (:customer::text IS NULL OR customer = :customer) AND ", page!()),
    self {
        email: SqlText = self.email,
        customer: Nullable<SqlText> = self.customer,
        ..Orders = self.page,
    }
);

/// Page of the orders that a customer has completed.
pub(crate) struct CompletedPage {
    pub(crate) customer: String,
    pub(crate) offset: i64,
    pub(crate) limit: i64,
}

parameters!(self: CompletedPage {
    customer: SqlText = self.customer,
    offset: BigInt = self.offset,
    limit: BigInt = self.limit,
});

/// Query for a page of a customer's completed orders, newest first. Its ids are found first: what belongs to an order is
/// read of those on the page alone.
pub(crate) struct NewestCompletedOrders(pub(crate) CompletedPage);

statement!(NewestCompletedOrders => Untyped,
    orders!(
        "WHERE id = ANY (ARRAY(SELECT id\n",
        include_str!("sql/completed_orders.sql"),
        "ORDER BY id DESC OFFSET :offset LIMIT :limit)) ORDER BY id DESC",
    ),
    self {
        ..CompletedPage = self.0,
    }
);

/// The same query, oldest first.
pub(crate) struct OldestCompletedOrders(pub(crate) CompletedPage);

statement!(OldestCompletedOrders => Untyped,
    orders!(
        "WHERE id = ANY (ARRAY(SELECT id\n",
        include_str!("sql/completed_orders.sql"),
        "ORDER BY id OFFSET :offset LIMIT :limit)) ORDER BY id",
    ),
    self {
        ..CompletedPage = self.0,
    }
);

#[derive(Clone)]
pub(crate) struct CountCompletedOrders(pub(crate) String);

statement!(CountCompletedOrders => BigInt,
    concat!("SELECT count(*)\n", include_str!("sql/completed_orders.sql")),
    self {
        customer: SqlText = self.0,
    }
);

pub(crate) struct Facts(pub(crate) Uuid);

statement!(Facts => Untyped,
    concat!(
        "SELECT version, kind, payload::text, at, cause::text FROM facts WHERE order_id = :order_id ",
        "ORDER BY version, position",
    ),
    self {
        order_id: SqlUuid = self.0,
    }
);

pub(crate) struct Tasks(pub(crate) Uuid);

statement!(Tasks => Untyped,
    concat!(
        "SELECT payload::text, due_at, taken::bigint, leased_until, error FROM tasks WHERE order_id = :order_id ",
        "ORDER BY due_at, key",
    ),
    self {
        order_id: SqlUuid = self.0,
    }
);

/// Query for those of the given event ids that are stored.
pub(crate) struct KnownEvents(pub(crate) Vec<String>);

statement!(KnownEvents => SqlText, "SELECT event_id FROM webhook_inbox WHERE event_id = ANY (:ids)", self {
    ids: Array<SqlText> = self.0,
});

#[derive(Clone)]
pub(crate) struct IdempotencyRecordOf {
    pub(crate) scope: Uuid,
    pub(crate) key: String,
}

statement!(IdempotencyRecordOf => Untyped,
    concat!(
        "SELECT scope, key, fingerprint, order_id, answer, at FROM idempotency_records ",
        "WHERE scope = :scope AND key = :key",
    ),
    self {
        scope: SqlUuid = self.scope,
        key: SqlText = self.key,
    }
);

#[cfg(test)]
mod tests {
    use paywright_testkit::postgres::Database;

    use super::*;
    use crate::PostgresStore;
    use crate::statement::PreparedStatement;

    /// Plans of [`crate::connect`]'s session settings.
    #[tokio::test]
    async fn completed_orders_are_found_by_indexes() {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        let client = database.client().await;
        client.batch_execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off").await.unwrap();
        for (name, text, arguments) in [
            ("newest", NewestCompletedOrders::text(), "('ada', 0, 25)"),
            ("oldest", OldestCompletedOrders::text(), "('ada', 0, 25)"),
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
