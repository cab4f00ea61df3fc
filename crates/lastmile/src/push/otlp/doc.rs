//! What a request holds, as both encodings read it and before anything is asked of the schema: flat lists, kept
//! between pushes.
//!
//! Fields may come in any order, the name of a metric behind its points and the resource behind all of its metrics. So
//! a resource is read to its end, then looked at, and what it took is used again for the next.

use super::cumulative::Pending;
use crate::push::error::{DecodeError, DecodeReason};
use crate::push::report::Refusal;
use crate::store::Text;
use crate::totals::Amount;

type Result<T> = std::result::Result<T, DecodeError>;

/// Most data points of one body, as of lines in Prometheus text.
const POINTS_MAX: usize = 1 << 18;

/// Most attributes of the points of one resource: 24 MiB.
const ATTRIBUTES_MAX: usize = 1 << 20;

/// Most attributes of a resource itself, among which each family of its metrics looks for its labels. Those that
/// detectors of clouds and clusters find are some fifty.
const OF_RESOURCE_MAX: usize = 256;

/// Most buckets and bounds of one body: 16 MiB.
const BUCKETS_MAX: usize = 1 << 21;

/// From, and up to but without.
pub(super) type Span = (u32, u32);

/// The elements of a span.
pub(super) fn within<T>(all: &[T], (from, to): Span) -> &[T] {
    &all[from as usize..to as usize]
}

/// An attribute's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    Absent,
    Text(Text),
    Bool(bool),
    Whole(i64),
    Double(f64),
    /// A list, a map or bytes, as they stand in the body.
    Other(Text),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub(super) key: Text,
    pub(super) value: Value,
}

/// What the points of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

/// Whether points are increments or totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temporality {
    /// It does not say, or says what nobody knows.
    Unknown,
    Delta,
    Cumulative,
}

impl Temporality {
    /// Source: opentelemetry-proto, metrics/v1/metrics.proto, `AggregationTemporality`.
    pub(super) fn numbered(number: i64) -> Self {
        match number {
            1 => Self::Delta,
            2 => Self::Cumulative,
            _ => Self::Unknown,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) name: Text,
    pub(super) version: Text,
    pub(super) attributes: Span,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    pub(super) name: Text,
    pub(super) unit: Text,
    /// `None` if it has no points that anybody knows.
    pub(super) kind: Option<Kind>,
    pub(super) temporality: Temporality,
    pub(super) is_monotonic: bool,
    pub(super) points: Span,
    pub(super) scope: u32,
}

impl Metric {
    pub(super) const EMPTY: Self = Self {
        name: Text::EMPTY,
        unit: Text::EMPTY,
        kind: None,
        temporality: Temporality::Unknown,
        is_monotonic: false,
        points: (0, 0),
        scope: 0,
    };
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) attributes: Span,
    pub(super) start_ns: u64,
    pub(super) time_ns: u64,
    /// It says that there is nothing to tell.
    pub(super) is_empty: bool,
    pub(super) data: Data,
}

impl Point {
    pub(super) const EMPTY: Self = Self {
        attributes: (0, 0),
        start_ns: 0,
        time_ns: 0,
        is_empty: false,
        data: Data::Number(None),
    };
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Data {
    Number(Option<Amount>),
    /// The place of a histogram.
    Counted(u32),
}

/// A histogram's point, explicit or exponential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) counts: Span,
    pub(super) bounds: Span,
    /// Of an exponential one; the other has none.
    pub(super) scale: Option<i32>,
    pub(super) offset: i32,
    pub(super) zeros: u64,
    pub(super) threshold: f64,
    /// Whether anything below 0 was counted.
    pub(super) has_negative: bool,
}

impl Counted {
    pub(super) const EMPTY: Self = Self {
        count: 0,
        sum: None,
        counts: (0, 0),
        bounds: (0, 0),
        scale: None,
        offset: 0,
        zeros: 0,
        threshold: 0.0,
        has_negative: false,
    };
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    /// Those of points, a point's together.
    pub(super) attributes: Vec<Attribute>,
    pub(super) of_resource: Vec<Attribute>,
    pub(super) of_scopes: Vec<Attribute>,
    pub(super) scopes: Vec<Scope>,
    pub(super) metrics: Vec<Metric>,
    pub(super) points: Vec<Point>,
    /// Those of the whole body, as totals wait in them.
    pub(super) counted: Vec<Counted>,
    pub(super) counts: Vec<u64>,
    pub(super) bounds: Vec<f64>,
    n_points: usize,
    /// Points that are totals.
    pub(super) pending: Vec<Pending>,
    /// Whether texts in the body may hold what is escaped where it is exposed, which JSON's do not.
    pub(super) is_raw: bool,
    /// The place where each label's value stood last, by label.
    pub(super) order: Vec<u8>,
    /// Where the resource has what families look for.
    pub(super) of_families: OfFamilies,
    /// A name on its way to that of a family.
    pub(super) name: Vec<u8>,
    /// A total on its way to the last.
    pub(super) words: Vec<u64>,
    pub(super) risen: Vec<(i64, u64)>,
}

#[cold]
fn too_many(at: usize, detail: &'static str) -> DecodeError {
    DecodeError::new(DecodeReason::TooManyPoints, at, detail)
}

impl Doc {
    /// Forgets the body before.
    pub(crate) fn clear(&mut self) {
        self.clear_resource();
        self.counted.clear();
        self.counts.clear();
        self.bounds.clear();
        self.pending.clear();
        self.n_points = 0;
    }

