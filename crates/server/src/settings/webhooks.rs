//! Settings of the feed and of outgoing webhooks.

use std::path::PathBuf;
use std::time::Duration;

use paywright_app::FeedRetention;
use paywright_webhook_sender::{HttpWebhookSender, SenderSettings};
use secrecy::SecretString;
use serde::Deserialize;

use crate::Failure;
use crate::settings::Settings;
use crate::settings::secrets::secret;
use crate::settings::values::{Networks, Within, flag, parsed};

/// Longest time for which events can be kept, in days: a hundred years.
const KEEP_DAYS_MAX: u32 = 36_500;

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;

/// Retention of the feed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Feed {
    /// Number of days for which events are kept in the feed; for ever if 0.
    keep_days: Within<0, KEEP_DAYS_MAX>,
    /// Number of days for which attempts to deliver events are kept; for ever if 0.
    keep_attempts_days: Within<0, KEEP_DAYS_MAX>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { keep_days: Within::nearest(400), keep_attempts_days: Within::nearest(30) }
    }
}

impl Feed {
    /// Times for which events and attempts are kept.
    pub(crate) fn retention(&self) -> FeedRetention {
        let for_ever_if_0 = |days: u32| (days > 0).then(|| days.saturating_mul(SECONDS_PER_DAY));
        FeedRetention {
            events_seconds: for_ever_if_0(self.keep_days.get()),
            attempts_seconds: for_ever_if_0(self.keep_attempts_days.get()),
        }
    }
}

/// Outgoing webhooks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Webhooks {
    secret_key: Option<SecretString>,
    secret_key_file: Option<PathBuf>,
    /// Whether endpoints may have `http` URLs.
    #[serde(deserialize_with = "flag")]
    allow_http: bool,
    /// Networks that endpoints may be in although their addresses are not public.
    #[serde(deserialize_with = "parsed")]
    allowed_networks: Networks,
    /// Time limit of an attempt, in seconds.
    timeout_seconds: Within<1, 30>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            secret_key: None,
            secret_key_file: None,
            allow_http: false,
            allowed_networks: Networks::default(),
            timeout_seconds: Within::nearest(20),
        }
    }
}

impl Settings {
    /// Settings of the sender of webhooks. Without a key no endpoint can be created.
    pub(crate) fn webhook_sender(&self) -> Result<SenderSettings, Failure> {
        let Webhooks { secret_key, secret_key_file, allow_http, allowed_networks, timeout_seconds } = &self.webhooks;
        let found = secret("webhooks.secret_key", secret_key.as_ref(), secret_key_file.as_deref())?;
        let sender = SenderSettings {
            key: found.as_ref().map(|it| it.text.clone()),
            allow_http: *allow_http,
            allowed_networks: allowed_networks.0.clone(),
            timeout: Duration::from_secs(timeout_seconds.get().into()),
            ..SenderSettings::default()
        };
        self.check_webhook_networks()?;
        // Checked before the database is opened; a wrong key names its setting.
        if let Err(problem) = HttpWebhookSender::new(sender.clone()) {
            let setting = found.map_or_else(|| "webhooks".to_owned(), |it| it.setting);
            return Err(format!("{setting}: {problem}").into());
        }
        Ok(sender)
    }

    /// Refuses to let webhooks go to every address.
    pub(super) fn check_webhook_networks(&self) -> Result<(), Failure> {
        if self.webhooks.allowed_networks.0.iter().any(|it| it.prefix_len() == 0) {
            return Err("webhooks.allowed_networks: a network of every address would let webhooks go anywhere".into());
        }
        Ok(())
    }
}
