//! Checks of this machine: the token secret, open files and free disk space.

use std::path::{Path, PathBuf};

use paywright_http_api::KeySetRead;
use rustix::fs::statvfs;
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Finding, in_time};
use crate::database::Database;
use crate::descriptors;
use crate::serve::workers;
use crate::settings::Settings;
use crate::world::now;

/// Connections of the store if no database is set.
const STORE_CONNECTIONS: u16 = 16;

const MIB: u64 = 1024 * 1024;
/// Free space below which SQLite soon cannot store an order.
const FREE_BYTES_MIN: u64 = 64 * MIB;
/// Free space below which an operator should act.
const FREE_BYTES_LOW: u64 = 1024 * MIB;

/// Checks the length of the token secret.
pub(super) fn token_secret(settings: &Settings) -> Finding {
    let tokens = with_default(NoSubscriber::default(), || settings.tokens());
    match tokens {
        Ok(_) => Finding::ok("token_secret", "it is long enough"),
        Err(problem) => Finding::fail("token_secret", problem.to_string()),
    }
}

/// Reads the key set of customers' tokens; `None` if there is none.
pub(super) async fn customer_keys(settings: &Settings) -> Option<Finding> {
    let check = "customer_keys";
    let keys = with_default(NoSubscriber::default(), || settings.tokens()).ok()?.1?;
    let read = in_time(async move { keys.set.refresh(now()).await }).await;
    Some(match read {
        Ok(Ok(KeySetRead::Read { keys: 0 })) => {
            Finding::fail(check, "the key set has no usable key: customers' tokens are refused")
        }
        Ok(Ok(KeySetRead::Read { keys })) => Finding::ok(check, format!("the key set has {keys} usable keys")),
        Ok(Ok(KeySetRead::TooSoon)) => Finding::warn(check, "the key set was read just now"),
        Ok(Err(error)) => Finding::fail(check, format!("the key set of customers' tokens cannot be read: {error}")),
        Err(problem) => Finding::fail(check, format!("the key set of customers' tokens cannot be read: {problem}")),
    })
}

/// Compares the limit of open files with what the settings need. The limit is that of this command, raised as `serve`
/// raises its own.
pub(super) fn open_files(settings: &Settings) -> Finding {
    let check = "open_files";
    let wanted = settings.http.connections();
    let (limit, allowed) = with_default(NoSubscriber::default(), || {
        let connections = settings.database().map_or(STORE_CONNECTIONS, |it| it.connections());
        let limit = descriptors::raise_limit();
        (limit, descriptors::connections_max(wanted, limit, connections, workers(settings.http.workers())))
    });
    match allowed {
        Err(problem) => Finding::fail(check, problem.to_string()),
        Ok(allowed) if allowed < wanted => Finding::warn(
            check,
            format!(
                "the limit of open files, {limit}, allows {allowed} client connections instead of http.connections = {wanted}: \
                 raise the limit (`ulimit -Hn`, or `LimitNOFILE=` of systemd), or lower the setting"
            ),
        ),
        Ok(_) => Finding::ok(check, format!("the limit, {limit}, allows {wanted} client connections")),
    }
}

/// Checks the free space where the SQLite file is.
pub(super) async fn disk(settings: &Settings) -> Finding {
    let check = "disk";
    let path = match with_default(NoSubscriber::default(), || settings.database()) {
        Ok(Database::Sqlite { path }) => path,
        Ok(Database::Postgres { .. }) => {
            return Finding::ok(check, "the database is on a PostgreSQL server: watch the disk of that server");
        }
        Err(_) => return Finding::warn(check, "not checked, because no database is set"),
    };
    let folder = folder_of(&path);
    let shown = folder.display().to_string();
    match in_time(async move { statvfs(&folder) }).await {
        Err(problem) => Finding::fail(check, format!("{shown}: {problem}")),
        Ok(Err(error)) => Finding::fail(check, format!("{shown}: {error}: create the folder of the SQLite file")),
        Ok(Ok(found)) => judged(found.f_bavail.saturating_mul(found.f_frsize), &shown),
    }
}

fn folder_of(path: &str) -> PathBuf {
    let parent = Path::new(path).parent().filter(|it| !it.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn judged(free: u64, folder: &str) -> Finding {
    let message = format!("{} MiB are free in {folder}", free / MIB);
    if free < FREE_BYTES_MIN {
        Finding::fail("disk", format!("{message}: make room, or orders will be refused"))
    } else if free < FREE_BYTES_LOW {
        Finding::warn("disk", format!("{message}: make room soon"))
    } else {
        Finding::ok("disk", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn little_free_space_is_a_warning_and_hardly_any_a_failure() {
        for (mebibytes, expected) in [(0, Status::Fail), (63, Status::Fail), (64, Status::Warn), (1023, Status::Warn)] {
            assert_eq!(judged(mebibytes * MIB, "/data").status, expected, "{mebibytes}");
        }
        assert_eq!(judged(1024 * MIB, "/data"), Finding::ok("disk", "1024 MiB are free in /data"));
    }

    #[test]
    fn the_folder_of_a_bare_name_is_the_working_directory() {
        assert_eq!(folder_of("orders.db"), Path::new("."));
        assert_eq!(folder_of("/var/lib/orders.db"), Path::new("/var/lib"));
    }
}
