//! The other direction: what a valid case shows is loaded into an aggregator, exposed, and read again.

use std::any::Any;
use std::time::Duration;

use lastmile::{Aggregator, Family, Label, Limits, Native, Schema, ScrapeOptions};

use super::super::laws::{Samples, escaped, samples};
use super::super::names::metric_name;
use super::super::{formats, read};
use super::Outcomes;
use crate::expo::{self, Exposition, Labels, Sample};
use crate::formats::reader::Dialect;
use crate::oracle::start;

/// A test makes no more observations for one family.
const OBSERVATIONS_MAX: f64 = 1e7;

/// Why a family is not loaded.
type Unfit = &'static str;

/// Values, and how often each was observed.
type Observations = Vec<(f64, u64)>;

/// A family that is loaded.
struct Loaded {
    declared: Family,
    series: Vec<(Labels, Value)>,
    /// What text shows of it then.
    expected: expo::Family,
    /// What it shows otherwise than the case.
    but: Option<Unfit>,
}

#[derive(Clone)]
enum Value {
    Counter(f64),
    Gauge(f64),
    Histogram(Observations),
    Summary(Observations),
}

/// Loads all families of a case that fit our model into one aggregator, and reads them in every format.
pub(super) fn check(case: &str, shown: &Exposition, dialect: Dialect, outcomes: &mut Outcomes) {
    let all: Vec<_> =
        shown.families.iter().map(|family| (family, Loaded::new(family, dialect))).collect();
    let unfit = |loaded: &Result<Loaded, Unfit>| loaded.as_ref().err().copied();
    // A case of which all families are unfit for one reason is named alone.
    let same = all.first().and_then(|(_, loaded)| unfit(loaded));
    let same = same.filter(|same| all.iter().all(|(_, loaded)| unfit(loaded) == Some(*same)));
    if let Some(why) = same {
        return outcomes.note(format!("not written: {why}"), case);
    }
    let (mut builder, mut loaded) = (Schema::builder(), Vec::new());
    for (family, found) in all {
        let name = format!("{case}:{}", family.name.escape_debug().to_string().replace(' ', "_"));
        match found {
            Err(why) => outcomes.note(format!("not written: {why}"), name),
            Ok(found) => {
                let with = builder.clone().family(found.declared.clone());
                if let Err(error) = with.clone().build() {
                    assert!(error.to_string().contains("exposes"), "{name}: {error}");
                    outcomes
                        .note("not written: a name that another family has in OpenMetrics", name);
                    continue;
                }
                match found.but {
                    Some(but) => outcomes.note(format!("written, but for {but}"), name),
                    None => outcomes.note("written and read back", name),
                }
                builder = with;
                loaded.push(found);
            }
        }
    }
    check_all(case, builder.build().unwrap(), &loaded);
}

fn check_all(case: &str, schema: Schema, loaded: &[Loaded]) {
    let limits = Limits::default().bytes(1 << 30);
    let agg = Aggregator::new(schema, limits, start()).unwrap();
    let handles: Vec<Box<dyn Any>> = loaded.iter().flat_map(|one| one.load(&agg)).collect();
    // Later than any quantile of a summary is shown.
    let now = start().after(Duration::from_secs(660));
    for (format, dialect) in formats() {
        let found = read(&agg, &ScrapeOptions::new(format), now);
        assert_eq!(found.families.len(), loaded.len(), "{case} in {format:?}");
        for one in loaded {
            let exposed = metric_name(&one.expected.name, format.escaping());
            let base = exposed.strip_suffix("_total").filter(|base| !base.is_empty());
            let (name, kind) = match (dialect, one.expected.kind.as_str(), base) {
                (Dialect::OpenMetrics, "counter", Some(base)) => (base, "counter"),
                (Dialect::OpenMetrics, "counter", None) => (exposed.as_str(), "unknown"),
                (_, kind, _) => (exposed.as_str(), kind),
            };
            let family = found.family(name);
            let family = family.unwrap_or_else(|| panic!("{case}: no {name} in {format:?}"));
            assert_eq!(family.kind, kind, "{case}: {name} in {format:?}");
            let help = one.expected.help.as_deref().unwrap_or_default();
            let found_help = family.help.as_deref().unwrap_or_default();
            assert_eq!(found_help, help, "{case}: {name} in {format:?}");
            let expected = Exposition { families: vec![one.expected.clone()] };
            let expected = escaped(&expected, format.escaping());
            let family = Exposition { families: vec![family.clone()] };
            same(&format!("{case}: {name} in {format:?}"), &samples(&family), &expected);
        }
    }
    drop(handles);
}

