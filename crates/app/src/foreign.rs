//! Cache of PaymentIntents of other installations and programs on the same Stripe account.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use paywright_domain::IntentId;

/// Largest number of intents in a generation; two generations are cached.
const GENERATION_MAX: usize = 5_000;

/// Cache of foreign PaymentIntents, so that Stripe is not read for each of their disputes, charges and refunds. An
/// optimization only: an intent that was dropped from the cache is read once more.
#[derive(Debug, Default)]
pub(crate) struct ForeignIntents(Mutex<Generations>);

/// Two generations of cached intents. When the younger one is full, it replaces the older one.
#[derive(Debug, Default)]
struct Generations {
    younger: HashSet<IntentId>,
    older: HashSet<IntentId>,
}

impl ForeignIntents {
    /// Adds an intent to the cache.
    pub(crate) fn add(&self, intent: IntentId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.younger.len() >= GENERATION_MAX {
            known.older = std::mem::take(&mut known.younger);
        }
        known.younger.insert(intent);
    }

    /// Whether an intent is in the cache.
    pub(crate) fn contains(&self, intent: &IntentId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.younger.contains(intent) || known.older.contains(intent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_intents_are_cached_and_never_more_than_two_generations() {
        let intent = |n: usize| IntentId::new(format!("pi_{n}")).unwrap();
        let known = ForeignIntents::default();
        let count = 3 * GENERATION_MAX;
        (0..count).for_each(|n| known.add(intent(n)));
        let cached = (0..count).filter(|n| known.contains(&intent(*n))).count();
        assert!((count - GENERATION_MAX..count).all(|n| known.contains(&intent(n))));
        assert_eq!(cached, 2 * GENERATION_MAX);
    }
}
