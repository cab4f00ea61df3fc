//! What the points of a resource mean: each is found its family and the values of its labels, and becomes an entry, or
//! waits as a total. Both encodings come here, so that what a point means is written once.

use std::io::Write;

use super::counted::Agreed;
use super::cumulative::{Pending, StreamNames};
use super::doc::{Attribute, Data, Doc, Kind, Metric, Point, Temporality, Value, within};
use super::names;
use crate::push::number::Number;
use crate::push::report::{Counts, Refusal};
use crate::push::samples::Samples;
use crate::schema::Kind as FamilyKind;
use crate::store::{Catalog, Target, Text, same};
use crate::totals::{Amount, Totals};

/// What the points of a metric do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// They add, or set a gauge.
    Apply,
    /// They are totals.
    Rise,
}

/// Looks at a resource that was read.
pub(super) fn resource(
    catalog: &Catalog,
    totals: Option<&Totals>,
    body: &[u8],
    doc: &mut Doc,
    samples: &mut Samples,
    counts: &mut Counts,
) {
    let metrics = std::mem::take(&mut doc.metrics);
    let mut streams = StreamNames::default();
    samples.labels.clear();
    for metric in &metrics {
        let (said, unit) = (samples.bytes(body, metric.name), samples.bytes(body, metric.unit));
        let target = metric.kind.and_then(|kind| {
            names::target(catalog, said, unit, kind, metric.is_monotonic, &mut doc.name)
        });
        let effect = match target {
            None => Err(Refusal::UnknownFamily),
            Some(target) => {
                let unit_name = target.family.declared().unit_name();
                let fits = names::unit_fits(unit_name, unit, &mut doc.name);
                if fits { effect(metric, target.family.kind()) } else { Err(Refusal::TypeMismatch) }
            }
        };
        doc.order.clear();
        for at in metric.points.0 as usize..metric.points.1 as usize {
            let point = doc.points[at];
            let values_at = samples.values.len();
            let resolved = effect.and_then(|effect| {
                let target = target.ok_or(Refusal::UnknownFamily)?;
                labels(&target, body, doc, &point, samples)?;
                Ok((target, effect))
            });
            match resolved {
                Ok((target, Effect::Rise)) if !point.is_empty => match totals {
                    Some(totals) => {
                        let stream = streams.stream(totals, body, doc, metric, &point, samples);
                        let name = metric.name;
                        wait(&target, name, stream, body, doc, &point, samples, values_at, counts);
                    }
                    // What it adds nobody can tell here, but what the schema makes of its labels.
                    None => {
                        if let Err(why) = samples.check_values(target.family, body, values_at) {
                            samples.note_values(target.family, body, values_at, why, 1);
                        }
                    }
                },
                Ok((target, _)) => {
                    apply(&target, metric, body, doc, &point, samples, values_at, counts);
                }
                Err(why) => {
                    let family = target.map(|target| target.family);
                    samples.note_entry(body, Some(metric.name), family, values_at, why, 1);
                    samples.labels.clear();
                    samples.values.truncate(values_at);
                    counts.refuse(why, 1);
                }
            }
        }
    }
    doc.metrics = metrics;
}

/// What the points of a metric do in a family of this type.
fn effect(metric: &Metric, family: FamilyKind) -> Result<Effect, Refusal> {
    match (metric.kind, family) {
        (Some(Kind::Gauge), FamilyKind::Gauge) => return Ok(Effect::Apply),
        // What goes up and down is a level, and its total is that level now; increments of it no gauge can add up.
        (Some(Kind::Sum), FamilyKind::Gauge) if !metric.is_monotonic => {
            return match metric.temporality {
                Temporality::Cumulative => Ok(Effect::Apply),
                Temporality::Delta => Err(Refusal::TypeMismatch),
                Temporality::Unknown => Err(Refusal::Malformed),
            };
        }
        (Some(Kind::Sum), FamilyKind::Counter) if metric.is_monotonic => {}
        (Some(Kind::Histogram | Kind::Exponential), FamilyKind::Histogram) => {}
        _ => return Err(Refusal::TypeMismatch),
    }
    match metric.temporality {
        Temporality::Delta => Ok(Effect::Apply),
        Temporality::Cumulative => Ok(Effect::Rise),
        Temporality::Unknown => Err(Refusal::Malformed),
    }
}

