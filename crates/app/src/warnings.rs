//! Conditions outside this program that its operator should change.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::App;

/// The most warnings that a process remembers; further ones are logged each time.
const WARNINGS_MAX: usize = 32;

/// What a process has warned of. Each sentence is logged once.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<BTreeSet<String>>);

impl Warnings {
    /// Logs a warning, unless this process has logged it before.
    pub(crate) fn warn(&self, sentence: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.contains(&sentence) {
            return;
        }
        tracing::warn!("{sentence}");
        if told.len() < WARNINGS_MAX {
            told.insert(sentence);
        }
    }
}

impl App {
    /// What this process has found since its start that its operator should change, such as a webhook endpoint of
    /// another API version. Whole sentences, in alphabetical order.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
