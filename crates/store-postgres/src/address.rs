//! The address of a database: a `postgres://` URL as libpq has them, and what of it is ours to do.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use form_urlencoded::{Serializer, parse};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::failure::OpenError;

/// How long to wait for a connection to be made.
const CONNECT_SECONDS: u64 = 5;
/// After how long a silent network is taken for a dead one.
const SILENCE_SECONDS: u64 = 10;

/// What a certificate must show before we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing: the line is encrypted, the other end is whoever answers.
    Anyone,
    /// That an authority we trust has signed it.
    Signed,
    /// That, and that it was made for the host we asked for.
    SignedForHost,
}

/// An address that was read. It shows itself without its password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    /// A PEM file of authorities; the system's own if `None`.
    pub(crate) authorities: Option<PathBuf>,
}

impl Address {
    /// Reads a URL. `sslmode` and `sslrootcert` mean what they mean to libpq (PostgreSQL 17, section 32.19).
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let bad = |problem: String| OpenError::Address { problem };
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut rest) = (None, None, Serializer::new(String::new()));
        for (name, value) in parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" if value != "system" => authorities = Some(PathBuf::from(value.into_owned())),
                "sslrootcert" => {}
                _ => drop(rest.append_pair(&name, &value)),
            }
        }
        // The server reads a `+` as it is.
        let rest = rest.finish().replace('+', "%20");
        let mut config = Config::from_str(&format!("{base}?{rest}")).map_err(|error| bad(with_causes(&error)))?;
        let signed = if authorities.is_some() { Trust::Signed } else { Trust::Anyone };
        let (mode, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anyone),
            None | Some("prefer") => (SslMode::Prefer, Trust::Anyone),
            Some("require") => (SslMode::Require, signed),
            Some("verify-ca") => (SslMode::Require, Trust::Signed),
            Some("verify-full") => (SslMode::Require, Trust::SignedForHost),
            Some(_) => return Err(bad("sslmode must be disable, prefer, require, verify-ca or verify-full".into())),
        };
        config.ssl_mode(mode);
        if config.get_application_name().is_none() {
            config.application_name("paywright");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(CONNECT_SECONDS));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(SILENCE_SECONDS));
        }
        // Where several hosts are named, the one that can be written to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, trust, authorities })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

/// An error with all that led to it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_means_what_it_means_to_libpq() {
        for (query, expected) in [
            ("", Some((SslMode::Prefer, Trust::Anyone))),
            ("?sslmode=disable", Some((SslMode::Disable, Trust::Anyone))),
            ("?sslmode=require", Some((SslMode::Require, Trust::Anyone))),
            ("?sslmode=require&sslrootcert=/ca.pem", Some((SslMode::Require, Trust::Signed))),
            ("?sslmode=verify-ca", Some((SslMode::Require, Trust::Signed))),
            ("?sslmode=verify-full&sslrootcert=system", Some((SslMode::Require, Trust::SignedForHost))),
            ("?sslmode=allow", None),
            ("?nonsense=1", None),
        ] {
            let read = Address::parse(&format!("postgres://ada:secret@db.example:5433/shop{query}"));
            let got = read.as_ref().ok().map(|it| (it.config.get_ssl_mode(), it.trust));
            assert_eq!(got, expected, "{query}");
        }
    }

    #[test]
    fn an_address_shows_itself_without_its_password() {
        let address = Address::parse("postgres://ada:secret@db1:5433,db2:5434/shop").unwrap();
        assert_eq!(address.to_string(), "db1:5433,db2:5434/shop");
        let address = Address::parse("postgres://ada:secret@%2Frun%2Fpostgresql/shop?options=-c%20jit%3Don").unwrap();
        assert_eq!(
            (address.to_string(), address.config.get_options()),
            ("/run/postgresql:5432/shop".into(), Some("-c jit=on"))
        );
        let bad = Address::parse("postgres://ada:secret@db:port/shop").err().map(|it| it.to_string()).unwrap();
        assert!(!bad.contains("secret"), "{bad}");
    }
}
