//! `paywright console`: makes links by which operators sign in to the console, and lists and ends their sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use paywright_app::{Actor, Console, ConsoleRole, OperatorName, Work, WorkId};
use paywright_http_api::ConsoleToken;
use uuid::Uuid;

use crate::cli::{ConsoleCommand, ConsoleOptions};
use crate::database::Schema;
use crate::operator::operator;
use crate::settings::Settings;
use crate::world::{RandomIds, SystemClock, random_bytes};
use crate::{Failure, say};

pub(crate) async fn run(options: ConsoleOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    let stores = settings.database()?.open(1, Schema::Check).await?;
    let console = Console::new(stores.console, Arc::new(SystemClock), Arc::new(RandomIds));
    let work = Work::by(operator(), WorkId::Background("console"));
    work.scope(perform(&console, &settings, options.command)).await
}

async fn perform(console: &Console, settings: &Settings, command: ConsoleCommand) -> Result<(), Failure> {
    match command {
        ConsoleCommand::Link { operator, role, url } => {
            if !settings.console.enabled {
                let advice =
                    "set console.enabled = true (PAYWRIGHT__CONSOLE__ENABLED) and start `paywright serve` again";
                return Err(format!("the console is switched off: {advice}").into());
            }
            let origin = match url {
                Some(url) => url,
                None => own_origin(settings.http.bind(None)?.as_str()),
            };
            let operator = operator.map_or_else(own_name, Ok)?;
            let link = link(console, &origin, operator.clone(), role).await?;
            say(&format!("{operator} signs in with the role {role} once, within ten minutes, at:"));
            say(&link);
        }
        ConsoleCommand::Sessions => {
            let sessions = console.sessions().await?;
            if sessions.is_empty() {
                say("Nobody is signed in to the console.");
            }
            for it in sessions {
                let (begun_at, seen_at) = (it.begun_at, it.seen_at);
                say(&format!(
                    "{}  {:?}  {}  since {begun_at}  last seen {seen_at}",
                    it.id,
                    it.operator.as_str(),
                    it.role
                ));
            }
        }
        ConsoleCommand::End { id } => {
            if !console.end(id).await? {
                return Err(format!("there is no session {id}: `paywright console sessions` lists all sessions").into());
            }
            say(&format!("Session {id} has ended."));
        }
    }
    Ok(())
}

/// Origin at which this machine reaches a service that listens on `address`.
fn own_origin(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(it) if it.ip().is_unspecified() => format!("http://127.0.0.1:{}", it.port()),
        Ok(_) | Err(_) => format!("http://{address}"),
    }
}

/// Makes a link to sign in at a console whose origin is `origin`.
pub(crate) async fn link(
    console: &Console,
    origin: &str,
    operator: OperatorName,
    role: ConsoleRole,
) -> Result<String, Failure> {
    let token = ConsoleToken::for_link(random_bytes()?);
    console.add_link(operator, role, token.digest()).await?;
    Ok(format!("{}{}", origin.trim_end_matches('/'), token.path()))
}

/// Name of the user of the operating system, as an operator's.
pub(crate) fn own_name() -> Result<OperatorName, Failure> {
    let Actor::Operator { operator } = operator() else { return Err("the operator has no name".into()) };
    operator.parse().map_err(|error| format!("give --operator: the name of the system's user {error}").into())
}

/// Parses the id of a session. The argument is not repeated in the error: it may be a secret.
pub(crate) fn session_id(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "must be an id that `paywright console sessions` lists".to_owned())
}

/// Parses the origin of a console, such as `https://pay.shop.example`.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let wanted = "must be a scheme and a host, such as https://pay.shop.example";
    let url = url::Url::parse(text).map_err(|_| wanted.to_owned())?;
    let is_plain = ["http", "https"].contains(&url.scheme()) && url.path() == "/" && url.username().is_empty();
    let is_origin = is_plain && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let is_own = url.host().is_some_and(|it| match it {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    });
    if is_origin && url.scheme() == "http" && !is_own {
        return Err(
            "must begin with https://: over http, a browser keeps a session with its own machine only".to_owned()
        );
    }
    if is_origin { Ok(text.trim_end_matches('/').to_owned()) } else { Err(wanted.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for (text, parsed) in [
            ("https://pay.shop.example", "https://pay.shop.example"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(text).unwrap(), parsed);
        }
        for text in [
            "pay.shop.example",
            "ftp://x",
            "https://x/console",
            "https://a@x",
            "https://a:b@x",
            "https://x/?a",
            "https://x/#a",
            "http://10.0.0.1:8080",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
