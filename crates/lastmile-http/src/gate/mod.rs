//! Who may push, and how fast: what is asked before a byte of a body is read.

mod client;
mod keys;
mod origins;
mod rate;

use std::net::SocketAddr;

use http::header::ORIGIN;
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
        self.origins.allow(headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes))
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
