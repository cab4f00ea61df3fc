//! Whether an answer may be compressed.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::ranges::ranges;

/// Whether the client takes gzip, and no less gladly than what is not compressed.
///
/// `*` speaks for what is not named. Not compressed is always an answer, also where `identity;q=0` forbids
/// it and gzip is not accepted either: a scrape that is refused would tell nobody anything. What is named
/// twice is as welcome as its lowest q says, so `gzip;q=0` means no wherever it stands.
///
/// Source: RFC 9110 §12.5.3; §8.4.1.3 for `x-gzip`.
pub(crate) fn accepts_gzip(request: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for range in ranges(request.get_all(ACCEPT_ENCODING)) {
        let is = |name: &str| range.name.eq_ignore_ascii_case(name.as_bytes());
        let known: &mut Option<f32> = if is("gzip") || is("x-gzip") {
            &mut gzip
        } else if is("identity") {
            &mut identity
        } else if is("*") {
            &mut any
        } else {
            continue;
        };
        *known = Some(known.map_or(range.q, |q| q.min(range.q)));
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    // Who does not name `identity` takes it, but would rather have what it names.
    gzip > 0.0 && identity.is_none_or(|identity| gzip >= identity)
}
