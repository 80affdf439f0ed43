//! PgBouncer in transaction mode before a PostgreSQL server.

use std::fs;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::config::Host;

use crate::cluster::{in_memory, unprivileged};

/// PgBouncer of one test, with few connections to its server: transactions of one client are on different ones.
pub struct PgBouncer {
    process: Child,
    folder: PathBuf,
}

/// Connections to the server.
const SERVER_CONNECTIONS: u16 = 3;

impl PgBouncer {
    /// Starts PgBouncer before the server of a `postgres://` URL, as the user of the URL.
    pub fn before(url: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = in_memory().join(format!("paywright-pooler-{}-{n}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        let config: tokio_postgres::Config = url.parse().unwrap();
        let host = match &config.get_hosts()[0] {
            Host::Unix(path) => path.display().to_string(),
            Host::Tcp(name) => name.clone(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let password = config.get_password().map(|it| format!(" password={}", String::from_utf8_lossy(it)));
        let server = format!(
            "* = host={host} port={port} user={}{}",
            config.get_user().unwrap_or("postgres"),
            password.unwrap_or_default()
        );
        let settings = format!(
            "[databases]\n{server}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {0}\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\nmax_client_conn = 200\n\
             server_login_retry = 1\nlogfile = {0}/log\n",
            folder.display()
        );
        fs::write(folder.join("pgbouncer.ini"), settings).unwrap();
        let mut command = Command::new(program());
        command.arg(folder.join("pgbouncer.ini")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        let process = command.spawn().unwrap_or_else(|error| panic!("pgbouncer: {error}"));
        let pooler = Self { process, folder };
        let begun = Instant::now();
        while UnixStream::connect(pooler.folder.join(".s.PGSQL.6432")).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", pooler.logged());
            std::thread::sleep(Duration::from_millis(2));
        }
        pooler
    }

    /// URL of a database of the server, by the pooler.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://paywright@{}:6432/{database}", self.folder.to_str().unwrap().replace('/', "%2F"))
    }

    /// Text of its log.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Path of the program, which Debian puts into a folder that is not in everybody's `PATH`.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|it| it.join("pgbouncer"));
    places
        .find(|it: &PathBuf| Path::exists(it))
        .expect("the tests need PgBouncer: install it (Debian: apt-get install pgbouncer), or let scripts/test do that")
}
