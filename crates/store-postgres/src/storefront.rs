//! Carts, the price list, and the ids of customers at Stripe.

use std::collections::BTreeMap;

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text as SqlText, Timestamptz, Untyped, Uuid as SqlUuid};
use paywright_app::stored::{ColumnError, StoredCart, StoredVariant};
use paywright_app::{CartRef, Carts, PriceList, StoreError, Version, Versioned};
use paywright_domain::id::{CustomerId, ProviderCustomerId};
use paywright_domain::storefront::{Cart, CartId, Terms, Variant, VariantId};
use paywright_domain::{Currency, Timestamp};
use uuid::Uuid;

use crate::PostgresStore;
use crate::columns::{row, tables};
use crate::failure::Failure;
use crate::rows::{Column, pg_time, to_json, to_pg_micros};
use crate::statement::statement;

row! {
    /// Row of a variant.
    VariantRow of StoredVariant {
        id as SqlText,
        sku as Nullable<SqlText>,
        name as SqlText,
        description as SqlText,
        prices as SqlText,
        active as Bool,
    }
}

fn variants_of(rows: Result<Vec<VariantRow>, Failure>) -> Result<Vec<Variant>, StoreError> {
    rows.and_then(|rows| rows.into_iter().map(|VariantRow(it)| Ok(it.restore()?)).collect()).map_err(Failure::of_read)
}

struct VariantsOf(Vec<String>);

statement!(VariantsOf => Untyped,
    "SELECT id, sku, name, description, prices::text, active FROM variants WHERE id = ANY (:ids)",
    self {
        ids: Array<SqlText> = self.0,
    }
);

struct VariantsAfter {
    after: String,
    limit: i64,
}

// Ordered by code points, so that pages do not depend on the database's locale.
statement!(VariantsAfter => Untyped,
    concat!(
        "SELECT id, sku, name, description, prices::text, active FROM variants ",
        "WHERE id > :after COLLATE \"C\" ORDER BY id COLLATE \"C\" LIMIT :limit",
    ),
    self {
        after: SqlText = self.after,
        limit: BigInt = self.limit,
    }
);

tables! {
    /// Variants, as one array for each column.
    Variants of StoredVariant {
        ids: id as SqlText,
        skus: sku as Nullable<SqlText>,
        names: name as SqlText,
        descriptions: description as SqlText,
        prices: prices as SqlText,
        active: active as Bool,
    }
}

/// Statement that stores variants.
struct PutVariants<'a>(Variants<'a>);

impl<'a> PutVariants<'a> {
    /// Removes duplicates, because a statement can write a row only once: of two with one id the later is kept.
    fn of(variants: &'a [Variant]) -> Result<Self, ColumnError> {
        let last: BTreeMap<_, _> = variants.iter().map(|it| (&it.id, it)).collect();
        Ok(Self(Variants::of(last.into_values().map(StoredVariant::of))?))
    }
}

statement!(PutVariants<'_> => (),
    concat!(
        "INSERT INTO variants (id, sku, name, description, prices, active) ",
        "SELECT id, sku, name, description, prices::jsonb, active ",
        "FROM unnest(:ids::text[], :skus::text[], :names::text[], :descriptions::text[], :prices::text[], ",
        ":active::boolean[]) AS it (id, sku, name, description, prices, active) ",
        "ON CONFLICT (id) DO UPDATE SET sku = excluded.sku, name = excluded.name, ",
        "description = excluded.description, prices = excluded.prices, active = excluded.active",
    ),
    self {
        ..Variants = self.0,
    }
);

struct RemoveVariant(String);

statement!(RemoveVariant => (), "DELETE FROM variants WHERE id = :id", self {
    id: SqlText = self.0,
});

#[derive(Clone)]
struct SalesTerms;

statement!(SalesTerms => SqlText, "SELECT payload::text FROM sales_terms", self {});

struct PutTerms(String);

statement!(PutTerms => (),
    concat!(
        "INSERT INTO sales_terms (only_one, payload) VALUES (true, :terms::jsonb) ",
        "ON CONFLICT (only_one) DO UPDATE SET payload = excluded.payload",
    ),
    self {
        terms: SqlText = self.0,
    }
);

