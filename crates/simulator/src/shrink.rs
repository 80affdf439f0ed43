//! Shrinking: searches for the shortest run that breaks the same invariant, by removing people, their actions and
//! choices, and by replacing choices with the default ones.

use crate::books::Violation;
use crate::choices::Choices;
use crate::plan::Plan;
use crate::simulation::{Ending, Simulation};

/// Most runs that one shrinking tries.
const TRIES_MAX: u32 = 6000;

/// A run that breaks an invariant.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    pub(crate) plan: Plan,
    pub(crate) choices: Vec<u16>,
    pub(crate) steps: u32,
    pub(crate) violation: Violation,
}

impl Broken {
    /// Runs a plan; `None` if the run breaks no invariant.
    pub(crate) fn by(plan: &Plan, choices: Choices) -> Option<Self> {
        let mut run = Simulation::new(plan, choices);
        match run.run() {
            Ending::Broken(violation) => {
                let (choices, steps) = (run.choices.made().to_vec(), run.steps);
                Some(Self { plan: plan.clone(), choices, steps, violation })
            }
            Ending::AtRest | Ending::KnownState => None,
        }
    }

    /// Size to minimize: the number of steps, then of choices other than the default, then of people and actions.
    fn size(&self) -> (u32, usize, usize) {
        let unusual = self.choices.iter().filter(|it| **it != 0).count();
        let acts = self.plan.people.iter().map(|it| it.len() + 1).sum::<usize>()
            + self.plan.after.len()
            + self.plan.endpoints.len();
        (self.steps, unusual, acts + self.plan.processes)
    }

    /// The shortest run that is found.
    pub(crate) fn shrunk(self) -> Self {
        let mut shrinker = Shrinker { best: self, tries: 0 };
        loop {
            let before = shrinker.best.size();
            shrinker.fewer_people();
            shrinker.fewer_choices();
            shrinker.usual_choices();
            if shrinker.best.size() >= before || shrinker.tries >= TRIES_MAX {
                return shrinker.best;
            }
        }
    }
}

struct Shrinker {
    best: Broken,
    tries: u32,
}

impl Shrinker {
    /// Keeps another run as the best one if it breaks the same invariant and is smaller.
    fn offer(&mut self, plan: &Plan, choices: Vec<u16>) -> bool {
        if self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let Some(found) = Broken::by(plan, Choices::listed(choices)) else { return false };
        let is_better = found.violation.invariant == self.best.violation.invariant && found.size() < self.best.size();
        if is_better {
            self.best = found;
        }
        is_better
    }

    fn fewer_people(&mut self) {
        let plans: Vec<Plan> = self.smaller_plans();
        for plan in plans {
            self.offer(&plan, self.best.choices.clone());
        }
    }

    fn smaller_plans(&self) -> Vec<Plan> {
        let plan = &self.best.plan;
        let mut plans = Vec::new();
        for (person, acts) in plan.people.iter().enumerate() {
            for act in 0..acts.len() {
                let mut smaller = plan.clone();
                if let Some(acts) = smaller.people.get_mut(person) {
                    acts.remove(act);
                }
                smaller.people.retain(|it| !it.is_empty());
                plans.push(smaller);
            }
        }
        for act in 0..plan.after.len() {
            let mut smaller = plan.clone();
            smaller.after.remove(act);
            plans.push(smaller);
        }
        plans.push(Plan { endpoints: plan.endpoints.get(..1).unwrap_or_default(), ..plan.clone() });
        plans.push(Plan { endpoints: &[], ..plan.clone() });
        plans.push(Plan { restores_max: plan.restores_max.min(1), ..plan.clone() });
        plans.push(Plan { processes: 1, ..plan.clone() });
        plans.push(Plan { faults_max: plan.faults_max.saturating_sub(1), ..plan.clone() });
        plans
    }

    fn fewer_choices(&mut self) {
        let mut length = self.best.choices.len().next_power_of_two();
        while length > 0 {
            let mut from = 0;
            while from < self.best.choices.len() {
                let to = (from + length).min(self.best.choices.len());
                let plan = self.best.plan.clone();
                let mut without = self.best.choices.clone();
                without.drain(from..to);
                let mut usual = self.best.choices.clone();
                usual.iter_mut().take(to).skip(from).for_each(|it| *it = 0);
                if !self.offer(&plan, without) && !self.offer(&plan, usual) {
                    from = to;
                }
            }
            length /= 2;
        }
    }

    fn usual_choices(&mut self) {
        for place in 0..self.best.choices.len() {
            let Some(chosen) = self.best.choices.get(place).copied() else { return };
            for lower in [0, 1, chosen / 2, chosen.saturating_sub(1)] {
                let mut choices = self.best.choices.clone();
                if let Some(choice) = choices.get_mut(place).filter(|it| **it > lower) {
                    *choice = lower;
                    let plan = self.best.plan.clone();
                    self.offer(&plan, choices);
                }
            }
        }
    }
}
