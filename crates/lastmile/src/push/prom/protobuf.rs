//! Prometheus' protobuf: `io.prometheus.client.MetricFamily` behind its length, one after another.
//!
//! A metric is a sample. Where a histogram has classic buckets they are what counts, else its native ones. Timestamps
//! and exemplars are passed over. Summaries and histograms of gauges are a `type_mismatch`, histograms of floats are
//! `malformed`.
//!
//! Source: prometheus/client_model io/prometheus/client/metrics.proto: the numbers of the fields; which histograms are
//! native: prometheus model/textparse/protobufparse.go, `isNativeHistogram`.

use super::histograms::{check_counted, own_counts};
use super::lines::{Lines, Type, Values};
use super::{Result, SAMPLES_MAX, group};
use crate::push::counted::edges::{self, Edges};
use crate::push::error::{DecodeError, DecodeReason};
use crate::push::number::Number;
use crate::push::report::{Counts, Refusal};
use crate::push::samples::Samples;
use crate::push::wire::{self, Wire};
use crate::schema::Kind;
use crate::store::{FamilyState, Target, Text};

/// Reads a body, and resolves each metric.
pub(super) fn read(
    lines: &mut Lines<'_, '_>,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    let mut wire = Wire::new(lines.body);
    let mut room = Room { metrics: SAMPLES_MAX, parts: PARTS_MAX };
    while !wire.is_at_end() {
        let family = wire.delimited()?;
        // One without metrics takes as long as one.
        room.take_metric(&family)?;
        metric_family(family, lines, &mut room, samples, counts)?;
    }
    Ok(())
}

fn metric_family(
    wire: Wire<'_>,
    lines: &mut Lines<'_, '_>,
    room: &mut Room,
    samples: &mut Samples,
    counts: &mut Counts,
) -> Result<()> {
    // What the family is comes before its metrics but need not.
    let (mut name, mut kind) = (Text::EMPTY, 0);
    let mut head = wire.clone();
    while let Some(field) = head.field()? {
        match field {
            (1, kind) => name = head.text(kind)?,
            (3, wire_type) => kind = head.number(wire_type)? as i32,
            _ => head.skip(field)?,
        }
    }
    let kind = match kind {
        0 => Type::Counter,
        1 => Type::Gauge,
        2 => Type::Summary,
        4 => Type::Histogram,
        5 => Type::GaugeHistogram,
        _ => Type::Unknown,
    };
    let name = lines.total_name(name, kind, samples);
    let mut wire = wire;
    while let Some(field) = wire.field()? {
        let (4, wire_type) = field else {
            wire.skip(field)?;
            continue;
        };
        room.take_metric(&wire)?;
        let numbers_at = samples.numbers.len();
        let metric = Metric::read(wire.message(wire_type)?, room, samples)?;
        lines.metric(name, kind, &metric, numbers_at, samples, counts);
    }
    Ok(())
}

/// Most labels, buckets, spans and deltas of a body: as many as 4 MiB of what clients send have. Each takes up to 16
/// bytes until the body is applied, whose own bytes for it may be 2.
const PARTS_MAX: usize = 1 << 19;

/// How much more a body may have.
struct Room {
    /// Families and metrics.
    metrics: usize,
    parts: usize,
}

impl Room {
    fn take_metric(&mut self, wire: &Wire<'_>) -> Result<()> {
        let detail = "there are more than 262,144 metrics";
        let left = self.metrics.checked_sub(1);
        self.metrics = left.ok_or_else(|| too_many(wire.offset(), detail))?;
        Ok(())
    }

    fn take_part(&mut self, at: usize) -> Result<()> {
        let detail = "there are more than 524,288 labels and buckets";
        self.parts = self.parts.checked_sub(1).ok_or_else(|| too_many(at, detail))?;
        Ok(())
    }
}

#[cold]
fn too_many(at: usize, detail: &'static str) -> DecodeError {
    DecodeError::new(DecodeReason::TooManyLines, at, detail)
}

/// What a metric has besides its labels, which wait in the samples, as the numbers of its classic buckets and the spans
/// of its native ones do.
#[derive(Debug, Default)]
struct Metric {
    counter: Option<f64>,
    gauge: Option<f64>,
    untyped: Option<f64>,
    histogram: Option<Histogram>,
    created: Moment,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    secs: i64,
    nanos: i32,
}

