//! Restores of a database from a backup, while Stripe keeps its newer records.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use paywright_testkit::Cluster;
use tempfile::TempDir;

use crate::report::Outcome;
use crate::shop::{Shop, blocking, moment, pause};

/// A database with a backup of it.
enum Database {
    File { path: PathBuf, backup: PathBuf },
    Server(Arc<Cluster>),
}

impl Database {
    /// Makes a backup while the shop is in use.
    async fn back_up(&self, shop: &Shop) {
        match self {
            Self::File { backup, .. } => {
                shop.command(&["backup", backup.to_str().unwrap()]).await;
            }
            Self::Server(cluster) => blocking(cluster, Cluster::back_up).await,
        }
    }

    /// Replaces the database, which is not in use, by the backup.
    async fn restore(&self) {
        match self {
            Self::File { path, backup } => {
                for suffix in ["", "-wal", "-shm"] {
                    drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
                }
                std::fs::copy(backup, path).unwrap();
            }
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

/// Orders acknowledged before the backup exist after the restore. After `recover`, so do later ones that have a payment
/// intent at Stripe: a repeated request to place one is recognized, and nothing is placed, paid or refunded twice.
async fn restore(mut shop: Shop, database: &Database) -> Outcome {
    shop.load().await;
    pause(2000..=3000).await;
    let (backed_up, moment) = (Instant::now(), moment());
    database.back_up(&shop).await;
    shop.placed_more().await;
    pause(2000..=3000).await;
    shop.quiet().await;
    for n in 0..shop.processes.len() {
        shop.kill(n).await;
    }
    let at_stripe = shop.served.intents().await;
    let at_stripe: BTreeSet<&str> = at_stripe.iter().filter_map(|it| it["metadata"]["order_id"].as_str()).collect();
    shop.ledger.forget_since(backed_up, |order| at_stripe.contains(order));
    database.restore().await;
    shop.command(&["recover", "--since", &moment, "--recreate", "all"]).await;
    let restored = Instant::now();
    for n in 0..shop.processes.len() {
        shop.serve(n).await;
    }
    shop.load().await;
    shop.recovered(restored).await;
    shop.count_restored().await
}
