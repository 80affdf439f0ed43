//! Settings of the database.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Failure;
use crate::database::Database;
use crate::settings::Settings;
use crate::settings::secrets::secret;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DatabaseSettings {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    url: Option<SecretString>,
    url_file: Option<PathBuf>,
    /// The most connections to PostgreSQL of this process.
    connections: u16,
    /// How long a request waits for one of them, in milliseconds.
    wait_ms: u64,
    /// The file that the highest timeline of PostgreSQL is remembered in; empty to compare nothing.
    timeline_file: Option<PathBuf>,
}

/// The name of the timeline file where none is set.
const TIMELINE_FILE: &str = "paywright-timeline.json";
/// The folder that it is in, if there is one: the home of the user of the container and of packages.
const STATE_FOLDER: &str = "/var/lib/paywright";

/// Where the highest timeline is remembered: where the setting says, or in the first folder of systemd's
/// `StateDirectory=`, in [`STATE_FOLDER`], or in the working directory.
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
        Self { url: None, url_file: None, connections: 16, wait_ms: 2_000, timeline_file: None }
    }
}

impl Settings {
    /// The database that orders are kept in.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        let DatabaseSettings { url, url_file, connections, wait_ms, timeline_file: file } = &self.database;
        let Some(url) = secret(url.as_ref(), url_file.as_deref())? else {
            let set = "set PAYWRIGHT__DATABASE__URL (or ..._FILE), for example to \
                       postgres://paywright@localhost/paywright or to sqlite:/var/lib/paywright/orders.db";
            return Err(format!("no database is set: {set}").into());
        };
        if let Some(path) = url.expose_secret().strip_prefix("sqlite:") {
            return Ok(Database::Sqlite { path: path.strip_prefix("//").unwrap_or(path).to_owned() });
        }
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|it| url.expose_secret().starts_with(it));
        if !is_postgres {
            // Not the address itself: it may hold a password.
            return Err("PAYWRIGHT__DATABASE__URL must begin with postgres:// or sqlite:".into());
        }
        if *connections == 0 {
            return Err("database.connections must be at least 1".into());
        }
        let file = timeline_file(file.as_deref(), std::env::var_os("STATE_DIRECTORY").as_deref());
        let wait = Duration::from_millis(*wait_ms);
        Ok(Database::Postgres { url, connections: *connections, wait, timeline_file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    use super::timeline_file;

    #[test]
    fn the_timeline_is_remembered_where_the_setting_or_systemd_says() {
        for (set, state, expected) in [
            (Some("kept/t.json"), Some("/var/lib/shop"), Some("kept/t.json")),
            (Some(""), Some("/var/lib/shop"), None),
            (None, Some("/var/lib/shop:/var/lib/other"), Some("/var/lib/shop/paywright-timeline.json")),
        ] {
            let got = timeline_file(set.map(Path::new), state.map(OsStr::new));
            assert_eq!(got, expected.map(PathBuf::from), "{set:?} {state:?}");
        }
    }
}
