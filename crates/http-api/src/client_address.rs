//! Address of the client, and of this service as the client sees it: from the connection, or from the `X-Forwarded-*`
//! headers of trusted proxies. Such headers of any other peer are ignored.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use actix_web::http::header::{HOST, HeaderMap, HeaderName};
use actix_web::http::uri::Authority;
use actix_web::{HttpMessage, HttpRequest};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Prefix length of the smallest IPv6 network that one client is assigned (RFC 6177).
const IPV6_CLIENT_PREFIX: u8 = 64;
/// Prefix length of IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX: u8 = 96;

/// Error of a text that is no network with which client addresses can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The text is neither an address nor a network.
    #[error("must be a network such as 10.0.0.0/8, or an address")]
    Malformed,
    /// The text is a network of IPv4-mapped IPv6 addresses, which no client address is in.
    #[error("must be in IPv4 notation, and not in that of IPv4 addresses in IPv6")]
    Mapped,
}

/// Parses a network (`10.0.0.0/8`), or an address as the network of it alone. An IPv4 address may be in IPv6 notation.
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let address = || text.parse::<IpAddr>().map(|it| IpNet::from(it.to_canonical()));
    let network = text.parse::<IpNet>().or_else(|_| address()).map_err(|_| NetworkError::Malformed)?;
    let is_mapped = network.prefix_len() >= MAPPED_PREFIX && network.network().to_canonical() != network.network();
    if is_mapped { Err(NetworkError::Mapped) } else { Ok(network) }
}

/// Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` headers are used: addresses and
/// networks, separated by commas. None by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Why a list of trusted proxies is refused. `entry` counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TrustedProxiesError {
    /// The entry is neither an address nor a network.
    #[error("must be addresses and networks, like 10.0.0.0/8 or ::1: entry {entry} is neither")]
    Malformed {
        /// Position of the entry in the list.
        entry: usize,
    },
    /// The network contains every address, so that any client could claim any address.
    #[error("must be only the networks of the proxies: entry {entry} contains every address")]
    EveryAddress {
        /// Position of the entry in the list.
        entry: usize,
    },
    /// The network is one of IPv4-mapped IPv6 addresses.
    #[error("must have IPv4 networks in IPv4 notation: entry {entry} is an IPv4 network in IPv6 notation")]
    Mapped {
        /// Position of the entry in the list.
        entry: usize,
    },
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    fn from_str(text: &str) -> Result<Self, TrustedProxiesError> {
        let entries = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        let networks = (1..).zip(entries).map(|(entry, text)| match parse_network(text) {
            Ok(network) if network.prefix_len() == 0 => Err(TrustedProxiesError::EveryAddress { entry }),
            Ok(network) => Ok(network),
            Err(NetworkError::Malformed) => Err(TrustedProxiesError::Malformed { entry }),
            Err(NetworkError::Mapped) => Err(TrustedProxiesError::Mapped { entry }),
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

impl TrustedProxies {
    /// Whether no proxy is trusted.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is a trusted proxy.
    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|it| it.contains(&address))
    }

    /// Address of the client behind `peer`. Each trusted proxy appends the address that called it, so `X-Forwarded-For`
    /// is read from the right while the address so far is a trusted proxy's; any client may have written the entries
    /// left of that. A malformed entry ends the walk too: the client is then the proxy that wrote it.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        if self.contain(client) {
            let entries: Vec<_> = entries(headers, &FORWARDED_FOR).collect();
            for entry in entries.into_iter().rev() {
                match address(entry) {
                    Some(forwarded) if self.contain(client) => client = forwarded,
                    Some(_) | None => break,
                }
            }
        }
        ClientAddress(client)
    }

    /// Scheme and host by which the client reached this service, like `https://shop.example`; empty if the host has
    /// unexpected characters. This service speaks plain HTTP, so that only a trusted proxy can report another scheme.
    pub(crate) fn origin(&self, request: &HttpRequest) -> String {
        let is_proxied = request.peer_addr().is_some_and(|it| self.contain(it.ip().to_canonical()));
        let forwarded = |name| if is_proxied { entries(request.headers(), &name).last() } else { None };
        let scheme = forwarded(FORWARDED_PROTO).filter(|it| ["http", "https"].contains(it)).unwrap_or("http");
        let named = || request.headers().get(HOST).and_then(|it| it.to_str().ok());
        let host =
            forwarded(FORWARDED_HOST).or_else(|| request.uri().authority().map(Authority::as_str)).or_else(named);
        let is_plain =
            |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._:[]".contains(&it));
        host.filter(is_plain).map_or_else(String::new, |host| format!("{scheme}://{host}"))
    }
}

