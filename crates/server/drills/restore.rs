//! A database that goes back to a backup, while Stripe does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use paywright_testkit::Cluster;
use tempfile::TempDir;

use crate::report::Outcome;
use crate::shop::{Shop, blocking, pause};

/// A database with a backup of it.
enum Database {
    File { path: PathBuf, backup: PathBuf },
    Server(Arc<Cluster>),
}

impl Database {
    /// Makes a backup while the shop sells.
    async fn back_up(&self, shop: &mut Shop) {
        match self {
            // Copied while nobody writes, log and all.
            Self::File { path, backup } => {
                shop.kill(0).await;
                copy(path, backup);
                shop.serve(0).await;
            }
            Self::Server(cluster) => blocking(cluster, Cluster::back_up).await,
        }
    }

    /// Puts the backup in the place of the database, which nobody uses.
    async fn restore(&self) {
        match self {
            Self::File { path, backup } => copy(backup, path),
            Self::Server(cluster) => {
                blocking(cluster, |it| {
                    it.stop("immediate");
                    it.restore();
                    it.start();
                })
                .await;
            }
        }
    }
}

/// Copies a SQLite file with its log.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        drop(std::fs::remove_file(with(to)));
        if with(from).exists() {
            std::fs::copy(with(from), with(to)).unwrap();
        }
    }
}

pub(crate) async fn on_sqlite() -> Outcome {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("orders.db");
    let shop = Shop::open(&format!("sqlite:{}", path.display()), 1, true, "").await;
    restore(shop, &Database::File { backup: folder.path().join("backup.db"), path }).await
}

pub(crate) async fn on_postgres() -> Outcome {
    let cluster = Arc::new(Cluster::of_one_test(&[]));
    cluster.start();
    let shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    restore(shop, &Database::Server(cluster)).await
}

/// What was acknowledged before the backup is there after the restore. What was paid between the two is at Stripe
/// alone, and is named by `audit`. What is placed afterwards is as if nothing had happened.
async fn restore(mut shop: Shop, database: &Database) -> Outcome {
    shop.load().await;
    pause(2000..=3000).await;
    let backed_up = Instant::now();
    database.back_up(&mut shop).await;
    shop.placed_more().await;
    pause(2000..=3000).await;
    shop.quiet().await;
    for n in 0..shop.processes.len() {
        shop.kill(n).await;
    }
    shop.ledger.forget_since(backed_up);
    database.restore().await;
    let restored = Instant::now();
    for n in 0..shop.processes.len() {
        shop.serve(n).await;
    }
    shop.load().await;
    shop.recovered(restored).await;
    shop.count_restored().await
}
