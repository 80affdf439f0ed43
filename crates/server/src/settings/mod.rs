//! Settings: defaults, then `paywright.toml`, then environment variables `PAYWRIGHT__SECTION__KEY`. A secret may
//! also be given as `…_FILE`, the name of a file that holds it.

mod auth;
pub(crate) mod books;
mod check;
mod console;
mod database;
pub(crate) mod http;
mod limits;
pub(crate) mod metrics;
mod names;
mod payments;
pub(crate) mod secrets;
mod source;
mod storefront;
pub(crate) mod stripe;
mod stripe_keys;
pub(crate) mod traces;
pub(crate) mod values;
mod webhooks;

use std::path::Path;

use paywright_http_api::GivenSetting;
use serde::Deserialize;
use toml::{Table, Value};

use crate::Failure;
use crate::settings::auth::Auth;
use crate::settings::books::BooksSection;
pub(crate) use crate::settings::check::Checked;
use crate::settings::console::ConsoleSection;
use crate::settings::database::DatabaseSettings;
pub(crate) use crate::settings::http::Http;
pub(crate) use crate::settings::limits::{ClientsSeen, Limits};
use crate::settings::metrics::MetricsSection;
use crate::settings::names::{nearest_variable, shown};
pub(crate) use crate::settings::payments::Payments;
use crate::settings::secrets::is_readable_by_all;
use crate::settings::source::Found;
use crate::settings::storefront::Storefront;
use crate::settings::stripe::Stripe;
use crate::settings::traces::TracesSection;
use crate::settings::webhooks::{Feed, Webhooks};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) http: Http,
    pub(crate) database: DatabaseSettings,
    pub(crate) stripe: Stripe,
    pub(crate) payments: Payments,
    pub(crate) auth: Auth,
    pub(crate) storefront: Storefront,
    pub(crate) limits: Limits,
    pub(crate) feed: Feed,
    pub(crate) books: BooksSection,
    pub(crate) metrics: MetricsSection,
    pub(crate) console: ConsoleSection,
    traces: TracesSection,
    webhooks: Webhooks,
    /// Every setting as it was given, for people.
    #[serde(skip)]
    given: Vec<GivenSetting>,
}

/// Settings whose texts are secrets.
const SECRETS: [(&str, &str); 7] = [
    ("database", "url"),
    ("stripe", "secret_key"),
    ("stripe", "webhook_secrets"),
    ("auth", "token_secret"),
    ("auth", "previous_token_secret"),
    ("traces", "headers"),
    ("webhooks", "secret_key"),
];

impl Settings {
    /// Reads the named file, or else `paywright.toml` if it exists, and the environment. Warns of variables that look
    /// like settings and are not read, and of a file with secrets that every user of the machine can read.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let Found { table, file, unread, mistakes, variables: _, is_unreadable: _ } =
            source::read(named, std::env::vars_os());
        if let Some(first) = mistakes.first() {
            return Err(first.to_string().into());
        }
        for name in unread {
            tracing::warn!("{}", unread_variable(&name));
        }
        if let Some((path, table)) = file
            && has_secrets(&table)
            && is_readable_by_all(&path)
        {
            tracing::warn!("{}", readable_file(&path));
        }
        let given = names::settings().map(|(section, key)| given(&table, section, key)).collect();
        Ok(Self { given, ..Self::parse(table)? })
    }

    /// Every setting as it was given, without secrets.
    pub(crate) fn given(&self) -> &[GivenSetting] {
        &self.given
    }

    /// Source of shoppers' addresses.
    pub(crate) fn clients_seen(&self) -> ClientsSeen {
        if !self.http.trusted_proxies.is_empty() {
            ClientsSeen::ByProxy
        } else if self.storefront.allowed_origins.0.is_empty() {
            ClientsSeen::OneServer
        } else {
            ClientsSeen::Directly
        }
    }

    fn parse(table: Table) -> Result<Self, Failure> {
        Self::deserialize_from(table).map_err(|error| wrong_value(&error).into())
    }

    fn deserialize_from(table: Table) -> Result<Self, ValueError> {
        serde_path_to_error::deserialize(Value::Table(table))
    }
}

/// A setting as it was given, or not: a secret is not repeated.
fn given(table: &Table, section: &str, key: &str) -> GivenSetting {
    let is_secret = SECRETS.contains(&(section, key));
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = table.get(section).and_then(|it| it.get(key)).map(shown);
    let value = value.map(|it| if is_secret && !it.is_empty() { "set, not shown".to_owned() } else { it });
    GivenSetting { name: format!("{section}.{key}"), value: value.filter(|it| !it.is_empty()) }
}

/// Error of a value, with the place of its setting.
type ValueError = serde_path_to_error::Error<toml::de::Error>;

/// Sentence about a wrong value, which names its setting.
fn wrong_value(error: &ValueError) -> String {
    format!("{} {}", error.path(), requirement(error.inner().message()))
}

/// Sentence about a variable that looks like a setting and is not read.
fn unread_variable(name: &str) -> String {
    format!("the variable {} is not read: the nearest variable that is read is {}", shown(name), nearest_variable(name))
}

/// Sentence about a settings file that has secrets in it and that everyone can read.
fn readable_file(path: &Path) -> String {
    let file = path.display();
    format!("every user of this machine can read {file}, which has secrets in it: remove that right (chmod o-r)")
}

/// The requirement that a value does not meet, from the message of serde or of a type of ours, without the value: serde
/// repeats it, and it may be a secret.
fn requirement(message: &str) -> String {
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None if message.starts_with("must ") => message.to_owned(),
        None => "cannot be read".to_owned(),
    }
}