/// The same series with the same values; a sum is rounded as its observations are.
fn same(what: &str, found: &Samples, expected: &Samples) {
    let sorted = |samples: &Samples| -> Samples {
        let all = samples.iter().map(|((name, labels), value)| {
            let mut labels = labels.clone();
            labels.sort();
            ((name.clone(), labels), *value)
        });
        all.collect()
    };
    let (found, expected) = (sorted(found), sorted(expected));
    let names = |samples: &Samples| samples.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{what}");
    for (series, expected) in expected {
        let found = found[&series];
        let slack = if series.0.ends_with("_sum") { expected.abs() * 1e-9 } else { 0.0 };
        assert!((found - expected).abs() <= slack, "{what}: {series:?} {found} {expected}");
    }
}

impl Loaded {
    fn new(family: &expo::Family, dialect: Dialect) -> Result<Self, Unfit> {
        let mut expected = family.clone();
        if dialect == Dialect::OpenMetrics && family.kind == "counter" {
            expected.name += "_total";
        }
        // When a series began is ours to say.
        let created = format!("{}_created", family.name);
        expected.samples.retain(|sample| sample.name != created);
        if expected.samples.is_empty() {
            return Err("no samples, where we have a series from the start");
        }
        let mut but = None;
        if expected.samples.iter().any(|sample| expected.is_quantile(sample)) {
            but = Some("its quantiles");
            expected.samples.retain(|sample| sample.name != family.name);
        }
        let own = if family.kind == "histogram" { "le" } else { "quantile" };
        let mut series: Vec<(Labels, Vec<Sample>)> = Vec::new();
        for sample in &expected.samples {
            let mut labels = sample.labels.clone();
            labels.retain(|(name, _)| name != own);
            labels.sort();
            match series.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, samples)) => samples.push(sample.clone()),
                None => series.push((labels, vec![sample.clone()])),
            }
        }
        let names = |labels: &Labels| labels.iter().map(|(name, _)| name.clone()).collect();
        let labels: Vec<String> = names(&series[0].0);
        if series.iter().any(|(other, _)| labels != names(other) as Vec<String>) {
            return Err("series with different labels");
        }
        let bounds = match family.kind.as_str() {
            "histogram" => bounds(&expected.name, &series[0].1)?,
            _ => Vec::new(),
        };
        let mut values = Vec::new();
        for (labels, samples) in &series {
            let (value, fed) = value(&expected, &bounds, samples)?;
            // Where no observations have this sum, ours is what they have.
            if let Some(fed) = fed {
                but = Some("a sum that no observations in its buckets have");
                let sum = format!("{}_sum", expected.name);
                let sum = samples.iter().find(|sample| sample.name == sum).unwrap();
                let is_it = |sample: &&mut Sample| *sample == sum;
                expected.samples.iter_mut().find(is_it).unwrap().text = format!("{fed:?}");
            }
            values.push((labels.clone(), value));
        }
        let name = &expected.name;
        let declared = match family.kind.as_str() {
            "counter" => Family::counter(name),
            "gauge" => Family::gauge(name),
            "histogram" => histogram(name, &bounds),
            _ => Family::summary(name),
        };
        let declared = labels.iter().enumerate().fold(declared, |family, (i, label)| {
            let longest = series.iter().map(|(labels, _)| labels[i].1.len()).max();
            let open = Label::open(label, series.len() as u32);
            family.label(open.max_bytes(longest.unwrap_or(0).max(1)))
        });
        let declared = declared.help(expected.help.clone().unwrap_or_default());
        Ok(Self { declared, series: values, expected, but })
    }

    /// Gives all values to handles, which keep gauges as they are.
    fn load(&self, agg: &Aggregator) -> Vec<Box<dyn Any>> {
        let name = self.declared.name();
        let one = |(labels, value): &(Labels, Value)| -> Box<dyn Any> {
            let labels: Vec<(&str, &str)> =
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            match value {
                Value::Counter(v) => {
                    let counter = agg.counter(name, &labels).unwrap();
                    match v.fract() == 0.0 {
                        true => counter.inc_by(*v as u64),
                        false => counter.add(*v).unwrap(),
                    }
                    Box::new(counter)
                }
                Value::Gauge(v) => {
                    let gauge = agg.gauge(name, &labels).unwrap();
                    gauge.set(*v);
                    Box::new(gauge)
                }
                Value::Histogram(observations) => {
                    let histogram = agg.histogram(name, &labels).unwrap();
                    for (v, n) in observations {
                        (0..*n).for_each(|_| histogram.observe(*v).unwrap());
                    }
                    Box::new(histogram)
                }
                Value::Summary(observations) => {
                    let summary = agg.summary(name, &labels).unwrap();
                    for (v, n) in observations {
                        (0..*n).for_each(|_| summary.observe(*v).unwrap());
                    }
                    Box::new(summary)
                }
            }
        };
        self.series.iter().map(one).collect()
    }
}

