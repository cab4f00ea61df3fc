use std::borrow::Cow;
use std::convert::Infallible;

use crate::schema::{Family, Kind, Label};
use crate::store::{Block, CounterValue, FamilyState, Row, Store, UNUSED, body_values};
use crate::time::Ticks;
use crate::value::histogram;
use crate::value::native::NativeView;
use crate::value::summary::{QUANTILES, Quantiles};

/// Looks at an aggregate family by family, series by series; see
/// [`Aggregator::visit`](crate::Aggregator::visit).
///
/// ```
/// use lastmile::{Aggregator, Family, Limits, Schema, SeriesView, Timestamp, Value, Visitor};
///
/// struct Total(f64);
/// impl Visitor for Total {
///     fn family(&mut self, _: &Family) {}
///     fn series(&mut self, series: &SeriesView<'_>) {
///         if let Value::Counter(v) = series.value() {
///             self.0 += v;
///         }
///     }
/// }
/// # let now = Timestamp::new(0, std::time::Duration::ZERO);
/// # let schema = Schema::builder().family(Family::counter("jobs_total")).build()?;
/// # let agg = Aggregator::new(schema, Limits::default(), now)?;
/// let mut total = Total(0.0);
/// agg.visit(now, &mut total);
/// assert_eq!(total.0, 0.0);
/// # Ok::<(), lastmile::Error>(())
/// ```
pub trait Visitor {
    /// A family that has series to show; they follow.
    fn family(&mut self, family: &Family);

    /// One series of the family last shown.
    fn series(&mut self, series: &SeriesView<'_>);
}

/// One series as it stands.
#[derive(Debug)]
pub struct SeriesView<'a> {
    family: &'a FamilyState,
    body: &'a [u8],
    value: Value<'a>,
    whole: Option<u64>,
}

/// What a series stands at.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A counter, rounded to the nearest `f64`.
    Counter(f64),
    /// A gauge.
    Gauge(f64),
    /// A histogram.
    #[non_exhaustive]
    Histogram {
        /// Upper bounds, without `+Inf`; none if it has native buckets alone.
        bounds: &'a [f64],
        /// Observations in each bucket, not cumulative; one more than there are bounds.
        counts: &'a [u64],
        /// The sum of observations, rounded to the nearest `f64`.
        sum: f64,
        /// The native buckets, if the family declares them. They have the same observations.
        native: Option<NativeView<'a>>,
    },
    /// A summary.
    Summary {
        /// Pairs of quantile and value of the last 8 to 10 minutes, ascending; empty if nothing was
        /// observed in them.
        quantiles: &'a [(f64, f64)],
        /// Observations ever.
        count: u64,
        /// Their sum, rounded to the nearest `f64`.
        sum: f64,
    },
}

impl SeriesView<'_> {
    /// The label names and values, in the order of the schema.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let names = self.family.labels().iter().map(Label::name);
        names.zip(body_values(self.family, self.body)).map(|(name, value)| {
            // Bodies are UTF-8, as pushes were checked to be.
            let value = match value {
                Cow::Borrowed(value) => String::from_utf8_lossy(value),
                Cow::Owned(value) => Cow::Owned(String::from_utf8_lossy(&value).into_owned()),
            };
            (name, value)
        })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        self.value
    }

    /// All digits of a counter that is a whole number of 64 bits, of which an `f64` has 53.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        self.whole
    }
}

/// Shows all families and their rows.
pub(crate) fn visit(store: &Store, now: Ticks, visitor: &mut impl Visitor) {
    let _walk = store.walk();
    for family in store.catalog().families() {
        let mut shown = false;
        let Ok(()) = each_series(store, family, now, |series| {
            if !std::mem::replace(&mut shown, true) {
                visitor.family(family.declared());
            }
            visitor.series(series);
            Ok::<(), Infallible>(())
        });
    }
}

/// Copies block after block of a family out of the store and shows its rows, up to the first error. The
/// caller holds a [`Walk`](crate::store::Walk); no lock is held while `show` runs.
pub(crate) fn each_series<E>(
    store: &Store,
    family: &FamilyState,
    now: Ticks,
    mut show: impl FnMut(&SeriesView<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for shard in 0..store.n_shards() {
        let mut seq = 0;
        while let Some((block, copied)) = copy_block(store, family, shard, seq, now) {
            seq = block.seq();
            for (i, row) in block.rows.iter().enumerate() {
                if let Some(value) = value_of(family, &block, row, i, &copied) {
                    let whole = copied[i].whole;
                    show(&SeriesView { family, body: block.body(row), value, whole })?;
                }
            }
        }
    }
    Ok(())
}

/// What a row stands at that is not in its cells.
#[derive(Default)]
struct Copied {
    /// Of a counter or gauge.
    single: Option<f64>,
    /// Of a counter that is whole.
    whole: Option<u64>,
    /// Of a summary.
    quantiles: Option<[(f64, f64); QUANTILES.len()]>,
}

/// The first block of a family in a shard behind the one numbered `seq`, and what its rows stand at.
fn copy_block(
    store: &Store,
    family: &FamilyState,
    shard: usize,
    seq: u64,
    now: Ticks,
) -> Option<(Block, Vec<Copied>)> {
    let shard = store.shard(shard);
    let id = shard.block_after(family.slot(), seq)?;
    let block = shard.block(id).copied();
    let copied = (0..block.rows.len())
        .map(|i| match family.kind() {
            Kind::Counter => match shard.counter(id, &block.rows[i], i) {
                CounterValue::Whole(n) => {
                    Copied { whole: Some(n), ..Copied::single(Some(n as f64)) }
                }
                CounterValue::Wide(sum) => Copied::single(Some(sum.to_f64())),
            },
            Kind::Gauge => Copied::single(shard.gauge(id, i, family.ttl(), now)),
            Kind::Histogram => Copied::default(),
            Kind::Summary => {
                let values = shard.block(id).quantiles(i, family, now);
                let pair = |values: Quantiles| std::array::from_fn(|q| (QUANTILES[q], values[q]));
                Copied { quantiles: values.map(pair), ..Copied::default() }
            }
        })
        .collect();
    Some((block, copied))
}

impl Copied {
    fn single(single: Option<f64>) -> Self {
        Self { single, ..Self::default() }
    }
}

fn value_of<'a>(
    family: &'a FamilyState,
    block: &'a Block,
    row: &Row,
    i: usize,
    copied: &'a [Copied],
) -> Option<Value<'a>> {
    if row.flags & UNUSED != 0 {
        return None;
    }
    match family.kind() {
        Kind::Counter => copied[i].single.map(Value::Counter),
        Kind::Gauge => copied[i].single.map(Value::Gauge),
        Kind::Histogram => {
            let (counts, sum) = histogram::read(block.cells(i));
            let native = block.native(i, family);
            Some(Value::Histogram { bounds: family.bounds(), counts, sum: sum.to_f64(), native })
        }
        Kind::Summary => {
            let (counts, sum) = histogram::read(block.cells(i));
            let quantiles = copied[i].quantiles.as_ref().map_or(&[][..], |pairs| pairs);
            Some(Value::Summary { quantiles, count: counts[0], sum: sum.to_f64() })
        }
    }
}
