//! Payment intents of other installations and programs on the same account at the provider.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use paywright_domain::IntentId;

/// The most intents of a generation; two generations are remembered.
const GENERATION_MAX: usize = 5_000;

/// Intents that are known to be of others, so that the provider is not asked about each of their disputes, charges and
/// refunds. An optimisation only: one that was forgotten is asked about once more.
#[derive(Debug, Default)]
pub(crate) struct ForeignIntents(Mutex<Generations>);

/// The younger generation becomes the older one when it is full.
#[derive(Debug, Default)]
struct Generations {
    younger: HashSet<IntentId>,
    older: HashSet<IntentId>,
}

impl ForeignIntents {
    /// Remembers an intent.
    pub(crate) fn add(&self, intent: IntentId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.younger.len() >= GENERATION_MAX {
            known.older = std::mem::take(&mut known.younger);
        }
        known.younger.insert(intent);
    }

    /// Whether an intent is remembered.
    pub(crate) fn contains(&self, intent: &IntentId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.younger.contains(intent) || known.older.contains(intent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered_and_never_more_than_two_generations() {
        let intent = |n: usize| IntentId::new(format!("pi_{n}")).unwrap();
        let known = ForeignIntents::default();
        let count = 3 * GENERATION_MAX;
        (0..count).for_each(|n| known.add(intent(n)));
        let remembered = (0..count).filter(|n| known.contains(&intent(*n))).count();
        assert!((count - GENERATION_MAX..count).all(|n| known.contains(&intent(n))));
        assert_eq!(remembered, 2 * GENERATION_MAX);
    }
}
