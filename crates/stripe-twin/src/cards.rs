//! Test payment methods, by the tokens of Stripe's page "Testing" (docs.stripe.com/testing).

use serde_json::{Value, json};

use crate::test_cards::CARDS;

/// Outcome of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeds,
    /// The bank declines.
    Declined(Decline),
    /// The customer must authenticate; then the payment succeeds, or is declined.
    Authenticates(Authentication, Option<Decline>),
    /// The bank decides later.
    Processing,
}

#[expect(clippy::struct_field_names, reason = "Stripe's name")]
/// Error code, decline code and message of a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decline {
    pub(crate) code: &'static str,
    pub(crate) decline_code: &'static str,
    pub(crate) message: &'static str,
}

/// Payments that a card requires an authentication for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// Every payment.
    Always,
    /// Every payment on session, and those off session unless the card was set up.
    UnlessSetUp,
    /// Payments on session only: the card counts as set up.
    OnSession,
    /// Only payments that request 3-D Secure.
    OnRequest,
}

/// Effect of a card after a successful payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    None,
    /// The payment is disputed, with this reason.
    Disputed(&'static str),
    /// The payment is disputed twice, with this reason: each dispute is of one half.
    DisputedTwice(&'static str),
    /// The bank inquires; no money is withdrawn.
    Inquiry,
    RefundFails,
    RefundPending,
}

/// Risk that Radar sees in a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Risk {
    Normal,
    Elevated,
    /// Radar blocks the payment.
    Blocked,
}

impl Risk {
    /// `risk_level` and `risk_score` of a charge.
    pub(crate) const fn level(self) -> (&'static str, i64) {
        match self {
            Self::Normal => ("normal", 20),
            Self::Elevated => ("elevated", 70),
            Self::Blocked => ("highest", 90),
        }
    }
}

/// Result of a check of the card's data: CVC, postal code and first line of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checks {
    pub(crate) cvc: &'static str,
    pub(crate) postal_code: Option<&'static str>,
    pub(crate) line1: Option<&'static str>,
}

/// A test card, or a test bank account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Card {
    pub(crate) token: &'static str,
    /// Brand; `us_bank_account` for a bank account.
    pub(crate) brand: &'static str,
    pub(crate) last4: &'static str,
    pub(crate) country: &'static str,
    pub(crate) funding: &'static str,
    pub(crate) outcome: Outcome,
    /// Whether a decline happens at a charge only: the card can be attached and set up.
    pub(crate) is_attachable: bool,
    pub(crate) aftermath: Aftermath,
    pub(crate) risk: Risk,
    pub(crate) checks: Checks,
}

impl Card {
    /// Type of the payment method.
    pub(crate) fn kind(&self) -> &'static str {
        if self.brand == "us_bank_account" { "us_bank_account" } else { "card" }
    }

    /// Decline of an attachment or a setup.
    pub(crate) fn attachment_decline(&self) -> Option<Decline> {
        match self.outcome {
            Outcome::Declined(decline) if !self.is_attachable => Some(decline),
            Outcome::Declined(_) | Outcome::Succeeds | Outcome::Authenticates(..) | Outcome::Processing => None,
        }
    }
}

/// Card of a token. Declined cards have two names: `pm_card_chargeDeclined` and `pm_card_visa_chargeDeclined`.
pub(crate) fn by_token(token: &str) -> Option<&'static Card> {
    let short = token.strip_prefix("pm_card_visa_charge");
    let is_it = |it: &&Card| {
        it.token == token || short.is_some_and(|short| it.token.strip_prefix("pm_card_charge") == Some(short))
    };
    CARDS.iter().find(is_it)
}

/// Card of a token of the older kind, like `tok_visa`.
pub(crate) fn by_old_token(token: &str) -> Option<&'static Card> {
    by_token(&format!("pm_card_{}", token.strip_prefix("tok_")?))
}

/// Fingerprint of a card number: the same for the same number.
fn fingerprint(card: &Card) -> String {
    format!("twin{}{}", card.last4, card.brand)
}

/// `card` or `us_bank_account` of a payment method.
pub(crate) fn shown(token: &str, exp_month: i64, exp_year: i64) -> Value {
    let Some(card) = by_token(token) else { return Value::Null };
    if card.kind() == "us_bank_account" {
        return json!({ "account_holder_type": "individual", "account_type": "checking", "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": null, "fingerprint": fingerprint(card), "last4": card.last4,
            "networks": { "preferred": "ach", "supported": ["ach"] }, "routing_number": "110000000",
            "status_details": {} });
    }
    json!({ "brand": card.brand, "checks": checks(card), "country": card.country, "display_brand": card.brand,
        "exp_month": exp_month, "exp_year": exp_year, "fingerprint": fingerprint(card), "funding": card.funding,
        "generated_from": null, "last4": card.last4, "networks": { "available": [card.brand], "preferred": null },
        "regulated_status": "unregulated", "three_d_secure_usage": { "supported": true }, "wallet": null })
}

fn checks(card: &Card) -> Value {
    json!({ "address_line1_check": card.checks.line1, "address_postal_code_check": card.checks.postal_code,
        "cvc_check": card.checks.cvc })
}

/// `payment_method_details` of a charge.
pub(crate) fn details(token: &str, amount: i64, is_authenticated: bool) -> Value {
    let Some(card) = by_token(token) else { return Value::Null };
    if card.kind() == "us_bank_account" {
        let account = json!({ "account_holder_type": "individual", "account_type": "checking",
            "bank_name": "STRIPE TEST BANK", "fingerprint": fingerprint(card), "last4": card.last4,
            "payment_reference": null, "routing_number": "110000000" });
        return json!({ "type": "us_bank_account", "us_bank_account": account });
    }
    let authentication = is_authenticated.then(|| {
        json!({ "authentication_flow": "challenge", "electronic_commerce_indicator": "05", "exemption_indicator": null,
            "result": "authenticated", "result_reason": null, "transaction_id": null, "version": "2.2.0" })
    });
    let shown = json!({ "amount_authorized": amount, "authorization_code": null, "brand": card.brand,
        "checks": checks(card), "country": card.country, "exp_month": 12, "exp_year": 2034,
        "extended_authorization": { "status": "disabled" }, "fingerprint": fingerprint(card), "funding": card.funding,
        "incremental_authorization": { "status": "unavailable" }, "installments": null, "last4": card.last4,
        "mandate": null, "multicapture": { "status": "unavailable" }, "network": card.brand, "network_token": { "used": false },
        "network_transaction_id": null, "overcapture": { "maximum_amount_capturable": amount, "status": "unavailable" },
        "regulated_status": "unregulated", "three_d_secure": authentication, "wallet": null });
    json!({ "card": shown, "type": "card" })
}
