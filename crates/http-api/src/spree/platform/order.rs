//! Order of the Platform API: all that its documents show, from a stored order or from a snapshot of one.

use std::collections::BTreeMap;

use paywright_domain::intent::{IntentStatus, PaymentIntent};
use paywright_domain::money::MoneyError;
use paywright_domain::order::{Adjustment, Breakdown, Metadata, OrderState, ShippingTax};
use paywright_domain::refund::{Refund, RefundStatus};
use paywright_domain::storefront::{Address, Cart};
use paywright_domain::text::{Email, Text};
use paywright_domain::{IntentId, LineItem, Money, Order, Timestamp};

/// Order with its payments and refunds, as the documents of the Platform API need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformOrder {
    /// Id of the order.
    pub(crate) id: String,
    /// Number of the order (`ORD-…`).
    pub(crate) number: String,
    /// Status of the order in the shop dialect.
    pub(crate) status: PlatformStatus,
    /// Whether the bank is processing the payment of an open order.
    pub(crate) awaits_money: bool,
    /// Whether received money does not match the order, so that a person must decide.
    pub(crate) is_held_for_review: bool,
    /// Email address for the receipt.
    pub(crate) email: Option<String>,
    /// The shop's id of the customer; `None` for a guest.
    pub(crate) customer: Option<String>,
    /// The shop's metadata.
    pub(crate) metadata: BTreeMap<String, String>,
    /// Total of the order.
    pub(crate) total: Money,
    /// Amount due: the total, or the amount that was accepted as the payment.
    pub(crate) due: Money,
    /// Line items.
    pub(crate) lines: Vec<LineItem>,
    /// Discounts, shipping and taxes.
    pub(crate) adjustments: Vec<Adjustment>,
    /// Payments, the oldest first: one for each PaymentIntent of the order. A snapshot has the leading one alone.
    pub(crate) payments: Vec<PlatformPayment>,
    /// Refunds, in the order of their numbers.
    pub(crate) refunds: Vec<PlatformRefund>,
    /// Revision of the order's content.
    pub(crate) revision: u32,
    /// Time at which the order was placed.
    pub(crate) placed_at: Timestamp,
    /// Time of the last change.
    pub(crate) updated_at: Timestamp,
    /// Parts of the order that only its cart has; `None` for an order without a cart, and in a snapshot.
    pub(crate) cart: Option<CartParts>,
}

/// Status of an order in the shop dialect, with the time from which it has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlatformStatus {
    /// Placed and not paid, or paid by an event that Stripe's answers contradict.
    Open,
    /// Paid in full.
    Paid(Timestamp),
    /// Canceled.
    Canceled(Timestamp),
}

/// Payment of an order: one PaymentIntent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformPayment {
    /// Stripe's id of the PaymentIntent (`pi_…`).
    pub(crate) intent: IntentId,
    /// Status of the PaymentIntent.
    pub(crate) status: IntentStatus,
    /// Amount to pay.
    pub(crate) amount: Money,
    /// Amount received.
    pub(crate) received: Money,
    /// Whether the last attempt to pay failed.
    pub(crate) has_failed: bool,
    /// Whether the PaymentIntent paid the order.
    pub(crate) pays: bool,
    /// Time at which the PaymentIntent became known; `None` in a snapshot.
    pub(crate) created_at: Option<Timestamp>,
    /// Time of the PaymentIntent's newest snapshot; `None` in a snapshot of the order.
    pub(crate) updated_at: Option<Timestamp>,
}

/// Refund of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlatformRefund {
    /// Number within the order, from 1.
    pub(crate) number: u32,
    /// PaymentIntent that is refunded.
    pub(crate) intent: IntentId,
    /// Stripe's id of the refund (`re_…`), once it is known.
    pub(crate) stripe_id: Option<String>,
    /// Amount to refund.
    pub(crate) amount: Money,
    /// Latest known status.
    pub(crate) status: RefundStatus,
    /// Time at which the refund was requested, or became known.
    pub(crate) requested_at: Timestamp,
}

/// Parts of an order that are stored with its cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CartParts {
    /// The customer's instructions.
    pub(crate) special_instructions: Option<String>,
    /// Billing address.
    pub(crate) bill_address: Option<Address>,
    /// Shipping address.
    pub(crate) ship_address: Option<Address>,
    /// Parts of each line; `None` for a line that was changed since the order left the cart.
    pub(crate) lines: Vec<Option<CartLineParts>>,
    /// Taxes on the shipping, where they are known.
    pub(crate) shipping_tax: Option<ShippingTax>,
}