/// Makes an entry of a point, whose label values are the last that came.
#[expect(clippy::too_many_arguments, reason = "all that one point is made of")]
#[inline]
fn apply(
    target: &Target<'_>,
    metric: &Metric,
    body: &[u8],
    doc: &Doc,
    point: &Point,
    samples: &mut Samples,
    values_at: usize,
    counts: &mut Counts,
) {
    if point.is_empty {
        // It says that there is nothing to tell, which is no less than that.
        samples.values.truncate(values_at);
        counts.accept(1);
        return;
    }
    let numbers_at = samples.numbers.len();
    let counted = match point.data {
        Data::Number(amount) => {
            let value = amount.map_or(f64::NAN, Amount::to_f64);
            samples.numbers.push(Number { value, n: 1 });
            return samples.finish_entry(target, body, values_at, numbers_at, counts);
        }
        Data::Counted(at) => &doc.counted[at as usize],
    };
    let put = Agreed::new(doc, counted)
        .and_then(|agreed| agreed.put(target.family, &mut samples.numbers));
    match put {
        Ok(()) => {
            samples.push_entry(target.position, target.family, body, values_at, numbers_at);
        }
        Err(why) => {
            refuse(target, metric.name, why, body, samples, (values_at, numbers_at), counts);
        }
    }
}

/// Counts why a point is refused.
#[cold]
pub(super) fn refuse(
    target: &Target<'_>,
    name: Text,
    why: Refusal,
    body: &[u8],
    samples: &mut Samples,
    (values_at, numbers_at): (usize, usize),
    counts: &mut Counts,
) {
    samples.numbers.truncate(numbers_at);
    samples.refuse_series(target.family, name, values_at, why, 1, body, counts);
}

/// Checks a point that is a total against itself, and keeps it until the whole body is known to be new.
#[expect(clippy::too_many_arguments, reason = "all that one point is made of")]
fn wait(
    target: &Target<'_>,
    name: Text,
    stream: crate::totals::Stream,
    body: &[u8],
    doc: &mut Doc,
    point: &Point,
    samples: &mut Samples,
    values_at: usize,
    counts: &mut Counts,
) {
    let checked = match point.data {
        Data::Number(amount) => match amount.map_or(f64::NAN, Amount::to_f64) {
            value if value.is_nan() => Err(Refusal::NotANumber),
            value if value.is_infinite() => Err(Refusal::NotFinite),
            value if value < 0.0 => Err(Refusal::Negative),
            _ => Ok(()),
        },
        Data::Counted(at) => Agreed::new(doc, &doc.counted[at as usize]).map(drop),
    };
    match checked {
        Ok(()) => {
            let (family, values_at) = (target.position, values_at as u32);
            doc.pending.push(Pending { family, values_at, name, stream, data: point.data });
        }
        Err(why) => {
            let numbers_at = samples.numbers.len();
            refuse(target, name, why, body, samples, (values_at, numbers_at), counts);
        }
    }
}

