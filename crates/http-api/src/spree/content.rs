//! Lines, adjustments and totals of a cart or an order.

use paywright_domain::money::MoneyError;
use paywright_domain::order::{Adjustment, AdjustmentKind, Breakdown, Metadata, Part};
use paywright_domain::storefront::{Cart, CartLine, CouponCode};
use paywright_domain::text::Text;
use paywright_domain::{Currency, LineItem, Money, Order};
use serde_json::{Value, json};

use super::amount::{cents, code, decimal, display, negative_decimal, negative_display};
use super::document::{Relation, Resource};

/// Lines and adjustments of a cart or an order, with their totals.
pub(super) struct PricedContent<'a> {
    currency: Currency,
    lines: Vec<Line<'a>>,
    adjustments: &'a [Adjustment],
    parts: Breakdown,
}

struct Line<'a> {
    id: String,
    item: &'a LineItem,
    /// Line of the cart that it is, or that it was made from.
    of_cart: Option<&'a CartLine>,
}

impl<'a> PricedContent<'a> {
    /// Content of a cart.
    pub(super) fn of_cart(cart: &'a Cart) -> Result<Self, MoneyError> {
        let line = |it: &'a CartLine| Line { id: cart.line_id(it.id).to_string(), item: &it.item, of_cart: Some(it) };
        let lines = cart.lines.iter().map(line).collect();
        Ok(Self { currency: cart.currency, lines, adjustments: &cart.adjustments, parts: cart.breakdown()? })
    }

    /// Content of an order. Its lines have the ids of equal lines of the cart that it was made from.
    pub(super) fn of_order(order: &'a Order, cart: Option<&'a Cart>) -> Result<Self, MoneyError> {
        let line = |(place, item): (usize, &'a LineItem)| {
            let from = cart.and_then(|cart| Some((cart, cart.lines.get(place).filter(|it| it.item == *item)?)));
            Line {
                id: from.map_or_else(
                    || format!("{}_{}", order.id, place + 1),
                    |(cart, it)| cart.line_id(it.id).to_string(),
                ),
                item,
                of_cart: from.map(|(_, it)| it),
            }
        };
        let lines = order.lines.iter().enumerate().map(line).collect();
        let currency = order.total.currency();
        let shipping_tax = cart.filter(|it| it.adjustments == order.adjustments).and_then(|it| it.shipping_tax);
        let parts = Breakdown::of(currency, &order.lines, &order.adjustments, shipping_tax)?;
        Ok(Self { currency, lines, adjustments: &order.adjustments, parts })
    }

    /// Amounts of the shipping.
    pub(super) const fn shipping(&self) -> &Part {
        &self.parts.shipping
    }

    /// Name of the chosen shipping rate, if any.
    pub(super) fn shipping_name(&self) -> Option<&str> {
        let adjustment = self.adjustments.iter().find(|it| it.kind == AdjustmentKind::Shipping);
        adjustment.map(|it| it.label.as_str())
    }

    /// Totals, as attributes of a cart or an order.
    pub(super) fn attributes(&self) -> Result<Value, MoneyError> {
        let sums = self.parts.totals;
        let zero = Money::zero(self.currency);
        let taxes = sums.taxes.plus(sums.taxes_included)?;
        let off_shipping = self.parts.shipping.discount;
        let items: u64 = self.lines.iter().map(|it| u64::from(it.item.quantity())).sum();
        let mut attributes = json!({
            "currency": code(self.currency),
            "item_count": items,
            "promo_total": negative_decimal(sums.discounts),
            "display_promo_total": negative_display(sums.discounts),
            "subtotal_cents": cents(sums.items),
            "ship_total_cents": cents(sums.shipping),
            "store_credit_total_cents": cents(zero),
            "promo_total_cents": cents(sums.discounts),
            "tax_total_cents": cents(taxes),
            "total_cents": cents(sums.due),
            "total_minus_store_credits_cents": cents(sums.due),
        });
        put_money(
            &mut attributes,
            &[
                ("item_total", sums.items),
                ("total", sums.due),
                ("ship_total", sums.shipping),
                ("included_tax_total", sums.taxes_included),
                ("additional_tax_total", sums.taxes),
                ("tax_total", taxes),
                ("total_minus_store_credits", sums.due),
            ],
        );
        let off_items = sums.discounts.minus(off_shipping)?.plus(self.parts.goods_tax_included()?)?;
        put_difference(&mut attributes, "adjustment_total", sums.taxes, sums.discounts)?;
        put_difference(&mut attributes, "pre_tax_item_amount", sums.items, off_items)?;
        let off_all = sums.discounts.plus(sums.taxes_included)?;
        put_difference(&mut attributes, "pre_tax_total", sums.items.plus(sums.shipping)?, off_all)?;
        Ok(attributes)
    }

    pub(super) fn line_items(&self) -> Result<Vec<Resource>, MoneyError> {
        self.lines.iter().zip(&self.parts.lines).map(|(line, part)| self.line_item(line, part)).collect()
    }

