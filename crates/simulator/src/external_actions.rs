//! Actions at Stripe outside Paywright: of customers, banks, people at the dashboard, other programs, and Stripe itself.

use paywright_domain::Timestamp;
use paywright_stripe_twin::{DisputeView, IntentView, Params, TransactionView};

use crate::kept_books::Difference;
use crate::stripe::form;
use crate::world::{BEGINNING_SECONDS, Core};

/// Test card that pays.
pub(crate) const VISA: &str = "pm_card_visa";

/// URL to which a customer returns after a redirect.
const RETURN: &str = "https://shop.example/";

/// An action at Stripe outside Paywright: of a customer, a bank, a person at the dashboard or another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExternalAction {
    /// The customer confirms the shown intent with this test card.
    Pay(&'static str),
    /// The customer passes or fails the bank's authentication.
    Authenticate(bool),
    /// The bank approves or declines a payment that is processing.
    BankDecides(bool),
    /// A person refunds this amount at the dashboard.
    Refund(i64),
    /// A person captures this amount at the dashboard, which releases the rest.
    Capture(i64),
    /// A person cancels the intent at the dashboard.
    Cancel,
    /// Another program changes the intent's amount.
    ChangeAmount(i64),
    /// Another program changes the intent's currency.
    ChangeCurrency,
    /// Another program creates a second intent for the order, and it is paid.
    SecondIntent,
    /// Another program on the account is paid for something unrelated.
    ForeignPayment,
    /// The cardholder disputes the payment.
    Dispute,
    /// The shop submits evidence at the dashboard.
    GiveEvidence,
    /// The bank decides the dispute: won by the shop if true.
    CloseDispute(bool),
    /// The bank reverses its decision of a dispute: won by the shop if true.
    ReverseDispute(bool),
    /// The bank accepts or rejects the last refund.
    BankDecidesRefund(bool),
    /// The bank returns the last payout.
    ReturnPayout,
    /// Stripe moves the balance under a category that it does not document.
    UnknownMovement,
    /// Stripe moves the balance, and lists it twenty hours late.
    LateMovement,
    /// Stripe moves the amount of a payment a second time.
    SecondCharge,
}

