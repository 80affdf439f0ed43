//! The command line.

use std::path::PathBuf;

use crate::database::Schema;
use clap::{Args, Parser, Subcommand, ValueEnum};
use paywright_domain::Timestamp;

/// Orders in, money exactly once: a self-hosted order-and-payment service.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How log lines are written to the error stream. What is logged is set by `RUST_LOG`.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub(crate) log: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try everything on this machine: a database file, a stand-in for Stripe and ready-to-paste calls; nothing
    /// to configure.
    Dev(DevOptions),
    /// Serve a shop. Needs a database, a Stripe key and a token secret, and says which is missing.
    Serve(ServeOptions),
    /// Ask a process that serves on this machine whether it is ready (`/readyz`); exit code 1 if it is not.
    Health(HealthOptions),
    /// Run the stand-in for Stripe alone.
    Twin(TwinOptions),
    /// Bring the schema of the database up to date.
    Migrate(MigrateOptions),
    /// Say which PostgreSQL server is the right one.
    Database(DatabaseOptions),
    /// Make, list and revoke the keys of applications.
    Keys(KeysOptions),
    /// Put prices and terms of sale in, for storefronts.
    Prices(PricesOptions),
    /// Make a customer's token, as the shop would.
    Token(TokenOptions),
    /// Say why an order is as it is, and what happens to it next.
    Explain(ExplainOptions),
    /// Compare every order with what Stripe lists, and say what differs; exit code 1 if anything does.
    Audit(AuditOptions),
    /// Copy the file of a SQLite database to a new file while it is in use.
    Backup(BackupOptions),
    /// After a restore from a backup: learn from Stripe what the backup has not, and list the orders that were lost; exit
    /// code 1 if one is left to be decided on.
    Recover(RecoverOptions),
}

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The file to make. It must not be there.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The moment of the backup, like 2026-03-01T03:00:00Z. Earlier is slower, and as good; later misses orders.
    #[arg(long)]
    pub(crate) since: Timestamp,
    /// Make a lost order again, of what its payment says: its id or number, or `all`. May be given more than once.
    #[arg(long, value_name = "ORDER")]
    pub(crate) recreate: Vec<String>,
    /// Give back what was paid for a lost order, and cancel it where nothing was: its id or number, or `all`. May be given
    /// more than once. An order that is named goes by its name, whatever is said of `all`; an order that an earlier run
    /// has dealt with stays as it is.
    #[arg(long, value_name = "ORDER")]
    pub(crate) refund: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The order: its id, its number, or one of its payment intents.
    pub(crate) order: String,
}

#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// How many days to go back.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// The port that orders are taken on; 0 for any.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// The port that the stand-in for Stripe listens on; 0 for any.
    #[arg(long, default_value_t = 4242)]
    pub(crate) twin_port: u16,
    /// The folder that everything is kept in from one start to the next.
    #[arg(long, default_value = ".paywright")]
    pub(crate) dir: PathBuf,
    /// Forget all earlier orders and payments first.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Let no webhook come, to see that the callback alone is enough.
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    /// How long the stand-in takes for each answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) twin_latency_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Where to listen, instead of `http.bind`.
    #[arg(long)]
    pub(crate) bind: Option<String>,
    /// What to do about the schema of the database first.
    #[arg(long, value_enum, default_value_t = MigrateMode::Auto)]
    pub(crate) migrate: MigrateMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateMode {
    /// Bring it up to date.
    Auto,
    /// Refuse to start if it is not what this version makes.
    Check,
    /// Start whatever it is.
    Off,
}

impl From<MigrateMode> for Schema {
    fn from(mode: MigrateMode) -> Self {
        match mode {
            MigrateMode::Auto => Self::Migrate,
            MigrateMode::Check => Self::Check,
            MigrateMode::Off => Self::Any,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct MigrateOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: DatabaseCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Remember the cluster and the timeline of the PostgreSQL server that takes writes now, whatever was seen before:
    /// after `pg_upgrade`, a restore into a new cluster, or a return to an earlier timeline on purpose.
    TrustTimeline,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsOptions {
    /// The settings file, instead of a `paywright.toml` that need not be there. `PAYWRIGHT__SECTION__KEY` in the
    /// environment outranks it.
    #[arg(long, global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Where the process listens, instead of `http.bind`.
    #[arg(long)]
    pub(crate) bind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TwinOptions {
    /// The port to listen on; 0 for any.
    #[arg(long, default_value_t = 4242)]
    pub(crate) port: u16,
    /// The file that its state is kept in; without one it forgets all when it stops.
    #[arg(long)]
    pub(crate) state: Option<PathBuf>,
    /// How long each answer takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) latency_ms: u64,
    /// Where to send events; more endpoints can be registered by `POST /v1/webhook_endpoints`.
    #[arg(long, requires = "webhook_secret")]
    pub(crate) webhook: Option<String>,
    /// What to sign them with.
    #[arg(long, requires = "webhook")]
    pub(crate) webhook_secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct KeysOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and show it, once.
    Create {
        /// What it is for, in words for people.
        #[arg(long)]
        name: String,
        /// What it may do: orders:read, orders:write, payments:write, prices:read, prices:write. Give it more than once for more.
        #[arg(long = "scope", required = true)]
        scopes: Vec<paywright_app::Scope>,
        /// After how many days it ends; never by default.
        #[arg(long)]
        days: Option<u32>,
    },
    /// Show all keys, without their texts.
    List,
    /// Take a key back for good.
    Revoke {
        /// Its id, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PricesOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: PricesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PricesCommand {
    /// Put the variants of a CSV file on the price list, over those of the same ids: all of them, or none if
    /// anything in it is wrong.
    Import {
        /// Its first line names the columns: id, name, `price_usd` (and other currencies), sku, description, active.
        file: PathBuf,
    },
    /// Replace shipping rates, taxes and coupons by those of a JSON file.
    Terms {
        /// The file; `docs/spree.md` has an example.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The customer's id in the shop.
    #[arg(long)]
    pub(crate) customer: String,
    /// For how many days it is valid.
    #[arg(long, default_value_t = 1)]
    pub(crate) days: u32,
}
