//! Carts, the price list, and the ids of customers at Stripe.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use paywright_app::stored::{StoredCart, StoredVariant};
use paywright_app::{CartRef, Carts, PriceList, StoreError, Version, Versioned};
use paywright_domain::id::{CustomerId, ProviderCustomerId};
use paywright_domain::storefront::{Cart, CartId, Terms, Variant, VariantId};
use paywright_domain::{Currency, Timestamp};
use uuid::Uuid;

use crate::SqliteStore;
use crate::columns::stored_table;
use crate::failure::Failure;
use crate::rows::{Column, to_json};
use crate::schema::{carts, provider_customers, sales_terms};

stored_table! {
    /// Row of a variant.
    VariantRow of StoredVariant in variants (id)
    fixed (id)
    own {}
    columns {
        id: Text,
        sku: Nullable<Text>,
        name: Text,
        description: Text,
        prices: Text,
        active: Bool,
    }
}

fn variant(row: VariantRow<'_>) -> Result<Variant, Failure> {
    Ok(row.stored()?.restore()?)
}

fn cart((version, payload): (i64, String)) -> Result<Versioned<Cart>, Failure> {
    Ok(StoredCart::restore(version, &payload)?)
}

#[async_trait]
impl PriceList for SqliteStore {
    async fn variants(&self, ids: &[VariantId]) -> Result<Vec<Variant>, StoreError> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        self.read(move |db| {
            let rows: Vec<VariantRow<'_>> = variants::table.filter(variants::id.eq_any(ids)).load(db)?;
            rows.into_iter().map(variant).collect()
        })
        .await
    }

    async fn variants_after(&self, after: Option<&VariantId>, limit: u16) -> Result<Vec<Variant>, StoreError> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.read_many(move |db| {
            let page = variants::table.filter(variants::id.gt(after)).order(variants::id).limit(i64::from(limit));
            page.load(db)?.into_iter().map(variant).collect()
        })
        .await
    }

    async fn put_variants(&self, new: &[Variant]) -> Result<(), StoreError> {
        let new = new.to_vec();
        self.writer
            .run(move |db| {
                for variant in &new {
                    let row = VariantRow::of(StoredVariant::of(variant)?);
                    diesel::insert_into(variants::table)
                        .values(&row)
                        .on_conflict(variants::id)
                        .do_update()
                        .set(&row)
                        .execute(db)?;
                }
                Ok(())
            })
            .await
    }

    async fn remove_variant(&self, id: &VariantId) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.writer.run(move |db| Ok(diesel::delete(variants::table.find(id)).execute(db)? > 0)).await
    }

    async fn terms(&self) -> Result<Terms, StoreError> {
        self.read(|db| {
            let payload: Option<String> = sales_terms::table.select(sales_terms::payload).first(db).optional()?;
            Ok(payload.map(|it| Column("sales_terms", "payload").json(&it)).transpose()?.unwrap_or_default())
        })
        .await
    }

    async fn put_terms(&self, terms: &Terms) -> Result<(), StoreError> {
        let payload = to_json(terms)?;
        self.writer
            .run(move |db| {
                let row = (sales_terms::only_one.eq(true), sales_terms::payload.eq(payload));
                diesel::replace_into(sales_terms::table).values(row).execute(db)?;
                Ok(())
            })
            .await
    }
}

type CartsQuery =
    carts::BoxedQuery<'static, diesel::sqlite::Sqlite, (diesel::sql_types::BigInt, diesel::sql_types::Text)>;

/// Reads open carts that were last changed before `before`, ordered by id, after the id `after`.
fn unchanged_carts(after: Option<CartId>, before: Timestamp, limit: u16) -> CartsQuery {
    let after = after.map_or(Uuid::nil(), |it| it.0).as_bytes().to_vec();
    carts::table
        .select((carts::version, carts::payload))
        .filter(carts::is_open)
        .filter(carts::id.gt(after))
        .filter(carts::updated_at.lt(before.unix_micros()))
        .order(carts::id)
        .limit(i64::from(limit))
        .into_boxed()
}

