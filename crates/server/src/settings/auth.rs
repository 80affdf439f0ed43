//! Settings of tokens.

use std::path::PathBuf;
use std::sync::Arc;

use paywright_http_api::{KeySetIssuer, TokenRules, Tokens, TokensError};
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;
use crate::key_set::{self, IssuersKeys, Place};
use crate::settings::Settings;
use crate::settings::secrets::{Secret, secret};
use crate::settings::values::{KeySetUrl, Within, parsed};

/// Maximum tolerance, five minutes: a longer one would mostly accept expired tokens.
const LEEWAY_SECONDS_MAX: u32 = 300;
/// Highest limit for the validity of customers' tokens: a hundred years.
const CUSTOMER_TOKEN_HOURS_MAX: u32 = 876_000;
/// Highest limit for the age of orders' and carts' tokens: a hundred years.
const ORDER_TOKEN_DAYS_MAX: u32 = 36_500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    token_secret: Option<SecretString>,
    token_secret_file: Option<PathBuf>,
    /// Secret before the current one, whose tokens are accepted too.
    previous_token_secret: Option<SecretString>,
    previous_token_secret_file: Option<PathBuf>,
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    leeway_seconds: Within<0, LEEWAY_SECONDS_MAX>,
    /// URL of the key set that verifies the tokens of `issuer`.
    #[serde(deserialize_with = "parsed")]
    jwks_url: KeySetUrl,
    /// File with that key set, in place of a URL.
    jwks_file: Option<PathBuf>,
    /// Required `iss` of customers' tokens.
    issuer: Option<String>,
    /// `iss` of customers' tokens that are signed with the token secret, beside a key set.
    hs256_issuer: Option<String>,
    /// Required `aud` of customers' tokens.
    audience: Option<String>,
    /// Longest time for which a customer's token may be valid, in hours; no limit if 0.
    customer_token_hours_max: Within<0, CUSTOMER_TOKEN_HOURS_MAX>,
    /// Age from which tokens of orders and carts give no access, in days; no limit if 0.
    order_token_days: Within<0, ORDER_TOKEN_DAYS_MAX>,
}

impl Default for Auth {
    fn default() -> Self {
        let rules = TokenRules::default();
        Self {
            token_secret: None,
            token_secret_file: None,
            previous_token_secret: None,
            previous_token_secret_file: None,
            leeway_seconds: Within::nearest(rules.leeway_seconds),
            jwks_url: KeySetUrl::default(),
            jwks_file: None,
            issuer: rules.issuer,
            hs256_issuer: None,
            audience: rules.audience,
            customer_token_hours_max: Within::nearest(rules.customer_hours_max.unwrap_or_default()),
            order_token_days: Within::nearest(rules.order_days.unwrap_or_default()),
        }
    }
}

impl Auth {
    /// Age from which tokens of orders and carts give no access, in days; `None` for no limit.
    pub(crate) fn order_token_days(&self) -> Option<u32> {
        Some(self.order_token_days.get()).filter(|it| *it > 0)
    }

    /// Rules of tokens. With a key set, `auth.issuer` is that of the set, and tokens that are signed with the token secret
    /// have another one.
    fn rules(&self, has_key_set: bool) -> TokenRules {
        TokenRules {
            leeway_seconds: self.leeway_seconds.get(),
            issuer: named(if has_key_set { self.hs256_issuer.as_ref() } else { self.issuer.as_ref() }),
            audience: named(self.audience.as_ref()),
            customer_hours_max: Some(self.customer_token_hours_max.get()).filter(|it| *it > 0),
            order_days: self.order_token_days(),
        }
    }

    /// Place of the key set, if there is one, with the name of its setting.
    fn key_set_place(&self) -> Result<Option<(&'static str, Place)>, Failure> {
        let file = self.jwks_file.as_ref().filter(|it| !it.as_os_str().is_empty());
        match (&self.jwks_url.0, file) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err("auth.jwks_url and auth.jwks_file are both set: keep one of them".into()),
            (Some(url), None) => Ok(Some(("auth.jwks_url", Place::Url(url.clone())))),
            (None, Some(path)) => Ok(Some(("auth.jwks_file", Place::File(path.clone())))),
        }
    }

    /// Place of the key set, if there is one, with the issuer and the audience of the tokens that it verifies.
    fn key_set(&self) -> Result<Option<(Place, String, String)>, Failure> {
        let own = named(self.hs256_issuer.as_ref());
        let Some((setting, place)) = self.key_set_place()? else {
            return match own {
                Some(_) => {
                    Err("auth.hs256_issuer is for use beside a key set (auth.jwks_url or auth.jwks_file): without one, set \
                         auth.issuer instead"
                        .into())
                }
                None => Ok(None),
            };
        };
        let needed = |name: Option<&String>, missing: &str| {
            named(name)
                .ok_or_else(|| format!("{setting} needs {missing}, so that no other token by these keys is accepted"))
        };
        let issuer = needed(self.issuer.as_ref(), "auth.issuer, the `iss` of the tokens that the key set verifies")?;
        let audience =
            needed(self.audience.as_ref(), "auth.audience, the `aud` of the tokens that are meant for this service")?;
        if own.as_ref() == Some(&issuer) {
            return Err(
                "auth.hs256_issuer must not be auth.issuer, whose tokens are verified by the key set and never by \
                        the token secret"
                    .into(),
            );
        }
        Ok(Some((place, issuer, audience)))
    }
}

/// Name that is set. An empty one counts as not set.
fn named(name: Option<&String>) -> Option<String> {
    name.filter(|it| !it.trim().is_empty()).cloned()
}

