//! Labels that a path names: `/metrics/app/student/page@base64/Lw`.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::query::escaped;

/// What such a path begins with.
pub(crate) const BEHIND: &str = "/metrics/";

/// A value that no path can hold as it is, such as one with slashes, is written in base64 behind such a name.
/// Source: prometheus/pushgateway README, "URL": RFC 4648 §5, padding is optional.
const BASE64: &str = "@base64";
const URL_SAFE_ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Labels, names before values.
pub(crate) type Labels = Vec<(String, String)>;

/// Why a path names no labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoLabels {
    /// It is a grouping key, whose pushes would be cumulative: nothing is there.
    Job,
    /// What is wrong with it.
    Fault(&'static str),
}

/// The labels of a path, in their order. Cost: linear in its length.
pub(crate) fn labels(path: &str) -> Result<Labels, NoLabels> {
    let Some(behind) = path.strip_prefix(BEHIND).filter(|behind| !behind.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut labels = Vec::new();
    let mut parts = behind.split('/');
    while let Some(name) = parts.next() {
        let name = unescaped(name)
            .ok_or(NoLabels::Fault("A label's name is no UTF-8 or has a `%` that is none."))?;
        let (name, is_base64) = match name.strip_suffix(BASE64) {
            Some(name) => (name.to_owned(), true),
            None => (name, false),
        };
        if labels.is_empty() && name == "job" {
            return Err(NoLabels::Job);
        }
        if name.is_empty() {
            return Err(NoLabels::Fault("A label has no name."));
        }
        let value = parts.next().ok_or(NoLabels::Fault("The last label has no value."))?;
        let value = unescaped(value)
            .and_then(|value| if is_base64 { decoded(&value) } else { Some(value) });
        let value = value.ok_or(NoLabels::Fault(match is_base64 {
            true => "A label's value is no base64 of UTF-8.",
            false => "A label's value is no UTF-8 or has a `%` that is none.",
        }))?;
        labels.push((name, value));
    }
    Ok(labels)
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
        ] {
            let labels = labels(path).unwrap_or_else(|why| panic!("{path}: {why:?}"));
            let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(labels, wanted, "{path}");
        }
    }

    #[test]
    fn others_name_none() {
        for path in [
            "/metrics/job",
            "/metrics/job/",
            "/metrics/job/x",
            "/metrics/job@base64/eA",
            "/metrics/%6aob/x/a/b",
        ] {
            assert_eq!(labels(path), Err(NoLabels::Job), "{path}");
        }
        for path in [
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
            assert!(matches!(labels(path), Err(NoLabels::Fault(_))), "{path}");
        }
    }
}
