//! `paywright migrate`: applies missing migrations.

use crate::cli::MigrateOptions;
use crate::settings::Settings;
use crate::{Failure, say};

pub(crate) async fn run(options: MigrateOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    say(&settings.database()?.migrate().await?);
    Ok(())
}
