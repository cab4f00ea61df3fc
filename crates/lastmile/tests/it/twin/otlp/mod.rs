//! What a request of OpenTelemetry means, point by point.

mod counted;

use counted::{Added, Rise, Total, explicit, exponential};

use super::declared::{Kind, check_bounds, label_values};
use super::{Faults, Report, Twin};
use crate::otlp_proto::{
    self as proto, Any, Data, ExponentialPoint, HistogramPoint, KeyValue, Metric, Number, Request,
};

/// What one stream stood at.
#[derive(Clone, Debug)]
pub(super) struct StreamState {
    time: u64,
    total: Total,
    /// Whether what it rose by was refused.
    is_doubtful: bool,
}

/// A point without its kind.
struct Point<'a> {
    attributes: &'a [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    value: Value<'a>,
}

enum Value<'a> {
    Number(Option<Number>),
    Histogram(&'a HistogramPoint),
    Exponential(&'a ExponentialPoint),
    Summary,
}

/// A total that waits for the points that are not.
struct Waiting {
    f: usize,
    sent: Vec<(String, String)>,
    stream: String,
    start: u64,
    time: u64,
    total: Total,
}

impl Twin {
    // ---- `POST /v1/metrics` ----

    pub(crate) fn push_otlp(
        &mut self,
        is_json: bool,
        body: &[u8],
        wall_ms: u64,
    ) -> Result<Report, Faults> {
        let request = if is_json {
            let text = std::str::from_utf8(body).map_err(|_| Faults::from(["invalid_utf8"]))?;
            proto::read(text).ok_or(Faults::from(["syntax", "too_deep"]))?
        } else {
            let decoded = prost::Message::decode(body);
            decoded.map_err(|_| Faults::from(["syntax", "too_deep", "invalid_utf8"]))?
        };
        let scopes = request.resource_metrics.iter().flat_map(|all| &all.scope_metrics);
        let n_points: usize = scopes.flat_map(|all| &all.metrics).map(|m| points(m).len()).sum();
        let resources = request.resource_metrics.iter().filter_map(|all| all.resource.as_ref());
        let is_large = resources.map(|resource| resource.attributes.len()).any(|n| n > 256);
        if is_large || n_points > 1 << 18 {
            return Err(["too_many_points"].into());
        }
        self.batch += 1;
        let mut report = Report { batches: 1, without_id: 1, ..Report::default() };
        let mut waiting = Vec::new();
        self.take(&request, &mut report, &mut waiting);
        for point in waiting {
            self.rise(point, wall_ms, &mut report);
        }
        Ok(report)
    }

    fn take(&mut self, request: &Request, report: &mut Report, waiting: &mut Vec<Waiting>) {
        for all in &request.resource_metrics {
            let resource: &[KeyValue] =
                all.resource.as_ref().map_or(&[], |resource| &resource.attributes);
            for scope in &all.scope_metrics {
                let name = format!(
                    "{:?} {:?}",
                    sorted(resource),
                    scope
                        .scope
                        .clone()
                        .map(|scope| { (scope.name, scope.version, sorted(&scope.attributes)) })
                        .unwrap_or_default()
                );
                for metric in &scope.metrics {
                    for point in points(metric) {
                        self.point(&name, resource, metric, &point, report, waiting);
                    }
                }
            }
        }
    }

    /// The family of a metric: by its name as it is, or by what Prometheus makes of it.
    fn otlp_family(&self, metric: &Metric) -> Option<usize> {
        let tokens = |name: &str| -> Vec<String> {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
            name.split(|c| !is_part(c)).filter(|t| !t.is_empty()).map(str::to_owned).collect()
        };
        let join = |tokens: &[String]| {
            let name = tokens.join("_");
            if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
        };
        let is_counter = matches!(&metric.data, Some(Data::Sum(sum)) if sum.is_monotonic);
        let is_gauge = matches!(&metric.data, Some(Data::Gauge(_)));
        let plain = tokens(&metric.name);
        let mut without_total = plain.clone();
        without_total.retain(|token| !is_counter || token != "total");
        let mut with_unit = without_total.clone();
        let unit = match metric.unit.as_str() {
            "s" => "seconds",
            "ms" => "milliseconds",
            "By" => "bytes",
            "1" if is_gauge => "ratio",
            "" | "1" => "",
            unit if unit.starts_with('{') => "",
            other => other,
        };
        if !unit.is_empty() && !with_unit.iter().any(|token| token == unit) {
            with_unit.push(unit.to_owned());
        }
        if is_counter {
            for names in [&mut without_total, &mut with_unit] {
                names.push("total".to_owned());
            }
        }
        let names = [metric.name.clone(), join(&with_unit), join(&without_total), join(&plain)];
        names.iter().find_map(|name| self.family(name))
    }

    fn point(
        &mut self,
        scope: &str,
        resource: &[KeyValue],
        metric: &Metric,
        point: &Point<'_>,
        report: &mut Report,
        waiting: &mut Vec<Waiting>,
    ) {
        let target = self.otlp_family(metric).ok_or("unknown_family").and_then(|f| {
            let is_total = effect(&self.families[f].family.kind, metric)?;
            let mut sent = Vec::new();
            for label in self.families[f].family.labels.iter().filter(|l| l.served.is_none()) {
                let found = match find(point.attributes, &label.name)? {
                    None => find(resource, &label.name)?,
                    found => found,
                };
                let value = found.and_then(|found| found.value.as_ref()?.value.clone());
                let value = match value.ok_or("missing_label")? {
                    Any::Text(text) => text,
                    Any::Bool(value) => value.to_string(),
                    Any::Int(n) => n.to_string(),
                    Any::Double(v) => javascript(v),
                    Any::Array(_) | Any::List(_) | Any::Bytes(_) => return Err("malformed"),
                };
                sent.push((label.name.clone(), value));
            }
            Ok((f, is_total, sent))
        });
        let (f, is_total, sent) = match target {
            Err(reason) => return report.refuse(reason, 1),
            Ok(_) if point.flags & 1 == 1 => {
                report.accepted += 1;
                return;
            }
            Ok(target) => target,
        };
        let labels = label_values(&self.families[f].family, &sent);
        if !is_total {
            let counted = match &point.value {
                Value::Number(number) => {
                    let number = finite(number.map_or(f64::NAN, float));
                    match labels {
                        Err(reason) => report.refuse(reason, 1),
                        Ok(labels) => {
                            self.apply(f, &labels, number.map(|v| (v, 1)), 1, report);
                        }
                    }
                    return;
                }
                Value::Histogram(point) => explicit(point).map(Total::all),
                Value::Exponential(point) => exponential(point).map(Total::all),
                Value::Summary => unreachable!("no family takes it"),
            };
            let counted =
                counted.and_then(|added| added.check(&self.families[f].family).map(|()| added));
            return match (labels, counted) {
                (Err(reason), _) | (_, Err(reason)) => report.refuse(reason, 1),
                (Ok(labels), Ok(added)) => self.add(f, &labels, added, report),
            };
        }
        let total = match &point.value {
            Value::Number(number) => match finite(number.map_or(f64::NAN, float)) {
                Err(reason) => Err(reason),
                Ok(v) if v < 0.0 => Err("negative"),
                Ok(_) => Ok(match number {
                    Some(Number::Int(n)) => Total::Int(*n),
                    other => Total::Double(other.map_or(f64::NAN, float)),
                }),
            },
            Value::Histogram(point) => explicit(point),
            Value::Exponential(point) => exponential(point),
            Value::Summary => unreachable!("no family takes it"),
        };
        match total {
            Err(reason) => report.refuse(labels.err().unwrap_or(reason), 1),
            Ok(total) => {
                let kind = std::mem::discriminant(metric.data.as_ref().expect("it has points"));
                let attributes = sorted(point.attributes);
                let (name, unit) = (&metric.name, &metric.unit);
                let start = point.start;
                let stream = format!("{scope} {name:?} {unit:?} {kind:?} {attributes:?} {start}");
                waiting.push(Waiting { f, sent, stream, start, time: point.time, total });
            }
        }
    }

    /// Adds what a total rose by.
    fn rise(&mut self, point: Waiting, wall_ms: u64, report: &mut Report) {
        let Waiting { f, sent, stream, start, time, total } = point;
        let now = wall_ms * 1_000_000;
        let began = self.began_ms * 1_000_000;
        let last = self.streams.get(&stream).cloned();
        let is_older = last.as_ref().is_some_and(|last| time != 0 && time < last.time);
        let mut is_behind = false;
        let risen = match &last {
            Some(_) if is_older => Some(total.nothing()),
            Some(last) => {
                let is_later = time == 0 || time > last.time;
                match total.above(&last.total) {
                    Rise::By(added) => Some(added),
                    Rise::Fall if is_later && last.is_doubtful => None,
                    Rise::Fall if is_later && start == 0 => Some(total.clone().all()),
                    Rise::Fall => {
                        is_behind = true;
                        Some(total.nothing())
                    }
                    Rise::Other => None,
                }
            }
            None => {
                let is_new = time >= start
                    && start > began
                    && start <= now + 300_000_000_000
                    && now.saturating_sub(time - start) > began;
                is_new.then(|| total.clone().all())
            }
        };
        self.baselines += u64::from(risen.is_none());
        let added = risen.unwrap_or_else(|| total.nothing());
        let family = &self.families[f].family;
        let checked = match total {
            Total::Int(_) | Total::Double(_) if added.sum == 0.0 => Ok(()),
            Total::Int(_) | Total::Double(_) => check_bounds(family, added.sum),
            _ if added.sum == 0.0 && added.count() == 0 => Ok(()),
            _ => added.check(family),
        };
        let is_refused = checked.is_err();
        match &last {
            Some(_) if is_older && !is_refused => {}
            Some(last) if is_older || is_behind => {
                let time = if is_older { last.time } else { time };
                let is_doubtful = last.is_doubtful || is_refused;
                let last = StreamState { time, is_doubtful, ..last.clone() };
                self.streams.insert(stream, last);
            }
            _ => {
                let last = StreamState { time, total: total.clone(), is_doubtful: is_refused };
                self.streams.insert(stream, last);
            }
        }
        match (label_values(family, &sent), checked) {
            (Err(reason), _) | (_, Err(reason)) => report.refuse(reason, 1),
            (Ok(labels), Ok(())) if matches!(total, Total::Int(_) | Total::Double(_)) => {
                report.accepted += 1;
                self.row(f, &labels, false).update(added.sum, 1);
            }
            (Ok(labels), Ok(())) => self.add(f, &labels, added, report),
        }
    }

    fn add(&mut self, f: usize, labels: &[String], added: Added, report: &mut Report) {
        report.accepted += 1;
        let max = self.families[f].family.max;
        let row = self.row(f, labels, false);
        let (kind, super::Value::Histogram { buckets, sum, native }) = (row.kind, row.value) else {
            unreachable!("a value has its family's type")
        };
        sum.add(added.sum, 1);
        let mut counted = vec![(added.zeros.0, added.zeros.1)];
        counted.extend(added.buckets.iter().map(|bucket| (bucket.upper, bucket.n)));
        for (upper, n) in counted.into_iter().filter(|(_, n)| *n > 0) {
            let above = kind.bounds().iter().filter(|&&bound| upper > bound).count();
            buckets[above] += n;
        }
        let Some(native) = native else { return };
        match added.buckets.first().and_then(|bucket| bucket.at) {
            Some((scale, _)) if scale >= 0 => native.limit(scale),
            _ => {}
        }
        if added.zeros.1 > 0 {
            native.observe(added.zeros.0.min(max), added.zeros.1);
        }
        for bucket in added.buckets {
            match bucket.at {
                Some((scale, idx)) if scale >= 0 => native.add(scale, idx, bucket.n),
                _ => native.observe(bucket.upper.min(max), bucket.n),
            }
        }
    }
}

/// Whether points are totals, if a family of this kind takes them.
fn effect(family: &Kind, metric: &Metric) -> Result<bool, &'static str> {
    let temporality = match (family, metric.data.as_ref()) {
        (Kind::Gauge(_), Some(Data::Gauge(_))) => return Ok(false),
        (Kind::Gauge(_), Some(Data::Sum(sum))) if !sum.is_monotonic => {
            return match sum.temporality {
                1 => Err("type_mismatch"),
                2 => Ok(false),
                _ => Err("malformed"),
            };
        }
        (Kind::Counter, Some(Data::Sum(sum))) if sum.is_monotonic => sum.temporality,
        (Kind::Histogram(_), Some(Data::Histogram(data))) => data.temporality,
        (Kind::Histogram(_), Some(Data::Exponential(data))) => data.temporality,
        _ => return Err("type_mismatch"),
    };
    match temporality {
        1 => Ok(false),
        2 => Ok(true),
        _ => Err("malformed"),
    }
}

