//! HTTP for [lastmile] without a framework: which path takes which push, who may call it
//! from where, how large it may be, and what is answered.
//!
//! [`Service::handle`] turns a [`Request`](http::Request) with any [`Body`](http_body::Body) into a
//! [`Response`](http::Response) and nothing else: it opens no socket, starts no task and needs no
//! runtime. An adapter such as `lastmile-axum` only translates.
//!
//! | route | side | methods | answers |
//! |---|---|---|---|
//! | `/lm` | public | `POST`, `OPTIONS` | an `lm1` push |
//! | `/record` | public | `POST`, `OPTIONS` | a `prometheus-user-metrics` push |
//! | `/metrics`, `/metrics/`, `/metrics/<label>/<value>/…` | public | `POST`, `OPTIONS` | a push of Prometheus text that adds, see below |
//! | `/metrics/job/<job>/…` | public | `POST`, `PUT`, `DELETE`, `OPTIONS` | a group's totals, with the feature `pushgateway`, see below |
//! | `/v1/metrics` | public | `POST`, `OPTIONS` | a push of OpenTelemetry's metrics, with the feature `otlp`, see below |
//! | `/reports` | public | `POST`, `OPTIONS` | what browsers report by themselves, with the feature `reports`; see below |
//! | `/lm/ws` | public | `GET` | a WebSocket of `lm1` lines, with the feature `ws`; see below |
//! | `/collect` | public | `POST`, `OPTIONS` | what Faro sends, with the feature `faro`, see below |
//! | the path of a mapping in the schema | public | `GET`, `HEAD`, `POST`, `OPTIONS` | another client's beacon, with the feature `mapping`, see below |
//! | `/lm.gif` | public | `GET`, `HEAD` | a hit: an image of one pixel that counts, see below |
//! | `/lm.js`, `/lm-core.js` | public | `GET`, `HEAD` | `lastmile.js`, and the same without vitals and probes; see below |
//! | `/static/aggregatorClient.js` | public | `GET`, `HEAD` | the same for pages that have `prometheus-user-metrics`' snippet |
//! | `/lm-<hash>.js` | public | `GET`, `HEAD` | one of these three, by the hash of its bytes |
//! | `/metrics` | private | `GET`, `HEAD` | the aggregate, in the format that the scraper likes best, streamed |
//! | `/healthz` | private | `GET`, `HEAD` | 200 |
//! | `/debug/refusals` | private | `GET`, `HEAD` | the last refusals as JSON, see below |
//! | `/readyz` | private | `GET`, `HEAD` | 200 or 503, see [`Service::set_ready`] |
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use lastmile::{Aggregator, Limits, Schema};
//! use lastmile_http::{Clock, Service};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = Clock::new();
//! let schema = Schema::builder().browser().build()?;
//! let aggregator = Aggregator::new(schema, Limits::default(), clock.now())?;
//!
//! let public = Service::public(aggregator.clone());
//! let push = r#"{"lm":1,"m":{"client_page_loads_total;type=navigate":1}}"#;
//! let request = Request::post("/lm").body(Full::new(Bytes::from(push)))?;
//! let answer = public.handle(request, None, clock.now()).await;
//! assert_eq!(answer.status(), 204);
//!
//! let private = Service::private(aggregator);
//! let request = Request::get("/metrics").body(Full::new(Bytes::new()))?;
//! let answer = private.handle(request, None, clock.now()).await;
//! assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
//! let text = answer.into_body().collect().await?.to_bytes();
//! let text = std::str::from_utf8(&text)?;
//! assert!(text.contains("client_page_loads_total{type=\"navigate\"} 1\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # Limits, in their order
//! [`PublicOptions`] says who may push and how much. Each rule is asked before the next, and everything before a
//! byte of the body is decoded:
//!
//! | what | answer when it does not hold | unless the options say otherwise |
//! |---|---|---|
//! | path, then method | 404; 405 with `Allow` | all routes |
//! | the page's origin is listed | 403 | any origin |
//! | (a preflight is answered here) | | |
//! | a known key | 401 | none is asked for |
//! | the client's rate | 429 with `Retry-After` | off |
//! | of OTLP, its type: JSON or protobuf | 415, asked after the method | |
//! | the body's coding: gzip, deflate, zstd or none | 415 | |
//! | bytes as sent | 413 | [`BODY_BYTES_MAX`]; [`TEXT_BYTES_MAX`] of Prometheus text and OTLP |
//! | bytes of all bodies that came in part, or have more than 16 KiB, or may have as they are inflated | 503 with `Retry-After` | 32 MiB, half of them for one client |
//! | bytes inflated, and 100 times those sent beyond 64 KiB | 413; 400 if it is not what its coding says | [`INFLATED_BYTES_MAX`]; [`TEXT_INFLATED_BYTES_MAX`] |
//!
//! Each refusal counts in `lastmile_requests_refused_total{reason}`. Time-outs and numbers of connections are
//! for whoever serves the connections, such as `lastmile-hyper`.
//!
//! # What a push is answered
//! | status | when | body |
//! |---|---|---|
//! | 204; 202 from Faro | the push decoded, even if samples in it were refused | none |
//! | 200 | it decoded, and the request says `Prefer: return=representation` | `{"accepted":15,"refused":{"unknown_family":1}}` |
//! | 200 | some lines of an `lm1` push decoded and others did not | the same, with `"failed":[{"line":2,"offset":57,"reason":"syntax","detail":"…"}]` |
//! | 400 | nothing decoded, or the body broke off; nothing was counted | problem |
//! | 500 | it brought about a panic, which is a mistake of ours: please report it. Some of it may have been counted | problem |
//! | another | a limit; nothing was counted | problem |
//!
//! A *problem* is `application/problem+json` (RFC 9457) with `reason`, and `offset` in bytes where one
//! is known; 404 and 405 are problems too. 408 is never answered, because Chromium sends a request
//! again on it. Any `Content-Type`, or none, is taken: browsers send `text/plain` and untyped bodies
//! without a preflight.
//!
//! # Prometheus text that adds
//! `POST /metrics` takes what `promjs` and `@cabify/prom-react` send, the way that prom-aggregation-gateway does:
//! text 0.0.4 or OpenMetrics whose counters and histograms are increments since the last push; see
//! [`Format::PromText`](lastmile::Format::PromText). Labels in the path, percent-decoded, are those of every sample:
//! `/metrics/app/student`; a value with slashes is written as `/metrics/page@base64/L2hvbWU`, in base64 for URLs. A
//! sample that has such a label itself is refused as `malformed`, as the gateway refuses its push. Where both sides share
//! a listener, `GET /metrics` is the scrape and `POST /metrics` the push. With the feature `pushgateway` a body may be
//! `application/vnd.google.protobuf`, delimited, too.
//!
//! What is counted is what was sent, and `@cabify/prom-react` 0.3 sends more than happened: its whole registry with each
//! observation, set to 0 only when an answer has come. Three increments at once arrive as 1, 2 and 3, which are 6.
//!
//! # Totals, as to a Pushgateway
//! With the feature `pushgateway` a path whose first label is `job` names a group, and what is pushed to it are totals:
//! `/metrics/job/nightly/zone/eu`, as text or protobuf. What they rose by since the group's last push is added, as
//! [`Source::grouping_key`](lastmile::Source) says; `POST` and `PUT` are answered 200. `PUT` says that the group has nothing
//! else, so that a series which was not in the last `PUT` is new and counts in full. What it leaves out stays where it
//! stood all the same: dropping it would make it a baseline when it comes back, or count it twice.
//! `DELETE` forgets what the group stood at, answered 202, and takes nothing back of what was counted. Labels of the group
//! that a family declares are those of its samples; another only names the group, so a family needs no label `job`.
//! Whoever has an API key of his own has groups of his own; without keys anyone may push to any group, or delete it, and
//! so make its next totals baselines or resets. What one bucket rises by between two pushes is at most 10,000, as in every
//! format. A page can push to a group with `POST` alone.
//!
//! # OTLP
//! `POST /v1/metrics` takes `ExportMetricsServiceRequest` as `application/json` or `application/x-protobuf`, see
//! [`Format::OtlpJson`](lastmile::Format), and answers in the same: 200 with `ExportMetricsServiceResponse`, whose
//! `partialSuccess` has how many data points were refused and for which reasons
//! (`{"partialSuccess":{"rejectedDataPoints":"1","errorMessage":"unknown_family: 1"}}`); an error with a `Status` that has
//! what a problem has as its detail in `message`. SDKs send again what is answered with 429, 502, 503 or 504, which is
//! why nothing else is answered to what may succeed later. Another type is 415, and that, 404 and 405 are problems.
//! `Prefer` is not asked.
//!
//! # What browsers report by themselves
//! With the feature `reports`, `POST /reports` takes reports of the Reporting API (`application/reports+json`) and the
//! older ones of CSP (`application/csp-report`) into the families `browser_…` of the default schema; see
//! `lastmile::Format::Reports`. A browser sends them when a site's answers ask it to:
//!
//! ```text
//! Reporting-Endpoints: default="https://rum.example/reports"
//! Content-Security-Policy: default-src 'self'; report-to default; report-uri https://rum.example/reports
//! Report-To: {"group":"nel","max_age":86400,"endpoints":[{"url":"https://rum.example/reports"}]}
//! NEL: {"report_to":"nel","max_age":86400,"include_subdomains":true,"success_fraction":0.01,"failure_fraction":1}
//! ```
//!
//! The first line alone brings deprecations, interventions, crashes and violations of permissions policies; the second
//! adds violations of CSP, from browsers without the Reporting API too (`report-uri`). The last two are Network Error
//! Logging, which Chromium and its kin alone have, and which still needs the older `Report-To`: DNS, TCP, TLS and HTTP
//! errors of this site's requests, also of users who never got as far as the page, and with `success_fraction` a sample
//! of what went well to compare them with. All of it needs https, on both sides. The collector should be another host
//! than the site: a host that is down takes no report about it. Other origins are asked for first (a preflight with
//! `content-type`), which is answered; where [`PublicOptions::origins`] are listed, the site's must be. Browsers send
//! after about a minute, and again after any answer but 2xx.
//!
//! # Over a WebSocket
//! With the feature `ws`, `GET /lm/ws` takes what `/lm` takes, for clients that stay. A message is text, of at most
//! 64 KiB and 16 lines, and each has one answer, in its order:
//!
//! | answer | when |
//! |---|---|
//! | `{"ack":["33bp7n0hkb…","…"]}` | these batches need not be sent again: they were counted, now or before, or are refused for good; a batch without an id is counted too |
//! | `{"ack":[…],"failed":[{"line":2,"offset":57,"reason":"syntax","detail":"…"}]}` | these lines did not decode; of lines that all failed the first is told |
//! | `{"ack":[],"retry_after":3}` | the client sends more than its rate, a token a line: nothing of the message was counted, send it again after so many seconds |
//!
//! Origin, key (`?key=`, as a page can set no header) and rate are asked for before the upgrade, and there are at most
//! so many sockets, in all and of one client (`PublicOptions::sockets`): 403, 401, 429 and 503, which a page sees as
//! a close with 1006; 426 answers who asks for no WebSocket. A message is not read before the answers to those before
//! it went out, so a client that does not read is not read. Who is silent for 30 s is sent a ping, and is given up
//! after as much again (`PublicOptions::socket_ping`). What came of a message is taken from the bytes that all bodies
//! in flight share. There is no compression, as a message that is compressed is small to send and large to take.
//!
//! | closed with | when |
//! |---|---|
//! | 1001 | the host stops (`Service::close_sockets`): what was read is counted and answered |
//! | 1002, 1007 | what came is no WebSocket, or text that is no UTF-8 |
//! | 1008 | a message is not whole when a peer was asked twice whether it is there, in 30 to 60 s |
//! | 1003, 1009 | a binary message; one of more than 64 KiB |
//! | 1011 | a message brought about a panic, which is a mistake of ours |
//! | 1013 | the bytes in flight leave it no room |
//!
//! A silent socket takes less than 8 KiB in `lastmile_hyper::serve` and less than 13 KiB in `axum::serve`, over TCP.
//! Whoever serves the connections has to give them away, as hyper's `with_upgrades` does, and
//! `Service::set_sockets` says what runs them; the adapters do both.
//!
//! # Faro and other clients' beacons
//! With the feature `faro`, `POST /collect` is the `url` for `@grafana/faro-web-sdk`. Its web vitals, exceptions by type and
//! events are counted in the families of the browsers' default schema; what else it sends is what the schema says with
//! `[[faro]]` or [`SchemaBuilder::faro`](lastmile::SchemaBuilder). Faro names each request with an `Idempotency-Key`, so
//! one that a browser repeats counts once. Its `apiKey` is a key of ours, where keys are asked for.
//!
//! With the feature `mapping`, the paths of the schema's `[[mapping]]` take what `web-vitals`, `perfume.js` or `boomerang`
//! send: JSON or a form as a body, or a form as the query of a `GET`, which is answered 204. A path stands beside the
//! others of the public side whatever [`PublicOptions::routes`] says; one that this crate has itself is a mistake in the
//! schema. A reload may change them: [`Service::handle`] knows at once, a router that was made of
//! [`Service::paths`] routes those that were there. Such a beacon has no id, so one that a browser repeats counts twice,
//! unless its request has an `Idempotency-Key`.
//!
//! # Hits
//! `<img src="https://…/lm.gif?m=app_opens_total;app=mail" alt="">` adds 1 to that series when the image is shown: `m` is
//! a key of `lm1`, once or several times, and names counters alone whose labels are all closed. The image comes with
//! `Cache-Control: no-store`, and comes also where nothing is counted: for `HEAD`, for what a browser fetches ahead of
//! time (`Sec-Purpose: prefetch`), and for a page that may not. An image has no `Origin`, so its `Referer` must be on the
//! list of [`PublicOptions::origins`], and **without a list no hit counts**: anyone can show anyone's browser an image. A
//! mail, or a page that says `no-referrer`, has no `Referer`; it counts where the list has `null`, and so does then whoever leaves it out. The same rule holds for
//! beacons in a query where there is a list; without one they are taken as other pushes are, as somebody declared them.
//!
//! # The client's scripts
//! They are in [`lastmile_web`], the same for every page, `Host` and query, gzip for whoever takes it, and ask for no
//! origin and no key. Behind `/lm.js`, `/lm-core.js` and `/static/aggregatorClient.js` is what the release that answers
//! has: caches keep it for an hour, and for a day while they fetch another. Behind
//! [`/lm-<hash>.js`](lastmile_web::Script::path) is one text for good: a page that names it can name its
//! [`integrity`](lastmile_web::Script::integrity) too, and must be made anew with each release. A hash that this release does
//! not have is 404, and every 404 says `Cache-Control: no-store`, so that a page which came before its server is well when
//! that comes. [`PublicOptions::routes`] with one path of a script serves both.
//!
//! # What a scrape is answered
//! | asked for | answer |
//! |---|---|
//! | `Accept` names OpenMetrics 1.0.0 (any Prometheus) | that, `# EOF` and all |
//! | `text/plain;version=1.0.0` | the same text with names of any UTF-8 |
//! | delimited protobuf (a Prometheus that stores native histograms), with the feature `protobuf` | that |
//! | anything else, or nothing | text 0.0.4, which everyone reads |
//! | `Accept-Encoding` takes gzip, and not `gzip;q=0` | the same, compressed as it is sent |
//! | `/metrics?family[]=app_loads_total&family[]=…` | these families, each whole, by any name they are shown under; at most 64 |
//! | `/metrics?own=none`, `/metrics?own=only` | without the metrics of the aggregator itself, or those alone |
//!
//! The highest q wins, and of equals what comes first. The type of an answer is exact, as Prometheus 3 drops
//! a target whose type it does not know, and every answer says `Vary: Accept, Accept-Encoding`. `HEAD` has
//! the headers of `GET` and begins no scrape. No header makes a scrape fail or slow; a query with too many
//! names, or another `own`, is a 400 with the reason `query`. `family=` and `family%5B%5D=` are the same as
//! `family[]=`; a family that is not there adds nothing, and an exposition may be empty. A family is asked for
//! by its name in the schema, by what a format or an escaping makes of it (`app_loads`, which OpenMetrics calls
//! `app_loads_total`), or by the name of one of its samples (`load_seconds_count`), and always comes whole.
//!
//! A scraper that asks for some families alone is another reader than one that asks for all, on the same
//! connection too: no series is shown to it at its value on account of a scrape that did not show it, and none
//! that it does not ask for waits for it. So split a large target into jobs as you like, 64 for all scrapers
//! together. A compressed scrape costs its reader's patience and not the pushes': each chunk is copied under its
//! lock first and compressed after.
//!
//! # A host's own requests and routes
//! [`RequestMeter`] measures the requests that a host serves, lastmile's or its own, into the same aggregate:
//! how many by method, route and class of status, how long, how many at this moment. [`MeasureLayer`] is that for
//! `tower`. [`Service::take`] takes a push on a path of the host's own and gives its report.
//!
//! # Features
//! None by default.
//! - `otlp`: takes OpenTelemetry's metrics.
//! - `pushgateway`: totals on `/metrics/job/…`, and Prometheus' protobuf.
//! - `faro`: `POST /collect`.
//! - `mapping`: paths that the schema maps.
//! - `reports`: `POST /reports`.
//! - `ws`: `GET /lm/ws`. It brings `tungstenite` for the frames.
//! - `protobuf`: offers delimited protobuf, the one format that has native histograms and
//!   start times.
//!
//! # Other origins
//! Every answer of the public side, errors included, allows the origin of its page without credentials, if
//! that may push; a preflight is valid for two hours. The private side sends no CORS headers at all.
//!
//! # The private side
//! It answers those alone who ask for it by an IP address, as `localhost`, or by a name that
//! [`PrivateOptions::hosts`] lists: a page that points its own name here (DNS rebinding) gets 421. It can ask for
//! a token. `/debug/refusals` tells of the last refused samples and pushes: family, label, reason and length,
//! `{"refusals":[{"at_ms":1767225600000,"format":"lm1","reason":"label_value","samples":1,"family":"…","label":"…","value_bytes":5}]}`;
//! values only after [`set_debug_samples`](lastmile::Aggregator::set_debug_samples), addresses never.

mod body;
mod budget;
mod caught;
mod clock;
mod cors;
mod error;
mod gate;
mod gzip;
mod hit;
mod inflate;
mod intake;
mod joined;
mod json;
mod measure;
mod negotiate;
mod offload;
mod options;
#[cfg(feature = "otlp")]
mod otlp;
mod path;
mod private;
mod problem;
mod public;
mod push;
mod pushed;
mod query;
mod refusals;
mod report;
mod route;
mod scrape;
mod script;
mod service;
mod shared;
#[cfg(feature = "ws")]
mod socket;

pub use body::ResponseBody;
pub use clock::Clock;
pub use error::Error;
pub use gate::{Rate, RateBy};
pub use intake::{BODY_BYTES_MAX, INFLATED_BYTES_MAX, TEXT_BYTES_MAX, TEXT_INFLATED_BYTES_MAX};
pub use measure::{
    Measure, MeasureFuture, MeasureLayer, MeasuredBody, RequestInFlight, RequestMeter,
};
pub use options::PublicOptions;
pub use private::PrivateOptions;
pub use pushed::Pushed;
pub use service::Service;
