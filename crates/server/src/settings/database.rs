//! Settings of the database.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;
use crate::database::Database;
use crate::settings::Settings;
use crate::settings::secrets::{Secret, secret};
use crate::settings::values::{Within, flag};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseSettings {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    /// Maximum number of PostgreSQL connections of this process.
    connections: Within<1, 10_000>,
    /// Time for which a request waits for a connection, in milliseconds.
    wait_ms: Within<10, 60_000>,
    /// Whether the URL is that of a pooler in transaction mode.
    #[serde(deserialize_with = "flag")]
    transaction_pooling: bool,
    /// File in which the highest timeline of PostgreSQL is remembered; an empty text turns the comparison off.
    timeline_file: Option<PathBuf>,
}

/// Default name of the timeline file.
const TIMELINE_FILE: &str = "paywright-timeline.json";
/// Default folder of the timeline file, if it exists: the home of the user in the container and in packages.
const STATE_FOLDER: &str = "/var/lib/paywright";

/// Path of the timeline file: that of the setting, or else in the first folder of systemd's `StateDirectory=`, in
/// [`STATE_FOLDER`], or in the working directory.
fn timeline_file(set: Option<&Path>, state_directory: Option<&OsStr>) -> Option<PathBuf> {
    if let Some(path) = set {
        return (path != Path::new("")).then(|| path.to_owned());
    }
    let given = state_directory.and_then(|it| std::env::split_paths(it).next()).filter(|it| it.is_absolute());
    let usual = || Some(PathBuf::from(STATE_FOLDER)).filter(|it| it.is_dir());
    Some(given.or_else(usual).unwrap_or_default().join(TIMELINE_FILE))
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            connections: Within::nearest(16),
            wait_ms: Within::nearest(2_000),
            transaction_pooling: false,
            timeline_file: None,
        }
    }
}

impl Settings {
    /// The database in which orders are stored.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        let DatabaseSettings { url, url_file, connections, wait_ms, transaction_pooling, timeline_file: file } =
            &self.database;
        let Some(Secret { text: url, setting }) = secret("database.url", url.as_ref(), url_file.as_deref())? else {
            let set = "set PAYWRIGHT__DATABASE__URL (or ..._FILE), for example to \
                       postgres://paywright@localhost/paywright or to sqlite:/var/lib/paywright/orders.db";
            return Err(format!("no database is set: {set}").into());
        };
        if let Some(path) = url.expose_secret().strip_prefix("sqlite:") {
            return Ok(Database::Sqlite { path: sqlite_path(&setting, path)? });
        }
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|it| url.expose_secret().starts_with(it));
        if !is_postgres {
            // The URL is not shown: it may contain a password.
            return Err(format!("{setting} must begin with postgres:// or sqlite:").into());
        }
        if *transaction_pooling && file.as_ref().is_some_and(|it| it != Path::new("")) {
            let why = "which server a transaction is on is the pooler's to choose, so no timelines are compared";
            return Err(
                format!("database.timeline_file must not be set with database.transaction_pooling: {why}").into()
            );
        }
        let remembered = || timeline_file(file.as_deref(), std::env::var_os("STATE_DIRECTORY").as_deref());
        let timeline_file = if *transaction_pooling { None } else { remembered() };
        let wait = Duration::from_millis(wait_ms.get().into());
        let connections = u16::try_from(connections.get()).unwrap_or(u16::MAX);
        Ok(Database::Postgres { url, connections, wait, timeline_file, transaction_pooling: *transaction_pooling })
    }
}

/// The path of a SQLite file, from the text after `sqlite:`. Paths that SQLite would read as a database without a file,
/// or as a file of another name or mode, are refused.
fn sqlite_path(setting: &str, rest: &str) -> Result<String, Failure> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let problem = if path.trim().is_empty() {
        "names no file: SQLite would lose all orders at the end"
    } else if path.starts_with(':') {
        "must be the path of a file: a database in memory would lose all orders at the end"
    } else if path.contains('?') {
        "must be a plain path, without a ? and options"
    } else if path.starts_with("file:") {
        "must be a plain path, without file:"
    } else if path.contains('\0') {
        "must be a path without a NUL character"
    } else {
        return Ok(path.to_owned());
    };
    Err(format!("{setting} {problem}; write it like sqlite:/var/lib/paywright/orders.db").into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    use super::{sqlite_path, timeline_file};

    #[test]
    fn the_timeline_file_is_in_the_folder_of_the_setting_or_of_systemd() {
        for (set, state, expected) in [
            (Some("kept/t.json"), Some("/var/lib/shop"), Some("kept/t.json")),
            (Some(""), Some("/var/lib/shop"), None),
            (None, Some("/var/lib/shop:/var/lib/other"), Some("/var/lib/shop/paywright-timeline.json")),
        ] {
            let got = timeline_file(set.map(Path::new), state.map(OsStr::new));
            assert_eq!(got, expected.map(PathBuf::from), "{set:?} {state:?}");
        }
    }
    #[test]
    fn an_address_without_a_file_is_refused() {
        for (rest, path) in [
            ("orders.db", "orders.db"),
            ("/var/lib/orders.db", "/var/lib/orders.db"),
            ("///var/lib/orders.db", "/var/lib/orders.db"),
            ("//orders.db", "orders.db"),
        ] {
            assert_eq!(sqlite_path("a.url", rest).unwrap(), path);
        }
        for bad in
            ["", " ", "//", ":memory:", "//:memory:", "q.db?mode=ro", "q.db?", "file:q.db", "file::memory:", "q\0.db"]
        {
            let error = sqlite_path("a.url", bad).unwrap_err().to_string();
            assert!(error.starts_with("a.url ") && !error.contains("q.db"), "{bad}: {error}");
        }
    }
}
