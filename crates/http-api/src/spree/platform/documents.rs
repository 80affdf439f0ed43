//! JSON:API documents of the Platform API. Each is made from a [`PlatformOrder`] alone, so that an answer and a webhook
//! about the same version of an order have the same document.

use paywright_domain::intent::IntentStatus;
use paywright_domain::money::MoneyError;
use paywright_domain::order::{Adjustment, AdjustmentKind, Part};
use paywright_domain::storefront::Address;
use paywright_domain::{LineItem, Money};
use serde_json::{Value, json};

use super::amounts::{Attributes, Signed};
use super::order::{PlatformOrder, PlatformPayment, PlatformRefund};
use crate::spree::amount::code;
use crate::spree::country;
use crate::spree::document::{Relation, Relationships, Resource, Show};
use crate::spree::resources::{PAYMENT_METHOD, time};

/// Relationships of the Platform API's resource types, as [`Relationships`] says. Those to types that are not served
/// here are always empty.
pub(super) const RELATIONSHIPS: Relationships = |kind| {
    Some(match kind {
        "order" => &[
            ("user", Some("user")),
            ("created_by", None),
            ("approver", None),
            ("canceler", None),
            ("bill_address", Some("address")),
            ("ship_address", Some("address")),
            ("line_items", Some("line_item")),
            ("payments", Some("payment")),
            ("shipments", None),
            ("state_changes", None),
            ("return_authorizations", None),
            ("reimbursements", None),
            ("adjustments", Some("adjustment")),
            ("all_adjustments", Some("adjustment")),
            ("order_promotions", None),
        ],
        "payment" => &[
            ("order", Some("order")),
            ("payment_method", Some("payment_method")),
            ("source", None),
            ("log_entries", None),
            ("state_changes", None),
            ("payment_capture_events", Some("payment_capture_event")),
            ("refunds", Some("refund")),
        ],
        "refund" => &[
            ("payment", Some("payment")),
            ("refunder", None),
            ("reimbursement", None),
            ("refund_reason", None),
            ("log_entries", None),
        ],
        "payment_capture_event" => &[("payment", Some("payment"))],
        "line_item" => &[
            ("order", Some("order")),
            ("tax_category", None),
            ("variant", Some("variant")),
            ("adjustments", Some("adjustment")),
            ("inventory_units", None),
            ("digital_links", None),
        ],
        "adjustment" => &[("order", Some("order")), ("adjustable", Some("order")), ("source", None)],
        "address" => &[("country", Some("country")), ("state", None), ("user", Some("user"))],
        "variant" => &[("product", None), ("images", None), ("option_values", None), ("stock_items", None)],
        "user" | "country" | "payment_method" => &[],
        _ => return None,
    })
};

/// Document of an order with every first-level relationship included.
#[cfg_attr(not(test), expect(dead_code, reason = "the format of outgoing webhooks for Spree is made of it"))]
pub(crate) fn order_document(order: &PlatformOrder) -> Result<Value, MoneyError> {
    Ok(Show::everything("order", RELATIONSHIPS).one(&order.resource()?))
}

/// Document of the payment by this PaymentIntent, with every first-level relationship included. `None` if the order has
/// no such payment.
#[cfg_attr(not(test), expect(dead_code, reason = "the format of outgoing webhooks for Spree is made of it"))]
pub(crate) fn payment_document(order: &PlatformOrder, intent: &str) -> Result<Option<Value>, MoneyError> {
    let Some(payment) = order.payments.iter().find(|it| it.intent.as_str() == intent) else { return Ok(None) };
    Ok(Some(Show::everything("payment", RELATIONSHIPS).one(&order.payment(payment)?)))
}

/// Document of the refund with this number, with every first-level relationship included. `None` if the order has no
/// such refund.
#[cfg_attr(not(test), expect(dead_code, reason = "the format of outgoing webhooks for Spree is made of it"))]
pub(crate) fn refund_document(order: &PlatformOrder, number: u32) -> Result<Option<Value>, MoneyError> {
    let Some(refund) = order.refunds.iter().find(|it| it.number == number) else { return Ok(None) };
    let payment = order.payments.iter().find(|it| it.intent == refund.intent);
    let resource = Resource {
        relations: refund_relations(match payment {
            Some(payment) => Relation::one(Some(order.payment_of_order(payment)?)),
            None => Relation::Named("payment", refund.intent.as_str().to_owned()),
        }),
        ..order.refund(refund)
    };
    Ok(Some(Show::everything("refund", RELATIONSHIPS).one(&resource)))
}

