//! The books at scale.
//!
//! 1. Statements over a million balance transactions on PostgreSQL, by the built program, beside the sums of the same days
//!    by one plain statement.
//! 2. Reading back a past of 1,000 payments a day: calls to Stripe, time, and the peak of the reading process's memory. The
//!    stand-in for Stripe and the database are other processes.
//! 3. Commits of ever more rows, on both stores.
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
mod past;
#[path = "../rig/mod.rs"]
mod rig;
mod statements;

use paywright_domain::Timestamp;
use paywright_domain::books::Day;
use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;

/// Number of seconds in a day.
const DAY_SECONDS: i64 = 86_400;

fn main() {
    rig::run(benchmark());
}

async fn benchmark() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let parts = std::env::var("PARTS").unwrap_or_else(|_| "statements,past,commits".into());
    let cluster = Cluster::on_disk(&["shared_buffers = '512MB'", "max_wal_size = '4GB'"]);
    cluster.start();
    if parts.contains("statements") {
        statements::measure(&created(&cluster, "statements").await).await;
    }
    if parts.contains("past") {
        past::measure(&cluster).await;
    }
    if parts.contains("commits") {
        commits::measure(&created(&cluster, "commits").await).await;
    }
}

/// Creates a database, and returns its URL.
async fn created(cluster: &Cluster, name: &str) -> String {
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    cluster.url(name)
}

/// Seconds since 1970.
fn real_seconds() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// Start of today in UTC, in seconds since 1970.
fn midnight() -> i64 {
    real_seconds() / DAY_SECONDS * DAY_SECONDS
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// Day of a time in UTC.
fn day_of(at: Timestamp) -> Day {
    paywright_app::BooksZone::default().day_of(at)
}
