//! `paywright keys`: creates, lists, rotates, revokes and audits API keys.

use std::num::NonZeroU32;
use std::sync::Arc;

use paywright_app::{ApiKey, KeyReplacement, KeyUse, Scope, Store, StoreError};
use paywright_domain::Timestamp;
use paywright_domain::text::Text;
use paywright_http_api::ApiKeyText;
use uuid::Uuid;

use crate::cli::{KeysCommand, KeysOptions};
use crate::database::Schema;
use crate::settings::Settings;
use crate::world::{now, random_bytes};
use crate::{Failure, say};

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;
/// Longest validity of a key or a token, in days: a hundred years.
const DAYS_MAX: u32 = 36_500;

/// Longest name of a key, in characters.
const NAME_CHARS_MAX: usize = 100;

pub(crate) async fn run(options: KeysOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    // The first command of a new shop may create the database; only `migrate` and `serve` change an existing one.
    let schema = match &options.command {
        KeysCommand::Create { .. } => Schema::Create,
        KeysCommand::List | KeysCommand::Rotate { .. } | KeysCommand::Revoke { .. } | KeysCommand::Audit { .. } => {
            Schema::Check
        }
    };
    let store = database.open(1, schema).await?.orders;
    match options.command {
        KeysCommand::Create { name, scopes, days, networks, per_minute } => {
            let text = ApiKeyText::from_random(random_bytes()?);
            let calls_per_minute = per_minute.and_then(NonZeroU32::new);
            let key = ApiKey { networks, calls_per_minute, ..new_key(&text, name, scopes, days)? };
            store.add_api_key(&key).await?;
            say(&format!("Key {} ({}) has the scopes {}.", key.id, key.name, scope_names(&key.scopes)));
            show(&text);
        }
        KeysCommand::List => {
            let uses = store.key_uses().await?;
            for key in store.api_keys().await? {
                say(&line(&key, &uses, now()));
            }
        }
        KeysCommand::Rotate { id, overlap } => rotate(&store, key_id(&id)?, overlap).await?,
        KeysCommand::Revoke { id } => {
            let id = key_id(&id)?;
            if !store.revoke_api_key(id, now()).await? {
                return Err(no_such_key(id));
            }
            say(&format!("Key {id} is revoked."));
        }
        KeysCommand::Audit { days } => audit(&store, days).await?,
    }
    Ok(())
}

/// Parses the id of a key. The argument is not repeated in the error: it may be the key itself.
fn key_id(text: &str) -> Result<Uuid, Failure> {
    let advice = "a key is named by its id, as listed by `paywright keys list`, and not by its text";
    Ok(Uuid::try_parse(text).map_err(|_| advice)?)
}

fn no_such_key(id: Uuid) -> Failure {
    format!("there is no key {id}: `paywright keys list` lists all keys").into()
}

/// Prints the text of a new key.
fn show(text: &ApiKeyText) {
    say("The key is shown only once and is not stored; callers send it as X-API-Key, and an OAuth 2.0 client as its");
    say("client_secret, with the id as its client_id:");
    say(text.expose());
}

async fn rotate(store: &Arc<dyn Store>, id: Uuid, overlap: u32) -> Result<(), Failure> {
    let found = store.api_keys().await?.into_iter().find(|it| it.id == id);
    let old = found.ok_or_else(|| no_such_key(id))?;
    let at = now();
    if let Some(refusal) = old.refusal(at) {
        return Err(format!("{refusal}: create a key with `paywright keys create`").into());
    }
    if let Some(new) = old.replaced_by {
        return Err(format!("key {id} is being replaced by {new} already: rotate that one").into());
    }
    let text = ApiKeyText::from_random(random_bytes()?);
    // A key that expires is replaced by one that is valid for as long as it was.
    let validity = old.expires_at.map(|end| end.unix_seconds() - old.created_at.unix_seconds());
    let expires_at = validity.and_then(|it| u32::try_from(it).ok()).map(|it| at.plus_seconds(it));
    let new = ApiKey {
        application: old.application,
        expires_at,
        networks: old.networks,
        calls_per_minute: old.calls_per_minute,
        ..new_key(&text, old.name, old.scopes, None)?
    };
    let replacement = KeyReplacement { old: id, old_until: at.plus_seconds(overlap), new };
    match store.replace_api_key(&replacement).await {
        Ok(()) => {}
        Err(StoreError::Conflict) => return Err(format!("key {id} was rotated or revoked at this moment").into()),
        Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Corrupt(_))) => {
            return Err(error.into());
        }
    }
    let KeyReplacement { old_until, new, .. } = replacement;
    let old_until = old.expires_at.map_or(old_until, |it| it.min(old_until));
    say(&format!("Key {} ({}) replaces {id}, which is valid until {old_until}.", new.id, new.name));
    say("Idempotency keys are known under both, so that a request may be repeated with either.");
    show(&text);
    Ok(())
}

