//! Start of a server: its options, the state file, and the seed file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::objects::WebhookEndpoint;
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
    /// Most objects of each kind, events and saved answers that are kept; the oldest are removed.
    pub keep: usize,
    /// Clock, in seconds since 1970.
    pub clock: fn() -> i64,
    /// File to which answers and delivered events are appended, each shape once, for a check against Stripe's API
    /// description.
    pub record: Option<PathBuf>,
}

/// State file.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Saved<T> {
    /// Form of the file.
    pub(super) form: u32,
    pub(super) twin: T,
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

/// State of a new twin, with the objects of the seed file.
pub(super) fn sown(options: &Options) -> Result<Twin, StartError> {
    let mut twin = Twin::default();
    let Some(path) = &options.seed_file else { return Ok(twin) };
    let wrong = |reason: String| StartError::Seed { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let seeds: Vec<Seed> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    twin.sow(&seeds, (options.clock)()).map_err(wrong)?;
    Ok(twin)
}

pub(super) fn load(path: &PathBuf) -> Result<Twin, StartError> {
    let wrong = |reason: String| StartError::State { path: path.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let read: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if read.get("form").and_then(Value::as_u64) != Some(u64::from(FORM)) {
        return Err(wrong("it was written by another version of the twin".to_owned()));
    }
    let saved: Saved<Twin> = serde_json::from_value(read).map_err(|error| wrong(error.to_string()))?;
    Ok(saved.twin)
}
