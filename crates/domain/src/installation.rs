//! The service that keeps orders, as Stripe is told of it: which one it is, and which restored copy of its data.

use std::fmt;

use uuid::Uuid;

/// Name of one database of orders, drawn at random when the database is created. Stripe keeps it in the metadata of
/// whatever is made, so that two installations on one Stripe account tell their objects apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallationId(pub Uuid);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A stretch of an installation's life between two restores from a backup: the second, counted from 1970, at which the
/// restore was recovered from; 0 before the first.
///
/// A restored database hands out numbers again that Stripe has seen. An idempotency key has the epoch in which its
/// request was decided, so that the second use of a number is another request, and a request from before the backup
/// stays the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch of an installation that was never restored.
    pub const FIRST: Self = Self(0);

    /// End of an idempotency key of a request that was decided in this epoch: nothing in the first.
    pub(crate) fn suffix(epoch: Option<Self>) -> String {
        match epoch {
            None | Some(Self::FIRST) => String::new(),
            Some(Self(number)) => format!(":e{number}"),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