fn none() -> Relation {
    Relation::One(None)
}

fn empty() -> Relation {
    Relation::Many(Vec::new())
}

impl PlatformOrder {
    /// Resource of the order.
    pub(super) fn resource(&self) -> Result<Resource, MoneyError> {
        let attributes = Attributes::of(json!({
            "number": self.number,
            "state": self.state(),
            "payment_state": self.payment_state()?,
            "shipment_state": null,
            "email": self.email,
            "special_instructions": self.cart.as_ref().and_then(|it| it.special_instructions.as_deref()),
            "currency": code(self.total.currency()),
            "channel": "spree",
            "last_ip_address": null,
            "item_count": self.lines.iter().map(|it| u64::from(it.quantity())).sum::<u64>(),
            "created_at": time(self.placed_at),
            "updated_at": time(self.updated_at),
            "completed_at": self.completed_at().map(time),
            "approved_at": self.approved_at().map(time),
            "canceled_at": self.canceled_at().map(time),
            "confirmation_delivered": false,
            "store_owner_notification_delivered": null,
            "state_lock_version": self.revision,
            "public_metadata": self.metadata,
            "private_metadata": {},
            "internal_note": null,
        }));
        Ok(Resource {
            kind: "order",
            id: self.id.clone(),
            attributes: self.totals(attributes)?.done(),
            relations: self.relations()?,
        })
    }

    fn totals(&self, attributes: Attributes) -> Result<Attributes, MoneyError> {
        let parts = self.breakdown()?;
        let sums = parts.totals;
        let zero = Signed::from(Money::zero(self.total.currency()));
        let discounts = Signed::negative(sums.discounts);
        let off_items = sums.discounts.minus(parts.shipping.discount)?.plus(parts.goods_tax_included()?)?;
        let off_all = sums.discounts.plus(sums.taxes_included)?;
        let paid = self.payment_total()?;
        Ok(attributes
            .amounts(&[
                ("item_total", sums.items.into()),
                ("total", sums.due.into()),
                ("adjustment_total", Signed::difference(sums.taxes, sums.discounts)?),
                ("shipment_total", sums.shipping.into()),
                ("additional_tax_total", sums.taxes.into()),
                ("included_tax_total", sums.taxes_included.into()),
                ("promo_total", discounts),
            ])
            .decimals(&[
                ("payment_total", paid.into()),
                ("taxable_adjustment_total", discounts),
                ("non_taxable_adjustment_total", zero),
            ])
            .displays(&[
                ("ship_total", sums.shipping.into()),
                ("outstanding_balance", Signed::difference(sums.due, paid)?),
                ("tax_total", sums.taxes.plus(sums.taxes_included)?.into()),
                ("cart_promo_total", Signed::negative(sums.discounts.minus(parts.shipping.discount)?)),
                ("pre_tax_item_amount", Signed::difference(sums.items, off_items)?),
                ("pre_tax_total", Signed::difference(sums.items.plus(sums.shipping)?, off_all)?),
                ("total_applicable_store_credit", zero),
                ("total_applied_store_credit", zero),
                ("order_total_after_store_credit", sums.due.into()),
                ("total_available_store_credit", zero),
                ("store_credit_remaining_after_capture", zero),
            ]))
    }

    fn relations(&self) -> Result<Vec<(&'static str, Relation)>, MoneyError> {
        let cart = self.cart.as_ref();
        let address = |name: &str, address: Option<&Address>| Relation::one(address.map(|it| self.address(name, it)));
        let payments = self.payments.iter().map(|it| self.payment_of_order(it)).collect::<Result<_, _>>()?;
        let adjustments = Relation::Many(self.adjustments());
        Ok(vec![
            ("user", self.user()),
            ("created_by", none()),
            ("approver", none()),
            ("canceler", none()),
            ("bill_address", address("bill", cart.and_then(|it| it.bill_address.as_ref()))),
            ("ship_address", address("ship", cart.and_then(|it| it.ship_address.as_ref()))),
            ("line_items", Relation::Many(self.line_items()?)),
            ("payments", Relation::Many(payments)),
            ("shipments", empty()),
            ("state_changes", empty()),
            ("return_authorizations", empty()),
            ("reimbursements", empty()),
            ("adjustments", adjustments.clone()),
            ("all_adjustments", adjustments),
            ("order_promotions", empty()),
        ])
    }

