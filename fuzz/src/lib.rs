//! The oracles of the fuzz targets: what holds for every input. The targets in `fuzz_targets` only
//! call them, so that they build, and replay their seeds, on stable:
//! `cargo test --manifest-path fuzz/Cargo.toml --no-default-features --features faro,otlp,pushgateway`.
//!
//! The twin, the strict reader and the table of bad input are those of the crate's own tests.

#![forbid(unsafe_code)]

#[path = "../../crates/lastmile/tests/it/exact.rs"]
mod exact;
#[allow(dead_code)]
#[path = "../../crates/lastmile/tests/it/expo.rs"]
mod expo;
#[path = "../../crates/lastmile/tests/it/formats/reader.rs"]
mod formats;
#[path = "../../crates/lastmile/tests/it/json.rs"]
mod json;
#[allow(dead_code)]
#[cfg(feature = "pushgateway")]
#[path = "../../crates/lastmile/tests/it/protobuf/messages.rs"]
mod messages;
#[allow(dead_code)]
#[path = "../../crates/lastmile/tests/it/oracle.rs"]
mod oracle;
#[allow(dead_code)]
#[cfg(feature = "otlp")]
#[path = "../../crates/lastmile/tests/it/otlp_proto/mod.rs"]
mod otlp_proto;
#[allow(dead_code)]
#[cfg(test)]
#[path = "../../crates/lastmile/tests/it/rows.rs"]
mod rows;
#[allow(dead_code)]
#[path = "../../crates/lastmile/tests/it/schemas.rs"]
mod schemas;
#[allow(dead_code)]
#[path = "../../crates/lastmile/tests/it/twin/mod.rs"]
mod twin;

mod escaping;
#[cfg(feature = "pushgateway")]
mod groups;
#[cfg(feature = "otlp")]
mod otlp;
mod pushing;
#[cfg(test)]
mod replay;

pub use escaping::exposition;
#[cfg(feature = "pushgateway")]
pub use groups::prom_protobuf;
#[cfg(feature = "otlp")]
pub use otlp::{otlp_json, otlp_protobuf};
pub use pushing::{beacon, faro, hit, lm1, prom_text, record, reports};