/// Parts of a line item that are stored with its cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CartLineParts {
    /// Id of the variant in the price list.
    pub(crate) variant: String,
    /// The storefront's metadata of the line.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl PlatformOrder {
    /// Order as it is stored, with the cart that it was made from, if any.
    pub(crate) fn of(order: &Order, cart: Option<&Cart>) -> Self {
        let status = match order.state {
            OrderState::Paid { at, .. } if order.is_paid() => PlatformStatus::Paid(at),
            OrderState::Open | OrderState::Paid { .. } => PlatformStatus::Open,
            OrderState::Canceled { at, .. } => PlatformStatus::Canceled(at),
        };
        let paid_by = order.paid_by().map(|it| &it.id);
        Self {
            id: order.id.to_string(),
            number: order.number.as_str().to_owned(),
            status,
            awaits_money: order.awaits_money(),
            is_held_for_review: order.is_held_for_review(),
            email: order.email.as_ref().map(Email::as_str).map(str::to_owned),
            customer: order.customer.as_ref().map(|it| it.as_str().to_owned()),
            metadata: texts(&order.metadata),
            total: order.total,
            due: order.amount_due(),
            lines: order.lines.clone(),
            adjustments: order.adjustments.clone(),
            payments: order.intents.iter().map(|it| PlatformPayment::of(it, paid_by == Some(&it.id))).collect(),
            refunds: order.refunds.iter().map(PlatformRefund::of).collect(),
            revision: order.revision,
            placed_at: order.placed_at,
            updated_at: order.updated_at,
            cart: cart.map(|it| CartParts::of(order, it)),
        }
    }

    /// Name of Spree's state of the order. Spree has more states for carts, which are not orders here.
    pub(crate) const fn state(&self) -> &'static str {
        match self.status {
            PlatformStatus::Canceled(_) => "canceled",
            PlatformStatus::Paid(_) => "complete",
            PlatformStatus::Open if self.awaits_money => "complete",
            PlatformStatus::Open => "payment",
        }
    }

    /// Time of the payment; for an order whose payment the bank is processing, the time at which it was placed.
    pub(crate) const fn completed_at(&self) -> Option<Timestamp> {
        match self.status {
            PlatformStatus::Paid(at) => Some(at),
            PlatformStatus::Open if self.awaits_money => Some(self.placed_at),
            PlatformStatus::Open | PlatformStatus::Canceled(_) => None,
        }
    }

    /// Time of the cancellation.
    pub(crate) const fn canceled_at(&self) -> Option<Timestamp> {
        match self.status {
            PlatformStatus::Canceled(at) => Some(at),
            PlatformStatus::Open | PlatformStatus::Paid(_) => None,
        }
    }

    /// Time of the payment of an order that no person must decide on: the payment is its approval.
    pub(crate) const fn approved_at(&self) -> Option<Timestamp> {
        match self.status {
            PlatformStatus::Paid(at) if !self.is_held_for_review => Some(at),
            PlatformStatus::Open | PlatformStatus::Paid(_) | PlatformStatus::Canceled(_) => None,
        }
    }

    /// Spree's `payment_state`, by what was received and refunded.
    pub(crate) fn payment_state(&self) -> Result<&'static str, MoneyError> {
        match self.status {
            PlatformStatus::Canceled(_) => return Ok("void"),
            PlatformStatus::Open => return Ok("balance_due"),
            PlatformStatus::Paid(_) => {}
        }
        let Some(payment) = self.payments.iter().find(|it| it.pays) else { return Ok("balance_due") };
        let left = payment.received.minus(self.refunded_of(payment)?)?;
        Ok(match left.minus(self.due) {
            Err(_) => "balance_due",
            Ok(over) if over.is_zero() => "paid",
            Ok(_) => "credit_owed",
        })
    }

    /// Sum of the refunds of a payment, made and under way.
    pub(crate) fn refunded_of(&self, payment: &PlatformPayment) -> Result<Money, MoneyError> {
        let refunds = self.refunds_of(&payment.intent).filter(|it| it.status.holds_money());
        refunds.map(|it| it.amount).try_fold(Money::zero(payment.received.currency()), Money::plus)
    }

    /// Refunds of a payment, in the order of their numbers.
    pub(crate) fn refunds_of(&self, intent: &IntentId) -> impl Iterator<Item = &PlatformRefund> {
        self.refunds.iter().filter(move |it| it.intent == *intent)
    }

    /// Money received by all payments in the order's currency, less refunds.
    pub(crate) fn payment_total(&self) -> Result<Money, MoneyError> {
        let currency = self.total.currency();
        let mut total = Money::zero(currency);
        for payment in self.payments.iter().filter(|it| it.received.currency() == currency) {
            total = total.plus(payment.received.minus(self.refunded_of(payment)?)?)?;
        }
        Ok(total)
    }

    /// Totals, allocated to lines and shipping.
    pub(crate) fn breakdown(&self) -> Result<Breakdown, MoneyError> {
        let shipping_tax = self.cart.as_ref().and_then(|it| it.shipping_tax);
        Breakdown::of(self.total.currency(), &self.lines, &self.adjustments, shipping_tax)
    }
}

impl PlatformPayment {
    fn of(intent: &PaymentIntent, pays: bool) -> Self {
        Self {
            intent: intent.id.clone(),
            status: intent.status,
            amount: intent.amount,
            received: intent.received,
            has_failed: intent.last_error.is_some(),
            pays,
            created_at: Some(intent.created_at),
            updated_at: Some(intent.as_of.max(intent.created_at)),
        }
    }
}

impl PlatformRefund {
    fn of(refund: &Refund) -> Self {
        Self {
            number: refund.number,
            intent: refund.intent.clone(),
            stripe_id: refund.provider_id.as_ref().map(|it| it.as_str().to_owned()),
            amount: refund.amount,
            status: refund.status,
            requested_at: refund.requested_at,
        }
    }
}

fn texts(metadata: &Metadata) -> BTreeMap<String, String> {
    metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

impl CartParts {
    fn of(order: &Order, cart: &Cart) -> Self {
        let line = |(place, item): (usize, &LineItem)| {
            let line = cart.lines.get(place).filter(|it| it.item == *item);
            line.map(|it| CartLineParts { variant: it.variant.as_str().to_owned(), metadata: texts(&it.metadata) })
        };
        Self {
            special_instructions: cart.special_instructions.as_ref().map(Text::as_str).map(str::to_owned),
            bill_address: cart.billing_address.clone(),
            ship_address: cart.shipping_address.clone(),
            lines: order.lines.iter().enumerate().map(line).collect(),
            shipping_tax: cart.shipping_tax.filter(|_| cart.adjustments == order.adjustments),
        }
    }
}
