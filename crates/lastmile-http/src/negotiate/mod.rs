//! What a scraper would like, by its `Accept` and `Accept-Encoding`.
//!
//! The format is the one with the highest q, and of equals the one that the header names first: RFC 9110
//! gives the order no meaning, but prometheus/common (`expfmt.NegotiateAccept`) goes by it, so whoever was
//! tried out against a Go exporter gets here what it got there. Real scrapers send distinct q anyway.
//!
//! - A format is accepted where a range names it with its version: the most particular range that fits
//!   decides, as RFC 9110 §12.5.1 says. `text/plain` without a version is 0.0.4, as prometheus/common has it;
//!   `application/openmetrics-text` without one is 1.0.0, for OpenMetrics 1.0 ("Protocol Negotiation") "MUST
//!   default to the oldest version of the standard (i.e. 1.0.0)"; protobuf needs its `proto` and `encoding`.
//! - `*/*` and `text/*` are 0.0.4: who takes anything has not said that it can read more. `application/*` is
//!   nothing for the same reason.
//! - Other versions (`openmetrics-text;version=0.0.1`, `2.0.0`) are not offered. An answer in 1.0.0 to a
//!   client that asked for 0.0.1 alone would be one that it may not parse; client_golang answers that one with
//!   content of 1.0.0 under the label 0.0.1. All scrapers that name 0.0.1 name 1.0.0 before it.
//! - `q=0` excludes. Where nothing is acceptable the answer is 0.0.4 all the same, which every scraper reads,
//!   rather than a 406, which none does.
//! - The answer's `escaping=` is that of the range that won, `underscores` where it has none or one that is
//!   not known; 0.0.4 has no such parameter. It is stated also to who did not ask for it, as
//!   prometheus/common does: the parser of Prometheus takes the media type by `mime.ParseMediaType` and looks
//!   at nothing behind it (`textparse.New`, model/textparse/interface.go, with and without a fallback type).
//!
//! Parameters are known in any case, quoted or not, with any white space around them, and others are passed
//! over. A range whose q is no number from 0 to 1 is passed over whole. At most [`RANGES_MAX`] ranges are
//! looked at over all lines of the header; nothing is allocated, and the time is linear in the header's size,
//! which the HTTP server bounds.

mod coding;
mod ranges;
#[cfg(test)]
mod tests;

use http::HeaderMap;
use http::header::ACCEPT;
use lastmile::{Escaping, ExpositionFormat};

pub(crate) use coding::accepts_gzip;
use ranges::{Range, ranges, unquoted};

/// Most ranges of one header that are looked at. Prometheus sends six.
const RANGES_MAX: usize = 64;

/// The format to answer with.
pub(crate) fn format(request: &HeaderMap) -> ExpositionFormat {
    let mut offers: [Option<Offer>; N_FORMATS] = [None; N_FORMATS];
    for (position, range) in ranges(request.get_all(ACCEPT)).enumerate() {
        let Some((format, precision)) = named(&range) else { continue };
        let offer = Offer { format, precision, q: range.q, position };
        let best = &mut offers[place(format)];
        // Of ranges as particular as each other the one that says more counts, and of equals the first.
        if best.is_none_or(|best| (best.precision, best.q) < (precision, range.q)) {
            *best = Some(offer);
        }
    }
    let accepted = offers.into_iter().flatten().filter(|offer| offer.q > 0.0);
    let best = accepted.reduce(|best, offer| {
        let is_better = offer.q > best.q || (offer.q == best.q && offer.position < best.position);
        if is_better { offer } else { best }
    });
    best.map_or(ExpositionFormat::Text0_0_4, |best| best.format)
}

/// What a range says about a format.
#[derive(Clone, Copy, Debug)]
struct Offer {
    format: ExpositionFormat,
    precision: Precision,
    q: f32,
    position: usize,
}

/// How particularly a range names a format.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Precision {
    Anything,
    Type,
    Subtype,
    Version,
}

/// How many formats are offered: as many as [`place`] gives.
const N_FORMATS: usize = 4;

fn place(format: ExpositionFormat) -> usize {
    match format {
        ExpositionFormat::Text1_0_0(_) => 1,
        ExpositionFormat::OpenMetrics1_0_0(_) => 2,
        #[cfg(feature = "protobuf")]
        ExpositionFormat::Protobuf(_) => 3,
        _ => 0,
    }
}

/// The format that a range names, and how particularly.
fn named(range: &Range<'_>) -> Option<(ExpositionFormat, Precision)> {
    let is = |name: &str| range.name.eq_ignore_ascii_case(name.as_bytes());
    if is("*/*") {
        return Some((ExpositionFormat::Text0_0_4, Precision::Anything));
    }
    if is("text/*") {
        return Some((ExpositionFormat::Text0_0_4, Precision::Type));
    }
    let (is_plain, is_open_metrics) = (is("text/plain"), is("application/openmetrics-text"));
    let is_protobuf = is("application/vnd.google.protobuf");
    if !is_plain && !is_open_metrics && !is_protobuf {
        return None;
    }
    let (mut version, mut escaping) = (None, Escaping::default());
    let (mut is_family, mut is_delimited) = (false, false);
    for (name, value) in range.parameters() {
        let value = unquoted(value);
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("version") {
            version = Some(value);
        } else if is("escaping") {
            escaping = escaping_of(value);
        } else if is("proto") {
            is_family = value.eq_ignore_ascii_case(b"io.prometheus.client.MetricFamily");
        } else if is("encoding") {
            is_delimited = value.eq_ignore_ascii_case(b"delimited");
        }
    }
    let format = match version {
        _ if is_protobuf && is_family && is_delimited => protobuf(escaping)?,
        None | Some(b"0.0.4") if is_plain => ExpositionFormat::Text0_0_4,
        Some(b"1.0.0") if is_plain => ExpositionFormat::Text1_0_0(escaping),
        None | Some(b"1.0.0") if is_open_metrics => ExpositionFormat::OpenMetrics1_0_0(escaping),
        _ => return None,
    };
    let precision = if version.is_some() { Precision::Version } else { Precision::Subtype };
    Some((format, precision))
}

/// Protobuf, where it is offered.
#[cfg_attr(not(feature = "protobuf"), expect(unused_variables))]
fn protobuf(escaping: Escaping) -> Option<ExpositionFormat> {
    #[cfg(feature = "protobuf")]
    let format = Some(ExpositionFormat::Protobuf(escaping));
    #[cfg(not(feature = "protobuf"))]
    let format = None;
    format
}

/// The scheme of a name; that of a name we do not know is what it was before there were any.
///
/// Source: Prometheus docs/instrumenting/content_negotiation.md, which has `underscores` where none is given.
fn escaping_of(name: &[u8]) -> Escaping {
    str::from_utf8(name).ok().and_then(Escaping::named).unwrap_or_default()
}
