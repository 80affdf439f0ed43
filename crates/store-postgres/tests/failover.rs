//! Several servers, one of which is promoted: which server is written to.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use paywright_app::{Changes, Diagnostics, OrderRef, Orders, StoreError, Version};
use paywright_store_postgres::{OpenError, Options, PostgresStore, Refusal, TimelineFileError};
use paywright_testkit::postgres::connect;
use paywright_testkit::{Cluster, at, changes, order_id, place, url_of_all};

/// Timeout of every wait, far longer than any takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn first(n: u32) -> Changes {
    changes(Version::NEW, place(n), at(1), at(1))
}

/// Temporary file of one test.
struct Remembered(PathBuf);

impl Remembered {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("paywright-failover-{}", uuid::Uuid::from_u128(rand())));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("timeline.json")
    }

    async fn open(&self, url: &str) -> Result<PostgresStore, OpenError> {
        let options = Options { timeline_file: Some(self.file()), ..Options::default() };
        PostgresStore::open(url, options).await
    }

    async fn refused(&self, url: &str) -> OpenError {
        self.open(url).await.err().unwrap_or_else(|| panic!("{url} is used"))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }
}

impl Drop for Remembered {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn rand() -> u128 {
    use std::hash::BuildHasher;
    let random = std::collections::hash_map::RandomState::new().hash_one(0);
    u128::from(random) << 64 | u128::from(std::process::id())
}

/// A primary with a standby that has caught up.
async fn pair() -> (Cluster, Cluster) {
    let primary = Cluster::of_one_test(&[]);
    primary.start();
    PostgresStore::migrate(&primary.url("postgres"), None).await.unwrap();
    let standby = primary.standby();
    (primary, standby)
}

/// Waits until a standby has caught up with its primary.
async fn caught_up(primary: &Cluster, standby: &Cluster) {
    let (primary, standby) = (connect(&primary.url("postgres")).await, connect(&standby.url("postgres")).await);
    let wanted: String = primary.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
    let begun = Instant::now();
    let there = format!("SELECT pg_last_wal_replay_lsn() >= '{wanted}'");
    while !standby.query_one(&there, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(begun.elapsed() < PATIENCE, "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn orders(cluster: &Cluster) -> i64 {
    let db = connect(&cluster.url("postgres")).await;
    db.query_one("SELECT count(*) FROM orders", &[]).await.unwrap().get(0)
}

async fn end_connections(cluster: &Cluster) {
    let db = connect(&cluster.url("postgres")).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'paywright'";
    db.query(end, &[]).await.unwrap();
}

/// Commits repeatedly until a commit succeeds.
async fn commit_in_the_end(store: &PostgresStore, n: u32) {
    let begun = Instant::now();
    loop {
        match store.commit(first(n)).await {
            Ok(()) | Err(StoreError::Conflict) => return,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn nothing_is_written_to_a_replaced_primary_after_the_promotion_was_seen() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    let both = url_of_all(&[&old, &new], "postgres");
    let store = remembered.open(&both).await.unwrap();
    store.commit(first(1)).await.unwrap();
    caught_up(&old, &new).await;
    old.stop("immediate");
    new.promote();
    commit_in_the_end(&store, 2).await;
    assert!(remembered.text().contains("\"timeline\": 2"), "{}", remembered.text());

    // The old primary is running again, and is the first in the URL.
    old.start();
    end_connections(&new).await;
    commit_in_the_end(&store, 3).await;
    assert_eq!((orders(&old).await, orders(&new).await), (1, 3), "the process goes on where it was");
    let error = remembered.refused(&both).await;
    assert!(matches!(&error, OpenError::Refusal(Refusal::TwoWriters(all)) if all.len() == 2), "{error}");
    for cluster in [&old, &new] {
        assert!(error.to_string().contains(cluster.host().to_str().unwrap()), "{error}");
    }

    // The promoted server cannot be reached: no process writes to the old one.
    new.stop("fast");
    for url in [&both, &old.url("postgres")] {
        let error = remembered.refused(url).await.to_string();
        let names = [old.host(), new.host()].map(|it| it.to_str().unwrap());
        assert!(names.iter().all(|it| error.contains(it)), "{error}");
        for words in ["on timeline 1", "timeline 2 was seen", "`paywright database trust-timeline`"] {
            assert!(error.contains(words), "{error}");
        }
        let migrating = PostgresStore::migrate(url, Some(&remembered.file())).await;
        assert!(matches!(migrating, Err(OpenError::Refusal(Refusal::OldTimeline { seen: 1, .. }))));
    }
    let told = store.commit(first(4)).await;
    let told = if matches!(told, Err(StoreError::Unknown(_))) { store.commit(first(4)).await } else { told };
    assert!(
        matches!(&told, Err(StoreError::Unavailable(cause)) if cause.to_string().contains("timeline 1")),
        "{told:?}"
    );
    assert!(matches!(store.probe().await, Err(StoreError::Unavailable(_))), "it is not ready");
    assert!(store.warnings().concat().contains("timeline 2 was seen"), "{:?}", store.warnings());
    assert_eq!(orders(&old).await, 1);

    // The promoted server is reachable again and the old one is fenced: commits work, and answered ones are stored.
    new.start();
    old.stop("fast");
    commit_in_the_end(&store, 4).await;
    assert_eq!(store.warnings(), Vec::<String>::new());
    remembered.open(&both).await.unwrap();
    assert_eq!(orders(&new).await, 4);
}

/// A promotion without fencing of the old primary: its connections still work, and it answers.
#[tokio::test]
async fn a_running_process_detects_a_promotion_and_leaves_the_old_primary() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    let store = remembered.open(&url_of_all(&[&old, &new], "postgres")).await.unwrap();
    store.commit(first(0)).await.unwrap();
    caught_up(&old, &new).await;
    new.promote();
    let begun = Instant::now();
    let mut n = 0;
    while orders(&new).await == 1 {
        assert!(begun.elapsed() < PATIENCE, "the promotion is never found");
        n += 1;
        commit_in_the_end(&store, n).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let on_the_old_one = orders(&old).await;
    for n in 10_000..10_050 {
        store.commit(first(n)).await.unwrap();
        let found = store.order(&OrderRef::Id(order_id(n))).await.unwrap();
        assert!(found.is_some(), "it is read where it is written");
    }
    assert_eq!(orders(&old).await, on_the_old_one, "it gets nothing more");
}

/// The old primary reports a commit after the promotion is known.
#[tokio::test]
async fn the_last_answer_of_a_replaced_primary_is_unknown_and_read_from_the_promoted_one() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    let store = Arc::new(remembered.open(&url_of_all(&[&old, &new], "postgres")).await.unwrap());
    store.commit(first(1)).await.unwrap();
    caught_up(&old, &new).await;
    let mut admin = connect(&old.url("postgres")).await;
    let watching = connect(&old.url("postgres")).await;
    let held = admin.transaction().await.unwrap();
    held.batch_execute("LOCK TABLE orders IN SHARE MODE").await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(first(2)).await }
    });
    let begun = Instant::now();
    let blocked = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'paywright' AND wait_event_type = 'Lock'";
    while watching.query(blocked, &[]).await.unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the commit never waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    new.promote();
    commit_in_the_end(&store, 3).await;
    assert_eq!(orders(&new).await, 2, "another connection has found the promotion");
    held.rollback().await.unwrap();
    let told = waiting.await.unwrap();
    assert!(matches!(told, Err(StoreError::Unknown(_))), "{told:?}");
    let found = store.order(&OrderRef::Id(order_id(2))).await.unwrap();
    assert!(found.is_none(), "it is looked up where it counts");
}

#[tokio::test]
async fn two_servers_that_accept_writes_are_refused_at_the_first_start() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    new.promote();
    let error = remembered.refused(&url_of_all(&[&old, &new], "postgres")).await;
    assert!(matches!(&error, OpenError::Refusal(Refusal::TwoWriters(_))), "{error}");
    assert!(!remembered.file().exists(), "nothing is remembered of them");
    // Made read-only, as an operator may do, the old primary does not accept writes.
    let fence = "ALTER SYSTEM SET default_transaction_read_only = on";
    let admin = connect(&old.url("postgres")).await;
    admin.batch_execute(fence).await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let begun = Instant::now();
    let store = loop {
        match remembered.open(&url_of_all(&[&old, &new], "postgres")).await {
            Ok(store) => break store,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    };
    store.commit(first(1)).await.unwrap();
    assert_eq!((orders(&old).await, orders(&new).await), (0, 1));
    // One server under two names counts once.
    remembered.open(&url_of_all(&[&new, &new], "postgres")).await.unwrap();
}

/// A standby of the promoted server shows the promotion, also to a process that has not seen it.
#[tokio::test]
async fn a_standby_of_the_promoted_server_shows_that_a_primary_was_replaced() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    new.promote();
    let third = new.standby();
    new.stop("fast");
    let error = remembered.refused(&url_of_all(&[&old, &third], "postgres")).await;
    assert!(matches!(&error, OpenError::Refusal(Refusal::OldTimeline { seen: 1, .. })), "{error}");
    let error = remembered.refused(&old.url("postgres")).await;
    assert!(matches!(&error, OpenError::Refusal(Refusal::OldTimeline { seen: 1, .. })), "it is remembered: {error}");
}

