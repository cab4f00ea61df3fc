use http::{HeaderMap, HeaderValue, Method};
use lastmile::Format;
use lastmile_web::{AGGREGATOR_CLIENT, CORE, LASTMILE, Script};

use crate::problem::Problem;
use crate::{path, script};

/// What the path of a group begins with.
const GROUPS: &str = "/metrics/job/";

#[cfg(feature = "pushgateway")]
const PROTOBUF: &str = "application/vnd.google.protobuf";

/// Who a route is for: whoever loads a page, or whoever runs the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Public,
    Private,
}

/// What a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Push(Format),
    /// What Prometheus' clients expose, as increments.
    Prometheus,
    /// The same as totals of a group, which can be deleted.
    #[cfg(feature = "pushgateway")]
    Group,
    /// A push whose format its `Content-Type` says.
    #[cfg(feature = "otlp")]
    Otlp,
    /// A WebSocket of lines of `lm1`.
    #[cfg(feature = "ws")]
    Socket,
    /// A script of the client, at its own path or at the one that names its bytes.
    Script(Script),
    Metrics,
    Refusals,
    Healthy,
    Ready,
}

impl Route {
    /// Each path as an adapter routes it, and what it means, but for those that name bytes.
    pub(crate) const ALL: [(&'static str, Self);
        13 + 2 * cfg!(feature = "pushgateway") as usize
            + cfg!(feature = "otlp") as usize
            + cfg!(feature = "reports") as usize
            + cfg!(feature = "ws") as usize
            + cfg!(feature = "faro") as usize] = [
        ("/lm", Self::Push(Format::Lm1)),
        ("/record", Self::Push(Format::Record)),
        ("/metrics", Self::Prometheus),
        (path::BEHIND, Self::Prometheus),
        ("/metrics/{*labels}", Self::Prometheus),
        #[cfg(feature = "pushgateway")]
        (GROUPS, Self::Group),
        #[cfg(feature = "pushgateway")]
        ("/metrics/job/{*labels}", Self::Group),
        #[cfg(feature = "otlp")]
        ("/v1/metrics", Self::Otlp),
        #[cfg(feature = "reports")]
        ("/reports", Self::Push(Format::Reports)),
        #[cfg(feature = "ws")]
        ("/lm/ws", Self::Socket),
        #[cfg(feature = "faro")]
        ("/collect", Self::Push(Format::Faro)),
        ("/lm.gif", Self::Push(Format::Hit)),
        ("/lm.js", Self::Script(LASTMILE)),
        ("/lm-core.js", Self::Script(CORE)),
        ("/static/aggregatorClient.js", Self::Script(AGGREGATOR_CLIENT)),
        ("/metrics", Self::Metrics),
        ("/debug/refusals", Self::Refusals),
        ("/healthz", Self::Healthy),
        ("/readyz", Self::Ready),
    ];

    /// What a path means on one side. Paths are compared whole and as they are written, but for labels.
    pub(crate) fn find(path: &str, side: Side) -> Option<Self> {
        if side == Side::Public
            && let Some(script) = script::by_hash(path)
        {
            return Some(Self::Script(script));
        }
        let known = match path {
            _ if path::is_group(path) => GROUPS,
            _ if path.starts_with(path::BEHIND) => path::BEHIND,
            _ => path,
        };
        let mut all = Self::ALL.iter().filter(|(_, route)| route.side() == side);
        all.find(|(path, _)| *path == known).map(|(_, route)| *route)
    }

    /// The paths of one side as a person writes them.
    pub(crate) fn names(side: Side) -> impl Iterator<Item = &'static str> {
        let all = Self::ALL.iter().filter(move |(_, route)| route.side() == side);
        all.map(|(path, _)| *path).filter(|path| !path.contains('{') && *path != path::BEHIND)
    }

