//! The command line and the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::access::Access;
use crate::fault::{Given, Place};
use crate::schemas::Sources;

/// Takes metrics that browsers push, adds them up, and shows the sums to Prometheus.
///
/// Without any option it knows the metrics of lastmile.js, takes pushes on 127.0.0.1:3000
/// and shows /metrics on 127.0.0.1:9102.
#[derive(Debug, Parser)]
#[command(name = "lastmile-aggregator", version, verbatim_doc_comment)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(after_help = VARIABLE_HELP, after_long_help = format!("{VARIABLE_HELP}\n\n{FILE_HELP}"))]
struct Flags {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    families: FamilyFlags,

    /// Take pushes from pages here [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR", env = "LASTMILE_PUBLIC", hide_env = true)]
    public: Option<String>,

    /// Show /metrics, /healthz and /readyz here [default: 127.0.0.1:9102]
    #[arg(long, value_name = "ADDR", env = "LASTMILE_PRIVATE", hide_env = true)]
    private: Option<String>,

    /// Hold at most this much for all series [default: 64MiB]
    #[arg(long, value_name = "SIZE", env = "LASTMILE_LIMITS_BYTES", hide_env = true)]
    limits_bytes: Option<String>,

    /// Hold at most this many series of one family [default: 10000]
    #[arg(long, value_name = "N", env = "LASTMILE_LIMITS_SERIES_PER_FAMILY", hide_env = true)]
    limits_series_per_family: Option<String>,

    /// Let one client bring about at most this many new series a second [default: any number]
    #[arg(long, value_name = "N", env = "LASTMILE_LIMITS_NEW_SERIES_PER_SECOND", hide_env = true)]
    limits_new_series_per_second: Option<String>,

    /// Keep ids of batches in at most this much, so that a repeated one is not counted [default: 32MiB]
    #[arg(long, value_name = "SIZE", env = "LASTMILE_LIMITS_IDS_BYTES", hide_env = true)]
    limits_ids_bytes: Option<String>,

    /// Keep the last totals of clients that push totals (OTLP) in at most this much [default: 16MiB]
    #[arg(long, value_name = "SIZE", env = "LASTMILE_LIMITS_STREAMS_BYTES", hide_env = true)]
    limits_streams_bytes: Option<String>,

    /// Show a new series at 0 first to: readers (scrapers), everyone, or nobody: off [default: readers]
    #[arg(long, value_name = "WHO", env = "LASTMILE_HOLD", hide_env = true)]
    hold: Option<String>,

    // Not a doc comment, which would have to make links of the origins.
    #[arg(long, value_name = "ORIGINS", env = "LASTMILE_ORIGINS", hide_env = true)]
    #[arg(value_delimiter = ',', help = ORIGINS_HELP)]
    origins: Vec<String>,

    /// Ask pushes for one of these keys, as in web=8f1c0a,app=77ab10
    #[arg(long, value_name = "NAME=KEY", env = "LASTMILE_KEYS", hide_env = true)]
    #[arg(hide_env_values = true, value_delimiter = ',')]
    keys: Vec<String>,

    /// Let one client push so often, as in '20/s burst 200' or '5/s by origin' [default: any number]
    #[arg(long, value_name = "RATE", env = "LASTMILE_RATE", hide_env = true)]
    rate: Option<String>,

    /// Believe X-Forwarded-For of these proxies, as in 10.0.0.0/8,192.0.2.7 [default: of none]
    #[arg(long, value_name = "NETS", env = "LASTMILE_TRUSTED_PROXIES", hide_env = true)]
    #[arg(value_delimiter = ',')]
    trusted_proxies: Vec<String>,

    /// Serve these public paths alone, as in /lm [default: all]
    #[arg(long, value_name = "PATHS", env = "LASTMILE_ROUTES", hide_env = true)]
    #[arg(value_delimiter = ',')]
    routes: Vec<String>,

    /// Hold at most this much of bodies that are being read [default: 32MiB]
    #[arg(long, value_name = "SIZE", env = "LASTMILE_BYTES_IN_FLIGHT", hide_env = true)]
    bytes_in_flight: Option<String>,