#[derive(Debug, Default)]
struct Histogram {
    count: u64,
    sum: f64,
    n_buckets: usize,
    schema: i32,
    threshold: f64,
    zeros: u64,
    has_spans: bool,
    has_negative: bool,
    has_floats: bool,
}

impl Metric {
    /// Reads a metric. A message that comes in parts is put together, as protobuf has it.
    fn read(mut wire: Wire<'_>, room: &mut Room, samples: &mut Samples) -> Result<Self> {
        samples.labels.clear();
        samples.numbers.push(Number::NOTHING);
        samples.prom.spans.clear();
        samples.prom.deltas.clear();
        let mut metric = Self::default();
        while let Some(field) = wire.field()? {
            match field {
                (1, kind) => {
                    room.take_part(wire.offset())?;
                    label(wire.message(kind)?, samples)?;
                }
                (2, kind) => number(wire.message(kind)?, &mut metric.gauge, None)?,
                (3, kind) => {
                    let created = Some(&mut metric.created);
                    number(wire.message(kind)?, &mut metric.counter, created)?;
                }
                (5, kind) => number(wire.message(kind)?, &mut metric.untyped, None)?,
                (7, kind) => {
                    let histogram = metric.histogram.get_or_insert_default();
                    histogram.read(wire.message(kind)?, &mut metric.created, room, samples)?;
                }
                _ => wire.skip(field)?,
            }
        }
        Ok(metric)
    }
}

fn label(mut wire: Wire<'_>, samples: &mut Samples) -> Result<()> {
    let (mut name, mut value) = (Text::EMPTY, Text::EMPTY);
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => name = wire.text(kind)?,
            (2, kind) => value = wire.text(kind)?.marked(wire.body()),
            _ => wire.skip(field)?,
        }
    }
    samples.labels.push((name, value));
    Ok(())
}

/// A counter, a gauge, or what is untyped.
fn number(
    mut wire: Wire<'_>,
    value: &mut Option<f64>,
    mut created: Option<&mut Moment>,
) -> Result<()> {
    let value = value.get_or_insert_default();
    while let Some(field) = wire.field()? {
        match (field, &mut created) {
            ((1, kind), _) => *value = wire.double(kind)?,
            ((3, kind), Some(created)) => created.read(wire.message(kind)?)?,
            _ => wire.skip(field)?,
        }
    }
    Ok(())
}

impl Moment {
    fn read(&mut self, mut wire: Wire<'_>) -> Result<()> {
        while let Some(field) = wire.field()? {
            match field {
                (1, kind) => self.secs = wire.number(kind)? as i64,
                (2, kind) => self.nanos = wire.number(kind)? as i32,
                _ => wire.skip(field)?,
            }
        }
        Ok(())
    }

    /// In nanoseconds since the Unix epoch; 0 before it.
    fn ns(self) -> u64 {
        let secs = u64::try_from(self.secs).unwrap_or(0);
        secs.saturating_mul(1_000_000_000).saturating_add(u64::try_from(self.nanos).unwrap_or(0))
    }
}

impl Histogram {
    fn read(
        &mut self,
        mut wire: Wire<'_>,
        created: &mut Moment,
        room: &mut Room,
        samples: &mut Samples,
    ) -> Result<()> {
        while let Some(field) = wire.field()? {
            match field {
                (1, kind) => self.count = wire.number(kind)?,
                (2, kind) => self.sum = wire.double(kind)?,
                (3, kind) => {
                    room.take_part(wire.offset())?;
                    let bucket = bucket(wire.message(kind)?)?;
                    samples.numbers.push(bucket);
                    self.n_buckets += 1;
                }
                (5, kind) => self.schema = wire.zigzag(kind)?,
                (6, kind) => self.threshold = wire.double(kind)?,
                (7, kind) => self.zeros = wire.number(kind)?,
                (4 | 8, kind) => self.has_floats |= wire.double(kind)? > 0.0,
                (9..=11, _) => {
                    self.has_negative = true;
                    wire.skip(field)?;
                }
                (12, kind) => {
                    room.take_part(wire.offset())?;
                    let span = span(wire.message(kind)?)?;
                    samples.prom.spans.push(span);
                    self.has_spans = true;
                }
                (13, kind) => wire.each_number(kind, |n, at| {
                    room.take_part(at)?;
                    samples.prom.deltas.push(wire::unzigzag(n));
                    Ok(())
                })?,
                (14, _) => {
                    self.has_floats = true;
                    wire.skip(field)?;
                }
                (15, kind) => created.read(wire.message(kind)?)?,
                _ => wire.skip(field)?,
            }
        }
        Ok(())
    }