/// Whether a settings file has a secret in it. The path of a SQLite file is not a secret.
fn has_secrets(table: &Table) -> bool {
    SECRETS.iter().any(|(section, key)| {
        let text = table.get(*section).and_then(|it| it.get(key)).and_then(Value::as_str).unwrap_or_default();
        !text.is_empty() && !text.starts_with("sqlite:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_among_the_settings_that_are_shown() {
        let text = "database.url = \"postgres://ada:hush@db/shop\"\nhttp.workers = 3\nauth.token_secret = \"hush\"";
        let table: Table = text.parse().unwrap();
        let shown = |section, key| given(&table, section, key).value;
        assert_eq!(shown("http", "workers").as_deref(), Some("3"));
        assert_eq!(shown("http", "bind"), None);
        for (section, key) in SECRETS {
            let value = shown(section, key);
            assert!(value.is_none_or(|it| it == "set, not shown"), "{section}.{key}");
        }
        assert_eq!(shown("auth", "token_secret").as_deref(), Some("set, not shown"));
    }

    fn parsed(text: &str) -> Result<Settings, Failure> {
        Settings::parse(text.parse().unwrap())
    }

    #[test]
    fn a_number_out_of_range_is_refused_without_repeating_it() {
        for (setting, min, max) in [
            ("http.workers", 0, 512),
            ("http.connections", 16, 1_000_000),
            ("http.drain_seconds", 0, 300),
            ("database.connections", 1, 10_000),
            ("database.wait_ms", 10, 60_000),
            ("stripe.endpoint_per_second", 0, 10_000),
            ("stripe.account_per_second", 0, 10_000),
            ("stripe.queue_wait_ms", 10, 60_000),
            ("stripe.attempt_timeout_ms", 100, 300_000),
            ("stripe.deadline_ms", 100, 600_000),
            ("stripe.customer_deadline_ms", 100, 600_000),
            ("payments.expire_after_hours", 0, 876_000),
            ("payments.back_fill_seconds", 1, 86_400),
            ("payments.keep_idempotency_days", 0, 36_500),
            ("payments.keep_events_days", 31, 36_500),
            ("auth.leeway_seconds", 0, 300),
            ("auth.customer_token_hours_max", 0, 876_000),
            ("auth.order_token_days", 0, 36_500),
            ("storefront.keep_carts_days", 0, 36_500),
            ("storefront.keep_empty_carts_minutes", 0, 525_600),
            ("feed.keep_days", 0, 36_500),
            ("feed.keep_attempts_days", 0, 36_500),
            ("webhooks.timeout_seconds", 1, 30),
            ("limits.cart_per_minute", 0, 1_000_000),
            ("limits.address_wrong_credentials_per_minute", 0, 1_000_000),
        ] {
            let says = format!("{setting} must be a whole number from {min} to {max}");
            for good in [min, max] {
                assert!(parsed(&format!("{setting} = {good}")).is_ok(), "{setting} {good}");
                assert!(parsed(&format!("{setting} = \"{good}\"")).is_ok(), "{setting} {good}");
            }
            for bad in [min - 1, max + 1] {
                assert_eq!(parsed(&format!("{setting} = {bad}")).unwrap_err().to_string(), says, "{bad}");
            }
            for bad in ["\"hush\"", "\"\"", "1.5", "true", "[1]", "\"99999999999999999999\""] {
                assert_eq!(parsed(&format!("{setting} = {bad}")).unwrap_err().to_string(), says, "{bad}");
            }
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_refused_by_its_setting_and_not_repeated() {
        for (text, says) in [
            ("stripe.secret_key = 12345", "stripe.secret_key must be a string"),
            ("stripe.secret_key = [\"12345, expected 12345\"]", "stripe.secret_key must be a string"),
            ("stripe.secret_key.text = \"12345\"", "stripe.secret_key must be a string"),
            ("database.url_file = 12345", "database.url_file must be path string"),
            ("stripe.api_base = \"12345\"", "stripe.api_base must be an http:// or https:// address"),
            ("stripe.api_base = \"https://api.stripe.com/v1/\"", "stripe.api_base must not end in /v1"),
            ("stripe.api_base = 12345", "stripe.api_base must be a text"),
            ("http.bind = \"12345\"", "http.bind must be a host and a port"),
            ("payments.second_payment = \"12345\"", "payments.second_payment must be `refund` or `hold_for_review`"),
            ("payments.second_payment = \"tell\"", "payments.second_payment must be `refund` or `hold_for_review`"),
            ("payments.amount_differs = 12345", "payments.amount_differs must be "),
            ("storefront.currency = \"12345\"", "storefront.currency must be the three-letter"),
            ("storefront.demo = \"12345\"", "storefront.demo must be true or false"),
            ("storefront.demo = 12345", "storefront.demo must be true or false"),
            ("storefront.allowed_origins = \"12345\"", "storefront.allowed_origins must be origins"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.starts_with(says) && !error.contains("12345"), "{text}: {error}");
        }
    }

    #[test]
    fn only_a_settings_file_with_a_secret_in_it_must_be_private() {
        for (text, expected) in [
            ("", false),
            ("database.url = \"sqlite:orders.db\"", false),
            ("auth.token_secret_file = \"token\"", false),
            ("stripe.secret_key = \"\"", false),
            ("database.url = \"postgres://ada:hush@db/shop\"", true),
            ("stripe.webhook_secrets = \"whsec_hush\"", true),
            ("auth.previous_token_secret = \"hush\"", true),
        ] {
            assert_eq!(has_secrets(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
