//! Whether an order would be kept: what is asked for `GET /readyz`; and whether the file is still in its place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::failure::Failure;
use crate::reserve::Reserve;
use crate::setup;

/// A file as the file system knows it, whatever its name is. SQLite goes on writing to a file that was moved away or
/// deleted; what was written there would be lost to whoever opens the path next.
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
    /// Where the file behind `db` is; `None` for a database in memory.
    pub(crate) fn of(db: &mut SqliteConnection) -> Result<Option<Self>, Failure> {
        let main = "SELECT coalesce(file, '') AS file FROM pragma_database_list WHERE name = 'main'";
        let path = PathBuf::from(diesel::sql_query(main).get_result::<File>(db)?.file);
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let Ok(found) = fs::metadata(&path) else { return Err(Failure::Moved(path)) };
        Ok(Some(Self { device: found.dev(), inode: found.ino(), path }))
    }

    /// The reserve beside the file.
    pub(crate) fn reserve(&self) -> Reserve {
        Reserve::beside(&self.path)
    }

    /// Refuses to go on where another file, or none, has come to be at the path.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(Failure::Moved(self.path.clone())),
        }
    }
}

/// Writes a row of its own where orders are written, and looks whether the schema is one that this version can work on.
pub(crate) fn run(db: &mut SqliteConnection) -> Result<(), Failure> {
    // 64 KiB, more than an order takes, so that what is left of a disk holds one; and others each time, since SQLite does
    // not write what is there already.
    let write = "REPLACE INTO marks (name, due_at, value) VALUES ('probe', 0, hex(randomblob(32768)))";
    diesel::sql_query(write).execute(db)?;
    let tables = "SELECT 19 - count(*) AS value FROM sqlite_schema WHERE type = 'table' AND name IN (
        'anomalies', 'api_keys', 'carts', 'disputes', 'facts', 'idempotency_records', 'installation', 'lost_orders',
        'marks', 'order_adjustments', 'order_lines', 'orders', 'payment_intents', 'provider_customers', 'refunds',
        'sales_terms', 'tasks', 'variants', 'webhook_inbox')";
    let missing = setup::number(db, tables)?;
    if missing == 0 && setup::is_migrated(db) { Ok(()) } else { Err(Failure::Schema) }
}