    /// Forgets the resource before.
    pub(super) fn clear_resource(&mut self) {
        self.attributes.clear();
        self.of_resource.clear();
        self.of_scopes.clear();
        self.scopes.clear();
        self.metrics.clear();
        self.points.clear();
        self.of_families.clear();
    }

    /// Points that are totals and wait for what they rose by.
    pub(crate) fn n_pending(&self) -> u64 {
        self.pending.len() as u64
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        fn of<T>(kept: &Vec<T>) -> usize {
            kept.capacity() * size_of::<T>()
        }
        of(&self.attributes)
            + of(&self.of_resource)
            + of(&self.of_scopes)
            + of(&self.scopes)
            + of(&self.metrics)
            + of(&self.points)
            + of(&self.counted)
            + of(&self.counts)
            + of(&self.bounds)
            + of(&self.pending)
            + of(&self.name)
            + of(&self.words)
            + of(&self.risen)
    }

    /// An attribute that ended at `at` of the body.
    #[inline]
    pub(super) fn attribute(&mut self, to: List, attribute: Attribute, at: usize) -> Result<()> {
        let (list, max, detail) = match to {
            List::Point => {
                (&mut self.attributes, ATTRIBUTES_MAX, "there are more than 1,048,576 attributes")
            }
            List::Scope => {
                (&mut self.of_scopes, ATTRIBUTES_MAX, "there are more than 1,048,576 attributes")
            }
            List::Resource => {
                (&mut self.of_resource, OF_RESOURCE_MAX, "a resource has more than 256 attributes")
            }
        };
        if list.len() == max {
            return Err(too_many(at, detail));
        }
        list.push(attribute);
        Ok(())
    }

    #[inline]
    pub(super) fn point(&mut self, point: Point, at: usize) -> Result<()> {
        if self.n_points == POINTS_MAX {
            return Err(too_many(at, "there are more than 262,144 data points"));
        }
        self.n_points += 1;
        self.points.push(point);
        Ok(())
    }

    #[inline]
    pub(super) fn count(&mut self, count: u64, at: usize) -> Result<()> {
        if self.counts.len() == BUCKETS_MAX {
            return Err(too_many(at, "there are more than 2,097,152 buckets"));
        }
        self.counts.push(count);
        Ok(())
    }

    #[inline]
    pub(super) fn bound(&mut self, bound: f64, at: usize) -> Result<()> {
        if self.bounds.len() == BUCKETS_MAX {
            return Err(too_many(at, "there are more than 2,097,152 bounds"));
        }
        self.bounds.push(bound);
        Ok(())
    }

    /// Keeps a histogram's point and gives its place.
    pub(super) fn keep(&mut self, counted: Counted) -> Data {
        self.counted.push(counted);
        Data::Counted(self.counted.len() as u32 - 1)
    }

    /// The points of a metric begin here, all before of another kind that it had are none.
    pub(super) fn begin(&mut self, metric: &mut Metric, kind: Kind) {
        if metric.kind.is_some_and(|before| before != kind) {
            // They were read all the same, and are among those that there may be.
            self.points.truncate(metric.points.0 as usize);
        }
        metric.kind = Some(kind);
    }

    /// A metric begins, before it is known to have points.
    pub(super) fn begin_metric(&self) -> Metric {
        let at = self.points.len() as u32;
        Metric { points: (at, at), scope: self.scopes.len() as u32, ..Metric::EMPTY }
    }

    /// The metric ends; one without points is none.
    pub(super) fn end_metric(&mut self, mut metric: Metric) {
        metric.points.1 = self.points.len() as u32;
        if metric.points.0 < metric.points.1 {
            self.metrics.push(metric);
        }
    }

    /// A scope ends; one without metrics is none.
    pub(super) fn end_scope(&mut self, mut scope: Scope) {
        scope.attributes.1 = self.of_scopes.len() as u32;
        let is_used = self.metrics.last().is_some_and(|m| m.scope as usize == self.scopes.len());
        if is_used {
            self.scopes.push(scope);
        } else {
            self.of_scopes.truncate(scope.attributes.0 as usize);
        }
    }

    pub(super) fn begin_scope(&self) -> Scope {
        let at = self.of_scopes.len() as u32;
        Scope { name: Text::EMPTY, version: Text::EMPTY, attributes: (at, at) }
    }
}

/// Where a resource has the attribute of a label, if it has.
pub(super) type Place = std::result::Result<Option<u32>, Refusal>;

/// Those of each label of the families that were looked for in a resource, each once: a resource may have many
/// attributes, and many points after it.
#[derive(Debug, Default)]
pub(super) struct OfFamilies {
    /// By position, which resource it was, and where its labels begin.
    starts: Vec<(u32, u32)>,
    places: Vec<Place>,
    /// Counts resources.
    resource: u32,
}

impl OfFamilies {
    fn clear(&mut self) {
        self.places.clear();
        self.resource = self.resource.wrapping_add(1);
        if self.resource == 0 {
            self.starts.clear();
        }
    }

    /// Where label `i` of a family is; `all` finds those of all its labels.
    pub(super) fn place<I>(&mut self, family: u32, i: usize, all: impl FnOnce() -> I) -> Place
    where
        I: Iterator<Item = Place>,
    {
        let family = family as usize;
        if self.starts.len() <= family {
            self.starts.resize(family + 1, (self.resource.wrapping_sub(1), 0));
        }
        let (resource, start) = self.starts[family];
        let start = if resource == self.resource {
            start as usize
        } else {
            let start = self.places.len();
            self.places.extend(all());
            self.starts[family] = (self.resource, start as u32);
            start
        };
        self.places[start + i]
    }
}

/// Whose attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Point,
    Resource,
    Scope,
}
