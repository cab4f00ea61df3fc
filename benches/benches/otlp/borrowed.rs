//! What `serde_json` reads of a request, with every text borrowed from the body.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    #[serde(borrow)]
    resource_metrics: Vec<ResourceMetrics<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics<'a> {
    #[serde(borrow)]
    #[expect(dead_code, reason = "it is read")]
    resource: Resource<'a>,
    #[serde(borrow)]
    scope_metrics: Vec<ScopeMetrics<'a>>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read")]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Debug, Deserialize)]
struct ScopeMetrics<'a> {
    #[serde(borrow)]
    #[expect(dead_code, reason = "it is read")]
    scope: Scope<'a>,
    #[serde(borrow)]
    metrics: Vec<Metric<'a>>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read")]
struct Scope<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read")]
struct KeyValue<'a> {
    key: &'a str,
    #[serde(borrow)]
    value: AnyValue<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is read")]
struct AnyValue<'a> {
    string_value: Option<&'a str>,
    bool_value: Option<bool>,
    int_value: Option<&'a str>,
    double_value: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Metric<'a> {
    #[expect(dead_code, reason = "it is read")]
    name: &'a str,
    #[expect(dead_code, reason = "it is read")]
    unit: &'a str,
    #[serde(borrow)]
    sum: Option<Data<Number<'a>>>,
    #[serde(borrow)]
    gauge: Option<Data<Number<'a>>>,
    #[serde(borrow)]
    histogram: Option<Data<Histogram<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<P> {
    #[expect(dead_code, reason = "it is read")]
    aggregation_temporality: Option<u32>,
    #[expect(dead_code, reason = "it is read")]
    is_monotonic: Option<bool>,
    data_points: Vec<P>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is read")]
struct Number<'a> {
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
    start_time_unix_nano: &'a str,
    time_unix_nano: &'a str,
    as_double: Option<f64>,
    as_int: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is read")]
struct Histogram<'a> {
    #[serde(borrow)]
    attributes: Vec<KeyValue<'a>>,
    start_time_unix_nano: &'a str,
    time_unix_nano: &'a str,
    count: u64,
    sum: f64,
    min: Option<f64>,
    max: Option<f64>,
    bucket_counts: Vec<u64>,
    explicit_bounds: Vec<f64>,
}

impl Request<'_> {
    pub(crate) fn n_points(&self) -> u64 {
        let scopes = self.resource_metrics.iter().flat_map(|all| &all.scope_metrics);
        let of = |metric: &Metric<'_>| {
            let numbers = metric.sum.as_ref().or(metric.gauge.as_ref());
            numbers.map_or(0, |data| data.data_points.len())
                + metric.histogram.as_ref().map_or(0, |data| data.data_points.len())
        };
        scopes.flat_map(|scope| &scope.metrics).map(|metric| of(metric) as u64).sum()
    }
}
