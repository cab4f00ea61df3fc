use crate::Result;

/// What the runner asks an engine for.
#[derive(Debug)]
pub(crate) struct Args {
    /// Series that are there before anything but their creation is measured.
    pub(crate) n_series: usize,
    /// Samples that `known` times.
    pub(crate) n_samples: usize,
    pub(crate) measures: Vec<String>,
}

impl Args {
    /// Flags of an engine's own (`--…`) are not looked at.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self { n_series: 0, n_samples: 0, measures: Vec::new() };
        for arg in args.filter(|arg| !arg.starts_with("--")) {
            match arg.split_once('=') {
                Some(("series", n)) => parsed.n_series = n.parse()?,
                Some(("samples", n)) => parsed.n_samples = n.parse()?,
                Some(_) => return Err(format!("`{arg}` is neither a number nor a measure").into()),
                None => parsed.measures.push(arg),
            }
        }
        Ok(parsed)
    }
}
