//! Any body, as `/record`, `/lm`, `/metrics`, `/collect` and `/reports`, as a beacon, and as the query of a hit.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use lastmile::{Aggregator, DecodeError, Format, PushReport, Source};

use crate::expo::{self, Exposition};
use crate::oracle::{Pair, is_own, source, start};
use crate::schemas::everything;
use crate::twin::Policy;

/// A body of `POST /record`.
///
/// # Panics
/// If anything about it is not as the twin says, or a law is broken.
pub fn record(body: &[u8]) {
    push(Format::Record, body);
}

/// A body of `POST /lm`.
///
/// # Panics
/// If anything about it is not as the twin says, or a law is broken.
pub fn lm1(body: &[u8]) {
    push(Format::Lm1, body);
}

/// A body of `POST /metrics`.
///
/// # Panics
/// If anything about it is not as the twin says, a law is broken, what is exposed of it and pushed again is exposed in
/// another way, or as totals of a group it adds something more than once.
pub fn prom_text(body: &[u8]) {
    push(Format::PromText, body);
    #[cfg(feature = "pushgateway")]
    crate::groups::unchanged(Format::PromText, body);

    let exposed = || {
        let agg = Aggregator::new(everything().core(), everything().limits(), start());
        agg.expect("there is room for what is reserved")
    };
    let (first, second) = (exposed(), exposed());
    if first.push(Format::PromText, body, &Source::default(), start()).is_err() {
        return;
    }
    let text = |agg: &Aggregator| {
        let mut text = Vec::new();
        agg.encode_to(&mut text, start()).expect("a Vec takes everything");
        String::from_utf8(text).expect("an exposition is UTF-8")
    };
    // What the server sets, no push may carry.
    let all = text(&first);
    let end = all.find("# HELP lastmile_").expect("our own families come last");
    let again: String =
        all[..end].split_inclusive('\n').filter(|line| !line.starts_with("region_total")).collect();
    let report = second.push(Format::PromText, again.as_bytes(), &Source::default(), start());
    let report = report.expect("what is exposed decodes");
    let n_lines = again.lines().filter(|line| !line.starts_with('#')).count() as u64;
    assert_eq!(report.accepted() + report.n_refused(), n_lines, "each line is a sample");
    // Several pushes of one series may be more together than one may be.
    if report.n_refused() == 0 {
        let samples = |text: &str| -> BTreeMap<_, _> {
            let families = users(expo::parse(text.as_bytes())).into_iter();
            let samples = families.filter(|f| f.name != "region_total").flat_map(|f| f.samples);
            samples.map(|sample| (sample.series(), sample.text)).collect()
        };
        assert_eq!(samples(&text(&second)), samples(&all));
    }
}

/// A body of `POST /reports`.
///
/// # Panics
/// If anything about it is not as the twin says, or a law is broken.
pub fn reports(body: &[u8]) {
    push(Format::Reports, body);
}

/// A body of `POST /collect`.
///
/// # Panics
/// If anything about it is not as the twin says, or a law is broken.
pub fn faro(body: &[u8]) {
    push(Format::Faro, body);
}

/// A body that comes to a path that the schema maps.
///
/// # Panics
/// If anything about it is not as the twin says, or a law is broken.
pub fn beacon(body: &[u8]) {
    push(Format::Beacon, body);
}

/// A query of `GET /lm.gif`.
///
/// # Panics
/// If anything about it is not as the twin says, a law is broken, or it makes a series.
pub fn hit(query: &[u8]) {
    push(Format::Hit, query);

    let agg = Aggregator::new(everything().core(), everything().limits(), start());
    let agg = agg.expect("there is room for what is reserved");
    let series = || {
        let mut text = Vec::new();
        agg.encode_to(&mut text, start()).expect("a Vec takes everything");
        let families = users(expo::parse(&text)).into_iter();
        families.flat_map(|f| f.samples).map(|sample| sample.series()).collect::<Vec<_>>()
    };
    let before = series();
    let _ = agg.push(Format::Hit, query, &source(), start());
    assert_eq!(series(), before);
}

