//! The default schema: what `lastmile.js` sends, and what browsers report by themselves.
//!
//! Bounds have two digits at most, as clients round to three, and Google's limits for good and poor
//! values lie on them. Source: web.dev/articles/vitals (LCP 2.5 and 4 s, INP 0.2 and 0.5 s, CLS 0.1 and
//! 0.25), /fcp (1.8 and 3 s), /ttfb (0.8 and 1.8 s).

use super::family::Family;
use super::label::Label;
#[cfg(feature = "faro")]
use super::mapping::{FaroItem, Rule};

/// Web vitals, in seconds.
const VITAL_BOUNDS: [f64; 14] =
    [0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 1.8, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0];

/// Times of a page load or a request, in seconds.
const TIMING_BOUNDS: [f64; 14] =
    [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.8, 2.5, 5.0, 10.0, 30.0];

/// How long a WebSocket stayed open, in seconds: up to the hour of a dark launch, and a school day.
const LIFETIME_BOUNDS: [f64; 10] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 28_800.0];

/// Layout shift has no unit.
const SHIFT_BOUNDS: [f64; 8] = [0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0];

/// No load of a page or a resource is believed to take longer than ten minutes.
const TIMING_MAX: f64 = 600.0;

/// No page stays open longer than a week.
const LIFETIME_MAX: f64 = 604_800.0;

/// Events of one kind that a page can count between two pushes.
const EVENTS_MAX: f64 = 1_000.0;

/// Visible seconds between two pushes; a client caps them at twice its interval, and a weight of
/// 1,000 multiplies them.
const USER_SECONDS_MAX: f64 = 100_000.0;

/// A path, of which `lastmile.js` sends the template already. What comes once is mostly mistyped or made up.
fn page() -> Label {
    Label::open("page", 100)
        .template()
        .pattern("^/[A-Za-z0-9/_.:~-]{0,80}$")
        .max_bytes(81)
        .admit_after(3)
}

fn target() -> Label {
    Label::open("target", 20)
}

fn counter(name: &str, help: &str) -> Family {
    Family::counter(name).help(help).max(EVENTS_MAX)
}

fn timing(name: &str, help: &str) -> Family {
    Family::histogram(name, TIMING_BOUNDS).unit("seconds").help(help).max(TIMING_MAX)
}

/// The families, in the order of exposition.
pub(super) fn families() -> Vec<Family> {
    let mut all = pages();
    all.extend(third_parties());
    all.extend(reports());
    all
}

/// What Faro sends by itself: web vitals in milliseconds under names in lower case, errors, events.
/// Source: grafana/faro-web-sdk 2.12.1, instrumentations/webVitals and errors.
#[cfg(feature = "faro")]
pub(super) fn faro() -> Vec<(FaroItem, Rule)> {
    let vital = |name: &str, family: &str| {
        Rule::new(family)
            .when("type", ["web-vitals"])
            .value(format!("values.{name}"))
            .label_path("page", "meta.page.url")
    };
    let seconds = |name: &str| {
        let rule = vital(name, "client_web_vital_seconds").scale(0.001);
        (FaroItem::Measurement, rule.label_const("name", name.to_uppercase()))
    };
    let mut rules: Vec<_> = ["lcp", "inp", "fcp", "ttfb"].map(seconds).into();
    rules.push((FaroItem::Measurement, vital("cls", "client_layout_shift")));
    rules.push((FaroItem::Exception, Rule::new("client_exceptions_total").label("type", "type")));
    rules.push((FaroItem::Event, Rule::new("client_events_total").label("name", "name")));
    rules
}

fn pages() -> Vec<Family> {
    vec![
        Family::histogram("client_web_vital_seconds", VITAL_BOUNDS)
            .unit("seconds")
            .help("Web vitals by name and page, as they stood when the page was first hidden.")
            .label(Label::closed("name", ["LCP", "INP", "FCP", "TTFB"]))
            .label(page())
            .max(TIMING_MAX),
        Family::histogram("client_layout_shift", SHIFT_BOUNDS)
            .help("Cumulative layout shift (CLS) by page, as it stood when the page was first hidden.")
            .label(page())
            .max(100.0),
        timing(
            "client_navigation_seconds",
            "Time from the start of the navigation to each phase of the page load.",
        )
        .label(Label::closed(
            "phase",
            [
                "fetchStart",
                "domainLookupEnd",
                "connectEnd",
                "requestStart",
                "responseStart",
                "responseEnd",
                "domInteractive",
                "domContentLoadedEventEnd",
                "domComplete",
                "loadEventEnd",
            ],
        )),
        counter("client_page_loads_total", "Page loads by type of navigation.").label(Label::closed(
            "type",
            ["navigate", "reload", "back_forward", "bfcache", "prerender", "background"],
        )),
        counter("client_errors_total", "Errors seen by the page, by kind.").label(Label::closed(
            "kind",
            ["js", "rejection", "resource_img", "resource_script", "resource_link"],
        )),
        counter("client_exceptions_total", "Exceptions that a page told of, by type; what Faro sends.")
            .label(
                Label::open("type", 20)
                    .pattern("^[A-Za-z_$][A-Za-z0-9_$.]{0,63}$")
                    .max_bytes(64)
                    .admit_after(3),
            ),
        counter("client_events_total", "Events that a page told of, by name; what Faro sends.").label(
            Label::open("name", 50)
                .pattern("^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$")
                .max_bytes(64)
                .admit_after(3),
        ),
        Family::counter("client_user_seconds_total")
            .unit("seconds")
            .help("Seconds that pages were visible; its rate() is the mean number of visible pages.")
            .max(USER_SECONDS_MAX),
        timing("client_long_frame_seconds", "Blocking time of long animation frames."),
        counter("client_soft_navigations_total", "Navigations within a page."),
        counter("client_dropped_total", "Batches that a client gave up, by reason.").label(
            Label::closed("reason", ["overflow", "expired", "refused", "series"]),
        ),
    ]
}

