//! Preparing the path of a database: whether there is a regular file, and who may read it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::failure::OpenError;
use crate::{IN_MEMORY, Migrate};

/// Rights of a new file: its owner reads and writes it. SQLite gives the `-wal` and the `-shm` the rights of the file
/// itself ("findCreateFileMode" in `os_unix.c`).
const PRIVATE: u32 = 0o600;
/// Rights of all users but the owner and the group.
const OTHERS: u32 = 0o007;

/// Makes a file where there is none and one may be made, so that nobody else can read it; refuses what is no regular file.
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

/// Makes an empty file, unless another process has made one meanwhile.
fn make(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Takes away what other users may do with a database of ours.
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
        Ok(()) => tracing::warn!("{}: other users could read it, and no longer can", file.display()),
        Err(error) => tracing::warn!("{}: other users can read it: {error}", file.display()),
    }
}

fn unusable(path: &str, error: &io::Error) -> OpenError {
    OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }
}
