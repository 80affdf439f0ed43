//! `paywright backup`: copies a SQLite database.

use crate::cli::BackupOptions;
use crate::settings::Settings;
use crate::world::now;
use crate::{Failure, say};

pub(crate) async fn run(options: BackupOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    // The time before the copy begins: all commits that are missing from the copy are later.
    let moment = now();
    let bytes = tokio::task::spawn_blocking(move || database.backup(&options.file).map(|it| (it, options.file)));
    let (bytes, file) = bytes.await??;
    say(&format!("{}: backup of {moment}, {bytes} bytes.", file.display()));
    say(&format!("After restoring it, run: paywright recover --since {moment}"));
    Ok(())
}
