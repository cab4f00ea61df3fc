use std::fmt;

/// Why a server in front of the aggregator refused a request before its body was decoded, or gave it up. Exposed as
/// `lastmile_requests_refused_total{reason="…"}`, so that whoever runs it sees what is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestRefusal {
    /// There is nothing at this path.
    Path,
    /// The path does not take this method.
    Method,
    /// The request is for a host that is not served.
    Host,
    /// The page's origin is not listed.
    Origin,
    /// There is no key, or one that is not known.
    Key,
    /// The client sends more than its rate.
    Rate,
    /// All bodies in flight together are as large as they may be.
    Busy,
    /// The body is longer than it may be, as sent or inflated.
    TooLarge,
    /// The body is in a coding that is not taken, or is not what its coding says.
    Encoding,
    /// The body is of a type that this path does not take.
    MediaType,
    /// The body broke off.
    Broken,
    /// The query asks for what there is not.
    Query,
    /// The request is to become a WebSocket and does not say so in the way of RFC 6455.
    Upgrade,
    /// Its body brought about a panic, which is a mistake in the server. It may be counted in part.
    Panic,
}

impl RequestRefusal {
    pub(crate) const ALL: [Self; 14] = [
        Self::Path,
        Self::Method,
        Self::Host,
        Self::Origin,
        Self::Key,
        Self::Rate,
        Self::Busy,
        Self::TooLarge,
        Self::Encoding,
        Self::MediaType,
        Self::Broken,
        Self::Query,
        Self::Upgrade,
        Self::Panic,
    ];

    /// The value of the label `reason`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Key => "key",
            Self::Rate => "rate",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::Encoding => "encoding",
            Self::MediaType => "media_type",
            Self::Broken => "broken",
            Self::Query => "query",
            Self::Upgrade => "upgrade",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for RequestRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
