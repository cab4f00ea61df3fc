//! The small schemas that the model and the fuzz targets run on: declared once for the twin, and
//! translated here for the crate.

use lastmile::{Label as CoreLabel, Limits, Otherwise, Schema, ValueFrom};

use crate::twin::{Combine, Family, Kind, Label, Open, Policy};

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
        #[cfg(feature = "faro")]
        let builder = crate::twin::mapped::declare(builder, &self.families);
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
    let core = match family.native {
        Some((schema, max_buckets)) => {
            let schema = i8::try_from(schema).expect("small in tests");
            let max_buckets = u32::try_from(max_buckets).expect("small in tests");
            core.native(lastmile::Native::new(schema).max_buckets(max_buckets))
        }
        None => core,
    };
    let core = core.help(format!("Help of {}.", family.name)).min(family.min).max(family.max);
    family.labels.iter().fold(core, |core, label| core.label(core_label(label)))
}

fn core_label(label: &Label) -> CoreLabel {
    let core = match &label.policy {
        Policy::Closed { values, refuse } => CoreLabel::closed(&label.name, values)
            .otherwise(if *refuse { Otherwise::Refuse } else { Otherwise::Other }),
        Policy::Open(open) => {
            let small = |n: usize| u32::try_from(n).expect("small in tests");
            let mut core = CoreLabel::open(&label.name, small(open.max_values))
                .max_bytes(open.max_bytes)
                .pin(&open.pin)
                .admit_after(small(open.admit_after));
            if open.slash {
                core = core.pattern("(?s)/.*");
            }
            if open.template {
                core = core.template();
            }
            core
        }
    };
    match &label.served {
        Some(value) => core.value_from(ValueFrom::Const(value.clone())),
        None => core,
    }
}

pub(crate) fn family(name: &str, kind: Kind, labels: Vec<Label>) -> Family {
    let max = match &kind {
        Kind::Counter => 10_000.0,
        Kind::Gauge(_) => 9_007_199_254_740_992.0,
        Kind::Histogram(bounds) => bounds.iter().fold(86_400.0, |max, b| f64::max(max, 100.0 * b)),
        Kind::Summary => 86_400.0,
    };
    Family { name: name.to_owned(), kind, labels, min: 0.0, max, native: None }
}

/// A histogram with native buckets too, or alone where it has no bounds.
pub(crate) fn native(schema: i32, max_buckets: usize, family: Family) -> Family {
    Family { native: Some((schema, max_buckets)), ..family }
}

pub(crate) fn closed(name: &str, values: &[&str]) -> Label {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    Label { name: name.to_owned(), policy: Policy::Closed { values, refuse: false }, served: None }
}

pub(crate) fn strict(name: &str, values: &[&str]) -> Label {
    let values = values.iter().map(|&value| value.to_owned()).collect();
    Label { name: name.to_owned(), policy: Policy::Closed { values, refuse: true }, served: None }
}

pub(crate) fn open(name: &str, max_values: usize) -> Label {
    open_as(name, max_values, |_| {})
}

/// An open label with other rules besides.
pub(crate) fn open_as(name: &str, max_values: usize, change: impl FnOnce(&mut Open)) -> Label {
    let mut open = Open {
        max_values,
        max_bytes: 128,
        pin: vec![],
        admit_after: 1,
        slash: false,
        template: false,
    };
    change(&mut open);
    Label { name: name.to_owned(), policy: Policy::Open(open), served: None }
}

