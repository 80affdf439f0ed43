//! Settings of tokens.

use std::path::PathBuf;

use paywright_http_api::{TokenRules, Tokens, TokensError};
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::{Secret, secret};
use crate::settings::values::Within;

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
    /// Required `iss` of customers' tokens.
    issuer: Option<String>,
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
            issuer: rules.issuer,
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

    /// Rules of tokens. An empty issuer or audience counts as not set.
    fn rules(&self) -> TokenRules {
        let named = |it: &Option<String>| it.clone().filter(|it| !it.trim().is_empty());
        TokenRules {
            leeway_seconds: self.leeway_seconds.get(),
            issuer: named(&self.issuer),
            audience: named(&self.audience),
            customer_hours_max: Some(self.customer_token_hours_max.get()).filter(|it| *it > 0),
            order_days: self.order_token_days(),
        }
    }
}

impl Settings {
    /// Signer and verifier of tokens, with the current token secret and the previous one.
    pub(crate) fn tokens(&self) -> Result<Tokens, Failure> {
        let Auth { token_secret, token_secret_file: file, .. } = &self.auth;
        let found = secret("auth.token_secret", token_secret.as_ref(), file.as_deref())?;
        let current = found.ok_or(
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to a text of at least 32 random bytes (openssl rand -hex 32), \
             with which the shop signs its customers' tokens",
        )?;
        let tokens = Tokens::new(&current.text).map_err(|problem| unusable(&current, problem))?;
        let Auth { previous_token_secret: previous, previous_token_secret_file: file, .. } = &self.auth;
        let tokens = match secret("auth.previous_token_secret", previous.as_ref(), file.as_deref())? {
            Some(previous) => tokens.with_previous(&previous.text).map_err(|problem| unusable(&previous, problem))?,
            None => tokens,
        };
        Ok(tokens.with_rules(self.auth.rules()))
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
        assert_eq!(Auth::default().rules(), TokenRules::default());
        let unlimited = auth("customer_token_hours_max = 0\norder_token_days = 0\nissuer = \" \"\naudience = \"\"");
        let rules = TokenRules { customer_hours_max: None, order_days: None, ..TokenRules::default() };
        assert_eq!((unlimited.rules(), unlimited.order_token_days()), (rules, None));
        let named = auth("issuer = \"https://shop.example\"\naudience = \"pay\"\nleeway_seconds = 0").rules();
        assert_eq!((named.issuer.as_deref(), named.audience.as_deref()), (Some("https://shop.example"), Some("pay")));
        assert_eq!(named.leeway_seconds, 0);
    }

    #[test]
    fn neither_secret_is_shown_by_debug() {
        let auth = auth("token_secret = \"hush-current\"\nprevious_token_secret = \"hush-previous\"");
        let shown = format!("{auth:?}");
        assert!(shown.contains("previous_token_secret") && !shown.contains("hush"), "{shown}");
    }
}
