//! `paywright keys`: creates, lists and revokes API keys.

use paywright_app::{ApiKey, Scope};
use paywright_domain::text::Text;
use paywright_http_api::ApiKeyText;

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
        KeysCommand::List | KeysCommand::Revoke { .. } => Schema::Check,
    };
    let store = database.open(1, schema).await?.orders;
    match options.command {
        KeysCommand::Create { name, scopes, days } => {
            let text = ApiKeyText::from_random(random_bytes()?);
            let key = new_key(&text, name, scopes, days)?;
            store.add_api_key(&key).await?;
            say(&format!("Key {} ({}) has the scopes {}.", key.id, key.name, scope_names(&key)));
            say(
                "The key is shown only once and is not stored; callers send it as X-API-Key, and an OAuth 2.0 client as its",
            );
            say("client_secret, with the id as its client_id:");
            say(text.expose());
        }
        KeysCommand::List => {
            for key in store.api_keys().await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) if !key.is_active(now()) => format!("expired {at}"),
                    (None, Some(at)) => format!("until {at}"),
                    (None, None) => "active".to_owned(),
                };
                say(&format!("{}  {}  [{}]  created {}  {state}", key.id, key.name, scope_names(&key), key.created_at));
            }
        }
        KeysCommand::Revoke { id } => {
            // The argument is not repeated in the error: it may be the key itself.
            let id = uuid::Uuid::try_parse(&id)
                .map_err(|_| "a key is revoked by its id, as listed by `paywright keys list`, and not by its text")?;
            if !store.revoke_api_key(id, now()).await? {
                return Err(format!("there is no key {id}: `paywright keys list` lists all keys").into());
            }
            say(&format!("Key {id} is revoked."));
        }
    }
    Ok(())
}

fn scope_names(key: &ApiKey) -> String {
    key.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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
    let mut id = [0; 16];
    for (byte, random) in id.iter_mut().zip(random_bytes()?) {
        *byte = random;
    }
    Ok(ApiKey {
        id: uuid::Builder::from_random_bytes(id).into_uuid(),
        name,
        digest: text.digest(),
        scopes,
        created_at,
        expires_at: days.map(|it| in_days(created_at, it)).transpose()?,
        revoked_at: None,
    })
}

pub(crate) fn in_days(from: paywright_domain::Timestamp, days: u32) -> Result<paywright_domain::Timestamp, Failure> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(format!("--days must be 1 to {DAYS_MAX}").into());
    }
    // A hundred years of seconds fit.
    Ok(from.plus_seconds(days * SECONDS_PER_DAY))
}