fn third_parties() -> Vec<Family> {
    vec![
        timing("client_ping_seconds", "Time until a pinged third party answered.").label(target()),
        counter("client_ping_failures_total", "Pings of a third party that failed.")
            .label(target())
            .label(Label::closed("reason", ["timeout", "error"])),
        counter("client_websocket_total", "WebSockets that were tried, by what became of them.")
            .label(target())
            .label(Label::closed("result", ["open", "failed", "blocked"])),
        timing("client_websocket_open_seconds", "Time until a WebSocket was open.").label(target()),
        Family::histogram("client_websocket_lifetime_seconds", LIFETIME_BOUNDS)
            .unit("seconds")
            .help("How long a WebSocket stayed open.")
            .label(target())
            .max(LIFETIME_MAX),
        counter("client_websocket_close_total", "WebSockets that closed, by close code.")
            .label(target())
            .label(Label::open("code", 20).max_bytes(32)),
    ]
}

/// Names of the values are those of the Reporting API, Network Error Logging and CSP.
/// Source: w3c/reporting, w3c/network-error-logging §5 (phases and types), CSP3 §6 (directives); and the types that
/// Chromium has beyond those, `kErrorTypes` of net/network_error_logging/network_error_logging_service.cc.
fn reports() -> Vec<Family> {
    let phase = || Label::closed("phase", ["dns", "connection", "application"]);
    vec![
        counter(
            "browser_network_errors_total",
            "Requests that failed, as browsers reported them (NEL), each as many as it was sampled from; type ok did not fail.",
        )
            .label(phase())
            .label(Label::closed(
                "type",
                [
                    "ok",
                    "dns.unreachable",
                    "dns.name_not_resolved",
                    "dns.failed",
                    "dns.timed_out",
                    "dns.address_changed",
                    "tcp.timed_out",
                    "tcp.closed",
                    "tcp.reset",
                    "tcp.refused",
                    "tcp.aborted",
                    "tcp.address_invalid",
                    "tcp.address_unreachable",
                    "tcp.failed",
                    "tls.version_or_cipher_mismatch",
                    "tls.bad_client_auth_cert",
                    "tls.cert.name_invalid",
                    "tls.cert.date_invalid",
                    "tls.cert.authority_invalid",
                    "tls.cert.invalid",
                    "tls.cert.revoked",
                    "tls.cert.pinned_key_not_in_cert_chain",
                    "tls.protocol.error",
                    "tls.unrecognized_name_alert",
                    "tls.failed",
                    "h2.ping_failed",
                    "h2.protocol.error",
                    "h3.protocol.error",
                    "http.error",
                    "http.protocol.error",
                    "http.response.invalid",
                    "http.response.invalid.empty",
                    "http.response.invalid.content_length_mismatch",
                    "http.response.invalid.incomplete_chunked_encoding",
                    "http.response.headers.multiple_content_disposition",
                    "http.response.headers.multiple_content_length",
                    "http.response.redirect_loop",
                    "http.failed",
                    "abandoned",
                    "unknown",
                ],
            )),
        timing(
            "browser_network_error_seconds",
            "Time from the start of a request until it failed, as browsers reported it (NEL), as many as it was sampled from.",
        )
            .label(phase()),
        counter(
            "browser_csp_violations_total",
            "Content Security Policy violations that browsers reported, by effective directive.",
        )
        .label(Label::closed(
            "directive",
            [
                "default-src",
                "script-src",
                "script-src-elem",
                "script-src-attr",
                "style-src",
                "style-src-elem",
                "style-src-attr",
                "img-src",
                "font-src",
                "connect-src",
                "media-src",
                "object-src",
                "frame-src",
                "worker-src",
                "manifest-src",
                "child-src",
                "base-uri",
                "form-action",
                "frame-ancestors",
                "require-trusted-types-for",
                "trusted-types",
            ],
        ))
        .label(Label::closed("disposition", ["enforce", "report"])),
        counter(
            "browser_crashes_total",
            "Crashes of pages that browsers reported, by reason; most have none and are other.",
        )
            .label(Label::closed("reason", ["oom", "unresponsive"])),
        counter(
            "browser_reports_total",
            "Other reports of browsers, by type and what they are about: the id of a deprecation or intervention, a policy, a kind of violation.",
        )
        .label(Label::closed(
            "type",
            [
                "deprecation",
                "intervention",
                "coep",
                "coop",
                "permissions-policy-violation",
                "potential-permissions-policy-violation",
                "document-policy-violation",
                "integrity-violation",
            ],
        ))
        // A word or two: `UnloadHandler`, `worker initialization`; never a URL or a sentence.
        .label(Label::open("id", 50).pattern("[A-Za-z][A-Za-z0-9 _.-]{0,63}")),
    ]
}
