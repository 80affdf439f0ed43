//! `paywright audit`: compares the store with Stripe's lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use paywright_domain::Timestamp;
use paywright_domain::id::Epoch;

use crate::cli::AuditOptions;
use crate::database::{Schema, Stores};
use crate::serve::{gateway, use_cases};
use crate::settings::Settings;
use crate::worker::WorkerSignal;
use crate::world::now;
use crate::{Failure, say};

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;

/// Prints the differences, and returns whether there are none.
pub(crate) async fn run(options: AuditOptions) -> Result<bool, Failure> {
    let settings = Settings::read(options.settings.config.as_deref())?;
    let (database, stripe) = (settings.database()?, settings.stripe_client()?);
    let Stores { orders: store, installation, .. } = database.open(1, Schema::Check).await?;
    let epoch = store.installation().await?.epoch;
    let limits = settings.payments.into_settings(&stripe);
    let app =
        use_cases(store, &gateway(stripe, installation)?, limits, &Arc::<WorkerSignal>::default()).in_background();
    let since = now().minus_seconds(options.days.saturating_mul(SECONDS_PER_DAY));
    let audit = app.audit(since).await?;
    say(&match epoch {
        Epoch::FIRST => format!("Installation {installation}."),
        Epoch(second) => format!(
            "Installation {installation}, recovered from a backup at {}.",
            Timestamp::from_unix_seconds(i64::from(second))?
        ),
    });
    say(&format!(
        "Compared since {since}: {} orders here; {} PaymentIntents, {} refunds and {} disputes at Stripe.",
        audit.orders, audit.intents, audit.refunds, audit.disputes
    ));
    if audit.differences.is_empty() {
        say("Nothing differs.");
        return Ok(true);
    }
    let mut by_class: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for difference in &audit.differences {
        by_class.entry(difference.class).or_default().push(difference);
    }
    for (class, differences) in by_class {
        say(&format!("\n{} ({}):", class.name(), differences.len()));
        for difference in differences {
            say(&format!("  {}: {}", difference.order, difference.detail));
        }
    }
    Ok(false)
}
