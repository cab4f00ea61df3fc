use http::{HeaderValue, Method};
use lastmile::Format;

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
    Metrics,
    Refusals,
    Healthy,
    Ready,
}

impl Route {
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("/lm", Self::Push(Format::Lm1)),
        ("/record", Self::Push(Format::Record)),
        ("/metrics", Self::Metrics),
        ("/debug/refusals", Self::Refusals),
        ("/healthz", Self::Healthy),
        ("/readyz", Self::Ready),
    ];

    /// Paths are compared whole and as they are written.
    pub(crate) fn find(path: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == path).map(|(_, route)| *route)
    }

    pub(crate) fn side(self) -> Side {
        match self {
            Self::Push(_) => Side::Public,
            Self::Metrics | Self::Refusals | Self::Healthy | Self::Ready => Side::Private,
        }
    }

    pub(crate) fn takes(self, method: &Method) -> bool {
        match self.side() {
            Side::Public => method == Method::POST || method == Method::OPTIONS,
            Side::Private => method == Method::GET || method == Method::HEAD,
        }
    }

    /// The value of `Allow`.
    pub(crate) fn allow(self) -> HeaderValue {
        match self.side() {
            Side::Public => HeaderValue::from_static("POST, OPTIONS"),
            Side::Private => HeaderValue::from_static("GET, HEAD"),
        }
    }
}
