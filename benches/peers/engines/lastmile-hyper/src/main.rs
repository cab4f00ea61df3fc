//! `lastmile-hyper` on its own server loop: the arguments are files of allowed metrics; without any,
//! the default schema is served.

use std::error::Error;

use lastmile_http::Service;
use lastmile_hyper::Endpoint;

fn main() -> Result<(), Box<dyn Error>> {
    let aggregator = serve::aggregator()?;
    let public = Endpoint::new(Service::public(aggregator.clone()));
    let private = Endpoint::new(Service::private(aggregator));
    Ok(serve::on_hyper(public, Some(private))?)
}
