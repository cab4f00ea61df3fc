//! The service over real sockets: `hyper` in front, plain text of HTTP/1.1 from the other side.

mod answers;
mod bodies;
mod cors;
mod formats;
mod measure;
mod page_loads;
mod routes;
mod scrapes;
mod server;
