//! The small schemas that the model and the fuzz targets run on: declared once for the twin, and
//! translated here for the crate.

use lastmile::{Label as CoreLabel, Limits, Otherwise, Schema};

use crate::twin::{Combine, Family, Kind, Label, Policy};

/// A schema as both sides read it.
#[derive(Clone, Debug)]
pub(crate) struct TestSchema {
    pub(crate) families: Vec<Family>,
    pub(crate) series_per_family: u32,
}

impl TestSchema {
    pub(crate) fn core(&self) -> Schema {
        let add = |builder: lastmile::SchemaBuilder, family| builder.family(core_family(family));
        let builder = self.families.iter().fold(Schema::builder(), add);
        builder.build().expect("the schemas of the tests have no fault")
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::default().series_per_family(self.series_per_family)
    }
}

fn core_family(family: &Family) -> lastmile::Family {
    let core = match &family.kind {
        Kind::Counter => lastmile::Family::counter(&family.name),
        Kind::Gauge(combine) => lastmile::Family::gauge(&family.name).combine(match combine {
            Combine::Last => lastmile::Combine::Last,
            Combine::Min => lastmile::Combine::Min,
            Combine::Max => lastmile::Combine::Max,
        }),
        Kind::Histogram(bounds) => {
            lastmile::Family::histogram(&family.name, bounds.iter().copied())
        }
        Kind::Summary => lastmile::Family::summary(&family.name),
    };
    let core = core.help(format!("Help of {}.", family.name)).min(family.min).max(family.max);
    family.labels.iter().fold(core, |core, label| core.label(core_label(label)))
}

fn core_label(label: &Label) -> CoreLabel {
    match &label.policy {
        Policy::Closed { values, refuse } => CoreLabel::closed(&label.name, values)
            .otherwise(if *refuse { Otherwise::Refuse } else { Otherwise::Other }),
        Policy::Open { max_values, max_bytes } => {
            let max_values = u32::try_from(*max_values).expect("small in tests");
            CoreLabel::open(&label.name, max_values).max_bytes(*max_bytes)
        }
    }
}

pub(crate) fn family(name: &str, kind: Kind, labels: Vec<Label>) -> Family {
    let max = match &kind {
        Kind::Counter => 10_000.0,
        Kind::Gauge(_) => 9_007_199_254_740_992.0,
        Kind::Histogram(bounds) => bounds.iter().fold(86_400.0, |max, b| f64::max(max, 100.0 * b)),
        Kind::Summary => 86_400.0,
    };
    Family { name: name.to_owned(), kind, labels, min: 0.0, max }
}

pub(crate) fn closed(name: &str, values: &[&str]) -> Label {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    Label { name: name.to_owned(), policy: Policy::Closed { values, refuse: false } }
}

pub(crate) fn strict(name: &str, values: &[&str]) -> Label {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    Label { name: name.to_owned(), policy: Policy::Closed { values, refuse: true } }
}

pub(crate) fn open(name: &str, max_values: usize) -> Label {
    Label { name: name.to_owned(), policy: Policy::Open { max_values, max_bytes: 128 } }
}

pub(crate) fn histogram(bounds: &[f64]) -> Kind {
    Kind::Histogram(bounds.to_vec())
}

