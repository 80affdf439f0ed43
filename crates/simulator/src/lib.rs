//! A deterministic simulator that tries to lose money: the real use cases and the real domain, with several customers,
//! operators, workers and webhooks, in a world under one seed.
//!
//! Everything outside stands behind the ports of the use cases: a store in memory that keeps the contract of the real
//! ones, the pure core of the Stripe twin, a clock, ids. At every call of a port the scheduler chooses who goes on and
//! what befalls the call. The same seed gives the same run, byte for byte; a run that breaks an invariant is cut down
//! to the shortest that breaks the same and told step by step. `docs/proof.md` says what that proves and what not.

mod acts;
mod books;
mod choices;
mod exhaust;
mod explore;
mod fault;
mod invariants;
mod mutants;
mod plan;
mod ports;
mod restored;
mod restores;
mod shrink;
mod simulation;
mod store;
mod stripe;
mod world;

pub use books::Violation;
pub use exhaust::{Exhausted, exhaust, small_stories};
pub use explore::{Explored, Story, explore};
pub use mutants::{Guard, Misplaced, Scratch};
pub use store::{MemoryStore, Tables};
