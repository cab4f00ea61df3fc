//! One configuration out of flags, variables, the file and defaults; or all that is wrong with them.

use std::net::SocketAddr;

use lastmile::{Aggregator, Hold};
use lastmile_http::{Clock, PrivateOptions, PublicOptions};
use lastmile_hyper::ServeLimits;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::args::Args;
use crate::fault::{Faults, Given, Place};
use crate::schemas::Declared;

/// What to run.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) aggregator: Aggregator,
    pub(crate) n_families: usize,
    /// Whether the built-in families are among them, and whether others are.
    pub(crate) has_default_schema: bool,
    pub(crate) has_own_schema: bool,
    pub(crate) public: SocketAddr,
    pub(crate) private: SocketAddr,
    pub(crate) public_options: PublicOptions,
    pub(crate) private_options: PrivateOptions,
    /// What a connection of each side may do.
    pub(crate) public_limits: ServeLimits,
    pub(crate) private_limits: ServeLimits,
    pub(crate) log: EnvFilter,
}

impl Config {
    /// Puts together what `args` say and what is in the files that they name. What a file says is
    /// checked even where a flag wins over it.
    ///
    /// # Errors
    /// All faults at once, those of the schema too.
    pub(crate) fn new(args: Args) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let Declared { schema, file, has_default_schema, has_own_schema } =
            args.sources.read(&mut faults);
        let limits_bytes = args.limits_bytes.and_then(|given| size(&given, &mut faults));
        let limits_series =
            args.limits_series_per_family.and_then(|given| count(&given, &mut faults));
        let limits_new_series =
            args.limits_new_series_per_second.and_then(|given| count(&given, &mut faults));
        let limits_ids = args.limits_ids_bytes.and_then(|given| size(&given, &mut faults));
        let limits_streams = args.limits_streams_bytes.and_then(|given| size(&given, &mut faults));
        let file_hold = file.hold.and_then(|given| hold(&given, &mut faults));
        let hold = args.hold.and_then(|given| hold(&given, &mut faults)).or(file_hold);
        let aggregator = schema.build().and_then(|schema| {
            let mut limits = schema.limits().clone();
            if let Some(bytes) = limits_bytes {
                limits = limits.bytes(bytes);
            }
            if let Some(series) = limits_series {
                limits = limits.series_per_family(series);
            }
            if let Some(series) = limits_new_series {
                limits = limits.new_series_per_second(series);
            }
            if let Some(bytes) = limits_ids {
                limits = limits.ids_bytes(bytes);
            }
            if let Some(bytes) = limits_streams {
                limits = limits.streams_bytes(bytes);
            }
            if let Some(hold) = hold {
                limits = limits.hold(hold);
            }
            let n_families = schema.families().count();
            let aggregator = Aggregator::new(schema, limits, Clock::new().now())?;
            Ok((aggregator, n_families))
        });

        let public = address(args.public, file.public, 3000, &mut faults);
        let private = address(args.private, file.private, 9102, &mut faults);
        if public == private && public.is_some_and(|public| public.port() != 0) {
            let place = Place::Name("public and private".to_owned());
            faults.push(&place, "have the same address, and each needs its own");
        }
        let log = log(args.log, file.log, &mut faults);
        for access in [&args.access, &file.access] {
            access.check(&mut faults);
        }
        let access = args.access.or(file.access);
        // Each value was checked where it was given.
        let told = &mut Faults::default();
        let public_options = access.public(told);
        access.check_together(&public_options, &mut faults);
        let private_options = access.private(told);
        let (public_limits, private_limits) = access.limits(told);
        if let (Ok((aggregator, _)), Some(true)) = (&aggregator, flag(access.debug_samples, told)) {
            aggregator.set_debug_samples(true);
        }

