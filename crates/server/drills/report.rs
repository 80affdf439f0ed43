//! Counts of a drill, and their table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinError;

use crate::found::Found;
use crate::ledger::{Entry, Reply, Wanted};

/// Counts of replies, compared with the records afterwards.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: usize,
    /// Acknowledged, but not recorded.
    pub(crate) lost: usize,
    /// Recorded more than once.
    pub(crate) doubled: usize,
    /// Answered with a refusal: nothing was changed.
    pub(crate) refused: usize,
    /// Answered with a refusal, but recorded.
    pub(crate) untrue: usize,
    pub(crate) unknown: usize,
    /// Calls that failed in a drill in which none may fail.
    pub(crate) failed: usize,
    /// Other measurements.
    pub(crate) notes: Vec<String>,
    /// Number of each refusal and each answer with an unknown outcome.
    pub(crate) codes: BTreeMap<String, usize>,
}

impl Counts {
    pub(crate) fn of(entries: &[Entry], found: &Found) -> Self {
        let (marked, refunded) = (found.marked(), found.refunded());
        let (charged, at_stripe) = (found.charged(), found.refunded_at_stripe());
        let intents: BTreeSet<_> = found.intents.iter().filter_map(|it| it["id"].as_str()).collect();
        let is_recorded = |wanted: &Wanted, id: &str| match wanted {
            Wanted::Order { .. } => found.orders.contains_key(id),
            Wanted::Intent { order } => found.orders.contains_key(order) && intents.contains(id),
            Wanted::Payment { order } => found.orders.get(order).is_some_and(|it| it["status"] == "paid"),
            Wanted::Refund { order, amount } => {
                refunded.contains_key(&(order.as_str(), *amount)) && at_stripe.contains_key(&(order.as_str(), *amount))
            }
        };
        // Intents and payments are not checked: another call or an event may have caused them.
        let done_nevertheless = |wanted: &Wanted| match wanted {
            Wanted::Order { mark } => marked.contains_key(mark.as_str()),
            Wanted::Intent { .. } | Wanted::Payment { .. } => false,
            Wanted::Refund { order, amount } => refunded.contains_key(&(order.as_str(), *amount)),
        };
        let mut counts = Self::default();
        for Entry { wanted, reply, .. } in entries {
            match reply {
                Reply::Done { id } => {
                    counts.acknowledged += 1;
                    counts.lost += usize::from(print_if(!is_recorded(wanted, id), "lost", wanted));
                }
                Reply::NothingChanged { code } => {
                    counts.refused += 1;
                    counts.untrue += usize::from(print_if(done_nevertheless(wanted), code, wanted));
                }
                Reply::Unknown { .. } => counts.unknown += 1,
            }
            if let Reply::NothingChanged { code } | Reply::Unknown { code } = reply {
                *counts.codes.entry(code.clone()).or_default() += 1;
            }
        }
        let more_than_once = |counts: &mut dyn Iterator<Item = &usize>| counts.map(|it| it - 1).sum::<usize>();
        counts.doubled = more_than_once(&mut marked.values())
            + more_than_once(&mut charged.values())
            + more_than_once(&mut refunded.values()).max(more_than_once(&mut at_stripe.values()));
        counts
    }
}

/// Prints an entry that counts as wrong, and returns `wrong`.
fn print_if(wrong: bool, how: &str, wanted: &Wanted) -> bool {
    if wrong {
        println!("  {how}: {wanted:?}");
    }
    wrong
}

/// The outcome of a drill.
pub(crate) enum Outcome {
    Counted {
        counts: Counts,
        recoveries: Vec<Duration>,
        /// Time from the end of the load until no work was left.
        rest: Duration,
    },
    /// The shop did not recover or did not complete its work.
    Failed(String),
    /// This machine lacks a requirement of the drill.
    LeftOut(String),
}

/// The report of a drill.
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) seconds: u64,
    pub(crate) outcome: Outcome,
}

impl Report {
    /// Whether all counts that must be 0 are 0.
    pub(crate) fn holds(&self) -> bool {
        match &self.outcome {
            Outcome::Counted { counts: it, .. } => [it.lost, it.doubled, it.untrue, it.failed] == [0; 4],
            Outcome::Failed(_) => false,
            Outcome::LeftOut(_) => true,
        }
    }

    fn cells(&self) -> Vec<String> {
        match &self.outcome {
            Outcome::Counted { counts: it, recoveries, rest } => {
                let numbers = [it.acknowledged, it.lost, it.doubled, it.refused, it.untrue, it.unknown];
                let mut cells: Vec<_> = numbers.iter().map(usize::to_string).collect();
                cells.push(recoveries.len().to_string());
                cells.extend(
                    [median(recoveries), recoveries.iter().max().copied().unwrap_or_default(), *rest].map(seconds),
                );
                cells
            }
            Outcome::Failed(why) => vec![format!("failed: {why}")],
            Outcome::LeftOut(why) => vec![format!("left out: {why}")],
        }
    }

    /// The report as two lines of text.
    pub(crate) fn text(&self) -> String {
        let status = if self.holds() { "holds" } else { "DOES NOT HOLD" };
        let mut text = format!("{status} after {} s:", self.seconds);
        let Outcome::Counted { counts, .. } = &self.outcome else {
            return format!("{text} {}", self.cells().concat());
        };
        for (name, cell) in COLUMNS.iter().zip(self.cells()) {
            write!(text, " {name} {cell},").unwrap();
        }
        write!(text, " failed calls where none may {}\n  answers other than done: {:?}", counts.failed, counts.codes)
            .unwrap();
        for note in &counts.notes {
            write!(text, "\n  {note}").unwrap();
        }
        text
    }

    fn json(&self) -> Value {
        let cells: serde_json::Map<String, Value> =
            COLUMNS.iter().zip(self.cells()).map(|(name, cell)| ((*name).to_owned(), json!(cell))).collect();
        let (codes, notes) = match &self.outcome {
            Outcome::Counted { counts, .. } => (json!(counts.codes), json!(counts.notes)),
            Outcome::Failed(_) | Outcome::LeftOut(_) => (Value::Null, Value::Null),
        };
        let (name, what, seconds, holds) = (self.name, self.what, self.seconds, self.holds());
        json!({ "drill": name, "what": what, "seconds": seconds, "holds": holds, "cells": cells, "codes": codes, "notes": notes })
    }
}

const COLUMNS: [&str; 10] = [
    "acknowledged",
    "lost",
    "doubled",
    "refused",
    "untrue",
    "unknown",
    "faults",
    "recovery, median (s)",
    "recovery, longest (s)",
    "at rest after (s)",
];

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f32())
}

/// Prints all reports as a Markdown table.
pub(crate) fn print(reports: &[Report]) {
    println!("| drill | {} |\n|---|{}", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    for report in reports {
        println!("| `{}`: {} | {} |", report.name, report.what, report.cells().join(" | ").replace('\n', " "));
    }
}

/// Writes all reports to `target/drills.json`.
pub(crate) fn store(reports: &[Report]) {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("drills.json");
    let all: Vec<_> = reports.iter().map(Report::json).collect();
    std::fs::write(&file, format!("{:#}\n", json!(all))).unwrap();
    println!("\nAlso in {}.", file.display());
}

/// The message of a panic.
pub(crate) fn message_of(error: JoinError) -> String {
    let panic = match error.try_into_panic() {
        Ok(panic) => panic,
        Err(error) => return error.to_string(),
    };
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned())).unwrap_or_else(|| "it panicked".to_owned())
}