/// Headers that proxies add to a request that they forward.
const FORWARDED: [HeaderName; 6] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("via"),
    FORWARDED_FOR,
    FORWARDED_HOST,
    FORWARDED_PROTO,
    HeaderName::from_static("x-real-ip"),
];

/// Whether a header says that a proxy has forwarded the request.
pub(crate) fn is_forwarded(request: &HttpRequest) -> bool {
    FORWARDED.iter().any(|it| request.headers().contains_key(it))
}

/// Entries of a list header, over all of its lines. A line that is not text counts as one malformed entry.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).map(|it| it.to_str().unwrap_or("?"));
    lines.flat_map(|it| it.split(',')).map(str::trim).filter(|it| !it.is_empty())
}

/// Parses an entry of `X-Forwarded-For`: an address alone, with a port, or in brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<SocketAddr>().ok().map(|it| it.ip());
    let in_brackets = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let found = entry.parse::<IpAddr>().ok().or_else(with_port).or_else(in_brackets);
    found.map(|it| it.to_canonical())
}

/// Client address of a request: the peer of its connection, or the address that trusted proxies report. IPv4-mapped
/// IPv6 addresses are converted to IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Determines the client address of a request and attaches it to the request. `None` if the connection has no peer
    /// address.
    pub(crate) fn attach(
        request: &impl HttpMessage,
        peer: Option<SocketAddr>,
        trusted: &TrustedProxies,
    ) -> Option<Self> {
        let client = trusted.client(peer?.ip(), request.headers());
        request.extensions_mut().insert(client);
        Some(client)
    }

    /// Client address attached to a request; `None` if its connection has no peer address.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().copied()
    }

    /// As [`Self::of`]; `None` too if a proxy that is not trusted has forwarded the request, whose client could be anywhere.
    pub(crate) fn certain(request: &HttpRequest, trusted: &TrustedProxies) -> Option<Self> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if is_forwarded(request) && !trusted.contain(peer) { None } else { Self::of(request) }
    }

    /// IP address.
    pub fn ip(self) -> IpAddr {
        self.0
    }

    /// Network that counts as one client for rate limits: an IPv4 address, or the /64 of an IPv6 address, which one
    /// client has to itself.
    pub fn network(self) -> IpNet {
        match self.0 {
            IpAddr::V4(it) => IpNet::V4(Ipv4Net::from(it)),
            IpAddr::V6(it) => {
                let whole = Ipv6Net::from(it);
                IpNet::V6(Ipv6Net::new(it, IPV6_CLIENT_PREFIX).map_or(whole, |it| it.trunc()))
            }
        }
    }
}

