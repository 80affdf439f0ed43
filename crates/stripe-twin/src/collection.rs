//! Objects of one kind, in order of their creation.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

/// An object that a collection keeps under its id.
pub(crate) trait Stored {
    /// Id of the object, unique in its kind.
    fn id(&self) -> &str;
}

/// Objects of one kind in order of creation, also within one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    from = "Vec<T>",
    into = "Vec<T>",
    bound(serialize = "T: Clone + Serialize", deserialize = "T: Stored + Deserialize<'de>")
)]
pub(crate) struct Collection<T> {
    by_number: BTreeMap<u64, T>,
    numbers: HashMap<String, u64>,
    next: u64,
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self { by_number: BTreeMap::new(), numbers: HashMap::new(), next: 0 }
    }
}

impl<T: Stored> From<Vec<T>> for Collection<T> {
    fn from(oldest_first: Vec<T>) -> Self {
        let mut all = Self::default();
        for object in oldest_first {
            all.insert(object);
        }
        all
    }
}

impl<T> From<Collection<T>> for Vec<T> {
    fn from(all: Collection<T>) -> Self {
        all.by_number.into_values().collect()
    }
}

impl<T: Stored> Collection<T> {
    /// Adds an object as the newest, or replaces the one with its id.
    pub(crate) fn insert(&mut self, object: T) {
        let number = self.numbers.get(object.id()).copied().unwrap_or_else(|| {
            self.next += 1;
            self.numbers.insert(object.id().to_owned(), self.next);
            self.next
        });
        self.by_number.insert(number, object);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        self.numbers.remove(id).and_then(|number| self.by_number.remove(&number))
    }

    /// Removes the oldest object.
    pub(crate) fn remove_oldest(&mut self) -> Option<T> {
        let (_, oldest) = self.by_number.pop_first()?;
        self.numbers.remove(oldest.id());
        Some(oldest)
    }
}

impl<T> Collection<T> {
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.by_number.get(self.numbers.get(id)?)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.by_number.get_mut(self.numbers.get(id)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Objects with the oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.by_number.values()
    }

    /// Number that the next new object will have.
    pub(crate) fn next_number(&self) -> u64 {
        self.next + 1
    }

    /// Objects from a number on, the oldest first.
    pub(crate) fn since_number(&self, number: u64) -> impl Iterator<Item = &T> {
        self.by_number.range(number..).map(|(_, it)| it)
    }

    /// Number of an object, which grows in order of creation.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        self.numbers.get(id).copied()
    }

    /// Objects that were created before a number, the newest first.
    pub(crate) fn older_than(&self, number: u64) -> impl Iterator<Item = &T> {
        self.by_number.range(..number).rev().map(|(_, it)| it)
    }

    /// Objects that were created after a number, the oldest first.
    pub(crate) fn newer_than(&self, number: u64) -> impl Iterator<Item = &T> {
        self.by_number.range(number.saturating_add(1)..).map(|(_, it)| it)
    }
}
