//! Readiness check for `GET /readyz`: whether an order could be stored, and whether the file is still at its path.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::failure::Failure;
use crate::reserve::Reserve;
use crate::setup;

/// Identity of a file in its file system, whatever its name. SQLite keeps writing to a file that was moved or deleted;
/// the next process that opens the path would not see what was written there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

#[derive(QueryableByName)]
struct File {
    #[diesel(sql_type = Text)]
    file: String,
}

impl Place {
    /// Path and identity of the file behind `db`; `None` for a database in memory.
    pub(crate) fn of(db: &mut SqliteConnection) -> Result<Option<Self>, Failure> {
        let main = "SELECT coalesce(file, '') AS file FROM pragma_database_list WHERE name = 'main'";
        let path = PathBuf::from(diesel::sql_query(main).get_result::<File>(db)?.file);
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let Ok(found) = fs::metadata(&path) else { return Err(Failure::Moved(path)) };
        Ok(Some(Self { device: found.dev(), inode: found.ino(), path }))
    }

    /// Reserve beside the file.
    pub(crate) fn reserve(&self) -> Reserve {
        Reserve::beside(&self.path)
    }

    /// Fails if another file, or none, is at the path now.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(Failure::Moved(self.path.clone())),
        }
    }
}

/// Writes a test row to the file of orders, and checks that the schema is one that this version can work with.
pub(crate) fn run(db: &mut SqliteConnection) -> Result<(), Failure> {
    // 64 KiB, more than an order takes, so a disk that has room for this has room for an order. Random each time,
    // because SQLite does not write unchanged bytes.
    let write = "REPLACE INTO marks (name, due_at, value) VALUES ('probe', 0, hex(randomblob(32768)))";
    diesel::sql_query(write).execute(db)?;
    let tables = "SELECT 19 - count(*) AS value FROM sqlite_schema WHERE type = 'table' AND name IN (
        'anomalies', 'api_keys', 'carts', 'disputes', 'facts', 'idempotency_records', 'installation', 'lost_orders',
        'marks', 'order_adjustments', 'order_lines', 'orders', 'payment_intents', 'provider_customers', 'refunds',
        'sales_terms', 'tasks', 'variants', 'webhook_inbox')";
    let missing = setup::number(db, tables)?;
    if missing == 0 && setup::is_migrated(db) { Ok(()) } else { Err(Failure::Schema) }
}