impl Settings {
    /// Signer and verifier of tokens, with the current token secret and the previous one, and the key set that it verifies
    /// tokens by, which is not read yet.
    pub(crate) fn tokens(&self) -> Result<(Tokens, Option<IssuersKeys>), Failure> {
        let tokens = self.signed_tokens()?;
        let Some((place, issuer, audience)) = self.auth.key_set()? else {
            return Ok((tokens.with_rules(self.auth.rules(false)), None));
        };
        let keys = IssuersKeys::at(place)?;
        let issuer = KeySetIssuer { issuer, audience, keys: Arc::clone(&keys.set) };
        Ok((tokens.with_rules(self.auth.rules(true)).with_key_set(issuer), Some(keys)))
    }

    /// Checks the key set of customers' tokens, if it is in a file.
    pub(crate) fn check_key_set_file(&self) -> Result<(), Failure> {
        match self.auth.key_set_place() {
            Ok(Some((_, Place::File(path)))) => key_set::check_file(&path),
            // Mistakes in the settings of the key set are told with those of the tokens.
            Ok(Some((_, Place::Url(_))) | None) | Err(_) => Ok(()),
        }
    }

    fn signed_tokens(&self) -> Result<Tokens, Failure> {
        let Auth { token_secret, token_secret_file: file, .. } = &self.auth;
        let found = secret("auth.token_secret", token_secret.as_ref(), file.as_deref())?;
        let current = found.ok_or(
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to a text of at least 32 random bytes (openssl rand -hex 32), \
             with which the shop signs its customers' tokens",
        )?;
        let tokens = Tokens::new(&current.text).map_err(|problem| unusable(&current, problem))?;
        let tokens = match self.previous_token_secret()? {
            Some(previous) => tokens.with_previous(&previous.text).map_err(|problem| unusable(&previous, problem))?,
            None => tokens,
        };
        Ok(tokens)
    }

    fn previous_token_secret(&self) -> Result<Option<Secret>, Failure> {
        let Auth { previous_token_secret: previous, previous_token_secret_file: file, .. } = &self.auth;
        secret("auth.previous_token_secret", previous.as_ref(), file.as_deref())
    }

    /// Checks the previous token secret, whatever the current one is.
    pub(super) fn check_previous_token_secret(&self) -> Result<(), Failure> {
        if let Some(previous) = self.previous_token_secret()? {
            Tokens::new(&previous.text).map_err(|problem| unusable(&previous, problem))?;
        }
        Ok(())
    }
}

/// Error of a secret, which names its setting.
fn unusable(secret: &Secret, problem: TokensError) -> String {
    format!("{}: {problem}", secret.setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(text: &str) -> Auth {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn zero_means_no_limit_and_an_empty_name_none() {
        assert_eq!(Auth::default().rules(false), TokenRules::default());
        let unlimited = auth("customer_token_hours_max = 0\norder_token_days = 0\nissuer = \" \"\naudience = \"\"");
        let rules = TokenRules { customer_hours_max: None, order_days: None, ..TokenRules::default() };
        assert_eq!((unlimited.rules(false), unlimited.order_token_days()), (rules, None));
        let named = auth("issuer = \"https://shop.example\"\naudience = \"pay\"\nleeway_seconds = 0").rules(false);
        assert_eq!((named.issuer.as_deref(), named.audience.as_deref()), (Some("https://shop.example"), Some("pay")));
        assert_eq!(named.leeway_seconds, 0);
    }

    #[test]
    fn a_key_set_needs_an_issuer_an_audience_and_another_issuer_for_the_secret() {
        let url = "jwks_url = \"https://login.example/keys\"";
        let issuer = "issuer = \"https://login.example\"";
        let named = format!("{issuer}\naudience = \"pay\"");
        for (text, expected) in [
            (String::new(), Ok(false)),
            ("jwks_url = \"\"\njwks_file = \"\"\nhs256_issuer = \" \"".into(), Ok(false)),
            (format!("{url}\n{named}"), Ok(true)),
            (format!("jwks_file = \"keys.json\"\n{named}"), Ok(true)),
            (format!("{url}\n{named}\nhs256_issuer = \"https://shop.example\""), Ok(true)),
            (format!("{url}\njwks_file = \"keys.json\"\n{named}"), Err("are both set")),
            (format!("{url}\naudience = \"pay\""), Err("auth.jwks_url needs auth.issuer")),
            (format!("jwks_file = \"keys.json\"\n{issuer}"), Err("auth.jwks_file needs auth.audience")),
            (format!("{url}\n{issuer}\naudience = \" \""), Err("needs auth.audience")),
            (format!("{url}\n{named}\nhs256_issuer = \"https://login.example\""), Err("must not be auth.issuer")),
            ("hs256_issuer = \"https://shop.example\"".into(), Err("is for use beside a key set")),
        ] {
            let found = auth(&text).key_set();
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.is_some(), expected, "{text}"),
                (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{text}: {error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
        let beside = auth(&format!("{url}\n{named}\nhs256_issuer = \"https://shop.example\""));
        assert_eq!(beside.rules(true).issuer.as_deref(), Some("https://shop.example"));
        assert_eq!(auth(&format!("{url}\n{named}")).rules(true).issuer, None);
    }

    #[test]
    fn neither_secret_is_shown_by_debug() {
        let auth = auth("token_secret = \"hush-current\"\nprevious_token_secret = \"hush-previous\"");
        let shown = format!("{auth:?}");
        assert!(shown.contains("previous_token_secret") && !shown.contains("hush"), "{shown}");
    }
}
