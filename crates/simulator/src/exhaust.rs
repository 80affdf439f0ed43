//! Exhaustive search: every interleaving of a small story with two people, one order, two webhooks and at most one
//! crash.

use std::collections::HashSet;

use crate::acts::Act;
use crate::choices::Choices;
use crate::explore::Story;
use crate::external_actions::ExternalAction;
use crate::plan::{PAID, PAY, PAYING, PLACED, Plan, SHOWN, StepWeights, Workload, manual, story};
use crate::simulation::{Ending, Simulation};

/// Stories that are searched exhaustively, of two people each.
const SMALL: &[Workload] = &[
    story("place, place", &[], &[&[Act::Place], &[Act::Place]]),
    story("create intent, create intent", PLACED, &[&[Act::CreateIntent], &[Act::CreateIntent]]),
    story("create intent, cancel", PLACED, &[&[Act::CreateIntent], &[Act::Cancel]]),
    story("create intent, edit", PLACED, &[&[Act::CreateIntent], &[Act::Edit(700)]]),
    story("pay, create intent", SHOWN, &[&[PAY], &[Act::CreateIntent]]),
    story("pay, edit", SHOWN, &[&[PAY], &[Act::Edit(700)]]),
    story("pay, cancel", SHOWN, &[&[PAY], &[Act::Cancel]]),
    story("paying: check, check", PAYING, &[&[Act::Check], &[Act::Check]]),
    story("paying: check, edit", PAYING, &[&[Act::Check], &[Act::Edit(700)]]),
    story("paying: check, cancel", PAYING, &[&[Act::Check], &[Act::Cancel]]),
    story("refund, refund", PAID, &[&[Act::Refund(Some(600))], &[Act::Refund(Some(600))]]),
    story(
        "refund, refund at the dashboard",
        PAID,
        &[&[Act::Refund(None)], &[Act::External(ExternalAction::Refund(300))]],
    ),
    manual("capture, capture", PAID, &[&[Act::Capture(None)], &[Act::Capture(Some(700))]]),
    manual("capture, cancel", PAID, &[&[Act::Capture(None)], &[Act::Cancel]]),
];

/// Result of the exhaustive search of a story.
#[derive(Debug)]
pub struct Exhausted {
    /// Name of the story.
    pub name: &'static str,
    /// Number of runs.
    pub runs: u64,
    /// Number of different states of the world.
    pub states: usize,
    /// First run that broke an invariant.
    pub broken: Option<Story>,
}

/// Names of the small stories.
pub fn small_stories() -> impl Iterator<Item = &'static str> {
    SMALL.iter().map(|it| it.name)
}

/// Runs a small story in every interleaving; `None` if no story has this name.
pub fn exhaust(story: &str) -> Option<Exhausted> {
    let workload = SMALL.iter().find(|it| it.name == story)?;
    let plan = Plan {
        webhooks_max: 2,
        tries: 2,
        pause_millis: 0,
        faults_max: 1,
        step_weights: StepWeights { kill: 1, work: 0, start: 0, ..Plan::default().step_weights },
        ..Plan::of_story(workload)
    };
    Some(every_way(&plan))
}

/// Searches the tree of choices of `plan` depth first. A run ends when it reaches a state that an earlier run has
/// reached.
fn every_way(plan: &Plan) -> Exhausted {
    let mut seen = HashSet::new();
    let mut runs = 0;
    let mut next = Some(Vec::new());
    while let Some(list) = next {
        let known = list.len();
        let mut run = Simulation::new(plan, Choices::listed(list)).remembering(&mut seen, known);
        let ending = run.run();
        runs += 1;
        let choices = run.choices.take();
        drop(run);
        if let Ending::Broken(_) = ending {
            let made = Choices::listed(choices.made().to_vec());
            let story = Story::of_run(&format!("run {runs}"), plan, made);
            return Exhausted { name: plan.name, runs, states: seen.len(), broken: Some(story) };
        }
        next = choices.next_branch();
    }
    Exhausted { name: plan.name, runs, states: seen.len(), broken: None }
}
