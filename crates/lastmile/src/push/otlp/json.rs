//! `ExportMetricsServiceRequest` as JSON.
//!
//! Names are in lowerCamelCase alone, enums are numbers, 64-bit integers are strings or numbers, unknown fields are
//! passed over and `null` is as good as absent. A list that stands twice is one list, of other fields the last counts,
//! as in protobuf.
//! Source: opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding"; protobuf.dev, "ProtoJSON Format".

use super::doc::{Attribute, Counted, Data, Doc, Kind, List, Metric, Point, Temporality, Value};
use crate::push::error::DecodeError;
use crate::push::json::{Json, unescape};
use crate::push::samples::Samples;
use crate::store::Text;
use crate::totals::Amount;

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads a body, which is UTF-8; `resource` is given each resource that ends.
pub(super) fn read(
    body: &[u8],
    doc: &mut Doc,
    samples: &mut Samples,
    mut resource: impl FnMut(&mut Doc, &mut Samples),
) -> Result<()> {
    let mut reader = Reader { body, json: Json::new(body, 0), doc, samples };
    reader.object(|reader, key| match key {
        b"resourceMetrics" => reader.array(|reader| {
            reader.resource_metrics()?;
            resource(reader.doc, reader.samples);
            reader.doc.clear_resource();
            Ok(())
        }),
        _ => reader.json.skip(),
    })?;
    reader.json.end()
}

struct Reader<'a, 'd> {
    body: &'a [u8],
    json: Json<'a>,
    doc: &'d mut Doc,
    samples: &'d mut Samples,
}

