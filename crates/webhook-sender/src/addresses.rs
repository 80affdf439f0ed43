//! Addresses that webhooks may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

/// Addresses that webhooks may be sent to: public unicast addresses, and the networks of a setting.
#[derive(Debug, Clone, Default)]
pub struct AllowedAddresses {
    networks: Vec<IpNet>,
}

/// IPv4 networks that are not public: the entries of the "IANA IPv4 Special-Purpose Address Registry" (RFC 6890) that
/// are not globally reachable, and multicast.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),        // "this network" (RFC 791)
    v4([10, 0, 0, 0], 8),       // private use (RFC 1918)
    v4([100, 64, 0, 0], 10),    // shared address space of carriers (RFC 6598)
    v4([127, 0, 0, 0], 8),      // loopback (RFC 1122)
    v4([168, 63, 129, 16], 32), // Azure's address of the host of a virtual machine, which is in no registry
    v4([169, 254, 0, 0], 16),   // link local (RFC 3927), with the metadata services of clouds
    v4([172, 16, 0, 0], 12),    // private use (RFC 1918)
    v4([192, 0, 0, 0], 24),     // IETF protocol assignments (RFC 6890)
    v4([192, 0, 2, 0], 24),     // documentation (RFC 5737)
    v4([192, 88, 99, 0], 24),   // former relays of 6to4 (RFC 7526)
    v4([192, 168, 0, 0], 16),   // private use (RFC 1918)
    v4([198, 18, 0, 0], 15),    // benchmarks (RFC 2544)
    v4([198, 51, 100, 0], 24),  // documentation (RFC 5737)
    v4([203, 0, 113, 0], 24),   // documentation (RFC 5737)
    v4([224, 0, 0, 0], 4),      // multicast (RFC 5771)
    v4([240, 0, 0, 0], 4),      // reserved (RFC 1112), and the broadcast address
];

/// Global unicast addresses of IPv6, the only ones that IANA assigns to networks ("IPv6 Global Unicast Address
/// Assignments"). All others are not public: `::`, `::1`, `::/96`, `64:ff9b:1::/48`, `fc00::/7`, `fe80::/10`,
/// `fec0::/10`, `ff00::/8` and the rest.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0], 3);

/// Networks among [`GLOBAL_UNICAST_V6`] that are not public, by the "IANA IPv6 Special-Purpose Address Registry".
const NOT_PUBLIC_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23), // IETF protocol assignments (RFC 2928), with Teredo, 2001::/32 (RFC 4380)
    v6([0x2001, 0xdb8, 0], 32), // documentation (RFC 3849)
    v6([0x2002, 0, 0], 16), // 6to4 (RFC 3056), which leads to an embedded IPv4 address
    v6([0x3fff, 0, 0], 20), // documentation (RFC 9637)
];

/// IPv6 addresses that lead to an embedded IPv4 address: IPv4-mapped ones (RFC 4291), and those that a NAT64 gateway
/// translates (RFC 6052).
const EMBEDDED_V4: [Ipv6Net; 2] =
    [Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96), v6([0x64, 0xff9b, 0], 96)];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c]: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

impl AllowedAddresses {
    /// Public addresses, and all addresses of `networks`.
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self { networks }
    }

    /// Whether webhooks may be sent to `address`.
    pub fn allows(&self, address: IpAddr) -> bool {
        if self.networks.iter().any(|it| it.contains(&address)) {
            return true;
        }
        match address {
            IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|it| it.contains(&address)),
            IpAddr::V6(address) => match embedded_v4(address) {
                Some(embedded) => self.allows(IpAddr::V4(embedded)),
                None => GLOBAL_UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|it| it.contains(&address)),
            },
        }
    }

    /// Address in `host` that is refused: a literal address, or what a name for this machine resolves to. `None` if the
    /// host is allowed, or is a name that must be resolved first.
    pub(crate) fn refused(&self, host: &Host<&str>) -> Option<IpAddr> {
        let address = match *host {
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
            Host::Domain(name) if is_localhost(name) => {
                let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                return (!loopback.iter().any(|it| self.allows(*it))).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            Host::Domain(_) => return None,
        };
        (!self.allows(address)).then_some(address)
    }
}

