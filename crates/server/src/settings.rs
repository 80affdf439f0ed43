//! Settings: defaults, then `paywright.toml`, then `PAYWRIGHT__SECTION__KEY` in the environment. A secret may
//! be given as `…_FILE` too, the name of a file that holds it.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Environment, File};
use paywright_app::EXPIRE_SECONDS_MAX;
use paywright_domain::{Currency, Policies, Policy};
use paywright_http_api::{Tokens, TrustedProxies};
use paywright_payments_stripe::{ClientSettings, Pace};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;
use crate::database::Database;
use crate::worker::KeepCarts;

const DEFAULT_FILE: &str = "paywright.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) http: Http,
    pub(crate) database: DatabaseSettings,
    pub(crate) stripe: Stripe,
    pub(crate) payments: Payments,
    pub(crate) auth: Auth,
    pub(crate) storefront: Storefront,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where to listen.
    pub(crate) bind: String,
    /// How many threads serve; as many as there are cores if 0.
    pub(crate) workers: usize,
    /// The most connections of clients at once.
    pub(crate) connections: usize,
    /// How long new connections are still taken once a stop was asked for and `/readyz` is 503, in seconds.
    drain_seconds: u64,
    /// Addresses and networks of proxies whose `X-Forwarded-*` is believed, separated by commas.
    trusted_proxies: String,
}

/// With the 32 KiB of a half-sent head or body that a connection may hold, 128 MiB at most.
pub(crate) const CONNECTIONS: usize = 4096;

/// Two checks of a load balancer that checks every two seconds, and one second more.
pub(crate) const DRAIN_SECONDS: u64 = 5;
/// Five minutes, the default of a common load balancer.
const DRAIN_SECONDS_MAX: u64 = 300;

impl Default for Http {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".into(),
            workers: 0,
            connections: CONNECTIONS,
            drain_seconds: DRAIN_SECONDS,
            trusted_proxies: String::new(),
        }
    }
}

impl Http {
    /// How long new connections are still taken once a stop was asked for.
    pub(crate) fn drain(&self) -> Result<Duration, Failure> {
        if self.drain_seconds > DRAIN_SECONDS_MAX {
            return Err(format!("http.drain_seconds must be at most {DRAIN_SECONDS_MAX}").into());
        }
        Ok(Duration::from_secs(self.drain_seconds))
    }