    /// The shop keeps its users: a customer is named by its id and not included.
    fn user(&self) -> Relation {
        self.customer.as_ref().map_or_else(none, |it| Relation::Named("user", it.clone()))
    }

    fn named(&self) -> Relation {
        Relation::Named("order", self.id.clone())
    }

    fn address(&self, name: &str, address: &Address) -> Resource {
        let attributes = json!({
            "firstname": address.first_name.as_str(), "lastname": address.last_name.as_str(),
            "address1": address.address1.as_str(), "address2": address.address2.as_str(),
            "city": address.city.as_str(), "zipcode": address.zipcode.as_str(), "phone": address.phone.as_str(),
            "state_name": address.state.as_str(), "alternative_phone": null, "company": address.company.as_str(),
            "created_at": time(self.placed_at), "updated_at": time(self.updated_at), "deleted_at": null,
            "label": address.label.as_str(), "public_metadata": {}, "private_metadata": {},
        });
        let (iso, full_name) = (address.country.to_string(), country::name(address.country));
        let country = json!({
            "iso": iso, "iso3": country::alpha3(address.country), "name": full_name,
            "iso_name": full_name.map(str::to_uppercase),
        });
        let country = Resource { kind: "country", id: iso, attributes: country, relations: Vec::new() };
        let relations = vec![("country", Relation::one(Some(country))), ("state", none()), ("user", self.user())];
        Resource { kind: "address", id: format!("{}_{name}", self.id), attributes, relations }
    }

    /// Resources of the line items. The id of a line is the order's id and the line's number within it, from 1.
    pub(super) fn line_items(&self) -> Result<Vec<Resource>, MoneyError> {
        let parts = self.breakdown()?.lines;
        (1..).zip(self.lines.iter().zip(&parts)).map(|(number, (line, part))| self.line(number, line, part)).collect()
    }

    fn line(&self, number: usize, line: &LineItem, part: &Part) -> Result<Resource, MoneyError> {
        let id = format!("{}_{number}", self.id);
        let attributes = Attributes::of(json!({
            "quantity": line.quantity(), "currency": code(self.total.currency()), "cost_price": null,
            "created_at": time(self.placed_at), "updated_at": time(self.updated_at),
            "public_metadata": {}, "private_metadata": {},
        }));
        let (amount, discount, total) = (part.amount.into(), Signed::negative(part.discount), part.total()?.into());
        let pre_tax = Signed::difference(part.amount, part.discount.plus(part.tax_included)?)?;
        let attributes = attributes
            .amounts(&[
                ("price", line.unit_amount().into()),
                ("adjustment_total", Signed::difference(part.tax, part.discount)?),
                ("additional_tax_total", part.tax.into()),
                ("included_tax_total", part.tax_included.into()),
                ("promo_total", discount),
                ("pre_tax_amount", pre_tax),
            ])
            .decimals(&[
                ("taxable_adjustment_total", discount),
                ("non_taxable_adjustment_total", Money::zero(self.total.currency()).into()),
            ])
            .displays(&[
                ("amount", amount),
                ("subtotal", amount),
                ("discounted_amount", Signed::difference(part.amount, part.discount)?),
                ("final_amount", total),
                ("total", total),
            ]);
        let relations = vec![
            ("order", self.named()),
            ("tax_category", none()),
            ("variant", Relation::one(Some(self.variant(number, &id, line)))),
            ("adjustments", empty()),
            ("inventory_units", empty()),
            ("digital_links", empty()),
        ];
        Ok(Resource { kind: "line_item", id, attributes: attributes.done(), relations })
    }

    /// Variant that a line sold. Its id is that of the price list, or the line's where the order does not name one.
    fn variant(&self, number: usize, line_id: &str, line: &LineItem) -> Resource {
        let known = self.cart.as_ref().and_then(|it| it.variants.get(number.checked_sub(1)?)?.clone());
        let attributes = Attributes::of(json!({
            "sku": line.sku.as_ref().map(paywright_domain::text::Text::as_str), "name": line.name.as_str(),
            "description": line.description.as_str(), "options_text": "", "currency": code(self.total.currency()),
        }));
        let relations =
            vec![("product", none()), ("images", empty()), ("option_values", empty()), ("stock_items", empty())];
        Resource {
            kind: "variant",
            id: known.unwrap_or_else(|| line_id.to_owned()),
            attributes: attributes.amounts(&[("price", line.unit_amount().into())]).done(),
            relations,
        }
    }

