//! Where a tenant's route may lead: not to what only this process can reach.

use std::net::{IpAddr, Ipv4Addr};

/// Checks a foreign server's URL; the error is the broken rule and what it says.
pub(crate) fn check_url(text: &str, private_upstreams: bool) -> Result<(), (&'static str, &'static str)> {
    let form = (
        "format",
        "must be http://host or http://host:port, without path, query or user",
    );
    let url = url::Url::parse(text).map_err(|_| form)?;
    if url.scheme() == "https" {
        return Err((
            "format",
            "must be http:// for now; TLS to foreign servers is not supported yet",
        ));
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != "http" || !bare || !url.username().is_empty() || url.password().is_some() {
        return Err(form);
    }
    let address = match url.host() {
        Some(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(url::Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(url::Host::Domain(_)) => None,
        None => return Err(form),
    };
    if !private_upstreams && address.is_some_and(is_private) {
        return Err((
            "private",
            "must not be a loopback, private or link-local address; see server.private_upstreams",
        ));
    }
    Ok(())
}

/// Whether an address is not on the public internet: what a tenant could reach only through this process.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped().or_else(|| translated(&v6.segments())) {
                return is_private_v4(v4);
            }
            let first = v6.segments().first().copied().unwrap_or_default();
            // Unique local, link-local, site-local, multicast; loopback and unspecified.
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xffc0 == 0xfec0
                || v6.to_ipv4().is_some_and(is_private_v4)
        }
    }
}

/// The IPv4 address inside NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses.
fn translated(segments: &[u16; 8]) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match *segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        // Shared address space (RFC 6598) and benchmarking (RFC 2544).
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: GW-01
    #[test]
    fn targets_inside_the_network_are_refused() {
        for url in [
            "http://127.0.0.1:8081",
            "http://2130706433",
            "http://[::1]",
            "http://[::ffff:10.0.0.1]",
            "http://[64:ff9b::a00:1]",
            "http://169.254.169.254",
            "http://10.1.2.3",
            "http://0.0.0.0",
            "http://[fd00::1]",
            "https://shop.example",
            "http://shop.example/path",
            "http://user@shop.example",
            "ftp://shop.example",
            "shop",
        ] {
            assert!(check_url(url, false).is_err(), "{url}");
        }
        assert!(check_url("http://shop.example:8080", false).is_ok());
        assert!(check_url("http://127.0.0.1:9", true).is_ok());
    }
}