    /// Proxies that are believed what they say of a client.
    pub(crate) fn trusted_proxies(&self) -> Result<TrustedProxies, Failure> {
        Ok(self.trusted_proxies.parse().map_err(|error| format!("http.trusted_proxies: {error}"))?)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseSettings {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    /// The most connections to PostgreSQL of this process.
    connections: u16,
    /// How long a request waits for one of them, in milliseconds.
    wait_ms: u64,
    /// The file that the highest timeline of PostgreSQL is remembered in; empty to compare nothing.
    timeline_file: Option<PathBuf>,
}

/// The name of the timeline file where none is set.
const TIMELINE_FILE: &str = "paywright-timeline.json";
/// The folder that it is in, if there is one: the home of the user of the container and of packages.
const STATE_FOLDER: &str = "/var/lib/paywright";

/// Where the highest timeline is remembered: where the setting says, or in the first folder of systemd's
/// `StateDirectory=`, in [`STATE_FOLDER`], or in the working directory.
fn timeline_file(set: Option<&Path>, state_directory: Option<&OsStr>) -> Option<PathBuf> {
    if let Some(path) = set {
        return (path != Path::new("")).then(|| path.to_owned());
    }
    let given = state_directory.and_then(|it| std::env::split_paths(it).next()).filter(|it| it.is_absolute());
    let usual = || Some(PathBuf::from(STATE_FOLDER)).filter(|it| it.is_dir());
    Some(given.or_else(usual).unwrap_or_default().join(TIMELINE_FILE))
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { url: None, url_file: None, connections: 16, wait_ms: 2_000, timeline_file: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stripe {
    secret_key: Option<SecretString>,
    secret_key_file: Option<PathBuf>,
    /// Separated by commas where there are two, while one is rolled.
    webhook_secrets: Option<SecretString>,
    webhook_secrets_file: Option<PathBuf>,
    /// `pk_…`: storefronts are told it, and it is no secret.
    pub(crate) publishable_key: Option<String>,
    /// Another address than Stripe's: the twin's.
    api_base: Option<String>,
    /// How many requests of one endpoint this process sends in a second at most; any number if 0.
    endpoint_per_second: u32,
    /// How many requests this process sends in a second at most; any number if 0.
    account_per_second: u32,
    /// How long a customer's request waits for its turn, in milliseconds, before it is answered with 503.
    queue_wait_ms: u64,
    /// How long one attempt at a request may take, in milliseconds.
    attempt_timeout_ms: u64,
    /// How long all attempts at it may take, in milliseconds.
    deadline_ms: u64,
}

impl Default for Stripe {
    fn default() -> Self {
        let pace = Pace::default();
        let milliseconds = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        let patience = ClientSettings::new(SecretString::default());
        Self {
            secret_key: None,
            secret_key_file: None,
            webhook_secrets: None,
            webhook_secrets_file: None,
            publishable_key: None,
            api_base: None,
            endpoint_per_second: pace.endpoint,
            account_per_second: pace.account,
            queue_wait_ms: milliseconds(pace.customer_wait),
            attempt_timeout_ms: milliseconds(patience.attempt_timeout),
            deadline_ms: milliseconds(patience.deadline),
        }
    }
}

/// What the shop wants done about payments.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Payments {
    /// After how many hours an order that nobody has paid is canceled; never if 0.
    expire_after_hours: u32,
    /// How often the list of Stripe's events is walked for those that no webhook has brought, in seconds.
    back_fill_seconds: u32,
    /// `refund` or `hold_for_review`, for each kind of money that does not fit.
    paid_after_cancel: String,
    second_payment: String,
    amount_differs: String,
    wrong_currency: String,
}

/// What is added to the longest that a request to Stripe can take, in seconds, before others go on with it.
const MARGIN_SECONDS: u64 = 5;
/// Thirty days.
const EXPIRE_AFTER_HOURS: u32 = 30 * 24;
const EXPIRE_AFTER_HOURS_MAX: u32 = EXPIRE_SECONDS_MAX / 3600;

impl Default for Payments {
    fn default() -> Self {
        let defaults = paywright_app::Settings::default();
        let named = |policy: Policy| policy.name().to_owned();
        Self {
            expire_after_hours: EXPIRE_AFTER_HOURS,
            back_fill_seconds: defaults.back_fill_seconds,
            paid_after_cancel: named(defaults.policies.paid_after_cancel),
            second_payment: named(defaults.policies.second_payment),
            amount_differs: named(defaults.policies.amount_differs),
            wrong_currency: named(defaults.policies.wrong_currency),
        }
    }
}

impl Payments {
    /// The settings of the use cases.
    pub(crate) fn into_settings(self, client: &ClientSettings) -> Result<paywright_app::Settings, Failure> {
        let key = client.secret_key.expose_secret();
        let livemode = key.starts_with("sk_live_") || key.starts_with("rk_live_");
        // The last attempt may begin at the deadline.
        let patience = (client.deadline + client.attempt_timeout).as_secs().saturating_add(MARGIN_SECONDS);
        let policy = |name: &str, value: &str| match Policy::named(value) {
            Some(policy @ (Policy::Refund | Policy::HoldForReview)) => Ok(policy),
            Some(Policy::Tell) | None => Err(format!("payments.{name} must be refund or hold_for_review")),
        };
        if self.expire_after_hours > EXPIRE_AFTER_HOURS_MAX {
            return Err(format!("payments.expire_after_hours must be at most {EXPIRE_AFTER_HOURS_MAX}").into());
        }
        if self.back_fill_seconds == 0 {
            return Err("payments.back_fill_seconds must be at least 1".into());
        }
        let expires = (self.expire_after_hours > 0).then_some(self.expire_after_hours);
        Ok(paywright_app::Settings {
            livemode,
            policies: Policies {
                paid_after_cancel: policy("paid_after_cancel", &self.paid_after_cancel)?,
                second_payment: policy("second_payment", &self.second_payment)?,
                amount_differs: policy("amount_differs", &self.amount_differs)?,
                wrong_currency: policy("wrong_currency", &self.wrong_currency)?,
            },
            expire_after_seconds: expires.map(|hours| hours.saturating_mul(3600)),
            back_fill_seconds: self.back_fill_seconds,
            patience_seconds: u32::try_from(patience).unwrap_or(u32::MAX),
        })
    }
}

/// Three months.
const KEEP_CARTS_DAYS: u32 = 90;
/// A hundred years.
const KEEP_CARTS_DAYS_MAX: u32 = 36_500;

/// Two hours.
const KEEP_EMPTY_CARTS_MINUTES: u32 = 120;
/// A year.
const KEEP_EMPTY_CARTS_MINUTES_MAX: u32 = 365 * 24 * 60;

/// What a storefront is offered.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Storefront {
    /// The currency of a cart where the storefront names none.
    currency: String,
    /// The origins whose pages may call the Spree dialect, separated by commas; `*` for all.
    allowed_origins: String,
    /// For how many days a cart that nobody changes is kept; for ever if 0.
    keep_carts_days: u32,
    /// For how many minutes a guest's cart without lines is kept; as any other if 0.
    keep_empty_carts_minutes: u32,
    /// Whether `/demo` is there: a shop front to look at.
    pub(crate) demo: bool,
}

impl Default for Storefront {
    fn default() -> Self {
        Self {
            currency: "usd".into(),
            allowed_origins: String::new(),
            keep_carts_days: KEEP_CARTS_DAYS,
            keep_empty_carts_minutes: KEEP_EMPTY_CARTS_MINUTES,
            demo: false,
        }
    }
}

impl Storefront {
    /// How long carts that were left are kept.
    pub(crate) fn keep_carts(&self) -> Result<KeepCarts, Failure> {
        if self.keep_carts_days > KEEP_CARTS_DAYS_MAX {
            return Err(format!("storefront.keep_carts_days must be at most {KEEP_CARTS_DAYS_MAX}").into());
        }
        if self.keep_empty_carts_minutes > KEEP_EMPTY_CARTS_MINUTES_MAX {
            return Err(
                format!("storefront.keep_empty_carts_minutes must be at most {KEEP_EMPTY_CARTS_MINUTES_MAX}").into()
            );
        }
        let for_ever_if_0 = |many: u32, seconds_each: u32| (many > 0).then(|| many.saturating_mul(seconds_each));
        Ok(KeepCarts {
            all: for_ever_if_0(self.keep_carts_days, 24 * 3600),
            empty: for_ever_if_0(self.keep_empty_carts_minutes, 60),
        })
    }

    /// Origins as browsers write them: without a path.
    pub(crate) fn origins(&self) -> Result<Vec<String>, Failure> {
        let origins: Vec<String> =
            self.allowed_origins.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
        let is_origin = |it: &String| {
            let host = it.strip_prefix("https://").or_else(|| it.strip_prefix("http://"));
            let plain = |it: u8| it.is_ascii_alphanumeric() || b"-.:[]".contains(&it);
            it == "*" || host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain))
        };
        match origins.iter().find(|it| !is_origin(it)) {
            None => Ok(origins),
            Some(wrong) => {
                Err(format!("storefront.allowed_origins: {wrong} is no origin like https://shop.example").into())
            }
        }
    }

