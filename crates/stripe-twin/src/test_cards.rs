//! Table of the test payment methods, in the sections of Stripe's page "Testing" (docs.stripe.com/testing).

use crate::cards::{Aftermath, Authentication, Card, Checks, Decline, Outcome, Risk};

const PASSED: Checks = Checks { cvc: "pass", postal_code: None, line1: None };

const fn card(token: &'static str, brand: &'static str, last4: &'static str, country: &'static str) -> Card {
    Card {
        token,
        brand,
        last4,
        country,
        funding: "credit",
        outcome: Outcome::Succeeds,
        is_attachable: false,
        aftermath: Aftermath::None,
        risk: Risk::Normal,
        checks: PASSED,
    }
}

/// A Visa card of the United States.
const fn visa(token: &'static str, last4: &'static str) -> Card {
    card(token, "visa", last4, "US")
}

const fn funded(funding: &'static str, card: Card) -> Card {
    Card { funding, ..card }
}

const fn bank(code: &'static str, decline_code: &'static str) -> Decline {
    let message = match (code.as_bytes(), decline_code.as_bytes()) {
        (b"expired_card", _) => "Your card has expired.",
        (b"incorrect_cvc", _) => "Your card's security code is incorrect.",
        (b"processing_error", _) => "An error occurred while processing your card. Try again in a little bit.",
        (_, b"insufficient_funds") => "Your card has insufficient funds.",
        (_, _) => "Your card was declined.",
    };
    Decline { code, decline_code, message }
}

const fn declined(token: &'static str, last4: &'static str, code: &'static str, decline_code: &'static str) -> Card {
    Card { outcome: Outcome::Declined(bank(code, decline_code)), ..visa(token, last4) }
}

const fn authenticates(token: &'static str, last4: &'static str, when: Authentication) -> Card {
    Card { outcome: Outcome::Authenticates(when, None), ..visa(token, last4) }
}

const fn refused_after(token: &'static str, last4: &'static str, when: Authentication, decline: Decline) -> Card {
    Card { outcome: Outcome::Authenticates(when, Some(decline)), ..visa(token, last4) }
}

const fn disputed(token: &'static str, last4: &'static str, reason: &'static str) -> Card {
    Card { aftermath: Aftermath::Disputed(reason), ..visa(token, last4) }
}

const fn checked(
    token: &'static str,
    last4: &'static str,
    cvc: &'static str,
    line1: &'static str,
    postal_code: &'static str,
) -> Card {
    Card { checks: Checks { cvc, postal_code: Some(postal_code), line1: Some(line1) }, ..visa(token, last4) }
}

const ALWAYS: Authentication = Authentication::Always;
const SHORT: Decline = bank("card_declined", "insufficient_funds");
const BLOCKED: Decline = bank("card_declined", "fraudulent");

