//! Texts as they may be logged: without keys, tokens and client secrets.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// What takes the place of a secret.
pub(crate) const MASK: &str = "***";
/// How secrets begin: ours, and Stripe's. Where one begins within a longer run of its characters, the rest is secret too.
const SECRET_PREFIXES: [&str; 10] =
    ["pwk_", "pwo_", "pwc_", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "ek_live_", "ek_test_", "whsec_"];
/// What is between the id of an intent and the secret that makes it a client secret.
const CLIENT_SECRET_MARK: &str = "_secret_";
/// How a JWT begins: `{"` in base64.
const JWT_PREFIX: &str = "eyJ";

/// `text` with `***` in the place of each key, token and client secret. Of a client secret the id stays.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !may_hold_secret(text) {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|it| !is_token_char(it)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        match secret_begins(token) {
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

/// Whether there is a secret in `text`, as far as its form tells.
pub(crate) fn holds_secret(text: &str) -> bool {
    may_hold_secret(text) && text.split(|it| !is_token_char(it)).any(|it| secret_begins(it).is_some())
}

/// A path as it is logged: without secrets and without segments that look like e-mail addresses, also where they are
/// percent-encoded. A path without any stays as it came.
pub(crate) fn path_without_secrets(path: &str) -> String {
    let decoded = decoded(path);
    if !decoded.contains('@') && !may_hold_secret(&decoded) {
        return path.to_owned();
    }
    let without_address = |it| if str::contains(it, '@') { MASK.into() } else { without_secrets(it) };
    decoded.split('/').map(without_address).collect::<Vec<_>>().join("/")
}

/// How often a path is decoded: whoever encodes twice hides a token from a log, and finds nothing by it.
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
    // Most texts have no underscore, which all but a JWT need.
    let is_marked = || text.contains(CLIENT_SECRET_MARK) || SECRET_PREFIXES.iter().any(|it| find(text, it).is_some());
    text.contains('_') && is_marked() || text.contains(JWT_PREFIX)
}

/// Where a mark begins in a text, in whichever case it is written.
fn find(text: &str, mark: &str) -> Option<usize> {
    text.as_bytes().windows(mark.len()).position(|it| it.eq_ignore_ascii_case(mark.as_bytes()))
}

fn is_token_char(it: char) -> bool {
    it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.')
}

/// Where the secret in a run of token characters begins.
fn secret_begins(token: &str) -> Option<usize> {
    let jwt = token.find(JWT_PREFIX).filter(|_| token.split('.').count() == 3);
    let prefixes = SECRET_PREFIXES.iter().filter_map(|it| find(token, it));
    prefixes.chain(token.find(CLIENT_SECRET_MARK)).chain(jwt).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tokens_and_client_secrets_are_masked_wherever_they_are() {
        for (text, expected) in [
            ("a plain sentence", "a plain sentence"),
            ("/orders/ORD-20250331-5XZF/cancel", "/orders/ORD-20250331-5XZF/cancel"),
            ("req_0123456789abcdef of pi_1", "req_0123456789abcdef of pi_1"),
            ("pwk_00ff", "***"),
            ("/cart/pwc_0195ead7_AbC-d_e/items?order_token=pwo_1_x&page=2", "/cart/***/items?order_token=***&page=2"),
            ("\"pwo_1_x\", (pwk_2); pwc_3.", "\"***\", (***); ***"),
            ("mine:pwk_00ff", "mine:***"),
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
            assert_eq!(without_secrets(&masked), expected, "once more changes nothing");
            assert_eq!(holds_secret(text), text != expected, "{text}");
        }
    }

    #[test]
    fn a_path_is_logged_without_what_is_hidden_in_it_by_percent_encoding() {
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
