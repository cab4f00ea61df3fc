use std::fmt;
use std::net::IpAddr;

/// Headers of a request, by their names in lower case.
///
/// ```
/// use lastmile::{Headers, Source};
///
/// struct OfRequest(std::collections::HashMap<String, String>);
///
/// impl Headers for OfRequest {
///     fn header(&self, name: &str) -> Option<&str> {
///         self.0.get(name).map(String::as_str)
///     }
/// }
///
/// let headers = OfRequest([("x-country".to_owned(), "de".to_owned())].into());
/// assert_eq!(Source::default().headers(&headers).header_value("x-country"), Some("de"));
/// ```
pub trait Headers {
    /// The value of the first header of this name, if it is text.
    fn header(&self, name: &str) -> Option<&str>;
}

impl<const N: usize> Headers for [(&str, &str); N] {
    fn header(&self, name: &str) -> Option<&str> {
        self.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }
}

/// Who sent a push, as far as the caller knows and vouches for it. Nothing of it is stored or exposed.
///
/// ```
/// use lastmile::Source;
///
/// let source = Source::default().addr([203, 0, 113, 7].into()).origin("https://app.example");
/// assert_eq!(source.origin_value(), Some("https://app.example"));
/// ```
#[derive(Clone, Copy, Default)]
pub struct Source<'a> {
    addr: Option<IpAddr>,
    origin: Option<&'a str>,
    key: Option<&'a str>,
    idempotency_key: Option<&'a str>,
    headers: Option<&'a dyn Headers>,
    labels: &'a [(&'a str, &'a str)],
    grouping_key: Option<&'a [(&'a str, &'a str)]>,
    seed: Option<u64>,
    tell_ids: bool,
    path: Option<&'a str>,
}

impl Source<'_> {
    /// The part of an address that stands for one client: all of IPv4, a /56 of IPv6, of which one customer
    /// is commonly given all. IPv4 within IPv6 is IPv4. Source: RFC 6177, §2; RIPE-690, §4.2: sites are given a
    /// /48 to a /56, and choose the rest at will.
    ///
    /// ```
    /// use lastmile::Source;
    ///
    /// let prefix = |text: &str| Source::prefix_of(text.parse().unwrap());
    /// assert_eq!(prefix("2001:db8:0:1::1"), prefix("2001:db8:0:ff::2"));
    /// assert_ne!(prefix("192.0.2.1"), prefix("192.0.2.2"));
    /// assert_eq!(prefix("192.0.2.1"), prefix("::ffff:192.0.2.1"));
    /// ```
    #[must_use]
    pub fn prefix_of(addr: IpAddr) -> [u8; 8] {
        let mut prefix = [0; 8];
        match addr.to_canonical() {
            IpAddr::V4(v4) => prefix[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => {
                prefix[..7].copy_from_slice(&v6.octets()[..7]);
                prefix[7] = 6;
            }
        }
        prefix
    }
}

impl<'a> Source<'a> {
    /// Whose share of a memory that all share it takes of: the part of its address that stands for one client, or else
    /// its origin.
    pub(crate) fn sharer(&self) -> (Option<[u8; 8]>, Option<&'a str>) {
        match self.addr {
            Some(addr) => (Some(Self::prefix_of(addr)), None),
            None => (None, self.origin),
        }
    }

    /// The client's address, behind proxies the one they vouch for.
    #[must_use]
    pub fn addr(mut self, addr: IpAddr) -> Self {
        self.addr = Some(addr);
        self
    }

