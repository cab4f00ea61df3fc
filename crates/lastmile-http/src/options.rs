use std::fmt;
use std::sync::Arc;
#[cfg(feature = "ws")]
use std::time::Duration;

use lastmile::Format;

use crate::budget::Budget;
use crate::error::{Error, Faults};
use crate::gate::{self, Gate, Keys, Origins, Rate, RateBy};
use crate::intake::Caps;
use crate::route::{Route, Side};
#[cfg(feature = "ws")]
use crate::socket::Seats;

/// What all bodies in flight of one listener share: a thousand pushes of half the size that they may have.
const BYTES_IN_FLIGHT: usize = 32 << 20;

/// WebSockets in all, and of one client: half of the connections that `lastmile-hyper` has by default, so that there
/// is room for requests whoever opens sockets.
#[cfg(feature = "ws")]
const SOCKETS: (usize, usize) = (2_048, 512);

/// Less than the minute after which proxies take a silent connection for dead (nginx' `proxy_read_timeout`, AWS' idle
/// timeout).
#[cfg(feature = "ws")]
const SOCKET_PING: Duration = Duration::from_secs(30);

/// Who may push to the public side, and how much. Nothing is restricted but sizes unless a method says so.
///
/// In this order, each before the next: path and method, origin, key, rate, size, and then the decoder.
/// Everything that is turned away counts in `lastmile_requests_refused_total{reason}`.
///
/// ```
/// use lastmile_http::PublicOptions;
///
/// let options = PublicOptions::new()
///     .origins(["https://app.example", "https://*.app.example"])
///     .key("school-app", "8f1c0a")
///     .trusted_proxies(["10.0.0.0/8"])
///     .rate("20/s burst 200".parse()?);
/// assert!(options.check().is_ok());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone)]
pub struct PublicOptions {
    routes: Option<Vec<String>>,
    origins: Option<Vec<String>>,
    keys: Vec<(String, String)>,
    rate: Option<Rate>,
    trusted_proxies: Vec<String>,
    caps: Caps,
    text_caps: Option<Caps>,
    bytes_in_flight: usize,
    #[cfg(feature = "ws")]
    sockets: (usize, usize),
    #[cfg(feature = "ws")]
    socket_ping: Duration,
}

impl PublicOptions {
    /// Every route, for pages of any origin, without keys and rates; bodies of at most
    /// [`BODY_BYTES_MAX`](crate::BODY_BYTES_MAX) bytes, 256 KiB inflated ([`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX) and
    /// 16 MiB of Prometheus text and OTLP), and 32 MiB of them at once.
    #[must_use]
    pub fn new() -> Self {
        Self {
            routes: None,
            origins: None,
            keys: Vec::new(),
            rate: None,
            trusted_proxies: Vec::new(),
            caps: Caps::default(),
            text_caps: None,
            bytes_in_flight: BYTES_IN_FLIGHT,
            #[cfg(feature = "ws")]
            sockets: SOCKETS,
            #[cfg(feature = "ws")]
            socket_ping: SOCKET_PING,
        }
    }

    /// These paths alone, such as `/lm`; `/metrics` is all paths of Prometheus text, and `/lm.js` is that script by
    /// its hash too. Others are 404, but for those that
    /// the schema maps: who declares one wants it served.
    #[must_use]
    pub fn routes<S: Into<String>>(mut self, paths: impl IntoIterator<Item = S>) -> Self {
        self.routes = Some(paths.into_iter().map(Into::into).collect());
        self
    }

