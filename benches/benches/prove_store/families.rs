//! The families that the proof pushes to, and the totals that are kept of them.
//!
//! A *cell* is one number that must come out exactly: the sum over all series of a family that have the
//! same closed values, and beside them what each existing series stands at. A histogram has a cell for
//! each of its lines. Numbers are kept in quarters, so that fractions are whole as well.

use std::time::Duration;

use lastmile::{Aggregator, Family, Label, Limits, Otherwise, Schema};
use lastmile_benches::now;

/// Bounds of the histogram.
pub(crate) const BOUNDS: [f64; 4] = [0.25, 1.0, 4.0, 16.0];

/// Places in a histogram's cells: each bound, `+Inf`, sum, count.
pub(crate) const INF: usize = BOUNDS.len();
pub(crate) const SUM: usize = INF + 1;
pub(crate) const COUNT: usize = SUM + 1;

/// Longest value of an open label, in bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 128;

/// Series of each family with an open label that exist before the flood.
pub(crate) const N_FIXED: usize = 8;

/// How the values of their open labels begin; a digit follows.
pub(crate) const FIXED: &str = "/fixed/";

use LabelShape::{Folding, Open, Refusing};

#[derive(Debug)]
pub(crate) enum LabelShape {
    Open(&'static str),
    /// Unlisted values become `other`, which is the last of these.
    Folding(&'static str, &'static [&'static str]),
    /// Unlisted values are refused.
    Refusing(&'static str, &'static [&'static str]),
}

impl LabelShape {
    pub(crate) fn name(&self) -> &'static str {
        let (Open(name) | Folding(name, _) | Refusing(name, _)) = self;
        name
    }

    pub(crate) fn refuses(&self) -> bool {
        matches!(self, Refusing(..))
    }

    /// The values of a closed label, `other` included.
    pub(crate) fn values(&self) -> Option<&'static [&'static str]> {
        match self {
            Open(_) => None,
            Folding(_, values) | Refusing(_, values) => Some(values),
        }
    }
}

/// Labels whose values may be limited. With others beside them that are not, there are still new series.
const NARROW: [&str; 2] = ["country", "site"];

#[derive(Debug)]
pub(crate) struct FamilyShape {
    pub(crate) name: &'static str,
    pub(crate) is_histogram: bool,
    /// Whether increments have fractions.
    pub(crate) has_fractions: bool,
    pub(crate) labels: &'static [LabelShape],
}

const DEVICES: &[&str] = &["phone", "desktop"];
const KINDS: &[&str] = &["script", "network", "other"];

pub(crate) const FAMILIES: [FamilyShape; 5] = [
    FamilyShape {
        name: "page_views_total",
        is_histogram: false,
        has_fractions: false,
        labels: &[Refusing("device", DEVICES), Open("page")],
    },
    // Not in the order in which clients sort them.
    FamilyShape {
        name: "errors_total",
        is_histogram: false,
        has_fractions: false,
        labels: &[Open("page"), Folding("kind", KINDS), Open("code"), Open("site")],
    },
    FamilyShape {
        name: "active_seconds_total",
        is_histogram: false,
        has_fractions: true,
        labels: &[Open("country"), Refusing("device", DEVICES), Open("page")],
    },
    FamilyShape {
        name: "load_seconds",
        is_histogram: true,
        has_fractions: false,
        labels: &[Refusing("device", DEVICES), Open("page")],
    },
    FamilyShape {
        name: "clicks_total",
        is_histogram: false,
        has_fractions: false,
        labels: &[Refusing("device", DEVICES), Folding("kind", KINDS)],
    },
];

impl FamilyShape {
    /// Cells of one series, or of one sum.
    pub(crate) fn n_fields(&self) -> usize {
        if self.is_histogram { COUNT + 1 } else { 1 }
    }

    /// Combinations of closed values.
    pub(crate) fn n_combinations(&self) -> usize {
        self.labels.iter().filter_map(LabelShape::values).map(<[_]>::len).product()
    }

    pub(crate) fn n_fixed(&self) -> usize {
        if self.labels.iter().any(|label| label.values().is_none()) { N_FIXED } else { 0 }
    }

    fn n_cells(&self) -> usize {
        (self.n_combinations() + self.n_fixed()) * self.n_fields()
    }
}

/// The first cell of a family: sums by combination first, then the existing series.
pub(crate) fn first_cell(family: usize) -> usize {
    FAMILIES[..family].iter().map(FamilyShape::n_cells).sum()
}

/// All cells.
pub(crate) fn n_cells() -> usize {
    first_cell(FAMILIES.len())
}

/// What a cell holds, in words.
pub(crate) fn describe(cell: usize) -> String {
    let family = (0..FAMILIES.len()).rfind(|f| first_cell(*f) <= cell).unwrap_or(0);
    let shape = &FAMILIES[family];
    let at = cell - first_cell(family);
    let (row, line) = (at / shape.n_fields(), at % shape.n_fields());
    let what = match row.checked_sub(shape.n_combinations()) {
        Some(fixed) => format!("existing series {fixed}"),
        None => format!("sum of combination {row}"),
    };
    format!("{}: {what}, line {line}", shape.name)
}

/// An aggregator of these families, with room for so many values of the narrow labels.
pub(crate) fn aggregator(limits: Limits, values: u32, ttl: Option<Duration>) -> Aggregator {
    let schema = FAMILIES.iter().fold(Schema::builder(), |schema, shape| {
        let mut family = if shape.is_histogram {
            Family::histogram(shape.name, BOUNDS)
        } else {
            Family::counter(shape.name)
        };
        for label in shape.labels {
            family = family.label(match label {
                Open(name) => {
                    let values = if NARROW.contains(name) { values } else { u32::MAX };
                    Label::open(*name, values).max_bytes(VALUE_BYTES_MAX)
                }
                Folding(name, listed) => {
                    Label::closed(*name, listed.iter().copied().filter(|value| *value != "other"))
                }
                Refusing(name, listed) => {
                    Label::closed(*name, listed.iter().copied()).otherwise(Otherwise::Refuse)
                }
            });
        }
        schema.family(match ttl {
            Some(ttl) if shape.n_fixed() > 0 => family.ttl(ttl),
            _ => family,
        })
    });
    let schema = schema.build().expect("the families are valid");
    Aggregator::new(schema, limits, now()).expect("the limits have room for what is reserved")
}