/// Whether `name` is one of the names that always resolve to this machine (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// IPv4 address in the last 32 bits of `address`, if it leads there.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    EMBEDDED_V4.iter().any(|it| it.contains(&address)).then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn refused(url: &str, networks: &[&str]) -> Option<IpAddr> {
        let networks = networks.iter().map(|it| it.parse().unwrap()).collect();
        AllowedAddresses::new(networks).refused(&Url::parse(url).unwrap().host().unwrap())
    }

    #[test]
    fn only_public_addresses_are_allowed() {
        let allowed = AllowedAddresses::default();
        for (public, edges) in [
            (true, "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0"),
            (true, "169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255"),
            (true, "192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0"),
            (true, "203.0.112.255 203.0.114.0 223.255.255.255 168.63.129.15"),
            (false, "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 100.100.100.200"),
            (false, "127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255"),
            (false, "192.0.0.1 192.0.0.192 192.0.2.255 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0"),
            (false, "198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255"),
            (false, "168.63.129.16"),
            (true, "2000::1 2600:1f18::1 2a00:1450:4001::200e 2606:4700::1111 2001:200::1 3ffe::1"),
            (false, ":: ::1 ::2 ::8.8.8.8 ::10.0.0.1 fc00::1 fd00:ec2::254 fe80::1 febf::1 fec0::1 ff02::1 ffff::1"),
            (false, "2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1 2001:db8::1"),
            (false, "2002:a00:1::1 2002:808:808::1 3fff::1 100::1 5f00::1 4000::1 1fff::1 64:ff9b:1::808:808"),
            (true, "::ffff:8.8.8.8 64:ff9b::8.8.8.8"),
            (false, "::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::10.0.0.1 64:ff9b::127.0.0.1"),
        ] {
            for address in edges.split(' ') {
                assert_eq!(allowed.allows(address.parse().unwrap()), public, "{address}");
            }
        }
    }

    #[test]
    fn every_spelling_of_a_private_address_is_refused() {
        for (address, urls) in [
            (
                "169.254.169.254",
                "http://169.254.169.254/x https://2852039166/x http://0xa9fea9fe/x http://169.254.43518/",
            ),
            ("127.0.0.1", "http://127.1/ http://0177.0.0.1/ http://0x7f.1/ http://127.0.0.1./ http://①②⑦.⓪.⓪.①/"),
            ("127.0.0.1", "http://localhost/ http://LOCALHOST./ http://api.localhost/ http://localhost.:8080/"),
            ("::ffff:10.0.0.1", "http://[::ffff:10.0.0.1]/ http://[::ffff:a00:1]/ http://[0:0:0:0:0:ffff:0a00:0001]/"),
            ("0.0.0.0", "http://0/ http://0.0.0.0/ http://0x0/"),
            ("::1", "http://[::1]/ http://[0:0::1]:80/"),
        ] {
            for url in urls.split(' ') {
                assert_eq!(refused(url, &[]), Some(address.parse().unwrap()), "{url}");
            }
        }
        for url in
            ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://example.com./", "https://localhost.shop/"]
        {
            assert_eq!(refused(url, &[]), None, "{url}");
        }
    }

    #[test]
    fn a_setting_allows_networks() {
        for (url, network) in [
            ("http://10.1.2.3/", "10.0.0.0/8"),
            ("http://[::ffff:10.1.2.3]/", "10.0.0.0/8"),
            ("http://[64:ff9b::10.1.2.3]/", "10.0.0.0/8"),
            ("http://[fd00::1]/", "fd00::/8"),
            ("http://localhost/", "127.0.0.0/8"),
            ("http://localhost/", "::1/128"),
        ] {
            assert!(refused(url, &[]).is_some(), "{url}");
            assert_eq!(refused(url, &["192.168.0.0/16", network]), None, "{url}");
            assert!(refused(url, &["192.168.0.0/16"]).is_some(), "{url}");
        }
    }
}
