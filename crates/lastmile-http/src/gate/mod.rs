//! Who may push, and how fast: what is asked before a byte of a body is read.

mod client;
mod keys;
mod origins;
mod rate;

use std::net::SocketAddr;

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use lastmile::{Source, Timestamp};

pub(crate) use client::{Client, net};
pub(crate) use keys::{KeyId, Keys};
pub(crate) use origins::Origins;
pub(crate) use rate::Buckets;
pub use rate::{Rate, RateBy};

/// The rules of one listener.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) origins: Origins,
    pub(crate) keys: Keys,
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) rate: Option<(RateBy, Buckets)>,
}

/// A request that was let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) client: Client,
    /// Which key it has, where one is needed.
    pub(crate) key: Option<KeyId>,
}

/// Why one was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Key,
    /// Until there is a token again, in seconds.
    Rate(u64),
}

impl From<Rate> for (RateBy, Buckets) {
    fn from(rate: Rate) -> Self {
        (rate.tells_apart(), Buckets::new(rate))
    }
}

impl Gate {
    /// Whether the page that sends may, by its origin.
    pub(crate) fn allows_origin(&self, headers: &HeaderMap) -> bool {
        // Where any may, none is looked for.
        self.origins.is_any()
            || self.origins.allow(headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes))
    }

    /// Whether the page that an image stands in may push, by its `Referer`; `None` where no origins are listed. Without
    /// one it counts as a page of the origin `null`, as a mail is.
    pub(crate) fn allows_referer(&self, headers: &HeaderMap) -> Option<bool> {
        if self.origins.is_any() {
            return None;
        }
        let referers = headers.get_all(REFERER);
        if referers.iter().next().is_none() {
            return Some(self.origins.allow([&b"null"[..]].into_iter()));
        }
        let origins = referers.iter().map(|referer| origin_of(referer.as_bytes()));
        Some(self.origins.allow(origins))
    }

    /// Asks for the key, and takes a token of the client's rate.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        peer: Option<SocketAddr>,
        now: Timestamp,
    ) -> Result<Admitted, Denied> {
        let key = if self.keys.is_empty() {
            None
        } else {
            Some(self.keys.find(headers, query).ok_or(Denied::Key)?)
        };
        let client = Client::of(headers, peer, &self.proxies);
        self.take(headers, client, now).map_err(Denied::Rate)?;
        Ok(Admitted { client, key })
    }

    /// Takes a token of a client's rate.
    ///
    /// # Errors
    /// The seconds after which there is one again.
    pub(crate) fn take(
        &self,
        headers: &HeaderMap,
        client: Client,
        now: Timestamp,
    ) -> Result<(), u64> {
        match &self.rate {
            Some((by, buckets)) => buckets.take(sender(*by, headers, client), now.mono()),
            None => Ok(()),
        }
    }

    /// Charges what a body turned out to hold beyond its first batch.
    pub(crate) fn charge(&self, headers: &HeaderMap, client: Client, n: u32, now: Timestamp) {
        if let Some((by, buckets)) = &self.rate
            && n > 0
        {
            buckets.charge(sender(*by, headers, client), n, now.mono());
        }
    }
}

/// The origin of a URL; `null` of what has none. A `Referer` is written as the browser knows the URL, its host in small
/// letters and without the scheme's own port. Source: WHATWG URL, "URL serializing"; RFC 9110, §10.1.3.
fn origin_of(url: &[u8]) -> &[u8] {
    let schemes = [&b"https://"[..], b"http://"];
    let Some(scheme) = schemes.into_iter().find(|scheme| url.starts_with(scheme)) else {
        return b"null";
    };
    let host_at = scheme.len();
    let host = &url[host_at..];
    let end = host.iter().position(|b| b"/?#".contains(b)).unwrap_or(host.len());
    &url[..host_at + end]
}

/// What tells one sender from another. Without an address and an origin all are one.
fn sender(by: RateBy, headers: &HeaderMap, client: Client) -> (Option<&[u8]>, Option<[u8; 8]>) {
    let origin = match by {
        RateBy::Origin => headers.get(ORIGIN).map(|origin| origin.as_bytes()),
        RateBy::Address => None,
    };
    match origin {
        Some(origin) => (Some(origin), None),
        None => (None, client.addr.map(Source::prefix_of)),
    }
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn origins_of_pages() {
        for (referer, origin) in [
            ("https://app.example/users/42?q#x", "https://app.example"),
            ("https://app.example", "https://app.example"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("https://app.example?https://other.example/", "https://app.example"),
            ("https://ann@app.example/", "https://ann@app.example"),
            ("about:blank", "null"),
            ("android-app://com.example/", "null"),
            ("", "null"),
            ("app.example/", "null"),
        ] {
            assert_eq!(origin_of(referer.as_bytes()), origin.as_bytes(), "{referer}");
        }
    }
}
