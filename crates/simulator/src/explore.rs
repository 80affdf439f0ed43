//! Exploration of many seeds on several threads. Each run is independent and single-threaded.

use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::books::Violation;
use crate::choices::Choices;
use crate::plan::Plan;
use crate::shrink::Broken;
use crate::simulation::{Ending, Simulation};

/// Result of exploring a range of seeds.
#[derive(Debug)]
pub struct Explored {
    /// Number of runs.
    pub runs: u64,
    /// Number of steps of all runs.
    pub steps: u64,
    /// Time that the runs took.
    pub took: Duration,
    /// Seed of a run that broke an invariant, if any did.
    pub broken: Option<u64>,
}

/// Runs `count` seeds beginning with `from`, on `jobs` threads, until `deadline` at most; stops at the first seed that
/// breaks an invariant.
pub fn explore(from: u64, count: u64, deadline: Option<Duration>, jobs: usize) -> Explored {
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let (runs, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let broken = Mutex::new(None::<u64>);
    let end = from.saturating_add(count);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_late = deadline.is_some_and(|it| began.elapsed() >= it);
                    if seed >= end || is_late || is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let plan = Plan::of(seed);
                    let mut run = Simulation::new(&plan, Choices::seeded(seed));
                    let ending = run.run();
                    runs.fetch_add(1, Ordering::Relaxed);
                    steps.fetch_add(u64::from(run.steps), Ordering::Relaxed);
                    if let Ending::Broken(_) = ending {
                        is_over.store(true, Ordering::Relaxed);
                        let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                        *broken = Some(broken.map_or(seed, |it| it.min(seed)));
                    }
                }
            });
        }
    });
    Explored {
        runs: runs.into_inner(),
        steps: steps.into_inner(),
        took: began.elapsed(),
        broken: broken.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// Printable record of one run, step by step.
#[derive(Debug)]
pub struct Story {
    title: String,
    lines: Vec<String>,
    /// Number of steps of the run.
    pub steps: u32,
    /// Invariant that the run broke, if any.
    pub violation: Option<Violation>,
    explanation: Vec<String>,
}

impl Story {
    /// The whole run of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self::of_run(&format!("seed {seed}"), &Plan::of(seed), Choices::seeded(seed))
    }

    /// The run of a seed that breaks an invariant, shrunk to the shortest one found that breaks the same invariant;
    /// `None` if the seed breaks none.
    pub fn shrunk(seed: u64) -> Option<Self> {
        let broken = Broken::by(&Plan::of(seed), Choices::seeded(seed))?.shrunk();
        Some(Self::of_run(&format!("seed {seed}, shrunk"), &broken.plan, Choices::listed(broken.choices)))
    }

    pub(crate) fn of_run(title: &str, plan: &Plan, choices: Choices) -> Self {
        let mut run = Simulation::new(plan, choices).traced();
        let violation = match run.run() {
            Ending::Broken(violation) => Some(violation),
            Ending::AtRest | Ending::KnownState => None,
        };
        let mut title = format!("{title}: {}; {:?}, then {:?}", plan.name, plan.before, plan.people);
        if plan.restores_max > 0 {
            title = format!("{title}; after a restore {:?}", plan.after);
        }
        let explanation = run.explanation().map_or_else(Vec::new, |it| {
            let timeline = it.timeline.into_iter().map(|it| format!("{} {}", it.at, it.sentence));
            let next = it.next.into_iter().map(|it| format!("next: {} {}", it.at, it.sentence));
            it.because.into_iter().chain(timeline).chain(next).collect()
        });
        Self { title, lines: run.trace.take().unwrap_or_default(), steps: run.steps, violation, explanation }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        match &self.violation {
            Some(violation) => writeln!(f, "broken: {violation}")?,
            None => writeln!(f, "every invariant holds")?,
        }
        writeln!(f, "\nexplanation of the order:")?;
        for line in &self.explanation {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
