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
    limit: i64,
}

impl Orders {
    pub(crate) fn of(query: &OrderQuery) -> Self {
        Self { older_than: query.older_than.map_or(Uuid::max(), |it| it.0), limit: i64::from(query.limit) }
    }
}

statement!(Orders => Untyped,
    orders!("WHERE id < :older_than ORDER BY id DESC LIMIT :limit"),
    self {
        older_than: SqlUuid = self.older_than,
        limit: BigInt = self.limit,
    }
);

/// Query for a page of a customer's orders, newest first.
pub(crate) struct OrdersOfCustomer {
    pub(crate) customer: String,
    pub(crate) page: Orders,
}

statement!(OrdersOfCustomer => Untyped,
    orders!(
        "WHERE customer = :customer AND id < :older_than ORDER BY id DESC LIMIT :limit",
    ),
    self {
        customer: SqlText = self.customer,
        ..Orders = self.page,
    }
);

/// Conditions of a page that few lists have: in a statement of their own, so that the others stay as they are.
pub(crate) struct Conditions {
    state: Option<&'static str>,
    currency: Option<&'static str>,
    placed: [PgTimestamp; 2],
    page: Orders,
}

impl Conditions {
    /// Conditions of a query, if it has any.
    pub(crate) fn of(query: &OrderQuery) -> Option<Self> {
        let has_any = query.state.is_some() || query.currency.is_some() || !query.placed.is_unbounded();
        has_any.then(|| Self::all_of(query))
    }

    pub(crate) fn all_of(query: &OrderQuery) -> Self {
        let currency = query.currency.map(Currency::code);
        Self { state: query.state, currency, placed: bounds(query.placed), page: Orders::of(query) }
    }
}

parameters!(self: Conditions {
    state: Nullable<SqlText> = self.state,
    currency: Nullable<SqlText> = self.currency,
    placed_from: Timestamptz = self.placed[0],
    placed_until: Timestamptz = self.placed[1],
    ..Orders = self.page,
});

/// End of a query with [`Conditions`], which an index by id sorts.
macro_rules! conditions {
    () => {
        "id < :older_than AND (:state::text IS NULL OR state = :state) \
         AND (:currency::text IS NULL OR currency = :currency) \
         AND placed_at >= :placed_from AND placed_at < :placed_until ORDER BY id DESC LIMIT :limit"
    };
}

/// Query for a page of the orders that fulfil conditions, newest first.
pub(crate) struct OrdersWith(pub(crate) Conditions);

statement!(OrdersWith => Untyped, orders!("WHERE ", conditions!()), self {
    ..Conditions = self.0,
});

/// Query for a page of a customer's orders that fulfil conditions, newest first.
pub(crate) struct OrdersOfCustomerWith {
    pub(crate) customer: String,
    pub(crate) conditions: Conditions,
}

statement!(OrdersOfCustomerWith => Untyped,
    orders!("WHERE customer = :customer AND ", conditions!()),
    self {
        customer: SqlText = self.customer,
        ..Conditions = self.conditions,
    }
);

/// Query for a page of the orders with an email address, and of a customer if that is given, newest first.
pub(crate) struct OrdersOfEmail {
    pub(crate) email: String,
    pub(crate) customer: Option<String>,
    pub(crate) conditions: Conditions,
}

statement!(OrdersOfEmail => Untyped,
    orders!(
        "WHERE email IS NOT NULL AND lower(email COLLATE \"C\") = lower(:email::text COLLATE \"C\") \
         AND (:customer::text IS NULL OR customer = :customer) AND ",
        conditions!()
    ),
    self {
        email: SqlText = self.email,
        customer: Nullable<SqlText> = self.customer,
        ..Conditions = self.conditions,
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
    use crate::connect::SESSION;
    use crate::plans::prepare;
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

    /// Arguments of a page, without conditions and with them.
    const PAGE: &str = "'ffffffff-ffff-ffff-ffff-ffffffffffff', 25";
    const CONDITIONS: &str = "NULL, NULL, '1970-01-01', '9999-12-31', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 25";

    #[tokio::test]
    async fn a_list_of_orders_is_read_by_an_index() {
        let migrate = async |url: &str| assert!(PostgresStore::migrate(url, None).await.unwrap() > 0);
        let database = Database::migrated(migrate).await;
        let db = database.client().await;
        db.batch_execute(SESSION).await.unwrap();
        // A table without rows is sorted as soon as it is read otherwise.
        db.batch_execute("SET enable_sort = off; SET enable_bitmapscan = off").await.unwrap();
        prepare::<Orders>(&db, "newest").await;
        prepare::<OrdersOfCustomer>(&db, "of_customer").await;
        prepare::<OrdersWith>(&db, "limited").await;
        prepare::<OrdersOfCustomerWith>(&db, "of_customer_with").await;
        prepare::<OrdersOfEmail>(&db, "of_email").await;
        for (execute, index) in [
            (format!("newest ({PAGE})"), "orders_pkey"),
            (format!("of_customer ('ada', {PAGE})"), "orders_of_a_customer"),
            (format!("limited ({CONDITIONS})"), "orders_pkey"),
            (format!("of_customer_with ('ada', {CONDITIONS})"), "orders_of_a_customer"),
            (format!("of_email ('ada@example.com', NULL, {CONDITIONS})"), "orders_of_an_email"),
        ] {
            let rows = db.query(&format!("EXPLAIN EXECUTE {execute}"), &[]).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|it| it.get(0)).collect();
            assert!(plan.iter().any(|it| it.contains(index)), "{execute}: {plan:#?}");
            let sorts = |it: &&String| it.contains("Seq Scan on orders") || it.contains("Sort Key: orders.id");
            assert_eq!(plan.iter().find(sorts), None, "{execute}: {plan:#?}");
        }
    }
}
