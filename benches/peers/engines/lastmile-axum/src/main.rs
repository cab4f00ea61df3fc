//! `lastmile-axum` as a service embeds it: the arguments are files of allowed metrics; without any,
//! the default schema is served.

use std::error::Error;

use lastmile_axum::router;
use lastmile_http::Service;

fn main() -> Result<(), Box<dyn Error>> {
    let aggregator = serve::aggregator()?;
    let public = router(Service::public(aggregator.clone()));
    let private = router(Service::private(aggregator));
    Ok(serve::on_axum(public, Some(private))?)
}
