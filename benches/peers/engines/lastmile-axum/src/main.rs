//! `lastmile-axum` as a service embeds it: the arguments are files of allowed metrics; without any,
//! the default schema is served.

use std::error::Error;

use lastmile::{Aggregator, Schema};
use lastmile_axum::router;
use lastmile_http::{Clock, Service};

fn main() -> Result<(), Box<dyn Error>> {
    let mut schema = Schema::builder();
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        schema = schema.allowed_metrics(file, &std::fs::read_to_string(file)?);
    }
    if files.is_empty() {
        schema = schema.browser();
    }
    let schema = schema.build()?;
    let limits = schema.limits().clone();
    let aggregator = Aggregator::new(schema, limits, Clock::new().now())?;
    let public = router(Service::public(aggregator.clone()));
    let private = router(Service::private(aggregator));
    Ok(serve::on_axum(public, Some(private))?)
}