fn points(metric: &Metric) -> Vec<Point<'_>> {
    macro_rules! all {
        ($points:expr, $value:expr) => {
            $points
                .iter()
                .map(|point| Point {
                    attributes: &point.attributes,
                    start: point.start,
                    time: point.time,
                    flags: point.flags,
                    value: $value(point),
                })
                .collect()
        };
    }
    match &metric.data {
        None => vec![],
        Some(Data::Gauge(data)) => {
            all!(data.points, |point: &proto::NumberPoint| Value::Number(point.value))
        }
        Some(Data::Sum(data)) => {
            all!(data.points, |point: &proto::NumberPoint| Value::Number(point.value))
        }
        Some(Data::Histogram(data)) => all!(data.points, Value::Histogram),
        Some(Data::Exponential(data)) => all!(data.points, Value::Exponential),
        Some(Data::Summary(data)) => all!(data.points, |_| Value::Summary),
    }
}

/// Attributes are a map.
fn sorted(attributes: &[KeyValue]) -> Vec<String> {
    let mut all: Vec<String> = attributes
        .iter()
        .map(|attribute| {
            let value = attribute.value.as_ref().and_then(|any| any.value.as_ref());
            format!("{:?} {value:?}", attribute.key)
        })
        .collect();
    all.sort();
    all
}