type CartColumns = (BigInt, SqlText);

#[derive(Clone)]
struct CartById(Uuid);

statement!(CartById => CartColumns, "SELECT version, payload::text FROM carts WHERE id = :id", self {
    id: SqlUuid = self.0,
});

#[derive(Clone)]
struct CartByOrder(Uuid);

statement!(CartByOrder => CartColumns, "SELECT version, payload::text FROM carts WHERE order_id = :order_id", self {
    order_id: SqlUuid = self.0,
});

#[derive(Clone)]
struct OpenCart {
    customer: String,
    currency: &'static str,
}

statement!(OpenCart => CartColumns,
    concat!(
        "SELECT version, payload::text FROM carts WHERE customer = :customer AND currency = :currency AND is_open ",
        "ORDER BY id DESC LIMIT 1",
    ),
    self {
        customer: SqlText = self.customer,
        currency: SqlText = self.currency,
    }
);

struct LeftCarts {
    after: Uuid,
    before: PgTimestamp,
    limit: i64,
}

impl LeftCarts {
    fn of(after: Option<CartId>, before: Timestamp, limit: u16) -> Self {
        Self { after: after.map_or(Uuid::nil(), |it| it.0), before: pg_time(before), limit: i64::from(limit) }
    }
}

fn carts_of(rows: Result<Vec<(i64, String)>, Failure>) -> Result<Vec<Versioned<Cart>>, StoreError> {
    rows.and_then(|rows| rows.into_iter().map(cart).collect()).map_err(Failure::of_read)
}

statement!(LeftCarts => CartColumns,
    concat!(
        "SELECT version, payload::text FROM carts WHERE is_open AND id > :after AND updated_at < :before ",
        "ORDER BY id LIMIT :limit",
    ),
    self {
        after: SqlUuid = self.after,
        before: Timestamptz = self.before,
        limit: BigInt = self.limit,
    }
);

struct EmptyGuestCarts(LeftCarts);

statement!(EmptyGuestCarts => CartColumns,
    concat!(
        "SELECT version, payload::text FROM carts WHERE is_open AND customer IS NULL ",
        "AND payload -> 'lines' = '[]'::jsonb AND id > :after AND updated_at < :before ORDER BY id LIMIT :limit",
    ),
    self {
        ..LeftCarts = self.0,
    }
);

struct RemoveCart {
    id: Uuid,
    expected: i64,
}

statement!(RemoveCart => (), "DELETE FROM carts WHERE id = :id AND version = :expected_version", self {
    id: SqlUuid = self.id,
    expected_version: BigInt = self.expected,
});

fn cart((version, payload): (i64, String)) -> Result<Versioned<Cart>, Failure> {
    Ok(StoredCart::restore(version, &payload)?)
}

fn cart_of(row: Result<Option<(i64, String)>, Failure>) -> Result<Option<Versioned<Cart>>, StoreError> {
    row.and_then(|it| it.map(cart).transpose()).map_err(Failure::of_read)
}

/// Statement that writes a cart: one row, or none if another version is stored.
struct CommitCart<'a> {
    expected: i64,
    cart: StoredCart<'a>,
    updated_at: PgTimestamp,
}

statement!(CommitCart<'_> => (),
    concat!(
        "INSERT INTO carts AS stored (id, version, customer, currency, order_id, is_open, payload, updated_at) ",
        "SELECT :id::uuid, :expected_version::bigint + 1, :customer::text, :currency::text, :order_id::uuid, ",
        ":is_open::boolean, :payload::jsonb, :updated_at::timestamptz ",
        "WHERE :expected_version = 0 OR EXISTS (SELECT FROM carts WHERE id = :id) ",
        "ON CONFLICT (id) DO UPDATE SET version = excluded.version, customer = excluded.customer, ",
        "currency = excluded.currency, order_id = excluded.order_id, is_open = excluded.is_open, ",
        "payload = excluded.payload, updated_at = excluded.updated_at WHERE stored.version = :expected_version",
    ),
    self {
        id: SqlUuid = self.cart.id,
        expected_version: BigInt = self.expected,
        customer: Nullable<SqlText> = self.cart.customer,
        currency: SqlText = self.cart.currency,
        order_id: SqlUuid = self.cart.order_id,
        is_open: Bool = self.cart.is_open,
        payload: SqlText = self.cart.payload,
        updated_at: Timestamptz = self.updated_at,
    }
);

