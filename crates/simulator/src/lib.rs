//! A deterministic simulator that tries to lose money: it runs the real use cases and the real domain with several
//! customers, operators, workers and webhooks at once, all under one seed.
//!
//! Everything else is simulated behind the use cases' ports: a store in memory that keeps the contract of the real
//! stores, the pure core of the Stripe twin, a clock, ids. At every call of a port the scheduler chooses which call
//! goes on and which fault it meets. The same seed gives the same run, byte for byte. A run that breaks an invariant is
//! shrunk to the shortest one that breaks the same invariant, and printed step by step. `docs/proof.md` says what this
//! proves.

mod acceptances;
mod acts;
mod acts_at_books;
mod acts_at_endpoints;
mod books;
mod books_agree;
mod books_stories;
mod choices;
mod closings;
mod exhaust;
mod explore;
mod external_actions;
mod fault;
mod feed_books;
mod feed_stories;
mod invariants;
mod kept_books;
mod mutants;
mod plan;
mod ports;
mod restored;
mod restores;
mod shrink;
mod simulation;
mod store;
mod stripe;
mod stripe_balance;
mod world;

pub use books::Violation;
pub use exhaust::{Exhausted, exhaust, small_stories};
pub use explore::{Explored, Story, explore};
pub use mutants::{Guard, Misplaced, Scratch};
pub use store::{MemoryStore, Tables};