    /// The `Origin` header.
    #[must_use]
    pub fn origin(mut self, origin: &'a str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The name of the API key that was accepted, not the key.
    #[must_use]
    pub fn key(mut self, name: &'a str) -> Self {
        self.key = Some(name);
        self
    }

    /// The `Idempotency-Key` header, which names this one body. One of less than 16 bytes is as good as
    /// none.
    #[must_use]
    pub fn idempotency_key(mut self, key: &'a str) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    /// The headers of the request that labels are set from: only what a proxy that the host trusts has put
    /// there, as anyone else can send what they like. They are asked for those alone that the schema names.
    #[must_use]
    pub fn headers(mut self, headers: &'a dyn Headers) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Labels that each sample of the push has besides its own, as a path such as `/metrics/app/student` names
    /// them. Only [`Format::PromText`](crate::Format::PromText) and `PromProtobuf` have them; a sample that comes with one of them
    /// itself is refused as [`Malformed`](crate::Refusal::Malformed).
    #[must_use]
    pub fn labels(mut self, labels: &'a [(&'a str, &'a str)]) -> Self {
        self.labels = labels;
        self
    }

    /// The group whose totals a push has, as a path such as `/metrics/job/nightly/zone/eu` names it: of
    /// [`Format::PromText`](crate::Format::PromText) and `PromProtobuf`, whose values are increments without it. Labels
    /// that a family declares are those of its samples too, whatever they say themselves; another only names the group.
    ///
    /// What a series adds is its rise since the group's last push that had it, and a fall means that it began anew. One
    /// that is new counts in full if a push before had others of its name (or its type, before it had any), or if it
    /// says to have begun after this process did: by `_created` or `created_timestamp`, or by the
    /// `process_start_time_seconds` of the same push. Else it is a baseline, which adds nothing; see
    /// [`Limits::streams_bytes`](crate::Limits::streams_bytes).
    #[cfg(feature = "pushgateway")]
    #[must_use]
    pub fn grouping_key(mut self, labels: &'a [(&'a str, &'a str)]) -> Self {
        self.grouping_key = Some(labels);
        self
    }

    pub(crate) fn grouping_key_value(&self) -> Option<&'a [(&'a str, &'a str)]> {
        self.grouping_key
    }

    /// A number that no other push has and no client can guess, for what is rounded at random: how many requests a
    /// browser's report stands for, of which 2.5 becomes 2 or 3. Without one it is a keyed hash of the body, so that
    /// the mean is right over bodies that differ; a body that comes twice is rounded in the same way.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What [`seed`](Self::seed) set.
    #[must_use]
    pub fn seed_value(&self) -> Option<u64> {
        self.seed
    }

    /// Asks the report to name the batches that need not be sent again; see
    /// [`PushReport::ids`](crate::PushReport::ids). For a client that is told of each by its id, as over a WebSocket.
    #[must_use]
    pub fn tell_ids(mut self) -> Self {
        self.tell_ids = true;
        self
    }

    /// What [`labels`](Self::labels) set.
    #[must_use]
    pub fn labels_value(&self) -> &'a [(&'a str, &'a str)] {
        self.labels
    }

    /// The path that the push came to. Only beacons have it, whose meaning depends on it: with the feature `mapping`,
    /// those of `Format::Beacon`.
    #[must_use]
    pub fn path(mut self, path: &'a str) -> Self {
        self.path = Some(path);
        self
    }

    /// What [`path`](Self::path) set.
    #[must_use]
    pub fn path_value(&self) -> Option<&'a str> {
        self.path
    }

    /// The header of this name, if [`headers`](Self::headers) were given and have it.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&'a str> {
        self.headers.and_then(|headers| headers.header(name))
    }

    /// What [`addr`](Self::addr) set.
    #[must_use]
    pub fn addr_value(&self) -> Option<IpAddr> {
        self.addr
    }

    /// What [`origin`](Self::origin) set.
    #[must_use]
    pub fn origin_value(&self) -> Option<&'a str> {
        self.origin
    }

    /// What [`key`](Self::key) set.
    #[must_use]
    pub fn key_value(&self) -> Option<&'a str> {
        self.key
    }

    /// What [`idempotency_key`](Self::idempotency_key) set.
    #[must_use]
    pub fn idempotency_key_value(&self) -> Option<&'a str> {
        self.idempotency_key
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("addr", &self.addr)
            .field("origin", &self.origin)
            .field("key", &self.key)
            .field("idempotency_key", &self.idempotency_key)
            .field("labels", &self.labels)
            .field("grouping_key", &self.grouping_key)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Shortest `Idempotency-Key` that counts as an id: that of an `lm1` id. Two pages that both say `1`
/// would drop each other's batches.
const KEY_BYTES_MIN: usize = 16;

impl Source<'_> {
    pub(crate) fn wants_ids(&self) -> bool {
        self.tell_ids
    }

    /// The name that the request's key gives its batch, if it is one that no other request has.
    pub(crate) fn batch_key(&self) -> Option<&[u8]> {
        self.idempotency_key.map(str::as_bytes).filter(|key| key.len() >= KEY_BYTES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_share_a_prefix() {
        let cases = [
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2ff::1", "2001:db8:1:200::"),
            ("2001:db8:1:200:ffff:ffff:ffff:ffff", "2001:db8:1:200::"),
            ("2001:db8:1:300::", "2001:db8:1:300::"),
            ("::1", "::"),
        ];
        let prefix = |text: &str| Source::prefix_of(text.parse().expect("an address"));
        for (address, first) in cases {
            for (_, other) in cases {
                let same = prefix(address) == prefix(other);
                assert_eq!(same, first == other, "{address} {other}");
            }
        }
    }
}
