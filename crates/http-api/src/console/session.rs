//! Session of an operator: its cookie, its role, and the forms that are posted in it.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderValue};
use actix_web::web::Payload;
use paywright_app::{ConsoleSession, Scope};
use serde_json::Value;

use super::ConsolePages;
use super::refusal::Refusal;
use super::token::ConsoleToken;
use crate::Api;
use crate::problem::Problem;
use crate::reader::{Fields, parse_form};
use crate::receiving::read_body;
use crate::requests::{JSON_BYTES_MAX, record_actor};

/// Name of the cookie of a session.
const COOKIE_NAME: &str = "paywright_console";
/// Field of a form that proves that the page of the form was read in this session.
const CSRF: &str = "csrf";

/// Header of a request that a page makes by itself, by htmx.
const BY_ITSELF: &str = "hx-request";

/// Operator who is signed in.
pub(super) struct Operator {
    pub(super) session: ConsoleSession,
    pub(super) csrf: String,
}

impl Operator {
    /// Whether the operator's role has a scope.
    pub(super) const fn may(&self, scope: Scope) -> bool {
        self.session.role.has(scope)
    }
}

/// Needs of the console; refused if that is switched off.
pub(super) fn console(api: &Api) -> Result<&ConsolePages, Refusal> {
    api.console.as_ref().ok_or_else(|| Problem::no_such_path().into())
}

/// Operator whose browser sends a request, and who has `scope`; recorded as the actor of the request.
pub(super) async fn signed_in(api: &Api, request: &HttpRequest, scope: Scope) -> Result<Operator, Refusal> {
    let console = &console(api)?.sign_in;
    let token = cookie(request).ok_or(Refusal::NotSignedIn)?;
    // A page that refreshes itself does not keep a session alive that nobody uses.
    let session = if request.headers().contains_key(BY_ITSELF) {
        console.idle_session(&token.digest()).await?
    } else {
        console.session(&token.digest()).await?
    };
    let session = session.ok_or(Refusal::NotSignedIn)?;
    record_actor(session.actor());
    if !session.role.has(scope) {
        return Err(Refusal::NotAllowed { role: session.role, scope });
    }
    Ok(Operator { session, csrf: token.csrf() })
}

/// Operator who posts a form, and the fields of the form.
pub(super) async fn posted(
    api: &Api,
    request: &HttpRequest,
    payload: Payload,
    scope: Scope,
) -> Result<(Operator, Fields), Refusal> {
    let operator = signed_in(api, request, scope).await?;
    let mut form = form(request, payload).await?;
    let given = form.remove(CSRF);
    if given.as_ref().and_then(|it| it.as_str()) != Some(operator.csrf.as_str()) {
        return Err(Refusal::OtherSession);
    }
    Ok((operator, form))
}

/// Fields of a posted form. Their lines end with one character, as a browser counts them: it sends two.
pub(super) async fn form(request: &HttpRequest, payload: Payload) -> Result<Fields, Problem> {
    let body = read_body(request, payload, JSON_BYTES_MAX).await?;
    let text = std::str::from_utf8(&body);
    let text =
        text.map_err(|error| Problem::bad_request("form_malformed", format!("the form is not UTF-8: {error}")))?;
    let mut fields = parse_form(text)?;
    for field in fields.values_mut() {
        if let Value::String(text) = field {
            *text = text.replace("\r\n", "\n");
        }
    }
    Ok(fields)
}

/// Text in a field of a form or a query, without spaces around it; empty if there is no such field.
pub(super) fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default().trim()
}

/// Token in the cookie of a request. Cookies of other programs at the same host are ignored, whatever they have.
pub(super) fn cookie(request: &HttpRequest) -> Option<ConsoleToken> {
    let name = format!("{COOKIE_NAME}=");
    let all = request.headers().get_all(COOKIE).flat_map(|it| it.as_bytes().split(|it| *it == b';'));
    all.filter_map(|it| std::str::from_utf8(it.trim_ascii().strip_prefix(name.as_bytes())?).ok())
        .find(|it| ConsoleToken::is_of_a_session(it))
        .map(|it| ConsoleToken::of(it.to_owned()))
}

/// Header that sets the cookie of a session, or removes it if there is none. The browser sends it to the pages of the console
/// alone, and, unless it has reached this machine itself, over HTTPS alone.
pub(super) fn set_cookie(
    api: &Api,
    request: &HttpRequest,
    token: Option<&ConsoleToken>,
) -> Result<HeaderValue, Problem> {
    let (value, age) = match token {
        Some(token) => (token.expose(), ""),
        None => ("", "; Max-Age=0"),
    };
    let secure = if is_on_this_machine(&api.trusted_proxies.origin(request)) { "" } else { "; Secure" };
    let text = format!("{COOKIE_NAME}={value}; Path=/console; HttpOnly; SameSite=Strict{secure}{age}");
    let mut header = HeaderValue::try_from(text).map_err(|_| Problem::no_such_path())?;
    header.set_sensitive(true);
    Ok(header)
}

/// Whether the browser has reached this service over plain HTTP by a name of its own machine.
fn is_on_this_machine(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://") else { return false };
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|it| it.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_to_a_name_of_this_machine_is_without_secure() {
        for origin in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "http://127.0.0.9"] {
            assert!(is_on_this_machine(origin), "{origin}");
        }
        for origin in
            ["", "https://127.0.0.1:8080", "http://10.0.0.1:80", "http://localhost.example", "http://shop.example"]
        {
            assert!(!is_on_this_machine(origin), "{origin}");
        }
    }
}
