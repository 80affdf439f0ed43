//! Runs are reproducible, and hold every invariant.

use std::process::Command;

use paywright_simulator::{Story, exhaust, explore};

/// Every seed that ever broke an invariant, with what went wrong.
const CORPUS: &str = include_str!("../corpus.txt");

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    for seed in 0..300 {
        let (one, other) = (Story::of_seed(seed), Story::of_seed(seed));
        assert_eq!(one.to_string(), other.to_string());
    }
    assert_ne!(Story::of_seed(0).to_string(), Story::of_seed(1).to_string());
}

#[test]
fn the_same_seeds_take_the_same_steps_on_any_number_of_threads() {
    let steps = |jobs| explore(1000, 400, None, jobs).steps;
    assert_eq!(steps(1), steps(4));
}

#[test]
fn every_invariant_holds_for_each_seed_of_the_corpus() {
    let mut seeds = 0;
    for line in CORPUS.lines().filter(|it| !it.starts_with('#') && !it.is_empty()) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        let story = Story::of_seed(seed);
        assert_eq!(story.violation, None, "{story}");
        seeds += 1;
    }
    assert!(seeds > 0);
}

#[test]
fn every_invariant_holds_in_three_thousand_runs() {
    let explored = explore(0, 3000, None, 1);
    assert_eq!(explored.broken, None, "cargo run -p paywright-simulator -- seed {:?}", explored.broken);
    assert!(explored.steps > 100_000, "{explored:?}");
}

#[test]
fn every_invariant_holds_in_each_interleaving_of_the_smallest_stories() {
    for (name, states_min) in [("place, place", 35), ("pay, create intent", 1000), ("pay, edit", 5000)] {
        let exhausted = exhaust(name).unwrap();
        assert!(exhausted.broken.is_none(), "{}", exhausted.broken.unwrap());
        assert!(exhausted.states >= states_min, "{name}: {}", exhausted.states);
    }
    assert!(exhaust("nothing like that").is_none());
}

#[test]
fn the_program_reports_its_result_and_refuses_invalid_arguments() {
    let run = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_paywright-simulator")).args(args).output().unwrap();
        let text = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, text) = run(&["--seeds", "20", "--jobs", "2"]);
    assert!(code == Some(0) && text.starts_with("20 runs of ") && text.ends_with("every invariant holds\n"), "{text}");
    let (code, text) = run(&["seed", "3"]);
    assert!(code == Some(0) && text.contains("explanation of the order:"), "{text}");
    let (code, text) = run(&["exhaust", "place, place"]);
    assert!(code == Some(0) && text.contains(" states in "), "{text}");
    for args in [["--minutes", "-1"], ["--minutes", "soon"], ["--seeds", "some"]] {
        let (code, text) = run(&args);
        assert!(code == Some(2) && text.starts_with("error: "), "{args:?}: {text}");
    }
}
