//! Resources of the parts of an order: line items, adjustments, payments and refunds.

use paywright_domain::intent::IntentStatus;
use paywright_domain::money::MoneyError;
use paywright_domain::order::{Adjustment, AdjustmentKind, Part};
use paywright_domain::text::Text;
use paywright_domain::{LineItem, Money};
use serde_json::json;

use super::amounts::{Attributes, Signed};
use super::documents::{empty, none};
use super::order::{CartLineParts, PlatformOrder, PlatformPayment, PlatformRefund};
use crate::spree::amount::code;
use crate::spree::document::{Relation, Resource};
use crate::spree::resources::{PAYMENT_METHOD, time};

impl PlatformOrder {
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
            "public_metadata": self.cart_line(number).map(|it| it.metadata.clone()).unwrap_or_default(),
            "private_metadata": {},
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

    fn cart_line(&self, number: usize) -> Option<&CartLineParts> {
        self.cart.as_ref()?.lines.get(number.checked_sub(1)?)?.as_ref()
    }

    /// Variant that a line sold. Its id is that of the price list, or the line's where the order does not name one.
    fn variant(&self, number: usize, line_id: &str, line: &LineItem) -> Resource {
        let known = self.cart_line(number).map(|it| it.variant.clone());
        let attributes = Attributes::of(json!({
            "sku": line.sku.as_ref().map(Text::as_str), "name": line.name.as_str(),
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

    /// Resource of a payment as a part of its order, which it only names.
    pub(super) fn payment_of_order(&self, payment: &PlatformPayment) -> Resource {
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
        Resource { kind: "payment", id: payment.intent.as_str().to_owned(), attributes, relations }
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
    pub(super) fn refund(&self, refund: &PlatformRefund) -> Resource {
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

/// Relationships of a refund.
pub(super) fn refund_relations(payment: Relation) -> Vec<(&'static str, Relation)> {
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
