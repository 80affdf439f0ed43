//! Settings of Stripe.

use std::path::PathBuf;
use std::time::Duration;

use paywright_payments_stripe::{ClientSettings, Pace};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::secret;

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

impl Settings {
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
}
