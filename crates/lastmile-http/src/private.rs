//! Who may read the private side.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::uri::Authority;
use subtle::ConstantTimeEq;

use crate::error::{Error, Faults};

/// Who may read the private side. By default whoever reaches it, under an address or as `localhost`.
///
/// ```
/// use lastmile_http::PrivateOptions;
///
/// let options = PrivateOptions::new().hosts(["metrics.internal"]).bearer("s3cr3t");
/// assert!(options.check().is_ok());
/// ```
#[derive(Clone, Default)]
pub struct PrivateOptions {
    hosts: Vec<String>,
    credentials: Vec<String>,
    faults: Vec<&'static str>,
}

impl PrivateOptions {
    /// No names but `localhost`, and no token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Names under which the private side is asked for, without ports. IP addresses and `localhost` always
    /// are; any other `Host` is answered 421, so that a page that makes its own name point here (DNS
    /// rebinding) reads nothing. `*.example.com` is every name below one; a lone `*` is every name, which is
    /// safe where a token is required.
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// Takes this token as `Authorization: Bearer`. With any token or password required, everything but
    /// `/healthz` and `/readyz` is 401 without one.
    #[must_use]
    pub fn bearer(mut self, token: impl AsRef<str>) -> Self {
        let token = token.as_ref();
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            self.faults.push("a bearer token is not of visible ASCII characters");
        }
        self.credentials.push(format!("Bearer {token}"));
        self
    }

    /// Takes this name and password as `Authorization: Basic`.
    #[must_use]
    pub fn basic(mut self, user: impl AsRef<str>, password: impl AsRef<str>) -> Self {
        let (user, password) = (user.as_ref(), password.as_ref());
        if user.contains(':') || password.is_empty() {
            self.faults.push("a user has a colon in its name, or an empty password");
        }
        self.credentials
            .push(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))));
        self
    }

    /// Whether a token or a password is required.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        !self.credentials.is_empty()
    }

    /// Whether all of it can be meant.
    ///
    /// # Errors
    /// All that is wrong, option by option, without the secrets.
    pub fn check(&self) -> Result<(), Error> {
        self.rules().map(drop)
    }

    pub(crate) fn rules(&self) -> Result<PrivateRules, Error> {
        let mut faults = Faults::default();
        self.faults.iter().for_each(|why| faults.push("token", why));
        for host in &self.hosts {
            let name = without_dot(host.strip_prefix("*.").unwrap_or(host));
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            if host != "*" && (name.is_empty() || !name.bytes().all(is_name)) {
                faults.push("hosts", format_args!("`{host}` is no name of a host, without a port"));
            }
        }
        let hosts = self.hosts.iter().map(|host| without_dot(host).to_ascii_lowercase()).collect();
        faults.none_or(PrivateRules { hosts, credentials: self.credentials.clone() })
    }
}

/// Names alone, no secrets.
impl fmt::Debug for PrivateOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateOptions")
            .field("hosts", &self.hosts)
            .field("n_credentials", &self.credentials.len())
            .finish()
    }
}

/// The options of a private side, ready to be asked.
#[derive(Default)]
pub(crate) struct PrivateRules {
    hosts: Vec<String>,
    /// Whole values of `Authorization`.
    credentials: Vec<String>,
}

impl PrivateRules {
    /// Whether the host that is asked for is one of ours: that of the target, if it names one, or else that
    /// of `Host`. A request of HTTP/1.0 without either comes from no browser.
    pub(crate) fn knows_host(&self, request: &Parts) -> bool {
        if let Some(authority) = request.uri.authority() {
            return self.knows(authority.host());
        }
        request.headers.get_all(HOST).iter().all(|host| {
            let authority = Authority::try_from(host.as_bytes());
            authority.is_ok_and(|authority| self.knows(authority.host()))
        })
    }

    fn knows(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let name = without_dot(&host);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        address.map_or_else(
            || name.parse::<std::net::Ipv4Addr>().is_ok(),
            |address| address.parse::<std::net::Ipv6Addr>().is_ok(),
        ) || name == "localhost"
            || self.hosts.iter().any(|listed| match listed.strip_prefix('*') {
                Some("") => true,
                Some(end) => name.len() > end.len() && name.ends_with(end),
                None => name == listed,
            })
    }

    /// Whether the request has one of the tokens, where any is required. Each is compared, all of it.
    pub(crate) fn admits(&self, request: &Parts) -> bool {
        let Some(sent) = request.headers.get(AUTHORIZATION) else {
            return self.credentials.is_empty();
        };
        // The scheme is of any case, and spaces may follow it.
        let sent = sent.as_bytes();
        let end = sent.iter().position(|byte| *byte == b' ').unwrap_or(sent.len());
        let (scheme, token) = (&sent[..end], sent[end..].trim_ascii());
        self.credentials.iter().fold(self.credentials.is_empty(), |admitted, known| {
            let (known_scheme, known) = known.split_once(' ').unwrap_or_default();
            let is_scheme = scheme.eq_ignore_ascii_case(known_scheme.as_bytes());
            admitted | (is_scheme & bool::from(known.as_bytes().ct_eq(token)))
        })
    }