#[tokio::test]
async fn another_cluster_and_a_lower_timeline_are_used_after_trust_timeline() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    new.promote();
    drop(remembered.open(&new.url("postgres")).await.unwrap());
    let other = Cluster::of_one_test(&[]);
    other.start();
    let error = remembered.refused(&other.url("postgres")).await;
    assert!(matches!(&error, OpenError::Refusal(Refusal::OtherCluster { .. })), "{error}");
    assert!(error.to_string().contains("pg_upgrade"), "{error}");
    for (cluster, timeline, before) in [(&other, 1, Some(2)), (&new, 2, Some(1)), (&old, 1, Some(2))] {
        let url = cluster.url("postgres");
        remembered.refused(&url).await;
        let (now, was) = PostgresStore::trust_timeline(&url, &remembered.file()).await.unwrap();
        assert_eq!((now.timeline, was.map(|it| it.timeline)), (timeline, before));
        drop(remembered.open(&url).await.unwrap());
    }
    let both = url_of_all(&[&old, &new], "postgres");
    let error = PostgresStore::trust_timeline(&both, &remembered.file()).await.unwrap_err();
    assert!(matches!(&error, OpenError::Refusal(Refusal::TwoWriters(_))), "which of them, is for a person: {error}");
}

#[tokio::test]
async fn an_unusable_timeline_file_is_named_and_rewritten_by_trust_timeline() {
    let remembered = Remembered::new();
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let url = cluster.url("postgres");
    std::fs::write(remembered.file(), "{\"system_identifier\": \"7").unwrap();
    let error = remembered.refused(&url).await;
    assert!(matches!(&error, OpenError::TimelineFile(TimelineFileError::Damaged { .. })), "{error}");
    assert!(error.to_string().contains(remembered.file().to_str().unwrap()), "{error}");
    let (_, before) = PostgresStore::trust_timeline(&url, &remembered.file()).await.unwrap();
    assert_eq!(before, None);
    let store = remembered.open(&url).await.unwrap();

    let at = |path: &Path| Options { timeline_file: Some(path.to_owned()), ..Options::default() };
    let error = PostgresStore::open(&url, at(&remembered.0)).await.err().unwrap();
    assert!(matches!(&error, OpenError::TimelineFile(TimelineFileError::Unreadable { .. })), "{error}");
    let error = PostgresStore::open(&url, at(&remembered.0.join("nowhere/file"))).await.err().unwrap();
    assert!(matches!(&error, OpenError::TimelineFile(TimelineFileError::Unwritable { .. })), "{error}");
    assert!(error.to_string().contains("database.timeline_file"), "{error}");

    // A running process remembers in memory, continues, and warns.
    std::fs::write(remembered.file(), "nonsense").unwrap();
    store.commit(first(1)).await.unwrap();
    end_connections(&cluster).await;
    commit_in_the_end(&store, 2).await;
    assert!(store.warnings().concat().contains("is damaged"), "{:?}", store.warnings());
}

