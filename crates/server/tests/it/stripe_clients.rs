//! The twin, called by Stripe's official clients, and the example of a storefront's own tests with the twin.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::spree::browser;

/// Folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// Runs a command in a folder of tests that start a twin of their own, and returns what it printed.
fn passes(mut command: Command, folder: &Path) -> String {
    command.current_dir(folder).env("PAYWRIGHT", env!("CARGO_BIN_EXE_paywright")).stdin(Stdio::null());
    let output = command.output().expect("scripts/test installs the interpreter");
    let printed = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).join("\n");
    assert!(output.status.success(), "{printed}");
    printed
}

/// Runs the tests of a folder in Node, with the package `client` as Stripe's client; `count` must pass.
fn node(folder: &Path, tests: &str, client: &str, count: usize) {
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "Stripe's client is not installed: run scripts/test, or `npm ci` in {}", folder.display());
    let files = std::fs::read_dir(folder.join(tests)).unwrap().map(|it| it.unwrap().path());
    let mut files: Vec<_> = files.filter(|it| it.to_string_lossy().ends_with(".test.mjs")).collect();
    files.sort();
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap"]).args(files).env("STRIPE_CLIENT", client);
    let printed = passes(command, folder);
    assert!(printed.contains(&format!("# pass {count}\n")), "every test passed, and is counted: {printed}");
}

/// Runs the tests of a folder in Python, in the environment `client`, relative to it; `count` must pass.
fn python(folder: &Path, client: &str, count: usize) {
    let interpreter = folder.join(client).join(".venv/bin/python");
    assert!(interpreter.is_file(), "its environment is missing: run scripts/test ({})", interpreter.display());
    let mut command = Command::new(interpreter);
    command.args(["-m", "unittest"]).env("PYTHONDONTWRITEBYTECODE", "1");
    let printed = passes(command, folder);
    assert!(printed.contains(&format!("Ran {count} tests in ")), "every test ran: {printed}");
}

const NODE_STORIES: usize = 352;
const PYTHON_STORIES: usize = 104;

#[test]
fn a_customer_authenticates_on_the_twins_page_in_a_browser() {
    let folder = folder("tests/demo");
    assert!(folder.join("node_modules").is_dir(), "run scripts/test, or `npm ci` in {}", folder.display());
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", "three_d_secure.test.mjs"]).env("CHROMIUM", browser());
    let printed = passes(command, &folder);
    assert!(printed.contains("# pass 5\n"), "every test passed, and is counted: {printed}");
}

#[test]
fn the_newest_node_client_passes_all_stories() {
    node(&folder("tests/stripe-clients"), "node", "stripe", NODE_STORIES);
}

#[test]
fn the_node_client_of_version_12_passes_all_stories() {
    node(&folder("tests/stripe-clients"), "node", "stripe-old", NODE_STORIES);
}

#[test]
fn the_newest_python_client_passes_all_stories() {
    python(&folder("tests/stripe-clients/python"), "newest", PYTHON_STORIES);
}

#[test]
fn the_python_client_of_version_7_passes_all_stories() {
    python(&folder("tests/stripe-clients/python"), "oldest", PYTHON_STORIES);
}

#[test]
fn the_node_example_of_a_storefronts_tests_passes() {
    node(&folder("examples/twin-in-ci/node"), ".", "stripe", 3);
}

#[test]
fn the_python_example_of_a_storefronts_tests_passes() {
    python(&folder("examples/twin-in-ci/python"), ".", 3);
}
