//! `paywright backup`.

use crate::cli::BackupOptions;
use crate::settings::Settings;
use crate::world::now;
use crate::{Failure, say};

pub(crate) async fn run(options: BackupOptions) -> Result<(), Failure> {
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    // Before the copy begins: what is not in it was written later.
    let moment = now();
    let bytes = tokio::task::spawn_blocking(move || database.backup(&options.file).map(|it| (it, options.file)));
    let (bytes, file) = bytes.await??;
    say(&format!("{}: the orders as they were at {moment}, {bytes} bytes.", file.display()));
    say(&format!("After it was restored: paywright recover --since {moment}"));
    Ok(())
}