    /// Whether its native buckets are what it has.
    fn is_native(&self) -> bool {
        let has_native =
            self.has_spans || self.has_negative || self.threshold > 0.0 || self.zeros > 0;
        self.n_buckets == 0 && has_native
    }

    /// Puts how much each native bucket holds, by its index, behind the sum and the zero bucket.
    fn put_native(
        &self,
        numbers_at: usize,
        samples: &mut Samples,
    ) -> std::result::Result<(), Refusal> {
        if self.has_negative {
            return Err(Refusal::Negative);
        }
        let knows = SCHEMAS.contains(&self.schema);
        if self.has_floats || !knows || !(0.0..f64::INFINITY).contains(&self.threshold) {
            return Err(Refusal::Malformed);
        }
        let (numbers, prom) = (&mut samples.numbers, &samples.prom);
        numbers.truncate(numbers_at + 1);
        numbers.push(Number { value: self.threshold, n: self.zeros });
        let (mut idx, mut held, mut count) = (0_i64, 0_i64, self.zeros);
        let mut deltas = prom.deltas.iter();
        for (i, (offset, len)) in prom.spans.iter().enumerate() {
            if i > 0 && *offset < 0 {
                return Err(Refusal::Malformed);
            }
            idx += i64::from(*offset);
            for delta in deltas.by_ref().take(*len as usize) {
                held =
                    held.checked_add(*delta).filter(|held| *held >= 0).ok_or(Refusal::Malformed)?;
                let n = held as u64;
                // A bucket is called by its upper edge here, and by its lower where it is counted.
                numbers.push(Number { value: (idx - 1) as f64, n });
                count = count.checked_add(n).ok_or(Refusal::Malformed)?;
                idx += 1;
            }
        }
        let n_spanned: u64 = prom.spans.iter().map(|(_, len)| u64::from(*len)).sum();
        let fits = i32::try_from(idx).is_ok() && n_spanned == prom.deltas.len() as u64;
        if !fits || count != self.count { Err(Refusal::Malformed) } else { Ok(()) }
    }
}

/// Resolutions of native buckets.
/// Source: prometheus model/histogram/generic.go, `ExponentialSchemaMin` and `ExponentialSchemaMax`.
const SCHEMAS: std::ops::RangeInclusive<i32> = -4..=8;

fn bucket(mut wire: Wire<'_>) -> Result<Number> {
    let mut bucket = Number { value: 0.0, n: 0 };
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => bucket.n = wire.number(kind)?,
            (2, kind) => bucket.value = wire.double(kind)?,
            _ => wire.skip(field)?,
        }
    }
    Ok(bucket)
}

fn span(mut wire: Wire<'_>) -> Result<(i32, u32)> {
    let (mut offset, mut len) = (0, 0);
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => offset = wire.zigzag(kind)?,
            (2, kind) => len = wire.number(kind)? as u32,
            _ => wire.skip(field)?,
        }
    }
    Ok((offset, len))
}

