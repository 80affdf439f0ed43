//! Types of settings' values, each of which accepts only valid values. Errors do not repeat the value, which may be a
//! secret.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::LazyLock;

use ipnet::IpNet;
use paywright_http_api::{NetworkError, parse_network};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

/// A whole number from `MIN` to `MAX`, given as a number in the file or as the text of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Within<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// The number, or the nearest one that is allowed.
    pub(crate) const fn nearest(number: u32) -> Self {
        Self(if number < MIN {
            MIN
        } else if number > MAX {
            MAX
        } else {
            number
        })
    }

    pub(crate) const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number::<MIN, MAX>)
    }
}

struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Visitor<'_> for Number<MIN, MAX> {
    type Value = Within<MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let number = u32::try_from(number).ok().filter(|it| (MIN..=MAX).contains(it));
        number.map(Within).ok_or_else(|| E::invalid_value(Unexpected::Other("a number"), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text.trim().parse() {
            Ok(number) => self.visit_i64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Other("a text"), &self)),
        }
    }
}

/// Reads `true` or `false`, or the text of a variable: `true`, `1`, `on`, `yes`, or their opposites.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }

        fn visit_bool<E: Error>(self, flag: bool) -> Result<bool, E> {
            Ok(flag)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
            match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "on" | "yes" => Ok(true),
                "false" | "0" | "off" | "no" => Ok(false),
                _ => Err(E::invalid_value(Unexpected::Other("a text"), &self)),
            }
        }
    }
    deserializer.deserialize_any(Flag)
}

/// Parses a text as `T`. The errors of `T` begin with "must" and do not repeat the text.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    struct Parsed<T>(PhantomData<T>);
    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parsed<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.trim().parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Parsed(PhantomData))
}

/// Addresses and networks, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl FromStr for Networks {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        let networks: Result<Vec<_>, _> = entries.map(parse_network).collect();
        networks.map(Self).map_err(|error| match error {
            NetworkError::Malformed => "must be addresses and networks, like 10.0.0.0/8 or ::1, separated by commas",
            NetworkError::Mapped => "must have IPv4 networks in IPv4 notation, and not in that of IPv6",
        })
    }
}

/// An address to listen on: a host name or an IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindAddress(String);

impl BindAddress {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BindAddress {
    fn default() -> Self {
        Self("127.0.0.1:8080".into())
    }
}

impl FromStr for BindAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |it: &str| {
            !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        };
        let named = text.rsplit_once(':').is_some_and(|(host, port)| is_name(host) && port.parse::<u16>().is_ok());
        if named || text.parse::<SocketAddr>().is_ok() {
            return Ok(Self(text.to_owned()));
        }
        Err("must be a host and a port, like 127.0.0.1:8080 or [::1]:8080")
    }
}

/// Base address of Stripe's own API.
#[expect(clippy::expect_used, reason = "the address is a constant, and every test that starts the program reads it")]
static STRIPE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://api.stripe.com").expect("an address"));

/// The base address of Stripe's API, or of a replacement such as the twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiBase(Url);

impl ApiBase {
    /// The address, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub(super) const fn url(&self) -> &Url {
        &self.0
    }
}

impl Default for ApiBase {
    fn default() -> Self {
        Self(STRIPE.clone())
    }
}

impl FromStr for ApiBase {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |it: &Url| {
            matches!(it.scheme(), "http" | "https")
                && it.has_host()
                && it.username().is_empty()
                && it.password().is_none()
                && it.query().is_none()
                && it.fragment().is_none()
        };
        let url = Url::parse(text).ok().filter(plain);
        if url.as_ref().is_some_and(|it| it.path().trim_end_matches('/').ends_with("/v1")) {
            return Err("must not end in /v1, which is added to it");
        }
        url.map(Self).ok_or("must be an http:// or https:// address with nothing but a host, a port and a path")
    }
}

/// Address of a key set, or none for an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySetUrl(pub(crate) Option<Url>);