/// The same label, set by the server.
pub(crate) fn served(label: Label, value: &str) -> Label {
    Label { served: Some(value.to_owned()), ..label }
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
        native(8, 12, family("native_seconds", histogram(&[]), vec![open("page", 2)])),
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
    let short = open_as("page", 3, |open| open.max_bytes = 5);
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

/// Every rule that an open label can have.
pub(crate) fn rules() -> TestSchema {
    let families = vec![
        family(
            "paths_total",
            Kind::Counter,
            vec![open_as("page", 4, |open| (open.template, open.slash) = (true, true))],
        ),
        family(
            "waits_total",
            Kind::Counter,
            vec![
                open_as("page", 3, |open| {
                    (open.admit_after, open.pin) = (2, vec!["/home".to_owned()]);
                }),
                closed("app", &["x"]),
            ],
        ),
        family(
            "wait_seconds",
            histogram(&[1.0]),
            vec![open_as("a", 2, |open| open.admit_after = 3), open("b", 2)],
        ),
        family(
            "served_total",
            Kind::Counter,
            vec![
                served(open("country", 2), "de"),
                open("page", 2),
                served(closed("region", &["eu"]), "eu"),
            ],
        ),
        family("region_total", Kind::Counter, vec![served(strict("region", &["eu"]), "eu")]),
    ];
    TestSchema { families, series_per_family: 10_000 }
}

/// Whether the crate under test was built with summaries; asked of itself, as the fuzz targets share
/// this file and not its features.
pub(crate) fn has_summaries() -> bool {
    Schema::builder().family(lastmile::Family::summary("s")).build().is_ok()
}

/// The families of what browsers report, with few values.
fn browsers() -> Vec<Family> {
    vec![
        family(
            "browser_network_errors_total",
            Kind::Counter,
            vec![closed("phase", &["dns"]), closed("type", &["ok", "tcp.refused"])],
        ),
        family(
            "browser_network_error_seconds",
            histogram(&[0.1, 1.0]),
            vec![closed("phase", &["dns"])],
        ),
        family(
            "browser_csp_violations_total",
            Kind::Counter,
            vec![closed("directive", &["img-src"]), closed("disposition", &["enforce"])],
        ),
        family("browser_crashes_total", Kind::Counter, vec![closed("reason", &["oom"])]),
        family(
            "browser_reports_total",
            Kind::Counter,
            vec![open("id", 2), closed("type", &["deprecation", "coop"])],
        ),
    ]
}

fn reporting() -> TestSchema {
    TestSchema { families: browsers(), series_per_family: 40 }
}

/// Names of browsers' reports, declared as no report is.
fn otherwise() -> TestSchema {
    let families = vec![
        family("browser_network_errors_total", histogram(&[1.0]), vec![closed("phase", &["dns"])]),
        family("browser_network_error_seconds", Kind::Counter, vec![closed("phase", &["dns"])]),
        family("browser_csp_violations_total", Kind::Counter, vec![open("directive", 2)]),
        family("browser_crashes_total", Kind::Gauge(Combine::Last), vec![open("reason", 2)]),
        family(
            "browser_reports_total",
            Kind::Counter,
            vec![strict("type", &["coep"]), strict("id", &["x"]), open("page", 2)],
        ),
    ];
    TestSchema { families, series_per_family: 8 }
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

/// Native histograms that keep their resolution, lose it, and have little to lose.
fn natives() -> TestSchema {
    let mut large = family("large_bytes", histogram(&[]), vec![strict("phase", &["dns", "tcp"])]);
    large.max = 9_007_199_254_740_992.0;
    let both = family("both_seconds", histogram(&[0.1, 1.0]), vec![open("page", 2)]);
    let families = vec![
        native(3, 160, family("alone_seconds", histogram(&[]), vec![])),
        native(8, 20, both),
        native(-4, 12, large),
    ];
    TestSchema { families, series_per_family: 8 }
}

pub(crate) fn every_schema() -> Vec<TestSchema> {
    let mut schemas =
        vec![all_closed(), roomy(), all_open(), mixed(), gauges(), tiny(), rules(), natives()];
    schemas.extend([reporting(), otherwise()]);
    schemas.extend(has_summaries().then(summaries));
    schemas
}

/// The same schema as someone may declare it the next day.
pub(crate) fn edited(schema: &TestSchema, edit: usize) -> TestSchema {
    let mut next = schema.clone();
    let families = &mut next.families;
    match edit {
        0 => {}
        1 => drop(families.remove(0)),
        2 => families.reverse(),
        3 => families.iter_mut().for_each(|family| family.max += 1.0),
        4 => {
            let labels = families.iter_mut().flat_map(|family| &mut family.labels);
            for label in labels {
                match &mut label.policy {
                    Policy::Open(open) => {
                        open.max_values += 1;
                        open.pin = vec!["/pin".to_owned()];
                        open.admit_after = 3 - open.admit_after.min(2);
                    }
                    Policy::Closed { .. } => {}
                }
            }
        }
        5 => {
            for family in families.iter_mut() {
                if let Kind::Histogram(bounds) = &mut family.kind {
                    bounds.push(1e7);
                    family.max = 1e8;
                }
            }
        }
        6 => {
            for family in families.iter_mut() {
                if let Kind::Histogram(bounds) = &family.kind {
                    family.native = match family.native {
                        None => Some((2, 30)),
                        Some((schema, _)) if bounds.is_empty() => Some((schema / 2, 40)),
                        Some(_) => None,
                    };
                }
            }
        }
        _ => {
            for label in families.iter_mut().flat_map(|family| &mut family.labels) {
                if let Policy::Closed { values, .. } = &mut label.policy {
                    values.push("new".to_owned());
                }
            }
        }
    }
    next
}

/// How many ways [`edited`] knows.
pub(crate) const EDITS: usize = 8;

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
        native(8, 12, family("native_seconds", histogram(&[]), vec![open("page", 2)])),
        family("users", Kind::Gauge(Combine::Last), vec![]),
        family("worst_seconds", Kind::Gauge(Combine::Max), vec![open("page", 2)]),
        family(
            "paths_total",
            Kind::Counter,
            vec![open_as("page", 3, |open| (open.template, open.slash) = (true, true))],
        ),
        family(
            "waits_total",
            Kind::Counter,
            vec![open_as("page", 3, |open| {
                (open.admit_after, open.pin) = (2, vec!["/home".to_owned()]);
            })],
        ),
        family("region_total", Kind::Counter, vec![served(open("region", 2), "eu")]),
    ];
    families.extend(browsers());
    if has_summaries() {
        families.push(family("rolling_seconds", Kind::Summary, vec![open("page", 2)]));
    }
    TestSchema { families, series_per_family: 8 }
}
