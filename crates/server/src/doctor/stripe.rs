//! Checks of Stripe: the key and its permissions, webhook endpoints, and the clock. They only read.

use std::time::Duration;

use paywright_app::{EndpointDrift, StripeEndpoints};
use paywright_domain::id::InstallationId;
use paywright_payments_stripe::{API_VERSION, Access, Client, ENDPOINT_SPEC, Resource, StripeError, WebhookEndpoint};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Finding, Report, TIMEOUT, in_time};
use crate::Failure;
use crate::settings::Settings;
use crate::world::now;

/// Differences of the clock from Stripe's, in seconds. Stripe's time has whole seconds, and an answer takes time.
const CLOCK_WARN_SECONDS: u64 = 5;
const CLOCK_FAIL_SECONDS: u64 = 60;

/// Resources that every shop needs.
const FOR_ORDERS: [Resource; 5] =
    [Resource::PaymentIntents, Resource::Refunds, Resource::Charges, Resource::Disputes, Resource::Events];
/// Resources that the books need.
const FOR_BOOKS: [Resource; 3] = [Resource::Balance, Resource::BalanceTransactions, Resource::Payouts];
/// Resources that saved payment methods need.
const FOR_CUSTOMERS: [Resource; 3] = [Resource::Customers, Resource::PaymentMethods, Resource::SetupIntents];

/// Permissions to write, none of which a read shows.
const WRITES: &str = "write permissions cannot be checked without writing: it needs PaymentIntents and Refunds, and for saved \
                      payment methods Customers, PaymentMethods, SetupIntents and Ephemeral keys";

/// Answer to a read of a resource.
type Answer = Result<Access<Value>, String>;

pub(super) async fn check(settings: &Settings, installation: Option<InstallationId>, report: &mut Report) {
    report.add(&webhook_secrets(settings));
    let (client, key) = match client(settings) {
        Ok(client) => client,
        Err(problem) => {
            report.add(&Finding::fail("stripe", problem.to_string()));
            return report.not_checked(&["stripe_key", "stripe_permissions", "stripe_webhooks", "clock"]);
        }
    };
    let first = read(&client, Resource::PaymentIntents).await;
    if let Err(problem) = &first {
        report.add(&Finding::fail("stripe", format!("it cannot be reached: {problem}")));
        return report.not_checked(&["stripe_key", "stripe_permissions", "stripe_webhooks", "clock"]);
    }
    report.add(&Finding::ok("stripe", "it answers"));
    report.add(&key_accepted(&first, key));
    if matches!(first, Ok(Access::KeyRefused)) {
        report.not_checked(&["stripe_permissions", "stripe_webhooks"]);
    } else {
        report.add(&permissions(&client, key, settings.books.enabled()).await);
        let secrets = with_default(NoSubscriber::default(), || settings.webhook_secrets()).unwrap_or_default();
        report.add(&webhook_endpoints(&client, installation, &secrets).await);
    }
    report.add(&clock(client.clock_ahead_of(now())));
}

/// Kind of a key, by its prefix.
#[derive(Debug, Clone, Copy)]
struct Key {
    is_live: bool,
    is_restricted: bool,
}

/// Client for one attempt at each call, and the kind of its key.
fn client(settings: &Settings) -> Result<(Client, Key), Failure> {
    let mut client = with_default(NoSubscriber::default(), || settings.stripe_client())?;
    let is_restricted = client.secret_key.expose_secret().starts_with("rk_");
    let key = Key { is_live: client.livemode(), is_restricted };
    client.attempts_max = 1;
    client.attempt_timeout = client.attempt_timeout.min(TIMEOUT.saturating_sub(Duration::from_secs(1)));
    Ok((Client::new(client)?, key))
}

async fn read(client: &Client, resource: Resource) -> Answer {
    let client = client.clone();
    let read = in_time(async move { client.access(resource).await }).await?;
    read.map_err(|error: StripeError| error.without_message())
}