#[cfg(test)]
impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address)
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    fn trusted(text: &str) -> TrustedProxies {
        text.parse().unwrap()
    }

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        trusted(proxies).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_a_trusted_proxy() {
        let ours = "10.0.0.0/8, ::1, 2001:db8:1::/48";
        for (proxies, peer, forwarded, expected) in [
            // No proxy is trusted, or this peer is not one.
            ("", "10.0.0.1", ["203.0.113.7"].as_slice(), "10.0.0.1"),
            (ours, "203.0.113.9", &["203.0.113.7"], "203.0.113.9"),
            (ours, "203.0.113.9", &["203.0.113.7, 10.0.0.2"], "203.0.113.9"),
            // One proxy, and a chain of them.
            (ours, "10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            (ours, "10.0.0.1", &["203.0.113.7, 10.0.0.2,10.0.0.3"], "203.0.113.7"),
            (ours, "::1", &["2001:db8:9::7, 2001:db8:1::2"], "2001:db8:9::7"),
            // Entries that the client wrote itself are left of its own address.
            (ours, "10.0.0.1", &["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
            (ours, "10.0.0.1", &["10.0.0.9, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (ours, "10.0.0.1", &["garbage, 203.0.113.7"], "203.0.113.7"),
            // Several lines are one list.
            (ours, "10.0.0.1", &["1.1.1.1", "203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            (ours, "10.0.0.1", &["1.1.1.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            // No entries, or only trusted ones.
            (ours, "10.0.0.1", &[], "10.0.0.1"),
            (ours, "10.0.0.1", &[""], "10.0.0.1"),
            (ours, "10.0.0.1", &[" , ,"], "10.0.0.1"),
            (ours, "10.0.0.1", &["10.0.0.7, 10.0.0.2"], "10.0.0.7"),
            // Empty entries are skipped; a malformed one ends the walk.
            (ours, "10.0.0.1", &["203.0.113.7, , 10.0.0.2,"], "203.0.113.7"),
            (ours, "10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1"),
            (ours, "10.0.0.1", &["203.0.113.7, garbage, 10.0.0.2"], "10.0.0.2"),
            (ours, "10.0.0.1", &["203.0.113.7, 10.0.0.2:99999"], "10.0.0.1"),
            (ours, "10.0.0.1", &["203.0.113.7", "\u{e9}", "10.0.0.2"], "10.0.0.2"),
            (ours, "10.0.0.1", &["203.0.113.7, 10.0.0.02"], "10.0.0.1"),
            // Ports and brackets.
            (ours, "10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            (ours, "10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            (ours, "10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            (ours, "10.0.0.1", &["[203.0.113.7]"], "10.0.0.1"),
            // IPv4 written as IPv6.
            (ours, "::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
            (ours, "::ffff:203.0.113.9", &["203.0.113.7"], "203.0.113.9"),
            ("::ffff:10.0.0.1", "10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
        ] {
            assert_eq!(client(proxies, peer, forwarded), expected, "{proxies:?} {peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_request_keeps_the_address_of_its_client() {
        let request = TestRequest::default().insert_header(("x-forwarded-for", "2001:db8::7")).to_http_request();
        assert_eq!(ClientAddress::of(&request), None);
        let peer = SocketAddr::new([10, 0, 0, 1].into(), 4711);
        assert_eq!(ClientAddress::attach(&request, None, &trusted("10.0.0.1")), None, "a connection without addresses");
        let kept = ClientAddress::attach(&request, Some(peer), &trusted("10.0.0.1"));
        assert_eq!(ClientAddress::of(&request), kept);
        assert_eq!(kept.map(ClientAddress::ip), Some("2001:db8::7".parse().unwrap()));
    }

    #[test]
    fn a_malformed_or_unsafe_list_of_proxies_is_refused() {
        use TrustedProxiesError::{EveryAddress, Malformed, Mapped};
        for (text, expected) in [
            ("", None),
            (" , ", None),
            ("10.0.0.1/8", None),
            ("10.0.0.0/8, ::1,192.0.2.1", None),
            ("proxy.internal", Some(Malformed { entry: 1 })),
            ("::1, 10.0.0.0/33", Some(Malformed { entry: 2 })),
            ("10.0.0.0/8 ::1", Some(Malformed { entry: 1 })),
            ("*", Some(Malformed { entry: 1 })),
            ("::1, 0.0.0.0/0", Some(EveryAddress { entry: 2 })),
            ("::/0", Some(EveryAddress { entry: 1 })),
            ("::ffff:10.0.0.0/104", Some(Mapped { entry: 1 })),
        ] {
            assert_eq!(text.parse::<TrustedProxies>().err(), expected, "{text:?}");
        }
    }

    #[test]
    fn one_client_is_an_ipv4_address_or_64_bits_of_an_ipv6_address() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(ClientAddress(address.parse().unwrap()).network().to_string(), expected);
        }
    }

    #[test]
    fn the_origin_is_the_host_header_or_what_a_trusted_proxy_forwards() {
        let proxy = Some("10.0.0.1");
        for (peer, headers, expected) in [
            (None, [("host", "api.example:8080")].as_slice(), "http://api.example:8080"),
            (
                Some("203.0.113.9"),
                &[("host", "api.example"), ("x-forwarded-host", "evil.example")],
                "http://api.example",
            ),
            (Some("203.0.113.9"), &[("host", "api.example"), ("x-forwarded-proto", "https")], "http://api.example"),
            (
                Some("203.0.113.9"),
                &[("host", "api.example"), ("forwarded", "host=evil.example;proto=https")],
                "http://api.example",
            ),
            (proxy, &[("host", "api.example"), ("x-forwarded-proto", "https")], "https://api.example"),
            (proxy, &[("host", "10.0.0.5"), ("x-forwarded-host", "evil.example, api.example")], "http://api.example"),
            (proxy, &[("host", "api.example"), ("x-forwarded-proto", "javascript")], "http://api.example"),
            (proxy, &[("host", "api.example"), ("forwarded", "host=evil.example")], "http://api.example"),
            (None, &[("host", "evil.example/path?")], ""),
            (None, &[], ""),
        ] {
            let mut request = TestRequest::with_uri("/account/orders");
            if let Some(peer) = peer {
                request = request.peer_addr(SocketAddr::new(peer.parse().unwrap(), 4711));
            }
            for header in headers {
                request = request.append_header(*header);
            }
            let origin = trusted("10.0.0.0/8").origin(&request.to_http_request());
            assert_eq!(origin, expected, "{peer:?} {headers:?}");
        }
    }
}
