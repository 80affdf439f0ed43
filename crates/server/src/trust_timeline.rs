//! `paywright database trust-timeline`: chooses the PostgreSQL server to trust.

use crate::cli::{DatabaseCommand, DatabaseOptions};
use crate::settings::Settings;
use crate::{Failure, say};

pub(crate) async fn run(options: DatabaseOptions) -> Result<(), Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    match options.command {
        DatabaseCommand::TrustTimeline => say(&settings.database()?.trust_timeline().await?),
    }
    Ok(())
}
