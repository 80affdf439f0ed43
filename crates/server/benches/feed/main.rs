//! The feed and outgoing webhooks under load, on both stores.
//!
//! 1. Commits of placed orders from 16 tasks, in turn without their snapshots, as before there was a feed, and with them,
//!    while the relay gives them positions: the ratio of the rates, and the time from a commit to its position.
//! 2. The same for orders placed over HTTP by 16 connections.
//! 3. A backlog of events, delivered by the built program to one receiver, beside the receiver's own floor: the same
//!    requests from a plain HTTP client.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints ratios, and one that cannot run fails; not every one uses all of the rig"
)]

mod commits;
mod deliveries;
mod placements;
#[path = "../rig/mod.rs"]
mod rig;
mod world;

use std::sync::Arc;

use paywright_store_postgres::PostgresStore;
use paywright_store_sqlite::SqliteStore;
use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;

/// Number of tasks or connections that place orders at the same time.
const TASKS: usize = 16;

fn main() {
    rig::run(benchmark(rig::seconds_a_row()));
}

async fn benchmark(seconds: u64) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(5);
    let parts = std::env::var("PARTS").unwrap_or_else(|_| "commits,placements,deliveries".into());
    let cluster = Cluster::on_disk(&["shared_buffers = '512MB'", "max_wal_size = '4GB'"]);
    cluster.start();
    let admin = connect(&cluster.url("postgres")).await;
    for database in ["commits", "placements", "shop"] {
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    }
    let folder = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let sqlite = |name: &str| {
        let file = folder.path().join(name).display().to_string();
        Arc::new(SqliteStore::open(&file, paywright_store_sqlite::Options::default()).unwrap())
    };
    let postgres = async |name: &str| {
        let options = paywright_store_postgres::Options::default();
        Arc::new(PostgresStore::open(&cluster.url(name), options).await.unwrap())
    };
    if parts.contains("commits") {
        commits::head();
        commits::measure("SQLite", &sqlite("commits.db"), rounds, seconds).await;
        commits::measure("PostgreSQL", &postgres("commits").await, rounds, seconds).await;
    }
    if parts.contains("placements") {
        placements::head();
        placements::measure("SQLite", &sqlite("placements.db"), rounds, seconds).await;
        placements::measure("PostgreSQL", &postgres("placements").await, rounds, seconds).await;
    }
    if parts.contains("deliveries") {
        deliveries::head();
        deliveries::measure("SQLite", "sqlite:orders.db").await;
        deliveries::measure("PostgreSQL", &cluster.url("shop")).await;
    }
}
