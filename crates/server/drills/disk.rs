//! Full disks.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use paywright_testkit::Cluster;
use reqwest::Method;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::program::{TIMEOUT, answer, two_lines};
use crate::report::Outcome;
use crate::shop::{Shop, blocking, pause};

const ROUNDS: usize = 6;
/// Time for which the disk is full, in milliseconds.
const FULL_MS: u64 = 4000;

/// A small file system in memory.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts the file system; `None` if the user may not mount.
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

    /// Fills the disk for [`FULL_MS`].
    async fn full_for_a_while(&self) {
        self.fill();
        pause(FULL_MS..=FULL_MS).await;
        self.empty();
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
        disk.full_for_a_while().await;
        shop.recovered(Instant::now()).await;
    }
    start_without_room(&disk, &mut shop).await;
    disk.empty();
    shop.recovered(Instant::now()).await;
    shop.count().await
}

/// Restarts the process while the disk is full: it serves for reading, says why it accepts no orders, and refuses a key
/// that is revoked then.
async fn start_without_room(disk: &SmallDisk, shop: &mut Shop) {
    let (_, made, _) = shop.served.run(&["keys", "create", "--name", "leaked", "--scope", "orders:read"]);
    let id = made.split_whitespace().nth(1).unwrap().to_owned();
    let leaked = made.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned();
    let process = shop.processes[0].take().unwrap();
    spawn_blocking(|| process.terminate()).await.unwrap();
    disk.fill();
    shop.serve(0).await;
    let api = shop.served.replicas[0].1.clone();
    let call = async |method: Method, url: &str, key: &str| {
        let request = shop.served.http.request(method, url).header("x-api-key", key);
        answer(request.header("content-type", "application/json").body(two_lines().to_string())).await
    };
    for (method, url) in
        [(Method::GET, api.replace("/api/v1/shop", "/readyz")), (Method::POST, format!("{api}/orders"))]
    {
        // Space that is left from opening the file is used up first.
        let begun = Instant::now();
        let mut told = call(method.clone(), &url, &shop.served.key).await;
        while told.status < 300 && begun.elapsed() < TIMEOUT {
            pause(100..=100).await;
            told = call(method.clone(), &url, &shop.served.key).await;
        }
        assert_eq!((told.status, told.code()), (503, "store_unavailable"), "{told:?}");
        let detail = told.body["error"]["detail"].as_str().unwrap();
        assert!(detail.contains("disk of the database is full"), "{detail}");
    }
    let list = format!("{api}/orders");
    assert_eq!(call(Method::GET, &list, &leaked).await.status, 200, "stored orders are read");
    let (revoked, _, said) = shop.served.run(&["keys", "revoke", &id]);
    assert!(revoked, "{said}");
    pause(1100..=1100).await;
    assert_eq!(call(Method::GET, &list, &leaked).await.status, 401, "a key can be revoked on a full disk");
}

/// PostgreSQL may stop when it cannot write its log; the drill then restarts it as soon as there is room.
pub(crate) async fn full_on_postgres() -> Outcome {
    let Some(disk) = SmallDisk::mount(320) else { return left_out() };
    let cluster = Arc::new(Cluster::in_place(disk.path(), &["min_wal_size = '32MB'", "max_wal_size = '64MB'"]));
    cluster.start();
    let mut shop = Shop::open(&cluster.url("postgres"), 2, true, "").await;
    shop.load().await;
    for _ in 0..ROUNDS {
        pause(1000..=2000).await;
        disk.full_for_a_while().await;
        if !cluster.is_running() {
            blocking(&cluster, Cluster::start).await;
        }
        shop.recovered(Instant::now()).await;
    }
    shop.count().await
}
