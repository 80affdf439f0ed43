//! Runs the simulator.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use paywright_simulator::{Explored, Guard, Scratch, Story, exhaust, explore, small_stories};

/// Tries to lose money: the real use cases in a simulated world, one run for each seed.
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
    /// How many seeds.
    #[arg(long, default_value_t = 100_000)]
    seeds: u64,
    /// For how many minutes at most; without end by default.
    #[arg(long, value_parser = minutes)]
    minutes: Option<f64>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// On how many threads; each run has one.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    jobs: usize,
    /// Tells what is found in one line.
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
    /// Tells the run of one seed: cut down to the shortest if it breaks something, and whole if not.
    Seed {
        /// Which.
        seed: u64,
        /// As it is, though it breaks something.
        #[arg(long)]
        whole: bool,
    },
    /// Tells small stories in every way in which they can go: two people, two messages, at most one crash.
    Exhaust {
        /// Only those whose names contain one of these.
        only: Vec<String>,
    },
    /// Takes away one guard at a time, in a copy of the sources, and looks for a run that breaks an invariant.
    Mutants {
        /// Only those whose names contain one of these.
        only: Vec<String>,
        /// For how many minutes each is looked for.
        #[arg(long, default_value_t = 1.5, value_parser = minutes)]
        minutes: f64,
    },
}

/// A number of minutes, more than none and less than a year.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "must be a number of minutes, like 1.5".to_owned())?;
    let fits = minutes > 0.0 && minutes < 500_000.0;
    if fits { Ok(minutes) } else { Err("must be more than 0 and less than 500000 minutes".to_owned()) }
}

/// Prints a line. Whoever reads may stop reading: that is no failure.
fn say(line: impl Display) {
    drop(writeln!(io::stdout(), "{line}"));
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => run_seeds(&cli.budget),
        Some(Command::Seed { seed, whole }) => {
            let shrunk = if whole { None } else { Story::shrunk(seed) };
            let story = shrunk.unwrap_or_else(|| Story::of_seed(seed));
            say(&story);
            ExitCode::from(u8::from(story.violation.is_some()))
        }
        Some(Command::Exhaust { only }) => run_exhaust(&only, cli.budget.jobs),
        Some(Command::Mutants { only, minutes }) => match run_mutants(&only, minutes, cli.budget.jobs) {
            Ok(missed) => ExitCode::from(u8::from(missed > 0)),
            Err(error) => {
                say(error);
                ExitCode::from(2)
            }
        },
    }
}

/// The folder of the workspace.
fn workspace() -> io::Result<PathBuf> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let workspace = crates.and_then(Path::parent).filter(|it| it.join("Cargo.lock").exists());
    workspace.map(Path::to_owned).ok_or_else(|| io::Error::other("the sources are not where they were built"))
}

/// Prints a row of a table for each guard, and says how many were not found.
fn run_mutants(only: &[String], minutes: f64, jobs: usize) -> io::Result<usize> {
    let scratch = Scratch::of(&workspace()?)?;
    let wanted = |it: &Guard| only.is_empty() || only.iter().any(|name| it.name.contains(name));
    let (mut tried, mut missed) = (0, 0);
    say(format_args!("| guard | seed | invariant | shortest | runs |\n| --- | --- | --- | --- | --- |"));
    for guard in Guard::all().into_iter().filter(wanted) {
        let found = scratch.without(&guard, minutes, jobs)?;
        tried += 1;
        missed += usize::from(found.is_none());
        let found = found.map_or_else(|| "not found".to_owned(), |it| it.replace('\t', " | "));
        say(format_args!("| {} | {} |", guard.name, found.trim_start_matches("seed ")));
    }
    say(format_args!("\n{tried} guards taken away, {missed} not missed"));
    Ok(missed)
}

fn run_seeds(budget: &Budget) -> ExitCode {
    let Explored { runs, steps, took, broken } = explore(budget.from, budget.seeds, budget.deadline(), budget.jobs);
    let seconds = took.as_secs_f64().max(0.001);
    let per_second = u128::from(runs) * 1000 / took.as_millis().max(1);
    let threads = budget.jobs;
    say(format_args!(
        "{runs} runs of {steps} steps in {seconds:.1} s: {per_second} runs a second on {threads} threads"
    ));
    let Some(seed) = broken else {
        say(format_args!("everything holds"));
        return ExitCode::SUCCESS;
    };
    match Story::shrunk(seed) {
        Some(Story { violation: Some(violation), steps, .. }) if budget.brief => {
            say(format_args!("seed {seed}\t{}\t{steps} steps\t{runs} runs", violation.invariant));
        }
        Some(story) => say(format_args!("seed {seed} breaks an invariant\n\n{story}")),
        None => say(format_args!("seed {seed} breaks an invariant, and not when it is run alone")),
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
                while let Some(told) = names.get(next.fetch_add(1, Ordering::Relaxed)).and_then(|it| exhaust(it)) {
                    say(format_args!("{:<34} {:>8} runs {:>8} states", told.name, told.runs, told.states));
                    states.fetch_add(told.states, Ordering::Relaxed);
                    if let Some(story) = told.broken {
                        say(story);
                        is_broken.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    say(format_args!("{} states in {:.0} s", states.into_inner(), began.elapsed().as_secs_f64()));
    ExitCode::from(u8::from(is_broken.into_inner()))
}
