//! The program `paywright`. This crate reads settings, connects the adapters to the use cases and runs them; it is
//! the only crate that depends on all adapters.

mod audit;
mod audit_trail;
mod backup;
mod books;
mod cli;
mod config;
mod console;
mod database;
mod demo;
mod descriptors;
mod dev;
mod doctor;
mod events;
mod explain;
mod health;
mod key_set;
mod key_uses;
mod keys;
mod manual;
mod migrate;
mod operator;
mod prices;
mod publish;
mod recover;
mod retention;
mod review;
mod serve;
mod settings;
mod stop;
mod stripe_endpoints;
mod telemetry;
mod token;
#[cfg(feature = "traces")]
mod traces;
#[cfg(not(feature = "traces"))]
#[path = "no_traces.rs"]
mod traces;
mod trust_timeline;
mod twin;
mod webhook_secrets;
mod webhooks;
mod worker;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::settings::Settings;
use crate::traces::Exporter;

/// Why a command failed: one sentence for the person at the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // The TLS implementation of this process. Installing it can fail only if one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let exporter = match exporter_of(&cli.command) {
        Ok(exporter) => exporter,
        Err(failure) => return ended(Err(failure)),
    };
    telemetry::start(cli.log, exporter.as_ref());
    let code = run(cli.command).await;
    if let Some(exporter) = exporter {
        exporter.stop().await;
    }
    code
}

/// Exporter of traces, if the command serves and the settings name a collector.
fn exporter_of(command: &Command) -> Result<Option<Exporter>, Failure> {
    let Command::Serve(options) = command else { return Ok(None) };
    Settings::trace_export_of(options.settings.config.as_deref()).map(Exporter::new).transpose()
}

async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::Dev(options) => dev::run(options).await,
        Command::Serve(options) => serve::run(options).await,
        Command::Health(options) => health::run(&options),
        Command::Twin(options) => twin::run(options).await,
        Command::Migrate(options) => migrate::run(options).await,
        Command::Database(options) => trust_timeline::run(options).await,
        Command::Keys(options) => keys::run(options).await,
        Command::Console(options) => console::run(options).await,
        Command::Prices(options) => prices::run(options).await,
        Command::Events(options) => events::run(options).await,
        Command::Webhooks(options) => webhooks::run(options).await,
        Command::Token(options) => token::run(&options),
        Command::Explain(options) => explain::run(options).await,
        Command::Review(options) => review::run(options).await,
        Command::AuditTrail(options) => audit_trail::run(options).await,
        Command::Backup(options) => backup::run(options).await,
        Command::Config(options) => return finding(Ok(config::run(&options))),
        Command::Doctor(options) => return finding(Ok(doctor::run(options).await)),
        Command::Completions(options) => manual::completions(&options),
        Command::Man => manual::man(),
        Command::Audit(options) => return finding(audit::run(options).await),
        Command::Recover(options) => return finding(recover::run(options).await),
        Command::Books(options) => return finding(books::run(options).await),
    };
    ended(done)
}

/// Exit code of a command that reports findings: failure if there are any (`Ok(false)`), which it has printed.
fn finding(clean: Result<bool, Failure>) -> ExitCode {
    match clean {
        Ok(false) => ExitCode::FAILURE,
        Ok(true) => ended(Ok(())),
        Err(failure) => ended(Err(failure)),
    }
}

fn ended(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say_error(&format!("paywright: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line of a command's output to standard output. Logs go to standard error.
fn say(text: &str) {
    use std::io::Write;
    // A closed stream is no reason to stop serving.
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Prints lines of a command's output as they are.
fn say_lines(text: &str) {
    use std::io::Write;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    drop(write!(std::io::stdout().lock(), "{text}{end}"));
}

fn say_error(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