fn webhook_secrets(settings: &Settings) -> Finding {
    let check = "webhook_secrets";
    match with_default(NoSubscriber::default(), || settings.webhook_secrets()) {
        Ok(secrets) if secrets.is_empty() => Finding::warn(
            check,
            "none is set, so every webhook of Stripe is refused: set stripe.webhook_secrets_file and run `paywright webhooks ensure`, or set \
             stripe.webhook_secrets to the secret of an endpoint at Stripe",
        ),
        Ok(secrets) => Finding::ok(check, format!("{} set", secrets.len())),
        Err(problem) => Finding::fail(check, problem.to_string()),
    }
}

fn key_accepted(first: &Answer, key: Key) -> Finding {
    let mode = if key.is_live { "live" } else { "test" };
    match first {
        Ok(Access::KeyRefused) => Finding::fail(
            "stripe_key",
            format!(
                "Stripe refuses the API key of {mode} mode: it was revoked, has expired or is not complete; copy it from Stripe's dashboard"
            ),
        ),
        Ok(Access::NoSuchCall) => {
            Finding::fail("stripe_key", "the address in stripe.api_base does not have Stripe's API: correct it")
        }
        Ok(Access::Allowed(_) | Access::NothingThere | Access::Denied(_)) | Err(_) => {
            Finding::ok("stripe_key", format!("it is accepted, in {mode} mode"))
        }
    }
}

/// Reads each resource once, all at the same time.
async fn permissions(client: &Client, key: Key, has_books: bool) -> Finding {
    let begin = |resource: Resource| {
        let client = client.clone();
        (resource, tokio::spawn(async move { read(&client, resource).await }))
    };
    let reads: Vec<_> = FOR_ORDERS.into_iter().chain(FOR_BOOKS).chain(FOR_CUSTOMERS).map(begin).collect();
    let mut answers = Vec::new();
    for (resource, read) in reads {
        answers.push((resource, read.await.unwrap_or_else(|_| Err("the check ended unexpectedly".into()))));
    }
    judged(&answers, key, has_books)
}

fn judged(answers: &[(Resource, Answer)], key: Key, has_books: bool) -> Finding {
    let check = "stripe_permissions";
    let lacking = |of: &[Resource]| {
        let denied =
            answers.iter().filter(|(resource, _)| of.contains(resource)).filter_map(
                |(resource, answer)| match answer {
                    Ok(Access::Denied(Some(name))) => Some(format!("{} ({name})", resource.permission())),
                    Ok(Access::Denied(None)) => Some(resource.permission().to_owned()),
                    Ok(Access::Allowed(_) | Access::NothingThere | Access::KeyRefused | Access::NoSuchCall)
                    | Err(_) => None,
                },
            );
        denied.collect::<Vec<_>>().join(", ")
    };
    let failed = answers.iter().find_map(|(_, answer)| answer.as_ref().err());
    let orders = lacking(&FOR_ORDERS);
    let books = if has_books { lacking(&FOR_BOOKS) } else { String::new() };
    let customers = lacking(&FOR_CUSTOMERS);
    let mut missing = Vec::new();
    if !orders.is_empty() {
        missing.push(format!("give it read access to {orders}"));
    }
    if !books.is_empty() {
        missing.push(format!("for the books give it read access to {books}, or set books.enabled = false"));
    }
    if !customers.is_empty() {
        missing.push(format!("for saved payment methods give it read access to {customers}"));
    }
    let missing = missing.join("; ");
    if !orders.is_empty() || !books.is_empty() {
        return Finding::fail(check, format!("the restricted key lacks permissions: {missing}; {WRITES}"));
    }
    if !missing.is_empty() {
        return Finding::warn(check, format!("{missing}; {WRITES}"));
    }
    match failed {
        Some(problem) => Finding::warn(check, format!("not all could be checked: {problem}")),
        None if key.is_restricted => {
            Finding::ok(check, format!("the restricted key has all read permissions; {WRITES}"))
        }
        None => Finding::ok(check, "a secret key has all permissions; a restricted key with fewer is safer"),
    }
}