impl ExternalAction {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pay(card) => card,
            Self::Authenticate(true) => "authenticate",
            Self::Authenticate(false) => "fail to authenticate",
            Self::BankDecides(true) => "the bank approves the payment",
            Self::BankDecides(false) => "the bank declines the payment",
            Self::Refund(_) => "refund at the dashboard",
            Self::Capture(_) => "capture at the dashboard",
            Self::Cancel => "cancel at the dashboard",
            Self::ChangeAmount(_) => "another program changes the amount",
            Self::ChangeCurrency => "another program changes the currency",
            Self::SecondIntent => "pay by another program's intent for the order",
            Self::ForeignPayment => "pay for another program's sale",
            Self::Dispute => "dispute",
            Self::GiveEvidence => "submit evidence at the dashboard",
            Self::CloseDispute(true) => "the shop wins the dispute",
            Self::CloseDispute(false) => "the shop loses the dispute",
            Self::ReverseDispute(true) => "the bank reverses: the shop wins the dispute",
            Self::ReverseDispute(false) => "the bank reverses: the shop loses the dispute",
            Self::BankDecidesRefund(true) => "the bank accepts the refund",
            Self::BankDecidesRefund(false) => "the bank rejects the refund",
            Self::ReturnPayout => "the bank returns the payout",
            Self::UnknownMovement => "Stripe moves the balance under an unknown category",
            Self::LateMovement => "Stripe lists a movement late",
            Self::SecondCharge => "Stripe moves the amount of a payment twice",
        }
    }

    /// Whether the intent's amount or currency, or the received money, may differ from what is due because of this
    /// action.
    pub(crate) const fn changes_what_is_due(self) -> bool {
        matches!(self, Self::ChangeAmount(_) | Self::ChangeCurrency | Self::SecondIntent)
    }

    /// Request of an action at the balance.
    fn request_at_balance(self, core: &Core) -> Option<(String, Params)> {
        Some(match self {
            Self::ReturnPayout => {
                let id = core.stripe.twin.payouts().next_back()?.id;
                (format!("/_twin/payouts/{id}/fail"), form([]))
            }
            Self::UnknownMovement => movement([
                ("amount", "-700".to_owned()),
                ("currency", "usd".to_owned()),
                ("reporting_category", UNKNOWN.to_owned()),
            ]),
            Self::LateMovement => {
                // No movement from before the first day of the books.
                let began = Timestamp::from_unix_seconds(BEGINNING_SECONDS).ok()?;
                if core.now < began.plus_seconds(LATE_SECONDS) {
                    return None;
                }
                let created = core.now.minus_seconds(LATE_SECONDS).unix_seconds().to_string();
                movement([("amount", "-50".to_owned()), ("currency", "usd".to_owned()), ("created", created)])
            }
            Self::SecondCharge => {
                let row = second_charge(core)?;
                let kind = if row.source?.starts_with("py_") { "payment" } else { "charge" };
                movement([
                    ("amount", row.amount.to_string()),
                    ("currency", row.currency.to_owned()),
                    ("source", row.source?.to_owned()),
                    ("type", kind.to_owned()),
                ])
            }
            Self::Pay(_)
            | Self::Authenticate(_)
            | Self::BankDecides(_)
            | Self::Refund(_)
            | Self::Capture(_)
            | Self::Cancel
            | Self::ChangeAmount(_)
            | Self::ChangeCurrency
            | Self::SecondIntent
            | Self::ForeignPayment
            | Self::Dispute
            | Self::GiveEvidence
            | Self::CloseDispute(_)
            | Self::ReverseDispute(_)
            | Self::BankDecidesRefund(_) => return None,
        })
    }

    /// Difference that the action makes between Stripe's balance and what is sold.
    pub(crate) fn difference(self, core: &Core) -> Option<Difference> {
        match self {
            Self::UnknownMovement => Some(Difference::Break(format!("unknown_category:{UNKNOWN}"))),
            Self::SecondCharge => Some(Difference::Break(format!("duplicate:{}", second_charge(core)?.intent?))),
            Self::LateMovement => Some(Difference::Late),
            Self::Pay(_)
            | Self::Authenticate(_)
            | Self::BankDecides(_)
            | Self::Refund(_)
            | Self::Capture(_)
            | Self::Cancel
            | Self::ChangeAmount(_)
            | Self::ChangeCurrency
            | Self::SecondIntent
            | Self::ForeignPayment
            | Self::Dispute
            | Self::GiveEvidence
            | Self::CloseDispute(_)
            | Self::ReverseDispute(_)
            | Self::BankDecidesRefund(_)
            | Self::ReturnPayout => None,
        }
    }

    /// Request of the action at Stripe; `None` if there is no object for it.
    pub(crate) fn request(self, core: &Core) -> Option<(String, Params)> {
        let order = core.books.order.map(|it| it.to_string());
        let is_ours = |it: &IntentView<'_>| {
            order.is_some() && it.metadata.get("order_id").map(String::as_str) == order.as_deref()
        };
        // The intent that the page shows, or else the newest one.
        let shown = core.books.shown.as_ref().map(|it| it.as_str().to_owned());
        let intent = shown.or_else(|| core.stripe.twin.intents().filter(is_ours).last().map(|it| it.id.to_owned()));
        let path = |verb: &str| intent.as_ref().map(|it| format!("/v1/payment_intents/{it}{verb}"));
        let twin = |verb: &str| intent.as_ref().map(|it| format!("/_twin/payment_intents/{it}{verb}"));
        let is_open = |it: &DisputeView<'_>| it.status == "needs_response" || it.status == "under_review";
        let outcome = |yes: bool, good: &str, bad: &str| form([("outcome", if yes { good } else { bad }.to_owned())]);
        let paid = |amount: String, more: Option<(&str, String)>| {
            let pairs = [("amount", amount), ("currency", "usd".to_owned()), ("confirm", "true".to_owned())];
            let card = ("payment_method", VISA.to_owned());
            let pairs = pairs.into_iter().chain([("return_url", RETURN.to_owned())]);
            ("/v1/payment_intents".to_owned(), pairs.chain([card]).chain(more).collect())
        };
        Some(match self {
            Self::Pay(card) => {
                (path("/confirm")?, form([("payment_method", card.to_owned()), ("return_url", RETURN.to_owned())]))
            }
            Self::Authenticate(yes) | Self::BankDecides(yes) => (twin("/finish")?, outcome(yes, "succeeded", "failed")),
            Self::Refund(amount) => {
                ("/v1/refunds".to_owned(), form([("payment_intent", intent?), ("amount", amount.to_string())]))
            }
            Self::Capture(amount) => (path("/capture")?, form([("amount_to_capture", amount.to_string())])),
            Self::Cancel => (path("/cancel")?, form([])),
            Self::ChangeAmount(amount) => (path("")?, form([("amount", amount.to_string())])),
            Self::ChangeCurrency => (path("")?, form([("currency", "eur".to_owned())])),
            Self::SecondIntent => {
                let amount = core.stripe.twin.intents().find(is_ours).map_or(1000, |it| it.amount);
                paid(amount.to_string(), Some(("metadata.order_id", order.clone()?)))
            }
            Self::ForeignPayment => paid("700".to_owned(), None),
            Self::Dispute => (twin("/dispute")?, form([])),
            Self::GiveEvidence => {
                let id = core.stripe.twin.disputes().find(is_open)?.id;
                (format!("/v1/disputes/{id}"), form([("evidence.receipt", "file_1".to_owned())]))
            }
            Self::CloseDispute(won) => {
                let id = core.stripe.twin.disputes().find(is_open)?.id;
                (format!("/_twin/disputes/{id}/close"), outcome(won, "won", "lost"))
            }
            Self::ReverseDispute(won) => {
                let id = core.stripe.twin.disputes().find(|it| !is_open(it))?.id;
                (format!("/_twin/disputes/{id}/close"), outcome(won, "won", "lost"))
            }
            Self::BankDecidesRefund(accepted) => {
                let id = core.stripe.twin.refunds().last()?.id;
                (format!("/_twin/refunds/{id}/finish"), outcome(accepted, "succeeded", "failed"))
            }
            Self::ReturnPayout | Self::UnknownMovement | Self::LateMovement | Self::SecondCharge => {
                return self.request_at_balance(core);
            }
        })
    }
}

/// Category that Stripe does not document.
const UNKNOWN: &str = "moon_landing";

/// Time after which a late movement is listed, in seconds.
const LATE_SECONDS: u32 = 20 * 3600;

/// Request that adds a movement of the balance.
fn movement<const N: usize>(pairs: [(&str, String); N]) -> (String, Params) {
    ("/_twin/balance_transactions".to_owned(), form(pairs))
}

/// Charge of an order of ours whose amount is moved a second time.
fn second_charge(core: &Core) -> Option<TransactionView<'_>> {
    let twin = &core.stripe.twin;
    let is_ours = |id: &str| twin.intents().any(|it| it.id == id && it.metadata.contains_key("revision"));
    twin.balance_transactions().find(|it| it.category == "charge" && it.intent.is_some_and(is_ours))
}