    /// Pages of these origins alone, as browsers write them: `https://app.example`, with its port if that
    /// is not the scheme's, `https://*.example.com` for all hosts below one, `null` for pages without an
    /// origin (files, sandboxed frames). Any other is refused with 403, whatever it sends.
    ///
    /// A request without `Origin` is let in: it comes from no browser's page, and whoever writes requests by
    /// hand can write any origin.
    #[must_use]
    pub fn origins<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.origins = Some(origins.into_iter().map(Into::into).collect());
        self
    }

    /// Whether pages of some origins alone may push, as [`origins`](Self::origins) says.
    #[must_use]
    pub fn has_origins(&self) -> bool {
        self.origins.is_some()
    }

    /// Whether pushes are asked for a key, as [`key`](Self::key) says.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Requires a key, this or another that was added, in `X-API-Key` or as `?key=`: otherwise 401.
    ///
    /// Everyone who loads a page can read its key. It is a label to tell senders apart and to shut one out,
    /// no secret; still it is compared in constant time and never shown. A label with
    /// [`ValueFrom::Key`](lastmile::ValueFrom) has its name.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>, key: impl Into<String>) -> Self {
        self.keys.push((name.into(), key.into()));
        self
    }

    /// How fast one client may send; 429 with `Retry-After` beyond it. A request is one, and each further
    /// line of an `lm1` body another. Off unless this is called, as behind a proxy that is not declared all
    /// users would be one client. Memory: 1.3 MiB.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The proxies in front, as addresses or networks (`10.0.0.0/8`): the client is then the rightmost
    /// address of `X-Forwarded-For` that is none of them, and labels may be set from request headers.
    /// Such a proxy must remove from requests the headers that labels are set from, or set them itself.
    #[must_use]
    pub fn trusted_proxies<S: Into<String>>(mut self, nets: impl IntoIterator<Item = S>) -> Self {
        self.trusted_proxies = nets.into_iter().map(Into::into).collect();
        self
    }

    /// Longest body in bytes as sent, and inflated; 413 beyond. Prometheus text and OTLP
    /// have [their own](Self::text_bytes).
    #[must_use]
    pub fn body_bytes(mut self, sent: usize, inflated: usize) -> Self {
        self.caps = Caps { sent, inflated };
        self
    }

    /// The same of Prometheus text and OTLP. Unless this is called, what [`bytes_in_flight`](Self::bytes_in_flight) leaves of
    /// [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX) and
    /// [`TEXT_INFLATED_BYTES_MAX`](crate::TEXT_INFLATED_BYTES_MAX).
    #[must_use]
    pub fn text_bytes(mut self, sent: usize, inflated: usize) -> Self {
        self.text_caps = Some(Caps { sent, inflated });
        self
    }

    /// Room for all bodies that are held at a moment, in bytes, as their rest is waited for or as more than 16 KiB of
    /// them are inflated and decoded; beyond it 503 with `Retry-After`. A body that comes whole and is shorter, also
    /// once it is inflated, holds nothing. At least what one body may have as sent and inflated together. One client, by
    /// its address prefix, may hold half of it, or those of one body.
    #[must_use]
    pub fn bytes_in_flight(mut self, bytes: usize) -> Self {
        self.bytes_in_flight = bytes;
        self
    }

    /// Most WebSockets at once, and most of one client by its address prefix; 503 and 429 beyond, before the upgrade.
    /// 2,048 and 512 unless this is called: 16 MiB, as a silent one takes less than 8 KiB over TCP. Each is a connection
    /// of whoever serves them, who should have more of those, or WebSockets leave none for requests.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn sockets(mut self, all: usize, of_client: usize) -> Self {
        self.sockets = (all, of_client);
        self
    }

    /// Silence after which a WebSocket's peer is sent a ping; after as much again it is given up. 30 s unless this is
    /// called. A peer that does not read its answers is given up after the same time.
    #[cfg(feature = "ws")]
    #[must_use]
    pub fn socket_ping(mut self, interval: Duration) -> Self {
        self.socket_ping = interval;
        self
    }

    /// Whether all of it can be meant.
    ///
    /// # Errors
    /// All that is wrong, option by option.
    pub fn check(&self) -> Result<(), Error> {
        self.rules().map(drop)
    }

    /// What the service asks each request.
    pub(crate) fn rules(&self) -> Result<PublicRules, Error> {
        let mut faults = Faults::default();
        let routes = self.routes.as_ref().map(|paths| {
            let paths = paths.iter().filter_map(|path| {
                let route = Route::find(path, Side::Public);
                if route.is_none() {
                    let known = Route::names(Side::Public).collect::<Vec<_>>().join(", ");
                    let why = format_args!("there is no public path `{path}`; there are {known}");
                    faults.push("routes", why);
                }
                route
            });
            paths.collect()
        });
        let origins = match &self.origins {
            Some(listed) => Origins::new(listed, &mut faults),
            None => Origins::Any,
        };
        let keys = Keys::new(&self.keys, &mut faults);
        let proxies = self.trusted_proxies.iter().filter_map(|text| {
            let read = gate::net(text);
            if read.is_none() {
                let why = format!("`{text}` is no address or network, such as 10.0.0.0/8");
                faults.push("trusted_proxies", why);
            }
            read
        });
        let proxies = proxies.collect();
        let text_caps = self.text_caps.unwrap_or(Caps::TEXT.within(self.bytes_in_flight));
        // One that is compressed takes both.
        let body_max = self.caps.both().max(text_caps.both());
        if body_max > self.bytes_in_flight {
            let why = format_args!(
                "is less than the {body_max} bytes that one body may have, which would never be taken"
            );
            faults.push("bytes_in_flight", why);
        }
        if self.rate.is_some_and(|rate| rate.tells_apart() == RateBy::Origin)
            && !origins.is_finite()
        {
            let why = "by origin needs a list of whole origins, or each request can have its own";
            faults.push("rate", why);
        }
        let gate = Gate { origins, keys, proxies, rate: self.rate.map(Into::into) };
        let budget = Arc::new(budget(self.bytes_in_flight, [self.caps, text_caps]));
        #[cfg(feature = "ws")]
        if self.socket_ping.is_zero() {
            faults.push("socket_ping", "is no time, after which every peer would be given up");
        }
        faults.none_or(PublicRules {
            routes,
            gate,
            caps: self.caps,
            text_caps,
            budget,
            #[cfg(feature = "ws")]
            seats: Arc::new(Seats::new(self.sockets.0, self.sockets.1)),
            #[cfg(feature = "ws")]
            socket_ping: self.socket_ping,
        })
    }
}

