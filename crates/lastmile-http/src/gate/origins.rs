//! Which pages may push.

use crate::error::Faults;

/// The origins of pages that may push: any, or those that are listed.
#[derive(Clone, Debug, Default)]
pub(crate) enum Origins {
    #[default]
    Any,
    Listed(Vec<Listed>),
}

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    /// As browsers write it.
    Exact(String),
    /// `https://` and `.example.com`, or `.example.com:8443`: any host that ends so.
    Below { scheme: String, end: String },
}

impl Origins {
    pub(crate) fn new(listed: &[String], faults: &mut Faults) -> Self {
        let listed = listed.iter().filter_map(|origin| {
            let read = Listed::read(origin);
            if read.is_none() {
                let why = format!("`{origin}` is no origin, such as https://app.example or null");
                faults.push("origins", why);
            }
            read
        });
        Self::Listed(listed.collect())
    }

    /// Whether pages of all these origins may push: those of one request, of which a browser sends one. Without
    /// any it comes from no page of another site: browsers send it with every `POST`, and whoever can leave it out
    /// can write any there.
    pub(crate) fn allow<'a>(&self, mut origins: impl Iterator<Item = &'a [u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => {
                origins.all(|origin| listed.iter().any(|listed| listed.matches(origin)))
            }
        }
    }

    /// Whether no more than those that are listed have one of these.
    pub(crate) fn is_finite(&self) -> bool {
        let is_whole = |listed: &Listed| matches!(listed, Listed::Exact(_));
        matches!(self, Self::Listed(listed) if listed.iter().all(is_whole))
    }

    pub(crate) fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }
}

impl Listed {
    /// `null`, or `scheme://host[:port]` as browsers write it, where the host may begin with `*.`. Letters
    /// are made small, as theirs are; the port of the scheme, which they leave out, is none.
    fn read(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Exact(text.to_owned()));
        }
        let text = text.to_ascii_lowercase();
        let (scheme, host) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let wild = host.strip_prefix("*.");
        let rest = wild.unwrap_or(host);
        let uri = format!("http://{rest}").parse::<http::Uri>().ok()?;
        let name = uri.host().filter(|name| !name.is_empty())?;
        let after_name = rest.strip_prefix(name)?;
        let is_port = |port: &str| port.parse::<u16>().is_ok();
        let is_host = uri.authority()?.as_str() == rest
            && !rest.contains(['@', '*'])
            && (after_name.is_empty() || after_name.strip_prefix(':').is_some_and(is_port));
        if !is_scheme || !is_host {
            return None;
        }
        let default_port = match scheme {
            "https" => ":443",
            "http" => ":80",
            _ => ":",
        };
        let host = host.strip_suffix(default_port).unwrap_or(host);
        Some(match host.strip_prefix('*') {
            Some(end) => Self::Below { scheme: format!("{scheme}://"), end: end.to_owned() },
            None => Self::Exact(format!("{scheme}://{host}")),
        })
    }

    fn matches(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(listed) => listed.as_bytes() == origin,
            Self::Below { scheme, end } => {
                let host = origin.strip_prefix(scheme.as_bytes());
                let below = host.and_then(|host| host.strip_suffix(end.as_bytes()));
                below.is_some_and(|below| {
                    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"-._".contains(b);
                    !below.is_empty() && below.iter().all(is_name)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_alone_push() {
        for (listed, origin, allowed) in [
            ("https://app.example", "https://app.example", true),
            ("HTTPS://App.Example", "https://app.example", true),
            ("https://app.example:443", "https://app.example", true),
            ("http://app.example:80", "http://app.example", true),
            ("https://app.example:8443", "https://app.example:8443", true),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("chrome-extension://abcdef", "chrome-extension://abcdef", true),
            ("null", "null", true),
            ("https://app.example", "http://app.example", false),
            ("https://app.example", "https://app.example:444", false),
            ("https://app.example", "https://app.example.evil", false),
            ("https://app.example", "https://evil-app.example", false),
            ("https://app.example", "https://app.example/", false),
            ("https://app.example", "null", false),
            ("https://app.example", "", false),
            ("https://*.example.com", "https://a.example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://.example.com", false),
            ("https://*.example.com", "https://evilexample.com", false),
            ("https://*.example.com", "https://evil/.example.com", false),
            ("https://*.example.com", "https://evil@a.example.com", false),
            ("https://*.example.com", "https://evil:1.example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", true),
            ("https://*.example.com:8443", "https://a.example.com", false),
        ] {
            let mut faults = Faults::default();
            let origins = Origins::new(&[listed.to_owned()], &mut faults);
            assert_eq!(faults.none_or(()), Ok(()), "{listed}");
            assert_eq!(
                origins.allow([origin.as_bytes()].into_iter()),
                allowed,
                "{listed} {origin}"
            );
            assert!(origins.allow([].into_iter()), "{listed}");
        }
        assert!(Origins::Any.allow([&b"null"[..], b"\xff"].into_iter()));
    }

    #[test]
    fn what_is_no_origin_is_a_fault() {
        for listed in [
            "",
            "*",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example/x",
            "https://app.example?x",
            "https://a@app.example",
            "https://app.example:",
            "://a",
            "1a://b",
            "https://*",
            "https://*.",
            "https://a.*.example",
            "https://*example.com",
            "https://a b",
            "Null",
            "https://app.example:99999",
        ] {
            let mut faults = Faults::default();
            Origins::new(&[listed.to_owned()], &mut faults);
            assert!(faults.none_or(()).is_err(), "{listed}");
        }
    }
}
