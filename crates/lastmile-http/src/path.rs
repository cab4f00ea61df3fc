//! Labels that a path names: `/metrics/app/student/page@base64/Lw`. Where `job` is the first they are the key of a group.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::query::escaped;

/// What such a path begins with.
pub(crate) const BEHIND: &str = "/metrics/";

/// Most labels of a path: as many as a family has at most. Each line of a body is looked at for each of them.
const LABELS_MAX: usize = 30;

/// The first label of a group.
const JOB: &str = "job";

/// A value that no path can hold as it is, such as one with slashes, is written in base64 behind such a name.
/// Source: prometheus/pushgateway README, "URL": RFC 4648 §5, padding is optional.
const BASE64: &str = "@base64";
const URL_SAFE_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Labels that a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Names before values, in their order.
    pub(crate) pairs: Vec<(String, String)>,
    /// Whether they are the key of a group, whose values are totals.
    pub(crate) is_group: bool,
    /// Whether a push has all that there is of it, as `PUT` does.
    pub(crate) is_whole: bool,
}

/// Whether a path names a group, well or badly.
pub(crate) fn is_group(path: &str) -> bool {
    let first = path.strip_prefix(BEHIND).and_then(|behind| behind.split('/').next());
    let name = first.and_then(unescaped);
    name.is_some_and(|name| name.strip_suffix(BASE64).unwrap_or(&name) == JOB)
}

/// The labels of a path, or what is wrong with it. Cost: linear in its length.
pub(crate) fn labels(path: &str) -> Result<Labels, &'static str> {
    let Some(behind) = path.strip_prefix(BEHIND).filter(|behind| !behind.is_empty()) else {
        return Ok(Labels::default());
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut parts = behind.split('/');
    while let Some(name) = parts.next() {
        let name =
            unescaped(name).ok_or("A label's name is no UTF-8 or has a `%` that is none.")?;
        let (name, is_base64) = match name.strip_suffix(BASE64) {
            Some(name) => (name.to_owned(), true),
            None => (name, false),
        };
        if name.is_empty() {
            return Err("A label has no name.");
        }
        let value = parts.next().ok_or("The last label has no value.")?;
        let value = unescaped(value)
            .and_then(|value| if is_base64 { decoded(&value) } else { Some(value) });
        let value = value.ok_or(match is_base64 {
            true => "A label's value is no base64 of UTF-8.",
            false => "A label's value is no UTF-8 or has a `%` that is none.",
        })?;
        pairs.push((name, value));
    }
    if pairs.len() > LABELS_MAX {
        return Err("A path names at most 30 labels.");
    }
    let is_group = pairs.first().is_some_and(|(name, _)| name == JOB);
    if is_group {
        check_group(&pairs)?;
    }
    Ok(Labels { pairs, is_group, is_whole: false })
}

/// A group has a job, and each label once.
fn check_group(pairs: &[(String, String)]) -> Result<(), &'static str> {
    if pairs[0].1.is_empty() {
        return Err("The job of a group has no name.");
    }
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err("A label of a group stands twice."),
        false => Ok(()),
    }
}

/// Text without `%xx`. An escape that is none would have to be guessed.
fn unescaped(text: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let [high, low, after @ ..] = rest else { return None };
                out.push(escaped(*high, *low)?);
                rest = after;
            }
            plain => out.push(*plain),
        }
    }
    String::from_utf8(out).ok()
}

/// A value that was written in base64; `=` is the empty one, which a path cannot hold.
fn decoded(value: &str) -> Option<String> {
    if value == "=" {
        return Some(String::new());
    }
    String::from_utf8(URL_SAFE_ANY_PADDING.decode(value).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_labels() {
        for (path, wanted) in [
            ("/metrics", &[][..]),
            ("/metrics/", &[]),
            ("/metrics/app/student", &[("app", "student")]),
            ("/metrics/app/a%20b%2Fc/x/", &[("app", "a b/c"), ("x", "")]),
            ("/metrics/page@base64/L2E/b@base64/L2E=", &[("page", "/a"), ("b", "/a")]),
            ("/metrics/page@base64/=", &[("page", "")]),
            ("/metrics/page@base64/", &[("page", "")]),
            ("/metrics/page%40base64/w6k", &[("page", "é")]),
            ("/metrics/a/1/job/2", &[("a", "1"), ("job", "2")]),
            ("/metrics/jobs/1", &[("jobs", "1")]),
            ("/metrics/a/1+1/a/2", &[("a", "1+1"), ("a", "2")]),
            ("/metrics/job/x", &[("job", "x")]),
            ("/metrics/job/x/job2/y", &[("job", "x"), ("job2", "y")]),
            ("/metrics/job@base64/eA/path@base64/L2E", &[("job", "x"), ("path", "/a")]),
            ("/metrics/%6aob/x/a/b", &[("job", "x"), ("a", "b")]),
            ("/metrics/job/x/a@base64/=", &[("job", "x"), ("a", "")]),
        ] {
            let labels = labels(path).unwrap_or_else(|why| panic!("{path}: {why:?}"));
            assert_eq!(labels.is_group, is_group(path), "{path}");
            assert_eq!(labels.is_group, labels.pairs.first().is_some_and(|(n, _)| n == "job"));
            let labels: Vec<_> =
                labels.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(labels, wanted, "{path}");
        }
    }

    #[test]
    fn others_name_none() {
        for path in [
            "/metrics/job",
            "/metrics/job/",
            "/metrics/job@base64/=",
            "/metrics/job/x/a",
            "/metrics/job/x/",
            "/metrics/job/x/a/1/a/2",
            "/metrics/job/x/job/x",
            "/metrics/app",
            "/metrics/app/student/",
            "/metrics//x",
            "/metrics/@base64/eA",
            "/metrics/app/%",
            "/metrics/app/%4",
            "/metrics/app/%zz",
            "/metrics/app/%ff",
            "/metrics/%ff/x",
            "/metrics/app@base64/*",
            "/metrics/app@base64/_w",
            "/metrics/app@base64/e",
        ] {
            assert!(labels(path).is_err(), "{path}");
        }
        let path = |n: usize| (0..n).fold("/metrics".to_owned(), |all, i| format!("{all}/l{i}/x"));
        assert_eq!(labels(&path(30)).map(|labels| labels.pairs.len()), Ok(30));
        assert!(labels(&path(31)).is_err());
    }
}
