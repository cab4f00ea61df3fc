use crate::Result;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Args {
    /// Whether libraries are measured in process, and not servers.
    pub(crate) store: bool,
    scenarios: Vec<String>,
    engines: Vec<String>,
    pub(crate) n_rounds: usize,
    pub(crate) n_pushes: u64,
    pub(crate) n_connections: usize,
}

impl Args {
    /// # Errors
    ///
    /// On a flag that does not exist or has no value.
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Self> {
        let mut args = args.peekable();
        let store = args.next_if(|arg| arg == "store").is_some();
        let mut parsed = Self {
            store,
            scenarios: Vec::new(),
            engines: Vec::new(),
            n_rounds: if store { 3 } else { 15 },
            n_pushes: 60_000,
            n_connections: 32,
        };
        while let Some(flag) = args.next() {
            let value = args.next().ok_or_else(|| format!("`{flag}` has no value\n{USAGE}"))?;
            match flag.as_str() {
                "--scenario" => parsed.scenarios.push(value),
                "--engine" => parsed.engines.push(value),
                "--rounds" => parsed.n_rounds = value.parse()?,
                "--pushes" if !store => parsed.n_pushes = value.parse()?,
                "--connections" if !store => parsed.n_connections = value.parse()?,
                _ => return Err(format!("`{flag}` is not a flag\n{USAGE}").into()),
            }
        }
        if parsed.n_rounds == 0 || parsed.n_pushes == 0 || parsed.n_connections == 0 {
            return Err("a run needs a round, a push and a connection".into());
        }
        Ok(parsed)
    }

    pub(crate) fn wants_scenario(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|wanted| wanted == name)
    }

    pub(crate) fn wants_engine(&self, name: &str) -> bool {
        self.engines.is_empty() || self.engines.iter().any(|wanted| wanted == name)
    }
}

const USAGE: &str = "\
usage: cargo run --release -- [--scenario NAME]… [--engine NAME]…
                              [--rounds 15] [--pushes 60000] [--connections 32]
       cargo run --release -- store [--scenario NAME]… [--engine NAME]… [--rounds 3]";
