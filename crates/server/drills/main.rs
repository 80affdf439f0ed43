//! Drills: failures around the built program under load, and a comparison of all replies with the records afterwards.
//!
//! `just drills` runs all of them, `just drills NAME` one, `just drills --list` lists them.
#![expect(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a drill that cannot set itself up fails, and not all of what the tests share is used"
)]

#[path = "../tests/it/balancer.rs"]
mod balancer;
#[path = "../tests/it/customer.rs"]
mod customer;
mod databases;
mod disk;
mod found;
mod ledger;
mod load;
mod processes;
#[path = "../tests/it/program.rs"]
mod program;
mod report;
mod restore;
#[path = "../tests/it/served.rs"]
mod served;
mod shop;
mod stripe;

use std::process::ExitCode;
use std::time::Instant;

use report::{Outcome, Report};

/// A drill: a failure that is repeated under load.
struct Drill {
    name: &'static str,
    what: &'static str,
    run: fn() -> Running,
}

type Running = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

macro_rules! drills {
    ($($name:literal, $what:literal, $run:path;)*) => {
        &[$(Drill { name: $name, what: $what, run: || Box::pin($run()) }),*]
    };
}

const DRILLS: &[Drill] = drills! {
    "kill-sqlite", "SIGKILL of the only process, on SQLite", processes::kill_on_sqlite;
    "kill-postgres", "SIGKILL of one of two processes, on PostgreSQL", processes::kill_on_postgres;
    "crash", "immediate stop and start of PostgreSQL", databases::crash;
    "crash-unconfirmed", "PostgreSQL crashes while commits wait for its synchronous standby", databases::crash_unconfirmed;
    "disk-full-sqlite", "no room left on the disk of the SQLite file", disk::full_on_sqlite;
    "disk-full-postgres", "no room left on the disk of PostgreSQL", disk::full_on_postgres;
    "read-only", "PostgreSQL refuses writes", databases::read_only;
    "freeze-postgres", "SIGSTOP of PostgreSQL for 3 to 12 seconds", databases::freeze;
    "freeze-process", "SIGSTOP of one of two processes for 5 and 25 seconds", processes::freeze;
    "freeze-stripe", "SIGSTOP of Stripe's twin for 6 seconds", stripe::freeze;
    "stripe-away", "Stripe's twin answers 500, hangs up or is too slow", stripe::away;
    "back-fill-load", "50 orders a second for two minutes, back-fill every 30 seconds", stripe::back_fill_load;
    "promotion", "the primary crashes, its synchronous standby is promoted", databases::promotion;
    "restore-sqlite", "the SQLite file is replaced by a backup", restore::on_sqlite;
    "restore-postgres", "PostgreSQL is replaced by a base backup", restore::on_postgres;
    "clock", "the clock of one of two processes is two days ahead", processes::clock;
    "rolling-restart", "SIGTERM of one of two processes behind a load balancer", processes::rolling_restart;
};

fn main() -> ExitCode {
    let (flags, names): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|it| it.starts_with("--"));
    if flags.iter().any(|it| it == "--list") {
        for drill in DRILLS {
            println!("{:<20} {}", drill.name, drill.what);
        }
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` only checks that the drills build.
    if !flags.iter().any(|it| it == "--bench") {
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = names.iter().find(|name| DRILLS.iter().all(|it| it.name != **name)) {
        println!("There is no drill {unknown}; --list lists the drills.");
        return ExitCode::FAILURE;
    }
    let chosen = DRILLS.iter().filter(|it| names.is_empty() || names.iter().any(|name| name == it.name));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut reports = Vec::new();
    for drill in chosen {
        println!("{}: {}", drill.name, drill.what);
        let begun = Instant::now();
        let outcome = runtime.block_on(async { tokio::spawn((drill.run)()).await });
        let outcome = outcome.unwrap_or_else(|panic| Outcome::Failed(report::message_of(panic)));
        let report = Report { name: drill.name, what: drill.what, seconds: begun.elapsed().as_secs(), outcome };
        println!("  {}\n", report.text());
        reports.push(report);
    }
    report::print(&reports);
    report::store(&reports);
    if reports.iter().all(Report::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
