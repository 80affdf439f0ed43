//! Sentences about what is late, or waits for a person. The limits are those of the alerts.

use paywright_domain::Timestamp;

use super::Reading;

/// Age of a due task from which it is late, in seconds.
pub(super) const TASK_SECONDS: u32 = 600;
/// Age of a public event from which its position in the feed is late, in seconds.
const POSITION_SECONDS: u32 = 120;
/// Age of an event from which its delivery is late, in seconds.
pub(super) const DELIVERY_SECONDS: u32 = 3600;
/// Age of a parked event from which it is looked at, in seconds.
const PARKED_SECONDS: u32 = 6 * 3600;
/// Age of the last closed day of the books from which the next one is late, in seconds.
const STATEMENT_SECONDS: u32 = 3 * 86_400;

/// Sentences about a reading; none if all is well.
pub(super) fn of(reading: &Reading) -> Vec<String> {
    let Reading { at, backlog, in_review, books } = reading;
    let late = |since: Option<Timestamp>, seconds| since.filter(|it| it.plus_seconds(seconds) <= *at);
    let mut said = Vec::new();
    for (kind, due) in &backlog.due_tasks {
        if let Some(since) = late(due.oldest, TASK_SECONDS) {
            said.push(format!("A task {} has been due since {since}: the worker does not get to it.", kind.name()));
        }
    }
    for (kind, failing) in &backlog.failing_tasks {
        said.push(format!(
            "{} failed in the last attempt; the log names the reasons.",
            tasks(failing.count, kind.name())
        ));
    }
    if let Some(since) = late(backlog.parked_events.oldest, PARKED_SECONDS) {
        said.push(format!("An event of Stripe has been parked since {since}: it cannot be applied to an order."));
    }
    if let Some(since) = late(backlog.unpositioned_events.oldest, POSITION_SECONDS) {
        said.push(format!("An event of {since} has no position in the feed yet: other programs hear of nothing new."));
    }
    if let Some(since) = late(backlog.deliveries.oldest, DELIVERY_SECONDS) {
        said.push(format!("A webhook endpoint has not accepted an event of {since}."));
    }
    match in_review.len() {
        0 => {}
        1 => said.push("An order is held for review: a person must decide on its money.".into()),
        count => said.push(format!("{count} orders are held for review: a person must decide on their money.")),
    }
    if let Some(figures) = books {
        match figures.open_breaks.values().sum::<u64>() {
            0 => {}
            1 => said.push("A break of the books is open: `paywright books breaks` shows it.".into()),
            count => said.push(format!("{count} breaks of the books are open: `paywright books breaks` lists them.")),
        }
        if let Some(until) = late(figures.closed_until, STATEMENT_SECONDS) {
            said.push(format!("No day of the books after {until} is closed."));
        }
    }
    said
}

fn tasks(count: u64, kind: &str) -> String {
    if count == 1 { format!("A task {kind}") } else { format!("{count} tasks {kind}") }
}

#[cfg(test)]
mod tests {
    use paywright_domain::task::TaskKind;

    use super::*;
    use crate::{Backlog, BooksFigures, BreakClass, Waiting};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn waiting(seconds: i64) -> Waiting {
        Waiting { count: 1, oldest: Some(at(seconds)) }
    }

    #[test]
    fn what_is_late_is_said_in_words_and_nothing_else() {
        let now = 1_000_000;
        let reading = |backlog, books| Reading { at: at(now), backlog, in_review: Vec::new(), books: Some(books) };
        let none = Backlog::default;
        for (backlog, books, begins) in [
            (none(), BooksFigures::default(), None),
            (
                Backlog { due_tasks: [(TaskKind::Refund, waiting(now - 599))].into(), ..none() },
                BooksFigures::default(),
                None,
            ),
            (
                Backlog { due_tasks: [(TaskKind::Refund, waiting(now - 600))].into(), ..none() },
                BooksFigures::default(),
                Some("A task refund has been due since 1970-01-12T13:36:40"),
            ),
            (
                Backlog { failing_tasks: [(TaskKind::Refund, Waiting { count: 2, oldest: None })].into(), ..none() },
                BooksFigures::default(),
                Some("2 tasks refund failed"),
            ),
            (
                Backlog { parked_events: waiting(now - 21_600), ..none() },
                BooksFigures::default(),
                Some("An event of Stripe"),
            ),
            (
                Backlog { unpositioned_events: waiting(now - 120), ..none() },
                BooksFigures::default(),
                Some("An event of 1970"),
            ),
            (
                Backlog { deliveries: waiting(now - 3600), ..none() },
                BooksFigures::default(),
                Some("A webhook endpoint"),
            ),
            (
                none(),
                BooksFigures { open_breaks: [(BreakClass::Amount, 3)].into(), ..BooksFigures::default() },
                Some("3 breaks of the books"),
            ),
            (
                none(),
                BooksFigures { closed_until: Some(at(now - 259_200)), ..BooksFigures::default() },
                Some("No day of the books"),
            ),
        ] {
            let said = of(&reading(backlog, books));
            match begins {
                None => assert_eq!(said, Vec::<String>::new()),
                Some(begins) => assert!(said.len() == 1 && said[0].starts_with(begins), "{begins}: {said:?}"),
            }
        }
    }
}