pub(crate) fn push(format: Format, body: &[u8]) {
    /// What the user's families read where nothing was pushed.
    static NOTHING: OnceLock<String> = OnceLock::new();
    let nothing = NOTHING.get_or_init(|| users_text(&Pair::new(&everything())));

    let mut pair = Pair::new(&everything());
    let first = pair.push(format, body);
    let accepted = first.as_ref().map_or(0, |report| report.accepted());
    if accepted == 0 {
        assert_eq!(users_text(&pair), *nothing, "what is not accepted changes nothing");
    }
    // A text that does not decode is done with.
    if first.is_ok() {
        // The second time every series is known, and batches with an id are, too.
        let second = pair.push(format, body);
        assert_eq!(sent(&first), sent(&second), "as much was sent");
        let twice = pair.check();
        if accepted > 0 {
            let again = second.map_or(0, |report| report.accepted());
            squeezed(format, body, [accepted, again], twice);
        }
    }

    // Whatever came, a good push counts.
    let good = br#"[{"metricName":"plain_total","inc":1}]"#;
    assert_eq!(pair.push(Format::Record, good).expect("it is good").accepted(), 1);
}

/// Samples of a push, whatever became of them.
fn sent(report: &Result<PushReport, DecodeError>) -> u64 {
    report.as_ref().map_or(0, |r| r.accepted() + r.n_refused() + r.duplicate_samples())
}

fn users_text(pair: &Pair) -> String {
    let text = String::from_utf8(pair.text()).expect("an exposition is UTF-8");
    let end = text.find("# HELP lastmile_").expect("our own families come last");
    text[..end].to_owned()
}

/// What the user's families read, series by series: those of open ones in any order.
#[cfg(any(feature = "otlp", feature = "pushgateway"))]
pub(crate) fn users_of(agg: &Aggregator) -> BTreeMap<expo::Series, String> {
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).expect("a Vec takes everything");
    let samples = users(expo::parse(&text)).into_iter().flat_map(|family| family.samples);
    samples.map(|sample| (sample.series(), sample.text)).collect()
}

fn users(mut exposition: Exposition) -> Vec<expo::Family> {
    exposition.families.retain(|family| !is_own(&family.name));
    exposition.families
}

/// Where there is no room every total is still the same. `roomy` has the body twice.
fn squeezed(format: Format, body: &[u8], accepted: [u64; 2], roomy: Exposition) {
    let mut schema = everything();
    for label in schema.families.iter_mut().flat_map(|family| &mut family.labels) {
        if let Policy::Open(open) = &mut label.policy {
            open.max_values = 2;
        }
    }
    schema.series_per_family = 24;
    let agg = Aggregator::new(schema.core(), schema.limits(), start());
    let agg = agg.expect("there is room for what is reserved");
    for accepted in accepted {
        let report = agg.push(format, body, &source(), start());
        assert_eq!(report.map_or(0, |report| report.accepted()), accepted);
    }
    let mut text = Vec::new();
    agg.encode_to(&mut text, start()).expect("a Vec takes everything");
    let squeezed = expo::parse(&text);
    let total = |exposition: &[expo::Family], family: &str, sample: &str| -> f64 {
        let family = exposition.iter().find(|other| other.name == family);
        let samples = family.iter().flat_map(|family| &family.samples);
        samples.filter(|s| s.name == sample).map(expo::Sample::value).sum()
    };
    let (roomy, squeezed) = (users(roomy), users(squeezed));
    for family in &roomy {
        let sample = match family.kind.as_str() {
            "gauge" => continue,
            "histogram" | "summary" => format!("{}_count", family.name),
            _ => family.name.clone(),
        };
        let roomy = total(&roomy, &family.name, &sample);
        let squeezed = total(&squeezed, &family.name, &sample);
        let error = (roomy - squeezed).abs();
        assert!(
            error <= roomy * 1e-12,
            "{sample}: {squeezed} where there is no room, else {roomy}"
        );
    }
}
