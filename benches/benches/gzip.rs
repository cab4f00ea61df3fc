//! What compressing a scrape costs, beside the same scrape as it is: `cargo bench -p lastmile-benches --bench gzip`.
//!
//! Both are answers of `/metrics`, read frame by frame in one thread, in turn in one run; CPU time per MB of text.

use std::io::Read;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::Request;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http_body::Body;
use http_body_util::Empty;
use lastmile::Aggregator;
use lastmile_benches::{Shape, compare, durations, is_bench, now, print_host};
use lastmile_http::Service;

fn main() {
    let scale = if is_bench() { 1 } else { 100 };
    print_host();
    println!();
    println!(
        "{:<24} {:>7} {:>10} {:>10} {:>7} {:>9}",
        "median CPU, ms a MB", "MB", "gzip", "as it is", "ratio", "size left"
    );
    check(Shape::Counter, 100_000 / scale, "100 k counters");
    check(Shape::Histogram, 10_000 / scale, "10 k histograms");
}

/// Prints one row. The compressed answer must hold the bytes of the other one.
fn check(shape: Shape, n_series: usize, what: &str) {
    let aggregator = shape.aggregator();
    count(shape, &aggregator, n_series);
    let service = Service::private(aggregator);
    let read = |coding: Option<&'static str>, frames: &mut dyn FnMut(&[u8])| {
        // Its own metrics change from one scrape to the next.
        let mut request = Request::get("/metrics?own=none");
        if let Some(coding) = coding {
            request = request.header(ACCEPT_ENCODING, coding);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a valid request");
        let response = at_once(service.handle(request, None, now()));
        let found = response.headers().get(CONTENT_ENCODING).map(|coding| coding.as_bytes());
        assert_eq!(found, coding.map(str::as_bytes));
        let mut body = response.into_body();
        while let Some(frame) =
            at_once(std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)))
        {
            frames(frame.expect("it cannot fail").data_ref().expect("no trailers"));
        }
    };
    let size = |coding| {
        let mut n_bytes = 0;
        read(coding, &mut |frame| n_bytes += frame.len());
        n_bytes
    };
    let all = |coding| {
        let mut bytes = Vec::new();
        read(coding, &mut |frame| bytes.extend_from_slice(frame));
        bytes
    };

    let (text, compressed) = (all(None), all(Some("gzip")));
    let of_family = |line: &&[u8]| line.starts_with(shape.family().as_bytes());
    let n_lines = text.split(|byte| *byte == b'\n').filter(of_family).count();
    assert!(n_lines >= n_series * shape.n_lines(), "a series is not there");
    let mut inflated = Vec::new();
    GzDecoder::new(compressed.as_slice()).read_to_end(&mut inflated).expect("it is gzip");
    assert!(inflated == text, "the compressed answer is of another text");

    let comparison = compare(
        15,
        1,
        || assert_eq!(size(Some("gzip")), compressed.len()),
        || assert_eq!(size(None), text.len()),
    );
    let megabytes = text.len() as f64 / 1e6;
    let millis = |nanos: f64| nanos / 1e6 / megabytes;
    println!(
        "{what:<24} {megabytes:>7.1} {:>10.3} {:>10.3} {:>7.1} {:>8.1} %",
        millis(comparison.a_nanos),
        millis(comparison.b_nanos),
        comparison.ratio,
        compressed.len() as f64 / text.len() as f64 * 100.0,
    );
}

/// Gives the first `n_series` series values that are as different as those of pages: were all alike, they would be
/// compressed to two thirds of this.
fn count(shape: Shape, aggregator: &Aggregator, n_series: usize) {
    let mut durations = durations();
    for idx in 0..n_series {
        let labels = shape.labels(idx);
        let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
        let mut next = || durations.next().expect("they do not end");
        match shape {
            Shape::Counter => {
                let counter = aggregator.counter(shape.family(), &labels).expect("room for all");
                counter.inc_by((next() * 1e3) as u64);
            }
            Shape::Histogram => {
                let histogram =
                    aggregator.histogram(shape.family(), &labels).expect("room for all");
                (0..20).for_each(|_| histogram.observe(next()).expect("within the bounds"));
            }
        }
    }
}

/// The result of a future that waits for nobody.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a scrape waits for nobody"),
    }
}
