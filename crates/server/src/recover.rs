//! `paywright recover`.

use std::sync::Arc;

use paywright_app::{LostOrderPolicy, RecordedOrder, RecoveredOrder, Recovery};
use paywright_domain::Order;

use crate::cli::RecoverOptions;
use crate::database::Stores;
use crate::serve::{gateway, use_cases};
use crate::settings::Settings;
use crate::worker::Doorbell;
use crate::world::now;
use crate::{Failure, say};

/// Begins a new epoch, takes in what Stripe has, and says whether no order is left to be decided on.
pub(crate) async fn run(options: RecoverOptions) -> Result<bool, Failure> {
    if options.since > now() {
        return Err(format!("--since is the moment of the backup, and {} is yet to come", options.since).into());
    }
    let settings = Settings::read(options.settings.config.as_deref())?;
    let (database, stripe) = (settings.database()?, settings.stripe_client()?);
    let Stores { orders: store, installation, .. } = database.open_for_a_look().await?;
    let limits = settings.payments.into_settings(&stripe)?;
    let app = use_cases(store, &gateway(stripe, installation)?, limits, &Arc::<Doorbell>::default()).in_background();
    let recovery = app.recover(options.since, |it| options.policy(it)).await?;
    say(&format!("Installation {installation}: epoch {} begins.", recovery.epoch));
    say(&format!("Stripe lists {} payment intents of this installation since {}.", recovery.intents, options.since));
    Ok(tell(&recovery))
}

impl RecoverOptions {
    /// What is asked for about an order that was lost. `all` leaves out those whose payment does not say that it is of
    /// this installation: they may be another one's.
    fn policy(&self, order: &RecordedOrder) -> LostOrderPolicy {
        let (id, number) = (order.order.id.to_string(), order.order.number.as_str());
        let names = |it: &String| {
            it.eq_ignore_ascii_case(&id) || it.eq_ignore_ascii_case(number) || (it == "all" && order.names_installation)
        };
        if self.refund.iter().any(names) {
            LostOrderPolicy::Refund
        } else if self.recreate.iter().any(names) {
            LostOrderPolicy::Recreate
        } else {
            LostOrderPolicy::List
        }
    }
}

fn tell(recovery: &Recovery) -> bool {
    if !recovery.updated.is_empty() {
        say(&format!("\nBrought up to date ({}):", recovery.updated.len()));
    }
    for order in &recovery.updated {
        say(&format!("  {}: {}", order.number, state_of(order)));
    }
    let (made, missing): (Vec<_>, Vec<_>) = recovery.lost.iter().partition(|it| it.order.is_some());
    if !made.is_empty() {
        say(&format!("\nLost, and made again ({}):", made.len()));
    }
    for lost in &made {
        say(&format!("  {}", line(lost)));
    }
    if missing.is_empty() {
        say("\nNo order is missing.");
        return recovery.lost.iter().all(|it| it.problem.is_none());
    }
    say(&format!("\nLost, and not here ({}):", missing.len()));
    for lost in &missing {
        say(&format!("  {}", line(lost)));
    }
    say(
        "\nMake them again with --recreate all, or give back what was paid with --refund all; or name one order by its id \
         or number. `all` leaves out payments that do not name this installation.",
    );
    false
}

fn line(lost: &RecoveredOrder) -> String {
    let number = lost.record.as_ref().map_or("(no number)", |it| it.order.number.as_str());
    let names = lost.record.as_ref().is_some_and(|it| it.names_installation);
    let payment = &lost.payment;
    let (received, currency) = (payment.received.to_decimal(), payment.amount.currency().code());
    let mut parts = vec![format!(
        "{number} ({}): {} of {} {currency}, {received} received, {}",
        lost.id,
        payment.intent,
        payment.amount.to_decimal(),
        payment.status
    )];
    if let Some(order) = &lost.order {
        parts.push(format!("now {}", state_of(order)));
    }
    if !names {
        parts.push("its payment does not name an installation".to_owned());
    }
    if let Some(problem) = &lost.problem {
        parts.push(format!("failed: {problem}"));
    }
    parts.join("; ")
}

fn state_of(order: &Order) -> String {
    format!("{} ({})", order.state.name(), order.payment_state().name())
}
