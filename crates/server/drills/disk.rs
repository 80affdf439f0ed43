//! Disks without room.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use paywright_testkit::Cluster;
use tempfile::TempDir;

use crate::report::Outcome;
use crate::shop::{Shop, blocking, pause};

const ROUNDS: usize = 6;
/// How long the disk is full.
const FULL_MS: u64 = 4000;

/// A small file system in memory.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts it, where that is allowed.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = format!("mode=755,size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "paywright-drill"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|it| it.success()).then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Writes until there is no room left.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

fn left_out() -> Outcome {
    Outcome::LeftOut("a small disk cannot be mounted (root may)".to_owned())
}

pub(crate) async fn full_on_sqlite() -> Outcome {
    let Some(disk) = SmallDisk::mount(64) else { return left_out() };
    let url = format!("sqlite:{}", disk.path().join("orders.db").display());
    let mut shop = Shop::open(&url, 1, true, "").await;
    shop.load().await;
    for _ in 0..ROUNDS {
        pause(1000..=2000).await;
        disk.fill();
        pause(FULL_MS..=FULL_MS).await;
        disk.empty();
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}

/// PostgreSQL may end itself when it cannot write its log; then it is started again as soon as there is room.
pub(crate) async fn full_on_postgres() -> Outcome {
    let Some(disk) = SmallDisk::mount(320) else { return left_out() };
    let cluster = Arc::new(Cluster::in_place(disk.path(), &["min_wal_size = '32MB'", "max_wal_size = '64MB'"]));
    cluster.start();
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    shop.load().await;
    for _ in 0..ROUNDS {
        pause(1000..=2000).await;
        disk.fill();
        pause(FULL_MS..=FULL_MS).await;
        disk.empty();
        if !cluster.is_running() {
            blocking(&cluster, Cluster::start).await;
        }
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}
