//! Settings of Stripe.

use std::path::{Path, PathBuf};
use std::time::Duration;

use paywright_app::WEBHOOK_SECRETS_MAX;
use paywright_payments_stripe::{ClientSettings, Pace};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Host;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::{Secret, secret};
use crate::settings::stripe_keys::{self, Mode};
use crate::settings::values::{ApiBase, Within, flag, parsed};

/// The host of Stripe's API. Its other hosts (uploads, Connect's OAuth) are not called.
const STRIPE_HOST: &str = "api.stripe.com";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stripe {
    secret_key: Option<SecretString>,
    secret_key_file: Option<PathBuf>,
    /// Webhook secrets, separated by commas; two while one is being rolled.
    webhook_secrets: Option<SecretString>,
    webhook_secrets_file: Option<PathBuf>,
    /// `pk_…`, sent to storefronts. It is not a secret, but is treated as one until it was checked: it may be a secret
    /// key by mistake.
    publishable_key: Option<SecretString>,
    /// Address to use instead of Stripe's, such as the twin's.
    #[serde(deserialize_with = "parsed")]
    api_base: ApiBase,
    /// Whether a live key may be sent to a host other than Stripe's, such as the shop's own proxy.
    #[serde(deserialize_with = "flag")]
    allow_live_key_at_other_host: bool,
    /// Maximum number of requests per second of this process to one endpoint; no limit if 0.
    endpoint_per_second: Within<0, 10_000>,
    /// Maximum number of requests per second of this process; no limit if 0.
    account_per_second: Within<0, 10_000>,
    /// Time for which a customer's request waits for its turn, in milliseconds, before it is answered with 503.
    queue_wait_ms: Within<10, 60_000>,
    /// Timeout of one attempt at a request, in milliseconds.
    attempt_timeout_ms: Within<100, 300_000>,
    /// Time after which no further attempt at a request begins, in milliseconds.
    deadline_ms: Within<100, 600_000>,
    /// Time for which a customer's request waits for Stripe in total, in milliseconds, before it is answered with 503.
    customer_deadline_ms: Within<100, 600_000>,
}

impl Default for Stripe {
    fn default() -> Self {
        let pace = Pace::default();
        let milliseconds = |it: Duration| u32::try_from(it.as_millis()).unwrap_or(u32::MAX);
        let client = ClientSettings::new(SecretString::default());
        Self {
            secret_key: None,
            secret_key_file: None,
            webhook_secrets: None,
            webhook_secrets_file: None,
            publishable_key: None,
            api_base: ApiBase::default(),
            allow_live_key_at_other_host: false,
            endpoint_per_second: Within::nearest(pace.endpoint),
            account_per_second: Within::nearest(pace.account),
            queue_wait_ms: Within::nearest(milliseconds(pace.customer_wait)),
            attempt_timeout_ms: Within::nearest(milliseconds(client.attempt_timeout)),
            deadline_ms: Within::nearest(milliseconds(client.deadline)),
            customer_deadline_ms: Within::nearest(milliseconds(client.customer_deadline)),
        }
    }
}

impl Stripe {
    /// The secret key, after a check of its form, its mode (that of the publishable key) and its destination.
    fn checked_key(&self) -> Result<SecretString, Failure> {
        let key = secret("stripe.secret_key", self.secret_key.as_ref(), self.secret_key_file.as_deref())?;
        let Secret { text, setting } = key.ok_or(
            "no Stripe key is set: set PAYWRIGHT__STRIPE__SECRET_KEY (or ..._FILE) to an sk_test_, sk_live_, rk_test_ or \
             rk_live_ key",
        )?;
        let mode = stripe_keys::secret_key(&setting, text.expose_secret())?;
        if let Some((_, other)) = self.checked_publishable_key()?
            && other != mode
        {
            let (mode, other) = (mode.name(), other.name());
            return Err(format!("{setting} is of {mode} mode, but stripe.publishable_key of {other} mode").into());
        }
        match mode {
            Mode::Live => self.check_live_host(&setting)?,
            Mode::Test => {}
        }
        Ok(text)
    }

