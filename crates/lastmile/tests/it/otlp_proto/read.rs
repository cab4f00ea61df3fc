//! Requests as JSON, read field by field.

use super::*;
use crate::json::{self, Json};

/// Not what the field must be.
struct Wrong;

type Read<T> = Result<T, Wrong>;

/// A request as JSON; `None` if it is none.
pub(crate) fn read(text: &str) -> Option<Request> {
    let json = json::read(text).ok()?;
    let mut request = Request::default();
    let read = object(&json, &mut |key, json| {
        if key == "resourceMetrics" {
            list(json, &mut request.resource_metrics, resource_metrics)?;
        }
        Ok(())
    });
    // `null` is no request, though every message within may be one.
    read.ok().map(|()| request)
}

fn object(json: &Json<'_>, member: &mut dyn FnMut(&str, &Json<'_>) -> Read<()>) -> Read<()> {
    match json {
        Json::Null => Ok(()),
        Json::Object(pairs) => pairs.iter().try_for_each(|(key, json)| member(key, json)),
        _ => Err(Wrong),
    }
}

fn list<T: Default>(
    json: &Json<'_>,
    into: &mut Vec<T>,
    read: fn(&Json<'_>) -> Read<T>,
) -> Read<()> {
    match json {
        Json::Null => Ok(()),
        Json::Array(items) => items.iter().try_for_each(|item| {
            into.push(read(item)?);
            Ok(())
        }),
        _ => Err(Wrong),
    }
}

fn text(json: &Json<'_>) -> Read<String> {
    match json {
        Json::Null => Ok(String::new()),
        Json::String(text) => Ok(text.clone()),
        _ => Err(Wrong),
    }
}

fn boolean(json: &Json<'_>) -> Read<bool> {
    match json {
        Json::Null => Ok(false),
        Json::Bool(text) => Ok(*text == "true"),
        _ => Err(Wrong),
    }
}

fn is_number(text: &str) -> bool {
    matches!(json::read(text), Ok(Json::Number(same)) if same == text)
}

fn double(json: &Json<'_>) -> Read<f64> {
    match json {
        Json::Null => Ok(0.0),
        Json::Number(text) => text.parse().map_err(|_| Wrong),
        Json::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text if is_number(text) => text.parse().map_err(|_| Wrong),
            _ => Err(Wrong),
        },
        _ => Err(Wrong),
    }
}

fn whole<T: TryFrom<i128>>(json: &Json<'_>) -> Read<T> {
    let text = match json {
        Json::Null => "0",
        Json::Number(text) => text,
        Json::String(text) if is_number(text) => text,
        _ => return Err(Wrong),
    };
    let exact = text.parse::<i128>().ok();
    let float = text.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && v.abs() < 1e30);
    let n = exact.or(float.map(|v| v as i128)).ok_or(Wrong)?;
    T::try_from(n).map_err(|_| Wrong)
}

fn resource_metrics(json: &Json<'_>) -> Read<ResourceMetrics> {
    let mut all = ResourceMetrics::default();
    object(json, &mut |key, json| match key {
        "resource" => object(json, &mut |key, json| match key {
            "attributes" => {
                list(json, &mut all.resource.get_or_insert_default().attributes, key_value)
            }
            _ => Ok(()),
        }),
        "scopeMetrics" => list(json, &mut all.scope_metrics, scope_metrics),
        _ => Ok(()),
    })?;
    Ok(all)
}

fn scope_metrics(json: &Json<'_>) -> Read<ScopeMetrics> {
    let mut all = ScopeMetrics::default();
    object(json, &mut |key, json| match key {
        "scope" => {
            let scope = all.scope.get_or_insert_default();
            object(json, &mut |key, json| {
                match key {
                    "name" => scope.name = text(json)?,
                    "version" => scope.version = text(json)?,
                    "attributes" => list(json, &mut scope.attributes, key_value)?,
                    _ => {}
                }
                Ok(())
            })
        }
        "metrics" => list(json, &mut all.metrics, metric),
        _ => Ok(()),
    })?;
    Ok(all)
}

