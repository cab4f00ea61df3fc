//! Keys that pages send: labels by which a sender is told apart and shut out, no secrets.

use std::fmt;

use http::HeaderMap;
use http::HeaderName;
use subtle::ConstantTimeEq;

use crate::error::Faults;
use crate::query;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Longest key and longest name, in bytes.
const BYTES_MAX: usize = 128;

/// One of the keys of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(usize);

/// Keys by their names. None at all means that none is needed.
#[derive(Clone, Default)]
pub(crate) struct Keys(Vec<(String, String)>);

impl Keys {
    /// What is wrong is a fault that does not repeat the key.
    pub(crate) fn new(keys: &[(String, String)], faults: &mut Faults) -> Self {
        for (i, (name, key)) in keys.iter().enumerate() {
            if name.is_empty() || name.len() > BYTES_MAX {
                faults.push("keys", format_args!("the name `{name}` is empty or over 128 bytes"));
            }
            if key.is_empty() || key.len() > BYTES_MAX {
                faults.push(
                    "keys",
                    format_args!("the key named `{name}` is empty or over 128 bytes"),
                );
            }
            if keys[..i].iter().any(|(earlier, _)| earlier == name) {
                faults.push("keys", format_args!("two keys are named `{name}`"));
            }
            if let Some((earlier, _)) = keys[..i].iter().find(|(_, earlier)| earlier == key) {
                faults.push("keys", format_args!("`{earlier}` and `{name}` are the same key"));
            }
        }
        Self(keys.to_vec())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that a request has, in the header `X-API-Key` or else in the query as `key=`;
    /// the first of each counts. Each known key is compared, all of it, whether another was found or not.
    pub(crate) fn find(&self, headers: &HeaderMap, query: Option<&str>) -> Option<KeyId> {
        let sent = match headers.get(X_API_KEY) {
            Some(key) => key.as_bytes().into(),
            None => query::value(query, b"key")?,
        };
        let equal = |key: &str| bool::from(key.as_bytes().ct_eq(&sent));
        let keys = self.0.iter().enumerate();
        keys.fold(None, |found, (i, (_, key))| if equal(key) { Some(KeyId(i)) } else { found })
    }

    /// The name of one of these keys.
    pub(crate) fn name(&self, KeyId(i): KeyId) -> Option<&str> {
        self.0.get(i).map(|(name, _)| name.as_str())
    }
}

/// Names alone.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[(&str, &str)]) -> (Keys, bool) {
        let keys: Vec<_> = keys.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let mut faults = Faults::default();
        let keys = Keys::new(&keys, &mut faults);
        (keys, faults.none_or(()).is_ok())
    }

    #[test]
    fn a_key_is_known_by_its_name() {
        let (keys, _) = keys(&[("web", "k-1"), ("app", "k 2+")]);
        for (header, query, name) in [
            (None, None, None),
            (Some("k-1"), None, Some("web")),
            (Some("k 2+"), None, Some("app")),
            (Some("k-1"), Some("key=k-3"), Some("web")),
            (Some("k-3"), Some("key=k-1"), None),
            (None, Some("key=k-1"), Some("web")),
            (None, Some("s=1&key=k+2%2B"), Some("app")),
            (None, Some("key=k-1&key=k-3"), Some("web")),
            (None, Some("key=k-3&key=k-1"), None),
            (None, Some("key="), None),
            (None, Some("Key=k-1"), None),
            (Some(""), None, None),
            (Some("k-11"), None, None),
            (Some("k-"), None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(key) = header {
                headers.insert(X_API_KEY, key.parse().expect("a value"));
            }
            let found = keys.find(&headers, query).and_then(|key| keys.name(key));
            assert_eq!(found, name, "{header:?} {query:?}");
        }
        assert_eq!(format!("{keys:?}"), r#"["web", "app"]"#, "secrets are not shown");
    }

    #[test]
    fn keys_are_checked() {
        let long = "x".repeat(129);
        for (given, ok) in [
            (&[("a", "1"), ("b", "2")][..], true),
            (&[], true),
            (&[("a", "1"), ("a", "2")], false),
            (&[("a", "1"), ("b", "1")], false),
            (&[("", "1")], false),
            (&[("a", "")], false),
            (&[("a", &long)], false),
            (&[(&long, "1")], false),
        ] {
            assert_eq!(keys(given).1, ok, "{given:?}");
        }
    }
}
