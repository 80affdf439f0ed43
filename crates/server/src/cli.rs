//! The command line.

mod books;
#[cfg(test)]
mod documented;

use std::path::PathBuf;

pub(crate) use self::books::{BooksCommand, BooksOptions, Month, PeriodOptions, TableFormat};
use crate::database::Schema;
use clap::{Args, Parser, Subcommand, ValueEnum};
use paywright_app::{AttemptOutcome, ConsoleRole, OperatorName};
use paywright_domain::Timestamp;
use paywright_domain::fact::FeedEventType;
use uuid::Uuid;

/// A self-hosted order-and-payment service for Stripe: each order is paid exactly once.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Format of log lines, which go to standard error. `RUST_LOG` sets their level.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    pub(crate) log: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try Paywright on this machine: with a database file, a stand-in for Stripe and ready-to-paste calls, and without
    /// configuration.
    Dev(DevOptions),
    /// Serve a shop. Requires a database, a Stripe key and a token secret, and names the missing ones.
    Serve(ServeOptions),
    /// Check the settings.
    Config(ConfigOptions),
    /// Check the installation: settings, database, Stripe, clock, limits of this machine; exit code 1 if a check fails.
    Doctor(DoctorOptions),
    /// Check whether the process that serves on this machine is ready (`/readyz`); exit code 1 if it is not.
    Health(HealthOptions),
    /// Run the stand-in for Stripe alone.
    Twin(paywright_stripe_twin::program::Arguments),
    /// Apply missing migrations to the database.
    Migrate(MigrateOptions),
    /// Choose the PostgreSQL server to trust after a failover or an upgrade.
    Database(DatabaseOptions),
    /// Create, list, rotate, audit and revoke API keys.
    Keys(KeysOptions),
    /// Make links by which people sign in to the console, and list and end their sessions.
    Console(ConsoleOptions),
    /// Import prices and terms of sale for storefronts.
    Prices(PricesOptions),
    /// Print the events of the feed, one JSON object per line.
    Events(EventsOptions),
    /// Manage the endpoints to which events are sent as webhooks, and the one at Stripe.
    ///
    /// `ensure`, and `rotate` without an id, are about the endpoint at Stripe, which sends its events to this installation. All
    /// others are about endpoints of other programs, to which this installation sends events.
    Webhooks(WebhooksOptions),
    /// Sign a customer's token with the token secret, as the shop would. Refused if customers' tokens are verified by a key
    /// set alone.
    Token(TokenOptions),
    /// Explain the state of an order, its history, and what happens next.
    Explain(ExplainOptions),
    /// List the orders that are held for review: money that does not match them waits for a person's decision.
    Review(ReviewOptions),
    /// Compare every order with what Stripe lists, and print the differences; exit code 1 if there are any.
    Audit(AuditOptions),
    /// Print who has moved money, changed access, sent events again or explained a break, from where and when, the newest first.
    AuditTrail(AuditTrailOptions),
    /// Read the books: statements, taxes, payouts, what does not agree with Stripe, and exports for accounting programs.
    Books(BooksOptions),
    /// Copy a SQLite database to a new file while it is in use.
    Backup(BackupOptions),
    /// After a restore from a backup: read from Stripe what the backup does not have, and list the lost orders; exit
    /// code 1 if any of them still needs a decision.
    Recover(RecoverOptions),
    /// Print completions for a shell.
    Completions(CompletionsOptions),
    /// Print the manual page, in the format of man.
    Man,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: ShellName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct BackupOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Name of the new file. It must not exist.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Time of the backup, such as 2026-03-01T03:00:00Z. An earlier time is slower but also correct; a later one misses
    /// orders.
    #[arg(long)]
    pub(crate) since: Timestamp,
    /// Recreate a lost order from the data of its payment: its id or number, or `all`. May be given more than once.
    #[arg(long, value_name = "ORDER")]
    pub(crate) recreate: Vec<String>,
    /// Refund the payment of a lost order, or cancel it if it is unpaid: its id or number, or `all`. May be given more
    /// than once. An order that is named takes precedence over `all`; a decision of an earlier run is final.
    #[arg(long, value_name = "ORDER")]
    pub(crate) refund: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditTrailOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Print only what was done to this order (its id, its number, or one of its PaymentIntents), API key or webhook
    /// endpoint (its id).
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) subject: Option<String>,
    /// Print only what was done with this API key: its id.
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    /// Print only what was done from this time on, such as 2026-03-01T03:00:00Z.
    #[arg(long)]
    pub(crate) since: Option<Timestamp>,
    /// Largest number of entries.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The order: its id, its number, or one of its PaymentIntents.
    pub(crate) order: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReviewOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Number of days to go back.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// Port of the API; 0 for any free port.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Port of the stand-in for Stripe; 0 for any free port.
    #[arg(long, default_value_t = 4242)]
    pub(crate) twin_port: u16,
    /// Folder in which all data is kept between starts.
    #[arg(long, default_value = ".paywright")]
    pub(crate) dir: PathBuf,
    /// Delete all earlier orders and payments first.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Send no webhooks, to try the callback alone.
    #[arg(long)]
    pub(crate) no_webhooks: bool,
    /// Delay of each answer of the stand-in for Stripe, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) twin_latency_ms: u64,
    /// File to which answers and events are appended, each shape once, for a check against Stripe's API description.
    #[arg(long, env = "STRIPE_TWIN_RECORD", hide = true)]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Host and port to listen on, instead of `http.bind`.
    #[arg(long)]
    pub(crate) bind: Option<String>,
    /// Handling of the database's schema before the start.
    #[arg(long, value_enum, default_value_t = MigrateMode::Auto)]
    pub(crate) migrate: MigrateMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MigrateMode {
    /// Apply missing migrations.
    Auto,
    /// Refuse to start if the schema is not that of this version.
    Check,
    /// Start without checking the schema.
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
    /// Remember the cluster and the timeline of the PostgreSQL server that accepts writes now, in place of what was
    /// remembered: after `pg_upgrade`, a restore into a new cluster, or an intended return to an earlier timeline.
    TrustTimeline,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsOptions {
    /// The settings file, instead of `paywright.toml`, which is optional. Environment variables
    /// `PAYWRIGHT__SECTION__KEY` take precedence.
    #[arg(long, global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Print one JSON object per line, with `check`, `status` (ok, warn or fail) and `message`.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read the settings file and the environment as `serve` does, without connecting to anything, and print every
    /// mistake; exit code 1 if there are any.
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct HealthOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// Host and port of the process, instead of `http.bind`.
    #[arg(long)]
    pub(crate) bind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConsoleOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: ConsoleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConsoleCommand {
    /// Print a link by which one person signs in once, within ten minutes.
    Link {
        /// Name of the person, which the audit trail has for all that is done; by default that of the system's user.
        #[arg(long, value_name = "NAME")]
        operator: Option<OperatorName>,
        /// Role of the session: view, refund (also refunds, captures and cancels) or administer.
        #[arg(long, default_value = "view")]
        role: ConsoleRole,
        /// Scheme and host of the console as the person's browser reaches it; by default http and the address that `serve`
        /// listens on.
        #[arg(long, value_parser = crate::console::origin)]
        url: Option<String>,
    },
    /// List the sessions.
    Sessions,
    /// End a session.
    End {
        /// Id of the session, as printed by `sessions`.
        #[arg(value_parser = crate::console::session_id)]
        id: Uuid,
    },
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
    /// Create a key and print it, once.
    Create {
        /// Name of the key, for people.
        #[arg(long)]
        name: String,
        /// Scope of the key: orders:read, orders:write, payments:write, prices:read, prices:write, events:read,
        /// webhooks:read, webhooks:write, books:read, books:write, metrics:read. May be given more than once.
        #[arg(long = "scope", required = true)]
        scopes: Vec<paywright_app::Scope>,
        /// Number of days after which the key expires; never by default.
        #[arg(long)]
        days: Option<u32>,
        /// Network (10.0.0.0/8) or address from which alone the key may be used. May be given up to 100 times.
        #[arg(long = "network", value_parser = parse_network)]
        networks: Vec<ipnet::IpNet>,
        /// Maximum number of calls per minute with the key to each serving process, 1 to 1,000,000; unlimited by default.
        #[arg(long = "per-minute", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        per_minute: Option<u32>,
    },
    /// List all keys, without their texts.
    List,
    /// Replace a key by a new one with the same scopes, networks and limit. Both are valid for some time. A key that has
    /// expired or is revoked can be replaced, too.
    Rotate {
        /// Id of the key, as printed by `list`.
        id: String,
        /// Time for which the old key remains valid: a number and s, m, h or d, at most 365d; 0s ends it at once.
        #[arg(long, default_value = "24h", value_parser = parse_overlap)]
        overlap: u32,
        /// Scope of the new key, one of the old key's; all of them by default. May be given more than once.
        #[arg(long = "scope")]
        scopes: Vec<paywright_app::Scope>,
    },
    /// Revoke a key permanently.
    Revoke {
        /// Id of the key, as printed by `list`.
        id: String,
    },
    /// Compare the scopes that each valid key has with those that it has used.
    Audit {
        /// Number of days without use after which a scope counts as not used.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
}

/// Parses a network without bits beyond its prefix, which are a mistake.
fn parse_network(text: &str) -> Result<ipnet::IpNet, String> {
    let network = paywright_http_api::parse_network(text).map_err(|error| error.to_string())?;
    if network.addr() != network.network() {
        return Err(format!("has bits beyond its prefix: the network is {}", network.trunc()));
    }
    Ok(network)
}

/// Longest overlap of two keys, in seconds: a year.
const OVERLAP_SECONDS_MAX: u32 = 365 * 86_400;

/// Parses a time such as `24h`, as seconds.
fn parse_overlap(text: &str) -> Result<u32, String> {
    let parsed = || {
        let (last, unit) = text.char_indices().next_back()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        let count = text.get(..last)?.parse::<u32>().ok()?;
        count.checked_mul(seconds).filter(|it| *it <= OVERLAP_SECONDS_MAX)
    };
    parsed().ok_or_else(|| "must be a number and s, m, h or d, such as 24h, and at most 365d".to_owned())
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
    /// Add the variants of a CSV file to the price list, replacing those with the same ids: all of them, or none if
    /// there is an error.
    Import {
        /// A CSV file whose first line names the columns: id, name, `price_usd` (and other currencies), sku,
        /// description, active.
        file: PathBuf,
    },
    /// Replace shipping rates, taxes and coupons by those of a JSON file.
    Terms {
        /// A JSON file; `docs/spree.md` has an example.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventsOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: EventsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print the last events, and then each new one, until Ctrl-C.
    Tail {
        /// Position after which to begin, instead of the last ten; 0 for the oldest event that is kept.
        #[arg(long)]
        after: Option<u64>,
        /// Type of the events, such as order.paid. May be given more than once; all types by default.
        #[arg(long = "type", value_name = "TYPE", value_parser = event_type)]
        types: Vec<FeedEventType>,
        /// Order of the events: its id, its number, or one of its PaymentIntents.
        #[arg(long)]
        order: Option<String>,
        /// End after the events that are there.
        #[arg(long)]
        no_follow: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WebhooksOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    #[command(subcommand)]
    pub(crate) command: WebhooksCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// Create or repair the endpoint at Stripe that sends its events to this installation.
    ///
    /// Put its secret into the file that `stripe.webhook_secrets_file` names, and delete what interrupted commands and finished
    /// rotations have left. Endpoints of other programs are not touched.
    Ensure {
        /// URL at which this installation receives Stripe's webhooks: `https://…/webhooks/stripe`.
        #[arg(long)]
        url: String,
        /// Print what would be done, and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Create an endpoint, and print its secret, once.
    Create {
        /// URL that receives the events.
        url: String,
        /// Type of the events, such as order.paid. May be given more than once; all types by default, or with '*'.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Description for people.
        #[arg(long, default_value = "")]
        description: String,
        /// Position after which it gets events, instead of those from now on; 0 for all that are kept.
        #[arg(long)]
        after: Option<u64>,
    },
    /// List all endpoints.
    List,
    /// Print an endpoint, and how many orders have events that wait for it.
    Show {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
    },
    /// Change an endpoint.
    Update {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
        /// New URL.
        #[arg(long)]
        url: Option<String>,
        /// Type of the events from now on, or '*' (quoted) for all. May be given more than once.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// New description.
        #[arg(long)]
        description: Option<String>,
    },
    /// Give an endpoint of another program a new secret; or without an id, the endpoint at Stripe.
    ///
    /// With an id, the new secret is printed, once. Without, a second endpoint is made at Stripe, and its secret goes to the file
    /// that `stripe.webhook_secrets_file` names; run again after the overlap, the command deletes the first endpoint.
    Rotate {
        /// Id of the endpoint of another program, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Option<Uuid>,
        /// Number of hours for which the old secret signs too.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=168))]
        overlap_hours: u32,
        /// Without an id: delete the first endpoint now, before the overlap is over.
        #[arg(long, conflicts_with = "id")]
        finish: bool,
    },
    /// Send no more events to an endpoint; it keeps its position.
    Disable {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
    },
    /// Go on sending events to an endpoint, from where it stopped; to an enabled one, send all that waits at once.
    Enable {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
    },
    /// Delete an endpoint, with its attempts.
    Delete {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
    },
    /// Send a test event to an endpoint from this command, with its settings and network, and print the answer; exit
    /// code 1 if it is not accepted.
    Test {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
    },
    /// Send one event to an endpoint again.
    Resend {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
        /// Position of the event.
        position: u64,
    },
    /// Send all events after a position to an endpoint, again if it has received them.
    Replay {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
        /// Position after which to begin; 0 for the oldest event that is kept.
        #[arg(long)]
        after: u64,
    },
    /// Print the attempts to deliver events to an endpoint, the newest first.
    Attempts {
        /// Id of the endpoint, as printed by `list`.
        #[arg(value_parser = endpoint_id)]
        id: Uuid,
        /// Only attempts with this outcome: delivered, retried or failed.
        #[arg(long, value_parser = attempt_outcome)]
        outcome: Option<AttemptOutcome>,
        /// Largest number of attempts.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
}

fn endpoint_id(text: &str) -> Result<Uuid, &'static str> {
    Uuid::try_parse(text).map_err(|_| "it must be an id (a UUID), as printed by `paywright webhooks list`")
}

fn event_type(name: &str) -> Result<FeedEventType, String> {
    FeedEventType::named(name).ok_or_else(|| {
        let names = FeedEventType::ALL.map(FeedEventType::name);
        format!("it must be one of {}", names.join(", "))
    })
}

fn attempt_outcome(name: &str) -> Result<AttemptOutcome, &'static str> {
    AttemptOutcome::named(name).ok_or("it must be delivered, retried or failed")
}

#[derive(Debug, Args)]
pub(crate) struct TokenOptions {
    #[command(flatten)]
    pub(crate) settings: SettingsOptions,
    /// The customer's id in the shop.
    #[arg(long)]
    pub(crate) customer: String,
    /// Number of days for which the token is valid.
    #[arg(long, default_value_t = 1)]
    pub(crate) days: u32,
}
