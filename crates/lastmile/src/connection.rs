use std::fmt;

/// A listener of which connections are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Listener {
    /// For pushes, from anyone.
    Public,
    /// For scrapers and whoever runs the service.
    Private,
}

impl Listener {
    pub(crate) const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// The value of the label `listener`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// What happened to a connection, as a server in front of the aggregator counts it. Exposed as
/// `lastmile_connection_events_total{listener,event}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// It got a place.
    Accepted,
    /// It was closed at once, as its address prefix had enough.
    Refused,
    /// The listener stopped accepting, as all places were taken.
    Paused,
    /// Accepting failed, as for want of file descriptors.
    AcceptError,
    /// Its TLS handshake failed, or took too long.
    Handshake,
    /// A head took too long.
    HeadTimeout,
    /// A body took too long.
    BodyTimeout,
    /// It was silent too long between two requests.
    IdleTimeout,
    /// Nobody read its answer.
    WriteTimeout,
    /// A head was too large.
    LargeHead,
    /// A head was no HTTP.
    BadHead,
    /// It was lost to a panic.
    Panic,
    /// It was broken off when the server stopped.
    BrokenOff,
}

impl ConnectionEvent {
    pub(crate) const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Refused,
        Self::Paused,
        Self::AcceptError,
        Self::Handshake,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::IdleTimeout,
        Self::WriteTimeout,
        Self::LargeHead,
        Self::BadHead,
        Self::Panic,
        Self::BrokenOff,
    ];

    /// The value of the label `event`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Paused => "paused",
            Self::AcceptError => "accept_error",
            Self::Handshake => "handshake",
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::LargeHead => "large_head",
            Self::BadHead => "bad_head",
            Self::Panic => "panic",
            Self::BrokenOff => "broken_off",
        }
    }
}

impl fmt::Display for ConnectionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
