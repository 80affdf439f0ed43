//! `paywright keys`: creates, lists, rotates, revokes and audits API keys.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use paywright_app::{Act, ApiKey, AuditEntry, KeyReplacement, KeyUse, Scope, Store, StoreError, Work, WorkId};
use paywright_domain::Timestamp;
use paywright_domain::text::Text;
use paywright_http_api::ApiKeyText;
use uuid::Uuid;

use crate::cli::{KeysCommand, KeysOptions};
use crate::database::Schema;
use crate::operator::operator;
use crate::settings::Settings;
use crate::world::{RandomIds, now, random_bytes};
use crate::{Failure, say};

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;
/// Longest validity of a key or a token, in days: a hundred years.
const DAYS_MAX: u32 = 36_500;

/// Maximum number of networks of a key.
const NETWORKS_MAX: usize = 100;

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
    Work::by(operator(), WorkId::Background("keys")).scope(perform(store, options.command)).await
}

async fn perform(store: Arc<dyn Store>, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Create { name, scopes, days, networks, per_minute } => {
            let text = ApiKeyText::from_random(random_bytes()?);
            let calls_per_minute = per_minute.and_then(NonZeroU32::new);
            if networks.len() > NETWORKS_MAX {
                return Err(format!("--network: a key has at most {NETWORKS_MAX} networks").into());
            }
            let key = ApiKey { networks, calls_per_minute, ..new_key(&text, name, scopes, days)? };
            store.add_api_key(&key, &entry(key.id, Act::key_created(&key))).await?;
            say(&describe(&key));
            show(&text);
        }
        KeysCommand::List => {
            let uses = store.key_uses().await?;
            let keys = store.api_keys().await?;
            if keys.is_empty() {
                say("There is no key: `paywright keys create` creates one.");
            }
            for key in keys {
                say(&line(&key, &uses, now()));
            }
        }
        KeysCommand::Rotate { id, overlap, scopes } => rotate(&store, key_id(&id)?, overlap, scopes).await?,
        KeysCommand::Revoke { id } => {
            let id = key_id(&id)?;
            if !store.revoke_api_key(id, &entry(id, Act::KeyRevoked)).await? {
                return Err(no_such_key(id));
            }
            say(&format!("Key {id} is revoked."));
        }
        KeysCommand::Audit { days } => audit(&store, days).await?,
    }
    Ok(())
}

/// Entry of the audit trail about an act of this command.
fn entry(key: Uuid, act: Act) -> AuditEntry {
    AuditEntry::of_current_work(&RandomIds, now(), key, act)
}

/// Parses the id of a key. The argument is not repeated in the error: it may be the key itself.
pub(crate) fn key_id(text: &str) -> Result<Uuid, Failure> {
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

async fn rotate(store: &Arc<dyn Store>, id: Uuid, overlap: u32, scopes: Vec<Scope>) -> Result<(), Failure> {
    let found = store.api_keys().await?.into_iter().find(|it| it.id == id);
    let old = found.ok_or_else(|| no_such_key(id))?;
    if let Some(new) = old.replaced_by {
        return Err(format!("key {id} is replaced by {new} already: rotate that one").into());
    }
    if let Some(other) = scopes.iter().find(|it| !old.scopes.contains(it)) {
        return Err(format!(
            "key {id} has no scope {other}: the new key may have those of the old one, or some of them"
        )
        .into());
    }
    let at = now();
    let is_valid = old.refusal(at).is_none();
    let text = ApiKeyText::from_random(random_bytes()?);
    // A key that expires is replaced by one that is valid for as long as it was.
    let validity = old.expires_at.map(|end| end.unix_seconds() - old.created_at.unix_seconds());
    let expires_at = validity.and_then(|it| u32::try_from(it).ok()).map(|it| at.plus_seconds(it));
    let scopes = if scopes.is_empty() { old.scopes } else { scopes };
    let new = ApiKey {
        application: old.application,
        expires_at,
        networks: old.networks,
        calls_per_minute: old.calls_per_minute,
        ..new_key(&text, old.name, scopes, None)?
    };
    let replacement = KeyReplacement { old: id, old_until: at.plus_seconds(overlap), new };
    let effective = old.expires_at.map_or(replacement.old_until, |it| it.min(replacement.old_until));
    let rotated = Act::KeyRotated { new: replacement.new.id, old_until: effective };
    let entries = [entry(id, rotated), entry(replacement.new.id, Act::key_created(&replacement.new))];
    match store.replace_api_key(&replacement, &entries).await {
        Ok(()) => {}
        Err(StoreError::Conflict) => return Err(format!("key {id} was rotated by another command just now").into()),
        Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Corrupt(_))) => {
            return Err(error.into());
        }
    }
    let new = replacement.new;
    let until = if is_valid { format!("valid until {effective}") } else { "not valid any more".to_owned() };
    say(&format!("Key {} replaces {id}, which is {until}.", new.id));
    say(&describe(&new));
    say("Idempotency keys are known under both, so that a request may be repeated with either.");
    show(&text);
    Ok(())
}

