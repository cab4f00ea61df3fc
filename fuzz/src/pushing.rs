//! Any body, as `/record` and as `/lm`.

use std::sync::OnceLock;

use lastmile::{Aggregator, DecodeError, Format, PushReport, Source};

use crate::expo::{self, Exposition};
use crate::oracle::{Pair, is_own, start};
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

fn push(format: Format, body: &[u8]) {
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
        let report = agg.push(format, body, &Source::default(), start());
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
