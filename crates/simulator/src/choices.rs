//! Source of every choice of a run: a seed, or a list of choices (a replay, or a branch of the tree of all choices).

/// Source of choices, and the choices made so far.
#[derive(Debug)]
pub(crate) struct Choices {
    source: Source,
    made: Vec<u16>,
    /// Number of options of each choice.
    widths: Vec<u16>,
}

#[derive(Debug)]
enum Source {
    Random(fastrand::Rng),
    /// The choices of a list, then the first option every time.
    Listed(Vec<u16>),
}

impl Choices {
    /// Pseudo-random choices, the same for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::from(Source::Random(fastrand::Rng::with_seed(seed)))
    }

    /// The choices of a list, then the first option every time.
    pub(crate) fn listed(list: Vec<u16>) -> Self {
        Self::from(Source::Listed(list))
    }

    const fn from(source: Source) -> Self {
        Self { source, made: Vec::new(), widths: Vec::new() }
    }

    /// Chooses one option per weight, at random in proportion to the weights. An option of weight 0 is never chosen at
    /// random. A single option is returned without recording a choice.
    pub(crate) fn pick(&mut self, weights: &[u32]) -> usize {
        if weights.len() < 2 {
            return 0;
        }
        let chosen = match &mut self.source {
            Source::Random(rng) => {
                let mut rest = rng.u32(0..weights.iter().sum::<u32>().max(1));
                let passes = |weight: &u32| {
                    let hit = rest < *weight;
                    rest = rest.saturating_sub(*weight);
                    hit
                };
                weights.iter().position(passes).unwrap_or(0)
            }
            Source::Listed(list) => {
                let listed = list.get(self.made.len()).copied().unwrap_or(0);
                usize::from(listed).min(weights.len() - 1)
            }
        };
        self.made.push(u16::try_from(chosen).unwrap_or(u16::MAX));
        self.widths.push(u16::try_from(weights.len()).unwrap_or(u16::MAX));
        chosen
    }

    /// Choices made so far.
    pub(crate) fn made(&self) -> &[u16] {
        &self.made
    }

    /// Takes the choices out of a run.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::listed(Vec::new()))
    }

    /// Next branch of the tree of all choices, depth first, after the one just run; `None` after the last one.
    pub(crate) fn next_branch(mut self) -> Option<Vec<u16>> {
        while let (Some(last), Some(width)) = (self.made.pop(), self.widths.pop()) {
            if last + 1 < width {
                self.made.push(last + 1);
                return Some(self.made);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_choices_is_replayed() {
        let run = |mut choices: Choices| {
            let picked: Vec<_> = (2..40_usize).map(|width| choices.pick(&vec![1; width])).collect();
            (picked, choices.made().to_vec())
        };
        let (picked, made) = run(Choices::seeded(7));
        assert_eq!(run(Choices::seeded(7)).0, picked);
        assert_eq!(run(Choices::listed(made)).0, picked);
        assert_ne!(run(Choices::seeded(8)).0, picked);
        assert!(run(Choices::listed(Vec::new())).0.iter().all(|it| *it == 0));
    }

    #[test]
    fn random_choices_follow_the_weights() {
        let mut choices = Choices::seeded(1);
        let mut counts = [0; 3];
        for _ in 0..1000 {
            if let Some(count) = counts.get_mut(choices.pick(&[3, 0, 1])) {
                *count += 1;
            }
        }
        let [often, never, seldom] = counts;
        assert!((700..800).contains(&often) && never == 0 && (200..300).contains(&seldom), "{counts:?}");
    }

    #[test]
    fn every_branch_of_the_tree_is_visited() {
        // Two choices; the second has as many options as remain after the first.
        let mut branches = Vec::new();
        let mut next = Some(Vec::new());
        while let Some(list) = next {
            let mut choices = Choices::listed(list);
            let first = choices.pick(&[1; 3]);
            choices.pick(&vec![1; 3 - first]);
            branches.push(choices.made().to_vec());
            next = choices.next_branch();
        }
        assert_eq!(branches, [vec![0, 0], vec![0, 1], vec![0, 2], vec![1, 0], vec![1, 1], vec![2]]);
    }
}