async fn webhook_endpoints(client: &Client, installation: Option<InstallationId>, secrets: &[SecretString]) -> Finding {
    let check = "stripe_webhooks";
    let asked = client.clone();
    match in_time(async move { asked.webhook_endpoints().await }).await {
        Err(problem) => Finding::warn(check, format!("the endpoints at Stripe cannot be listed: {problem}")),
        Ok(Err(error)) => {
            Finding::warn(check, format!("the endpoints at Stripe cannot be listed: {}", error.without_message()))
        }
        Ok(Ok(Access::Allowed(list))) => {
            installation.and_then(|it| own(&list.data, it, secrets)).unwrap_or_else(|| best_of(&list.data))
        }
        Ok(Ok(Access::Denied(_) | Access::KeyRefused)) => Finding::warn(
            check,
            "the endpoints at Stripe cannot be listed without read access to Webhook Endpoints, which Paywright does not need otherwise: \
             compare the endpoint in Stripe's dashboard with docs/operations.md, \"Stripe\"",
        ),
        Ok(Ok(Access::NothingThere | Access::NoSuchCall)) => {
            Finding::warn(check, "the endpoints cannot be listed: this is not Stripe itself")
        }
    }
}

/// Judges the endpoint that `paywright webhooks ensure` has made; `None` if there is none of this installation.
fn own(listed: &[WebhookEndpoint], installation: InstallationId, secrets: &[SecretString]) -> Option<Finding> {
    let check = "stripe_webhooks";
    let listed: Vec<_> = listed.iter().cloned().map(WebhookEndpoint::into_listed).collect();
    let name = installation.to_string();
    listed.iter().find(|it| it.installation.as_deref() == Some(&name))?;
    let drift = StripeEndpoints::drift(listed, installation, &ENDPOINT_SPEC, secrets, true, now());
    if drift.is_empty() {
        return Some(Finding::ok(
            check,
            "the endpoint of this installation is as `paywright webhooks ensure` makes it",
        ));
    }
    let sentences: Vec<&str> = drift.into_iter().map(EndpointDrift::sentence).collect();
    Some(Finding::warn(check, sentences.join(" ")))
}

/// Judges the endpoint that comes nearest to what Paywright needs. Its URL is not compared: Paywright does not know its own.
fn best_of(endpoints: &[WebhookEndpoint]) -> Finding {
    let check = "stripe_webhooks";
    let has_version = |it: &WebhookEndpoint| it.api_version.as_deref() == Some(API_VERSION);
    let enabled = endpoints.iter().filter(|it| it.is_enabled());
    let Some(best) = enabled.min_by_key(|it| (it.missing_events().len(), !has_version(it))) else {
        return Finding::warn(
            check,
            format!(
                "of {} endpoints at Stripe none is enabled: run `paywright webhooks ensure`, or set one up as docs/operations.md says, \"Stripe\"",
                endpoints.len()
            ),
        );
    };
    let (id, missing) = (&best.id, best.missing_events());
    if !missing.is_empty() {
        return Finding::warn(check, format!("no endpoint sends all events: add to {id} {}", missing.join(", ")));
    }
    if !has_version(best) {
        let version = best.api_version.as_deref().unwrap_or("the account's default");
        return Finding::warn(
            check,
            format!(
                "{id} sends all events, but of API version {version}: create an endpoint of version {API_VERSION} in its place"
            ),
        );
    }
    Finding::ok(check, format!("{id} is enabled and sends all events, of version {API_VERSION}"))
}

