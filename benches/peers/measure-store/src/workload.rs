/// Samples in a batch: about what one page load sends.
pub const BATCH_LEN: usize = 16;

/// The counter family that clients push to. With its labels a series' text is 94 bytes up to the value.
pub const FAMILY: &str = "client_page_views_total";

/// Its help, and that of the other family.
pub const HELP: &str = "What the benchmarks count.";

/// Names of its labels. Their values are strings that no one knows before they are pushed.
pub const LABELS: [&str; 4] = ["app", "page", "device", "country"];

/// The host's own counter, whose one label, `app`, is known beforehand.
pub const HOST_FAMILY: &str = "app_loads_total";

/// Values of the host's label.
pub const APPS: [&str; 2] = ["student", "teacher"];

/// Index in [`APPS`] of the one series of [`HOST_FAMILY`] that is counted.
pub const APP: usize = 0;

const CLIENT_APPS: [&str; 10] = [
    "student", "teacher", "editor", "home", "join", "admin", "report", "library", "billing",
    "support",
];
const N_PAGES: usize = 1000;
const DEVICES: [&str; 4] = ["phone", "tablet", "desktop", "other"];
const COUNTRIES: [&str; 25] = [
    "AT", "AU", "BE", "BR", "CA", "CH", "CN", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN",
    "IT", "JP", "KR", "MX", "NL", "NO", "PL", "SE", "US",
];

/// How many values each of [`LABELS`] can have, for a library that asks.
pub fn n_values() -> [usize; 4] {
    [CLIENT_APPS.len(), N_PAGES, DEVICES.len(), COUNTRIES.len()]
}

/// The label values of series `idx`, in the order of [`LABELS`]. All series are distinct.
///
/// # Panics
/// If there is no such series; there are a million.
pub fn labels(idx: usize) -> [String; 4] {
    let (rest, app) = (idx / CLIENT_APPS.len(), CLIENT_APPS[idx % CLIENT_APPS.len()]);
    let (rest, page) = (rest / N_PAGES, rest % N_PAGES);
    let (country, device) = (rest / DEVICES.len(), DEVICES[rest % DEVICES.len()]);
    [
        app.to_owned(),
        format!("/course/algebra-{page:04}"),
        device.to_owned(),
        COUNTRIES[country].to_owned(),
    ]
}

/// Samples as a decoder hands them to a store: the label values of each as text, one after the other in
/// memory, so that reading the input costs every store the same little.
#[derive(Debug)]
pub struct Batch {
    text: String,
    /// Where each value ends, four a sample.
    ends: Vec<[u32; 4]>,
}

impl Batch {
    /// One sample of each of these series.
    pub fn new(series: &[usize]) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for idx in series {
            ends.push(labels(*idx).map(|value| {
                text.push_str(&value);
                u32::try_from(text.len()).expect("a batch is small")
            }));
        }
        Self { text, ends }
    }

    /// The label values of each sample, in the order of [`LABELS`].
    pub fn samples(&self) -> impl Iterator<Item = [&str; 4]> {
        let mut start = 0;
        self.ends.iter().map(move |ends| {
            ends.map(|end| {
                let value = &self.text[start..end as usize];
                start = end as usize;
                value
            })
        })
    }
}

/// Series drawn at random, the same in each run.
#[derive(Debug)]
pub(crate) struct Draw {
    n_series: usize,
    state: u64,
}

impl Draw {
    pub(crate) fn new(n_series: usize, seed: u64) -> Self {
        Self { n_series, state: seed }
    }

    /// Distinct series for one batch, fewer if there are not so many.
    pub(crate) fn batch(&mut self) -> Vec<usize> {
        let mut batch = Vec::new();
        while batch.len() < BATCH_LEN.min(self.n_series) {
            let idx = (self.next() % self.n_series as u64) as usize;
            if !batch.contains(&idx) {
                batch.push(idx);
            }
        }
        batch
    }

    /// splitmix64. Source: <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
