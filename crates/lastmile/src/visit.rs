use std::borrow::Cow;

use crate::schema::{Family, Kind};
use crate::store::{Block, CounterValue, FamilyState, Row, Store, UNUSED, unescape};
use crate::time::Ticks;
use crate::value::histogram;

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
    Histogram {
        /// Upper bounds, without `+Inf`.
        bounds: &'a [f64],
        /// Observations in each bucket, not cumulative; one more than there are bounds.
        counts: &'a [u64],
        /// The sum of observations, rounded to the nearest `f64`.
        sum: f64,
    },
}

impl SeriesView<'_> {
    /// The label names and values, in the order of the schema.
    pub fn labels(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        let mut rest = self.body;
        self.family
            .labels()
            .iter()
            .zip(self.family.literals())
            .map(move |(label, literal)| {
                let value = &rest[literal.len()..];
                let end = closing_quote(value);
                rest = &value[end..];
                (
                    label.name(),
                    Cow::Owned(String::from_utf8_lossy(&unescape(&value[..end])).into_owned()),
                )
            })
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        self.value
    }
}

/// Where a value that starts here ends.
fn closing_quote(escaped: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match escaped.get(at) {
            Some(b'"') | None => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

/// Copies block after block out of the store and shows its rows.
pub(crate) fn visit(store: &Store, now: Ticks, visitor: &mut impl Visitor) {
    for family in store.catalog().families() {
        let mut shown = false;
        for shard in 0..store.n_shards() {
            let mut at = 0;
            while let Some((block, singles)) = copy_block(store, family, shard, at, now) {
                at += 1;
                for (i, row) in block.rows.iter().enumerate() {
                    let Some(value) = value_of(family, &block, row, i, &singles) else {
                        continue;
                    };
                    if !std::mem::replace(&mut shown, true) {
                        visitor.family(family.declared());
                    }
                    visitor.series(&SeriesView {
                        family,
                        body: block.body(row),
                        value,
                    });
                }
            }
        }
    }
}

/// The `at`-th block of a family in a shard, and what its counters or gauges stand at.
fn copy_block(
    store: &Store,
    family: &FamilyState,
    shard: usize,
    at: usize,
    now: Ticks,
) -> Option<(Block, Vec<Option<f64>>)> {
    let shard = store.shard(shard);
    let &id = shard.blocks_of(family.slot()).get(at)?;
    let block = shard.block(id).clone();
    let singles = (0..block.rows.len())
        .map(|i| match family.kind() {
            Kind::Counter => Some(match shard.counter(id, i) {
                CounterValue::Whole(n) => n as f64,
                CounterValue::Wide(sum) => sum.to_f64(),
            }),
            Kind::Gauge => shard.gauge(id, i, family.ttl(), now),
            Kind::Histogram => None,
        })
        .collect();
    Some((block, singles))
}

fn value_of<'a>(
    family: &'a FamilyState,
    block: &'a Block,
    row: &Row,
    i: usize,
    singles: &[Option<f64>],
) -> Option<Value<'a>> {
    if row.flags & UNUSED != 0 {
        return None;
    }
    match family.kind() {
        Kind::Counter => singles[i].map(Value::Counter),
        Kind::Gauge => singles[i].map(Value::Gauge),
        Kind::Histogram => {
            let (counts, sum) = histogram::read(block.cells(i));
            Some(Value::Histogram {
                bounds: family.bounds(),
                counts,
                sum: sum.to_f64(),
            })
        }
    }
}