    /// Have at most this many connections of pages, WebSockets among them [default: 4096]
    #[arg(long, value_name = "N", env = "LASTMILE_CONNECTIONS", hide_env = true)]
    connections: Option<String>,

    /// And this many from one address; behind a proxy all come from its own [default: a quarter]
    #[arg(long, value_name = "N", env = "LASTMILE_CONNECTIONS_PER_CLIENT", hide_env = true)]
    connections_per_client: Option<String>,

    /// Have at most this many WebSockets open [default: half of the connections]
    #[arg(long, value_name = "N", env = "LASTMILE_SOCKETS", hide_env = true)]
    sockets: Option<String>,

    /// And this many from one address; behind a proxy that is not trusted all come from its own [default: a quarter]
    #[arg(long, value_name = "N", env = "LASTMILE_SOCKETS_PER_CLIENT", hide_env = true)]
    sockets_per_client: Option<String>,

    /// Have at most this many connections on the private side, and half as many from one address [default: 256]
    #[arg(long, value_name = "N", env = "LASTMILE_PRIVATE_CONNECTIONS", hide_env = true)]
    private_connections: Option<String>,

    /// Answer on the private side under these names too; addresses and localhost always are [default: none]
    #[arg(long, value_name = "HOSTS", env = "LASTMILE_PRIVATE_HOSTS", hide_env = true)]
    #[arg(value_delimiter = ',')]
    private_hosts: Vec<String>,

    /// Ask who reads the private side for this bearer token; better given as a variable
    #[arg(long, value_name = "TOKEN", env = "LASTMILE_PRIVATE_TOKEN", hide_env = true)]
    #[arg(hide_env_values = true)]
    private_token: Option<String>,

    /// Or for this user and password, as in prometheus:p4ss; better given as a variable
    #[arg(long, value_name = "USER:PASSWORD", env = "LASTMILE_PRIVATE_BASIC", hide_env = true)]
    #[arg(hide_env_values = true)]
    private_basic: Option<String>,

    /// Show the values of refused samples in /debug/refusals, whatever they are
    #[arg(
        long,
        value_name = "BOOL",
        env = "LASTMILE_DEBUG_SAMPLES",
        hide_env = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    debug_samples: Option<String>,

    /// Log off, error, warn, info, debug or trace to standard error [default: info]
    ///
    /// Or a level for each module, as in warn,lastmile_aggregator=debug.
    #[arg(long, value_name = "LEVEL", env = "LASTMILE_LOG", hide_env = true)]
    #[arg(verbatim_doc_comment)]
    log: Option<String>,
}

/// Where the metric families come from.
#[derive(Debug, clap::Args)]
struct FamilyFlags {
    /// Read settings and metric families from this TOML file
    #[arg(long, value_name = "FILE", env = "LASTMILE_CONFIG", hide_env = true)]
    config: Option<OsString>,

    /// Take metric families from this file or folder, not the built-in ones; may be repeated
    ///
    /// A .toml file has `[[family]]` tables, a .json file is the allowedMetrics file of a
    /// prometheus-user-metrics server, and a folder gives all the .toml and .json files in it.
    #[arg(long, value_name = "PATH", env = "LASTMILE_SCHEMA", hide_env = true)]
    #[arg(verbatim_doc_comment)]
    schema: Vec<OsString>,

    /// Keep the built-in families beside those of --schema or --config
    #[arg(
        long,
        value_name = "BOOL",
        env = "LASTMILE_DEFAULT_SCHEMA",
        hide_env = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    default_schema: Option<String>,
}