fn metric(json: &Json<'_>) -> Read<Metric> {
    let mut all = Metric::default();
    object(json, &mut |key, json| {
        match (key, json) {
            ("name", _) => all.name = text(json)?,
            ("unit", _) => all.unit = text(json)?,
            ("gauge" | "sum" | "histogram" | "exponentialHistogram" | "summary", Json::Null) => {}
            ("gauge", _) => {
                let mut data = match all.data.take() {
                    Some(Data::Gauge(data)) => data,
                    _ => Gauge::default(),
                };
                object(json, &mut |key, json| match key {
                    "dataPoints" => list(json, &mut data.points, number_point),
                    _ => Ok(()),
                })?;
                all.data = Some(Data::Gauge(data));
            }
            ("sum", _) => {
                let mut data = match all.data.take() {
                    Some(Data::Sum(data)) => data,
                    _ => Sum::default(),
                };
                object(json, &mut |key, json| {
                    match key {
                        "dataPoints" => list(json, &mut data.points, number_point)?,
                        "aggregationTemporality" => data.temporality = whole(json)?,
                        "isMonotonic" => data.is_monotonic = boolean(json)?,
                        _ => {}
                    }
                    Ok(())
                })?;
                all.data = Some(Data::Sum(data));
            }
            ("histogram", _) => {
                let mut data = match all.data.take() {
                    Some(Data::Histogram(data)) => data,
                    _ => Histogram::default(),
                };
                object(json, &mut |key, json| {
                    match key {
                        "dataPoints" => list(json, &mut data.points, histogram_point)?,
                        "aggregationTemporality" => data.temporality = whole(json)?,
                        _ => {}
                    }
                    Ok(())
                })?;
                all.data = Some(Data::Histogram(data));
            }
            ("exponentialHistogram", _) => {
                let mut data = match all.data.take() {
                    Some(Data::Exponential(data)) => data,
                    _ => Exponential::default(),
                };
                object(json, &mut |key, json| {
                    match key {
                        "dataPoints" => list(json, &mut data.points, exponential_point)?,
                        "aggregationTemporality" => data.temporality = whole(json)?,
                        _ => {}
                    }
                    Ok(())
                })?;
                all.data = Some(Data::Exponential(data));
            }
            ("summary", _) => {
                let mut data = match all.data.take() {
                    Some(Data::Summary(data)) => data,
                    _ => Summary::default(),
                };
                object(json, &mut |key, json| match key {
                    "dataPoints" => list(json, &mut data.points, summary_point),
                    _ => Ok(()),
                })?;
                all.data = Some(Data::Summary(data));
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn number_point(json: &Json<'_>) -> Read<NumberPoint> {
    let mut all = NumberPoint::default();
    object(json, &mut |key, json| {
        match key {
            "attributes" => list(json, &mut all.attributes, key_value)?,
            "startTimeUnixNano" => all.start = whole(json)?,
            "timeUnixNano" => all.time = whole(json)?,
            "flags" => all.flags = whole(json)?,
            "asDouble" if !matches!(json, Json::Null) => {
                all.value = Some(Number::Double(double(json)?));
            }
            "asInt" if !matches!(json, Json::Null) => all.value = Some(Number::Int(whole(json)?)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn maybe_double(json: &Json<'_>) -> Read<Option<f64>> {
    if matches!(json, Json::Null) { Ok(None) } else { double(json).map(Some) }
}

fn histogram_point(json: &Json<'_>) -> Read<HistogramPoint> {
    let mut all = HistogramPoint::default();
    object(json, &mut |key, json| {
        match key {
            "attributes" => list(json, &mut all.attributes, key_value)?,
            "startTimeUnixNano" => all.start = whole(json)?,
            "timeUnixNano" => all.time = whole(json)?,
            "flags" => all.flags = whole(json)?,
            "count" => all.count = whole(json)?,
            "sum" => all.sum = maybe_double(json)?,
            "bucketCounts" => list(json, &mut all.counts, whole)?,
            "explicitBounds" => list(json, &mut all.bounds, double)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn exponential_point(json: &Json<'_>) -> Read<ExponentialPoint> {
    let mut all = ExponentialPoint::default();
    object(json, &mut |key, json| {
        match key {
            "attributes" => list(json, &mut all.attributes, key_value)?,
            "startTimeUnixNano" => all.start = whole(json)?,
            "timeUnixNano" => all.time = whole(json)?,
            "flags" => all.flags = whole(json)?,
            "count" => all.count = whole(json)?,
            "sum" => all.sum = maybe_double(json)?,
            "scale" => all.scale = whole(json)?,
            "zeroCount" => all.zeros = whole(json)?,
            "zeroThreshold" => all.threshold = double(json)?,
            "positive" => buckets(json, all.positive.get_or_insert_default())?,
            "negative" => buckets(json, all.negative.get_or_insert_default())?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn buckets(json: &Json<'_>, all: &mut Buckets) -> Read<()> {
    object(json, &mut |key, json| {
        match key {
            "offset" => all.offset = whole(json)?,
            "bucketCounts" => list(json, &mut all.counts, whole)?,
            _ => {}
        }
        Ok(())
    })
}

fn summary_point(json: &Json<'_>) -> Read<SummaryPoint> {
    let mut all = SummaryPoint::default();
    object(json, &mut |key, json| {
        match key {
            "attributes" => list(json, &mut all.attributes, key_value)?,
            "startTimeUnixNano" => all.start = whole(json)?,
            "timeUnixNano" => all.time = whole(json)?,
            "flags" => all.flags = whole(json)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(all)
}

fn key_value(json: &Json<'_>) -> Read<KeyValue> {
    let mut all = KeyValue::default();
    object(json, &mut |key, json| match key {
        "key" => {
            all.key = text(json)?;
            Ok(())
        }
        "value" => object(json, &mut |key, json| {
            let value = &mut all.value.get_or_insert_default().value;
            match (key, json) {
                (_, Json::Null) => {}
                ("stringValue", _) => *value = Some(Any::Text(text(json)?)),
                ("boolValue", _) => *value = Some(Any::Bool(boolean(json)?)),
                ("intValue", _) => *value = Some(Any::Int(whole(json)?)),
                ("doubleValue", _) => *value = Some(Any::Double(double(json)?)),
                ("arrayValue" | "kvlistValue" | "bytesValue", _) => {
                    *value = Some(Any::Array(format!("{json:?}").into_bytes()));
                }
                _ => {}
            }
            Ok(())
        }),
        _ => Ok(()),
    })?;
    Ok(all)
}
