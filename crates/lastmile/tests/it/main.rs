//! Every test of the crate from outside, as one binary.

mod bad_input;
#[cfg(feature = "prometheus-client")]
mod bridge;
mod dedup;
mod exact;
mod expo;
mod formats;
mod golden;
#[cfg(all(feature = "protobuf", feature = "pushgateway"))]
mod groups;
mod json;
mod json_suite;
mod laws;
#[cfg(feature = "faro")]
mod mappings;
mod model;
mod oracle;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "otlp")]
mod otlp_proto;
#[cfg(feature = "protobuf")]
mod protobuf;
mod pushes;
mod readers;
mod recent;
mod reports;
mod rows;
mod schemas;
mod setup;
mod twin;
mod wire;
