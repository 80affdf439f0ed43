//! `paywright recover`.

use std::sync::Arc;

use paywright_app::{LostOrderDecision, RecordedOrder, RecoveredOrder, Recovery, Work, WorkId};
use paywright_domain::Order;

use crate::cli::RecoverOptions;
use crate::database::{Schema, Stores};
use crate::operator::operator;
use crate::serve::{gateway, use_cases};
use crate::settings::Settings;
use crate::worker::WorkerSignal;
use crate::world::now;
use crate::{Failure, say};

/// Names every lost order whose payment names this installation.
const ALL: &str = "all";

/// Begins a new epoch, takes in what Stripe has, and says whether no order is left to be decided on.
pub(crate) async fn run(options: RecoverOptions) -> Result<bool, Failure> {
    if options.since > now() {
        return Err(format!("--since is the moment of the backup, and {} is yet to come", options.since).into());
    }
    if let Some(both) = options.refund.iter().find(|it| options.recreate.contains(it)) {
        return Err(format!("{both} is named by --refund and by --recreate: it can be one of the two").into());
    }
    let settings = Settings::read(options.settings.config.as_deref())?;
    let (database, stripe) = (settings.database()?, settings.stripe_client()?);
    let Stores { orders: store, installation, .. } = database.open(1, Schema::Check).await?;
    let limits = settings.payments.into_settings(&stripe);
    let app =
        use_cases(store, &gateway(stripe, installation)?, limits, &Arc::<WorkerSignal>::default()).in_background();
    let work = Work::by(operator(), WorkId::Background("recover"));
    let recovery = work.scope(app.recover(options.since, |it| options.decision(it))).await?;
    say(&format!("Installation {installation}: epoch {} begins.", recovery.epoch));
    say(&format!(
        "Stripe lists {} payment intents of this installation, from a week before {} on.",
        recovery.intents, options.since
    ));
    let complete = tell(&recovery);
    Ok(options.was_heard(&recovery) && complete)
}

/// Whether `name` is the id or the number of a lost order.
fn names(name: &str, order: &RecordedOrder) -> bool {
    name.eq_ignore_ascii_case(&order.order.id.to_string()) || name.eq_ignore_ascii_case(order.order.number.as_str())
}

impl RecoverOptions {
    /// What is asked for about an order that was lost: by its name, or by `all` where it has none. `all` leaves out those
    /// whose payment does not say that it is of this installation: they may be another one's.
    fn decision(&self, order: &RecordedOrder) -> Option<LostOrderDecision> {
        let named = |list: &[String]| list.iter().any(|it| names(it, order));
        let all = |list: &[String]| order.names_installation && list.iter().any(|it| it == ALL);
        if named(&self.refund) {
            Some(LostOrderDecision::Refund)
        } else if named(&self.recreate) {
            Some(LostOrderDecision::Recreate)
        } else if all(&self.refund) {
            Some(LostOrderDecision::Refund)
        } else {
            all(&self.recreate).then_some(LostOrderDecision::Recreate)
        }
    }

    /// Says which orders were named in vain, and whether none was.
    fn was_heard(&self, recovery: &Recovery) -> bool {
        let wanted = [(&self.refund, LostOrderDecision::Refund), (&self.recreate, LostOrderDecision::Recreate)];
        let wanted = wanted.iter().flat_map(|(list, wanted)| list.iter().map(move |it| (it, *wanted)));
        let mut all_heard = true;
        for (name, wanted) in wanted.filter(|(name, _)| *name != ALL) {
            let lost = recovery.lost.iter().find(|it| it.record.as_ref().is_some_and(|it| names(name, it)));
            let problem = match lost.map(|it| it.decision) {
                None => "is not among the lost orders: nothing was done about it",
                Some(Some(decided)) if decided == wanted => continue,
                Some(_) => "was decided on by an earlier run, and that stands: what is here is refunded as any order",
            };
            say(&format!("\n{name} {problem}."));
            all_heard = false;
        }
        all_heard
    }
}

fn tell(recovery: &Recovery) -> bool {
    let group = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            say(&format!("\n{title} ({}):\n  {}", lines.len(), lines.join("\n  ")));
        }
    };
    let updated = recovery.updated.iter().map(|it| format!("{}: {}", it.number, state_of(it)));
    group("Brought up to date", updated.collect());
    let lost_orders = recovery.lost.iter().filter_map(|it| it.order.as_ref());
    let differing: Vec<_> = recovery.updated.iter().chain(lost_orders).filter_map(differing).collect();
    group("An edit was lost: repeat it, or edit the order anew, before it is paid", differing);
    let lost =
        |wanted: &dyn Fn(&RecoveredOrder) -> bool| recovery.lost.iter().filter(|it| wanted(it)).map(line).collect();
    let is_changed = |it: &RecoveredOrder| it.order.is_some() && (it.order != it.before || it.problem.is_some());
    let is = |it: &RecoveredOrder, decision| is_changed(it) && it.decision == Some(decision);
    group("Made again", lost(&|it| is(it, LostOrderDecision::Recreate)));
    group("Given back or canceled", lost(&|it| is(it, LostOrderDecision::Refund)));
    let settled = recovery.lost.iter().filter(|it| it.order.is_some() && !is_changed(it)).count();
    if settled > 0 {
        say(&format!("\n{settled} lost orders were dealt with by an earlier run."));
    }
    let missing: Vec<String> = lost(&|it| it.order.is_none());
    if missing.is_empty() {
        say("\nNo order is missing.");
        return recovery.lost.iter().all(|it| it.problem.is_none());
    }
    group("Lost, and to be decided on", missing);
    say(
        "\nMake them again with --recreate all, or give back what was paid with --refund all; or name one order by its id \
         or number. `all` leaves out payments that do not name this installation.",
    );
    false
}

/// What an order and its payment ask for, where Stripe was told of an edit that the restore has lost.
fn differing(order: &Order) -> Option<String> {
    let intent = order.payable_intent().filter(|it| it.amount != order.total && order.operation.is_none())?;
    let (here, there) = (order.total.to_decimal(), intent.amount.to_decimal());
    Some(format!("{}: {here} here, and {there} asked for by {}", order.number, intent.id))
}

fn line(lost: &RecoveredOrder) -> String {
    let record = lost.record.as_ref().map(|it| &it.order);
    let number = record.map_or("(no number)", |it| it.number.as_str());
    let payment = &lost.payment;
    let (received, currency) = (payment.received.to_decimal(), payment.amount.currency().code());
    let mut parts = vec![format!(
        "{number} ({}): {} of {} {currency}, {received} received, {}",
        lost.id,
        payment.intent,
        payment.amount.to_decimal(),
        payment.status
    )];
    let customer = record.and_then(|it| it.customer.as_ref()).map(|it| format!("customer {}", it.as_str()));
    let email = record.and_then(|it| it.email.as_ref()).map(|it| it.as_str().to_owned());
    parts.extend(customer.into_iter().chain(email));
    if let Some(order) = &lost.order {
        parts.push(format!("now {}", state_of(order)));
    }
    if !lost.record.as_ref().is_some_and(|it| it.names_installation) {
        parts.push("its payment does not name an installation".to_owned());
    }
    if let Some(problem) = &lost.problem {
        parts.push(format!("failed: {problem}"));
    }
    parts.join("; ")
}

fn state_of(order: &Order) -> String {
    order.payment_state().name().to_owned()
}
