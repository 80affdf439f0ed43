//! PostgreSQL clusters of our own: made in memory where there is some, run as an unprivileged user, reached by a
//! socket that nobody else can reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Nothing outlives the machine anyway, and everything is faster so.
const SETTINGS: &str = "
listen_addresses = ''
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
max_connections = 300
";

/// A cluster, running or not.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    /// Whether it goes with this value.
    of_one_test: bool,
}

impl Cluster {
    /// A cluster of one test, set by more lines of `postgresql.conf`, and not started yet. Its superuser is
    /// `postgres`, and whoever can reach its socket is trusted.
    pub fn of_one_test(settings: &[&str]) -> Self {
        Self::in_place(&in_memory(), settings)
    }

    /// One like it, on disk and durable, as a shop would have it.
    pub fn on_disk(settings: &[&str]) -> Self {
        let durable = ["fsync = on", "synchronous_commit = on", "full_page_writes = on", "autovacuum = on"];
        Self::in_place(&std::env::temp_dir(), &[&durable, settings].concat())
    }

    /// One like it, in a folder of `place`.
    pub fn in_place(place: &Path, settings: &[&str]) -> Self {
        Self::init(&folder_of_this_process(place), settings).with_this_process()
    }

    /// A standby of `primary`, which runs: made by a base backup, and not started yet.
    pub fn standby_of(primary: &Self) -> Self {
        let cluster = Self::found(&folder_of_this_process(&in_memory()));
        cluster.make_folder();
        let cluster = cluster.with_this_process();
        cluster.follow(primary);
        cluster
    }

    /// A standby of it that runs and follows it. It must be running.
    #[must_use]
    pub fn standby(&self) -> Self {
        let standby = Self::standby_of(self);
        standby.start();
        standby
    }

    /// Has it end with this process.
    fn with_this_process(mut self) -> Self {
        self.of_one_test = true;
        self.stop_with_this_process();
        self
    }

    /// The cluster that is, or would be, in `folder`.
    pub(crate) fn found(folder: &Path) -> Self {
        let programs = programs();
        Self { folder: folder.to_owned(), programs, owner: unprivileged(), of_one_test: false }
    }

    /// Makes a cluster in `folder`, over what may be left of another.
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

    /// Adds lines to its settings; its socket is in its own folder.
    fn set(&self, settings: &[&str]) {
        let socket = format!("unix_socket_directories = '{}'\n", self.folder.display());
        let path = self.path_of("postgresql.conf");
        fs::write(&path, [&fs::read_to_string(&path).unwrap(), &socket, &settings.join("\n"), "\n"].concat()).unwrap();
    }

    /// Makes it, while it is stopped, a standby of `primary`, which runs, over all that it had.
    pub fn follow(&self, primary: &Self) {
        drop(fs::remove_dir_all(self.data()));
        primary.copy_to(&self.data(), &["--write-recovery-conf"]);
        self.set(&[]);
    }

    /// Makes a base backup of it while it runs.
    pub fn back_up(&self) {
        drop(fs::remove_dir_all(self.backup()));
        self.copy_to(&self.backup(), &[]);
    }

    /// Puts its last base backup, while it is stopped, in the place of all that it has.
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

    /// Writes a file among its data that nobody else may read: a key, a `pg_hba.conf`.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path_of(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Starts it and waits until it answers.
    pub fn start(&self) {
        let log = self.folder.join("log");
        self.control(&["start", "-w", "-l", log.to_str().unwrap()]);
    }