    pub(crate) fn currency(&self) -> Result<Currency, Failure> {
        Ok(self.currency.parse().map_err(|problem| format!("storefront.currency {problem}"))?)
    }
}

/// Five minutes: a longer tolerance would mostly keep expired tokens alive.
const LEEWAY_SECONDS_MAX: u32 = 300;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    token_secret: Option<SecretString>,
    token_secret_file: Option<PathBuf>,
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    leeway_seconds: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self { token_secret: None, token_secret_file: None, leeway_seconds: Tokens::LEEWAY_SECONDS }
    }
}

impl Auth {
    /// Tolerance for the clock of the shop that signs tokens, in seconds.
    pub(crate) fn leeway_seconds(&self) -> Result<u32, Failure> {
        if self.leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(format!("auth.leeway_seconds must be at most {LEEWAY_SECONDS_MAX}").into());
        }
        Ok(self.leeway_seconds)
    }
}

impl Settings {
    /// Reads the file that is named, or else `paywright.toml` if there is one.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let file = File::from(named.unwrap_or(Path::new(DEFAULT_FILE))).required(named.is_some());
        let environment = Environment::with_prefix("PAYWRIGHT").prefix_separator("__").separator("__");
        let read = Config::builder().add_source(file).add_source(environment).build().and_then(Config::try_deserialize);
        Ok(read.map_err(|error| format!("the settings cannot be read: {error}"))?)
    }

    /// The database that orders are kept in.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        let DatabaseSettings { url, url_file, connections, wait_ms, timeline_file: file } = &self.database;
        let Some(url) = secret(url.as_ref(), url_file.as_deref())? else {
            let set = "set PAYWRIGHT__DATABASE__URL (or ..._FILE), for example to \
                       postgres://paywright@localhost/paywright or to sqlite:/var/lib/paywright/orders.db";
            return Err(format!("no database is set: {set}").into());
        };
        if let Some(path) = url.expose_secret().strip_prefix("sqlite:") {
            return Ok(Database::Sqlite { path: path.strip_prefix("//").unwrap_or(path).to_owned() });
        }
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|it| url.expose_secret().starts_with(it));
        if !is_postgres {
            // Not the address itself: it may hold a password.
            return Err("PAYWRIGHT__DATABASE__URL must begin with postgres:// or sqlite:".into());
        }
        if *connections == 0 {
            return Err("database.connections must be at least 1".into());
        }
        let file = timeline_file(file.as_deref(), std::env::var_os("STATE_DIRECTORY").as_deref());
        let wait = Duration::from_millis(*wait_ms);
        Ok(Database::Postgres { url, connections: *connections, wait, timeline_file: file })
    }

    /// How Stripe is reached.
    pub(crate) fn stripe_client(&self) -> Result<ClientSettings, Failure> {
        let Stripe { secret_key, secret_key_file, api_base, .. } = &self.stripe;
        let key = secret(secret_key.as_ref(), secret_key_file.as_deref())?;
        let key =
            key.ok_or("no Stripe key is set: set PAYWRIGHT__STRIPE__SECRET_KEY (or ..._FILE) to an sk_ or rk_ key")?;
        let mut client = ClientSettings::new(key);
        client.pace.endpoint = self.stripe.endpoint_per_second;
        client.pace.account = self.stripe.account_per_second;
        client.pace.customer_wait = Duration::from_millis(self.stripe.queue_wait_ms);
        client.attempt_timeout = Duration::from_millis(self.stripe.attempt_timeout_ms);
        client.deadline = Duration::from_millis(self.stripe.deadline_ms);
        if let Some(base) = api_base {
            base.trim_end_matches('/').clone_into(&mut client.base_url);
        }
        Ok(client)
    }

    pub(crate) fn webhook_secrets(&self) -> Result<Vec<SecretString>, Failure> {
        let all = secret(self.stripe.webhook_secrets.as_ref(), self.stripe.webhook_secrets_file.as_deref())?;
        let Some(all) = all else { return Ok(Vec::new()) };
        let texts = all.expose_secret().split(',').map(str::trim).filter(|it| !it.is_empty());
        Ok(texts.map(SecretString::from).collect())
    }

    pub(crate) fn token_secret(&self) -> Result<SecretString, Failure> {
        let found = secret(self.auth.token_secret.as_ref(), self.auth.token_secret_file.as_deref())?;
        Ok(found.ok_or(
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to a text of at least 32 random bytes (openssl rand -hex 32), \
             which the shop signs its customers' tokens with",
        )?)
    }
}

