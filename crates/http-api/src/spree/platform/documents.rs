//! JSON:API documents of the Platform API. Each is made from a [`PlatformOrder`] alone, so that an answer and a webhook
//! about the same version of an order have the same document.

use paywright_domain::Money;
use paywright_domain::money::MoneyError;
use paywright_domain::storefront::Address;
use serde_json::{Value, json};

use super::amounts::{Attributes, Signed};
use super::order::{PlatformOrder, PlatformPayment};
use super::parts::refund_relations;
use crate::spree::amount::code;
use crate::spree::country;
use crate::spree::document::{Relation, Relationships, Resource, Show};
use crate::spree::resources::time;

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
        "event" => &[("subscriber", Some("subscriber"))],
        "user" | "country" | "payment_method" | "subscriber" => &[],
        _ => return None,
    })
};

/// Document of an order with every first-level relationship included.
pub(crate) fn order_document(order: &PlatformOrder) -> Result<Value, MoneyError> {
    Ok(Show::everything("order", RELATIONSHIPS).one(&order.resource()?))
}

/// Document of the payment by this PaymentIntent, with every first-level relationship included. `None` if the order has
/// no such payment.
pub(crate) fn payment_document(order: &PlatformOrder, intent: &str) -> Result<Option<Value>, MoneyError> {
    let Some(payment) = order.payments.iter().find(|it| it.intent.as_str() == intent) else { return Ok(None) };
    Ok(Some(Show::everything("payment", RELATIONSHIPS).one(&order.payment(payment)?)))
}

/// Document of the refund with this number, with every first-level relationship included. `None` if the order has no
/// such refund.
pub(crate) fn refund_document(order: &PlatformOrder, number: u32) -> Result<Option<Value>, MoneyError> {
    let Some(refund) = order.refunds.iter().find(|it| it.number == number) else { return Ok(None) };
    let payment = order.payments.iter().find(|it| it.intent == refund.intent);
    let resource = Resource {
        relations: refund_relations(match payment {
            Some(payment) => Relation::one(Some(order.payment(payment)?)),
            None => Relation::Named("payment", refund.intent.as_str().to_owned()),
        }),
        ..order.refund(refund)
    };
    Ok(Some(Show::everything("refund", RELATIONSHIPS).one(&resource)))
}

/// Relationship to no resource.
pub(super) fn none() -> Relation {
    Relation::One(None)
}

/// Relationship to many resources, of which there is none.
pub(super) fn empty() -> Relation {
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
        // Nothing is due for a canceled order; what was received for it is owed to the customer.
        let due = if self.canceled_at().is_some() { Money::zero(self.total.currency()) } else { sums.due };
        let outstanding = Signed::difference(due, paid)?;
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
                ("outstanding_balance", outstanding),
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
        let payments = self.payments.iter().map(|it| self.payment_of_order(it)).collect();
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

    /// The order as a related resource that is only named.
    pub(super) fn named(&self) -> Relation {
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

    /// Resource of a payment, with its order as a related resource.
    pub(super) fn payment(&self, payment: &PlatformPayment) -> Result<Resource, MoneyError> {
        self.with_order(self.payment_of_order(payment))
    }

    /// Returns the resource of a part of the order with the order as a related resource, where it only names it.
    pub(super) fn with_order(&self, mut part: Resource) -> Result<Resource, MoneyError> {
        let order = self.resource()?;
        for (_, relation) in part.relations.iter_mut().filter(|(name, _)| ["order", "adjustable"].contains(name)) {
            *relation = Relation::one(Some(order.clone()));
        }
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use paywright_domain::anomaly::Policies;
    use paywright_domain::intent::IntentStatus;
    use paywright_domain::refund::NewRefund;
    use paywright_domain::uuid::Uuid;
    use paywright_domain::{Currency, IntentId, IntentSnapshot, LineItem, NewOrder, Order, OrderId, Timestamp};

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
