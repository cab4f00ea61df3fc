//! A host's own requests in the same aggregate: how many, how long, and how many at this moment.

mod body;
mod layer;
mod routes;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response};
use lastmile::{Aggregator, Error, Family, Label};

pub use body::MeasuredBody;
pub use layer::{Measure, MeasureFuture, MeasureLayer};
use routes::{Routes, Series};

use crate::clock::Clock;

/// Requests that ended. Prometheus counts by `_total`, and OpenTelemetry has no counter beside the histogram,
/// which has no status here: a histogram for each class would be five times as many lines.
const REQUESTS: &str = "http_server_requests_total";

/// Source: OpenTelemetry semantic conventions 1.27, `http.server.request.duration`, as Prometheus spells it.
const SECONDS: &str = "http_server_request_duration_seconds";

/// Source: OpenTelemetry semantic conventions 1.27, `http.server.active_requests`, as Prometheus spells it.
const ACTIVE: &str = "http_server_active_requests";

/// Source: OpenTelemetry semantic conventions 1.27, `http.server.request.duration`,
/// `ExplicitBucketBoundaries`.
const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Routes that have series of their own; those beyond are `other`. A program that has more is rare, and each
/// costs memory only once it was asked for.
const ROUTES_MAX: usize = 512;

/// Longest route that has series of its own, in bytes; a longer one is `other`.
const ROUTE_BYTES_MAX: usize = 256;

/// Where no route matched.
const UNMATCHED: &str = "unmatched";

/// What stands for all that has no series of its own.
const OTHER: &str = "other";

/// Values of `method`; what a client makes up is [`OTHER`].
/// Source: RFC 9110, §9.3, and RFC 5789 for `PATCH`.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Values of `status`. A status above 599, which HTTP allows and does not know, is [`OTHER`].
const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "aborted"];

/// Measures a host's own requests into an [`Aggregator`], beside what its pages push. Clones share all.
///
/// | family | labels | what |
/// |---|---|---|
/// | `http_server_requests_total` | `method`, `route`, `status` | requests that ended |
/// | `http_server_request_duration_seconds` | `method`, `route` | from the request's head to the end of the answer's body |
/// | `http_server_active_requests` | `method`, `route` | requests that began and did not end |
///
/// - `method` is one of the nine standard ones, or `other`.
/// - `route` is the template that a router matched, `/users/{id}`, and never the path that was asked for;
///   `unmatched` where there is none, and `other` from the 513th on, or above 256 bytes. A series for which a
///   limit of the aggregator leaves no place counts in that of `other`.
/// - `status` is `1xx` to `5xx`; `aborted` where no answer came, as its future was dropped because the client
///   went away, panicked, or failed; `other` for a status above 599.
///
/// So no client can make series: there are as many as the program has routes. A request is counted, timed, and
/// no longer active when its answer's body was read to its end or dropped, so a stream, or a client that reads
/// slowly, takes as long as it takes; whether the last bytes arrived nobody knows. A body that breaks off counts
/// under the status that was sent. A connection that is upgraded ends with its 101. The count of the histogram is
/// the sum of the counter over `status`, for every method and route.
///
/// An adapter's layer calls this; [`MeasureLayer`] is one for `tower`. Without `tower`, as in plain `hyper`, call
/// [`measure`](Self::measure):
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use lastmile::{Aggregator, Limits, Schema};
/// use lastmile_http::{Clock, MeasuredBody, RequestMeter};
/// use std::convert::Infallible;
///
/// async fn users<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
///     Ok(Response::new(Full::from("everyone")))
/// }
///
/// // In `hyper`: `service_fn(move |request| answer(meter.clone(), request))`.
/// async fn answer<B>(
///     meter: RequestMeter,
///     request: Request<B>,
/// ) -> Result<Response<MeasuredBody<Full<Bytes>>>, Infallible> {
///     let method = request.method().clone();
///     let route = request.uri().path().starts_with("/users/").then_some("/users/{id}");
///     meter.measure(&method, route, users(request)).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let schema = Schema::builder().families(RequestMeter::families()).build()?;
/// let now = Clock::new().now();
/// let aggregator = Aggregator::new(schema, Limits::default(), now)?;
/// let meter = RequestMeter::new(&aggregator)?;
///
/// let response = answer(meter, Request::get("/users/42").body(())?).await?;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "everyone");
///
/// let mut text = Vec::new();
/// aggregator.encode_to(&mut text, now)?;
/// let text = String::from_utf8(text)?;
/// let labels = r#"method="GET",route="/users/{id}""#;
/// assert!(text.contains(&format!("http_server_requests_total{{{labels},status=\"2xx\"}} 1\n")));
/// assert!(text.contains(&format!("http_server_request_duration_seconds_count{{{labels}}} 1\n")));
/// assert!(text.contains(&format!("http_server_active_requests{{{labels}}} 0\n")));
/// # Ok(())
/// # }
/// ```
///
/// # Cost
/// About 800 instructions a request (`measured_request` of `benches/instructions.txt`), 0.12 µs of CPU time where
/// that was counted: two readings of the clock and what three bound handles cost. Nothing is allocated, and the one
/// lock is that of the histogram's shard. The first request of a method, route and status binds their series, which
/// takes some microseconds.
#[derive(Clone)]
pub struct RequestMeter {
    routes: Arc<Routes>,
}

