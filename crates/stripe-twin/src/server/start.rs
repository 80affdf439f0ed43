//! Start of a server: its options, the state file, and the seed file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::objects::{Event, WebhookEndpoint};
use crate::seed::Seed;
use crate::state::{FORM, Twin};

/// Options of a twin server.
#[derive(Debug, Clone)]
pub struct Options {
    /// File that keeps the state across restarts; without one the state is lost when the server ends.
    pub state_file: Option<PathBuf>,
    /// File of requests that are performed at the start, unless the state file exists.
    pub seed_file: Option<PathBuf>,
    /// Time by which each answer is delayed.
    pub latency: Duration,
    /// Webhook endpoints that are registered at the start.
    pub endpoints: Vec<WebhookEndpoint>,
    /// Most objects of each kind, events and saved answers that are kept, at least 1; the oldest are removed.
    pub keep: usize,
    /// Clock, in seconds since 1970.
    pub clock: fn() -> i64,
    /// File to which answers and delivered events are appended, each shape once, for a check against Stripe's API
    /// description.
    pub record: Option<PathBuf>,
}

/// State file.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved<T> {
    /// Form of the file.
    form: u32,
    twin: T,
}

/// Why a twin server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The server cannot listen, for example because the address is in use.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Address to listen on.
        address: SocketAddr,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The state file is not one that this version of the twin wrote.
    #[error("the twin's state file {} cannot be read ({reason}): move it away to start over", path.display())]
    State {
        /// Path of the state file.
        path: PathBuf,
        /// Why the file cannot be read.
        reason: String,
    },
    /// The state file cannot be written.
    #[error("the twin's state file {} cannot be written: {source}", path.display())]
    Unwritable {
        /// Path of the state file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The twin would keep no objects.
    #[error("--keep must be at least 1: a twin that keeps no objects cannot answer")]
    KeepsNothing,
    /// A URL for events was given, and no secret to sign them with.
    #[error(
        "--webhook needs the secret with which events are signed: set STRIPE_TWIN_WEBHOOK_SECRET, or name a file with \
         --webhook-secret-file"
    )]
    NoSecret,
    /// The file of the webhook secret cannot be read.
    #[error("the file of the webhook secret {} cannot be read: {source}", path.display())]
    Secret {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The seed file cannot be read, or one of its requests was refused.
    #[error("the seed file {}: {reason}", path.display())]
    Seed {
        /// Path of the seed file.
        path: PathBuf,
        /// Why the file cannot be read, or the refusal.
        reason: String,
    },
    /// The file of recorded answers cannot be opened.
    #[error("the file of recorded answers {} cannot be opened: {source}", path.display())]
    Record {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The HTTP client for webhooks cannot be built.
    #[error("the HTTP client for webhooks cannot be built: {0}")]
    Http(#[from] reqwest::Error),
}

/// State of the twin at the start, and the events of the seed file, which are yet to be delivered.
pub(super) fn first_state(options: &Options) -> Result<(Twin, Vec<Event>), StartError> {
    let (mut twin, is_new) = match &options.state_file {
        Some(path) if path.exists() => (load(path)?, false),
        Some(_) | None => (Twin::default(), true),
    };
    for endpoint in &options.endpoints {
        twin.register(endpoint.clone());
    }
    let before = twin.next_event();
    if let Some(path) = options.seed_file.as_ref().filter(|_| is_new) {
        sow(&mut twin, path, (options.clock)())?;
    }
    let events = twin.events_from(before).cloned().collect();
    Ok((twin, events))
}

/// Performs the requests of a seed file.
fn sow(twin: &mut Twin, path: &Path, now: i64) -> Result<(), StartError> {
    let wrong = |reason: String| StartError::Seed { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let seeds: Vec<Seed> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    twin.sow(&seeds, now).map_err(wrong)
}

fn load(path: &Path) -> Result<Twin, StartError> {
    let wrong = |reason: String| StartError::State { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let read: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if read.get("form").and_then(Value::as_u64) != Some(u64::from(FORM)) {
        return Err(wrong("it was written by another version of the twin".to_owned()));
    }
    let saved: Saved<Twin> = serde_json::from_value(read).map_err(|error| wrong(error.to_string()))?;
    Ok(saved.twin)
}

/// Content of the state file.
pub(super) fn saved(twin: &Twin) -> std::io::Result<String> {
    serde_json::to_string(&Saved { form: FORM, twin }).map_err(std::io::Error::other)
}

/// Writes the state to a new file and renames it, so that a crash leaves either the old or the new state.
pub(super) fn write(path: &Path, content: &str) -> std::io::Result<()> {
    let new_file = path.with_extension("new");
    std::fs::write(&new_file, content)?;
    std::fs::rename(&new_file, path)
}
