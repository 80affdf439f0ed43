//! `paywright webhooks ensure` and `rotate` without an id: the endpoint at Stripe that sends its events to this installation.
//! And the check of it in serving processes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use paywright_app::{
    Act, AuditEntry, EndpointDifference, EndpointDrift, EndpointStep, EndpointWatch, EndpointWatchPorts,
    ProviderEndpointUrl, ProviderEndpointsError, ReplaceReason, Rotation, Store, StripeEndpoints, StripeEndpointsError,
    StripeEndpointsPorts, UselessReason, WatchError,
};
use paywright_domain::id::InstallationId;
use paywright_payments_stripe::{Client, ClientSettings, ENDPOINT_SPEC, WebhookSecrets};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use url::Url;

use crate::database::{Schema, Stores};
use crate::settings::Settings;
use crate::webhook_secrets::SecretsFile;
use crate::world::{RandomIds, SystemClock, now};
use crate::{Failure, say};

/// Pauses between two checks of a serving process: if all is well or not permitted, after drift was found (so that its
/// repair is seen soon), and after a failure.
const CHECK_EVERY: Duration = Duration::from_secs(86_400);
const CHECK_DRIFT_EVERY: Duration = Duration::from_secs(300);
const CHECK_FAILED_EVERY: Duration = Duration::from_secs(3600);
/// Largest delay of the first check, so that processes that start together do not check together.
const FIRST_CHECK_WITHIN_MS: u64 = 5000;
/// Pause before drift is looked at again, longer than any step of a command that changes the endpoint.
const CONFIRM_AFTER: Duration = Duration::from_secs(5);

/// `paywright webhooks ensure`.
pub(crate) async fn ensure(settings: &Settings, url: &str, dry_run: bool) -> Result<(), Failure> {
    let stripe = settings.stripe_client()?;
    let url = checked_url(url, &stripe)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let url = ProviderEndpointUrl(url.into());
    let (endpoints, store, installation, _lock) = commands(settings, stripe).await?;
    let planned = endpoints.ensure(url.clone(), true).await.map_err(explained)?;
    let is_unchanged = planned.iter().all(|it| matches!(it, EndpointStep::Wait { .. }));
    if is_unchanged {
        say("The webhook endpoint at Stripe is unchanged: it is as it should be.");
    }
    if dry_run || is_unchanged {
        say_steps(&planned, dry_run);
        return Ok(());
    }
    record(&store, installation, Act::StripeEnsureBegun { host }).await?;
    say_steps(&endpoints.ensure(url, false).await.map_err(explained)?, false);
    Ok(())
}

/// `paywright webhooks rotate` without an id.
pub(crate) async fn rotate(settings: &Settings, overlap_hours: u32, finish: bool) -> Result<(), Failure> {
    let (endpoints, store, installation, _lock) = commands(settings, settings.stripe_client()?).await?;
    record(&store, installation, Act::StripeRotationBegun).await?;
    match endpoints.rotate(overlap_hours * 3600, finish).await.map_err(explained)? {
        Rotation::Begun(steps) => {
            say_steps(&steps, false);
            say(
                "Both secrets are accepted until the rotation is finished: run `paywright webhooks rotate` again after that time.",
            );
        }
        Rotation::UnderWay { until } => {
            say(&format!(
                "A rotation is under way, and nothing was changed. Run this again after {until}, or with --finish to end it now."
            ));
        }
        Rotation::Finished(steps) => {
            say_steps(&steps, false);
            say("The rotation is finished.");
        }
    }
    Ok(())
}

fn say_steps(steps: &[EndpointStep], dry_run: bool) {
    for step in steps {
        say(&sentence(step, dry_run));
    }
}

/// Stores an act of this command in the audit trail, before Stripe is asked for anything.
async fn record(store: &Arc<dyn Store>, installation: InstallationId, act: Act) -> Result<(), Failure> {
    let entry = AuditEntry::of_current_work(&RandomIds, now(), installation, act);
    Ok(store.add_audit_entry(&entry).await?)
}

