use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use lastmile::{Aggregator, Family, Format, Label, Limits, Schema, Source, Timestamp};

/// Samples in [`seed_page_load`]: 4 counters and 12 observations.
pub const N_SAMPLES_SEED_PAGE_LOAD: u64 = 16;

/// Samples in [`lm1_page_load`]: 3 counters and 15 observations.
pub const N_SAMPLES_LM1_PAGE_LOAD: u64 = 18;

/// Lines with samples in [`promjs_page_load`]: 4 of counters, and 14 of each of 12 histograms.
pub const N_SAMPLES_PROMJS_PAGE_LOAD: u64 = 172;

/// Series that [`Shape`] can name before it repeats.
const N_SERIES_MAX: usize = APPS.len() * N_PAGES * DEVICES.len() * COUNTRIES.len();
const N_PAGES: usize = 1000;
const APPS: [&str; 10] = [
    "student", "teacher", "editor", "home", "join", "admin", "report", "library", "billing",
    "support",
];
const DEVICES: [&str; 4] = ["phone", "tablet", "desktop", "other"];
const COUNTRIES: [&str; 25] = [
    "AT", "AU", "BE", "BR", "CA", "CH", "CN", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN",
    "IT", "JP", "KR", "MX", "NL", "NO", "PL", "SE", "US",
];

/// A moment for everything that asks for one. The benchmarks do not depend on time.
pub fn now() -> Timestamp {
    Timestamp::new(1_700_000_000_000, Duration::from_secs(60))
}

/// A file of the worked pushes that stand beside the project.
///
/// # Panics
/// If it is not there.
fn wire(file: &str) -> String {
    String::from_utf8(wire_bytes(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The same of one that is no text.
fn wire_bytes(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/wire").join(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// One page load as the client of prometheus-user-metrics sends it: 4 counters, 12 observations.
pub fn seed_page_load() -> &'static [u8] {
    static BODY: OnceLock<String> = OnceLock::new();
    BODY.get_or_init(|| wire("seed-page-load.json")).as_bytes()
}

/// The same page load as Prometheus text.
pub fn promjs_page_load() -> &'static [u8] {
    static BODY: OnceLock<String> = OnceLock::new();
    BODY.get_or_init(|| wire("promjs-page-load.txt")).as_bytes()
}

/// The same page load, in names of the sketch, as OpenTelemetry's SDK pushes it: JSON and protobuf.
pub fn otlp_page_load() -> (&'static [u8], &'static [u8]) {
    static BODIES: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (json, protobuf) = BODIES.get_or_init(|| {
        let json = wire("worked-otlp.json").into_bytes();
        (json, wire_bytes("worked-otlp.pb"))
    });
    (json, protobuf)
}

/// One page load as an `lm1` batch in the names of the default schema.
pub fn lm1_page_load() -> Batch {
    Batch::new(wire("page-load.lm1").into_bytes())
}

/// An `lm1` line whose id is another one each time it is sent, as an id names one batch for good.
#[derive(Clone, Debug)]
pub struct Batch {
    body: Vec<u8>,
    id_at: usize,
}

impl Batch {
    fn new(body: Vec<u8>) -> Self {
        let key = br#""id":""#;
        let found = body.windows(key.len()).position(|window| window == key);
        Self { id_at: found.expect("the batch has an id") + key.len(), body }
    }

    /// The line with `n` as its id, in sixteen hexadecimal digits.
    pub fn with_id(&mut self, n: u64) -> &[u8] {
        for (digit_idx, digit) in self.body[self.id_at..][..16].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(n >> (60 - 4 * digit_idx)) as usize & 0xf];
        }
        &self.body
    }
}

/// An aggregator with the two metric configuration files of prometheus-user-metrics.
pub fn pum_aggregator() -> Aggregator {
    let files = ["appMetricConfig.json", "performanceTimingMetricConfig.json"];
    let schema = files
        .into_iter()
        .fold(Schema::builder(), |schema, file| {
            schema.allowed_metrics(file, &wire(&format!("pum-config/{file}")))
        })
        .build()
        .expect("the files are valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits the default limits")
}

/// An aggregator with the embedded default schema.
pub fn browser_aggregator() -> Aggregator {
    let schema = Schema::builder().browser().build().expect("the default schema is valid");
    Aggregator::new(schema, Limits::default(), now()).expect("the schema fits the default limits")
}

