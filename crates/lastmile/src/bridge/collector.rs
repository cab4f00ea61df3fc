//! An aggregate in a host's registry.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NativeHistogram, NativeHistogramBuckets,
    NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;

use super::descriptor::{Descriptor, Encoder};
use crate::exposition::Escaping;
use crate::schema::Kind;
use crate::store::{FamilyState, Store};
use crate::time::Ticks;
use crate::value::native::NativeView;
use crate::visit::{SeriesView, Value, each_series};
use crate::{Aggregator, Timestamp};

/// An aggregate as `prometheus_client` collects it; see
/// [`Aggregator::collector`](crate::Aggregator::collector).
///
/// Each time that a registry is encoded, it shows all families that have series, those of the aggregator's own
/// included, with live values: who reads the registry is not known here, so no new series is held at 0 for a
/// reader ([`Hold`](crate::Hold)), and Prometheus loses the first increments of one as with any other library.
/// Then time passes, as after a scrape of the aggregate: a series that is to leave is shown once more before.
/// No lock is held while the registry encodes, and no more is copied at a time than one block of rows.
///
/// Families keep their order, names, labels, units, bounds and numbers; what that library has not is shown so:
/// - a counter whose name does not end in `_total` as of unknown type;
/// - a summary as a gauge of its quantiles, and its `_sum` and `_count` as families of their own of unknown
///   type: the series are those of a summary;
/// - names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*` with underscores ([`Escaping::Underscores`]), as it
///   writes no quotes;
/// - exemplars, and when a series began, not at all;
/// - native buckets in its protobuf alone; in text such a histogram has its classic ones, or `+Inf`.
///
/// A prefix or labels of the registry are put before ours. Whether the registry has families of the same names is
/// not looked at.
pub struct Collector {
    agg: Aggregator,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Collector {
    pub(super) fn new(
        agg: Aggregator,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self { agg, clock: Box::new(clock) }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl prometheus_client::collector::Collector for Collector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let inner = self.agg.inner();
        let now = (self.clock)();
        let who = Encoder::of(&encoder);
        let walk = inner.store().walk();
        for family in inner.store().catalog().families() {
            let shown = Shown { family, store: inner.store(), now: inner.ticks(now), who };
            match family.kind() {
                Kind::Summary => shown.summary(&mut encoder)?,
                Kind::Counter | Kind::Gauge | Kind::Histogram => shown.simple(&mut encoder)?,
            }
        }
        // Over before time passes, so that what is left of blocks may join.
        drop(walk);
        inner.tick(now);
        Ok(())
    }
}

/// One family as it is shown.
struct Shown<'a> {
    family: &'a FamilyState,
    store: &'a Store,
    now: Ticks,
    who: Encoder,
}

