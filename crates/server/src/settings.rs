//! Settings: defaults, then `paywright.toml`, then `PAYWRIGHT__SECTION__KEY` in the environment. A secret may
//! be given as `…_FILE` too, the name of a file that holds it.

use std::path::{Path, PathBuf};

use config::{Config, Environment, File};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;

const DEFAULT_FILE: &str = "paywright.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) http: Http,
    pub(crate) database: Database,
    pub(crate) stripe: Stripe,
    pub(crate) auth: Auth,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Http {
    /// Where to listen.
    pub(crate) bind: String,
    /// How many threads serve; as many as there are cores if 0.
    pub(crate) workers: usize,
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: "127.0.0.1:8080".into(), workers: 0 }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// `sqlite:PATH`.
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stripe {
    secret_key: Option<SecretString>,
    secret_key_file: Option<PathBuf>,
    /// Separated by commas where there are two, while one is rolled.
    webhook_secrets: Option<SecretString>,
    webhook_secrets_file: Option<PathBuf>,
    /// Another address than Stripe's: the twin's.
    pub(crate) api_base: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    token_secret: Option<SecretString>,
    token_secret_file: Option<PathBuf>,
}

impl Settings {
    /// Reads the file that is named, or else `paywright.toml` if there is one.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let file = File::from(named.unwrap_or(Path::new(DEFAULT_FILE))).required(named.is_some());
        let environment = Environment::with_prefix("PAYWRIGHT").prefix_separator("__").separator("__");
        let read = Config::builder().add_source(file).add_source(environment).build().and_then(Config::try_deserialize);
        Ok(read.map_err(|error| format!("the settings cannot be read: {error}"))?)
    }

    /// The path of the SQLite file.
    pub(crate) fn database_path(&self) -> Result<String, Failure> {
        let Some(url) = self.database.url.as_deref().filter(|it| !it.is_empty()) else {
            let set = "set PAYWRIGHT__DATABASE__URL, for example to sqlite:/var/lib/paywright/orders.db";
            return Err(format!("no database is set: {set}").into());
        };
        match url.strip_prefix("sqlite:") {
            Some(path) => Ok(path.strip_prefix("//").unwrap_or(path).to_owned()),
            // Not the whole address: it may hold a password.
            None => Err("PAYWRIGHT__DATABASE__URL must begin with sqlite: (no other store is there yet)".into()),
        }
    }

    pub(crate) fn stripe_key(&self) -> Result<SecretString, Failure> {
        let key = secret(self.stripe.secret_key.as_ref(), self.stripe.secret_key_file.as_deref())?;
        Ok(key.ok_or("no Stripe key is set: set PAYWRIGHT__STRIPE__SECRET_KEY (or ..._FILE) to an sk_ or rk_ key")?)
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
            "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET (or ..._FILE) to at least 32 random bytes, \
             which the shop signs its customers' tokens with",
        )?)
    }
}

fn secret(value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    if let Some(value) = value.filter(|it| !it.expose_secret().trim().is_empty()) {
        return Ok(Some(value.clone()));
    }
    let Some(path) = file else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the secret in {} cannot be read: {error}", path.display()))?;
    Ok(Some(text.trim().to_owned()).filter(|it| !it.is_empty()).map(SecretString::from))
}
