//! Known timelines of the servers: in memory, and in a file that outlives the process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::OpenError;
use crate::timeline::{Known, Moment, Refusal, Server, select_server};
use crate::timeline_file::{TimelineFile, TimelineFileError, fits};

/// Highest timeline that was seen, and warnings for the operator.
pub(crate) struct Timelines {
    file: TimelineFile,
    known: Mutex<Option<Known>>,
    /// Number of `known`'s timeline, which every statement checks.
    newest: AtomicU32,
    troubles: Mutex<Troubles>,
}

#[derive(Debug, Clone, Default)]
struct Troubles {
    /// Reason why the last connection was refused.
    refused: Option<String>,
    /// Reason why the last timeline is not in the file.
    not_remembered: Option<String>,
}

impl Timelines {
    pub(crate) fn remembered_in(path: PathBuf) -> Self {
        Self {
            file: TimelineFile::at(path),
            known: Mutex::default(),
            newest: AtomicU32::default(),
            troubles: Mutex::default(),
        }
    }

    /// Whether a timeline higher than this one is known.
    pub(crate) fn is_replaced(&self, timeline: u32) -> bool {
        timeline < self.newest.load(Ordering::Acquire)
    }

    /// Warnings for the operator, as sentences.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let Troubles { refused, not_remembered } = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone();
        refused.into_iter().chain(not_remembered).collect()
    }

    /// Chooses the server to write to and returns its position, after the highest timeline was remembered; `None` if none
    /// accepts writes.
    pub(crate) async fn choose(
        self: &Arc<Self>,
        servers: Vec<Server>,
        moment: Moment,
    ) -> Result<Option<usize>, OpenError> {
        let this = Arc::clone(self);
        // The file is read and written on a blocking thread.
        let chosen = tokio::task::spawn_blocking(move || this.choose_blocking(&servers, moment)).await;
        let gone = |_| OpenError::Unreachable { place: String::new(), reason: "the process is ending".into() };
        let chosen = chosen.unwrap_or_else(|error| Err(gone(error)));
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        match &chosen {
            Err(error @ OpenError::Refusal(_)) => {
                let sentence = error.to_string();
                if troubles.refused.as_ref() != Some(&sentence) {
                    tracing::error!("{sentence}");
                }
                troubles.refused = Some(sentence);
            }
            Ok(Some(_)) => troubles.refused = None,
            Ok(None) | Err(_) => {}
        }
        chosen
    }

    fn choose_blocking(&self, servers: &[Server], moment: Moment) -> Result<Option<usize>, OpenError> {
        let known = self.known(moment)?;
        let selection = select_server(servers, known.as_ref(), moment);
        if let Some(newest) = selection.newest {
            let held = self.remember(newest, moment)?;
            // Another process may have seen a higher timeline meanwhile.
            if let Ok(Some(position)) = &selection.choice
                && let Some(server) = servers.get(*position)
            {
                fits(server, &held)?;
            }
        }
        Ok(selection.choice?)
    }

    /// The higher of what this process and the file know, of one cluster.
    fn known(&self, moment: Moment) -> Result<Option<Known>, OpenError> {
        let own = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = match (self.file.read(), moment) {
            (Ok(held), _) => held,
            (Err(error), Moment::Start) => return Err(error.into()),
            (Err(error), Moment::Running) => {
                self.not_remembered(Some(&error));
                None
            }
        };
        match (own, held) {
            (Some(own), Some(held)) if own.system != held.system => {
                let place = own.seen_at;
                Err(Refusal::OtherCluster { place, seen: own.system, known: held }.into())
            }
            (Some(own), Some(held)) => Ok(Some(if held.timeline > own.timeline { held } else { own })),
            (own, held) => Ok(own.or(held)),
        }
    }

    /// Remembers a timeline, and returns the one that is known then. A running process continues without its file, since it
    /// remembers in memory; a starting one fails.
    fn remember(&self, newest: Known, moment: Moment) -> Result<Known, OpenError> {
        let held = match (self.file.raise(&newest), moment) {
            (Ok(held), _) => {
                self.not_remembered(None);
                held
            }
            (Err(error), Moment::Start) => return Err(error.into()),
            (Err(error), Moment::Running) => {
                self.not_remembered(Some(&error));
                newest
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) if known.system != held.system || known.timeline >= held.timeline => return Ok(known.clone()),
            Some(before) => {
                let (from, to) = (before.timeline, held.timeline);
                tracing::warn!(from, to, at = %held.seen_at, "the database has a new timeline after a promotion");
            }
            None => {}
        }
        *known = Some(held.clone());
        self.newest.store(held.timeline, Ordering::Release);
        Ok(held)
    }

    fn not_remembered(&self, error: Option<&TimelineFileError>) {
        let sentence = error.map(ToString::to_string);
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sentence) = &sentence
            && troubles.not_remembered.as_ref() != Some(sentence)
        {
            tracing::error!("{sentence}");
        }
        troubles.not_remembered = sentence;
    }

    /// Remembers this server's timeline, whatever was remembered before; returns that, if it could be read.
    pub(crate) fn trust(&self, server: &Server) -> Result<Option<Known>, TimelineFileError> {
        let before = self.file.read().unwrap_or_default();
        self.file.replace(&Known::of(server))?;
        Ok(before)
    }
}
