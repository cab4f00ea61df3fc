use std::time::Duration;

/// What one listener lets its connections do; the table in the [crate's documentation](crate) says what
/// happens at each.
///
/// There is no default: a listener open to everyone and one for scrapers need other limits.
///
/// ```
/// use std::time::Duration;
///
/// use lastmile_hyper::ServeLimits;
///
/// // A host whose routes take large uploads over slow lines.
/// let limits = ServeLimits::public().body(Duration::from_secs(600));
/// # assert_ne!(limits, ServeLimits::public());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeLimits {
    pub(crate) handshake: Duration,
    pub(crate) head: Duration,
    pub(crate) body: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
    pub(crate) unread_bytes: usize,
    pub(crate) head_bytes: usize,
    pub(crate) headers: usize,
    pub(crate) connections: usize,
    pub(crate) connections_per_prefix: usize,
}

/// What hyper's parser has room for on the stack; another number costs an allocation a request.
/// Source: hyper 1.12, `server::conn::http1::Builder::max_headers`, "Default is 100".
pub(crate) const HEADERS_ON_STACK: usize = 100;

impl ServeLimits {
    /// For a listener that anyone can reach.
    #[must_use]
    pub fn public() -> Self {
        Self {
            // Two round trips at most: the reasons of `head` hold.
            handshake: Duration::from_secs(10),
            // A head is a packet or two. Linux sends a lost packet again after 1, 3 and 7 s.
            head: Duration::from_secs(10),
            // 64 KiB, the longest push of a page, in 30 s is 17 kbit/s: less than any line in use.
            body: Duration::from_secs(30),
            // Longer than a page's minute between two pushes and than the 60 s for which an AWS load
            // balancer keeps a connection, so that who is to send next is who closes it. Also nginx's.
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
            // Of answers of some hundred bytes. By itself Linux lets a connection grow to 4 MiB, and 190 of them
            // that ask and do not read had the server at work for 5 s (`cargo xtask prove overload`).
            unread_bytes: 32 << 10,
            // As much as Node.js takes (`--max-http-header-size`), whose pages are among those that push.
            head_bytes: 16 << 10,
            headers: HEADERS_ON_STACK,
            // 45 MiB: one that waits between two pushes takes 11 KiB (measured: `VmRSS` of the aggregator
            // with a thousand more of them).
            connections: 4096,
            // A school behind one address is one prefix, and so is a proxy in front of everyone. Four
            // prefixes are needed to fill the listener.
            connections_per_prefix: 1024,
        }
    }

    /// For a listener that scrapers and people who run the service reach.
    #[must_use]
    pub fn private() -> Self {
        Self {
            // A Prometheus keeps its connection for five minutes between scrapes, and a new connection is
            // a new reader, which is shown young series at 0 first. So the scraper is to be the one who
            // closes. Source: prometheus/common `config/http_config.go`, `IdleConnTimeout: 5 * time.Minute`.
            idle: Duration::from_secs(6 * 60),
            connections: 256,
            // One address has half at most: what runs wild on one machine leaves room for a scraper.
            connections_per_prefix: 128,
            // Over a line of 50 ms a scrape still comes at 5 MB/s.
            unread_bytes: 256 << 10,
            ..Self::public()
        }
    }

    /// Longest TLS handshake.
    #[must_use]
    pub fn handshake(mut self, longest: Duration) -> Self {
        self.handshake = longest;
        self
    }

    /// Longest time from a head's first byte to its last; for a connection's first head, from the moment
    /// the connection is there. More bytes give no more time.
    #[must_use]
    pub fn head(mut self, longest: Duration) -> Self {
        self.head = longest;
        self
    }

    /// Longest time for a body, from the moment its handler first had to wait for it to its end. More
    /// bytes give no more time. A handler that does not read a body is not held to this, but is looked at
    /// once in this time, so a body that is read in another task may have up to twice as long.
    #[must_use]
    pub fn body(mut self, longest: Duration) -> Self {
        self.body = longest;
        self
    }

    /// Longest silence between an answer and the next request's first byte. The private side needs more
    /// than a scraper's own five minutes.
    #[must_use]
    pub fn idle(mut self, longest: Duration) -> Self {
        self.idle = longest;
        self
    }

    /// Longest time in which a peer takes nothing of an answer that waits for it. What it takes gives it
    /// the whole time again, so a large scrape over a slow line goes through.
    #[must_use]
    pub fn write(mut self, longest: Duration) -> Self {
        self.write = longest;
        self
    }

    /// Most bytes of answers that wait in the system for a peer who does not read them; beyond it the peer is not
    /// answered. It bounds what a line of long delay can carry: so much in each round trip. The system may take up to
    /// twice as many.
    #[must_use]
    pub fn unread_bytes(mut self, most: usize) -> Self {
        self.unread_bytes = most;
        self
    }

    /// Longest head of a request, in bytes with its first line; also the trailers of a chunked body.
    #[must_use]
    pub fn head_bytes(mut self, most: usize) -> Self {
        self.head_bytes = most;
        self
    }

    /// Most headers of a request. Another number than 100 costs an allocation a request.
    #[must_use]
    pub fn headers(mut self, most: usize) -> Self {
        self.headers = most;
        self
    }

    /// Most connections at once, at least one. With so many, the listener accepts no more until one leaves.
    ///
    /// Each needs a file descriptor. Where the system gives fewer than this, accepting waits until it has
    /// one again, as here.
    #[must_use]
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Most connections at once from one IPv4 address or IPv6 /56. What comes beyond is closed at once.
    ///
    /// Behind a proxy all connections come from its address: let it have as many as it keeps.
    #[must_use]
    pub fn connections_per_prefix(mut self, most: usize) -> Self {
        self.connections_per_prefix = most;
        self
    }
}