/// The attribute of a label.
fn find<'a>(all: &'a [KeyValue], label: &str) -> Result<Option<&'a KeyValue>, &'static str> {
    let named = |is: &dyn Fn(&str) -> bool| all.iter().filter(|a| is(&a.key)).collect::<Vec<_>>();
    let mut found = named(&|key| key == label);
    if found.is_empty() {
        found = named(&|key| {
            let made: String =
                key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            let digit = key.starts_with(|c: char| c.is_ascii_digit());
            label == if digit { format!("key_{made}") } else { made }
        });
    }
    match found[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err("malformed"),
    }
}

fn float(number: Number) -> f64 {
    match number {
        Number::Double(v) => v,
        Number::Int(n) => n as f64,
    }
}

fn finite(v: f64) -> Result<f64, &'static str> {
    match v {
        _ if v.is_nan() => Err("not_a_number"),
        _ if v.is_infinite() => Err("not_finite"),
        _ => Ok(v),
    }
}

fn javascript(v: f64) -> String {
    match v {
        _ if v.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        0.0 => "0".to_owned(),
        _ if v.abs() >= 1e21 => format!("{v:e}").replace('e', "e+"),
        _ if v.abs() < 1e-6 => format!("{v:e}"),
        _ => v.to_string(),
    }
}
