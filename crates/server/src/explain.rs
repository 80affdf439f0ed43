//! `paywright explain`: explains an order.

use std::sync::Arc;

use paywright_app::{BooksAccess, explain_order};

use crate::cli::ExplainOptions;
use crate::database::{Schema, Stores, order_named, order_ref};
use crate::settings::Settings;
use crate::world::{RandomIds, SystemClock};
use crate::{Failure, say};

pub(crate) async fn run(options: ExplainOptions) -> Result<(), Failure> {
    let which = order_ref(&options.order)?;
    let database = Settings::read(options.settings.config.as_deref())?.database()?;
    let Stores { orders: store, books, .. } = database.open(1, Schema::Check).await?;
    let found = order_named(&*store, &which, &options.order).await?;
    let explained = explain_order(&*store, &*store, found.value).await?;
    let order = &explained.order;
    let (amount, currency) = (order.total.to_decimal(), order.total.currency().code());
    say(&format!("{} ({}): {amount} {currency}, {}", order.number, order.id, order.payment_state().name()));
    for sentence in &explained.because {
        say(sentence);
    }
    say("\nHistory:");
    for moment in &explained.timeline {
        let cause = moment.cause.as_ref().map_or_else(String::new, |it| {
            let actor = it.actor.as_ref().map(|it| format!("by {it}"));
            let source = Some(it.source.as_str()).filter(|it| !it.is_empty());
            let names = [source, it.event.as_deref(), it.request.as_deref(), actor.as_deref()];
            format!("  [{}]", names.into_iter().flatten().collect::<Vec<_>>().join(", "))
        });
        let note = moment.note.as_ref().map_or_else(String::new, |it| format!("  note: {it:?}"));
        say(&format!("{}  {}{note}{cause}", moment.at, moment.sentence));
    }
    let ledger = BooksAccess::new(books, Arc::new(SystemClock), Arc::new(RandomIds)).ledger(order.id).await?;
    if !ledger.lines.is_empty() {
        say(&format!("\nIn the books:\n{}", ledger.to_summary().trim_end()));
    }
    if explained.next.is_empty() {
        say("\nNothing is scheduled.");
        return Ok(());
    }
    say("\nScheduled next:");
    for step in &explained.next {
        let tries = match (&step.error, step.tries) {
            (Some(error), tries) => format!("  (tried {tries} times; the last time: {error})"),
            (None, _) => String::new(),
        };
        say(&format!("{}  {}{tries}", step.at, step.sentence));
    }
    Ok(())
}
