//! `paywright health`: the health check of the container, whose image has no other HTTP client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::cli::HealthOptions;
use crate::settings::Settings;
use crate::{Failure, say};

/// Timeout of the connection, and of each read of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

pub(crate) fn run(options: &HealthOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    let bind = settings.http.bind(options.bind.as_deref())?;
    let bind = bind.as_str();
    let address = bind.to_socket_addrs().ok().and_then(|mut it| it.next());
    let address = reachable(address.ok_or_else(|| format!("no address is known for {bind}"))?);
    let answer = read_readiness(address).map_err(|error| format!("no answer from http://{address}/readyz: {error}"))?;
    let status = answer.split_whitespace().nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if status != "200" {
        return Err(format!("http://{address}/readyz answers {status}: {body}").into());
    }
    say(body);
    Ok(())
}

/// The loopback address for a process that listens on all addresses of this machine; otherwise `address` itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn read_readiness(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
