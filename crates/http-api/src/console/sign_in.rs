//! Signing in by a one-time link, and signing out.

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use paywright_app::{ConsoleRole, Scope};

use super::refusal::{NoSession, Refusal};
use super::session::{console, cookie, form, posted, set_cookie, signed_in, text};
use super::token::ConsoleToken;
use super::{START, When, page, see_other, when};
use crate::Api;
use crate::requests::record_actor;

/// Page of a link, whose button signs in.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    operator: &'a str,
    role: &'static str,
    may: &'static str,
    token: &'a str,
    until: When,
}

/// `GET /console`: leads to the first page.
pub(super) async fn start(api: Data<Api>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    signed_in(&api, &request, Scope::OrdersRead).await?;
    Ok(see_other(START))
}

/// Any other path under `/console`.
pub(super) async fn nothing(api: Data<Api>) -> Result<HttpResponse, Refusal> {
    console(&api)?;
    Err(Refusal::NoSuch("page"))
}

/// `GET /console/sign-in/{token}`: page of a link. It spends nothing, so that a preview of the link does no harm.
pub(super) async fn link(api: Data<Api>, token: Path<String>) -> Result<HttpResponse, Refusal> {
    let token = ConsoleToken::of(token.into_inner());
    let link = console(&api)?.sign_in.link(&token.digest()).await?.ok_or(Refusal::LinkUsed)?;
    let may = match link.role {
        ConsoleRole::View => "see everything, and change nothing",
        ConsoleRole::Refund => {
            "see everything, refund, capture and cancel orders, accept payments of another amount, and close failed refunds"
        }
        ConsoleRole::Administer => "see and do everything",
    };
    let until = when(link.expires_at);
    let (operator, role) = (link.operator.as_str(), link.role.name());
    Ok(page(StatusCode::OK, &SignInPage { operator, role, may, token: token.expose(), until }))
}

/// `POST /console/sign-in`: spends the link and begins a session.
pub(super) async fn begin(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let console = &console(&api)?.sign_in;
    // A page of another site could put its visitor into a session of someone else.
    if request.headers().get("sec-fetch-site").is_some_and(|it| it != "same-origin" && it != "none") {
        return Err(Refusal::OtherSession);
    }
    let form = form(&request, payload).await?;
    let (link, token) = (ConsoleToken::of(text(&form, "token").to_owned()), ConsoleToken::for_session()?);
    let session = console.sign_in(&link.digest(), token.digest()).await?.ok_or(Refusal::LinkUsed)?;
    record_actor(session.actor());
    if let Some(before) = cookie(&request)
        && let Some(before) = console.session(&before.digest()).await?
    {
        console.end(before.id).await?;
    }
    let mut answer = see_other(START);
    answer.headers_mut().insert(SET_COOKIE, set_cookie(&api, &request, Some(&token))?);
    Ok(answer)
}

/// `POST /console/sign-out`: ends the session.
pub(super) async fn end(api: Data<Api>, request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let (operator, _) = posted(&api, &request, payload, Scope::OrdersRead).await?;
    console(&api)?.sign_in.end(operator.session.id).await?;
    let text = "The session has ended on the server, too.";
    let mut answer = page(StatusCode::OK, &NoSession { title: "You are signed out", text });
    answer.headers_mut().insert(SET_COOKIE, set_cookie(&api, &request, None)?);
    Ok(answer)
}