    pub(crate) fn side(self) -> Side {
        match self {
            Self::Push(_) | Self::Prometheus | Self::Script(_) => Side::Public,
            #[cfg(feature = "pushgateway")]
            Self::Group => Side::Public,
            #[cfg(feature = "otlp")]
            Self::Otlp => Side::Public,
            #[cfg(feature = "ws")]
            Self::Socket => Side::Public,
            Self::Metrics | Self::Refusals | Self::Healthy | Self::Ready => Side::Private,
        }
    }

    /// The format of a push that comes here with these headers.
    pub(crate) fn format(self, request: &HeaderMap) -> Result<Format, Problem> {
        match self {
            Self::Push(format) => Ok(format),
            Self::Prometheus => prometheus(request),
            #[cfg(feature = "pushgateway")]
            Self::Group => prometheus(request),
            #[cfg(feature = "otlp")]
            Self::Otlp => {
                let known = "application/json or application/x-protobuf";
                crate::otlp::format(request).ok_or_else(|| Problem::unknown_type(known))
            }
            _ => unreachable!("it is no push"),
        }
    }

    pub(crate) fn takes(self, method: &Method) -> bool {
        self.methods().contains(method)
    }

    /// What may be asked for here.
    pub(crate) fn methods(self) -> &'static [Method] {
        const READ: &[Method] = &[Method::GET, Method::HEAD];
        const PUSH: &[Method] = &[Method::POST, Method::OPTIONS];
        match self {
            #[cfg(feature = "mapping")]
            Self::Push(Format::Beacon) => READ_AND_PUSH,
            Self::Push(Format::Hit) | Self::Script(_) => READ,
            Self::Push(_) | Self::Prometheus => PUSH,
            #[cfg(feature = "pushgateway")]
            Self::Group => &[Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS],
            #[cfg(feature = "otlp")]
            Self::Otlp => PUSH,
            #[cfg(feature = "ws")]
            Self::Socket => &[Method::GET],
            Self::Metrics | Self::Refusals | Self::Healthy | Self::Ready => READ,
        }
    }
}

const READ_AND_PUSH: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

/// The value of `Allow`.
pub(crate) fn allow(methods: &[Method]) -> HeaderValue {
    HeaderValue::try_from(joined(methods, ", ")).expect("names of methods are ASCII")
}

/// The names of methods with this between them.
pub(crate) fn joined(methods: &[Method], between: &str) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(between)
}

/// Protobuf where `Content-Type` says so, else text, which clients call what they like or nothing.
/// Source: prometheus/common expfmt/expfmt.go, `ProtoFmt`.
#[cfg_attr(not(feature = "pushgateway"), expect(unused_variables, reason = "it is text"))]
fn prometheus(request: &HeaderMap) -> Result<Format, Problem> {
    #[cfg(feature = "pushgateway")]
    if let Some(Ok(value)) = request.get(http::header::CONTENT_TYPE).map(|value| value.to_str()) {
        let mut parts = value.split(';').map(str::trim);
        if parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(PROTOBUF)) {
            let encoding =
                parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("encoding").then_some(value.trim())
                });
            return match encoding.unwrap_or("delimited").trim_matches('"') {
                "delimited" => Ok(Format::PromProtobuf),
                _ => Err(Problem::unknown_type("text, or protobuf that is delimited")),
            };
        }
    }
    Ok(Format::PromText)
}

/// What a path means on a listener, which may have both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) route: Route,
    /// What may be asked for, of both where the path is one of each.
    pub(crate) methods: &'static [Method],
}

impl Found {
    /// The method chooses where both sides have the path.
    pub(crate) fn new(
        public: Option<Route>,
        private: Option<Route>,
        method: &Method,
    ) -> Option<Self> {
        if let (Some(public), Some(private)) = (public, private) {
            let route = if private.takes(method) { private } else { public };
            return Some(Self { route, methods: READ_AND_PUSH });
        }
        public.or(private).map(|route| Self { route, methods: route.methods() })
    }
}
