//! Typed views of the twin's money objects, with which a test compares another program's records.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::balance::BALANCES;
use crate::objects::{BalanceTransaction, Dispute, Event, Intent, Payout, Refund, Snapshot};
use crate::state::Twin;

/// View of a PaymentIntent. Amounts are in the currency's wire units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentView<'a> {
    /// Id of the PaymentIntent (`pi_…`).
    pub id: &'a str,
    /// Client secret with which a browser confirms the PaymentIntent.
    pub client_secret: &'a str,
    /// Status, like `requires_capture`.
    pub status: &'a str,
    /// Amount to be paid.
    pub amount: i64,
    /// Amount received.
    pub received: i64,
    /// Amount authorized and not captured yet.
    pub capturable: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Capture method: `automatic`, `automatic_async` or `manual`.
    pub capture_method: &'a str,
    /// `last_payment_error` as JSON.
    pub last_error: Option<&'a Value>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Metadata, as written by the program that created the PaymentIntent.
    pub metadata: &'a BTreeMap<String, String>,
}

/// View of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundView<'a> {
    /// Id of the refund (`re_…`).
    pub id: &'a str,
    /// Id of the PaymentIntent whose money is refunded.
    pub intent: &'a str,
    /// Amount refunded, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Status, like `pending`.
    pub status: &'a str,
    /// Reason that the request gave.
    pub reason: Option<&'a str>,
    /// Reason of a failure, like `expired_or_canceled_card`.
    pub failure_reason: Option<&'a str>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Metadata, as written by the program that created the refund.
    pub metadata: &'a BTreeMap<String, String>,
}

/// View of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisputeView<'a> {
    /// Id of the dispute (`du_…`).
    pub id: &'a str,
    /// Id of the PaymentIntent whose payment is disputed.
    pub intent: &'a str,
    /// Disputed amount, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Status, like `needs_response`.
    pub status: &'a str,
    /// Reason that the bank gave, like `fraudulent`.
    pub reason: &'a str,
}

/// View of a balance transaction. Amounts are in the currency's wire units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionView<'a> {
    /// Id of the balance transaction (`txn_…`).
    pub id: &'a str,
    /// Id of the charge, refund, dispute or payout that caused it.
    pub source: Option<&'a str>,
    /// PaymentIntent of the charge, refund or dispute that caused it.
    pub intent: Option<&'a str>,
    /// Reporting category.
    pub category: &'a str,
    /// Balance that it moves, like `payments`.
    pub balance: &'a str,
    /// Gross amount.
    pub amount: i64,
    /// Fee.
    pub fee: i64,
    /// Sum of the parts of the fee.
    pub sum_of_fees: i64,
    /// Net amount.
    pub net: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Whether the source has another currency.
    pub is_converted: bool,
    /// Description.
    pub description: Option<&'a str>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Time from which the money can be paid out, in seconds since 1970.
    pub available_on: i64,
    /// Payout with which it was paid out, or that it is.
    pub payout: Option<&'a str>,
}

/// View of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutView<'a> {
    /// Id of the payout (`po_…`).
    pub id: &'a str,
    /// Amount, in the currency's wire units.
    pub amount: i64,
    /// Currency code of ISO 4217, in lower case.
    pub currency: &'a str,
    /// Whether the schedule made it.
    pub automatic: bool,
    /// Status, like `in_transit`.
    pub status: &'a str,
    /// Whether its balance transactions can be listed.
    pub is_reconciled: bool,
    /// Balance transaction that took the amount.
    pub balance_transaction: &'a str,
    /// Balance transaction that returned the amount.
    pub failure_balance_transaction: Option<&'a str>,
    /// Code of a failure.
    pub failure_code: Option<&'a str>,
    /// Time of creation, in seconds since 1970.
    pub created: i64,
    /// Day of the arrival at the bank, as its start in seconds since 1970.
    pub arrival: i64,
}

/// Sum of a balance in one currency, in its wire units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceView {
    /// Balance, like `payments`.
    pub balance: &'static str,
    /// Currency code of ISO 4217, in lower case.
    pub currency: String,
    /// Amount that can be paid out.
    pub available: i64,
    /// Amount that cannot be paid out yet.
    pub pending: i64,
}

