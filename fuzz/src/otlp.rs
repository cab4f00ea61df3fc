//! Any body, as `/v1/metrics` in either encoding.

use lastmile::{Aggregator, Format, Source};

use crate::oracle::start;
use crate::otlp_proto::{Request, read, write};
use crate::pushing::{push, users_of};
use crate::schemas::everything;

/// A body of `POST /v1/metrics` as JSON.
///
/// # Panics
/// If anything about it is not as the twin says, a law is broken, or the same request in the other encoding does
/// something else.
pub fn otlp_json(body: &[u8]) {
    push(Format::OtlpJson, body);
    let text = String::from_utf8_lossy(body);
    again(Format::OtlpJson, body, read(&text).as_ref());
}

/// The same as protobuf.
///
/// # Panics
/// As above.
pub fn otlp_protobuf(body: &[u8]) {
    push(Format::OtlpProtobuf, body);
    let request: Result<Request, _> = prost::Message::decode(body);
    again(Format::OtlpProtobuf, body, request.ok().as_ref());
}

/// What was pushed, written anew in both encodings and pushed again elsewhere, is what it was.
fn again(format: Format, body: &[u8], request: Option<&Request>) {
    let aggregator = || {
        let agg = Aggregator::new(everything().core(), everything().limits(), start());
        agg.expect("there is room for what is reserved")
    };
    let first = aggregator();
    let Ok(report) = first.push(format, body, &Source::default(), start()) else { return };
    let request = request.expect("what the crate decodes is a request");
    let bodies = [
        (Format::OtlpJson, write(request).into_bytes()),
        (Format::OtlpProtobuf, prost::Message::encode_to_vec(request)),
    ];
    for (format, body) in bodies {
        let other = aggregator();
        let again = other.push(format, &body, &Source::default(), start());
        assert_eq!(again.as_ref(), Ok(&report), "{}", format.as_str());
        assert_eq!(users_of(&other), users_of(&first), "{}", format.as_str());
    }
}
