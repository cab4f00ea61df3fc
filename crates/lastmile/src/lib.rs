#![doc = include_str!("../README.md")]

mod aggregator;
#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "prometheus-client")]
mod bridge;
mod connection;
mod dedup;
mod error;
mod exemplar;
mod exposition;
mod handle;
mod keyed;
mod limit;
#[cfg(all(test, any(loom, shuttle)))]
mod models;
mod own;
mod push;
mod rate;
mod readers;
mod recent;
mod recorder;
mod request;
mod schema;
mod store;
mod sync;
mod table;
mod time;
#[cfg(feature = "totals")]
mod totals;
mod value;
mod visit;

pub use aggregator::Aggregator;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use bench::DecodedBatch;
#[cfg(feature = "prometheus-client")]
pub use bridge::{Collector, LeftOut};
pub use connection::{ConnectionEvent, Listener};
pub use error::Error;
pub use exposition::{Escaping, ExpositionFormat, OwnMetrics, Scrape, ScrapeOptions};
pub use handle::{Counter, Gauge, Histogram, Summary};
pub use limit::Limits;
pub use push::{
    DecodeError, DecodeReason, Format, Headers, LM1_LINES_MAX, LineError, PushReport, Refusal,
    Source,
};
pub use readers::Hold;
pub use recent::RecentRefusal;
pub use recorder::{CounterId, HistogramId, Recorder};
pub use request::RequestRefusal;
#[cfg(feature = "faro")]
pub use schema::FaroItem;
pub use schema::{
    AdmitBy, Combine, Family, Kind, Label, Native, Otherwise, Schema, SchemaBuilder, ValueFrom,
};
#[cfg(feature = "mapping")]
pub use schema::{Mapping, Rule};
pub use time::Timestamp;
pub use value::native::NativeView;
pub use visit::{SeriesView, Value, Visitor};
