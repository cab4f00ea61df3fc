//! `ExportMetricsServiceRequest` as protobuf.
//!
//! Source: opentelemetry-proto, collector/metrics/v1/metrics_service.proto, metrics/v1/metrics.proto,
//! common/v1/common.proto, resource/v1/resource.proto: the numbers of the fields.

use super::doc::{
    Attribute, Counted, Data, Doc, Kind, List, Metric, Point, Scope, Temporality, Value,
};
use crate::push::error::DecodeError;
use crate::push::samples::Samples;
use crate::push::wire::Wire;
use crate::store::Text;
use crate::totals::Amount;

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads a body; `resource` is given each resource that ends.
pub(super) fn read(
    body: &[u8],
    doc: &mut Doc,
    samples: &mut Samples,
    mut resource: impl FnMut(&mut Doc, &mut Samples),
) -> Result<()> {
    let mut wire = Wire::new(body);
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => {
                resource_metrics(wire.message(kind)?, doc)?;
                resource(doc, samples);
                doc.clear_resource();
            }
            _ => wire.skip(field)?,
        }
    }
    Ok(())
}

fn resource_metrics(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => {
                let mut resource = wire.message(kind)?;
                while let Some(field) = resource.field()? {
                    match field {
                        (1, kind) => attribute(resource.message(kind)?, List::Resource, doc)?,
                        _ => resource.skip(field)?,
                    }
                }
            }
            (2, kind) => scope_metrics(wire.message(kind)?, doc)?,
            _ => wire.skip(field)?,
        }
    }
    Ok(())
}

fn scope_metrics(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let mut scope = doc.begin_scope();
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => read_scope(wire.message(kind)?, &mut scope, doc)?,
            (2, kind) => metric(wire.message(kind)?, doc)?,
            _ => wire.skip(field)?,
        }
    }
    doc.end_scope(scope);
    Ok(())
}

fn read_scope(mut wire: Wire<'_>, scope: &mut Scope, doc: &mut Doc) -> Result<()> {
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => scope.name = wire.text(kind)?,
            (2, kind) => scope.version = wire.text(kind)?,
            (3, kind) => attribute(wire.message(kind)?, List::Scope, doc)?,
            _ => wire.skip(field)?,
        }
    }
    Ok(())
}

fn metric(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let mut metric = doc.begin_metric();
    while let Some(field) = wire.field()? {
        let (kind, wire_type) = match field {
            (1, kind) => {
                metric.name = wire.text(kind)?;
                continue;
            }
            (3, kind) => {
                metric.unit = wire.text(kind)?;
                continue;
            }
            (5, kind) => (Kind::Gauge, kind),
            (7, kind) => (Kind::Sum, kind),
            (9, kind) => (Kind::Histogram, kind),
            (10, kind) => (Kind::Exponential, kind),
            (11, kind) => (Kind::Summary, kind),
            _ => {
                wire.skip(field)?;
                continue;
            }
        };
        data(wire.message(wire_type)?, &mut metric, kind, doc)?;
    }
    doc.end_metric(metric);
    Ok(())
}

fn data(mut wire: Wire<'_>, metric: &mut Metric, kind: Kind, doc: &mut Doc) -> Result<()> {
    if metric.kind != Some(kind) {
        (metric.temporality, metric.is_monotonic) = (Temporality::Unknown, false);
    }
    doc.begin(metric, kind);
    while let Some(field) = wire.field()? {
        match (field, kind) {
            ((1, wire_type), Kind::Gauge | Kind::Sum) => number(wire.message(wire_type)?, doc)?,
            ((1, wire_type), Kind::Histogram) => histogram(wire.message(wire_type)?, doc)?,
            ((1, wire_type), Kind::Exponential) => exponential(wire.message(wire_type)?, doc)?,
            ((1, wire_type), Kind::Summary) => summary(wire.message(wire_type)?, doc)?,
            ((2, wire_type), Kind::Sum | Kind::Histogram | Kind::Exponential) => {
                let number = wire.number(wire_type)? as i32;
                metric.temporality = Temporality::numbered(number.into());
            }
            ((3, wire_type), Kind::Sum) => metric.is_monotonic = wire.number(wire_type)? != 0,
            _ => wire.skip(field)?,
        }
    }
    Ok(())
}

fn begin(doc: &Doc) -> (Point, Counted) {
    let at = doc.attributes.len() as u32;
    let (n_counts, n_bounds) = (doc.counts.len() as u32, doc.bounds.len() as u32);
    let counted =
        Counted { counts: (n_counts, n_counts), bounds: (n_bounds, n_bounds), ..Counted::EMPTY };
    (Point { attributes: (at, at), ..Point::EMPTY }, counted)
}

fn end(mut point: Point, at: usize, doc: &mut Doc) -> Result<()> {
    point.attributes.1 = doc.attributes.len() as u32;
    doc.point(point, at)
}

fn end_counted(mut point: Point, mut counted: Counted, at: usize, doc: &mut Doc) -> Result<()> {
    counted.counts.1 = doc.counts.len() as u32;
    counted.bounds.1 = doc.bounds.len() as u32;
    point.data = doc.keep(counted);
    end(point, at, doc)
}