/// What it does instead of running.
#[derive(Debug, Subcommand)]
enum Command {
    /// Print the metric families as TypeScript, with which a compiler checks calls of lastmile.js
    ///
    /// `increment` then takes the declared counters alone, `observe` the histograms and summaries, each with
    /// its labels. Put it beside the sources of the page, as in `--out src/metrics.ts`.
    #[command(verbatim_doc_comment)]
    Types {
        #[command(flatten)]
        families: FamilyFlags,

        /// Write to this file, not to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },

    /// Print the tag of each script that this release serves, with its integrity
    Scripts {
        // Not a doc comment, which would have to make a link of it.
        #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
        #[arg(
            help = "What pages reach the public side by, as in https://metrics.example [default: their own origin]"
        )]
        root: String,
    },
}

const ORIGINS_HELP: &str = "Take pushes from pages of these origins alone, as in \
    https://app.example,https://*.app.example";

const VARIABLE_HELP: &str = "\
Each option is a variable too: LASTMILE_PUBLIC for --public, and so on. LASTMILE_SCHEMA may hold
several paths with colons between them, and PUM_CONFIG_PATH means the same; other lists have commas.
A flag wins over a variable, a variable over the file. An address is an IP address and a port; port
0 is any free one.";

const FILE_HELP: &str = r#"A file for --config, in which every key is optional:
  public = "0.0.0.0:3000"
  private = "0.0.0.0:9102"
  schema = ["metrics", "more.toml"]     # beside this file
  default_schema = true
  log = "info"
  hold = "readers"                      # or everyone, or off

  origins = ["https://app.example"]     # pages of any origin without this
  keys = { web = "8f1c0a" }             # by name; in pages, so no secrets
  rate = "20/s burst 200"               # of one client; any without this
  trusted_proxies = ["10.0.0.0/8"]
  routes = ["/lm"]
  bytes_in_flight = "32MiB"
  connections = 4096
  connections_per_client = 1024         # a quarter without this; behind a proxy as many
  sockets = 2048                        # WebSockets, of the connections; half of them without this
  sockets_per_client = 512              # a quarter without this
  private_connections = 256
  private_hosts = ["lastmile", "*.svc.cluster.local"]
  private_token = "s3cr3t"
  private_basic = "prometheus:p4ss"
  debug_samples = false

  [limits]
  bytes = "64MiB"
  series_per_family = 10000
  new_series_per_second = 10            # of one client; any number without this
  ids_bytes = "32MiB"
  streams_bytes = "16MiB"

  [[family]]
  name = "page_views_total"
  type = "counter"
  help = "Views by page and device."
  labels = [
    { name = "page", max_values = 100, admit_after = 3, template = true, pin = ["/"] },
    { name = "device", values = ["phone", "desktop"] },
  ]

Families of one's own replace the built-in ones, unless default_schema is true."#;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Asked {
    Run(Box<Args>),
    Types { sources: Sources, out: Option<PathBuf> },
    Scripts { root: String },
}

impl Asked {
    /// Reads this process' own command line and environment. Help, the version and mistakes in the flags themselves end
    /// it here.
    pub(crate) fn of_process() -> Self {
        let matches = Flags::command().get_matches();
        let mut flags = Flags::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        match (flags.command.take(), matches.subcommand()) {
            (Some(Command::Types { families, out }), Some((_, matches))) => {
                Self::Types { sources: families.sources(&Places(matches)), out }
            }
            (Some(Command::Scripts { root }), _) => Self::Scripts { root },
            _ => Self::Run(Box::new(Args::new(flags, &Places(&matches)))),
        }
    }
}

/// What the command line and the environment say, as text; none of it is checked yet.
#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) sources: Sources,
    pub(crate) public: Option<Given>,
    pub(crate) private: Option<Given>,
    pub(crate) limits_bytes: Option<Given>,
    pub(crate) limits_series_per_family: Option<Given>,
    pub(crate) limits_new_series_per_second: Option<Given>,
    pub(crate) limits_ids_bytes: Option<Given>,
    pub(crate) limits_streams_bytes: Option<Given>,
    pub(crate) hold: Option<Given>,
    pub(crate) log: Option<Given>,
    pub(crate) access: Access,
}