#[rustfmt::skip]
pub(crate) const CARDS: &[Card] = &[
    // "Cards by brand".
    visa("pm_card_visa", "4242"),
    funded("debit", visa("pm_card_visa_debit", "5556")),
    card("pm_card_mastercard", "mastercard", "4444", "US"),
    funded("debit", card("pm_card_mastercard_debit", "mastercard", "8210", "US")),
    funded("prepaid", card("pm_card_mastercard_prepaid", "mastercard", "5100", "US")),
    card("pm_card_amex", "amex", "8431", "US"),
    card("pm_card_discover", "discover", "1117", "US"),
    card("pm_card_diners", "diners", "0004", "US"),
    card("pm_card_jcb", "jcb", "0505", "JP"),
    card("pm_card_unionpay", "unionpay", "0005", "CN"),
    card("pm_card_visa_cartesBancaires", "visa", "1001", "FR"),
    card("pm_card_mastercard_cartesBancaires", "mastercard", "1001", "FR"),
    funded("debit", card("pm_card_visa_debit_eftposAuCoBranded", "visa", "0001", "AU")),
    funded("debit", card("pm_card_mastercard_debit_eftposAuCoBranded", "mastercard", "0080", "AU")),
    // "Cards by country".
    visa("pm_card_us", "4242"),
    card("pm_card_ar", "visa", "0021", "AR"),
    card("pm_card_br", "visa", "0002", "BR"),
    card("pm_card_ca", "visa", "0000", "CA"),
    card("pm_card_cl", "visa", "0001", "CL"),
    card("pm_card_co", "visa", "0003", "CO"),
    card("pm_card_cr", "visa", "0005", "CR"),
    card("pm_card_ec", "visa", "0000", "EC"),
    card("pm_card_mx", "visa", "8001", "MX"),
    card("pm_card_pa", "visa", "0000", "PA"),
    card("pm_card_py", "visa", "0066", "PY"),
    card("pm_card_pe", "visa", "0068", "PE"),
    card("pm_card_uy", "visa", "0001", "UY"),
    card("pm_card_ae", "visa", "0001", "AE"),
    card("pm_card_ae_mastercard", "mastercard", "0022", "AE"),
    card("pm_card_at", "visa", "0008", "AT"),
    card("pm_card_be", "visa", "0004", "BE"),
    card("pm_card_bg", "visa", "0000", "BG"),
    card("pm_card_by", "visa", "0005", "BY"),
    card("pm_card_hr", "visa", "0009", "HR"),
    card("pm_card_cy", "visa", "0008", "CY"),
    card("pm_card_cz", "visa", "0002", "CZ"),
    card("pm_card_dk", "visa", "0001", "DK"),
    card("pm_card_ee", "visa", "0009", "EE"),
    card("pm_card_fi", "visa", "0001", "FI"),
    card("pm_card_fr", "visa", "0003", "FR"),
    card("pm_card_de", "visa", "0016", "DE"),
    card("pm_card_gi", "visa", "0005", "GI"),
    card("pm_card_gr", "visa", "0030", "GR"),
    card("pm_card_hu", "visa", "0005", "HU"),
    card("pm_card_ie", "visa", "0005", "IE"),
    card("pm_card_it", "visa", "0008", "IT"),
    card("pm_card_lv", "visa", "0005", "LV"),
    card("pm_card_li", "visa", "0004", "LI"),
    card("pm_card_lt", "visa", "0000", "LT"),
    card("pm_card_lu", "visa", "0006", "LU"),
    card("pm_card_mt", "visa", "0007", "MT"),
    card("pm_card_nl", "visa", "0002", "NL"),
    card("pm_card_no", "visa", "0007", "NO"),
    card("pm_card_pl", "visa", "0005", "PL"),
    card("pm_card_pt", "visa", "0007", "PT"),
    card("pm_card_ro", "visa", "0001", "RO"),
    card("pm_card_sa", "visa", "0007", "SA"),
    card("pm_card_si", "visa", "0006", "SI"),
    card("pm_card_sk", "visa", "0001", "SK"),
    card("pm_card_es", "visa", "0007", "ES"),
    card("pm_card_se", "visa", "0008", "SE"),
    card("pm_card_ch", "visa", "0009", "CH"),
    card("pm_card_gb", "visa", "0000", "GB"),
    card("pm_card_au", "visa", "0006", "AU"),
    card("pm_card_cn", "visa", "0002", "CN"),
    card("pm_card_hk", "visa", "0004", "HK"),
    card("pm_card_in", "visa", "0008", "IN"),
    card("pm_card_jp", "visa", "0003", "JP"),
    card("pm_card_my", "visa", "0002", "MY"),
    card("pm_card_nz", "visa", "0008", "NZ"),
    card("pm_card_sg", "visa", "0003", "SG"),
    card("pm_card_tw", "visa", "0008", "TW"),
    funded("debit", card("pm_card_gb_debit", "visa", "0005", "GB")),
    card("pm_card_gb_mastercard", "mastercard", "4449", "GB"),
    card("pm_card_th_credit", "visa", "0003", "TH"),
    funded("debit", card("pm_card_th_debit", "visa", "0008", "TH")),
    // "HSA and FSA test cards".
    funded("debit", visa("pm_card_debit_visaFsaProductCode", "0072")),
    funded("debit", visa("pm_card_debit_visaHsaProductCode", "0072")),
    funded("debit", card("pm_card_mastercard_debit_mastercardFsaProductCode", "mastercard", "8897", "US")),
    // "Declined payments". All but `chargeCustomerFail` are declined when they are attached or set up too.
    declined("pm_card_chargeDeclined", "0002", "card_declined", "generic_decline"),
    declined("pm_card_chargeDeclinedInsufficientFunds", "9995", "card_declined", "insufficient_funds"),
    declined("pm_card_chargeDeclinedLostCard", "9987", "card_declined", "lost_card"),
    declined("pm_card_chargeDeclinedStolenCard", "9979", "card_declined", "stolen_card"),
    declined("pm_card_chargeDeclinedExpiredCard", "0069", "expired_card", "expired_card"),
    declined("pm_card_chargeDeclinedIncorrectCvc", "0127", "incorrect_cvc", "incorrect_cvc"),
    declined("pm_card_chargeDeclinedProcessingError", "0119", "processing_error", "processing_error"),
    declined("pm_card_chargeDeclinedVelocityLimitExceeded", "6975", "card_declined", "card_velocity_exceeded"),
    Card { is_attachable: true, ..declined("pm_card_chargeCustomerFail", "0341", "card_declined", "generic_decline") },
    // "Fraud prevention". Cards that a setting of Radar may block succeed, as with the default settings.
    Card { risk: Risk::Blocked, ..declined("pm_card_chargeDeclinedFraudulent", "0019", "card_declined", "fraudulent") },
    Card { risk: Risk::Blocked, is_attachable: true, outcome: Outcome::Declined(BLOCKED), ..visa("pm_card_radarBlock", "0019") },
    Card { risk: Risk::Blocked, is_attachable: true, outcome: Outcome::Declined(BLOCKED), ..visa("pm_card_riskLevelHighest", "4954") },
    Card { risk: Risk::Elevated, ..visa("pm_card_riskLevelElevated", "9235") },
    visa("pm_card_highFraudDisputeScore", "0407"),
    visa("pm_card_highEfwScore", "0159"),
    visa("pm_card_radarDynamicRiskThreshold", "1017"),
    visa("pm_card_freeTrialAbuseBlock", "3804"),
    visa("pm_card_adaptive3dsChallenge", "0003"),
    checked("pm_card_cvcCheckFail", "0101", "fail", "pass", "pass"),
    checked("pm_card_avsZipFail", "0036", "pass", "pass", "fail"),
    Card { risk: Risk::Elevated, ..checked("pm_card_cvcCheckFailElevatedRisk", "7872", "fail", "pass", "pass") },
    Card { risk: Risk::Elevated, ..checked("pm_card_avsZipFailElevatedRisk", "6072", "pass", "pass", "fail") },
    checked("pm_card_avsLine1Fail", "0028", "pass", "fail", "pass"),
    checked("pm_card_avsFail", "0010", "pass", "fail", "fail"),
    checked("pm_card_avsUnchecked", "0044", "pass", "unavailable", "unavailable"),
    // "Disputes". Stripe does not document the amounts of two disputes. A fraud warning is not modelled.
    disputed("pm_card_createDispute", "0259", "fraudulent"),
    disputed("pm_card_createDisputeProductNotReceived", "2685", "product_not_received"),
    Card { aftermath: Aftermath::DisputedTwice("fraudulent"), ..visa("pm_card_createMultipleDisputes", "0079") },
    disputed("pm_card_createCe3EligibleDispute", "0038", "fraudulent"),
    disputed("pm_card_createAutoRepresentmentEligibleDispute", "0043", "fraudulent"),
    disputed("pm_card_createComplianceDispute", "0779", "noncompliant"),
    Card { brand: "mastercard", ..disputed("pm_card_createMastercardComplianceDispute", "0002", "noncompliant") },
    Card { aftermath: Aftermath::Inquiry, ..visa("pm_card_createDisputeInquiry", "1976") },
    visa("pm_card_createIssuerFraudRecord", "5423"),
    // "Refunds".
    Card { aftermath: Aftermath::RefundPending, ..visa("pm_card_pendingRefund", "7726") },
    Card { aftermath: Aftermath::RefundFails, ..visa("pm_card_refundFail", "5126") },
    // "Available balance": the money is available at once.
    visa("pm_card_bypassPending", "0077"),
    card("pm_card_bypassPendingInternational", "visa", "0278", "IE"),
    // "3D Secure authentication": authentication and setup.
    authenticates("pm_card_authenticationRequiredOnSetup", "3155", Authentication::UnlessSetUp),
    authenticates("pm_card_authenticationRequired", "3184", ALWAYS),
    authenticates("pm_card_authenticationRequiredSetupForOffSession", "0446", Authentication::OnSession),
    refused_after("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "3178", ALWAYS, SHORT),
    // "3D Secure authentication": support and availability.
    authenticates("pm_card_threeDSecure2Required", "3220", ALWAYS),
    authenticates("pm_card_threeDSecureRequired", "3063", ALWAYS),
    refused_after("pm_card_threeDSecureRequiredChargeDeclined", "1629", ALWAYS, bank("card_declined", "generic_decline")),
    declined("pm_card_threeDSecureRequiredProcessingError", "1280", "processing_error", "processing_error"),
    authenticates("pm_card_threeDSecureOptional", "3055", Authentication::OnRequest),
    visa("pm_card_threeDSecureOptionalProcessingError", "3097"),
    card("pm_card_amex_threeDSecureNotSupported", "amex", "0005", "US"),
    // "Non-card payments": bank debits of which the bank decides later.
    Card { outcome: Outcome::Processing, ..card("pm_usBankAccount_processing", "us_bank_account", "0009", "US") },
    Card { outcome: Outcome::Processing, ..card("pm_usBankAccount_success", "us_bank_account", "6789", "US") },
];