impl FromStr for KeySetUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let is_loopback = |it: &Url| match it.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        // A program that can change the answer can sign in as any customer.
        let is_safe = |it: &Url| it.scheme() == "https" || (it.scheme() == "http" && is_loopback(it));
        let is_plain = |it: &Url| it.username().is_empty() && it.password().is_none() && it.fragment().is_none();
        let url = Url::parse(text).ok().filter(|it| is_safe(it) && is_plain(it));
        let url =
            url.ok_or("must be an https:// address, or http:// of a loopback address, without user and fragment")?;
        Ok(Self(Some(url)))
    }
}

/// Origins as browsers write them: scheme, host, and a port if it is not the scheme's own; or `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins(pub(crate) Vec<String>);

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origins = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        // Scheme and host have no case (RFC 6454, section 4); browsers send them in lower case.
        let origins: Vec<String> = origins.map(str::to_ascii_lowercase).collect();
        match origins.iter().position(|it| it != "*" && !is_origin(it)) {
            None => Ok(Self(origins)),
            Some(wrong) => Err(format!(
                "must be origins as browsers write them, like https://shop.example, separated by commas, or *: number {} \
                 is not an origin",
                wrong + 1
            )),
        }
    }
}

fn is_origin(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(|it| matches!(it.scheme(), "http" | "https"));
    url.is_some_and(|it| it.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_address_has_a_host_and_a_port() {
        for good in ["127.0.0.1:8080", "0.0.0.0:0", "[::]:8080", "localhost:80", "pay.example:65535"] {
            assert_eq!(good.parse::<BindAddress>().unwrap().as_str(), good);
        }
        for bad in ["", "8080", ":8080", "127.0.0.1", "::1:8080", "localhost:65536", "http://localhost:80", "a b:80"] {
            assert!(bad.parse::<BindAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_api_base_has_a_scheme_and_a_host_and_no_more_than_a_path() {
        for (good, read) in [
            ("https://api.stripe.com", "https://api.stripe.com"),
            ("http://127.0.0.1:4242/", "http://127.0.0.1:4242"),
            ("https://proxy.example/stripe/", "https://proxy.example/stripe"),
        ] {
            assert_eq!(good.parse::<ApiBase>().unwrap().as_str(), read);
        }
        for bad in [
            "",
            "api.stripe.com",
            "127.0.0.1:4242",
            "localhost:4242",
            "ftp://api.stripe.com",
            "https://",
            "https://api.stripe.com?x=1",
            "https://api.stripe.com#x",
            "https://api.stripe.com@evil.example",
            "https://u:p@api.stripe.com",
            "https://api.stripe.com:99999",
        ] {
            assert!(bad.parse::<ApiBase>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_set_is_read_over_https_or_from_this_machine() {
        for good in [
            "https://login.example/.well-known/jwks.json",
            "https://login.example:8443/keys?p=policy",
            "http://127.0.0.1:9000/keys",
            "http://[::1]/keys",
            "http://localhost:3000/keys",
        ] {
            assert_eq!(good.parse::<KeySetUrl>().unwrap().0.unwrap().as_str(), good);
        }
        assert_eq!("".parse(), Ok(KeySetUrl(None)));
        for bad in [
            "login.example/keys",
            "http://login.example/keys",
            "http://10.0.0.7/keys",
            "http://127.0.0.1.login.example/keys",
            "http://localhost.login.example/keys",
            "https://u:p@login.example/keys",
            "https://login.example/keys#1",
            "file:///keys.json",
            "https://",
        ] {
            assert!(bad.parse::<KeySetUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_those_that_browsers_send() {
        for good in ["", "*", "https://shop.example", "http://localhost:3000, https://xn--bcher-kva.example,"] {
            assert!(good.parse::<Origins>().is_ok(), "{good}");
        }
        let origins: Origins = "HTTPS://Shop.Example:8443".parse().unwrap();
        assert_eq!(origins.0, ["https://shop.example:8443"]);
        for bad in [
            "shop.example",
            "https://shop.example/",
            "https://shop.example/cart",
            "https://shop.example:443",
            "https://shop.example:99999",
            "https://b\u{fc}cher.example",
            "https://u@shop.example",
            "ftp://shop.example",
            "https://:443",
            "null",
        ] {
            let refused = format!("*,{bad}").parse::<Origins>().unwrap_err();
            assert!(refused.ends_with("number 2 is not an origin"), "{bad}: {refused}");
        }
    }
}