#[derive(Clone)]
struct ProviderCustomerOf {
    livemode: bool,
    customer: String,
}

statement!(ProviderCustomerOf => SqlText,
    "SELECT provider_id FROM provider_customers WHERE livemode = :livemode AND customer = :customer",
    self {
        livemode: Bool = self.livemode,
        customer: SqlText = self.customer,
    }
);

struct KeepProviderCustomer<'a> {
    livemode: bool,
    customer: &'a str,
    id: &'a str,
}

statement!(KeepProviderCustomer<'_> => (),
    concat!(
        "INSERT INTO provider_customers (livemode, customer, provider_id) VALUES (:livemode, :customer, :provider_id) ",
        "ON CONFLICT DO NOTHING",
    ),
    self {
        livemode: Bool = self.livemode,
        customer: SqlText = self.customer,
        provider_id: SqlText = self.id,
    }
);

#[async_trait]
impl PriceList for PostgresStore {
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError> {
        variants_of(self.rows(VariantsOf(ids.iter().map(ToString::to_string).collect())).await)
    }

    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        variants_of(self.rows(VariantsAfter { after, limit: i64::from(limit) }).await)
    }

    async fn put_variants(&self, variants: &[Variant]) -> Result<(), StoreError> {
        let put = PutVariants::of(variants).map_err(|it| Failure::from(it).of_write())?;
        self.write(put).await.map(drop).map_err(Failure::of_write)
    }

    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError> {
        self.wrote(RemoveVariant(id.to_string())).await
    }

    async fn terms(&self) -> Result<Terms, StoreError> {
        let payload: Result<Option<String>, Failure> = self.row(SalesTerms).await;
        let terms = payload.and_then(|it| it.map(|it| Column("sales_terms", "payload").json(&it)).transpose());
        terms.map(Option::unwrap_or_default).map_err(Failure::of_read)
    }

    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError> {
        let payload = to_json(terms).map_err(Failure::of_write)?;
        self.write(PutTerms(payload)).await.map(drop).map_err(Failure::of_write)
    }
}

#[async_trait]
impl Carts for PostgresStore {
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError> {
        cart_of(match which {
            CartRef::Id(id) => self.row(CartById(id.0)).await,
            CartRef::Order(order) => self.row(CartByOrder(order.0)).await,
        })
    }

    async fn open_cart(
        &self,
        customer: &CustomerId,
        currency: Currency,
    ) -> Result<Option<Versioned<Cart>>, StoreError> {
        let question = OpenCart { customer: customer.as_str().to_owned(), currency: currency.code() };
        cart_of(self.row(question).await)
    }

    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError> {
        let cart = StoredCart::of(cart).map_err(|it| Failure::from(it).of_write())?;
        let updated_at = PgTimestamp(to_pg_micros(cart.updated_at));
        let commit = CommitCart { expected: i64::from(expected.0), cart, updated_at };
        if self.wrote(commit).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        carts_of(self.rows(LeftCarts::of(after, before, limit)).await)
    }

    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        carts_of(self.rows(EmptyGuestCarts(LeftCarts::of(after, before, limit))).await)
    }

    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError> {
        let remove = RemoveCart { id: id.0, expected: i64::from(expected.0) };
        if self.wrote(remove).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError> {
        let question = ProviderCustomerOf { livemode, customer: customer.as_str().to_owned() };
        let found: Result<Option<String>, Failure> = self.row(question).await;
        let column = Column("provider_customers", "provider_id");
        found.and_then(|it| column.read(it.map(ProviderCustomerId::new).transpose())).map_err(Failure::of_read)
    }

    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError> {
        let keep = KeepProviderCustomer { livemode, customer: customer.as_str(), id: id.as_str() };
        self.write(keep).await.map_err(Failure::of_write)?;
        self.provider_customer(customer, livemode).await?.ok_or(StoreError::Conflict)
    }
}
