//! Address of a database: a `postgres://` URL in libpq's form, and the parts of it that this crate handles itself.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use form_urlencoded::{Serializer, parse};
use tokio::net::lookup_host;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::failure::OpenError;

/// Timeout for establishing a connection.
const CONNECT_SECONDS: u64 = 5;
/// Time without an answer after which a network connection counts as dead.
const SILENCE_SECONDS: u64 = 10;

/// Timeout for resolving a host name.
const RESOLVE: Duration = Duration::from_secs(1);
/// Default port of a server.
const PORT: u16 = 5432;

/// Check of the server's certificate, as `sslmode` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// No check: the connection is encrypted, the server is not authenticated.
    Anyone,
    /// A trusted authority has signed the certificate.
    Signed,
    /// A trusted authority has signed the certificate, and it is valid for the host.
    SignedForHost,
}

/// Parsed address. Its `Display` and `Debug` omit the password.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    /// PEM file of trusted authorities; the system's list if `None`.
    pub(crate) authorities: Option<PathBuf>,
}

impl Address {
    /// Parses a URL. `sslmode` and `sslrootcert` have libpq's meaning (PostgreSQL 17, section 32.19).
    pub(crate) fn parse(url: &str) -> Result<Self, OpenError> {
        let bad = |problem: String| OpenError::Address { problem };
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        if base.matches('@').count() > 1 {
            // A part of the password would be parsed as the host, and shown.
            return Err(bad("it has more than one @: write one in a name or a password as %40".into()));
        }
        let (mut mode, mut authorities, mut rest) = (None, None, Serializer::new(String::new()));
        for (name, value) in parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" if value != "system" => authorities = Some(PathBuf::from(value.into_owned())),
                "sslrootcert" => {}
                _ => drop(rest.append_pair(&name, &value)),
            }
        }
        // The server takes a `+` literally.
        let rest = rest.finish().replace('+', "%20");
        let mut config = Config::from_str(&format!("{base}?{rest}")).map_err(|error| {
            // The unknown parameter may be the rest of a password that contains a `?`.
            let named = if query.contains('@') { "an option is wrong".into() } else { with_causes(&error) };
            bad(format!("{named} (write @, :, / and ? in a name or a password as %40, %3A, %2F and %3F)"))
        })?;
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
        // Every host is queried for its role instead (`connect.rs`).
        config.target_session_attrs(TargetSessionAttrs::Any);
        Ok(Self { config, trust, authorities })
    }

    /// Splits the address into one for each of its hosts.
    pub(crate) fn hosts(&self) -> Vec<Self> {
        let count = self.config.get_hosts().len().max(self.config.get_hostaddrs().len());
        (0..count).map(|n| Self { config: self.config_of(n), ..self.clone() }).collect()
    }

    /// Splits the address into one for each IP address that its host name resolves to.
    pub(crate) async fn servers(&self) -> Vec<Self> {
        let port = self.config.get_ports().first().copied().unwrap_or(PORT);
        match self.config.get_hosts() {
            [Host::Tcp(name)] if self.config.get_hostaddrs().is_empty() => {
                let found = timeout(RESOLVE, lookup_host((name.as_str(), port))).await;
                let found = found.ok().and_then(Result::ok).into_iter().flatten().map(|it| it.ip());
                self.at_each_of(&found.collect())
            }
            _ => vec![self.clone()],
        }
    }

    /// This address, if the name resolves to at most one IP address; otherwise one for each.
    fn at_each_of(&self, found: &BTreeSet<IpAddr>) -> Vec<Self> {
        if found.len() < 2 {
            return vec![self.clone()];
        }
        let at = |ip: &IpAddr| {
            let mut one = self.clone();
            one.config.hostaddr(*ip);
            one
        };
        found.iter().map(at).collect()
    }

    /// Configuration with the `n`th host only.
    fn config_of(&self, n: usize) -> Config {
        let (from, mut to) = (&self.config, Config::new());
        match from.get_hosts().get(n) {
            Some(Host::Tcp(name)) => drop(to.host(name)),
            Some(Host::Unix(path)) => drop(to.host_path(path)),
            None => {}
        }
        let ports = from.get_ports();
        if let Some(port) = ports.get(n).or(ports.first()) {
            to.port(*port);
        }
        if let Some(address) = from.get_hostaddrs().get(n) {
            to.hostaddr(*address);
        }
        if let Some(user) = from.get_user() {
            to.user(user);
        }
        if let Some(password) = from.get_password() {
            to.password(password);
        }
        if let Some(database) = from.get_dbname() {
            to.dbname(database);
        }
        if let Some(options) = from.get_options() {
            to.options(options);
        }
        if let Some(name) = from.get_application_name() {
            to.application_name(name);
        }
        to.ssl_mode(from.get_ssl_mode()).ssl_negotiation(from.get_ssl_negotiation());
        to.channel_binding(from.get_channel_binding()).load_balance_hosts(from.get_load_balance_hosts());
        to.target_session_attrs(from.get_target_session_attrs());
        if let Some(timeout) = from.get_connect_timeout() {
            to.connect_timeout(*timeout);
        }
        if let Some(timeout) = from.get_tcp_user_timeout() {
            to.tcp_user_timeout(*timeout);
        }
        to.keepalives(from.get_keepalives()).keepalives_idle(from.get_keepalives_idle());
        if let Some(interval) = from.get_keepalives_interval() {
            to.keepalives_interval(interval);
        }
        if let Some(retries) = from.get_keepalives_retries() {
            to.keepalives_retries(retries);
        }
        to
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
            if let Some(ip) = self.config.get_hostaddrs().get(index) {
                write!(f, "[{ip}]")?;
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(index).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

/// Formats an error and its sources in one line.
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
    fn sslmode_has_the_same_meaning_as_in_libpq() {
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
    fn each_host_gets_all_parameters_of_the_address() {
        let url = "postgres://ada:secret@db1:5433,db2:5434/shop?sslmode=verify-full&connect_timeout=3\
                   &tcp_user_timeout=4&keepalives=1&keepalives_idle=5&keepalives_interval=6&keepalives_retries=7\
                   &application_name=till&options=-c%20jit%3Don&channel_binding=require";
        let hosts = Address::parse(url).unwrap().hosts();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["db1:5433/shop", "db2:5434/shop"]);
        for (host, place) in hosts.iter().zip(["db1:5433", "db2:5434"]) {
            let alone = Address::parse(&url.replace("db1:5433,db2:5434", place)).unwrap();
            assert_eq!((&host.config, host.trust), (&alone.config, alone.trust), "{place}");
        }
        let hosts = Address::parse("postgres://ada@%2Frun%2Fa:5433,%2Frun%2Fb/shop").unwrap().hosts();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/run/a:5433/shop", "/run/b:5432/shop"]);
    }

    #[test]
    fn a_host_name_with_several_ip_addresses_is_one_server_for_each() {
        let host = Address::parse("postgres://ada@db:5433/shop?sslmode=verify-full").unwrap();
        for (found, expected) in [
            (vec![], vec!["db:5433/shop"]),
            (vec!["10.0.0.1"], vec!["db:5433/shop"]),
            (vec!["10.0.0.2", "10.0.0.1", "10.0.0.2"], vec!["db[10.0.0.1]:5433/shop", "db[10.0.0.2]:5433/shop"]),
        ] {
            let found = found.iter().map(|it| it.parse().unwrap()).collect();
            let servers = host.at_each_of(&found);
            assert_eq!(servers.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
            // The host name stays, because the certificate is checked against it.
            assert!(servers.iter().all(|it| it.config.get_hosts() == host.config.get_hosts()));
        }
    }

    #[test]
    fn an_address_is_displayed_without_its_password() {
        let address = Address::parse("postgres://ada:secret@db1:5433,db2:5434/shop").unwrap();
        assert_eq!(address.to_string(), "db1:5433,db2:5434/shop");
        let address = Address::parse("postgres://ada:secret@%2Frun%2Fpostgresql/shop?options=-c%20jit%3Don").unwrap();
        assert_eq!(
            (address.to_string(), address.config.get_options()),
            ("/run/postgresql:5432/shop".into(), Some("-c jit=on"))
        );
        for (url, says) in [
            ("postgres://ada:secret@db:port/shop", "invalid value for option `port`"),
            ("postgres://ada:x@secret@db/shop", "more than one @"),
            ("postgres://ada:x@y/secret@db/shop", "more than one @"),
            ("postgres://ada:5432?secret@db/shop", "an option is wrong"),
            ("postgres://ada:x?secret@db/shop", "an option is wrong"),
            ("postgres://ada:x@db/shop?sslmod=require", "unknown option `sslmod`"),
        ] {
            let error = Address::parse(url).err().map(|it| it.to_string()).unwrap();
            assert!(error.contains(says) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