/// View of the object of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectView<'a> {
    /// A PaymentIntent.
    Intent(IntentView<'a>),
    /// A refund.
    Refund(RefundView<'a>),
    /// A dispute.
    Dispute(DisputeView<'a>),
    /// A charge.
    Charge {
        /// Id of the charge's PaymentIntent.
        intent: &'a str,
        /// Whether the balance transaction with the fee is known.
        has_fee: bool,
    },
    /// An object of another kind.
    Other,
}

impl Twin {
    /// Every PaymentIntent, the oldest first.
    pub fn intents(&self) -> impl Iterator<Item = IntentView<'_>> {
        self.intents.iter().map(Intent::view)
    }

    /// Every refund, the oldest first.
    pub fn refunds(&self) -> impl Iterator<Item = RefundView<'_>> {
        self.refunds.iter().map(Refund::view)
    }

    /// Every dispute, the oldest first.
    pub fn disputes(&self) -> impl Iterator<Item = DisputeView<'_>> {
        self.disputes.iter().map(Dispute::view)
    }

    /// Every balance transaction, the oldest first.
    pub fn balance_transactions(&self) -> impl DoubleEndedIterator<Item = TransactionView<'_>> {
        self.balance_transactions.iter().map(|it| self.transaction_view(it))
    }

    fn transaction_view<'a>(&'a self, row: &'a BalanceTransaction) -> TransactionView<'a> {
        let is_caused = row.source.as_deref().filter(|it| !it.starts_with("po_"));
        let of_row = is_caused.map(|_| row.intent.as_str()).filter(|it| !it.is_empty());
        // A row that was added by a request names its charge alone.
        let of_charge = || is_caused.and_then(|it| self.charges.get(it)).map(|it| it.intent.as_str());
        TransactionView {
            id: &row.id,
            source: row.source.as_deref(),
            intent: of_row.or_else(of_charge),
            category: row.category(),
            balance: &row.balance,
            amount: row.amount,
            fee: row.fee,
            sum_of_fees: row.sum_of_fees.unwrap_or(row.fee),
            net: row.net(),
            currency: &row.currency,
            is_converted: row.rate.is_some(),
            description: row.description.as_deref(),
            created: row.created,
            available_on: row.available_on,
            payout: row.payout.as_deref(),
        }
    }

    /// Every payout, the oldest first.
    pub fn payouts(&self) -> impl DoubleEndedIterator<Item = PayoutView<'_>> {
        self.payouts.iter().map(Payout::view)
    }

    /// Sums of each balance at `now`, in seconds since 1970. That of `risk_reserved` is left out, as by Stripe.
    pub fn balances(&self, now: i64) -> Vec<BalanceView> {
        let shown = BALANCES.iter().copied().filter(|it| *it != "risk_reserved");
        let of_balance = |balance: &'static str| self.currencies(balance).into_iter().map(move |it| (balance, it));
        let sum = |(balance, currency): (&'static str, String)| BalanceView {
            balance,
            available: self.available_of(balance, &currency, now),
            pending: self.pending_of(balance, &currency, now),
            currency,
        };
        shown.flat_map(of_balance).map(sum).collect()
    }
}

impl Payout {
    fn view(&self) -> PayoutView<'_> {
        PayoutView {
            id: &self.id,
            amount: self.amount,
            currency: &self.currency,
            automatic: self.automatic,
            status: &self.status,
            is_reconciled: self.is_reconciled,
            balance_transaction: &self.balance_transaction,
            failure_balance_transaction: self.failure_balance_transaction.as_deref(),
            failure_code: self.failure_code.as_deref(),
            created: self.created,
            arrival: self.arrival_date,
        }
    }
}

impl Intent {
    fn view(&self) -> IntentView<'_> {
        IntentView {
            id: &self.id,
            client_secret: &self.client_secret,
            status: &self.status,
            amount: self.amount,
            received: self.amount_received,
            capturable: self.amount_capturable,
            currency: &self.currency,
            capture_method: &self.capture_method,
            last_error: self.last_payment_error.as_ref(),
            created: self.created,
            metadata: &self.metadata,
        }
    }
}

impl Refund {
    fn view(&self) -> RefundView<'_> {
        RefundView {
            id: &self.id,
            intent: &self.intent,
            amount: self.amount,
            currency: &self.currency,
            status: &self.status,
            reason: self.reason.as_deref(),
            failure_reason: self.failure_reason.as_deref(),
            created: self.created,
            metadata: &self.metadata,
        }
    }
}

impl Dispute {
    fn view(&self) -> DisputeView<'_> {
        DisputeView {
            id: &self.id,
            intent: &self.intent,
            amount: self.amount,
            currency: &self.currency,
            status: &self.status,
            reason: &self.reason,
        }
    }
}

impl Snapshot {
    pub(crate) fn view(&self) -> ObjectView<'_> {
        match self {
            Self::Intent(it) => ObjectView::Intent(it.view()),
            Self::Refund(it) => ObjectView::Refund(it.view()),
            Self::Dispute(it) => ObjectView::Dispute(it.view()),
            Self::Charge(it) => ObjectView::Charge { intent: &it.intent, has_fee: it.balance_transaction.is_some() },
            Self::Customer(_) | Self::PaymentMethod(_) | Self::SetupIntent(_) | Self::Payout(_) => ObjectView::Other,
        }
    }
}

impl Event {
    /// View of the object as it was when the event was created.
    pub fn object(&self) -> ObjectView<'_> {
        self.object.view()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::account::DAY;
    use crate::request::Method;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn the_views_of_the_balance_are_what_the_calls_show() {
        let mut twin = Twin::default();
        post(&mut twin, "/_twin/account", "payouts=daily");
        let form = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa";
        let intent = post(&mut twin, "/v1/payment_intents", form).body;
        let later = NOW + 4 * DAY;
        twin.advance(later);
        let of = |twin: &Twin| twin.balances(later).pop().map(|it| (it.balance, it.available, it.pending));
        assert_eq!(of(&twin), Some(("payments", 0, 0)), "all is paid out");
        post(&mut twin, "/_twin/balance_transactions", "amount=-70&currency=usd&balance_type=risk_reserved");
        assert_eq!(twin.balances(later).len(), 1, "Stripe shows no reserve");
        let rows: Vec<_> = twin.balance_transactions().map(|it| (it.category, it.net, it.intent)).collect();
        let id = intent["id"].as_str();
        assert_eq!(rows, [("charge", 941, id), ("payout", -941, None), ("other_adjustment", -70, None)]);
        let payout = twin.payouts().next().unwrap();
        let (amount, is_reconciled, name) = (payout.amount, payout.is_reconciled, payout.id.to_owned());
        assert!(is_reconciled && twin.balance_transactions().take(2).all(|it| it.payout == Some(name.as_str())));
        let shown = twin.handle(&request(Method::Get, &format!("/v1/payouts/{name}"), ""), later).0.body;
        assert_eq!((&shown["amount"], &shown["reconciliation_status"]), (&json!(amount), &json!("completed")));
    }
}
