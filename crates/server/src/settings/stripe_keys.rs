//! Stripe's keys and secrets: the prefixes, characters and lengths of each kind.

use crate::Failure;

/// Maximum length of a key or secret, in characters. Stripe publishes no lengths; its keys have about 110.
const CHARS_MAX: usize = 500;

/// The mode of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Test mode, `…_test_…`: no money moves.
    Test,
    /// Live mode, `…_live_…`.
    Live,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// Checks the secret or restricted key of `setting`.
pub(super) fn secret_key(setting: &str, text: &str) -> Result<Mode, Failure> {
    let prefixes =
        [("sk_test_", Mode::Test), ("rk_test_", Mode::Test), ("sk_live_", Mode::Live), ("rk_live_", Mode::Live)];
    checked(setting, text, &prefixes, "")
}

/// Checks the publishable key of `setting`.
pub(super) fn publishable_key(setting: &str, text: &str) -> Result<Mode, Failure> {
    let prefixes = [("pk_test_", Mode::Test), ("pk_live_", Mode::Live)];
    let why = ": it is sent to every visitor of a storefront, so it must not be a secret key";
    let mode = checked(setting, text, &prefixes, why)?;
    if ["sk_", "rk_", "whsec_"].iter().any(|it| text.contains(it)) {
        return Err(format!("{setting} has a secret key in it, but is sent to every visitor of a storefront").into());
    }
    Ok(mode)
}

/// Checks one of the webhook secrets of `setting`. Webhook secrets do not show their mode.
pub(super) fn webhook_secret(setting: &str, text: &str) -> Result<(), Failure> {
    checked(setting, text, &[("whsec_", ())], "")
}

fn checked<T: Copy>(setting: &str, text: &str, prefixes: &[(&str, T)], why: &str) -> Result<T, Failure> {
    let found = prefixes.iter().find_map(|(prefix, kind)| Some((text.strip_prefix(prefix)?, *kind)));
    let Some((rest, kind)) = found else {
        let names: Vec<&str> = prefixes.iter().map(|(prefix, _)| *prefix).collect();
        return Err(format!("{setting} must begin with {}{why}", names.join(" or ")).into());
    };
    if rest.is_empty() {
        return Err(
            format!("{setting} has nothing after its prefix: copy the whole key from Stripe's dashboard").into()
        );
    }
    if !rest.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(format!("{setting} must be printable ASCII characters without spaces").into());
    }
    if text.len() > CHARS_MAX {
        return Err(format!("{setting} must have at most {CHARS_MAX} characters").into());
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_key_has_its_prefixes_and_its_limits() {
        let long = |prefix: &str, chars: usize| format!("{prefix}{}", "x".repeat(chars - prefix.len()));
        for (text, mode) in [
            ("sk_test_x", Mode::Test),
            ("rk_test_x", Mode::Test),
            ("sk_live_x", Mode::Live),
            ("rk_live_x", Mode::Live),
            (long("sk_test_", CHARS_MAX).as_str(), Mode::Test),
        ] {
            assert_eq!(secret_key("a.key", text).unwrap(), mode, "{text}");
        }
        for text in [
            "",
            "hush",
            "sk_hush",
            "pk_test_hush",
            "whsec_hush",
            "SK_TEST_hush",
            " sk_test_hush",
            "sk_test_",
            "sk_test_hush hush",
            "sk_test_hush\n",
            "sk_test_h\u{fc}sh",
            &long("sk_test_hush", CHARS_MAX + 1),
        ] {
            let error = secret_key("a.key", text).unwrap_err().to_string();
            assert!(error.starts_with("a.key ") && !error.contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn a_publishable_key_is_never_a_secret() {
        assert_eq!(publishable_key("a.key", "pk_live_x").unwrap(), Mode::Live);
        assert_eq!(publishable_key("a.key", "pk_test_x").unwrap(), Mode::Test);
        for text in [
            "sk_live_hush",
            "sk_test_hush",
            "rk_live_hush",
            "whsec_hush",
            "pk_hush",
            "pk_live_",
            "pk_test_h ush",
            "pk_test_a,sk_live_hush",
        ] {
            let error = publishable_key("a.key", text).unwrap_err().to_string();
            assert!(error.starts_with("a.key ") && !error.contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn a_webhook_secret_begins_with_its_prefix() {
        assert!(webhook_secret("a.key", "whsec_x").is_ok());
        for text in ["sk_live_hush", "we_hush", "whsec_", "whsec_h ush"] {
            let error = webhook_secret("a.key", text).unwrap_err().to_string();
            assert!(error.starts_with("a.key ") && !error.contains("hush"), "{text}: {error}");
        }
    }
}
