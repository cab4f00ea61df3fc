//! The public side of a listener: what a request of it is, before anything of it is read.

use std::sync::Arc;

use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use lastmile::Format;

use crate::body::ResponseBody;
use crate::cors::{self, Cors};
use crate::options::PublicRules;
use crate::path::{self, Labels};
use crate::problem::Problem;
use crate::route::{self, Found};

pub(crate) struct Public {
    pub(crate) rules: Arc<PublicRules>,
    pub(crate) cors: Cors,
}

/// What a request of a public route is.
pub(crate) enum Entered {
    /// A browser asks whether its page may push.
    Preflight,
    /// A push of a format, with the labels that its path names.
    Push(Format, Labels),
    /// A group is to begin anew.
    Forget(Labels),
    /// One that stands in the query.
    Query(Format),
}

impl Public {
    /// The headers that an answer to this request has for its page.
    pub(crate) fn cors(&self, head: &Parts) -> HeaderMap {
        self.cors.headers(&head.headers, self.rules.gate.allows_origin(&head.headers))
    }

    /// What a request is, unless its path, its method or its preflight's origin is wrong.
    pub(crate) fn enter(&self, found: Found, head: &Parts) -> Result<Entered, Problem> {
        let mut labels = path::labels(head.uri.path()).map_err(Problem::bad_labels)?;
        labels.is_whole = head.method == Method::PUT;
        if !found.route.takes(&head.method) {
            return Err(Problem::method_not_allowed(found.methods));
        }
        if head.method == Method::OPTIONS {
            return match self.rules.gate.allows_origin(&head.headers) {
                true => Ok(Entered::Preflight),
                false => Err(Problem::origin_not_listed()),
            };
        }
        if head.method == Method::DELETE {
            return Ok(Entered::Forget(labels));
        }
        let format = found.route.format(&head.headers)?;
        let is_query = head.method == Method::GET || head.method == Method::HEAD;
        Ok(if is_query { Entered::Query(format) } else { Entered::Push(format, labels) })
    }

    /// The answer to a preflight of a page that may push.
    pub(crate) fn preflight(&self, found: Found, head: &Parts) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = self.cors(head);
        cors::answer_preflight(response.headers_mut());
        response.headers_mut().insert(ALLOW, route::allow(found.methods));
        response
    }
}