    /// Resources of discounts and taxes; the shipping price is no adjustment in Spree. The id of an adjustment is the
    /// order's id and the adjustment's number within it, from 1.
    pub(super) fn adjustments(&self) -> Vec<Resource> {
        (1_usize..).zip(&self.adjustments).filter_map(|(number, it)| self.adjustment(number, it)).collect()
    }

    fn adjustment(&self, number: usize, adjustment: &Adjustment) -> Option<Resource> {
        let (source, amount) = match adjustment.kind {
            AdjustmentKind::Discount => ("Spree::PromotionAction", Signed::negative(adjustment.amount)),
            AdjustmentKind::Tax | AdjustmentKind::TaxIncluded => ("Spree::TaxRate", adjustment.amount.into()),
            AdjustmentKind::Shipping => return None,
        };
        let attributes = Attributes::of(json!({
            "source_type": source, "adjustable_type": "Spree::Order", "label": adjustment.label.as_str(),
            "mandatory": null, "eligible": true, "state": "closed",
            "included": adjustment.kind == AdjustmentKind::TaxIncluded,
            "created_at": time(self.placed_at), "updated_at": time(self.updated_at),
        }));
        Some(Resource {
            kind: "adjustment",
            id: format!("{}_{number}", self.id),
            attributes: attributes.amounts(&[("amount", amount)]).done(),
            relations: vec![("order", self.named()), ("adjustable", self.named()), ("source", none())],
        })
    }

    /// Resource of a payment, with its order as a related resource.
    pub(super) fn payment(&self, payment: &PlatformPayment) -> Result<Resource, MoneyError> {
        self.with_order(self.payment_of_order(payment)?)
    }

    /// Returns the resource of a part of the order with the order as a related resource, where it only names it.
    pub(super) fn with_order(&self, mut part: Resource) -> Result<Resource, MoneyError> {
        let order = self.resource()?;
        for (_, relation) in part.relations.iter_mut().filter(|(name, _)| ["order", "adjustable"].contains(name)) {
            *relation = Relation::one(Some(order.clone()));
        }
        Ok(part)
    }

    /// Resource of a payment as a part of its order, which it only names.
    fn payment_of_order(&self, payment: &PlatformPayment) -> Result<Resource, MoneyError> {
        let created_at = payment.created_at.unwrap_or(self.placed_at);
        let attributes = Attributes::of(json!({
            "number": payment.number(), "state": payment.state(), "response_code": payment.intent.as_str(),
            "source_type": "Spree::CreditCard", "avs_response": null, "cvv_response_code": null,
            "cvv_response_message": null, "created_at": time(created_at),
            "updated_at": time(payment.updated_at.unwrap_or(self.updated_at)),
            "public_metadata": {}, "private_metadata": {},
        }));
        let refunds = self.refunds_of(&payment.intent).map(|it| self.refund(it)).collect();
        let relations = vec![
            ("order", self.named()),
            ("payment_method", Relation::one(Some(payment_method()))),
            ("source", none()),
            ("log_entries", empty()),
            ("state_changes", empty()),
            ("payment_capture_events", Relation::Many(self.capture(payment).into_iter().collect())),
            ("refunds", Relation::Many(refunds)),
        ];
        let attributes = attributes.amounts(&[("amount", payment.amount.into())]).done();
        Ok(Resource { kind: "payment", id: payment.intent.as_str().to_owned(), attributes, relations })
    }

    /// Resource of the capture of a payment, once money was received.
    fn capture(&self, payment: &PlatformPayment) -> Option<Resource> {
        if payment.received.is_zero() {
            return None;
        }
        let at = time(payment.updated_at.unwrap_or(self.updated_at));
        let attributes = Attributes::of(json!({ "created_at": at, "updated_at": at }));
        Some(Resource {
            kind: "payment_capture_event",
            id: format!("{}_capture", payment.intent.as_str()),
            attributes: attributes.amounts(&[("amount", payment.received.into())]).done(),
            relations: vec![("payment", Relation::Named("payment", payment.intent.as_str().to_owned()))],
        })
    }

    /// Resource of a refund. Its id is the order's id and the refund's number.
    fn refund(&self, refund: &PlatformRefund) -> Resource {
        let attributes = Attributes::of(json!({
            "transaction_id": refund.stripe_id, "created_at": time(refund.requested_at),
            "updated_at": time(self.updated_at), "public_metadata": {}, "private_metadata": {},
        }));
        Resource {
            kind: "refund",
            id: format!("{}_{}", self.id, refund.number),
            attributes: attributes.amounts(&[("amount", refund.amount.into())]).done(),
            relations: refund_relations(Relation::Named("payment", refund.intent.as_str().to_owned())),
        }
    }
}

