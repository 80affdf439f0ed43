//! What is sold, at which prices, and what it comes to.

use paywright_domain::{Adjustment, AdjustmentKind, Cart, CouponCode, Currency, LineItem, Money, Order, Text, Totals};
use serde_json::{Value, json};

use super::amount::{cents, code, decimal, display, negative_decimal, negative_display};
use super::document::{Relation, Resource};

/// What is sold, at which prices: of a cart, or of the order that it has become.
pub(super) struct Sold<'a> {
    currency: Currency,
    lines: Vec<Line<'a>>,
    adjustments: &'a [Adjustment],
}

struct Line<'a> {
    id: String,
    variant: Option<&'a str>,
    item: &'a LineItem,
}

/// A line's price, and its shares of what is said of the whole order.
struct Parts {
    amount: Money,
    discount: Money,
    tax: Money,
    included: Money,
}

impl<'a> Sold<'a> {
    pub(super) fn of_cart(cart: &'a Cart) -> Self {
        let line = |it: &'a paywright_domain::CartLine| Line {
            id: line_id(cart, it.id),
            variant: Some(it.variant.as_str()),
            item: &it.item,
        };
        Self { currency: cart.currency, lines: cart.lines.iter().map(line).collect(), adjustments: &cart.adjustments }
    }

    /// Of an order, whose lines are named by those of the cart that it was made from, where they are the same.
    pub(super) fn of_order(order: &'a Order, cart: Option<&'a Cart>) -> Self {
        let line = |(place, item): (usize, &'a LineItem)| {
            let from = cart.and_then(|cart| Some((cart, cart.lines.get(place).filter(|it| it.item == *item)?)));
            Line {
                id: from.map_or_else(|| format!("{}_{}", order.id, place + 1), |(cart, it)| line_id(cart, it.id)),
                variant: from.map(|(_, it)| it.variant.as_str()),
                item,
            }
        };
        let lines = order.lines.iter().enumerate().map(line).collect();
        Self { currency: order.total.currency(), lines, adjustments: &order.adjustments }
    }

    /// What it comes to. Both carts and orders are refused before they are stored where it cannot be said.
    fn totals(&self) -> Totals {
        let zero = Money::zero(self.currency);
        let none =
            Totals { items: zero, discounts: zero, shipping: zero, taxes: zero, taxes_included: zero, due: zero };
        Totals::of(self.currency, self.lines.iter().map(|it| it.item), self.adjustments).unwrap_or(none)
    }

    /// The sums of a cart or an order, as attributes.
    pub(super) fn attributes(&self) -> Value {
        let sums = self.totals();
        let zero = Money::zero(self.currency);
        let discounted = minus(sums.items, sums.discounts);
        let taxes = plus(sums.taxes, sums.taxes_included);
        let items: u64 = self.lines.iter().map(|it| u64::from(it.item.quantity())).sum();
        let mut attributes = json!({
            "currency": code(self.currency),
            "item_count": items,
            "promo_total": negative_decimal(sums.discounts),
            "display_promo_total": negative_display(sums.discounts),
            "adjustment_total": signed_decimal(sums.taxes, sums.discounts),
            "display_adjustment_total": signed_display(sums.taxes, sums.discounts),
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
                ("pre_tax_item_amount", minus(discounted, sums.taxes_included)),
                ("pre_tax_total", minus(plus(discounted, sums.shipping), sums.taxes_included)),
                ("total_minus_store_credits", sums.due),
            ],
        );
        attributes
    }

    pub(super) fn line_items(&self) -> Vec<Resource> {
        let totals = self.totals();
        let amounts: Vec<Money> = self.lines.iter().map(|it| total_of(it.item)).collect();
        let weights: Vec<u64> = amounts.iter().map(|it| it.minor().unsigned_abs()).collect();
        // What is said of the whole order is shown on its lines by their shares; it adds up exactly.
        let none = Money::zero(self.currency);
        let shares = |sum: Money| sum.allocate(&weights).unwrap_or_else(|_| vec![none; weights.len()]);
        let taxes = shares(totals.taxes).into_iter().zip(shares(totals.taxes_included));
        let shares = shares(totals.discounts).into_iter().zip(taxes);
        let lines = self.lines.iter().zip(amounts).zip(shares);
        lines
            .map(|((line, amount), (discount, (tax, included)))| {
                self.line_item(line, &Parts { amount, discount, tax, included })
            })
            .collect()
    }

    fn line_item(&self, line: &Line<'_>, parts: &Parts) -> Resource {
        let discounted = minus(parts.amount, parts.discount);
        let mut attributes = json!({
            "name": line.item.name.as_str(),
            "slug": line.variant,
            "options_text": "",
            "quantity": line.item.quantity(),
            "currency": code(self.currency),
            "public_metadata": {},
            "adjustment_total": signed_decimal(parts.tax, parts.discount),
            "display_adjustment_total": signed_display(parts.tax, parts.discount),
            "promo_total": negative_decimal(parts.discount),
            "display_promo_total": negative_display(parts.discount),
            "compare_at_amount": null,
            "display_compare_at_amount": null,
        });
        let money = [
            ("price", line.item.unit_amount()),
            ("total", plus(discounted, parts.tax)),
            ("additional_tax_total", parts.tax),
            ("discounted_amount", discounted),
            ("included_tax_total", parts.included),
            ("pre_tax_amount", minus(discounted, parts.included)),
        ];
        put_money(&mut attributes, &money);
        let variant = line.variant.map(|it| variant(it, line.item));
        let relations = vec![("variant", Relation::one(variant)), ("digital_links", Relation::Many(Vec::new()))];
        Resource { kind: "line_item", id: line.id.clone(), attributes, relations }
    }

    /// What was taken off, with the coupons that did.
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

/// The name of a line in requests and answers.
fn line_id(cart: &Cart, line: u32) -> String {
    format!("{}_{line}", cart.id)
}

fn total_of(item: &LineItem) -> Money {
    item.unit_amount().times(item.quantity()).unwrap_or(Money::zero(item.unit_amount().currency()))
}

/// Of amounts whose sums were checked before they were stored.
fn plus(left: Money, right: Money) -> Money {
    left.plus(right).unwrap_or(left)
}

fn minus(left: Money, right: Money) -> Money {
    left.minus(right).unwrap_or(Money::zero(left.currency()))
}

fn signed_decimal(more: Money, less: Money) -> String {
    more.minus(less).map_or_else(|_| negative_decimal(minus(less, more)), decimal)
}

fn signed_display(more: Money, less: Money) -> String {
    more.minus(less).map_or_else(|_| negative_display(minus(less, more)), display)
}

fn put(attributes: &mut Value, name: &str, value: Value) {
    if let Some(object) = attributes.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Each amount as a decimal, and as `display_…`.
pub(super) fn put_money(attributes: &mut Value, amounts: &[(&str, Money)]) {
    for (name, amount) in amounts {
        put(attributes, name, json!(decimal(*amount)));
        put(attributes, &format!("display_{name}"), json!(display(*amount)));
    }
}

fn variant(id: &str, item: &LineItem) -> Resource {
    let sku = item.sku.as_ref().map(Text::as_str);
    let mut attributes = json!({ "sku": sku, "name": item.name.as_str(), "description": item.description.as_str() });
    put_money(&mut attributes, &[("price", item.unit_amount())]);
    // The catalogue's part of it is not ours; storefronts ask for it all the same.
    let relations = vec![
        ("product", Relation::One(None)),
        ("images", Relation::Many(Vec::new())),
        ("option_values", Relation::Many(Vec::new())),
    ];
    Resource { kind: "variant", id: id.to_owned(), attributes, relations }
}
