//! Requests as JSON, written as exporters do.

use super::*;

/// A request as exporters write it: 64-bit numbers as strings, what is not a number in words.
pub(crate) fn write(request: &Request) -> String {
    let resources = request.resource_metrics.iter().map(|all| {
        let attributes = all.resource.iter().flat_map(|resource| &resource.attributes);
        let scopes = all.scope_metrics.iter().map(write_scope);
        format!(
            r#"{{"resource":{{"attributes":{}}},"scopeMetrics":{}}}"#,
            array(attributes.map(write_attribute)),
            array(scopes)
        )
    });
    format!(r#"{{"resourceMetrics":{}}}"#, array(resources))
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

fn write_scope(all: &ScopeMetrics) -> String {
    let scope = all.scope.clone().unwrap_or_default();
    format!(
        r#"{{"scope":{{"name":{},"version":{},"attributes":{}}},"metrics":{}}}"#,
        quote(&scope.name),
        quote(&scope.version),
        array(scope.attributes.iter().map(write_attribute)),
        array(all.metrics.iter().map(write_metric))
    )
}

fn write_double(v: f64) -> String {
    match v {
        _ if v.is_nan() => "\"NaN\"".to_owned(),
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        _ => format!("{v:?}"),
    }
}

fn write_attribute(attribute: &KeyValue) -> String {
    let value = match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        None => String::new(),
        Some(Any::Text(text)) => format!(r#""stringValue":{}"#, quote(text)),
        Some(Any::Bool(value)) => format!(r#""boolValue":{value}"#),
        Some(Any::Int(n)) => format!(r#""intValue":"{n}""#),
        Some(Any::Double(v)) => format!(r#""doubleValue":{}"#, write_double(*v)),
        Some(Any::Array(bytes) | Any::List(bytes) | Any::Bytes(bytes)) => {
            format!(r#""arrayValue":{}"#, quote(&format!("{bytes:?}")))
        }
    };
    format!(r#"{{"key":{},"value":{{{value}}}}}"#, quote(&attribute.key))
}

fn write_metric(metric: &Metric) -> String {
    let temporality = |n: i32| format!(r#""aggregationTemporality":{n},"#);
    let (kind, says, points) = match &metric.data {
        None => return format!(r#"{{"name":{}}}"#, quote(&metric.name)),
        Some(Data::Gauge(data)) => {
            ("gauge", String::new(), array(data.points.iter().map(write_number)))
        }
        Some(Data::Sum(data)) => (
            "sum",
            format!(r#"{}"isMonotonic":{},"#, temporality(data.temporality), data.is_monotonic),
            array(data.points.iter().map(write_number)),
        ),
        Some(Data::Histogram(data)) => (
            "histogram",
            temporality(data.temporality),
            array(data.points.iter().map(write_histogram)),
        ),
        Some(Data::Exponential(data)) => (
            "exponentialHistogram",
            temporality(data.temporality),
            array(data.points.iter().map(write_exponential)),
        ),
        Some(Data::Summary(data)) => {
            let points = data.points.iter().map(|point| {
                format!("{{{}}}", common(&point.attributes, point.start, point.time, point.flags))
            });
            ("summary", String::new(), array(points))
        }
    };
    format!(
        r#"{{"name":{},"unit":{},"{kind}":{{{says}"dataPoints":{points}}}}}"#,
        quote(&metric.name),
        quote(&metric.unit)
    )
}

fn common(attributes: &[KeyValue], start: u64, time: u64, flags: u32) -> String {
    let attributes = array(attributes.iter().map(write_attribute));
    format!(
        r#""attributes":{attributes},"startTimeUnixNano":"{start}","timeUnixNano":"{time}","flags":{flags}"#
    )
}

fn write_number(point: &NumberPoint) -> String {
    let value = match point.value {
        None => String::new(),
        Some(Number::Double(v)) => format!(r#","asDouble":{}"#, write_double(v)),
        Some(Number::Int(n)) => format!(r#","asInt":"{n}""#),
    };
    format!("{{{}{value}}}", common(&point.attributes, point.start, point.time, point.flags))
}

fn write_sum(sum: Option<f64>) -> String {
    sum.map(|sum| format!(r#""sum":{},"#, write_double(sum))).unwrap_or_default()
}

fn write_counts(counts: &[u64]) -> String {
    array(counts.iter().map(|n| format!("\"{n}\"")))
}

fn write_histogram(point: &HistogramPoint) -> String {
    format!(
        r#"{{{}"count":"{}","bucketCounts":{},"explicitBounds":{},{}}}"#,
        write_sum(point.sum),
        point.count,
        write_counts(&point.counts),
        array(point.bounds.iter().map(|bound| write_double(*bound))),
        common(&point.attributes, point.start, point.time, point.flags)
    )
}

fn write_exponential(point: &ExponentialPoint) -> String {
    let buckets = |name: &str, buckets: &Option<Buckets>| {
        let Some(Buckets { offset, counts }) = buckets else { return String::new() };
        format!(r#""{name}":{{"offset":{offset},"bucketCounts":{}}},"#, write_counts(counts))
    };
    format!(
        r#"{{{}{}"count":{},"scale":{},"zeroCount":{},"zeroThreshold":{},{}{}}}"#,
        write_sum(point.sum),
        buckets("positive", &point.positive),
        point.count,
        point.scale,
        point.zeros,
        write_double(point.threshold),
        buckets("negative", &point.negative),
        common(&point.attributes, point.start, point.time, point.flags)
    )
}