    fn checked_publishable_key(&self) -> Result<Option<(String, Mode)>, Failure> {
        let key = self.publishable_key.as_ref().map(|it| it.expose_secret().trim()).filter(|it| !it.is_empty());
        key.map(|it| Ok((it.to_owned(), stripe_keys::publishable_key("stripe.publishable_key", it)?))).transpose()
    }

    /// Refuses to send the live key of `setting` to another host, or without TLS.
    fn check_live_host(&self, setting: &str) -> Result<(), Failure> {
        let base = self.api_base.url();
        let is_here = match base.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if base.host_str() != Some(STRIPE_HOST) && !self.allow_live_key_at_other_host {
            return Err(format!(
                "{setting} is of live mode, but stripe.api_base is not https://{STRIPE_HOST}: a live key is sent to another \
                 host only if stripe.allow_live_key_at_other_host is true"
            )
            .into());
        }
        if base.scheme() != "https" && !is_here {
            return Err(
                format!("{setting} is of live mode and is sent by https only, but stripe.api_base is http").into()
            );
        }
        Ok(())
    }
}

impl Settings {
    /// Settings of the client for Stripe's API.
    pub(crate) fn stripe_client(&self) -> Result<ClientSettings, Failure> {
        let stripe = &self.stripe;
        let milliseconds = |it: u32| Duration::from_millis(it.into());
        let mut client = ClientSettings::new(stripe.checked_key()?);
        stripe.api_base.as_str().clone_into(&mut client.base_url);
        client.pace.endpoint = stripe.endpoint_per_second.get();
        client.pace.account = stripe.account_per_second.get();
        client.pace.customer_wait = milliseconds(stripe.queue_wait_ms.get());
        client.attempt_timeout = milliseconds(stripe.attempt_timeout_ms.get());
        client.deadline = milliseconds(stripe.deadline_ms.get());
        client.customer_deadline = milliseconds(stripe.customer_deadline_ms.get());
        Ok(client)
    }

    /// The publishable key, which is sent to storefronts.
    pub(crate) fn publishable_key(&self) -> Result<Option<String>, Failure> {
        Ok(self.stripe.checked_publishable_key()?.map(|(key, _)| key))
    }

    /// The secrets with which webhooks may be signed.
    pub(crate) fn webhook_secrets(&self) -> Result<Vec<SecretString>, Failure> {
        let Stripe { webhook_secrets, webhook_secrets_file: file, .. } = &self.stripe;
        let Some(Secret { text, setting }) =
            secret("stripe.webhook_secrets", webhook_secrets.as_ref(), file.as_deref())?
        else {
            return Ok(Vec::new());
        };
        webhook_secrets_in(&setting, &text)
    }

    /// The file of the webhook secrets, if the settings name one.
    pub(crate) fn webhook_secrets_file(&self) -> Option<&Path> {
        self.stripe.webhook_secrets_file.as_deref().filter(|it| !it.as_os_str().is_empty())
    }

    /// The file in which commands keep the webhook secrets. It may not exist yet.
    pub(crate) fn kept_webhook_secrets_file(&self) -> Result<&Path, Failure> {
        let todo = "set stripe.webhook_secrets_file to the path of a file that this command may write";
        let given = self.stripe.webhook_secrets.as_ref().is_some_and(|it| !it.expose_secret().trim().is_empty());
        match self.webhook_secrets_file() {
            Some(_) if given => {
                Err("stripe.webhook_secrets and stripe.webhook_secrets_file are both set: keep the file".into())
            }
            Some(path) => Ok(path),
            None if given => Err(format!(
                "the secret of the endpoint is kept in a file, but stripe.webhook_secrets is set: {todo}, and move the secrets into it"
            )
            .into()),
            None => Err(format!("the secret of the endpoint is kept in a file: {todo}").into()),
        }
    }
}

/// Name of the setting in messages about the file of the webhook secrets.
pub(crate) const WEBHOOK_SECRETS_FILE: &str = "stripe.webhook_secrets_file";

