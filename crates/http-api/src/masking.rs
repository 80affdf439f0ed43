//! Masking of keys, tokens and client secrets in texts that are logged.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Replacement for a secret.
pub(crate) const MASK: &str = "***";
/// Prefixes of secrets, ours and Stripe's. After a prefix within a longer run of token characters, the rest is secret.
const SECRET_PREFIXES: [&str; 13] = [
    "pwk_", "pwt_", "pwo_", "pwc_", "pwl_", "pws_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "ek_live_",
    "ek_test_", "whsec_",
];
/// Text between an intent's id and the secret part of its client secret.
const CLIENT_SECRET_MARK: &str = "_secret_";
/// Start of a JWT: `{"` in base64.
const JWT_PREFIX: &str = "eyJ";

/// Masks each key, token and client secret in `text` with `***`. The id at the start of a client secret stays.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !may_hold_secret(text) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|it| !is_token_char(it)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        match secret_start(token) {
            Some(at) => masked.extend([token.get(..at).unwrap_or_default(), MASK]),
            None => masked.push_str(token),
        }
        let separators = after.find(is_token_char).unwrap_or(after.len());
        let (between, next) = after.split_at(separators);
        masked.push_str(between);
        rest = next;
    }
    Cow::Owned(masked)
}

/// Whether `text` contains something in the form of a secret.
pub(crate) fn holds_secret(text: &str) -> bool {
    may_hold_secret(text) && text.split(|it| !is_token_char(it)).any(|it| secret_start(it).is_some())
}

/// Path for a log line: secrets and segments that look like email addresses are masked, even if they are
/// percent-encoded. A path without any is unchanged.
pub(crate) fn path_without_secrets(path: &str) -> String {
    let decoded = decoded(path);
    if !decoded.contains('@') && !may_hold_secret(&decoded) {
        return path.to_owned();
    }
    let without_address = |it| if str::contains(it, '@') { MASK.into() } else { without_secrets(it) };
    decoded.split('/').map(without_address).collect::<Vec<_>>().join("/")
}

/// Maximum rounds of percent-decoding, so that a token that is encoded several times is masked too.
const DECODED_MAX: usize = 4;

fn decoded(path: &str) -> String {
    let mut text = path.to_owned();
    for _ in 0..DECODED_MAX {
        let once = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if once == text {
            break;
        }
        text = once;
    }
    text
}

fn may_hold_secret(text: &str) -> bool {
    // A quick check first: every secret but a JWT has an underscore, and most texts have none.
    let is_marked = || text.contains(CLIENT_SECRET_MARK) || SECRET_PREFIXES.iter().any(|it| find(text, it).is_some());
    text.contains('_') && is_marked() || text.contains(JWT_PREFIX)
}

/// Position of a mark in a text, ignoring case.
fn find(text: &str, mark: &str) -> Option<usize> {
    text.as_bytes().windows(mark.len()).position(|it| it.eq_ignore_ascii_case(mark.as_bytes()))
}

fn is_token_char(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.')
}

/// Position at which the secret in a run of token characters starts.
fn secret_start(token: &str) -> Option<usize> {
    let jwt = token.find(JWT_PREFIX).filter(|_| token.split('.').count() == 3);
    let prefixes = SECRET_PREFIXES.iter().filter_map(|it| find(token, it));
    prefixes.chain(token.find(CLIENT_SECRET_MARK)).chain(jwt).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tokens_and_client_secrets_are_masked_anywhere_in_a_text() {
        for (text, expected) in [
            ("a plain sentence", "a plain sentence"),
            ("/orders/ORD-20250331-5XZF/cancel", "/orders/ORD-20250331-5XZF/cancel"),
            ("req_0123456789abcdef of pi_1", "req_0123456789abcdef of pi_1"),
            ("pwk_00ff", "***"),
            ("/cart/pwc_0195ead7_AbC-d_e/items?order_token=pwo_1_x&page=2", "/cart/***/items?order_token=***&page=2"),
            ("\"pwo_1_x\", (pwk_2); pwc_3.", "\"***\", (***); ***"),
            ("mine:pwk_00ff", "mine:***"),
            ("Bearer pwt_aB-_9.c_-D", "Bearer ***"),
            ("PWK_00ff and Pwc_1_x", "*** and ***"),
            ("x-pwk_00ff", "x-***"),
            ("no such intent: pi_1_secret_2", "no such intent: pi_1***"),
            ("seti_1_secret_2/cancel", "seti_1***/cancel"),
            ("key sk_test_abc, rk_live_x, ek_test_y and whsec_z", "key ***, ***, *** and ***"),
            ("Bearer eyJhbGciOiJI.eyJzdWIi.c2ln", "Bearer ***"),
            ("the word eyJ", "the word eyJ"),
            ("zo\u{eb} pwc_1 \u{1F6D2}", "zo\u{eb} *** \u{1F6D2}"),
        ] {
            let masked = without_secrets(text);
            assert_eq!(masked, expected);
            assert_eq!(without_secrets(&masked), expected, "masking again changes nothing");
            assert_eq!(holds_secret(text), text != expected, "{text}");
        }
    }

    #[test]
    fn percent_encoded_secrets_in_a_path_are_masked() {
        for (path, expected) in [
            ("/api/v2/storefront/cart", "/api/v2/storefront/cart"),
            ("/orders/a%20b", "/orders/a%20b"),
            ("/orders/pwc%5F1_x/cancel", "/orders/***/cancel"),
            ("/orders/%70wo_1_x", "/orders/***"),
            ("/orders/%2570wo_1_x", "/orders/***"),
            ("/orders/%252570wo_1_x", "/orders/***"),
            ("/orders/pi_1%5Fsecret%5F2", "/orders/pi_1***"),
            ("/customers/ada%40example.com/orders", "/customers/***/orders"),
            ("/customers/ada@example.com", "/customers/***"),
            ("/\u{e9}%ff/pwk_1", "/\u{e9}\u{fffd}/***"),
        ] {
            assert_eq!(path_without_secrets(path), expected, "{path}");
        }
    }
}