    fn line_item(&self, line: &Line<'_>, part: &Part) -> Result<Resource, MoneyError> {
        let mut attributes = json!({
            "name": line.item.name.as_str(),
            "slug": line.of_cart.map(|it| it.variant.as_str()),
            "options_text": "",
            "quantity": line.item.quantity(),
            "currency": code(self.currency),
            "public_metadata": metadata(line.of_cart.map(|it| &it.metadata)),
            "promo_total": negative_decimal(part.discount),
            "display_promo_total": negative_display(part.discount),
            "compare_at_amount": null,
            "display_compare_at_amount": null,
        });
        let money = [("price", line.item.unit_amount()), ("total", part.total()?)];
        put_money(&mut attributes, &money);
        put_difference(&mut attributes, "adjustment_total", part.tax, part.discount)?;
        put_difference(&mut attributes, "discounted_amount", part.amount, part.discount)?;
        put_taxes(&mut attributes, part)?;
        let variant = line.of_cart.map(variant);
        let relations = vec![
            ("variant", Relation::one(variant)),
            ("digital_links", Relation::Many(Vec::new())),
            ("vendor", Relation::One(None)),
        ];
        Ok(Resource { kind: "line_item", id: line.id.clone(), attributes, relations })
    }

    /// Discounts, with the coupons that gave them.
    pub(super) fn promotions(&self, coupons: &[CouponCode]) -> Vec<Resource> {
        let discounts = self.adjustments.iter().filter(|it| it.kind == AdjustmentKind::Discount);
        let promotion = |(place, it): (usize, &Adjustment)| {
            let code = coupons.get(place).map(CouponCode::as_str);
            let attributes = json!({
                "name": it.label.as_str(), "description": null, "code": code, "amount": negative_decimal(it.amount),
                "display_amount": negative_display(it.amount), "public_metadata": {},
            });
            let id = code.map_or_else(|| (place + 1).to_string(), str::to_owned);
            Resource { kind: "promotion", id, attributes, relations: Vec::new() }
        };
        discounts.enumerate().map(promotion).collect()
    }
}

/// Adds the taxes of a line or of the shipping, and its price without them.
pub(super) fn put_taxes(attributes: &mut Value, part: &Part) -> Result<(), MoneyError> {
    put_money(attributes, &[("additional_tax_total", part.tax), ("included_tax_total", part.tax_included)]);
    put_difference(attributes, "pre_tax_amount", part.amount, part.discount.plus(part.tax_included)?)
}

/// Adds `more` minus `less`, which may be negative, as a decimal and as `display_…`.
fn put_difference(attributes: &mut Value, name: &str, more: Money, less: Money) -> Result<(), MoneyError> {
    let (text, shown) = match more.minus(less) {
        Err(MoneyError::Negative) => {
            let missing = less.minus(more)?;
            (negative_decimal(missing), negative_display(missing))
        }
        difference => {
            let difference = difference?;
            (decimal(difference), display(difference))
        }
    };
    put(attributes, name, json!(text));
    put(attributes, &format!("display_{name}"), json!(shown));
    Ok(())
}

fn put(attributes: &mut Value, name: &str, value: Value) {
    if let Some(object) = attributes.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Adds each amount as a decimal and as `display_…`.
pub(super) fn put_money(attributes: &mut Value, amounts: &[(&str, Money)]) {
    for (name, amount) in amounts {
        put(attributes, name, json!(decimal(*amount)));
        put(attributes, &format!("display_{name}"), json!(display(*amount)));
    }
}

/// Metadata as an object of strings.
pub(super) fn metadata(entries: Option<&Metadata>) -> Value {
    let entries = entries.into_iter().flatten().map(|(key, value)| (key.to_string(), json!(value.as_str())));
    Value::Object(entries.collect())
}

/// Variant of a line, with what the price list knows of it: no stock, sizes or options.
fn variant(line: &CartLine) -> Resource {
    let item = &line.item;
    let mut attributes = json!({
        "sku": item.sku.as_ref().map_or("", Text::as_str), "name": item.name.as_str(),
        "description": item.description.as_str(), "currency": code(item.unit_amount().currency()),
        "barcode": null, "weight": null, "height": null, "width": null, "depth": null, "is_master": true,
        "options_text": "", "options": [], "purchasable": line.is_sold, "in_stock": line.is_sold,
        "backorderable": false, "compare_at_price": null, "display_compare_at_price": null, "public_metadata": {},
    });
    put_money(&mut attributes, &[("price", item.unit_amount())]);
    // Storefronts include relationships of the catalog, which are empty here.
    let relations = vec![
        ("product", Relation::One(None)),
        ("images", Relation::Many(Vec::new())),
        ("option_values", Relation::Many(Vec::new())),
        ("vendor", Relation::One(None)),
    ];
    Resource { kind: "variant", id: line.variant.as_str().to_owned(), attributes, relations }
}
