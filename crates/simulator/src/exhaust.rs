//! Every way in which a small story can go: two people, one order, two messages, at most one crash.

use std::collections::HashSet;

use crate::acts::{Act, ExternalAction};
use crate::choices::Choices;
use crate::explore::Story;
use crate::plan::{Menu, PAID, PAY, PAYING, PLACED, Plan, SHOWN, Workload, manual, story};
use crate::simulation::{Ending, Simulation};

/// The stories that are told in every way, of two people each.
const SMALL: &[Workload] = &[
    story("place, place", &[], &[&[Act::Place], &[Act::Place]]),
    story("ask, ask", PLACED, &[&[Act::Ask], &[Act::Ask]]),
    story("ask, cancel", PLACED, &[&[Act::Ask], &[Act::Cancel]]),
    story("ask, edit", PLACED, &[&[Act::Ask], &[Act::Edit(700)]]),
    story("pay, ask", SHOWN, &[&[PAY], &[Act::Ask]]),
    story("pay, edit", SHOWN, &[&[PAY], &[Act::Edit(700)]]),
    story("pay, cancel", SHOWN, &[&[PAY], &[Act::Cancel]]),
    story("paying: check, check", PAYING, &[&[Act::Check], &[Act::Check]]),
    story("paying: check, edit", PAYING, &[&[Act::Check], &[Act::Edit(700)]]),
    story("paying: check, cancel", PAYING, &[&[Act::Check], &[Act::Cancel]]),
    story("refund, refund", PAID, &[&[Act::Refund(Some(600))], &[Act::Refund(Some(600))]]),
    story("refund, refund at the dashboard", PAID, &[&[Act::Refund(None)], &[Act::At(ExternalAction::Refund(300))]]),
    manual("capture, capture", PAID, &[&[Act::Capture(None)], &[Act::Capture(Some(700))]]),
    manual("capture, cancel", PAID, &[&[Act::Capture(None)], &[Act::Cancel]]),
];

/// A story that was told in every way.
#[derive(Debug)]
pub struct Exhausted {
    /// Its name.
    pub name: &'static str,
    /// How many runs it took.
    pub runs: u64,
    /// How many states the world was in.
    pub states: usize,
    /// The first run that broke an invariant.
    pub broken: Option<Story>,
}

/// The names of the small stories.
pub fn small_stories() -> impl Iterator<Item = &'static str> {
    SMALL.iter().map(|it| it.name)
}

/// Tells a small story in every way; `None` if there is none of this name.
pub fn exhaust(story: &str) -> Option<Exhausted> {
    let workload = SMALL.iter().find(|it| it.name == story)?;
    let plan = Plan {
        messages_max: 2,
        tries: 2,
        pause_millis: 0,
        faults_max: 1,
        menu: Menu { kill: 1, work: 0, start: 0, ..Plan::default().menu },
        ..Plan::told(workload)
    };
    Some(every_way(&plan))
}

/// Every way in which `plan` can go: depth first, and no further where a run comes to a state that was seen.
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
            let story = Story::tell(&format!("run {runs}"), plan, made);
            return Exhausted { name: plan.name, runs, states: seen.len(), broken: Some(story) };
        }
        next = choices.next_branch();
    }
    Exhausted { name: plan.name, runs, states: seen.len(), broken: None }
}