/// One with these bounds. Without any, text shows the bucket `+Inf` of a native one.
fn histogram(name: &str, bounds: &[f64]) -> Family {
    match bounds {
        [] => Family::native_histogram(name, Native::new(0)),
        _ => Family::histogram(name, bounds.iter().copied()),
    }
}

/// The finite bounds of a histogram, such as can be declared.
fn bounds(name: &str, samples: &[Sample]) -> Result<Vec<f64>, Unfit> {
    let all = samples.iter().filter_map(|sample| sample.label("le"));
    let all = all.map(|le| le.parse::<f64>().unwrap());
    let finite: Vec<f64> = all.filter(|le| le.is_finite()).collect();
    let is_below_0 = finite.iter().any(|bound| *bound < 0.0);
    let family = histogram(name, &finite);
    assert_eq!(Schema::builder().family(family).build().is_err(), is_below_0, "{finite:?}");
    if is_below_0 { Err("a bound below 0, where we take no observation") } else { Ok(finite) }
}

/// What to load into one series; and the sum that it has then, if the one that is shown cannot be.
fn value(
    family: &expo::Family,
    bounds_of_first: &[f64],
    samples: &[Sample],
) -> Result<(Value, Option<f64>), Unfit> {
    let of = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        samples.iter().find(move |sample| sample.name == name).map(Sample::value)
    };
    match family.kind.as_str() {
        "counter" | "gauge" => {
            let v = samples[0].value();
            match family.kind == "counter" {
                _ if !v.is_finite() => Err("a value that is not finite"),
                true if v.fract() != 0.0 || v < 2_f64.powi(64) => Ok((Value::Counter(v), None)),
                true => Err("more than one addition can add"),
                false => Ok((Value::Gauge(v), None)),
            }
        }
        "histogram" => {
            let bounds = bounds(&family.name, samples)?;
            if bounds != bounds_of_first {
                return Err("series with different bounds");
            }
            let mut below = 0.0;
            let buckets = samples.iter().filter(|sample| sample.label("le").is_some());
            let counts = buckets
                .map(|bucket| bucket.value() - std::mem::replace(&mut below, bucket.value()));
            let counts: Vec<f64> = counts.collect();
            let sum = of("_sum").ok_or("no _sum and _count")?;
            let (observations, fed) = observations(&bounds, &counts, sum)?;
            Ok((Value::Histogram(observations), fed))
        }
        "summary" => {
            let (Some(sum), Some(count)) = (of("_sum"), of("_count")) else {
                return Err("no _sum and _count");
            };
            let (observations, fed) = observations(&[], &[count], sum)?;
            Ok((Value::Summary(observations), fed))
        }
        _ => Err("a type that we have not"),
    }
}

/// Observations that these buckets count and that have this sum. If there are none, such as have another, which
/// is given.
fn observations(
    bounds: &[f64],
    counts: &[f64],
    sum: f64,
) -> Result<(Observations, Option<f64>), Unfit> {
    if counts.iter().sum::<f64>() > OBSERVATIONS_MAX {
        return Err("more observations than a test makes");
    }
    // How far into each bucket, of those that end, its observations lie.
    let at = |t: f64| -> Vec<f64> {
        let starts = [0.0].into_iter().chain(bounds.iter().copied());
        let ends = bounds.iter().copied();
        starts.zip(ends).map(|(start, end)| (start + t * (end - start)).min(end)).collect()
    };
    let total = |values: &[f64]| -> f64 { values.iter().zip(counts).map(|(v, n)| v * n).sum() };
    let (beyond, n_beyond) = (bounds.last().copied().unwrap_or(-0.0), counts[bounds.len()]);
    let with = |t: f64, last: f64| -> Observations {
        let values = at(t).into_iter().chain([last]);
        let counted = values.zip(counts).map(|(v, n)| (v, *n as u64));
        counted.filter(|(_, n)| *n > 0).collect()
    };
    if n_beyond > 0.0 {
        for t in [0.5, 1e-3, 1.0] {
            let last = (sum - total(&at(t))) / n_beyond;
            if last > beyond || (bounds.is_empty() && last == 0.0) {
                return Ok((with(t, last), None));
            }
        }
    } else {
        let (least, most) = (total(&at(0.0)), total(&at(1.0)));
        let t = if most > least { (sum - least) / (most - least) } else { 1.0 };
        if (most > least && t > 0.0 && t <= 1.0) || (most == least && sum == most) {
            return Ok((with(t, 0.0), None));
        }
    }
    let fed = with(0.5, beyond + 1.0);
    let sum = fed.iter().map(|(v, n)| v * *n as f64).sum();
    Ok((fed, Some(sum)))
}
