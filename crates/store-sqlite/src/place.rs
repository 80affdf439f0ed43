//! Preparation of a database's path: checks that it is a regular file, and restricts who may read it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::failure::OpenError;
use crate::{IN_MEMORY, Migrate};

/// Permissions of a new file: its owner reads and writes it. SQLite gives the `-wal` and the `-shm` those of the file
/// itself ("findCreateFileMode" in `os_unix.c`).
const PRIVATE: u32 = 0o600;
/// Permissions of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// Creates a missing file, if that is allowed, readable by its owner only; refuses a path that is no regular file.
/// A URI of SQLite is left to SQLite.
pub(crate) fn prepare(path: &str, migrate: Migrate) -> Result<(), OpenError> {
    if path == IN_MEMORY || path.starts_with("file:") {
        return Ok(());
    }
    let may_be_made = match migrate {
        Migrate::Auto | Migrate::Create => true,
        Migrate::Check | Migrate::Off => false,
    };
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(OpenError::NotAFile { path: path.to_owned() }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound && may_be_made => {
            make(Path::new(path)).map_err(|error| unusable(path, &error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(OpenError::Missing { path: path.to_owned() }),
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Creates an empty file, unless another process has created one meanwhile.
fn make(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Removes the permissions of other users on an existing database.
pub(crate) fn close_to_others(path: &str) {
    if path != IN_MEMORY && !path.starts_with("file:") {
        for end in ["", "-wal", "-shm"] {
            close_file(Path::new(&format!("{path}{end}")));
        }
    }
}

fn close_file(file: &Path) {
    let Ok(found) = fs::metadata(file) else { return };
    let mode = found.permissions().mode();
    if mode & OTHERS == 0 {
        return;
    }
    match fs::set_permissions(file, Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => tracing::warn!("{}: removed the permissions of other users, who could read it", file.display()),
        Err(error) => tracing::warn!("{}: other users can read it: {error}", file.display()),
    }
}

fn unusable(path: &str, error: &io::Error) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }
}
