//! Settings: defaults, then `paywright.toml`, then `PAYWRIGHT__SECTION__KEY` in the environment. A secret may
//! be given as `…_FILE` too, the name of a file that holds it.

mod auth;
mod database;
pub(crate) mod http;
mod payments;
mod secrets;
mod storefront;
mod stripe;

use std::path::Path;

use config::{Config, Environment, File};
use serde::Deserialize;

use crate::Failure;
use crate::settings::auth::Auth;
use crate::settings::database::DatabaseSettings;
pub(crate) use crate::settings::http::CONNECTIONS;
use crate::settings::http::Http;
pub(crate) use crate::settings::payments::Payments;
use crate::settings::storefront::Storefront;
use crate::settings::stripe::Stripe;

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

impl Settings {
    /// Reads the file that is named, or else `paywright.toml` if there is one.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let file = File::from(named.unwrap_or(Path::new(DEFAULT_FILE))).required(named.is_some());
        let environment = Environment::with_prefix("PAYWRIGHT").prefix_separator("__").separator("__");
        let read = Config::builder().add_source(file).add_source(environment).build().and_then(Config::try_deserialize);
        Ok(read.map_err(|error| format!("the settings cannot be read: {error}"))?)
    }
}