fn refund_relations(payment: Relation) -> Vec<(&'static str, Relation)> {
    vec![
        ("payment", payment),
        ("refunder", none()),
        ("reimbursement", none()),
        ("refund_reason", none()),
        ("log_entries", empty()),
    ]
}

/// Resource of the one payment method, Stripe.
fn payment_method() -> Resource {
    let attributes = json!({
        "name": "Stripe", "type": "SpreeStripe::Gateway", "description": null, "active": true, "display_on": "both",
        "auto_capture": null, "position": 1, "public_metadata": {}, "private_metadata": {},
    });
    Resource { kind: "payment_method", id: PAYMENT_METHOD.to_owned(), attributes, relations: Vec::new() }
}

impl PlatformPayment {
    /// Number of the payment: `P` and Stripe's id of the PaymentIntent without its prefix.
    pub(super) fn number(&self) -> String {
        let id = self.intent.as_str();
        format!("P{}", id.strip_prefix("pi_").unwrap_or(id))
    }

    /// Name of Spree's state of the payment.
    pub(super) const fn state(&self) -> &'static str {
        match self.status {
            IntentStatus::RequiresPaymentMethod if self.has_failed => "failed",
            IntentStatus::RequiresPaymentMethod | IntentStatus::RequiresConfirmation | IntentStatus::RequiresAction => {
                "checkout"
            }
            IntentStatus::Processing => "processing",
            IntentStatus::RequiresCapture => "pending",
            IntentStatus::Succeeded => "completed",
            IntentStatus::Canceled => "void",
        }
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::anomaly::Policies;
    use paywright_domain::refund::NewRefund;
    use paywright_domain::uuid::Uuid;
    use paywright_domain::{Currency, IntentId, IntentSnapshot, NewOrder, Order, OrderId, Timestamp};

    use super::*;

    /// Paid order of 6.00 of which 1.00 is being refunded.
    fn paid() -> PlatformOrder {
        let now = Timestamp::from_unix_seconds(1_743_415_050).unwrap();
        let usd = |minor| Money::new(minor, Currency::Usd).unwrap();
        let lines = vec![LineItem::new("Bone", usd(300), 2).unwrap()];
        let new = NewOrder { lines, ..NewOrder::empty(Currency::Usd) };
        let order = Order::place(OrderId(Uuid::from_u128(9)), new, now).unwrap().order;
        let intent = IntentSnapshot::new(IntentId::new("pi_1").unwrap(), order.id, order.total, now);
        let paid = IntentSnapshot { status: IntentStatus::Succeeded, received: order.total, ..intent };
        let order = order.settle(&paid, &Policies::DEFAULT, now).unwrap().order;
        let refund = NewRefund { amount: Some(usd(100)), ..NewRefund::default() };
        PlatformOrder::of(&order.refund(&refund, now).unwrap().0.order, None)
    }

    /// Types and ids of the included resources.
    fn included(document: &Value) -> Vec<String> {
        let included = document["included"].as_array().unwrap().iter();
        included.map(|it| format!("{} {}", it["type"].as_str().unwrap(), it["id"].as_str().unwrap())).collect()
    }

    #[test]
    fn a_document_includes_every_related_resource_of_the_first_level_once() {
        let order = paid();
        let id = "00000000-0000-0000-0000-000000000009";
        let document = order_document(&order).unwrap();
        assert_eq!(document["data"]["id"], id);
        assert_eq!(included(&document), [format!("line_item {id}_1"), "payment pi_1".to_owned()]);
        let document = payment_document(&order, "pi_1").unwrap().unwrap();
        assert_eq!(document["data"]["id"], "pi_1");
        let expected =
            [format!("order {id}"), "payment_method stripe".into(), "payment_capture_event pi_1_capture".into()];
        assert_eq!(included(&document), [&expected[..], &[format!("refund {id}_1")]].concat());
        let document = refund_document(&order, 1).unwrap().unwrap();
        assert_eq!(document["data"]["attributes"]["amount"], "1.0");
        assert_eq!(included(&document), ["payment pi_1"]);
        assert_eq!((payment_document(&order, "pi_2").unwrap(), refund_document(&order, 2).unwrap()), (None, None));
    }
}