fn number(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let ((mut point, _), mut amount) = (begin(doc), None);
    while let Some(field) = wire.field()? {
        match field {
            (2, kind) => point.start_ns = wire.fixed64(kind)?,
            (3, kind) => point.time_ns = wire.fixed64(kind)?,
            (4, kind) => amount = Some(Amount::Double(wire.double(kind)?)),
            (6, kind) => amount = Some(Amount::Whole(wire.fixed64(kind)? as i64)),
            (7, kind) => attribute(wire.message(kind)?, List::Point, doc)?,
            (8, kind) => point.is_empty = wire.number(kind)? & 1 != 0,
            _ => wire.skip(field)?,
        }
    }
    point.data = Data::Number(amount);
    end(point, wire.offset(), doc)
}

fn summary(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let (mut point, _) = begin(doc);
    while let Some(field) = wire.field()? {
        match field {
            (2, kind) => point.start_ns = wire.fixed64(kind)?,
            (3, kind) => point.time_ns = wire.fixed64(kind)?,
            (7, kind) => attribute(wire.message(kind)?, List::Point, doc)?,
            (8, kind) => point.is_empty = wire.number(kind)? & 1 != 0,
            _ => wire.skip(field)?,
        }
    }
    end(point, wire.offset(), doc)
}

fn histogram(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let (mut point, mut counted) = begin(doc);
    while let Some(field) = wire.field()? {
        match field {
            (2, kind) => point.start_ns = wire.fixed64(kind)?,
            (3, kind) => point.time_ns = wire.fixed64(kind)?,
            (4, kind) => counted.count = wire.fixed64(kind)?,
            (5, kind) => counted.sum = Some(wire.double(kind)?),
            (6, kind) => wire.each_fixed64(kind, |count, at| doc.count(count, at))?,
            (7, kind) => {
                wire.each_fixed64(kind, |bits, at| doc.bound(f64::from_bits(bits), at))?;
            }
            (9, kind) => attribute(wire.message(kind)?, List::Point, doc)?,
            (10, kind) => point.is_empty = wire.number(kind)? & 1 != 0,
            _ => wire.skip(field)?,
        }
    }
    end_counted(point, counted, wire.offset(), doc)
}

fn exponential(mut wire: Wire<'_>, doc: &mut Doc) -> Result<()> {
    let (mut point, mut counted) = begin(doc);
    counted.scale = Some(0);
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => attribute(wire.message(kind)?, List::Point, doc)?,
            (2, kind) => point.start_ns = wire.fixed64(kind)?,
            (3, kind) => point.time_ns = wire.fixed64(kind)?,
            (4, kind) => counted.count = wire.fixed64(kind)?,
            (5, kind) => counted.sum = Some(wire.double(kind)?),
            (6, kind) => counted.scale = Some(wire.zigzag(kind)?),
            (7, kind) => counted.zeros = wire.fixed64(kind)?,
            (8, kind) => {
                let mut positive = wire.message(kind)?;
                while let Some(field) = positive.field()? {
                    match field {
                        (1, kind) => counted.offset = positive.zigzag(kind)?,
                        (2, kind) => positive.each_number(kind, |n, at| doc.count(n, at))?,
                        _ => positive.skip(field)?,
                    }
                }
            }
            (9, kind) => counted.has_negative |= has_counts(wire.message(kind)?)?,
            (10, kind) => point.is_empty = wire.number(kind)? & 1 != 0,
            (14, kind) => counted.threshold = wire.double(kind)?,
            _ => wire.skip(field)?,
        }
    }
    end_counted(point, counted, wire.offset(), doc)
}

/// Whether any of these buckets counted something.
fn has_counts(mut wire: Wire<'_>) -> Result<bool> {
    let mut has_counts = false;
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => drop(wire.zigzag(kind)?),
            (2, kind) => wire.each_number(kind, |count, _| {
                has_counts |= count > 0;
                Ok(())
            })?,
            _ => wire.skip(field)?,
        }
    }
    Ok(has_counts)
}

fn attribute(mut wire: Wire<'_>, to: List, doc: &mut Doc) -> Result<()> {
    let mut attribute = Attribute { key: Text::EMPTY, value: Value::Absent };
    while let Some(field) = wire.field()? {
        match field {
            (1, kind) => attribute.key = wire.text(kind)?,
            (2, kind) => value(wire.message(kind)?, &mut attribute.value)?,
            _ => wire.skip(field)?,
        }
    }
    doc.attribute(to, attribute, wire.offset())
}

fn value(mut wire: Wire<'_>, value: &mut Value) -> Result<()> {
    while let Some(field) = wire.field()? {
        *value = match field {
            (1, kind) => Value::Text(wire.text(kind)?),
            (2, kind) => Value::Bool(wire.number(kind)? != 0),
            (3, kind) => Value::Whole(wire.number(kind)? as i64),
            (4, kind) => Value::Double(wire.double(kind)?),
            (5..=7, kind) => Value::Other(wire.bytes(kind)?),
            _ => {
                wire.skip(field)?;
                continue;
            }
        };
    }
    Ok(())
}