    /// What a request without a token is told to send.
    pub(crate) fn challenge(&self) -> &'static str {
        if self.credentials.iter().any(|known| known.starts_with("Basic ")) {
            // Browsers ask for a password only on this one.
            "Basic realm=\"lastmile\", charset=\"UTF-8\""
        } else {
            "Bearer realm=\"lastmile\""
        }
    }
}

/// A name of DNS may end in a dot, and means the same.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let request = headers
            .iter()
            .fold(Request::get(target), |request, (name, value)| request.header(*name, *value));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn hosts_that_are_not_ours_are_not_served() {
        let hosts = ["metrics.internal", "*.Svc.Cluster.local", "dotted.internal.", "*.dots."];
        let rules = PrivateOptions::new().hosts(hosts).rules();
        let rules = rules.expect("they are names");
        for (host, known) in [
            ("127.0.0.1", true),
            ("127.0.0.1:9102", true),
            ("[::1]:9102", true),
            ("192.0.2.77", true),
            ("localhost", true),
            ("LocalHost:9102", true),
            ("localhost.", true),
            ("metrics.internal", true),
            ("Metrics.Internal:80", true),
            ("metrics.internal.", true),
            ("dotted.internal", true),
            ("dotted.internal.:80", true),
            ("a.dots", true),
            ("dots", false),
            ("a.b.svc.cluster.local:9102", true),
            ("svc.cluster.local", false),
            (".svc.cluster.local", false),
            ("metrics.internal.evil", false),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.localhost", false),
            ("", false),
            ("a b", false),
            ("\u{e9}", false),
        ] {
            assert_eq!(rules.knows_host(&parts("/metrics", &[("host", host)])), known, "{host}");
        }
        assert!(rules.knows_host(&parts("/metrics", &[])), "no browser asks without a host");
        assert!(!rules.knows_host(&parts("http://evil.example/", &[("host", "localhost")])));
        assert!(rules.knows_host(&parts("http://localhost/", &[("host", "evil.example")])));
        assert!(!rules.knows_host(&parts("/", &[("host", "localhost"), ("host", "evil.example")])));
        let any = PrivateOptions::new().hosts(["*"]).rules().expect("a star");
        assert!(any.knows_host(&parts("/", &[("host", "evil.example")])));
    }

    #[test]
    fn tokens_are_compared_whole() {
        let options = PrivateOptions::new();
        let open = options.rules().expect("nothing is wrong");
        let bearer = options.clone().bearer("s3cr3t").rules().expect("a token");
        let both = options.bearer("s3cr3t").basic("prom", "p:w ü").rules().expect("two");
        for (authorization, admitted) in [
            (None, [true, false, false]),
            (Some("Bearer s3cr3t"), [true, true, true]),
            (Some("bearer  s3cr3t "), [true, true, true]),
            (Some("Bearer s3cr3"), [true, false, false]),
            (Some("Bearer s3cr3tt"), [true, false, false]),
            (Some("Bearer"), [true, false, false]),
            (Some("s3cr3t"), [true, false, false]),
            (Some("Basic s3cr3t"), [true, false, false]),
            (Some("Basic cHJvbTpwOncgw7w="), [true, false, true]),
            (Some("Basic cHJvbTpwOncgw7w"), [true, false, false]),
            (Some(""), [true, false, false]),
        ] {
            let headers: Vec<_> =
                authorization.iter().map(|value| ("authorization", *value)).collect();
            let request = parts("/metrics", &headers);
            let found = [&open, &bearer, &both].map(|rules| rules.admits(&request));
            assert_eq!(found, admitted, "{authorization:?}");
        }
        assert!(bearer.challenge().starts_with("Bearer") && both.challenge().starts_with("Basic"));
    }

    #[test]
    fn faults_are_told_without_secrets() {
        let options = PrivateOptions::new()
            .hosts(["ok.example", "a:80", "", "*", "*.", "a/b", ".", "*.."])
            .bearer("")
            .bearer("s3 cr3t")
            .basic("a:b", "s3cr3t")
            .basic("a", "");
        let error = options.check().expect_err("much is wrong");
        assert_eq!(error.faults().count(), 10, "{error}");
        let shown = format!("{error} {options:?}");
        assert!(!shown.contains("cr3t"), "{shown}");
    }
}
