//! Conditions outside this program that its operator should change.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::App;

/// How far the clocks of this machine and of the provider may be apart without a warning, in seconds. Leases, webhook
/// signatures and the age of idempotency keys go by the clock.
const CLOCKS_APART_SECONDS: u64 = 30;

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
    /// another API version, and how far the clock is off and what is wrong with the store now. Whole sentences.
    pub fn warnings(&self) -> Vec<String> {
        let told = self.warnings.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told.into_iter().chain(self.clock_warning()).chain(self.store.warnings()).collect()
    }

    /// How far this machine's clock is from the provider's, if that is too far.
    pub(crate) fn clock_warning(&self) -> Option<String> {
        // Both gateways hear answers; the one of the worker always some.
        let heard = self.background.clock_difference_seconds().or_else(|| self.gateway.clock_difference_seconds());
        let ahead = heard.filter(|it| it.unsigned_abs() > CLOCKS_APART_SECONDS)?;
        let which = if ahead > 0 { "behind" } else { "ahead of" };
        Some(format!("The clock of this machine is {} seconds {which} Stripe's: set it right.", ahead.unsigned_abs()))
    }
}
