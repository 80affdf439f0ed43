//! PostgreSQL clusters for tests: in memory where possible, run by an unprivileged user, and reachable only through a
//! socket in their own folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Settings for speed: a cluster in memory needs no durability.
const SETTINGS: &str = "
listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
max_connections = 300
";

/// PostgreSQL cluster, running or stopped.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    /// Whether the cluster is deleted with this value.
    of_one_test: bool,
}

impl Cluster {
    /// Makes a stopped cluster for one test, with additional lines of `postgresql.conf`. Its superuser is `postgres`,
    /// and every connection through its socket is trusted.
    pub fn of_one_test(settings: &[&str]) -> Self {
        Self::in_place(&in_memory(), settings)
    }

    /// Makes a stopped cluster for one test, on disk and durable, as in production.
    pub fn on_disk(settings: &[&str]) -> Self {
        let durable = ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "autovacuum = on"];
        Self::in_place(&std::env::temp_dir(), &[&durable, settings].concat())
    }

    /// Makes a stopped cluster for one test, in a folder under `place`.
    pub fn in_place(place: &Path, settings: &[&str]) -> Self {
        Self::init(&folder_of_this_process(place), settings).with_this_process()
    }

    /// Makes a stopped standby by a base backup of `primary`, which must be running.
    pub fn standby_of(primary: &Self) -> Self {
        let cluster = Self::found(&folder_of_this_process(&in_memory()));
        cluster.make_folder();
        let cluster = cluster.with_this_process();
        cluster.follow(primary);
        cluster
    }

    /// Starts a standby of this cluster, which must be running.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self::standby_of(self);
        standby.start();
        standby
    }

    /// Deletes the cluster when this process ends.
    fn with_this_process(mut self) -> Self {
        self.of_one_test = true;
        self.stop_with_this_process();
        self
    }

    /// Refers to the cluster in `folder`, which need not exist yet.
    pub(crate) fn found(folder: &Path) -> Self {
        let programs = programs();
        Self { folder: folder.to_owned(), programs, owner: unprivileged(), of_one_test: false }
    }

    /// Makes a cluster in `folder`, and deletes what was there.
    pub(crate) fn init(folder: &Path, settings: &[&str]) -> Self {
        let cluster = Self::found(folder);
        cluster.make_folder();
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        cluster.run("initdb", &[&options[..], &[cluster.data().to_str().unwrap()]].concat());
        cluster.set(&[&[SETTINGS], settings].concat());
        cluster
    }

    fn make_folder(&self) {
        let folder = &self.folder;
        drop(fs::remove_dir_all(folder));
        fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        if let Some((user, group)) = self.owner {
            chown(folder, Some(user), Some(group)).unwrap();
        }
    }

    /// Appends settings to `postgresql.conf`, and puts the socket into the cluster's folder.
    fn set(&self, settings: &[&str]) {
        let socket = format!("unix_socket_directories = '{}'\n", self.folder.display());
        let path = self.path_of("postgresql.conf");
        fs::write(&path, [&fs::read_to_string(&path).unwrap(), &socket, &settings.join("\n"), "\n"].concat()).unwrap();
    }

    /// Makes this stopped cluster a standby of `primary`, which must be running, and deletes its own data.
    pub fn follow(&self, primary: &Self) {
        drop(fs::remove_dir_all(self.data()));
        primary.copy_to(&self.data(), &["--write-recovery-conf"]);
        self.set(&[]);
    }

    /// Makes a base backup of the running cluster.
    pub fn back_up(&self) {
        drop(fs::remove_dir_all(self.backup()));
        self.copy_to(&self.backup(), &[]);
    }

    /// Replaces the data of the stopped cluster by its last base backup.
    pub fn restore(&self) {
        fs::remove_dir_all(self.data()).unwrap();
        fs::rename(self.backup(), self.data()).unwrap();
    }

    fn backup(&self) -> PathBuf {
        self.folder.join("backup")
    }

    fn copy_to(&self, folder: &Path, options: &[&str]) {
        let (host, folder) = (self.folder.to_str().unwrap(), folder.to_str().unwrap());
        let copy = ["--checkpoint=fast", "--no-sync", "--username=postgres", "--host", host, "--pgdata", folder];
        self.run("pg_basebackup", &[&copy[..], options].concat());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Writes a file into the data folder that only its owner can read, e.g. a key or `pg_hba.conf`.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path_of(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// The cluster's log so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts the cluster and waits until it accepts connections.
    pub fn start(&self) {
        let log = self.folder.join("log");
        self.control(&["start", "-w", "-l", log.to_str().unwrap()]);
    }

    /// Stops the cluster: mode `fast` ends its connections, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        self.control(&["stop", "-w", "-m", mode]);
    }

    /// Promotes the running standby, and waits until it accepts writes.
    pub fn promote(&self) {
        self.control(&["promote", "-w"]);
    }

    /// Sends a signal to all processes of the cluster.
    pub fn signal(&self, signal: &str) {
        let parent = self.pid().to_string();
        // The children first, so that their parent does not react to it.
        drop(Command::new("pkill").args([signal, "-P", &parent]).status());
        assert!(Command::new("kill").args([signal, &parent]).status().unwrap().success());
    }

    /// Whether the cluster is running.
    pub fn is_running(&self) -> bool {
        let mut status = self.command("pg_ctl");
        status.args(["status", "-D"]).arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        status.status().unwrap().success()
    }

    /// URL of one of the cluster's databases.
    pub fn url(&self, database: &str) -> String {
        url_of_all(&[self], database)
    }

    /// Folder of the socket, which PostgreSQL's own clients accept as a host.
    pub fn host(&self) -> &Path {
        &self.folder
    }

    /// Path of a file in the data folder.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// Process id of the postmaster, the parent of the cluster's other processes.
    pub fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.path_of("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// Makes a command of one of PostgreSQL's programs, run by the owner of the cluster.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn control(&self, arguments: &[&str]) {
        self.run("pg_ctl", &[arguments, &["-D", self.data().to_str().unwrap()]].concat());
    }

    /// Runs a program and fails the test if it fails. The output goes to a file: a started server would keep a pipe
    /// open.
    fn run(&self, program: &str, arguments: &[&str]) {
        let printed = self.folder.with_extension("out");
        let mut command = self.command(program);
        let out = fs::File::create(&printed).unwrap();
        command.args(arguments).stdout(out.try_clone().unwrap()).stderr(out);
        let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
        let output = fs::read_to_string(&printed).unwrap_or_default();
        assert!(status.success(), "{program}: {output}\n{}", self.logged());
        drop(fs::remove_file(printed));
    }

    /// Starts a detached shell that deletes the cluster some seconds after the last process has released the file lock
    /// `lease`, also if all of them were killed.
    pub(crate) fn stop_when_unused(&self, turn: &Path, lease: &Path) {
        let script = r#"
            free=0
            while [ -d "$1" ]; do
                sleep 5
                if flock -n -x "$4" true; then free=$((free + 1)); else free=0; fi
                if [ $free -ge 4 ]; then
                    flock -x "$3" sh -c \
                        'flock -n -x "$4" true && { "$2/pg_ctl" stop -m immediate -D "$1/data"; rm -rf "$1"; }' sh "$@"
                    free=0
                fi
            done
        "#;
        self.spawn_detached(script, &[turn, lease]);
    }

    fn stop_with_this_process(&self) {
        let script = r#"
            while kill -0 "$3" 2>/dev/null; do sleep 1; done
            "$2/pg_ctl" stop -m immediate -D "$1/data"; rm -rf "$1"
        "#;
        self.spawn_detached(script, &[Path::new(&std::process::id().to_string())]);
    }

    /// Starts a detached script as our user, since it must see our process and locks; the owner of the cluster could
    /// not. `$1` is the folder of the cluster, `$2` that of the programs.
    fn spawn_detached(&self, script: &str, more: &[&Path]) {
        // `pg_ctl` refuses to run as root.
        let by = |user: u32| format!("setpriv --reuid={user} --clear-groups ");
        let script =
            script.replace("\"$2/pg_ctl\"", &(self.owner.map_or(String::new(), |it| by(it.0)) + "\"$2/pg_ctl\""));
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", &script, "sh"]).arg(&self.folder).arg(&self.programs).args(more);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Without `setsid` the cluster keeps running until it is stopped by hand.
        drop(command.spawn());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.of_one_test {
            return;
        }
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"]).arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(stop.status());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// URL of a database with several clusters as hosts, to be tried in this order.
pub fn url_of_all(clusters: &[&Cluster], database: &str) -> String {
    let hosts: Vec<String> = clusters.iter().map(|it| it.folder.to_str().unwrap().replace('/', "%2F")).collect();
    format!("postgres://postgres@{}/{database}", hosts.join(","))
}

/// Folder of the cluster that all tests of this checkout share.
pub(crate) fn shared_folder() -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    in_memory().join(format!("paywright-pg-{:08x}", hasher.finish() >> 32))
}

/// Makes the path of a folder under `place` that no other cluster uses.
fn folder_of_this_process(place: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    place.join(format!("paywright-pg-{}-{n}", std::process::id()))
}

/// Folder in memory if there is at least 1 GiB free, else the folder for temporary files.
pub(crate) fn in_memory() -> PathBuf {
    const KILOBYTES_MIN: u64 = 1024 * 1024;
    let shm = Path::new("/dev/shm");
    let free = Command::new("df").args(["-Pk", "/dev/shm"]).output();
    let free = free.ok().and_then(|it| String::from_utf8(it.stdout).ok()).unwrap_or_default();
    let kilobytes = free.lines().nth(1).and_then(|it| it.split_whitespace().nth(3)?.parse::<u64>().ok());
    if kilobytes.is_some_and(|it| it >= KILOBYTES_MIN) { shm.to_owned() } else { std::env::temp_dir() }
}

/// Finds the folder of PostgreSQL's server programs, such as `initdb`.
pub fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        debian.filter_map(|it| Some((it.file_name().to_str()?.parse().ok()?, it.path().join("bin")))).collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let newest = versions.pop().map(|it| it.1);
    let mut places = named.into_iter().chain(newest).chain(std::env::split_paths(&path));
    places.find(|it| it.join("initdb").exists() && it.join("postgres").exists()).expect(
        "the tests need a PostgreSQL: install its server programs (Debian: apt-get install postgresql), or set PG_BIN \
         to their folder. TEST_DATABASE_URL names a server for most tests; those that stop a server, or use TLS, need \
         the programs all the same",
    )
}

/// User and group that own the cluster if we are root, since PostgreSQL refuses to run as root.
pub(crate) fn unprivileged() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id.trim_ascii() != b"0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = |name: &str| {
        let line = users.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(':'))?;
        let mut fields = line.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(user("postgres").or_else(|| user("nobody")).expect("there is a user who is not root"))
}