/// Puts the values of a family's labels behind those of earlier entries, from the attributes of a point and, for what
/// it does not have, of the resource. Attributes that the family does not declare are passed over: series that differ
/// in them alone are one, which adds up what they count.
#[inline]
fn labels(
    target: &Target<'_>,
    body: &[u8],
    doc: &mut Doc,
    point: &Point,
    samples: &mut Samples,
) -> Result<(), Refusal> {
    let Doc { attributes, of_resource, of_families, order, is_raw, .. } = doc;
    let (family, sent, is_raw) = (target.family, target.family.sent(), *is_raw);
    let attributes = within(attributes, point.attributes);
    let at = samples.values.len();
    samples.values.resize(at + family.labels().len(), Text::EMPTY);
    // Points of a metric mostly have the same keys in the same order: those of the labels and no other, so none twice.
    let is_as_before = attributes.len() == sent.len()
        && order.len() == sent.len()
        && sent.iter().zip(&*order).all(|(i, place)| {
            let name = family.labels()[usize::from(*i)].name().as_bytes();
            attributes.get(usize::from(*place)).is_some_and(|attribute| {
                let key = samples.bytes(body, attribute.key);
                same(name, key) || names::is_label_of(name, key)
            })
        });
    if is_as_before {
        for (i, place) in sent.iter().zip(&*order) {
            let value = attributes[usize::from(*place)].value;
            samples.values[at + usize::from(*i)] = samples.label_value(body, value, is_raw)?;
        }
        samples.fill_served(target, at);
        return Ok(());
    }
    order.clear();
    for i in sent {
        let label = usize::from(*i);
        let value = match find(attributes, family.labels()[label].name(), body, samples)? {
            Some(place) => {
                let known = u8::try_from(place).ok().filter(|known| !order.contains(known));
                order.push(known.unwrap_or(u8::MAX));
                attributes[place].value
            }
            None => {
                let place = of_families.place(target.position, label, || {
                    family.labels().iter().map(|label| {
                        let place = find(of_resource, label.name(), body, samples)?;
                        Ok(place.map(|place| place as u32))
                    })
                })?;
                place.map_or(Value::Absent, |place| of_resource[place as usize].value)
            }
        };
        if matches!(value, Value::Absent) {
            samples.note_missing(family, *i);
        }
        samples.values[at + label] = samples.label_value(body, value, is_raw)?;
    }
    samples.fill_served(target, at);
    Ok(())
}

/// The attribute that is a label's: that of its very name, or the one whose key Prometheus makes that name of.
fn find(
    attributes: &[Attribute],
    label: &str,
    body: &[u8],
    samples: &Samples,
) -> Result<Option<usize>, Refusal> {
    let one = |is: &dyn Fn(&[u8]) -> bool| {
        let mut found = None;
        for (place, attribute) in attributes.iter().enumerate() {
            if is(samples.bytes(body, attribute.key)) && found.replace(place).is_some() {
                return Err(Refusal::Malformed);
            }
        }
        Ok(found)
    };
    let label = label.as_bytes();
    match one(&|key| same(key, label))? {
        Some(place) => Ok(Some(place)),
        None => one(&|key| names::is_label_of(label, key)),
    }
}

impl Samples {
    /// The text that an attribute's value is as a label.
    #[inline]
    fn label_value(&mut self, body: &[u8], value: Value, is_raw: bool) -> Result<Text, Refusal> {
        match value {
            Value::Text(text) if is_raw => Ok(text.marked(body)),
            Value::Text(text) => Ok(text),
            Value::Absent => Err(Refusal::MissingLabel),
            Value::Other(_) => Err(Refusal::Malformed),
            Value::Bool(value) => {
                Ok(Text::put(&mut self.arena, if value { b"true" } else { b"false" }))
            }
            Value::Whole(n) => {
                Ok(Text::put(&mut self.arena, itoa::Buffer::new().format(n).as_bytes()))
            }
            Value::Double(v) => {
                let start = self.arena.len();
                put_double(&mut self.arena, v);
                Ok(Text::in_arena(&self.arena, start))
            }
        }
    }

    /// Says which label is missing, where notes are taken: all before it are there.
    #[cold]
    fn note_missing(&mut self, family: &crate::store::FamilyState, missing: u8) {
        if self.notes.is_none() {
            return;
        }
        for i in family.sent().iter().take_while(|i| **i != missing) {
            let name = family.labels()[usize::from(*i)].name().as_bytes();
            let name = Text::put(&mut self.arena, name);
            self.labels.push((name, Text::EMPTY));
        }
    }
}

/// Writes a number as JavaScript prints it, which is what OpenTelemetry's collector does of one that becomes text.
/// Source: ECMA-262 §6.1.6.1.20 Number::toString; collector pdata/pcommon/value.go, `float64AsString`.
fn put_double(out: &mut Vec<u8>, v: f64) {
    let size = v.abs();
    let written = if v.is_nan() {
        write!(out, "NaN")
    } else if size == f64::INFINITY {
        write!(out, "{}Infinity", if v < 0.0 { "-" } else { "" })
    } else if size >= 1e21 {
        write!(out, "{}", format!("{v:e}").replace('e', "e+"))
    } else if size < 1e-6 && size != 0.0 {
        write!(out, "{v:e}")
    } else {
        // Of two zeros JavaScript writes one.
        write!(out, "{}", v + 0.0)
    };
    written.expect("a Vec takes everything");
}
