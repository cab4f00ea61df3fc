use http::{HeaderMap, Method};
use lastmile::Format;

use crate::problem::Problem;
use crate::{path, script};

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
    /// A push whose format its `Content-Type` says.
    #[cfg(feature = "otlp")]
    Otlp,
    /// A WebSocket of lines of `lm1`.
    #[cfg(feature = "ws")]
    Socket,
    Script,
    Metrics,
    Refusals,
    Healthy,
    Ready,
}

impl Route {
    /// Each path as an adapter routes it, and what it means.
    pub(crate) const ALL: [(&'static str, Self);
        11 + cfg!(feature = "otlp") as usize
            + cfg!(feature = "reports") as usize
            + cfg!(feature = "ws") as usize
            + cfg!(feature = "faro") as usize] = [
        ("/lm", Self::Push(Format::Lm1)),
        ("/record", Self::Push(Format::Record)),
        ("/metrics", Self::Push(Format::PromText)),
        (path::BEHIND, Self::Push(Format::PromText)),
        ("/metrics/{*labels}", Self::Push(Format::PromText)),
        #[cfg(feature = "otlp")]
        ("/v1/metrics", Self::Otlp),
        #[cfg(feature = "reports")]
        ("/reports", Self::Push(Format::Reports)),
        #[cfg(feature = "ws")]
        ("/lm/ws", Self::Socket),
        #[cfg(feature = "faro")]
        ("/collect", Self::Push(Format::Faro)),
        ("/lm.gif", Self::Push(Format::Hit)),
        (script::PATH, Self::Script),
        ("/metrics", Self::Metrics),
        ("/debug/refusals", Self::Refusals),
        ("/healthz", Self::Healthy),
        ("/readyz", Self::Ready),
    ];

    /// What a path means on one side. Paths are compared whole and as they are written, but for labels.
    pub(crate) fn find(path: &str, side: Side) -> Option<Self> {
        let known = if path.starts_with(path::BEHIND) { path::BEHIND } else { path };
        let mut all = Self::ALL.iter().filter(|(_, route)| route.side() == side);
        all.find(|(path, _)| *path == known).map(|(_, route)| *route)
    }

    pub(crate) fn side(self) -> Side {
        match self {
            Self::Push(_) | Self::Script => Side::Public,
            #[cfg(feature = "otlp")]
            Self::Otlp => Side::Public,
            #[cfg(feature = "ws")]
            Self::Socket => Side::Public,
            Self::Metrics | Self::Refusals | Self::Healthy | Self::Ready => Side::Private,
        }
    }

    /// The format of a push that comes here with these headers.
    #[cfg_attr(not(feature = "otlp"), expect(unused_variables, reason = "paths alone tell"))]
    pub(crate) fn format(self, request: &HeaderMap) -> Result<Format, Problem> {
        match self {
            Self::Push(format) => Ok(format),
            #[cfg(feature = "otlp")]
            Self::Otlp => crate::otlp::format(request).ok_or_else(Problem::unknown_type),
            _ => unreachable!("it is no push"),
        }
    }

    pub(crate) fn takes(self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }

    /// The value of `Allow`.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            #[cfg(feature = "mapping")]
            Self::Push(Format::Beacon) => "GET, HEAD, POST, OPTIONS",
            Self::Push(Format::Hit) | Self::Script => "GET, HEAD",
            Self::Push(_) => "POST, OPTIONS",
            #[cfg(feature = "otlp")]
            Self::Otlp => "POST, OPTIONS",
            #[cfg(feature = "ws")]
            Self::Socket => "GET",
            Self::Metrics | Self::Refusals | Self::Healthy | Self::Ready => "GET, HEAD",
        }
    }
}

/// What a path means on a listener, which may have both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) route: Route,
    /// The value of `Allow`, of both where the path is one of each.
    pub(crate) allow: &'static str,
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
            return Some(Self { route, allow: "GET, HEAD, POST, OPTIONS" });
        }
        public.or(private).map(|route| Self { route, allow: route.allow() })
    }
}