impl<'a> Reader<'a, '_> {
    /// The members of an object, or of `null` none.
    #[inline(always)]
    fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Result<()>) -> Result<()> {
        if self.is_null()? {
            return Ok(());
        }
        self.json.open(b'{', "expected an object")?;
        if self.json.is_empty(b'}') {
            return Ok(());
        }
        loop {
            let key = self.json.key()?;
            if key.has_escapes() {
                let mut plain = Vec::new();
                unescape(&self.body[key.start..key.end], &mut plain);
                member(self, &plain)?;
            } else {
                let body = self.body;
                member(self, &body[key.start..key.end])?;
            }
            if !self.json.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// The elements of an array, or of `null` none.
    #[inline(always)]
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        if self.is_null()? {
            return Ok(());
        }
        self.json.open(b'[', "expected an array")?;
        if self.json.is_empty(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.json.another(b']')? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn is_null(&mut self) -> Result<bool> {
        let is_null = self.json.peek() == b'n';
        if is_null {
            self.json.literal(b"null")?;
        }
        Ok(is_null)
    }

    fn resource_metrics(&mut self) -> Result<()> {
        self.object(|reader, key| match key {
            b"resource" => reader.object(|reader, key| match key {
                b"attributes" => reader.attributes(List::Resource),
                _ => reader.json.skip(),
            }),
            b"scopeMetrics" => reader.array(Self::scope_metrics),
            _ => reader.json.skip(),
        })
    }

    fn scope_metrics(&mut self) -> Result<()> {
        let mut scope = self.doc.begin_scope();
        self.object(|reader, key| match key {
            b"scope" => reader.object(|reader, key| {
                match key {
                    b"name" => scope.name = reader.text()?,
                    b"version" => scope.version = reader.text()?,
                    b"attributes" => reader.attributes(List::Scope)?,
                    _ => reader.json.skip()?,
                }
                Ok(())
            }),
            b"metrics" => reader.array(Self::metric),
            _ => reader.json.skip(),
        })?;
        self.doc.end_scope(scope);
        Ok(())
    }

    fn metric(&mut self) -> Result<()> {
        let mut metric = self.doc.begin_metric();
        self.object(|reader, key| {
            let kind = match key {
                b"name" => {
                    metric.name = reader.text()?;
                    return Ok(());
                }
                b"unit" => {
                    metric.unit = reader.text()?;
                    return Ok(());
                }
                b"gauge" => Kind::Gauge,
                b"sum" => Kind::Sum,
                b"histogram" => Kind::Histogram,
                b"exponentialHistogram" => Kind::Exponential,
                b"summary" => Kind::Summary,
                _ => return reader.json.skip(),
            };
            // A member of a oneof that is null is none.
            if reader.is_null()? { Ok(()) } else { reader.data(&mut metric, kind) }
        })?;
        self.doc.end_metric(metric);
        Ok(())
    }

    fn data(&mut self, metric: &mut Metric, kind: Kind) -> Result<()> {
        if metric.kind != Some(kind) {
            (metric.temporality, metric.is_monotonic) = (Temporality::Unknown, false);
        }
        self.doc.begin(metric, kind);
        self.object(|reader, key| {
            match (key, kind) {
                (b"dataPoints", Kind::Gauge | Kind::Sum) => reader.array(Self::number_point)?,
                (b"dataPoints", Kind::Histogram) => reader.array(Self::histogram_point)?,
                (b"dataPoints", Kind::Exponential) => reader.array(Self::exponential_point)?,
                (b"dataPoints", Kind::Summary) => reader.array(Self::summary_point)?,
                (b"aggregationTemporality", Kind::Sum | Kind::Histogram | Kind::Exponential) => {
                    metric.temporality = Temporality::numbered(reader.signed(i32::MIN, i32::MAX)?);
                }
                (b"isMonotonic", Kind::Sum) => metric.is_monotonic = reader.boolean()?,
                _ => reader.json.skip()?,
            }
            Ok(())
        })
    }

    /// What all points have.
    #[inline]
    fn begin_point(&self) -> Point {
        let at = self.doc.attributes.len() as u32;
        Point { attributes: (at, at), ..Point::EMPTY }
    }

    /// A member that points of every kind have; `false` if it is none of them.
    #[inline]
    fn of_every_point(&mut self, point: &mut Point, key: &[u8]) -> Result<bool> {
        match key {
            b"attributes" => self.attributes(List::Point)?,
            b"startTimeUnixNano" => point.start_ns = self.unsigned()?,
            b"timeUnixNano" => point.time_ns = self.unsigned()?,
            b"flags" => point.is_empty = self.unsigned_to(u32::MAX.into())? & 1 != 0,
            _ => return Ok(false),
        }
        Ok(true)
    }

    #[inline]
    fn end_point(&mut self, mut point: Point) -> Result<()> {
        point.attributes.1 = self.doc.attributes.len() as u32;
        self.doc.point(point, self.json.offset())
    }

    fn number_point(&mut self) -> Result<()> {
        let (mut point, mut amount) = (self.begin_point(), None);
        self.object(|reader, key| {
            match key {
                b"asDouble" => {
                    if !reader.is_null()? {
                        amount = Some(Amount::Double(reader.double()?));
                    }
                }
                b"asInt" => {
                    if !reader.is_null()? {
                        amount = Some(Amount::Whole(reader.signed(i64::MIN, i64::MAX)?));
                    }
                }
                _ => {
                    if !reader.of_every_point(&mut point, key)? {
                        reader.json.skip()?;
                    }
                }
            }
            Ok(())
        })?;
        point.data = Data::Number(amount);
        self.end_point(point)
    }

    fn summary_point(&mut self) -> Result<()> {
        let mut point = self.begin_point();
        self.object(|reader, key| {
            if !reader.of_every_point(&mut point, key)? {
                reader.json.skip()?;
            }
            Ok(())
        })?;
        self.end_point(point)
    }

    fn begin_counted(&self) -> Counted {
        let (n_counts, n_bounds) = (self.doc.counts.len() as u32, self.doc.bounds.len() as u32);
        Counted { counts: (n_counts, n_counts), bounds: (n_bounds, n_bounds), ..Counted::EMPTY }
    }

    fn end_counted(&mut self, mut point: Point, mut counted: Counted) -> Result<()> {
        counted.counts.1 = self.doc.counts.len() as u32;
        counted.bounds.1 = self.doc.bounds.len() as u32;
        point.data = self.doc.keep(counted);
        self.end_point(point)
    }

    fn histogram_point(&mut self) -> Result<()> {
        let (mut point, mut counted) = (self.begin_point(), self.begin_counted());
        self.object(|reader, key| {
            match key {
                b"count" => counted.count = reader.unsigned()?,
                b"sum" => counted.sum = reader.maybe_double()?,
                b"bucketCounts" => reader.counts()?,
                b"explicitBounds" => reader.array(|reader| {
                    let bound = reader.double()?;
                    reader.doc.bound(bound, reader.json.offset())
                })?,
                _ => {
                    if !reader.of_every_point(&mut point, key)? {
                        reader.json.skip()?;
                    }
                }
            }
            Ok(())
        })?;
        self.end_counted(point, counted)
    }

    fn exponential_point(&mut self) -> Result<()> {
        let (mut point, mut counted) = (self.begin_point(), self.begin_counted());
        counted.scale = Some(0);
        self.object(|reader, key| {
            match key {
                b"count" => counted.count = reader.unsigned()?,
                b"sum" => counted.sum = reader.maybe_double()?,
                b"scale" => counted.scale = Some(reader.signed(i32::MIN, i32::MAX)? as i32),
                b"zeroCount" => counted.zeros = reader.unsigned()?,
                b"zeroThreshold" => counted.threshold = reader.double()?,
                b"positive" => reader.object(|reader, key| {
                    match key {
                        b"offset" => counted.offset = reader.signed(i32::MIN, i32::MAX)? as i32,
                        b"bucketCounts" => reader.counts()?,
                        _ => reader.json.skip()?,
                    }
                    Ok(())
                })?,
                b"negative" => reader.object(|reader, key| match key {
                    b"offset" => reader.signed(i32::MIN, i32::MAX).map(drop),
                    b"bucketCounts" => reader.array(|reader| {
                        counted.has_negative |= reader.unsigned()? > 0;
                        Ok(())
                    }),
                    _ => reader.json.skip(),
                })?,
                _ => {
                    if !reader.of_every_point(&mut point, key)? {
                        reader.json.skip()?;
                    }
                }
            }
            Ok(())
        })?;
        self.end_counted(point, counted)
    }

    fn counts(&mut self) -> Result<()> {
        self.array(|reader| {
            let count = reader.unsigned()?;
            reader.doc.count(count, reader.json.offset())
        })
    }

    fn attributes(&mut self, to: List) -> Result<()> {
        self.array(|reader| {
            let mut attribute = Attribute { key: Text::EMPTY, value: Value::Absent };
            reader.object(|reader, key| {
                match key {
                    b"key" => attribute.key = reader.text()?,
                    b"value" => reader.object(|reader, key| {
                        if let Some(value) = reader.value(key)? {
                            attribute.value = value;
                        }
                        Ok(())
                    })?,
                    _ => reader.json.skip()?,
                }
                Ok(())
            })?;
            reader.doc.attribute(to, attribute, reader.json.offset())
        })
    }

    /// A member of an attribute's value, if it is one.
    #[inline]
    fn value(&mut self, key: &[u8]) -> Result<Option<Value>> {
        if self.is_null()? {
            return Ok(None);
        }
        Ok(match key {
            b"stringValue" => Some(Value::Text(self.text()?)),
            b"boolValue" => Some(Value::Bool(self.boolean()?)),
            b"intValue" => Some(Value::Whole(self.signed(i64::MIN, i64::MAX)?)),
            b"doubleValue" => Some(Value::Double(self.double()?)),
            b"arrayValue" | b"kvlistValue" | b"bytesValue" => {
                let start = self.json.offset();
                self.json.skip()?;
                Some(Value::Other(Text::in_body(start, self.json.offset())))
            }
            _ => {
                self.json.skip()?;
                None
            }
        })
    }

    /// A string's text; of `null` the empty one.
    #[inline]
    fn text(&mut self) -> Result<Text> {
        match self.json.peek() {
            b'"' => {
                let raw = self.json.string()?;
                Ok(self.samples.text(self.body, raw))
            }
            _ if self.is_null()? => Ok(Text::EMPTY),
            _ => Err(self.json.fault("expected a string")),
        }
    }

    fn boolean(&mut self) -> Result<bool> {
        match self.json.peek() {
            b't' => self.json.literal(b"true").map(|()| true),
            b'f' => self.json.literal(b"false").map(|()| false),
            _ if self.is_null()? => Ok(false),
            _ => Err(self.json.fault("expected true or false")),
        }
    }

    fn maybe_double(&mut self) -> Result<Option<f64>> {
        if self.is_null()? { Ok(None) } else { self.double().map(Some) }
    }

    /// A number, or a string that holds one or is `NaN`, `Infinity` or `-Infinity`.
    fn double(&mut self) -> Result<f64> {
        match self.json.peek() {
            b'-' | b'0'..=b'9' => self.json.number(),
            b'"' => {
                let at = self.json.offset();
                let raw = self.json.string()?;
                let text = &self.body[raw.start..raw.end];
                let special = match text {
                    b"NaN" => Some(f64::NAN),
                    b"Infinity" => Some(f64::INFINITY),
                    b"-Infinity" => Some(f64::NEG_INFINITY),
                    _ => None,
                };
                let number = special.or_else(|| {
                    let mut inner = Json::new(text, 0);
                    let number = inner.number().ok()?;
                    (inner.offset() == text.len()).then_some(number)
                });
                number.ok_or_else(|| DecodeError::syntax(at, "expected a number"))
            }
            _ if self.is_null()? => Ok(0.0),
            _ => Err(self.json.fault("expected a number")),
        }
    }

    fn unsigned(&mut self) -> Result<u64> {
        self.unsigned_to(u64::MAX)
    }

    /// A whole number, 0 up to `max`, or a string that holds one.
    #[inline]
    fn unsigned_to(&mut self, max: u64) -> Result<u64> {
        self.json.peek();
        let at = self.json.offset();
        let number = self.whole()?.and_then(|n| u64::try_from(n).ok()).filter(|n| *n <= max);
        number.ok_or_else(|| DecodeError::syntax(at, "expected a whole number, 0 or more"))
    }

    /// A whole number within these, or a string that holds one.
    #[inline]
    fn signed(&mut self, min: impl Into<i64>, max: impl Into<i64>) -> Result<i64> {
        self.json.peek();
        let at = self.json.offset();
        let range = i128::from(min.into())..=i128::from(max.into());
        let number = self.whole()?.filter(|n| range.contains(n)).and_then(|n| n.try_into().ok());
        number.ok_or_else(|| DecodeError::syntax(at, "expected a whole number"))
    }

    /// A whole number or a string that holds one, which may be written with a point or an exponent; of `null` 0.
    #[inline]
    fn whole(&mut self) -> Result<Option<i128>> {
        match self.json.peek() {
            b'"' => {
                let raw = self.json.string()?;
                Ok(whole(&self.body[raw.start..raw.end]))
            }
            b'-' | b'0'..=b'9' => {
                let start = self.json.offset();
                self.json.number()?;
                Ok(whole(&self.body[start..self.json.offset()]))
            }
            _ if self.is_null()? => Ok(Some(0)),
            _ => Ok(None),
        }
    }
}

/// Digits that fit a `u64` whatever they are.
const DIGITS_MAX: usize = 19;

/// The whole number that a JSON number is.
#[inline]
fn whole(text: &[u8]) -> Option<i128> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let mut n: u64 = 0;
    let are_digits = digits.iter().all(|byte| {
        n = n.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')));
        byte.is_ascii_digit()
    });
    let is_plain = !(digits.len() > 1 && digits[0] == b'0');
    if are_digits && is_plain && (1..=DIGITS_MAX).contains(&digits.len()) {
        return Some(if digits.len() < text.len() { -i128::from(n) } else { i128::from(n) });
    }
    whole_slow(text)
}

#[cold]
fn whole_slow(text: &[u8]) -> Option<i128> {
    let mut json = Json::new(text, 0);
    let v = json.number().ok().filter(|_| json.offset() == text.len())?;
    if text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    (v.fract() == 0.0 && v.abs() < 1e30).then_some(v as i128)
}
