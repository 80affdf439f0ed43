//! Runs without number: by seeds, on as many threads as are given. Each run is by itself and has no thread of its own.

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

/// What came of a number of runs.
#[derive(Debug)]
pub struct Explored {
    /// How many runs there were.
    pub runs: u64,
    /// How many steps they took.
    pub steps: u64,
    /// How long they took.
    pub took: Duration,
    /// The seed of one that broke an invariant, if any did.
    pub broken: Option<u64>,
}

/// Runs the seeds from `from` on, `count` of them or until `deadline`, on `jobs` threads; ends at the first that breaks
/// an invariant.
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

/// A run, told step by step.
#[derive(Debug)]
pub struct Story {
    title: String,
    lines: Vec<String>,
    /// How many steps it took.
    pub steps: u32,
    /// What does not hold, if anything.
    pub violation: Option<Violation>,
    explanation: Vec<String>,
}

impl Story {
    /// The run of a seed as it is.
    pub fn of_seed(seed: u64) -> Self {
        Self::tell(&format!("seed {seed}"), &Plan::of(seed), Choices::seeded(seed))
    }

    /// The run of a seed, if it breaks an invariant, cut down to the shortest that is found to break the same.
    pub fn shrunk(seed: u64) -> Option<Self> {
        let broken = Broken::by(&Plan::of(seed), Choices::seeded(seed))?.shrunk();
        Some(Self::tell(&format!("seed {seed}, shrunk"), &broken.plan, Choices::listed(broken.choices)))
    }

    pub(crate) fn tell(title: &str, plan: &Plan, choices: Choices) -> Self {
        let mut run = Simulation::new(plan, choices).traced();
        let violation = match run.run() {
            Ending::Broken(violation) => Some(violation),
            Ending::Rest | Ending::Known => None,
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
            None => writeln!(f, "everything holds")?,
        }
        writeln!(f, "\nthe order, explained:")?;
        for line in &self.explanation {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