/// Sentence about a new key.
fn describe(key: &ApiKey) -> String {
    let networks = joined(&key.networks);
    let from = if networks.is_empty() { String::new() } else { format!(", may be used from {networks}") };
    let limit = key.calls_per_minute.map(|it| format!(", at most {it} times a minute")).unwrap_or_default();
    let until = key.expires_at.map(|it| format!(", until {it}")).unwrap_or_default();
    format!("Key {} ({}) has the scopes {}{from}{limit}{until}.", key.id, key.name, joined(&key.scopes))
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
    let networks = joined(&key.networks);
    let networks = if networks.is_empty() { networks } else { format!("  from {networks}") };
    let limit = key.calls_per_minute.map(|it| format!("  {it} per minute")).unwrap_or_default();
    let (id, name, scopes, created) = (key.id, &key.name, joined(&key.scopes), key.created_at);
    format!("{id}  {name}  [{scopes}]  created {created}  {state}  {last_use}{networks}{limit}")
}

async fn audit(store: &Arc<dyn Store>, days: u32) -> Result<(), Failure> {
    let at = now();
    let (uses, keys) = (store.key_uses().await?, store.api_keys().await?);
    let valid: Vec<_> = keys.iter().filter(|it| it.refusal(at).is_none()).collect();
    for key in &valid {
        say(&format!("{}  {}  created {}", key.id, key.name, day(key.created_at)));
        for finding in findings(key, &keys, &uses, (at, days)) {
            say(&format!("    {finding}"));
        }
    }
    say(if valid.is_empty() {
        "There is no valid key: `paywright keys create` creates one."
    } else {
        "Uses are recorded within a minute, by day, and count for all keys of an application: a rotated key and its successors."
    });
    Ok(())
}

/// Findings about the scopes of `key`, by the uses of its application's keys in the `days` before `at`.
fn findings(key: &ApiKey, keys: &[ApiKey], uses: &[KeyUse], (at, days): (Timestamp, u32)) -> Vec<String> {
    let own: Vec<&ApiKey> = keys.iter().filter(|it| it.application == key.application).collect();
    let since = own.iter().map(|it| it.created_at).min().unwrap_or(key.created_at);
    // The start of a day is stored: that of the first day that counts is up to a day longer ago.
    let from = at.minus_seconds((days + 1) * SECONDS_PER_DAY);
    let used_at = |scope: Scope| {
        let of_scope = uses.iter().filter(|it| it.scope == scope && own.iter().any(|key| key.id == it.key));
        of_scope.map(|it| it.last_used).max().filter(|it| *it > from)
    };
    let (needed, not_used): (Vec<Scope>, Vec<Scope>) =
        key.scopes.iter().copied().partition(|it| used_at(*it).is_some());
    let is_young = since > at.minus_seconds(days * SECONDS_PER_DAY);
    let for_long = if is_young { format!("since it was created ({})", day(since)) } else { format!("in {days} days") };
    if needed.is_empty() {
        let todo = if is_young { "" } else { ": revoke it if no program needs it" };
        return vec![format!("not used {for_long}{todo}")];
    }
    let with_days = |it: &Scope| format!("{it} ({})", used_at(*it).map(day).unwrap_or_default());
    let mut findings = vec![format!("used: {}", needed.iter().map(with_days).collect::<Vec<_>>().join(", "))];
    if !not_used.is_empty() {
        findings.push(format!("not used {for_long}: {}", joined(&not_used)));
        if !is_young && key.replaced_by.is_none() {
            let left: Vec<_> = needed.iter().map(|it| format!("--scope {it}")).collect();
            findings.push(format!("to drop them: paywright keys rotate {} {}", key.id, left.join(" ")));
        }
    }
    findings
}

/// Scopes or networks as a list for people.
fn joined<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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
    let scopes = scopes.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + day * i64::from(SECONDS_PER_DAY)).unwrap()
    }

    #[test]
    fn an_audit_counts_all_keys_of_an_application_and_advises_after_the_whole_time() {
        let scopes = vec![Scope::OrdersRead, Scope::OrdersWrite];
        let key = |n: u8, created: i64| {
            ApiKey::new(Uuid::from_u128(n.into()), "shop".into(), [n; 32], scopes.clone(), at(created))
        };
        let (first, second) = (key(1, 0), ApiKey { application: key(1, 0).id, ..key(2, 39) });
        let keys = [first, second.clone(), key(3, 39)];
        let on_day = |key: u8, scope, day| KeyUse { key: Uuid::from_u128(key.into()), scope, last_used: at(day) };
        let uses =
            [on_day(1, Scope::OrdersRead, 11), on_day(1, Scope::OrdersWrite, 8), on_day(3, Scope::OrdersRead, 40)];
        let of = |key: &ApiKey, uses: &[KeyUse]| findings(key, &keys, uses, (at(40), 30)).join("\n");
        let told = of(&second, &uses);
        let command = format!("paywright keys rotate {} --scope orders:read", second.id);
        assert!(told.starts_with("used: orders:read (2023-11-25)\nnot used in 30 days: orders:write\n"), "{told}");
        assert!(told.ends_with(&command), "{told}");
        assert_eq!(of(&second, &[]), "not used in 30 days: revoke it if no program needs it");
        let young = of(&keys[2], &uses);
        assert!(young.ends_with("not used since it was created (2023-12-23): orders:write"), "{young}");
        assert_eq!(of(&keys[2], &[]), "not used since it was created (2023-12-23)");
    }
}