fn clock(ahead: Option<i64>) -> Finding {
    let check = "clock";
    let Some(ahead) = ahead else { return Finding::warn(check, "not checked: no answer of Stripe has a time") };
    let seconds = ahead.unsigned_abs();
    let direction = if ahead > 0 { "behind" } else { "ahead of" };
    let message = format!("this machine's clock is {seconds} seconds {direction} Stripe's: synchronize it (NTP)");
    if seconds >= CLOCK_FAIL_SECONDS {
        Finding::fail(check, message)
    } else if seconds >= CLOCK_WARN_SECONDS {
        Finding::warn(check, message)
    } else {
        Finding::ok(check, format!("it agrees with Stripe's within {CLOCK_WARN_SECONDS} seconds"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use paywright_app::ProviderEndpointUrl;

    use super::*;
    use crate::doctor::Status;

    #[test]
    fn a_clock_that_differs_is_a_warning_and_then_a_failure() {
        for (ahead, expected) in [
            (None, Status::Warn),
            (Some(0), Status::Ok),
            (Some(-4), Status::Ok),
            (Some(5), Status::Warn),
            (Some(-59), Status::Warn),
            (Some(60), Status::Fail),
            (Some(-60), Status::Fail),
        ] {
            assert_eq!(clock(ahead).status, expected, "{ahead:?}");
        }
        assert!(clock(Some(-30)).message.contains("30 seconds ahead of Stripe's"));
    }

    #[test]
    fn a_missing_permission_fails_if_it_is_needed() {
        let key = Key { is_live: true, is_restricted: true };
        let denied = |of: &[Resource]| {
            let all = FOR_ORDERS.into_iter().chain(FOR_BOOKS).chain(FOR_CUSTOMERS);
            let answer =
                |it: Resource| Ok(if of.contains(&it) { Access::Denied(None) } else { Access::Allowed(Value::Null) });
            all.map(|it| (it, answer(it))).collect::<Vec<_>>()
        };
        for (of, has_books, expected, named) in [
            (&[][..], true, Status::Ok, "cannot be checked without writing"),
            (&[Resource::Charges, Resource::Events], true, Status::Fail, "read access to Charges, Events"),
            (&[Resource::Payouts], true, Status::Fail, "books.enabled = false"),
            (&[Resource::Payouts], false, Status::Ok, ""),
            (&[Resource::SetupIntents], true, Status::Warn, "SetupIntents"),
        ] {
            let finding = judged(&denied(of), key, has_books);
            assert_eq!(finding.status, expected, "{of:?}");
            assert!(finding.message.contains(named), "{of:?}: {}", finding.message);
        }
        let failed = [(Resource::Refunds, Err("no answer".to_owned()))];
        assert_eq!(judged(&failed, key, true).status, Status::Warn);
    }

    #[test]
    fn the_best_endpoint_is_judged_by_its_events_and_its_version() {
        let endpoint = |id: &str, status: &str, version: Option<&str>, events: &[&str]| WebhookEndpoint {
            id: id.into(),
            created: 0,
            url: ProviderEndpointUrl(String::new()),
            status: status.into(),
            api_version: version.map(str::to_owned),
            enabled_events: events.iter().map(|it| (*it).to_owned()).collect(),
            description: None,
            metadata: BTreeMap::new(),
        };
        let right = endpoint("we_right", "enabled", Some(API_VERSION), &["*"]);
        let old = endpoint("we_old", "enabled", None, &["*"]);
        let few = endpoint("we_few", "enabled", Some(API_VERSION), &["charge.refunded"]);
        let off = endpoint("we_off", "disabled", Some(API_VERSION), &["*"]);
        for (endpoints, expected, named) in [
            (vec![], Status::Warn, "none is enabled"),
            (vec![off.clone()], Status::Warn, "none is enabled"),
            (vec![few.clone(), off], Status::Warn, "payment_intent.succeeded"),
            (vec![few.clone(), old.clone()], Status::Warn, "we_old"),
            (vec![few, old, right], Status::Ok, "we_right"),
        ] {
            let finding = best_of(&endpoints);
            assert!(finding.status == expected && finding.message.contains(named), "{finding}");
        }
    }
}