/// No open label anywhere.
pub(crate) fn all_closed() -> TestSchema {
    let families = vec![
        family("plain_total", Kind::Counter, vec![]),
        family("loads", Kind::Counter, vec![closed("app", &["student", "teacher"])]),
        family(
            "usage_total",
            Kind::Counter,
            vec![strict("browser", &["chrome", "a\"\\\n"]), closed("kind", &["other", "js"])],
        ),
        family("wait_seconds", histogram(&[0.1, 1.0, 2.5]), vec![]),
        family("load_seconds", histogram(&[0.5]), vec![strict("phase", &["dns", "tcp"])]),
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Open labels with few places.
pub(crate) fn all_open() -> TestSchema {
    let families = vec![
        family("views_total", Kind::Counter, vec![open("page", 2)]),
        family("pairs_total", Kind::Counter, vec![open("a", 2), open("b", 3)]),
        family("view_seconds", histogram(&[0.1, 1.0]), vec![open("page", 1)]),
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Open labels that never fill up.
pub(crate) fn roomy() -> TestSchema {
    let families = vec![
        family("plain_total", Kind::Counter, vec![]),
        family("views_total", Kind::Counter, vec![open("page", 1000)]),
        family("pairs_total", Kind::Counter, vec![open("a", 1000), open("b", 1000)]),
        family(
            "view_seconds",
            histogram(&[0.1, 1.0]),
            vec![closed("app", &["x"]), open("page", 1000)],
        ),
        family("users", Kind::Gauge(Combine::Last), vec![open("room", 1000)]),
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Open beside closed labels, and bounds of every kind.
pub(crate) fn mixed() -> TestSchema {
    let mut small = family("small_total", Kind::Counter, vec![closed("x", &["y"])]);
    (small.min, small.max) = (0.5, 3.0);
    let mut short = open("page", 3);
    short.policy = Policy::Open { max_values: 3, max_bytes: 5 };
    let mut narrow = family("shift", histogram(&[0.0, 1.0, 1e6]), vec![]);
    (narrow.min, narrow.max) = (0.25, 2e6);
    let families = vec![
        family(
            "views_total",
            Kind::Counter,
            vec![open("page", 2), closed("device", &["phone", "desktop"])],
        ),
        family("step_seconds", histogram(&[1.0, 10.0]), vec![strict("phase", &["dns"]), short]),
        small,
        narrow,
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Gauges of each way to combine.
pub(crate) fn gauges() -> TestSchema {
    let mut signed = family("balance", Kind::Gauge(Combine::Last), vec![]);
    (signed.min, signed.max) = (-10.0, 10.0);
    let families = vec![
        family("users", Kind::Gauge(Combine::Last), vec![open("room", 2)]),
        family("best_seconds", Kind::Gauge(Combine::Min), vec![closed("app", &["student"])]),
        family("worst_seconds", Kind::Gauge(Combine::Max), vec![]),
        signed,
        family("plain_total", Kind::Counter, vec![]),
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Families that reach `series_per_family` before any label is full.
pub(crate) fn tiny() -> TestSchema {
    let families = vec![
        family("views_total", Kind::Counter, vec![open("page", 100)]),
        family("clicks_total", Kind::Counter, vec![open("page", 2), open("target", 100)]),
        family(
            "view_seconds",
            histogram(&[1.0]),
            vec![strict("device", &["phone", "desktop"]), open("page", 100)],
        ),
        family("plain_total", Kind::Counter, vec![]),
    ];
    TestSchema { families, series_per_family: 4 }
}

/// Whether the crate under test was built with summaries; asked of itself, as the fuzz targets share
/// this file and not its features.
pub(crate) fn has_summaries() -> bool {
    Schema::builder().family(lastmile::Family::summary("s")).build().is_ok()
}

/// Summaries beside what could be taken for their samples.
fn summaries() -> TestSchema {
    let families = vec![
        family("wait_seconds", Kind::Summary, vec![]),
        family("step_seconds", Kind::Summary, vec![strict("phase", &["dns", "tcp"])]),
        family("view_seconds", Kind::Summary, vec![open("page", 2), closed("device", &["phone"])]),
        family("plain_total", Kind::Counter, vec![open("quantile", 2)]),
    ];
    TestSchema { families, series_per_family: 8 }
}

pub(crate) fn every_schema() -> Vec<TestSchema> {
    let mut schemas = vec![all_closed(), roomy(), all_open(), mixed(), gauges(), tiny()];
    schemas.extend(has_summaries().then(summaries));
    schemas
}

/// A family of every kind, for tables of inputs and for the fuzz targets.
pub(crate) fn everything() -> TestSchema {
    let mut families = vec![
        family("plain_total", Kind::Counter, vec![]),
        family("loads", Kind::Counter, vec![closed("app", &["student", "teacher"])]),
        family("strict_total", Kind::Counter, vec![strict("app", &["student", "teacher"])]),
        family("views_total", Kind::Counter, vec![open("page", 3)]),
        family("pairs_total", Kind::Counter, vec![open("a", 100), open("b", 100)]),
        family("wait_seconds", histogram(&[0.1, 1.0, 2.5]), vec![]),
        family(
            "view_seconds",
            histogram(&[1.0]),
            vec![open("page", 2), closed("device", &["phone"])],
        ),
        family("step_seconds", histogram(&[1.0]), vec![strict("phase", &["dns", "tcp"])]),
        family("users", Kind::Gauge(Combine::Last), vec![]),
        family("worst_seconds", Kind::Gauge(Combine::Max), vec![open("page", 2)]),
    ];
    if has_summaries() {
        families.push(family("rolling_seconds", Kind::Summary, vec![open("page", 2)]));
    }
    TestSchema { families, series_per_family: 8 }
}
