//! `stripe-twin`: the stand-in for Stripe as a program of its own.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use paywright_stripe_twin::program::{self, Arguments};
use tokio::signal::unix::{SignalKind, signal};

/// A stateful stand-in for Stripe's REST API, for development and tests.
#[derive(Debug, Parser)]
#[command(name = "stripe-twin", version)]
struct Cli {
    #[command(flatten)]
    arguments: Arguments,
}

#[expect(clippy::disallowed_methods, reason = "the clock of the program")]
fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    // Nobody reads a closed output.
    program::run(arguments, unix_seconds, stop, |line| drop(writeln!(std::io::stdout(), "{line}"))).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    // A second provider in the process would be the only failure.
    drop(rustls::crypto::ring::default_provider().install_default());
    match run(Cli::parse().arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let told = writeln!(std::io::stderr(), "{error}");
            if told.is_ok() { ExitCode::FAILURE } else { ExitCode::from(2) }
        }
    }
}