#[async_trait]
impl Carts for SqliteStore {
    async fn cart(&self, which: CartRef) -> Result<Option<Versioned<Cart>>, StoreError> {
        self.read(move |db| {
            let columns = carts::table.select((carts::version, carts::payload));
            let row = match which {
                CartRef::Id(id) => columns.find(id.0.as_bytes().as_slice()).first(db).optional()?,
                CartRef::Order(order) => {
                    columns.filter(carts::order_id.eq(order.0.as_bytes().as_slice())).first(db).optional()?
                }
            };
            row.map(cart).transpose()
        })
        .await
    }

    async fn open_cart(
        &self,
        customer: &CustomerId,
        currency: Currency,
    ) -> Result<Option<Versioned<Cart>>, StoreError> {
        let customer = customer.as_str().to_owned();
        self.read(move |db| {
            let open = carts::table
                .filter(carts::customer.eq(customer))
                .filter(carts::currency.eq(currency.code()))
                .filter(carts::is_open)
                .order(carts::id.desc())
                .select((carts::version, carts::payload));
            open.first(db).optional()?.map(cart).transpose()
        })
        .await
    }

    async fn commit_cart(&self, expected: Version, cart: &Cart) -> Result<(), StoreError> {
        let cart = cart.clone();
        self.writer
            .run(move |db| {
                let StoredCart { id, customer, currency, order_id, is_open, payload, updated_at } =
                    StoredCart::of(&cart)?;
                let row = (
                    carts::version.eq(i64::from(expected.next().0)),
                    carts::customer.eq(customer),
                    carts::currency.eq(currency),
                    carts::order_id.eq(order_id.as_bytes().as_slice()),
                    carts::is_open.eq(is_open),
                    carts::payload.eq(payload),
                    carts::updated_at.eq(updated_at),
                );
                let id = id.as_bytes().as_slice();
                let written = if expected == Version::NEW {
                    diesel::insert_into(carts::table).values((carts::id.eq(id), row)).execute(db)?
                } else {
                    let of_version = carts::table.find(id).filter(carts::version.eq(i64::from(expected.0)));
                    diesel::update(of_version).set(row).execute(db)?
                };
                if written == 0 { Err(Failure::StaleVersion) } else { Ok(()) }
            })
            .await
    }

    async fn left_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.read_many(move |db| unchanged_carts(after, before, limit).load(db)?.into_iter().map(cart).collect()).await
    }

    async fn empty_guest_carts(
        &self,
        after: Option<CartId>,
        before: Timestamp,
        limit: u16,
    ) -> Result<Vec<Versioned<Cart>>, StoreError> {
        self.read_many(move |db| {
            let empty = unchanged_carts(after, before, limit)
                .filter(carts::customer.is_null())
                // Written exactly as in the partial index, so that SQLite uses it.
                .filter(sql::<Bool>("json_array_length(payload, '$.lines') = 0"));
            empty.load(db)?.into_iter().map(cart).collect()
        })
        .await
    }

    async fn remove_cart(&self, expected: Version, id: CartId) -> Result<(), StoreError> {
        self.writer
            .run(move |db| {
                let of_version =
                    carts::table.find(id.0.as_bytes().as_slice()).filter(carts::version.eq(i64::from(expected.0)));
                if diesel::delete(of_version).execute(db)? == 0 { Err(Failure::StaleVersion) } else { Ok(()) }
            })
            .await
    }

    async fn provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
    ) -> Result<Option<ProviderCustomerId>, StoreError> {
        let customer = customer.as_str().to_owned();
        self.read(move |db| {
            let found: Option<String> = provider_customers::table
                .find((livemode, customer))
                .select(provider_customers::provider_id)
                .first(db)
                .optional()?;
            Column("provider_customers", "provider_id").read(found.map(ProviderCustomerId::new).transpose())
        })
        .await
    }

    async fn keep_provider_customer(
        &self,
        customer: &CustomerId,
        livemode: bool,
        id: &ProviderCustomerId,
    ) -> Result<ProviderCustomerId, StoreError> {
        let (customer, id) = (customer.as_str().to_owned(), id.as_str().to_owned());
        self.writer
            .run(move |db| {
                use provider_customers as table;
                let row = (table::livemode.eq(livemode), table::customer.eq(&customer), table::provider_id.eq(&id));
                diesel::insert_into(table::table).values(row).on_conflict_do_nothing().execute(db)?;
                let kept: String = table::table.find((livemode, &customer)).select(table::provider_id).first(db)?;
                Column("provider_customers", "provider_id").read(ProviderCustomerId::new(kept))
            })
            .await
    }
}
