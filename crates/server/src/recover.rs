//! `paywright recover`: imports from Stripe what a restored backup does not have.

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

/// Argument that means every lost order whose payment names this installation.
const ALL: &str = "all";

/// Begins a new epoch, reads what Stripe has, and returns whether no order needs a decision any more.
pub(crate) async fn run(options: RecoverOptions) -> Result<bool, Failure> {
    if options.since > now() {
        return Err(format!("--since must be the time of the backup, but {} is in the future", options.since).into());
    }
    if let Some(both) = options.refund.iter().find(|it| options.recreate.contains(it)) {
        return Err(format!("{both} is named by both --refund and --recreate: choose one of them").into());
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
        "Stripe lists {} PaymentIntents of this installation since one week before {}.",
        recovery.intents, options.since
    ));
    let complete = print(&recovery);
    Ok(options.report_ignored(&recovery) && complete)
}

/// Whether `name` is the id or the number of a lost order.
fn names(name: &str, order: &RecordedOrder) -> bool {
    name.eq_ignore_ascii_case(&order.order.id.to_string()) || name.eq_ignore_ascii_case(order.order.number.as_str())
}

impl RecoverOptions {
    /// The decision on a lost order: that of its name, or else that of `all`. `all` leaves out orders whose payment
    /// does not name this installation: they may belong to another one.
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

    /// Prints which named orders were not changed, and returns whether there are none.
    fn report_ignored(&self, recovery: &Recovery) -> bool {
        let wanted = [(&self.refund, LostOrderDecision::Refund), (&self.recreate, LostOrderDecision::Recreate)];
        let wanted = wanted.iter().flat_map(|(list, wanted)| list.iter().map(move |it| (it, *wanted)));
        let mut none_ignored = true;
        for (name, wanted) in wanted.filter(|(name, _)| *name != ALL) {
            let lost = recovery.lost.iter().find(|it| it.record.as_ref().is_some_and(|it| names(name, it)));
            let problem = match lost.map(|it| it.decision) {
                None => "is not a lost order: nothing was done",
                Some(Some(decided)) if decided == wanted => continue,
                Some(_) => "was decided on by an earlier run, which is final: refund it like any other order",
            };
            say(&format!("\n{name} {problem}."));
            none_ignored = false;
        }
        none_ignored
    }
}

/// Prints what was recovered and what is missing, and returns whether nothing needs a decision or a further run.
fn print(recovery: &Recovery) -> bool {
    let group = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            say(&format!("\n{title} ({}):\n  {}", lines.len(), lines.join("\n  ")));
        }
    };
    let updated = recovery.updated.iter().map(|it| format!("{}: {}", it.number, state_of(it)));
    group("Updated", updated.collect());
    let lost_orders = recovery.lost.iter().filter_map(|it| it.order.as_ref());
    let differing: Vec<_> = recovery.updated.iter().chain(lost_orders).filter_map(differing).collect();
    group("An edit was lost: repeat it, or edit the order again, before it is paid", differing);
    let lost =
        |wanted: &dyn Fn(&RecoveredOrder) -> bool| recovery.lost.iter().filter(|it| wanted(it)).map(line).collect();
    let is_changed = |it: &RecoveredOrder| it.order.is_some() && (it.order != it.before || it.problem.is_some());
    let is = |it: &RecoveredOrder, decision| is_changed(it) && it.decision == Some(decision);
    group("Recreated", lost(&|it| is(it, LostOrderDecision::Recreate)));
    group("Refunded or canceled", lost(&|it| is(it, LostOrderDecision::Refund)));
    let settled = recovery.lost.iter().filter(|it| it.order.is_some() && !is_changed(it)).count();
    if settled > 0 {
        say(&format!("\n{settled} lost orders were recreated, refunded or canceled by an earlier run."));
    }
    let missing: Vec<String> = lost(&|it| it.order.is_none());
    if missing.is_empty() {
        say("\nNo order is missing.");
        return recovery.lost.iter().all(|it| it.problem.is_none());
    }
    group("Lost, decision needed", missing);
    say(
        "\nRecreate them with --recreate all, or refund their payments with --refund all; or name one order by its id \
         or number. `all` leaves out payments that do not name this installation.",
    );
    false
}

/// The amounts of an order and of its payment, if an edit that had reached Stripe was lost in the restore.
fn differing(order: &Order) -> Option<String> {
    let intent = order.payable_intent().filter(|it| it.amount != order.total && order.operation.is_none())?;
    let (here, there) = (order.total.to_decimal(), intent.amount.to_decimal());
    Some(format!("{}: {here} here, but {} is for {there}", order.number, intent.id))
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