/// One family with four labels, three of them open, and as many series of it as a benchmark wants.
///
/// The text of one series up to its value is 94 bytes on average
/// (`client_page_views_total{app="student",page="/course/algebra-0123",device="phone",country="DE"} `),
/// which is what the peers were measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `client_page_views_total`, a counter.
    Counter,
    /// `client_page_load_seconds`, a histogram of eleven bounds: fourteen lines a series.
    Histogram,
}

impl Shape {
    /// Lines of the exposition that one series takes.
    pub fn n_lines(self) -> usize {
        match self {
            Self::Counter => 1,
            Self::Histogram => 14,
        }
    }

    /// The family's name.
    pub fn family(self) -> &'static str {
        match self {
            Self::Counter => "client_page_views_total",
            Self::Histogram => "client_page_load_seconds",
        }
    }

    /// An aggregator that has room for every series this shape can name.
    pub fn aggregator(self) -> Aggregator {
        self.aggregator_with_pages(u32::try_from(N_PAGES).expect("a constant"))
    }

    /// As [`aggregator`](Self::aggregator), with places for only `n_pages` values of `page`.
    pub fn aggregator_with_pages(self, n_pages: u32) -> Aggregator {
        let family = match self {
            Self::Counter => Family::counter(self.family()),
            Self::Histogram => Family::histogram(
                self.family(),
                [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
            ),
        };
        let family = family
            .help("What the benchmarks push.")
            .label(Label::open("app", 10))
            .label(Label::open("page", n_pages))
            .label(Label::closed("device", ["phone", "tablet", "desktop"]))
            .label(Label::open("country", 25));
        let schema = Schema::builder().family(family).build().expect("the family is valid");
        let limits = Limits::default().bytes(4 << 30).series_per_family(1_100_000);
        Aggregator::new(schema, limits, now()).expect("the limits have room")
    }

    /// The value of each label of series `idx`. All are distinct up to a million.
    pub fn labels(self, idx: usize) -> [(&'static str, String); 4] {
        assert!(idx < N_SERIES_MAX);
        let (rest, app) = (idx / APPS.len(), APPS[idx % APPS.len()]);
        let (rest, page) = (rest / N_PAGES, rest % N_PAGES);
        let (country, device) = (rest / DEVICES.len(), DEVICES[rest % DEVICES.len()]);
        [
            ("app", app.to_owned()),
            ("page", format!("/course/algebra-{page:04}")),
            ("device", device.to_owned()),
            ("country", COUNTRIES[country].to_owned()),
        ]
    }

    /// One `lm1` line with one sample of each of these series.
    pub fn line(self, series: impl IntoIterator<Item = usize>) -> Batch {
        let mut line = String::from(r#"{"lm":1,"id":"Zk3vTq81mWc0xHs9","m":{"#);
        for (n, idx) in series.into_iter().enumerate() {
            if n > 0 {
                line.push(',');
            }
            line.push('"');
            line.push_str(self.family());
            // As clients write them: sorted by name.
            let mut labels = self.labels(idx);
            labels.sort();
            for (name, value) in labels {
                line.push(';');
                line.push_str(name);
                line.push('=');
                line.push_str(&value);
            }
            line.push_str(match self {
                Self::Counter => "\":1",
                Self::Histogram => "\":[0.3]",
            });
        }
        line.push_str("}}\n");
        Batch::new(line.into_bytes())
    }

    /// Creates the first `n_series` series with one sample each, in order.
    pub fn fill(self, aggregator: &Aggregator, n_series: usize) {
        for first in (0..n_series).step_by(16) {
            let mut batch = self.line(first..n_series.min(first + 16));
            let report = aggregator
                .push(Format::Lm1, batch.with_id(!(first as u64)), &Source::default(), now())
                .expect("the line is valid");
            assert_eq!(report.n_refused(), 0);
        }
    }
}

/// Durations as pages have them: most near a second, some a hundred times as long.
pub fn durations() -> impl Iterator<Item = f64> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let unit = (state >> 11) as f64 / (1_u64 << 53) as f64;
        0.05 / (1.0 - unit).powf(0.8)
    })
}
