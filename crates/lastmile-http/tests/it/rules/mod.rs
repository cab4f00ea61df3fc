//! What the service answers, over real sockets and in plain text of HTTP/1.1: the same for whoever serves
//! it. Each crate that serves it runs these, with an `adapter` of its own at the root of its tests.

mod answers;
#[cfg(feature = "faro")]
mod beacons;
mod bodies;
mod cors;
mod formats;
mod gates;
#[cfg(feature = "pushgateway")]
mod groups;
mod hits;
#[cfg(feature = "otlp")]
mod otlp;
mod page_loads;
mod privates;
#[cfg(feature = "reports")]
mod reports;
mod routes;
mod scrapes;
mod scripts;
pub(crate) mod server;
#[cfg(feature = "ws")]
mod sockets;
mod texts;