/// Webhook secrets in a text, separated by commas, after a check of each.
pub(crate) fn webhook_secrets_in(setting: &str, text: &SecretString) -> Result<Vec<SecretString>, Failure> {
    let secrets: Vec<&str> = text.expose_secret().split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    if secrets.len() > WEBHOOK_SECRETS_MAX {
        return Err(format!("{setting} must have at most {WEBHOOK_SECRETS_MAX} secrets").into());
    }
    secrets.iter().try_for_each(|it| stripe_keys::webhook_secret(setting, it))?;
    Ok(secrets.into_iter().map(SecretString::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Destination of `key`, or the error.
    fn checked(key: &str, more: &str) -> String {
        let text = format!("stripe.secret_key = \"{key}\"\n{more}");
        let settings = Settings::parse(text.parse().unwrap()).unwrap();
        settings.stripe_client().map_or_else(|error| error.to_string(), |it| format!("sent to {}", it.base_url))
    }

    #[test]
    fn a_live_key_is_sent_only_to_stripe_unless_a_setting_allows_another_host() {
        let other_host = "stripe.secret_key is of live mode, but stripe.api_base is not https://api.stripe.com";
        let plain = "stripe.secret_key is of live mode and is sent by https only";
        for (base, allowed, expected) in [
            ("https://api.stripe.com", false, "sent to https://api.stripe.com"),
            ("https://API.stripe.com:443/", false, "sent to https://api.stripe.com"),
            ("http://api.stripe.com", false, plain),
            ("http://api.stripe.com", true, plain),
            ("https://api.stripe.com.evil.example", false, other_host),
            ("https://files.stripe.com", false, other_host),
            ("http://127.0.0.1:4242", false, other_host),
            ("https://proxy.example/stripe", false, other_host),
            ("https://proxy.example/stripe", true, "sent to https://proxy.example/stripe"),
            ("http://proxy.example", true, plain),
            ("http://127.0.0.1:4242", true, "sent to http://127.0.0.1:4242"),
            ("http://[::1]:4242", true, "sent to http://[::1]:4242"),
        ] {
            let more = format!("stripe.api_base = \"{base}\"\nstripe.allow_live_key_at_other_host = {allowed}");
            for key in ["sk_live_hush", "rk_live_hush"] {
                let error = checked(key, &more);
                assert!(error.starts_with(expected) && !error.contains("hush"), "{base} {allowed}: {error}");
            }
            assert!(checked("sk_test_hush", &more).starts_with("sent to "), "{base}");
        }
    }

    #[test]
    fn keys_of_different_modes_are_refused() {
        for (key, publishable, expected) in [
            ("sk_test_x", "pk_test_x", "sent to"),
            ("rk_live_x", "pk_live_x", "sent to"),
            ("sk_live_x", " ", "sent to"),
            ("sk_live_x", "pk_test_x", "stripe.secret_key is of live mode, but stripe.publishable_key of test mode"),
            ("rk_test_x", "pk_live_x", "stripe.secret_key is of test mode, but stripe.publishable_key of live mode"),
            ("sk_test_x", "sk_test_x", "stripe.publishable_key must begin with pk_test_ or pk_live_"),
        ] {
            let error = checked(key, &format!("stripe.publishable_key = \"{publishable}\""));
            assert!(error.starts_with(expected), "{key} {publishable}: {error}");
        }
    }

    #[test]
    fn each_webhook_secret_is_checked_and_their_number_is_limited() {
        let found = |text: &str| {
            let table = format!("stripe.webhook_secrets = \"{text}\"").parse().unwrap();
            Settings::parse(table).unwrap().webhook_secrets().map(|it| it.len()).map_err(|error| error.to_string())
        };
        assert_eq!(found(" , "), Ok(0));
        assert_eq!(found("whsec_a, whsec_b,"), Ok(2));
        assert!(found("whsec_a,hush").unwrap_err().starts_with("stripe.webhook_secrets must begin with whsec_"));
        assert!(found(&"whsec_a,".repeat(17)).unwrap_err().contains("at most 16"));
    }
}