    /// Stops it: `fast` ends its connections, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        self.control(&["stop", "-w", "-m", mode]);
    }

    /// Makes a standby that runs the primary, and waits until it takes writes.
    pub fn promote(&self) {
        self.control(&["promote", "-w"]);
    }

    /// Sends a signal to all of its processes.
    pub fn signal(&self, signal: &str) {
        let parent = self.pid().to_string();
        // The children first, so that their parent sees none of it.
        drop(Command::new("pkill").args([signal, "-P", &parent]).status());
        assert!(Command::new("kill").args([signal, &parent]).status().unwrap().success());
    }

    /// Whether it answers.
    pub fn is_running(&self) -> bool {
        let mut status = self.command("pg_ctl");
        status.args(["status", "-D"]).arg(self.data()).stdout(Stdio::null()).stderr(Stdio::null());
        status.status().unwrap().success()
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        url_of_all(&[self], database)
    }

    /// The folder of its socket, in the form that PostgreSQL's own clients take as a host.
    pub fn host(&self) -> &Path {
        &self.folder
    }

    /// The path of a file among its data.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// Its first process, the parent of all others.
    pub fn pid(&self) -> u32 {
        let text = fs::read_to_string(self.path_of("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// One of its programs, to be run by the user that it belongs to.
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

    /// What it prints goes to a file: a server that it starts would hold a pipe open.
    fn run(&self, program: &str, arguments: &[&str]) {
        let printed = self.folder.with_extension("out");
        let mut command = self.command(program);
        let out = fs::File::create(&printed).unwrap();
        command.args(arguments).stdout(out.try_clone().unwrap()).stderr(out);
        let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = fs::read_to_string(&printed).unwrap_or_default();
        assert!(status.success(), "{program}: {said}\n{}", self.logged());
        drop(fs::remove_file(printed));
    }

    /// Leaves a shell behind that ends the cluster some seconds after the last process has let go of `lease`, also
    /// when all of them were killed.
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
        self.leave_behind(script, &[turn, lease]);
    }

    fn stop_with_this_process(&self) {
        let script = r#"
            while kill -0 "$3" 2>/dev/null; do sleep 1; done
            "$2/pg_ctl" stop -m immediate -D "$1/data"; rm -rf "$1"
        "#;
        self.leave_behind(script, &[Path::new(&std::process::id().to_string())]);
    }

    /// Runs a script on its own, as the user that the cluster belongs to cannot: it must see our process and our
    /// locks. `$1` is the folder, `$2` where the programs are.
    fn leave_behind(&self, script: &str, more: &[&Path]) {
        // `pg_ctl` refuses to run as root.
        let by = |user: u32| format!("setpriv --reuid={user} --clear-groups ");
        let script =
            script.replace("\"$2/pg_ctl\"", &(self.owner.map_or(String::new(), |it| by(it.0)) + "\"$2/pg_ctl\""));
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", &script, "sh"]).arg(&self.folder).arg(&self.programs).args(more);
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Where there is no `setsid`, the cluster stays until somebody stops it.
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

/// The address of a database that several clusters may have, the first one first.
pub fn url_of_all(clusters: &[&Cluster], database: &str) -> String {
    let hosts: Vec<String> = clusters.iter().map(|it| it.folder.to_str().unwrap().replace('/', "%2F")).collect();
    format!("postgres://postgres@{}/{database}", hosts.join(","))
}

/// The folder of the cluster that all tests of this checkout share.
pub(crate) fn shared_folder() -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    in_memory().join(format!("paywright-pg-{:08x}", hasher.finish() >> 32))
}

/// A folder of `place` that no other cluster has.
fn folder_of_this_process(place: &Path) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    place.join(format!("paywright-pg-{}-{n}", std::process::id()))
}

/// A folder in memory if there is one with room, else one for what is temporary.
fn in_memory() -> PathBuf {
    const KILOBYTES_MIN: u64 = 1024 * 1024;
    let shm = Path::new("/dev/shm");
    let free = Command::new("df").args(["-Pk", "/dev/shm"]).output();
    let free = free.ok().and_then(|it| String::from_utf8(it.stdout).ok()).unwrap_or_default();
    let kilobytes = free.lines().nth(1).and_then(|it| it.split_whitespace().nth(3)?.parse::<u64>().ok());
    if kilobytes.is_some_and(|it| it >= KILOBYTES_MIN) { shm.to_owned() } else { std::env::temp_dir() }
}

/// The folder of PostgreSQL's programs: `initdb` and the rest.
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
         to the folder that they are in. TEST_DATABASE_URL names a server to use for most tests; those that stop \
         one, or speak TLS to one, need the programs all the same",
    )
}

/// Whom the cluster belongs to, where we are root: PostgreSQL refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
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