impl Args {
    fn new(flags: Flags, places: &Places<'_>) -> Self {
        let given = |id: &str, value: Option<String>| places.given(id, value);
        let list = |id: &str, values: Vec<String>| places.list(id, values);
        Self {
            sources: flags.families.sources(places),
            public: given("public", flags.public),
            private: given("private", flags.private),
            limits_bytes: given("limits_bytes", flags.limits_bytes),
            limits_series_per_family: given(
                "limits_series_per_family",
                flags.limits_series_per_family,
            ),
            limits_new_series_per_second: given(
                "limits_new_series_per_second",
                flags.limits_new_series_per_second,
            ),
            limits_ids_bytes: given("limits_ids_bytes", flags.limits_ids_bytes),
            limits_streams_bytes: given("limits_streams_bytes", flags.limits_streams_bytes),
            hold: given("hold", flags.hold),
            log: given("log", flags.log),
            access: Access {
                origins: list("origins", flags.origins),
                keys: list("keys", flags.keys),
                rate: given("rate", flags.rate),
                trusted_proxies: list("trusted_proxies", flags.trusted_proxies),
                routes: list("routes", flags.routes),
                bytes_in_flight: given("bytes_in_flight", flags.bytes_in_flight),
                connections: given("connections", flags.connections),
                connections_per_client: given(
                    "connections_per_client",
                    flags.connections_per_client,
                ),
                sockets: given("sockets", flags.sockets),
                sockets_per_client: given("sockets_per_client", flags.sockets_per_client),
                private_connections: given("private_connections", flags.private_connections),
                private_hosts: list("private_hosts", flags.private_hosts),
                private_token: given("private_token", flags.private_token),
                private_basic: given("private_basic", flags.private_basic),
                debug_samples: given("debug_samples", flags.debug_samples),
            },
        }
    }
}

impl FamilyFlags {
    fn sources(self, places: &Places<'_>) -> Sources {
        let is_variable = places.is_variable("schema");
        let config = self.config.filter(|path| !places.is_variable("config") || !path.is_empty());
        let mut schema: Vec<Given<PathBuf>> = Vec::new();
        for value in self.schema {
            if is_variable {
                schema.extend(paths(&value, "LASTMILE_SCHEMA"));
            } else {
                schema.push(Given { value: value.into(), place: places.of("schema") });
            }
        }
        if schema.is_empty() || is_variable {
            let pum = std::env::var_os("PUM_CONFIG_PATH").unwrap_or_default();
            schema.extend(paths(&pum, "PUM_CONFIG_PATH"));
        }
        Sources {
            config: config.map(|path| Given { value: path.into(), place: places.of("config") }),
            schema,
            default_schema: places.given("default_schema", self.default_schema),
        }
    }
}

/// Where each setting was given.
struct Places<'a>(&'a ArgMatches);

impl Places<'_> {
    fn is_variable(&self, id: &str) -> bool {
        self.0.value_source(id) == Some(ValueSource::EnvVariable)
    }

    fn of(&self, id: &str) -> Place {
        Place::Name(if self.is_variable(id) {
            format!("LASTMILE_{}", id.to_uppercase())
        } else {
            format!("--{}", id.replace('_', "-"))
        })
    }

    /// An empty variable is as good as none, as Compose files and charts leave them.
    fn given(&self, id: &str, value: Option<String>) -> Option<Given> {
        let value = value.filter(|value| !self.is_variable(id) || !value.is_empty());
        value.map(|value| Given { value, place: self.of(id) })
    }

    /// Of a list in a variable, that which is empty whole is none; one of nothing but commas is a mistake.
    fn list(&self, id: &str, values: Vec<String>) -> Vec<Given> {
        let is_none = self.is_variable(id) && values == [""];
        let values = values.into_iter().filter(|_| !is_none);
        values.map(|value| Given { value, place: self.of(id) }).collect()
    }
}

/// The paths of a variable, which holds them as `PATH` does.
fn paths(value: &OsString, name: &str) -> Vec<Given<PathBuf>> {
    std::env::split_paths(value)
        .filter(|path| !path.as_os_str().is_empty())
        .map(|value| Given { value, place: Place::Name(name.to_owned()) })
        .collect()
}
