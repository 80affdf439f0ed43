//! Real PostgreSQL for tests: the server of `TEST_DATABASE_URL`, or else a cluster that is started from the server
//! programs on this machine. All tests of a run share it; each test has its own database, copied from a migrated
//! template.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::cluster::{Cluster, shared_folder};

/// Key of the advisory lock under which the template is made: "Tpl" in ASCII.
const TEMPLATE_LOCK: i64 = 0x54_706c;

/// Database of one test. It is dropped after the test, unless the test failed: then its URL is printed.
pub struct Database {
    name: String,
    server: &'static Server,
}

impl Database {
    /// Makes a migrated database. `migrate` makes the schema in the database of a URL; it is called once a run.
    pub async fn migrated(migrate: impl AsyncFnOnce(&str)) -> Self {
        let server = Server::shared();
        let template = server.template(migrate).await;
        let database = Self::create(server, &format!("TEMPLATE {template}")).await;
        // A copy has the installation id of the template, and needs its own.
        database.client().await.batch_execute("UPDATE installation SET id = gen_random_uuid()").await.unwrap();
        database
    }

    /// Makes an empty database.
    pub async fn empty() -> Self {
        Self::create(Server::shared(), "").await
    }

    async fn create(server: &'static Server, template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The process id may be reused while the server outlives a run.
        let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 0);
        let n = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("t_{}_{n}_{:08x}", std::process::id(), random >> 32);
        let admin = server.admin().await;
        let version: String = admin.query_one("SHOW server_version_num", &[]).await.unwrap().get(0);
        // Copying files is faster than writing the copy to the log, and a crash need not be recovered from.
        let by = if template.is_empty() || version.as_str() < "150000" { "" } else { "STRATEGY file_copy" };
        admin.batch_execute(&format!("CREATE DATABASE {name} {template} {by}")).await.unwrap();
        Self { name, server }
    }

    /// Name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// URL of the database.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Makes a connection for the test's own statements, beside the code under test.
    pub async fn client(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of this test is kept at {}", self.url());
            return;
        }
        let (server, name) = (self.server, self.name.clone());
        // On its own thread, since this one may run a runtime already.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                drop(server.admin().await.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await);
            });
        });
        drop(dropped.join());
    }
}

/// Connects to a URL, or fails the test.
pub async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    tokio::spawn(connection);
    client
}

/// Server that all tests share.
struct Server {
    /// Parts of its URL before and after the name of the database.
    around: (String, String),
    /// File lock held while this process lives, so that the cluster is not stopped.
    _lease: Option<File>,
}

impl Server {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("TEST_DATABASE_URL") {
            Ok(url) => Self { around: around_name(&url), _lease: None },
            Err(_) => Self::own(),
        })
    }

    /// Starts the shared cluster, unless another process of this run has started it.
    fn own() -> Self {
        let folder = shared_folder();
        let beside = |extension: &str| {
            let file = File::options().create(true).append(true).open(folder.with_extension(extension));
            file.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        };
        let turn = beside("lock");
        turn.lock().unwrap();
        let lease = beside("lease");
        lease.lock_shared().unwrap();
        let cluster = Cluster::found(&folder);
        if !cluster.is_running() {
            let cluster = Cluster::init(&folder, &[]);
            cluster.start();
            cluster.stop_when_unused(&folder.with_extension("lock"), &folder.with_extension("lease"));
        }
        drop(turn);
        Self { around: around_name(&cluster.url("postgres")), _lease: Some(lease) }
    }

    fn url(&self, database: &str) -> String {
        format!("{}{database}{}", self.around.0, self.around.1)
    }

    async fn admin(&self) -> Client {
        connect(&self.url("postgres")).await
    }

    /// Name of the migrated database to copy, which the first caller makes.
    async fn template(&self, migrate: impl AsyncFnOnce(&str)) -> String {
        let name = format!("paywright_template_{:016x}", hash_of_migrations());
        let admin = self.admin().await;
        admin.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await.unwrap();
        let existing = admin.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&name]).await.unwrap();
        if existing.is_empty() {
            let making = format!("{name}_making");
            for sql in [format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"), format!("CREATE DATABASE {making}")] {
                admin.batch_execute(&sql).await.unwrap();
            }
            migrate(&self.url(&making)).await;
            // The database cannot be renamed until its last connection has ended.
            let rename = format!("ALTER DATABASE {making} RENAME TO {name}");
            while let Err(error) = admin.batch_execute(&rename).await {
                let code = error.code().map(|it| it.code().to_owned());
                assert_eq!(code.as_deref(), Some("55006"), "{error:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        name
    }
}

/// Splits a URL before and after the name of its database.
fn around_name(url: &str) -> (String, String) {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(it, query)| (it, format!("?{query}")));
    let after_scheme = address.find("://").expect("TEST_DATABASE_URL is a postgres:// URL") + 3;
    match address[after_scheme..].rfind('/') {
        Some(slash) => (address[..=after_scheme + slash].to_owned(), query),
        None => (format!("{address}/"), query),
    }
}

/// Hash of the migrations, so that changed migrations have another template.
fn hash_of_migrations() -> u64 {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres"), &mut found);
    found.sort();
    let mut hasher = DefaultHasher::new();
    for path in found {
        (path.file_name(), fs::read(&path).unwrap()).hash(&mut hasher);
    }
    hasher.finish()
}