        if let Err(error) = &aggregator {
            faults.extend(error);
        }
        let config = (|| {
            let (aggregator, n_families) = aggregator.ok()?;
            Some(Self {
                aggregator,
                n_families,
                has_default_schema,
                has_own_schema,
                public: public?,
                private: private?,
                public_options,
                private_options,
                public_limits,
                private_limits,
                log: log?,
            })
        })();
        faults.none_or(config)
    }
}

/// Who sees a new series at 0 first; `None` with a fault.
fn hold(given: &Given, faults: &mut Faults) -> Option<Hold> {
    match given.value.as_str() {
        "readers" => Some(Hold::Readers),
        "everyone" => Some(Hold::Everyone),
        "off" => Some(Hold::Off),
        other => {
            faults.push(&given.place, format_args!("`{other}` is not readers, everyone or off"));
            None
        }
    }
}

/// The address of one listener; `None` with a fault.
fn address(
    given: Option<Given>,
    file: Option<Given>,
    default_port: u16,
    faults: &mut Faults,
) -> Option<SocketAddr> {
    let mut parse = |given: Given| {
        let address = given.value.parse().ok();
        if address.is_none() {
            let why = format_args!(
                "`{}` is not an IP address and a port, such as 127.0.0.1:{default_port} or [::1]:{default_port}",
                given.value
            );
            faults.push(&given.place, why);
        }
        address
    };
    let file = file.map(&mut parse);
    given.map(&mut parse).or(file).unwrap_or(Some(SocketAddr::from(([127, 0, 0, 1], default_port))))
}

/// What to log; `None` with a fault.
fn log(given: Option<Given>, file: Option<Given>, faults: &mut Faults) -> Option<EnvFilter> {
    let mut parse = |given: Given| {
        // A lone word that is no level would be taken as the name of a module.
        let is_level = given.value.parse::<LevelFilter>().is_ok();
        let is_list = given.value.contains(['=', ',', '[']);
        let filter = EnvFilter::try_new(&given.value).ok().filter(|_| is_level || is_list);
        if filter.is_none() {
            let why = format_args!(
                "`{}` is not a level: off, error, warn, info, debug or trace, or a list such as warn,lastmile_aggregator=debug",
                given.value
            );
            faults.push(&given.place, why);
        }
        filter
    };
    let file = file.map(&mut parse);
    given.map(&mut parse).or(file).unwrap_or_else(|| Some(EnvFilter::new("info")))
}

pub(crate) fn flag(given: Option<Given>, faults: &mut Faults) -> Option<bool> {
    let given = given?;
    let value = given.value.parse().ok();
    if value.is_none() {
        faults.push(&given.place, format_args!("`{}` is neither true nor false", given.value));
    }
    value
}

pub(crate) fn count(given: &Given, faults: &mut Faults) -> Option<u32> {
    let value = given.value.parse().ok();
    if value.is_none() {
        let why = format_args!("`{}` is not a whole number of at most {}", given.value, u32::MAX);
        faults.push(&given.place, why);
    }
    value
}

/// Bytes, as a number or with a unit as the file has it.
pub(crate) fn size(given: &Given, faults: &mut Faults) -> Option<u64> {
    let text = given.value.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let value = number
        .parse()
        .ok()
        .zip(unit)
        .and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    if value.is_none() {
        let why = format_args!("`{}` is not a size, such as 64MiB", given.value);
        faults.push(&given.place, why);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Faults, Given, Place, size};

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("67108864", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            (" 64 MiB ", Some(64 << 20)),
            ("5B", Some(5)),
            ("5KiB", Some(5 << 10)),
            ("2GiB", Some(2 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18014398509481984KiB", None),
            ("", None),
            ("MiB", None),
            ("64MB", None),
            ("64mib", None),
            ("-1", None),
            ("1.5GiB", None),
        ] {
            let mut faults = Faults::default();
            let given =
                Given { value: text.to_owned(), place: Place::Name("--limits-bytes".to_owned()) };
            assert_eq!(size(&given, &mut faults), bytes, "{text}");
            assert_eq!(faults.none_or(Some(())).is_ok(), bytes.is_some(), "{text}");
        }
    }
}
