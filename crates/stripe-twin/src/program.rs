//! The twin as a program: its options, which `stripe-twin` and `paywright twin` share, and its run.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::objects::WebhookEndpoint;
use crate::server::{Options, Server, StartError};

/// Most objects of each kind that a twin keeps, unless an option says otherwise.
pub const KEEP: usize = 100_000;

/// Options of the program.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Port to listen on; 0 for any free port.
    #[arg(long, default_value_t = 4242)]
    port: u16,
    /// File in which the state is kept; without one all data is lost at the end.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Delay of each answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// URL to which events are sent, signed with the webhook secret; `POST /v1/webhook_endpoints` registers more endpoints.
    #[arg(long)]
    webhook: Option<String>,
    /// Secret with which events are signed. Every user of the machine can see an option, but not the variable.
    #[arg(long, env = "STRIPE_TWIN_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: Option<String>,
    /// File with that secret.
    #[arg(long, conflicts_with = "webhook_secret")]
    webhook_secret_file: Option<PathBuf>,
    /// File of requests that are performed at the start, unless the state file exists.
    #[arg(long)]
    seed_file: Option<PathBuf>,
    /// Most objects of each kind, events and saved answers that are kept.
    #[arg(long, default_value_t = KEEP)]
    keep: usize,
    /// Prints every call with its parameters as JSON, and ends.
    #[arg(long)]
    list_calls: bool,
    /// File to which answers and events are appended, each shape once, for a check against Stripe's API description.
    #[arg(long, env = "STRIPE_TWIN_RECORD")]
    record: Option<PathBuf>,
}

/// Endpoint that the options name, with its secret.
fn endpoint_of(arguments: &Arguments) -> Result<Option<WebhookEndpoint>, StartError> {
    let Some(url) = arguments.webhook.clone() else { return Ok(None) };
    let secret = match (&arguments.webhook_secret, &arguments.webhook_secret_file) {
        (Some(secret), _) => secret.clone(),
        (None, Some(path)) => {
            let read = std::fs::read_to_string(path);
            read.map_err(|source| StartError::Secret { path: path.clone(), source })?.trim().to_owned()
        }
        (None, None) => String::new(),
    };
    if secret.is_empty() { Err(StartError::NoSecret) } else { Ok(Some(first_endpoint(url, secret))) }
}

/// Webhook endpoint that is registered from the start, for all events.
pub fn first_endpoint(url: String, secret: String) -> WebhookEndpoint {
    WebhookEndpoint {
        id: "we_start".into(),
        url,
        secret,
        enabled_events: vec!["*".into()],
        ..WebhookEndpoint::default()
    }
}

/// Runs the program until `stop` completes. `say` prints a line for people; `clock` is in seconds since 1970.
pub async fn run(
    arguments: Arguments,
    clock: fn() -> i64,
    stop: impl Future<Output = ()> + Send,
    say: impl Fn(&str),
) -> Result<(), StartError> {
    if arguments.list_calls {
        // A list of plain texts, for which this cannot fail.
        say(&serde_json::to_string(&crate::calls()).unwrap_or_default());
        return Ok(());
    }
    let endpoint = endpoint_of(&arguments)?;
    let options = Options {
        state_file: arguments.state,
        seed_file: arguments.seed_file,
        latency: Duration::from_millis(arguments.latency_ms),
        endpoints: endpoint.into_iter().collect(),
        keep: arguments.keep,
        clock,
        record: arguments.record,
    };
    let server = Server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port)), options).await?;
    if let Some(address) = server.address() {
        say(&format!("A Stripe twin listens at http://{address}; it accepts any key that begins with sk_test_"));
    }
    server.run(stop).await;
    Ok(())
}
