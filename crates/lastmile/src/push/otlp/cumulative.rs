//! Points that are totals: which streams they are of, and what they add.

use super::counted::Agreed;
use super::doc::{Attribute, Data, Doc, Metric, Point, Value, within};
use super::walk;
use crate::push::Intake;
use crate::push::counted::edges::hash_bounds;
use crate::push::number::Number;
use crate::push::report::{Counts, PushReport, Refusal};
use crate::push::samples::Samples;
use crate::store::{Target, Text};
use crate::totals::{Rise, Sender, Since, Stream, Totals};

/// A total on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// The position of its family in the catalog.
    pub(super) family: u32,
    pub(super) values_at: u32,
    pub(super) name: Text,
    pub(super) stream: Stream,
    pub(super) data: Data,
}

/// The names of streams of one resource, as far as they are known: those of the resource and of the last scope.
#[derive(Debug, Default)]
pub(super) struct StreamNames {
    resource: Option<u128>,
    scope: Option<(u32, u128)>,
}

impl StreamNames {
    /// The stream of a point: all that names it, declared or not.
    pub(super) fn stream(
        &mut self,
        totals: &Totals,
        body: &[u8],
        doc: &Doc,
        metric: &Metric,
        point: &Point,
        samples: &Samples,
    ) -> Stream {
        let of = |attributes: &[Attribute]| hash_attributes(totals, attributes, body, samples);
        let resource = *self.resource.get_or_insert_with(|| of(&doc.of_resource));
        let scope = match self.scope {
            Some((known, hash)) if known == metric.scope => hash,
            _ => {
                let scope = &doc.scopes[metric.scope as usize];
                let attributes = of(within(&doc.of_scopes, scope.attributes));
                let text = |text| samples.bytes(body, text);
                totals.hash((text(scope.name), text(scope.version), attributes))
            }
        };
        self.scope = Some((metric.scope, scope));
        let (name, unit) = (samples.bytes(body, metric.name), samples.bytes(body, metric.unit));
        let kind = metric.kind.map(|kind| kind as u8);
        let attributes = of(within(&doc.attributes, point.attributes));
        let names = (resource, scope, name, unit, kind, attributes, point.start_ns);
        let (start_ns, time_ns) = (point.start_ns, point.time_ns);
        let age_ns = time_ns.checked_sub(start_ns);
        let theirs_ns = if age_ns.is_some() { start_ns } else { 0 };
        let since = Since { ours_ns: 0, theirs_ns, age_ns };
        Stream { id: totals.hash(names), start_ns, time_ns, since }
    }
}

/// Of attributes in any order.
fn hash_attributes(
    totals: &Totals,
    attributes: &[Attribute],
    body: &[u8],
    samples: &Samples,
) -> u128 {
    attributes.iter().fold(0, |all, attribute| {
        let key = samples.bytes(body, attribute.key);
        let (kind, bits, text) = match attribute.value {
            Value::Absent => (0_u8, 0, Text::EMPTY),
            Value::Text(text) => (1, 0, text),
            Value::Bool(value) => (2, u64::from(value), Text::EMPTY),
            Value::Whole(n) => (3, n as u64, Text::EMPTY),
            Value::Double(v) => (4, v.to_bits(), Text::EMPTY),
            Value::Other(text) => (5, 0, text),
        };
        all.wrapping_add(totals.hash((key, kind, bits, samples.bytes(body, text))))
    })
}

/// Makes entries of what the totals of a body rose by. Done once the body is known to be applied: what a stream stands
/// at is kept from here on, also where the schema refuses the rise, or one that is too large would be refused for good.
pub(crate) fn settle(
    intake: &Intake<'_>,
    samples: &mut Samples,
    counts: &mut Counts,
    report: &mut PushReport,
) {
    if samples.otlp.n_pending() == 0 {
        return;
    }
    let Intake { totals, catalog, body, source, now, wall_ms, .. } = *intake;
    let sender = totals.sender(source, now, wall_ms);
    let mut doc = std::mem::take(&mut samples.otlp);
    let pending = std::mem::take(&mut doc.pending);
    for point in &pending {
        let target = catalog.at(point.family);
        let (values_at, numbers_at) = (point.values_at as usize, samples.numbers.len());
        let risen = rise(totals, sender, point, &target, &mut doc, samples);
        report.baseline(u64::from(risen == Ok(Known::No)));
        match risen {
            Ok(_) => {
                samples.push_entry(point.family, target.family, body, values_at, numbers_at);
            }
            Err(why) => {
                totals.doubt(point.stream.id);
                let at = (values_at, numbers_at);
                walk::refuse(&target, point.name, why, body, samples, at, counts);
            }
        }
    }
    doc.pending = pending;
    doc.pending.clear();
    samples.otlp = doc;
}

/// Whether it is known what of a stream was counted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    No,
}

/// Appends the numbers of what a point adds.
fn rise(
    totals: &Totals,
    sender: Sender,
    point: &Pending,
    target: &Target<'_>,
    doc: &mut Doc,
    samples: &mut Samples,
) -> Result<Known, Refusal> {
    let family = target.family;
    match point.data {
        Data::Number(amount) => {
            let amount = amount.ok_or(Refusal::NotANumber)?;
            let rise =
                totals.advance(&point.stream, sender, &amount.words(), |last| amount.rise(last));
            let (known, value) = match rise {
                Rise::By(value) => (Known::Yes, value),
                Rise::Behind => (Known::Yes, 0.0),
                Rise::Baseline => (Known::No, 0.0),
            };
            samples.numbers.push(Number { value, n: 1 });
            // Nothing new is within any bounds.
            if value > 0.0 {
                family.check_value(value)?;
            }
            Ok(known)
        }
        Data::Counted(at) => {
            let (mut words, mut risen) =
                (std::mem::take(&mut doc.words), std::mem::take(&mut doc.risen));
            let put = Agreed::new(doc, &doc.counted[at as usize]).and_then(|agreed| {
                let total = agreed.total(&mut words, hash_bounds(agreed.bounds.iter().copied()));
                let rise = totals.advance(&point.stream, sender, total.words(), |last| {
                    total.rise(last, &mut risen)
                });
                match rise {
                    Rise::By(rise) if rise.sum != 0.0 || rise.zeros != 0 || !risen.is_empty() => {
                        agreed.put_rise(family, rise, &risen, &mut samples.numbers)?;
                    }
                    _ => samples.numbers.push(Number::NOTHING),
                }
                Ok(if rise == Rise::Baseline { Known::No } else { Known::Yes })
            });
            (doc.words, doc.risen) = (words, risen);
            put
        }
    }
}
