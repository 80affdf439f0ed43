//! Page of the settings in force, and of who is signed in.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{ConsoleSession, Scope};
use uuid::Uuid;

use super::refusal::Refusal;
use super::session::{console, posted, signed_in, text};
use super::{Frame, GivenSetting, Section, When, page, see_other, when};
use crate::Api;

/// Scope that the role which administers has alone: ending a session of someone else needs that role.
const ADMINISTERS: Scope = Scope::WebhooksWrite;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    sessions: Vec<SessionRow>,
    may_end: bool,
    settings: Vec<GivenSetting>,
}

struct SessionRow {
    id: String,
    operator: String,
    role: &'static str,
    begun: When,
    seen: When,
    /// Whether it is the session that reads the page.
    is_own: bool,
}

impl SessionRow {
    fn of(session: &ConsoleSession, own: Uuid) -> Self {
        Self {
            id: session.id.to_string(),
            operator: session.operator.to_string(),
            role: session.role.name(),
            begun: when(session.begun_at),
            seen: when(session.seen_at),
            is_own: session.id == own,
        }
    }
}

/// `GET /console/settings`.
pub(super) async fn list(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let operator = signed_in(&api, &request, Scope::AuditRead).await?;
    let sessions = console(&api)?.sign_in.sessions().await?;
    let shown = SettingsPage {
        frame: Frame::of(&api, &operator, Section::Settings),
        sessions: sessions.iter().map(|it| SessionRow::of(it, operator.session.id)).collect(),
        may_end: operator.may(ADMINISTERS),
        settings: api.console.as_ref().map(|it| it.settings.to_vec()).unwrap_or_default(),
    };
    Ok(page(StatusCode::OK, &shown))
}

/// `GET` of the address of the act: leads to the page.
pub(super) async fn of_act() -> HttpResponse {
    see_other("/console/settings")
}

/// `POST /console/settings/end`: ends a session.
pub(super) async fn end(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let (_, form) = posted(&api, &request, payload, ADMINISTERS).await?;
    let id = Uuid::try_parse(text(&form, "id")).ok();
    // One that has ended meanwhile is what was asked for.
    console(&api)?.sign_in.end(id.ok_or(Refusal::NoSuch("session"))?).await?;
    Ok(see_other("/console/settings"))
}
