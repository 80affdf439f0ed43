//! Backup: a copy of a database file while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::prelude::*;
use diesel::sql_types::Text;
use thiserror::Error;

use crate::failure::OpenError;
use crate::setup;

/// Number of copies that this process has made so far.
static COPIES: AtomicU32 = AtomicU32::new(0);

/// Why no copy was made.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The database cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The path of the copy exists already. It was left unchanged.
    #[error("{} exists already: a backup never replaces a file", .0.display())]
    Exists(PathBuf),
    /// SQLite could not write the copy.
    #[error("the database cannot be copied: {0}")]
    Copy(#[from] diesel::result::Error),
    /// The copy failed SQLite's integrity check.
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    /// The copy cannot be moved to its path.
    #[error("{}: {source}", .path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// Copies the database at `path` to a new file `to`, as of one moment, while others read and write it. Returns the size
/// of the copy in bytes. The copy appears complete and checked, or not at all. It has no `-wal` file beside it, and only
/// its owner may read it.
///
/// Uses SQLite's `VACUUM INTO`, which works in one read transaction ("VACUUM", section 3).
pub fn backup(path: &str, to: &Path) -> Result<u64, BackupError> {
    let failed = |source| BackupError::File { path: to.to_owned(), source };
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut db = setup::open_for_copying(path)?;
    let mut partial = to.as_os_str().to_owned();
    // A temporary name that no other copy and no existing file has.
    partial.push(format!(".partial-{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed)));
    let partial = PathBuf::from(partial);
    // SQLite writes into an existing empty file and keeps its permissions.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(failed)?;
    let copied = copy(&mut db, &partial).and_then(|()| {
        File::open(&partial).and_then(|it| it.sync_all()).map_err(failed)?;
        // A hard link fails if the path exists meanwhile; a rename would replace it.
        fs::hard_link(&partial, to).map_err(failed)?;
        let folder = to.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|it| it.sync_all()).map_err(failed)?;
        Ok(fs::metadata(to).map_err(failed)?.len())
    });
    drop(fs::remove_file(&partial));
    copied
}

fn copy(db: &mut SqliteConnection, to: &Path) -> Result<(), BackupError> {
    let name = to.to_string_lossy();
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(&name).execute(db)?;
    let mut copy = setup::open_for_copying(&name)?;
    let checked: Vec<Check> = diesel::sql_query("PRAGMA integrity_check").load(&mut copy)?;
    match checked.as_slice() {
        [Check { integrity_check }] if integrity_check == "ok" => Ok(()),
        found => Err(BackupError::Damaged(found.first().map_or_else(String::new, |it| it.integrity_check.clone()))),
    }
}