/// The use cases of the endpoint, the store, the installation, and a lock that holds off other commands on the same file.
async fn commands(
    settings: &Settings,
    stripe: ClientSettings,
) -> Result<(StripeEndpoints, Arc<dyn Store>, InstallationId, std::fs::File), Failure> {
    let file = SecretsFile::at(settings.kept_webhook_secrets_file()?);
    let Stores { orders: store, installation, .. } = settings.database()?.open(1, Schema::Check).await?;
    let lock = file.lock()?;
    let ports = StripeEndpointsPorts {
        endpoints: Arc::new(Client::new(stripe)?),
        secrets: Arc::new(file),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    Ok((StripeEndpoints::new(ports, installation, ENDPOINT_SPEC), store, installation, lock))
}

/// Checks the URL to which Stripe sends events.
fn checked_url(text: &str, stripe: &ClientSettings) -> Result<Url, Failure> {
    let url = Url::parse(text.trim()).map_err(|error| format!("--url is no URL: {error}"))?;
    let problem = if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        "must begin with https://"
    } else if stripe.livemode() && url.scheme() != "https" {
        "must begin with https:// in live mode"
    } else if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        "must have no user, no password and no fragment"
    } else if url.path() == "/" {
        "must have the path at which webhooks of Stripe are received: /webhooks/stripe"
    } else {
        return Ok(url);
    };
    Err(format!("--url {problem}").into())
}

/// Error with the name of a missing permission in Stripe's dashboard.
fn explained(error: StripeEndpointsError) -> Failure {
    match error {
        StripeEndpointsError::Endpoints(ProviderEndpointsError::Denied(name)) => {
            let name = name.map(|it| format!(" ({it})")).unwrap_or_default();
            format!(
                "the restricted key in stripe.secret_key needs write access to Webhook Endpoints{name} for this command"
            )
            .into()
        }
        error @ (StripeEndpointsError::Endpoints(_)
        | StripeEndpointsError::Secrets(_)
        | StripeEndpointsError::Full { .. }
        | StripeEndpointsError::TooManySecrets
        | StripeEndpointsError::NoEndpoint
        | StripeEndpointsError::NoRotation
        | StripeEndpointsError::Replayed) => error.into(),
    }
}

/// Sentence about a step that was taken or, in a dry run, would be.
fn sentence(step: &EndpointStep, dry_run: bool) -> String {
    let did = |done: &str, would: &str| if dry_run { format!("Would {would}") } else { done.to_owned() };
    match step {
        EndpointStep::Create { id, reason } => {
            let what = id.as_ref().map_or_else(|| "an endpoint".to_owned(), |it| format!("the endpoint {it}"));
            format!("{} {what}, with its secret in the file, because {}.", did("Created", "create"), why_new(*reason))
        }
        EndpointStep::Repair { id, differences } => {
            let differences: Vec<&str> = differences.iter().map(|it| difference(*it)).collect();
            format!("{} the endpoint {id}: {}.", did("Repaired", "repair"), differences.join(", "))
        }
        EndpointStep::Retire { id, until } => {
            format!("{} the endpoint {id} beside it until {until}.", did("Kept", "keep"))
        }
        EndpointStep::Wait { id, until } => format!("The endpoint {id}, which was replaced, remains until {until}."),
        EndpointStep::Delete { id, reason } => {
            let reason = match reason {
                UselessReason::SecretNotStored => "an interrupted command has made it, and nobody knows its secret",
                UselessReason::Replaced => "another one has replaced it",
            };
            format!("{} the endpoint {id}: {reason}.", did("Deleted", "delete"))
        }
        EndpointStep::RemoveSecrets { count } => {
            format!(
                "{} {count} old secret{} from the file.",
                did("Removed", "remove"),
                if *count == 1 { "" } else { "s" }
            )
        }
    }
}

const fn why_new(reason: ReplaceReason) -> &'static str {
    match reason {
        ReplaceReason::Missing => "there was none of this installation",
        ReplaceReason::SecretLost => "the secret of the present one is not in the file",
        ReplaceReason::ApiVersion => "the present one has another API version",
        ReplaceReason::Rotation => "its secret is rotated",
    }
}