impl Default for PublicOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Keys by their names alone.
impl fmt::Debug for PublicOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(|(name, _)| name).collect();
        f.debug_struct("PublicOptions")
            .field("routes", &self.routes)
            .field("origins", &self.origins)
            .field("keys", &keys)
            .field("rate", &self.rate)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("caps", &self.caps)
            .field("text_caps", &self.text_caps)
            .field("bytes_in_flight", &self.bytes_in_flight)
            .finish()
    }
}

/// The options of a public side, ready to be asked.
pub(crate) struct PublicRules {
    /// All, if it does not say.
    pub(crate) routes: Option<Vec<Route>>,
    pub(crate) gate: Gate,
    caps: Caps,
    text_caps: Caps,
    pub(crate) budget: Arc<Budget>,
    #[cfg(feature = "ws")]
    pub(crate) seats: Arc<Seats>,
    #[cfg(feature = "ws")]
    pub(crate) socket_ping: Duration,
}

impl PublicRules {
    /// How long a body of this format may be.
    pub(crate) fn caps(&self, format: Format) -> Caps {
        match format {
            Format::PromText => self.text_caps,
            #[cfg(feature = "pushgateway")]
            Format::PromProtobuf => self.text_caps,
            #[cfg(feature = "otlp")]
            Format::OtlpJson | Format::OtlpProtobuf => self.text_caps,
            _ => self.caps,
        }
    }
}

impl Default for PublicRules {
    /// Those of [`PublicOptions::new`].
    fn default() -> Self {
        PublicOptions::new().rules().unwrap_or_else(|error| unreachable!("{error}"))
    }
}

/// Half for one client, or the largest body.
fn budget(bytes: usize, caps: [Caps; 2]) -> Budget {
    let largest = caps.map(Caps::both).into_iter().max().unwrap_or_default();
    Budget::new(bytes, (bytes / 2).max(largest))
}