impl<'a> Lines<'a, '_> {
    /// The name of a family's samples: of a counter that OpenMetrics calls without it, with `_total`.
    fn total_name(&self, name: Text, kind: Type, samples: &mut Samples) -> Text {
        let bytes = samples.bytes(self.body, name);
        if kind != Type::Counter || self.catalog.target(bytes).is_some() {
            return name;
        }
        let total = [bytes, b"_total"].concat();
        if self.catalog.target(&total).is_none() {
            return name;
        }
        Text::put(&mut samples.arena, &total)
    }

    /// Finds the family and labels of a metric, or counts why it is refused. Its numbers are the last that came.
    fn metric(
        &mut self,
        name: Text,
        said: Type,
        metric: &Metric,
        numbers_at: usize,
        samples: &mut Samples,
        counts: &mut Counts,
    ) {
        let values_at = samples.values.len();
        let value = match said {
            Type::Counter => metric.counter,
            Type::Gauge => metric.gauge,
            _ => metric.untyped,
        };
        self.start_ns = metric.created.ns();
        if let Some(value) = value
            && !matches!(said, Type::Histogram | Type::GaugeHistogram | Type::Summary)
        {
            samples.numbers.truncate(numbers_at);
            self.resolve(name, Some((name, said)), value, samples, counts);
            return;
        }
        let target = self.catalog.target(samples.bytes(self.body, name));
        let resolved = match (target, &metric.histogram) {
            (None, _) => Err(Refusal::UnknownFamily),
            (Some(target), Some(histogram)) if said == Type::Histogram => {
                match target.family.kind() {
                    Kind::Histogram => {
                        self.resolve_labels(&target, samples).map(|()| (target, histogram))
                    }
                    _ => Err(Refusal::TypeMismatch),
                }
            }
            (Some(_), None) if said == Type::Histogram => Err(Refusal::Malformed),
            (Some(target), _) if said.fits(target.family.kind()) => Err(Refusal::Malformed),
            (Some(_), _) => Err(Refusal::TypeMismatch),
        };
        match resolved {
            Ok((target, histogram)) => {
                let end = (name, values_at, numbers_at);
                if let Err(why) = self.histogram(&target, histogram, end, samples) {
                    samples.numbers.truncate(numbers_at);
                    self.refuse_resolved(&target, name, why, values_at, samples, counts);
                }
            }
            Err(why) => {
                samples.numbers.truncate(numbers_at);
                self.refuse(target, name, why, values_at, samples, counts);
            }
        }
    }

    /// Ends a metric that is a histogram.
    fn histogram(
        &self,
        target: &Target<'a>,
        histogram: &Histogram,
        (name, values_at, numbers_at): (Text, usize, usize),
        samples: &mut Samples,
    ) -> std::result::Result<(), Refusal> {
        group::check_total(histogram.sum)?;
        let (family, start_ns, is_native) = (target.family, self.start_ns, histogram.is_native());
        if is_native {
            histogram.put_native(numbers_at, samples)?;
        } else {
            if histogram.has_floats
                || samples.numbers[numbers_at + 1..].iter().any(|b| b.value.is_nan())
            {
                return Err(Refusal::Malformed);
            }
            if histogram.n_buckets == 0 {
                samples.numbers.push(Number { value: f64::INFINITY, n: histogram.count });
            }
            own_counts(&mut samples.numbers, numbers_at + 1, Some(histogram.count))?;
        }
        samples.numbers[numbers_at].value = histogram.sum;
        if let Values::Totals = self.values {
            let scale = is_native.then_some(histogram.schema);
            let total = group::Total { name, values_at, numbers_at, start_ns, scale };
            samples.wait(self.totals, target, total, self.body);
            return Ok(());
        }
        if is_native {
            put_native(family, histogram, numbers_at, samples)?;
        } else {
            let buckets = &samples.numbers[numbers_at + 1..];
            check_counted(family, buckets, histogram.sum, histogram.count)?;
        }
        samples.push_entry(target.position, family, self.body, values_at, numbers_at);
        Ok(())
    }
}

/// Makes upper edges of the indices of native buckets, from `numbers_at` on.
fn put_native(
    family: &FamilyState,
    histogram: &Histogram,
    numbers_at: usize,
    samples: &mut Samples,
) -> std::result::Result<(), Refusal> {
    let numbers = samples.numbers.split_off(numbers_at);
    let counts = numbers[2..].iter().map(|bucket| (bucket.value as i64, bucket.n));
    let edges = Edges { bounds: &[], scale: Some(histogram.schema) };
    let zeros = (histogram.threshold, histogram.zeros);
    edges::put(family, edges, histogram.sum, zeros, counts, &mut samples.numbers)
}
