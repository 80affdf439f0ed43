//! Shared parts of tests: sample values, a scripted gateway, a Stripe in memory, a manual clock, ids in sequence, a
//! PostgreSQL to test with, checks against an OpenAPI description, and the contract tests of every store.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "the crate is used in tests only, and a panic fails the test"
)]

pub mod account_event_contract;
mod before_epochs;
pub mod books_contract;
mod cluster;
pub mod console_contract;
pub mod contract;
pub mod endpoint_contract;
pub mod feed_contract;
mod gateway;
pub mod monitoring_contract;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod part_contract;
mod pgbouncer;
pub mod postgres;
mod provider;
pub mod queue_contract;
pub mod resend_contract;
pub mod retention_contract;
mod samples;
mod sender;
pub mod storefront_contract;
pub mod totals_contract;
mod wallet;
mod world;

pub use before_epochs::requests_of_the_version_before_are_repeated_to_the_letter;
pub use books_contract::BooksStore;
pub use cluster::{Cluster, programs, url_of_all};
pub use feed_contract::FeedStore;
pub use gateway::{MockGateway, NoRecords, issued, issuing_gateway};
pub use pgbouncer::PgBouncer;
pub use provider::{Provider, Trouble};
pub use samples::{
    at, audit_entry, audit_entry_at, changes, edit_of_lines, new_order, order_id, place, request_intent, subject_of,
    usd,
};
pub use sender::{PartsFormat, ScriptedSender};
pub use wallet::Cards;
pub use world::{CountedIds, CountingWaker, HandClock};
