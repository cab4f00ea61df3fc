use http::{HeaderMap, Method};
use lastmile::Format;

use crate::path;
use crate::problem::Problem;

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
    Metrics,
    Refusals,
    Healthy,
    Ready,
}

impl Route {
    /// Each path as an adapter routes it, and what it means.
    pub(crate) const ALL: [(&'static str, Self); if cfg!(feature = "otlp") { 10 } else { 9 }] = [
        ("/lm", Self::Push(Format::Lm1)),
        ("/record", Self::Push(Format::Record)),
        ("/metrics", Self::Push(Format::PromText)),
        (path::BEHIND, Self::Push(Format::PromText)),
        ("/metrics/{*labels}", Self::Push(Format::PromText)),
        #[cfg(feature = "otlp")]
        ("/v1/metrics", Self::Otlp),
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
            Self::Push(_) => Side::Public,
            #[cfg(feature = "otlp")]
            Self::Otlp => Side::Public,
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
        match self.side() {
            Side::Public => method == Method::POST || method == Method::OPTIONS,
            Side::Private => method == Method::GET || method == Method::HEAD,
        }
    }

    /// The value of `Allow`.
    pub(crate) fn allow(self) -> &'static str {
        match self.side() {
            Side::Public => "POST, OPTIONS",
            Side::Private => "GET, HEAD",
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
