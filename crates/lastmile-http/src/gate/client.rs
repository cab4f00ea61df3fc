//! Whose request it is, as far as proxies that are trusted say.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::{IpNet, Ipv4Net};

/// Each proxy adds the address of whom it answers at the end.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most hops that are followed. Nobody has so many proxies of their own, and the rest is what a client says.
const HOPS_MAX: usize = 32;

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address; without a known peer there is none.
    pub(crate) addr: Option<IpAddr>,
    /// Whether the peer is a proxy whose headers count.
    pub(crate) by_proxy: bool,
}

impl Client {
    /// The peer, or, where that is one of `proxies`, the rightmost address in `X-Forwarded-For` that is not:
    /// what stands left of it anyone can have written. An entry that is no address ends the search, and the
    /// last proxy counts as the client.
    pub(crate) fn of(headers: &HeaderMap, peer: Option<SocketAddr>, proxies: &[IpNet]) -> Self {
        let Some(peer) = peer.map(|peer| peer.ip().to_canonical()) else {
            return Self { addr: None, by_proxy: false };
        };
        let is_proxy = |addr: &IpAddr| proxies.iter().any(|net| net.contains(addr));
        if !is_proxy(&peer) {
            return Self { addr: Some(peer), by_proxy: false };
        }
        let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut addr = peer;
        for hop in hops.take(HOPS_MAX) {
            let Some(hop) = address(hop) else { break };
            addr = hop;
            if !is_proxy(&hop) {
                break;
            }
        }
        Self { addr: Some(addr), by_proxy: true }
    }
}

/// A network, or an address alone. One of IPv4 that is written as IPv6, `::ffff:10.0.0.0/104`, is one of IPv4, as
/// the addresses are that it is asked for.
pub(crate) fn net(text: &str) -> Option<IpNet> {
    let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()?;
    let IpNet::V6(mapped) = net else { return Some(net) };
    let v4 = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    Some(v4.and_then(|(addr, bits)| Ipv4Net::new(addr, bits).ok()).map_or(net, IpNet::V4))
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rightmost_that_is_no_proxy_is_the_client() {
        let proxies = ["10.0.0.0/8", "fd00::/8", "::ffff:172.16.0.0/108", "::ffff:198.51.100.7"];
        let proxies: Vec<IpNet> = proxies.iter().map(|text| net(text).expect("a net")).collect();
        for (peer, forwarded, client) in [
            ("192.0.2.1:1", &[][..], "192.0.2.1"),
            ("192.0.2.1:1", &["203.0.113.9"], "192.0.2.1"),
            ("[::ffff:192.0.2.1]:1", &[], "192.0.2.1"),
            ("10.0.0.1:1", &[], "10.0.0.1 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9"], "203.0.113.9 by proxy"),
            ("[::ffff:10.0.0.1]:1", &["203.0.113.9"], "203.0.113.9 by proxy"),
            ("[fd00::1]:1", &["2001:db8::7"], "2001:db8::7 by proxy"),
            ("172.31.0.1:1", &["203.0.113.9"], "203.0.113.9 by proxy"),
            ("172.32.0.1:1", &["203.0.113.9"], "172.32.0.1"),
            ("[::ffff:198.51.100.7]:1", &["203.0.113.9"], "203.0.113.9 by proxy"),
            ("198.51.100.8:1", &["203.0.113.9"], "198.51.100.8"),
            ("10.0.0.1:1", &["1.1.1.1, 203.0.113.9 ,10.2.3.4"], "203.0.113.9 by proxy"),
            ("10.0.0.1:1", &["1.1.1.1", "203.0.113.9", "10.2.3.4"], "203.0.113.9 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9:4711"], "203.0.113.9 by proxy"),
            ("10.0.0.1:1", &["[2001:db8::7]:4711"], "2001:db8::7 by proxy"),
            ("10.0.0.1:1", &["[2001:db8::7]"], "2001:db8::7 by proxy"),
            ("10.0.0.1:1", &["::ffff:203.0.113.9"], "203.0.113.9 by proxy"),
            ("10.0.0.1:1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9, unknown"], "10.0.0.1 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9, unknown, 10.9.9.9"], "10.9.9.9 by proxy"),
            ("10.0.0.1:1", &[""], "10.0.0.1 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9,"], "10.0.0.1 by proxy"),
            ("10.0.0.1:1", &["203.0.113.9.1"], "10.0.0.1 by proxy"),
            ("10.0.0.1:1", &["\u{e9}"], "10.0.0.1 by proxy"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(X_FORWARDED_FOR, line.parse().expect("a header's value"));
            }
            let Client { addr, by_proxy } =
                Client::of(&headers, Some(peer.parse().expect("an address")), &proxies);
            let shown = addr.map_or_else(String::new, |addr| addr.to_string());
            let shown = shown + if by_proxy { " by proxy" } else { "" };
            assert_eq!(shown, client, "{peer} {forwarded:?}");
        }
        let unknown = Client { addr: None, by_proxy: false };
        assert_eq!(Client::of(&HeaderMap::new(), None, &proxies), unknown);
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, "10.0.0.2,".repeat(1_000).parse().expect("a value"));
        headers.append(X_FORWARDED_FOR, "10.0.0.3".parse().expect("a value"));
        let client = Client::of(&headers, "10.0.0.1:1".parse().ok(), &proxies);
        assert_eq!(client.addr, "10.0.0.3".parse().ok());
    }
}
