//! Stripe's test cards, by the PaymentMethod names that its API accepts for them ("Testing").

/// Outcome of a confirmation with a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeds,
    /// The bank declines, with a code, a decline code and a message.
    Declined(&'static str, &'static str, &'static str),
    /// The customer must authenticate first.
    NeedsAction,
    /// The bank decides later.
    Processing,
}

/// Effect of a test card after a successful payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    None,
    Disputed,
    RefundFails,
    RefundPending,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Card {
    pub(crate) token: &'static str,
    pub(crate) brand: &'static str,
    pub(crate) last4: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) aftermath: Aftermath,
}

const fn card(token: &'static str, brand: &'static str, last4: &'static str, outcome: Outcome) -> Card {
    Card { token, brand, last4, outcome, aftermath: Aftermath::None }
}

const fn declined(token: &'static str, last4: &'static str, code: &'static str, decline: &'static str) -> Card {
    let text = match code.as_bytes() {
        b"expired_card" => "Your card has expired.",
        b"incorrect_cvc" => "Your card's security code is incorrect.",
        b"processing_error" => "An error occurred while processing your card. Try again in a little bit.",
        _ => match decline.as_bytes() {
            b"insufficient_funds" => "Your card has insufficient funds.",
            _ => "Your card was declined.",
        },
    };
    card(token, "visa", last4, Outcome::Declined(code, decline, text))
}

const CARDS: &[Card] = &[
    card("pm_card_visa", "visa", "4242", Outcome::Succeeds),
    card("pm_card_visa_debit", "visa", "5556", Outcome::Succeeds),
    card("pm_card_mastercard", "mastercard", "4444", Outcome::Succeeds),
    card("pm_card_amex", "amex", "8431", Outcome::Succeeds),
    declined("pm_card_chargeDeclined", "0002", "card_declined", "generic_decline"),
    declined("pm_card_visa_chargeDeclined", "0002", "card_declined", "generic_decline"),
    declined("pm_card_chargeDeclinedInsufficientFunds", "9995", "card_declined", "insufficient_funds"),
    declined("pm_card_visa_chargeDeclinedInsufficientFunds", "9995", "card_declined", "insufficient_funds"),
    declined("pm_card_visa_chargeDeclinedLostCard", "9987", "card_declined", "lost_card"),
    declined("pm_card_visa_chargeDeclinedStolenCard", "9979", "card_declined", "stolen_card"),
    declined("pm_card_chargeDeclinedFraudulent", "0019", "card_declined", "fraudulent"),
    declined("pm_card_chargeDeclinedExpiredCard", "0069", "expired_card", "expired_card"),
    declined("pm_card_chargeDeclinedIncorrectCvc", "0127", "incorrect_cvc", "incorrect_cvc"),
    declined("pm_card_chargeDeclinedProcessingError", "0119", "processing_error", "processing_error"),
    card("pm_card_authenticationRequired", "visa", "3184", Outcome::NeedsAction),
    card("pm_card_threeDSecure2Required", "visa", "3220", Outcome::NeedsAction),
    card("pm_usBankAccount_processing", "us_bank_account", "6789", Outcome::Processing),
    Card { aftermath: Aftermath::Disputed, ..card("pm_card_createDispute", "visa", "0259", Outcome::Succeeds) },
    Card { aftermath: Aftermath::RefundFails, ..card("pm_card_refundFail", "visa", "5126", Outcome::Succeeds) },
    Card { aftermath: Aftermath::RefundPending, ..card("pm_card_pendingRefund", "visa", "7726", Outcome::Succeeds) },
];

pub(crate) fn by_token(token: &str) -> Option<&'static Card> {
    CARDS.iter().find(|it| it.token == token)
}
