use prometheus_client::registry::Registry;

use super::*;
use crate::Native;

/// The name, type, unit and help that a family has for one encoder.
#[track_caller]
fn check(family: &Family, encoder: Encoder, expected: (&str, &str, Option<&str>, &str)) {
    let Descriptor { name, help, unit, kind } = Descriptor::new(family, encoder);
    let unit = unit.as_ref().map(Unit::as_str);
    assert_eq!((&*name, kind.as_str(), unit, &*help), expected, "{encoder:?}");
}

#[test]
fn encoders_add_what_is_taken_off() {
    let counter = |name: &str| Family::counter(name);
    for (family, expected) in [
        (counter("x_total"), ("x", "counter", None, "")),
        (counter("x.total"), ("x", "counter", None, "")),
        (counter("a.b_total"), ("a_b", "counter", None, "")),
        (counter("x_bytes_total").unit("bytes"), ("x", "counter", Some("bytes"), "")),
        (counter("_bytes_total").unit("bytes"), ("", "counter", Some("bytes"), "")),
        (counter("x_bytes").unit("bytes"), ("x", "unknown", Some("bytes"), "")),
        (counter("_total"), ("_total", "unknown", None, "")),
        (Family::gauge("x_total"), ("x_total", "gauge", None, "")),
        (Family::gauge("x.s").unit("s"), ("x", "gauge", Some("s"), "")),
        (Family::gauge("x_é").unit("é"), ("x__", "gauge", None, "")),
        (
            Family::histogram("x_seconds", [1.0]).unit("seconds"),
            ("x", "histogram", Some("seconds"), ""),
        ),
        (Family::native_histogram("x", Native::new(0)), ("x", "histogram", None, "")),
        (Family::gauge("x").help("a\n\"b\" \\n"), ("x", "gauge", None, "a\\n\\\"b\\\" \\\\n")),
    ] {
        check(&family, Encoder::OpenMetrics, expected);
    }
}

#[test]
fn each_encoder_gets_what_it_writes_rightly() {
    let family = Family::counter("x").help("a\nb");
    check(&family, Encoder::OpenMetrics, ("x", "unknown", None, "a\\nb"));
    check(&family, Encoder::PrometheusText, ("x", "unknown", None, "a\nb"));
    check(&family, Encoder::Other, ("x", "gauge", None, "a\\nb"));
}

/// Says who encodes it.
#[derive(Debug)]
struct Who(std::sync::Arc<std::sync::Mutex<Vec<Encoder>>>);

impl prometheus_client::collector::Collector for Who {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.lock().unwrap().push(Encoder::of(&encoder));
        Ok(())
    }
}

#[test]
fn encoders_are_told_apart() {
    let seen = std::sync::Arc::default();
    let mut registry = Registry::with_prefix("p");
    registry.register_collector(Box::new(Who(std::sync::Arc::clone(&seen))));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    prometheus_client::encoding::prometheus_text::encode(&mut text, &registry).unwrap();
    assert_eq!(*seen.lock().unwrap(), [Encoder::OpenMetrics, Encoder::PrometheusText]);
}

#[test]
fn what_is_looked_at_is_bounded() {
    let mut begin = Begin(String::new());
    assert!(write!(begin, "{:?}", vec!["x"; 1_000_000]).is_err());
    assert!(begin.0.len() < 80);
}
