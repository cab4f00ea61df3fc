use lastmile::Aggregator;

use crate::now;

/// The text of a scrape, for the check at the end of a benchmark.
#[derive(Debug)]
pub struct Exposition(String);

/// Everything the aggregator exposes now.
pub fn exposition(aggregator: &Aggregator) -> Exposition {
    let mut text = Vec::new();
    aggregator.encode_to(&mut text, now()).expect("a Vec takes every write");
    Exposition(String::from_utf8(text).expect("an exposition is UTF-8"))
}

impl Exposition {
    /// The value of one series, named as in the exposition.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn value(&self, series: &str) -> f64 {
        self.samples()
            .find(|(name, _)| *name == series)
            .unwrap_or_else(|| panic!("`{series}` is not in the exposition"))
            .1
    }

    /// Lines of the metric `name` and the sum of their values. `name` is what stands before `{`,
    /// with the suffix (`_count`) where the family is a histogram.
    pub fn total(&self, name: &str) -> (usize, f64) {
        self.samples()
            .filter(|(series, _)| series.split('{').next() == Some(name))
            .fold((0, 0.0), |(n, sum), (_, value)| (n + 1, sum + value))
    }

    /// The exposition's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn samples(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample line has a value");
            (series, value.parse().expect("a value is a number"))
        })
    }
}
