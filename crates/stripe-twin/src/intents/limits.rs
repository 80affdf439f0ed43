//! Checks of a PaymentIntent's amount, currency and e-mail address.

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

/// Presentment currencies ("Supported currencies").
const CURRENCIES: &str = "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd \
    cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf \
    idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr \
    mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp \
    sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw";

fn check_currency(currency: &str) -> Result<(), Refusal> {
    if CURRENCIES.split_whitespace().any(|it| it == currency) {
        return Ok(());
    }
    let message = format!(
        "Invalid currency: {currency}. Stripe currently supports these currencies: {}",
        CURRENCIES.split_whitespace().collect::<Vec<_>>().join(", ")
    );
    Err(Refusal::invalid("currency", &message))
}

/// An amount for people, as Stripe's messages write it, like `$20.00`.
pub(crate) fn written(amount: i64, currency: &str) -> String {
    let digits = match currency {
        "bif" | "clp" | "djf" | "gnf" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "vnd" | "vuv" | "xaf"
        | "xof" | "xpf" => 0,
        "bhd" | "jod" | "kwd" | "omr" | "tnd" => 3,
        _ => 2,
    };
    let unit = 10_i64.pow(digits);
    let (whole, part) = (grouped(amount / unit), amount % unit);
    let number = match usize::try_from(digits).unwrap_or_default() {
        0 => whole,
        width => format!("{whole}.{part:0width$}"),
    };
    match symbol(currency) {
        Some(symbol) => format!("{symbol}{number}"),
        None => format!("{number} {currency}"),
    }
}

fn symbol(currency: &str) -> Option<char> {
    match currency {
        "usd" => Some('$'),
        "eur" => Some('€'),
        "gbp" => Some('£'),
        "jpy" => Some('¥'),
        _ => None,
    }
}

/// A number with its thousands separated by commas.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn check_amount(amount: i64, currency: &str) -> Result<(), Refusal> {
    if amount < 1 {
        return Err(Refusal::not_positive("amount"));
    }
    check_currency(currency)?;
    let least = minimum(currency);
    if amount < least {
        // Stripe's message has the symbol and the code, like "$0.50 usd".
        let code = if symbol(currency).is_some() { format!(" {currency}") } else { String::new() };
        let message = format!("Amount must be at least {}{code}", written(least, currency));
        return Err(Refusal::amount("amount_too_small", message));
    }
    let most = maximum(currency);
    if amount > most {
        let message = format!("Amount must be no more than {}", written(most, currency));
        return Err(Refusal::amount("amount_too_large", message));
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

/// Checks an e-mail address by a simplified grammar: one `@`, plain characters before it, and at least two labels after
/// it.
pub(crate) fn check_email(params: &Params, name: &str) -> Result<(), Refusal> {
    let Some(email) = params.text(name) else { return Ok(()) };
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
    let refusal = Refusal::invalid(name, &format!("Invalid email address: {email}"));
    Err(Refusal { code: Some("email_invalid".to_owned()), ..refusal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_outside_the_limits_is_refused_in_the_currencys_notation() {
        for (amount, currency, code, message) in [
            (0, "usd", "parameter_invalid_integer", "This value must be greater than or equal to 1."),
            (-5, "usd", "parameter_invalid_integer", "This value must be greater than or equal to 1."),
            (49, "usd", "amount_too_small", "Amount must be at least $0.50 usd"),
            (29, "gbp", "amount_too_small", "Amount must be at least £0.30 gbp"),
            (49, "jpy", "amount_too_small", "Amount must be at least ¥50 jpy"),
            (299, "sek", "amount_too_small", "Amount must be at least 3.00 sek"),
            (100_000_000, "usd", "amount_too_large", "Amount must be no more than $999,999.99"),
            (10_000_000_000, "jpy", "amount_too_large", "Amount must be no more than ¥9,999,999,999"),
        ] {
            let refusal = check_amount(amount, currency).unwrap_err();
            assert_eq!((refusal.code.as_deref(), refusal.message.as_str()), (Some(code), message));
        }
        assert_eq!(written(123_456, "bhd"), "123.456 bhd");
        assert_eq!(written(100_000, "eur"), "€1,000.00");
    }
}
