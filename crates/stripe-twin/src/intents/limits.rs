//! Checks of a PaymentIntent's amount and e-mail address.

use crate::error::Refusal;
use crate::params::Params;

/// Minimum charge amount by settlement currency ("Minimum and maximum charge amounts").
fn minimum(currency: &str) -> i64 {
    match currency {
        "ars" | "aud" | "brl" | "cad" | "chf" | "cop" | "eur" | "idr" | "ils" | "inr" | "jpy" | "krw" | "nzd"
        | "php" | "rub" | "sgd" | "usd" | "zar" => 50,
        "gbp" => 30,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "aed" | "pln" | "myr" | "ron" => 200,
        "hkd" => 400,
        "mxn" | "thb" => 1000,
        "czk" => 1500,
        "huf" => 17_500,
        _ => 1,
    }
}

/// Maximum charge amount: eight digits, or more for the currencies that the same page names.
fn maximum(currency: &str) -> i64 {
    match currency {
        "idr" => 999_999_999_999,
        "lbp" => 99_999_999_999,
        "cop" | "huf" | "jpy" => 9_999_999_999,
        "inr" => 999_999_999,
        _ => 99_999_999,
    }
}

pub(super) fn check_amount(amount: i64, currency: &str) -> Result<(), Refusal> {
    let least = minimum(currency);
    if amount < least {
        let message = format!("Amount must be at least {least} in the smallest unit of {currency}");
        return Err(Refusal::amount("amount_too_small", message));
    }
    let most = maximum(currency);
    if amount > most {
        return Err(Refusal::amount("amount_too_large", format!("Amount must be no more than {most}")));
    }
    let step = match currency {
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 10,
        "isk" | "ugx" => 100,
        _ => 1,
    };
    if amount % step != 0 {
        return Err(Refusal::invalid("amount", "Invalid amount: it has decimals that the currency does not have"));
    }
    Ok(())
}

/// Checks `receipt_email` by a simplified grammar: one `@`, plain characters before it, and at least two labels after
/// it.
pub(super) fn check_email(params: &Params) -> Result<(), Refusal> {
    let Some(email) = params.text("receipt_email") else { return Ok(()) };
    let plain = |text: &str, more: &str| {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || more.contains(it);
        !text.is_empty() && text.split('.').all(|part| !part.is_empty() && part.chars().all(is_plain))
    };
    let is_good = email.split_once('@').is_some_and(|(local, domain)| {
        plain(local, "!#$%&'*+-/=?^_`{|}~") && plain(domain, "-") && domain.contains('.')
    });
    if is_good {
        return Ok(());
    }
    let refusal = Refusal::invalid("receipt_email", &format!("Invalid email address: {email}"));
    Err(Refusal { code: Some("email_invalid".to_owned()), ..refusal })
}
