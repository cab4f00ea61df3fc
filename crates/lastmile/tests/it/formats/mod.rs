//! Every format of expositions, as others read it.

mod bounds;
mod conformance;
pub(crate) mod exemplars;
mod golden;
mod holds;
mod laws;
mod names;
pub(crate) mod reader;

use lastmile::{Aggregator, Escaping, ExpositionFormat, ScrapeOptions, Timestamp};

use reader::Dialect;

use crate::expo::Exposition;

const ESCAPINGS: [Escaping; 4] =
    [Escaping::AllowUtf8, Escaping::Underscores, Escaping::Dots, Escaping::Values];

/// Every text format, and how it reads.
fn formats() -> impl Iterator<Item = (ExpositionFormat, Dialect)> {
    let all = ESCAPINGS.into_iter().flat_map(|escaping| {
        [
            (ExpositionFormat::Text1_0_0(escaping), Dialect::Text),
            (ExpositionFormat::OpenMetrics1_0_0(escaping), Dialect::OpenMetrics),
        ]
    });
    all.chain([(ExpositionFormat::Text0_0_4, Dialect::Text)])
}

/// What a scrape writes, whose chunks must keep their bound; it stays incomplete.
fn scraped(agg: &Aggregator, options: ScrapeOptions, now: Timestamp) -> Vec<u8> {
    let mut scrape = agg.scrape(options, now);
    let (mut text, mut chunk) = (Vec::new(), Vec::new());
    while scrape.next_chunk(&mut chunk) {
        assert!((1..=64 << 10).contains(&chunk.len()), "a chunk of {}", chunk.len());
        text.extend_from_slice(&chunk);
    }
    assert!(!scrape.next_chunk(&mut chunk) && chunk.is_empty(), "the end is the end");
    text
}

/// What a scrape writes in one format, read, without the aggregator's own metrics, which count scrapes.
#[track_caller]
fn read(agg: &Aggregator, options: &ScrapeOptions, now: Timestamp) -> Exposition {
    let dialect = match options.content_type().starts_with("text/plain") {
        true => Dialect::Text,
        false => Dialect::OpenMetrics,
    };
    let text = scraped(agg, options.clone(), now);
    let mut exposition = reader::read(&text, dialect).unwrap_or_else(|fault| {
        panic!("{options:?}: {fault:?}\n{}", String::from_utf8_lossy(&text));
    });
    let is_own = |name: &str| name.starts_with("lastmile_") || name.starts_with("metrics_");
    exposition.families.retain(|family| !is_own(&family.name));
    exposition
}
