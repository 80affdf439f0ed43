//! `stripe-twin`: the stand-in for Stripe as a program of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use paywright_stripe_twin::{Options, Server, WebhookEndpoint, calls};

/// A stateful stand-in for Stripe's REST API, for development and tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 for any free port.
    #[arg(long, default_value_t = 4242)]
    port: u16,
    /// File in which the state is kept; without one all data is lost at the end.
    #[arg(long)]
    state: Option<PathBuf>,
    /// File of requests that are performed at the start, unless the state file exists.
    #[arg(long)]
    seed_file: Option<PathBuf>,
    /// Delay of each answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// URL to which events are sent.
    #[arg(long, requires = "webhook_secret")]
    webhook: Option<String>,
    /// Secret with which they are signed.
    #[arg(long, requires = "webhook")]
    webhook_secret: Option<String>,
    /// Most objects of each kind, events and saved answers that are kept.
    #[arg(long, default_value_t = 100_000)]
    keep: usize,
    /// File to which answers and delivered events are appended, each shape once, for a check against Stripe's API
    /// description.
    #[arg(long)]
    record: Option<PathBuf>,
    /// Prints every call with its parameters as JSON, and ends.
    #[arg(long)]
    list_calls: bool,
}

#[expect(clippy::disallowed_methods, reason = "the clock of the program")]
fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout();
    if arguments.list_calls {
        writeln!(out, "{}", serde_json::to_string(&calls())?)?;
        return Ok(());
    }
    let endpoint = arguments.webhook.zip(arguments.webhook_secret).map(|(url, secret)| WebhookEndpoint {
        id: "we_start".into(),
        url,
        secret,
        enabled_events: vec!["*".into()],
        ..WebhookEndpoint::default()
    });
    let options = Options {
        state_file: arguments.state,
        seed_file: arguments.seed_file,
        latency: Duration::from_millis(arguments.latency_ms),
        endpoints: endpoint.into_iter().collect(),
        keep: arguments.keep,
        clock: unix_seconds,
        record: arguments.record,
    };
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], arguments.port)), options).await?;
    if let Some(address) = server.address() {
        writeln!(out, "A Stripe twin listens at http://{address}; it accepts any key that begins with sk_test_")?;
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    server.run(stop).await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    // A second provider in the process would be the only failure.
    drop(rustls::crypto::ring::default_provider().install_default());
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "{error}");
            if told.is_ok() { ExitCode::FAILURE } else { ExitCode::from(2) }
        }
    }
}
