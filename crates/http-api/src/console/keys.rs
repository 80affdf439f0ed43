//! Page of the API keys.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{ApiKey, KeyRefusal, Scope};
use paywright_domain::Timestamp;

use super::refusal::Refusal;
use super::session::signed_in;
use super::{Frame, Section, day, page, utc};
use crate::Api;

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<KeyRow>,
}

/// Row of a key, without its text, which nobody has but its holder.
struct KeyRow {
    name: String,
    id: String,
    /// Class of the badge, and its text.
    state: (&'static str, String),
    scopes: Vec<&'static str>,
    last_used: Option<String>,
    networks: Vec<String>,
    expires: Option<String>,
    limit: Option<u32>,
}

impl KeyRow {
    fn of(key: &ApiKey, last_used: Option<Timestamp>, now: Timestamp) -> Self {
        let state = match key.refusal(now) {
            None => match (key.expires_at, key.replaced_by) {
                (Some(end), Some(_)) => ("wait", format!("rotated, valid until {}", utc(end))),
                (Some(_) | None, Some(_) | None) => ("ok", "valid".to_owned()),
            },
            Some(KeyRefusal::Expired(at)) => ("bad", format!("expired at {}", utc(at))),
            Some(KeyRefusal::Rotated(at)) => ("bad", format!("rotated, ended at {}", utc(at))),
            Some(KeyRefusal::Revoked(at)) => ("bad", format!("revoked at {}", utc(at))),
            Some(KeyRefusal::Unknown) => ("bad", "unknown".to_owned()),
        };
        Self {
            name: key.name.clone(),
            id: key.id.to_string(),
            state,
            scopes: key.scopes.iter().map(|it| it.name()).collect(),
            last_used: last_used.map(day),
            networks: key.networks.iter().map(ToString::to_string).collect(),
            expires: key.expires_at.map(utc),
            limit: key.calls_per_minute.map(Into::into),
        }
    }
}

/// `GET /console/keys`: all API keys.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::AuditRead).await?;
    let mut used: BTreeMap<_, Timestamp> = BTreeMap::new();
    for it in api.app.key_uses().await? {
        let last = used.entry(it.key).or_insert(it.last_used);
        *last = (*last).max(it.last_used);
    }
    let now = api.app.now();
    let keys = api.app.api_keys().await?;
    let keys = keys.iter().map(|it| KeyRow::of(it, used.get(&it.id).copied(), now)).collect();
    Ok(page(StatusCode::OK, &KeysPage { frame: Frame::of(&api, &operator, Section::Keys), keys }))
}