/// Labels as the library takes them.
type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The totals of one series of a summary.
type Totals = (Labels<'static>, u64, f64);

impl Shown<'_> {
    fn each(&self, show: impl FnMut(&SeriesView<'_>) -> fmt::Result) -> fmt::Result {
        each_series(self.store, self.family, self.now, show)
    }

    /// A family that stays one. What describes it comes with its first series.
    fn simple(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let descriptor = Descriptor::new(self.family.declared(), self.who);
        let mut begun = Begun::new(encoder, &descriptor);
        self.each(|series| {
            let metric = begun.metric()?;
            let labels = labels(series);
            if labels.is_empty() {
                // A set of no labels would be written as `{}`.
                put(metric, descriptor.kind, series)
            } else {
                put(&mut metric.encode_family(&labels)?, descriptor.kind, series)
            }
        })
    }

    /// A summary, which becomes three: all quantiles, then all sums, then all counts. The totals are those of the
    /// moment when the quantiles were read.
    fn summary(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let declared = self.family.declared();
        let descriptor = Descriptor::new(declared, self.who);
        let mut begun = Begun::new(encoder, &descriptor);
        let mut totals: Vec<Totals> = Vec::new();
        self.each(|series| {
            let Value::Summary { quantiles, count, sum } = series.value() else { return Ok(()) };
            let labels = labels(series);
            for (quantile, value) in quantiles {
                let mut labels = labels.clone();
                labels.push((Cow::Borrowed("quantile"), Cow::Owned(quantile.to_string())));
                begun.metric()?.encode_family(&labels)?.encode_gauge(value)?;
            }
            let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
            let labels = labels.into_iter().map(|(name, value)| (owned(name), owned(value)));
            totals.push((labels.collect(), count, sum));
            Ok(())
        })?;
        let sums = Descriptor::of_totals(declared, "_sum", self.who);
        gauges(encoder, &sums, totals.iter().map(|(labels, _, sum)| (labels, sum)))?;
        let counts = Descriptor::of_totals(declared, "_count", self.who);
        gauges(encoder, &counts, totals.iter().map(|(labels, count, _)| (labels, count)))
    }
}

/// A family that is described when its first series comes.
enum Begun<'e, 'd> {
    Not(Option<(&'d mut DescriptorEncoder<'e>, &'d Descriptor)>),
    Metric(MetricEncoder<'d>),
}

impl<'e, 'd> Begun<'e, 'd> {
    fn new(encoder: &'d mut DescriptorEncoder<'e>, descriptor: &'d Descriptor) -> Self {
        Self::Not(Some((encoder, descriptor)))
    }

    fn metric(&mut self) -> Result<&mut MetricEncoder<'d>, fmt::Error> {
        if let Self::Not(waits) = self {
            let (encoder, Descriptor { name, help, unit, kind }) =
                waits.take().ok_or(fmt::Error)?;
            *self = Self::Metric(encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?);
        }
        match self {
            Self::Metric(metric) => Ok(metric),
            Self::Not(_) => Err(fmt::Error),
        }
    }
}

/// Shows a family of one number a series.
fn gauges<'a, V: EncodeGaugeValue + 'a>(
    encoder: &mut DescriptorEncoder<'_>,
    descriptor: &Descriptor,
    series: impl Iterator<Item = (&'a Labels<'static>, &'a V)>,
) -> fmt::Result {
    let mut begun = Begun::new(encoder, descriptor);
    for (labels, value) in series {
        let metric = begun.metric()?;
        if labels.is_empty() {
            metric.encode_gauge(value)?;
        } else {
            metric.encode_family(labels)?.encode_gauge(value)?;
        }
    }
    Ok(())
}

/// The labels of a series, in the order of the schema.
fn labels<'a>(series: &'a SeriesView<'_>) -> Labels<'a> {
    let labels = series.labels();
    labels.map(|(name, value)| (Escaping::Underscores.label_name(name), value)).collect()
}

/// Writes the value of a series whose labels are written.
fn put(metric: &mut MetricEncoder<'_>, kind: MetricType, series: &SeriesView<'_>) -> fmt::Result {
    match (series.value(), kind, series.whole()) {
        (Value::Counter(_), MetricType::Counter, Some(n)) => {
            metric.encode_counter(&n, no_exemplar())
        }
        (Value::Counter(v), MetricType::Counter, None) => metric.encode_counter(&v, no_exemplar()),
        (Value::Counter(_), _, Some(n)) => metric.encode_gauge(&n),
        (Value::Counter(v), _, None) => metric.encode_gauge(&v),
        (Value::Gauge(v), ..) => metric.encode_gauge(&v),
        (Value::Histogram { bounds, counts, sum, native }, ..) => {
            let bounds = bounds.iter().copied().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
            let total = counts.iter().fold(0_u64, |total, n| total.saturating_add(*n));
            match native {
                None => metric.encode_histogram::<NoLabelSet>(sum, total, &buckets, None),
                Some(native) => put_native(metric, sum, total, &buckets, native),
            }
        }
        (Value::Summary { .. }, ..) => Err(fmt::Error),
    }
}

fn no_exemplar() -> Option<&'static Exemplar<NoLabelSet, f64>> {
    None
}

fn put_native(
    metric: &mut MetricEncoder<'_>,
    sum: f64,
    total: u64,
    buckets: &[(f64, u64)],
    native: NativeView<'_>,
) -> fmt::Result {
    let (spans, deltas) = spans(native);
    let native = NativeHistogram {
        schema: i32::from(native.schema()),
        zero_threshold: native.zero_threshold(),
        zero_count: native.zero_count(),
        negative: NativeHistogramBuckets { spans: &[], deltas: &[] },
        positive: NativeHistogramBuckets { spans: &spans, deltas: &deltas },
        created: None,
    };
    metric.encode_histogram_with_native::<NoLabelSet>(sum, total, buckets, None, native)
}

/// Runs of buckets, each as its distance from the one before and how many it has; and of each bucket by how much
/// it counts more than the one before.
/// Source: Prometheus docs/specs/native_histograms.md, "Exposition formats".
fn spans(native: NativeView<'_>) -> (Vec<(i32, u32)>, Vec<i64>) {
    let (mut spans, mut deltas): (Vec<(i32, u32)>, Vec<i64>) = (Vec::new(), Vec::new());
    let (mut next, mut before) = (0, 0);
    for (idx, count) in native.buckets() {
        match spans.last_mut() {
            Some((_, len)) if idx == next => *len += 1,
            _ => spans.push((idx - next, 1)),
        }
        deltas.push(count.wrapping_sub(before) as i64);
        (next, before) = (idx + 1, count);
    }
    (spans, deltas)
}