const fn difference(of: EndpointDifference) -> &'static str {
    match of {
        EndpointDifference::Url => "its URL",
        EndpointDifference::Events => "its events",
        EndpointDifference::Disabled => "it was disabled",
        EndpointDifference::Description => "its description",
    }
}

/// Watch over the endpoint, for a serving process.
pub(crate) fn watch(
    stripe: ClientSettings,
    store: Arc<dyn Store>,
    installation: InstallationId,
) -> Result<EndpointWatch, Failure> {
    let ports = EndpointWatchPorts {
        endpoints: Arc::new(Client::new(stripe)?.in_background()),
        cursors: store,
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    };
    Ok(EndpointWatch::new(ports, installation, ENDPOINT_SPEC))
}

/// Checks the endpoint at the start and once a day, until the worker is stopped.
pub(crate) async fn keep_watching(
    watch: EndpointWatch,
    secrets: Arc<dyn WebhookSecrets>,
    mut stopped: tokio::sync::watch::Receiver<bool>,
) {
    let mut pause = Duration::from_millis(fastrand::u64(..FIRST_CHECK_WITHIN_MS));
    let mut confirms = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
        let known = secrets.current();
        // The file may have been written since it was read.
        let known = secrets.other_than(&known).unwrap_or(known);
        // Without the lines of the client: that a key may not list endpoints is no fault.
        let check = watch.check(&known).with_subscriber(NoSubscriber::default());
        (confirms, pause) = match check.await {
            // A command that rotates the secret may be between two of its steps.
            Ok(drift) if !drift.is_empty() && !confirms => (true, CONFIRM_AFTER),
            Ok(drift) => (false, tell(&watch, &drift)),
            Err(WatchError::Endpoints(ProviderEndpointsError::Denied(_))) => {
                tracing::debug!("the webhook endpoints at Stripe are not checked: the key may not list them");
                (false, CHECK_EVERY)
            }
            Err(error @ (WatchError::Endpoints(_) | WatchError::Store(_) | WatchError::Busy)) => {
                tracing::debug!(%error, "the webhook endpoint at Stripe was not checked");
                (false, CHECK_FAILED_EVERY)
            }
        };
    }
}

/// Tells drift, and logs what is new of it. Returns the pause before the next check.
fn tell(watch: &EndpointWatch, drift: &BTreeSet<EndpointDrift>) -> Duration {
    let before = watch.found().unwrap_or_default();
    watch.tell(drift);
    for it in drift.difference(&before) {
        tracing::warn!("{}", it.sentence());
    }
    if drift.is_empty() { CHECK_EVERY } else { CHECK_DRIFT_EVERY }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_url_is_checked_before_anything_is_created() {
        let checked = |url: &str, key: &str| {
            checked_url(url, &ClientSettings::new(SecretString::from(key)))
                .map(String::from)
                .map_err(|error| error.to_string())
        };
        for (url, says) in [
            ("shop.example/webhooks/stripe", "--url is no URL"),
            ("ftp://shop.example/webhooks/stripe", "--url must begin with https://"),
            ("https://ada:hush@shop.example/webhooks/stripe", "--url must have no user"),
            ("https://shop.example/webhooks/stripe#hush", "--url must have no user"),
            ("https://shop.example", "--url must have the path"),
        ] {
            let error = checked(url, "sk_test_x").unwrap_err();
            assert!(error.starts_with(says) && !error.contains("hush"), "{url}: {error}");
        }
        let plain = "http://127.0.0.1:1/webhooks/stripe";
        assert_eq!(checked(plain, "sk_test_x").as_deref(), Ok(plain));
        assert!(checked(plain, "rk_live_x").unwrap_err().contains("in live mode"));
        let https = "https://shop.example/webhooks/stripe";
        assert_eq!(checked(https, "rk_live_x").as_deref(), Ok(https));
    }
}
