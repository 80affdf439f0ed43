use std::borrow::Cow;

use paywright_domain::storefront::{Cart, Variant, VariantId};
use paywright_domain::text::Text;
use uuid::Uuid;

use super::{Column, ColumnError, text};
use crate::Versioned;

/// Row of the table `carts`, without the version. A cart is its payload; the other columns are what it is found by.
#[expect(missing_docs, reason = "each field is the column of its name, and `Cart` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCart<'a> {
    pub id: Uuid,
    pub customer: Option<Cow<'a, str>>,
    pub currency: Cow<'a, str>,
    pub order_id: Uuid,
    pub is_open: bool,
    pub payload: Cow<'a, str>,
    pub updated_at: i64,
}

impl<'a> StoredCart<'a> {
    /// Row of a cart.
    pub fn of(cart: &'a Cart) -> Result<Self, ColumnError> {
        Ok(Self {
            id: cart.id.0,
            customer: cart.customer.as_ref().map(|it| text(it.as_str())),
            currency: text(cart.currency.code()),
            order_id: cart.order.0,
            is_open: cart.closed_at.is_none(),
            payload: Cow::Owned(Column("carts", "payload").document(cart)?),
            updated_at: cart.updated_at.unix_micros(),
        })
    }

    /// Restores a cart from its version and its payload.
    pub fn restore(version: i64, payload: &str) -> Result<Versioned<Cart>, ColumnError> {
        let column = |name| Column("carts", name);
        Ok(Versioned { version: column("version").version(version)?, value: column("payload").json(payload)? })
    }
}

/// Row of the table `variants`.
#[expect(missing_docs, reason = "each field is the column of its name, and `Variant` describes its value")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVariant<'a> {
    pub id: Cow<'a, str>,
    pub sku: Option<Cow<'a, str>>,
    pub name: Cow<'a, str>,
    pub description: Cow<'a, str>,
    pub prices: Cow<'a, str>,
    pub active: bool,
}

impl<'a> StoredVariant<'a> {
    /// Row of a variant.
    pub fn of(variant: &'a Variant) -> Result<Self, ColumnError> {
        Ok(Self {
            id: text(variant.id.as_str()),
            sku: variant.sku.as_ref().map(|it| text(it.as_str())),
            name: text(variant.name.as_str()),
            description: text(variant.description.as_str()),
            prices: Cow::Owned(Column("variants", "prices").document(&variant.prices)?),
            active: variant.active,
        })
    }

    /// Restores the variant.
    pub fn restore(self) -> Result<Variant, ColumnError> {
        let column = |name| Column("variants", name);
        Ok(Variant {
            id: column("id").read(VariantId::new(self.id))?,
            sku: column("sku").read(self.sku.map(Text::restore).transpose())?,
            name: column("name").read(Text::restore(self.name))?,
            description: column("description").read(Text::restore(self.description))?,
            prices: column("prices").json(&self.prices)?,
            active: self.active,
        })
    }
}