#[tokio::test]
async fn a_role_that_owns_only_its_schema_can_read_timelines() {
    let remembered = Remembered::new();
    let cluster = Cluster::of_one_test(&[]);
    cluster.start();
    let admin = connect(&cluster.url("postgres")).await;
    admin.batch_execute("CREATE ROLE shop LOGIN").await.unwrap();
    admin.batch_execute("CREATE DATABASE shop OWNER shop").await.unwrap();
    let url = cluster.url("shop").replace("postgres@", "shop@");
    remembered.open(&url).await.unwrap().commit(first(1)).await.unwrap();
    assert!(remembered.text().contains("\"timeline\": 1"), "{}", remembered.text());
    // A function that was revoked is named.
    let admin = connect(&cluster.url("shop")).await;
    admin.batch_execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await.unwrap();
    let error = remembered.refused(&url).await;
    assert!(matches!(&error, OpenError::NoTimeline { .. }), "{error}");
    assert!(error.to_string().contains("permission denied for function pg_control_system"), "{error}");
    PostgresStore::open(&url, Options::default()).await.unwrap().commit(first(2)).await.unwrap();
}

/// A host that does not answer delays a start only briefly, and no failover.
#[tokio::test]
async fn a_silent_host_does_not_block_the_other_hosts() {
    let ((old, new), remembered) = (pair().await, Remembered::new());
    let store = remembered.open(&url_of_all(&[&old, &new], "postgres")).await.unwrap();
    store.commit(first(1)).await.unwrap();
    caught_up(&old, &new).await;
    // Its processes are stopped: the kernel accepts connections, and nothing answers.
    let parent = old.pid().to_string();
    let run = |program: &str, arguments: &[&str]| {
        drop(std::process::Command::new(program).args(arguments).status());
    };
    run("pkill", &["-STOP", "-P", &parent]);
    run("kill", &["-STOP", &parent]);
    new.promote();
    let begun = Instant::now();
    commit_in_the_end(&store, 2).await;
    println!("a commit is answered {:?} after the promotion", begun.elapsed());
    assert_eq!(orders(&new).await, 2);
    let begun = Instant::now();
    remembered.open(&url_of_all(&[&old, &new], "postgres")).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    run("kill", &["-CONT", &parent]);
    run("pkill", &["-CONT", "-P", &parent]);
}
