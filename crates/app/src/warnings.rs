//! Warnings about problems outside this program that its operator should solve.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::App;

/// Difference between this machine's clock and Stripe's from which a warning is given, in seconds. Leases, webhook
/// signatures and the age of idempotency keys depend on the clock.
const CLOCK_DIFFERENCE_SECONDS_MAX: u64 = 30;

/// Largest number of warnings that a process stores; further ones are logged each time.
const WARNINGS_MAX: usize = 32;

/// Warnings of this process since its start. Each sentence is logged once.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<BTreeSet<String>>);

impl Warnings {
    /// Logs a warning, unless this process has logged it before.
    pub(crate) fn warn(&self, sentence: String) {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if given.contains(&sentence) {
            return;
        }
        tracing::warn!("{sentence}");
        if given.len() < WARNINGS_MAX {
            given.insert(sentence);
        }
    }
}

impl App {
    /// Warnings for the operator, in whole sentences: those given since the start of this process, such as about a
    /// webhook endpoint of another API version, and the current ones about the clock and the store.
    pub fn warnings(&self) -> Vec<String> {
        let given = self.warnings.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        given.into_iter().chain(self.clock_warning()).chain(self.store.diagnostics.warnings()).collect()
    }

    /// Warning about the difference between this machine's clock and Stripe's, if it is too large.
    pub(crate) fn clock_warning(&self) -> Option<String> {
        let ahead = self.stripe_ahead_seconds().filter(|it| it.unsigned_abs() > CLOCK_DIFFERENCE_SECONDS_MAX)?;
        let which = if ahead > 0 { "behind" } else { "ahead of" };
        Some(format!("The clock of this machine is {} seconds {which} Stripe's: set it right.", ahead.unsigned_abs()))
    }
}