impl RequestMeter {
    /// The families that it writes to, for the schema of its aggregator. Clients cannot push to them.
    ///
    /// A host that wants other buckets, native ones say, changes the families before it declares them; their names, types and
    /// labels must stay. Put them in every schema that [`Aggregator::reload`] is given, or what was bound goes on
    /// unseen and what was not is not counted.
    #[must_use]
    pub fn families() -> [Family; 3] {
        let labelled = |family: Family| {
            let route = Label::open("route", ROUTES_MAX as u32 + 1)
                .max_bytes(ROUTE_BYTES_MAX)
                .pin([UNMATCHED]);
            family.label(Label::closed("method", METHODS)).label(route).host_only()
        };
        [
            labelled(Family::counter(REQUESTS))
                .help("Requests to this server that ended, by method, matched route and class of status.")
                .label(Label::closed("status", STATUSES)),
            labelled(Family::histogram(SECONDS, BOUNDS))
                .unit("seconds")
                .help("Time from the head of a request to the end of its answer's body."),
            labelled(Family::gauge(ACTIVE))
                .help("Requests to this server that began and did not end."),
        ]
    }

    /// A meter that counts in `aggregator`, by the machine's [`Clock`].
    ///
    /// # Errors
    /// [`Error::is_handle`] when the aggregator's schema lacks one of [`families`](Self::families), or
    /// declares it with another type or labels.
    pub fn new(aggregator: &Aggregator) -> Result<Self, Error> {
        Ok(Self { routes: Arc::new(Routes::new(aggregator.clone())?) })
    }

    /// A request begins; it ends when what this gives is dropped. `route` is the template that matched.
    #[must_use]
    pub fn begin(&self, method: &Method, route: Option<&str>) -> RequestInFlight {
        RequestInFlight::new(Arc::clone(self.routes.series(method, route)))
    }

    /// Measures one request, from the first poll to the end of the answer's body.
    ///
    /// # Errors
    /// Those of `answer`, which count as `aborted`.
    pub async fn measure<B, E>(
        &self,
        method: &Method,
        route: Option<&str>,
        answer: impl Future<Output = Result<Response<B>, E>>,
    ) -> Result<Response<MeasuredBody<B>>, E> {
        let in_flight = self.begin(method, route);
        Ok(in_flight.answered(answer.await?))
    }
}

impl fmt::Debug for RequestMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestMeter").finish_non_exhaustive()
    }
}

/// A request that began. Dropped before it is [answered](Self::answered), it counts as `aborted`.
pub struct RequestInFlight {
    series: Arc<Series>,
    /// By the machine's clock.
    began: Duration,
    /// An index in [`STATUSES`], or behind them for [`OTHER`].
    status: usize,
}

impl RequestInFlight {
    fn new(series: Arc<Series>) -> Self {
        series.begin();
        Self { series, began: Clock::new().mono(), status: ABORTED }
    }

    /// Its answer is there: it ends with the answer's body.
    pub fn answered<B>(mut self, answer: Response<B>) -> Response<MeasuredBody<B>> {
        self.status = status_idx(answer.status().as_u16());
        answer.map(|body| MeasuredBody::new(body, self))
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let seconds = Clock::new().mono().saturating_sub(self.began).as_secs_f64();
        self.series.end(self.status, seconds);
    }
}

impl fmt::Debug for RequestInFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestInFlight").field("began", &self.began).finish_non_exhaustive()
    }
}

/// The last of [`STATUSES`].
const ABORTED: usize = STATUSES.len() - 1;

/// Of 100 to 999, which is all that `http` has.
fn status_idx(status: u16) -> usize {
    match status / 100 {
        class @ 1..=5 => usize::from(class) - 1,
        _ => STATUSES.len(),
    }
}

/// A value by its index; [`OTHER`] stands behind them all.
fn value_of<const N: usize>(values: &[&'static str; N], i: usize) -> &'static str {
    values.get(i).copied().unwrap_or(OTHER)
}