fn secret(value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    if let Some(value) = value.filter(|it| !it.expose_secret().trim().is_empty()) {
        return Ok(Some(value.clone()));
    }
    let Some(path) = file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some(text.trim().to_owned()).filter(|it| !it.is_empty()).map(SecretString::from))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let todo = if error.kind() == ErrorKind::PermissionDenied {
        "; the user that paywright runs as must be able to read it (in the container that is uid 10001)"
    } else {
        ""
    };
    format!("the secret in {} cannot be read: {error}{todo}", path.display())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::{Error, ErrorKind};
    use std::path::{Path, PathBuf};

    use super::{timeline_file, unreadable};

    #[test]
    fn the_timeline_is_remembered_where_the_setting_or_systemd_says() {
        for (set, state, expected) in [
            (Some("kept/t.json"), Some("/var/lib/shop"), Some("kept/t.json")),
            (Some(""), Some("/var/lib/shop"), None),
            (None, Some("/var/lib/shop:/var/lib/other"), Some("/var/lib/shop/paywright-timeline.json")),
        ] {
            let got = timeline_file(set.map(Path::new), state.map(OsStr::new));
            assert_eq!(got, expected.map(PathBuf::from), "{set:?} {state:?}");
        }
    }

    #[test]
    fn a_secret_of_another_user_is_refused_with_what_to_do() {
        let says = |kind: ErrorKind| unreadable(Path::new("/run/secrets/stripe_key"), &Error::from(kind));
        let denied = says(ErrorKind::PermissionDenied);
        assert!(denied.contains("/run/secrets/stripe_key") && denied.contains("uid 10001"), "{denied}");
        assert!(!says(ErrorKind::NotFound).contains("uid"));
    }
}