/// Last use of a key of any scope.
fn last_used(id: Uuid, uses: &[KeyUse]) -> Option<Timestamp> {
    uses.iter().filter(|it| it.key == id).map(|it| it.last_used).max()
}

/// Day of a time, in UTC.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// Line about a key.
fn line(key: &ApiKey, uses: &[KeyUse], at: Timestamp) -> String {
    let state = match (key.revoked_at, key.expires_at, key.replaced_by) {
        (Some(at), _, _) => format!("revoked {at}"),
        (None, Some(end), Some(new)) if key.refusal(at).is_none() => format!("until {end}, then rotated to {new}"),
        (None, Some(end), Some(new)) => format!("rotated {end} to {new}"),
        (None, Some(end), None) if key.refusal(at).is_none() => format!("until {end}"),
        (None, Some(end), None) => format!("expired {end}"),
        (None, None, _) => "active".to_owned(),
    };
    let last_use =
        last_used(key.id, uses).map_or_else(|| "never used".to_owned(), |it| format!("last used {}", day(it)));
    let networks: Vec<_> = key.networks.iter().map(ToString::to_string).collect();
    let networks = if networks.is_empty() { String::new() } else { format!("  from {}", networks.join(", ")) };
    let limit = key.calls_per_minute.map(|it| format!("  {it} per minute")).unwrap_or_default();
    let (id, name, scopes, created) = (key.id, &key.name, scope_names(&key.scopes), key.created_at);
    format!("{id}  {name}  [{scopes}]  created {created}  {state}  {last_use}{networks}{limit}")
}

async fn audit(store: &Arc<dyn Store>, days: u32) -> Result<(), Failure> {
    let at = now();
    // The start of a day is stored: that of the first day that counts is as long ago as `days`.
    let since = at.minus_seconds((days + 1) * SECONDS_PER_DAY);
    let uses = store.key_uses().await?;
    let keys: Vec<_> = store.api_keys().await?.into_iter().filter(|it| it.refusal(at).is_none()).collect();
    for key in &keys {
        say(&format!("{}  {}  created {}", key.id, key.name, day(key.created_at)));
        for advice in findings(key, &uses, since, days) {
            say(&format!("    {advice}"));
        }
    }
    if keys.is_empty() {
        say("There is no valid key: `paywright keys create` creates one.");
    } else {
        say(
            "Uses are recorded within a minute, by day. A key keeps its scopes for life: to drop some, create a key with",
        );
        say("the others, give it to the program, and revoke the old one.");
    }
    Ok(())
}

/// What the uses of a key since a time say about its scopes.
fn findings(key: &ApiKey, uses: &[KeyUse], since: Timestamp, days: u32) -> Vec<String> {
    let used_at = |scope: Scope| {
        uses.iter().find(|it| it.key == key.id && it.scope == scope && it.last_used > since).map(|it| it.last_used)
    };
    let (needed, not_used): (Vec<Scope>, Vec<Scope>) =
        key.scopes.iter().copied().partition(|it| used_at(*it).is_some());
    if needed.is_empty() {
        return vec![format!("not used in {days} days: revoke it if no program needs it")];
    }
    let with_days = |it: &Scope| format!("{it} ({})", used_at(*it).map(day).unwrap_or_default());
    let mut findings = vec![format!("used: {}", needed.iter().map(with_days).collect::<Vec<_>>().join(", "))];
    if !not_used.is_empty() {
        findings.push(format!("not used in {days} days, drop: {}", scope_names(&not_used)));
    }
    findings
}

fn scope_names(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The record of the key `text`, with a random id.
pub(crate) fn new_key(
    text: &ApiKeyText,
    name: String,
    scopes: Vec<Scope>,
    days: Option<u32>,
) -> Result<ApiKey, Failure> {
    let name =
        Text::<1, NAME_CHARS_MAX>::of_one_line(name).map_err(|problem| format!("a key's name {problem}"))?.into();
    let created_at = now();
    let mut bytes = [0; 16];
    for (byte, random) in bytes.iter_mut().zip(random_bytes()?) {
        *byte = random;
    }
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let expires_at = days.map(|it| in_days(created_at, it)).transpose()?;
    Ok(ApiKey { expires_at, ..ApiKey::new(id, name, text.digest(), scopes, created_at) })
}

pub(crate) fn in_days(from: Timestamp, days: u32) -> Result<Timestamp, Failure> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(format!("--days must be 1 to {DAYS_MAX}").into());
    }
    // A hundred years of seconds fit.
    Ok(from.plus_seconds(days * SECONDS_PER_DAY))
}
