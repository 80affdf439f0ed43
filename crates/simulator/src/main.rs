//! Command line of the simulator.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use paywright_simulator::{Explored, Guard, Scratch, Story, exhaust, explore, small_stories};

/// Runs the real use cases in a simulated world and checks that no money is lost: one run for each seed.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    budget: Budget,
}

#[derive(Parser)]
struct Budget {
    /// Number of seeds to run.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// Time limit in minutes; none by default.
    #[arg(long, value_parser = minutes)]
    minutes: Option<f64>,
    /// First seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Number of threads; each run uses one.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    jobs: usize,
    /// Prints a broken invariant in one line.
    #[arg(long)]
    brief: bool,
}

impl Budget {
    fn deadline(&self) -> Option<Duration> {
        self.minutes.map(|it| Duration::from_secs_f64(it).saturating_mul(60))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Prints the run of one seed: shrunk to the shortest one if it breaks an invariant, whole if not.
    Seed {
        /// Seed of the run.
        seed: u64,
        /// Prints the whole run even if it breaks an invariant.
        #[arg(long)]
        whole: bool,
    },
    /// Runs small stories in every possible interleaving: two people, two webhooks, at most one crash.
    Exhaust {
        /// Runs only stories whose names contain one of these texts.
        only: Vec<String>,
    },
    /// Removes one guard at a time from a copy of the sources, and searches for a run that breaks an invariant.
    Mutants {
        /// Tests only guards whose names contain one of these texts.
        only: Vec<String>,
        /// Time limit of the search for each guard, in minutes.
        #[arg(long, default_value_t = 1.5, value_parser = minutes)]
        minutes: f64,
    },
}

/// Parses a number of minutes, more than 0 and less than a year.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "must be a number of minutes, like 1.5".to_owned())?;
    let fits = minutes > 0.0 && minutes < 500_000.0;
    if fits { Ok(minutes) } else { Err("must be more than 0 and less than 500000 minutes".to_owned()) }
}

/// Prints a line. A closed standard output is not an error.
fn print(line: impl Display) {
    drop(writeln!(io::stdout(), "{line}"));
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => run_seeds(&cli.budget),
        Some(Command::Seed { seed, whole }) => {
            let shrunk = if whole { None } else { Story::shrunk(seed) };
            let story = shrunk.unwrap_or_else(|| Story::of_seed(seed));
            print(&story);
            ExitCode::from(u8::from(story.violation.is_some()))
        }
        Some(Command::Exhaust { only }) => run_exhaust(&only, cli.budget.jobs),
        Some(Command::Mutants { only, minutes }) => match run_mutants(&only, minutes, cli.budget.jobs) {
            Ok(not_found) => ExitCode::from(u8::from(not_found > 0)),
            Err(error) => {
                print(error);
                ExitCode::from(2)
            }
        },
    }
}

/// Root folder of the workspace.
fn workspace() -> io::Result<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = crates.and_then(Path::parent).filter(|it| it.join("Cargo.lock").exists());
    workspace
        .map(Path::to_owned)
        .ok_or_else(|| io::Error::other("the sources are no longer in the folder in which the simulator was built"))
}

/// Prints a table row for each guard; returns the number of guards for which no broken run was found.
fn run_mutants(only: &[String], minutes: f64, jobs: usize) -> io::Result<usize> {
    let scratch = Scratch::of(&workspace()?)?;
    let wanted = |it: &Guard| only.is_empty() || only.iter().any(|name| it.name.contains(name));
    let (mut removed, mut not_found) = (0, 0);
    print(format_args!("| guard | seed | invariant | shortest | runs |\n| --- | --- | --- | --- | --- |"));
    for guard in Guard::all().into_iter().filter(wanted) {
        let found = scratch.without(&guard, minutes, jobs)?;
        removed += 1;
        not_found += usize::from(found.is_none());
        let found = found.map_or_else(|| "not found".to_owned(), |it| it.replace('\t', " | "));
        print(format_args!("| {} | {} |", guard.name, found.trim_start_matches("seed ")));
    }
    print(format_args!("\n{removed} guards removed one at a time; no broken run found for {not_found}"));
    Ok(not_found)
}

fn run_seeds(budget: &Budget) -> ExitCode {
    let Explored { runs, steps, took, broken } = explore(budget.from, budget.seeds, budget.deadline(), budget.jobs);
    let seconds = took.as_secs_f64().max(0.001);
    let per_second = u128::from(runs) * 1000 / took.as_millis().max(1);
    let threads = budget.jobs;
    print(format_args!(
        "{runs} runs of {steps} steps in {seconds:.1} s: {per_second} runs a second on {threads} threads"
    ));
    let Some(seed) = broken else {
        print(format_args!("every invariant holds"));
        return ExitCode::SUCCESS;
    };
    match Story::shrunk(seed) {
        Some(Story { violation: Some(violation), steps, .. }) if budget.brief => {
            print(format_args!("seed {seed}\t{}\t{steps} steps\t{runs} runs", violation.invariant));
        }
        Some(story) => print(format_args!("seed {seed} breaks an invariant\n\n{story}")),
        None => print(format_args!("seed {seed} broke an invariant, but does not when it is run alone")),
    }
    ExitCode::FAILURE
}

fn run_exhaust(only: &[String], jobs: usize) -> ExitCode {
    let wanted = |name: &&str| only.is_empty() || only.iter().any(|it| name.contains(it));
    let names: Vec<&str> = small_stories().filter(wanted).collect();
    let next = AtomicUsize::new(0);
    let (states, is_broken) = (AtomicUsize::new(0), AtomicBool::new(false));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(exhausted) = names.get(next.fetch_add(1, Ordering::Relaxed)).and_then(|it| exhaust(it)) {
                    print(format_args!(
                        "{:<34} {:>8} runs {:>8} states",
                        exhausted.name, exhausted.runs, exhausted.states
                    ));
                    states.fetch_add(exhausted.states, Ordering::Relaxed);
                    if let Some(story) = exhausted.broken {
                        print(story);
                        is_broken.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    print(format_args!("{} states in {:.0} s", states.into_inner(), began.elapsed().as_secs_f64()));
    ExitCode::from(u8::from(is_broken.into_inner()))
}
