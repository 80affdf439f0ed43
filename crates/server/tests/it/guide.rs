//! Commands of `docs/operations.md`, exactly as printed: each block belongs to a test that runs it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use paywright_testkit::postgres::Database;
use paywright_testkit::programs;
use tempfile::TempDir;

use crate::program::{Process, address_of, command, run};
use crate::receiver::Receiver;
use crate::served::free_ports;

/// The guide, with its name in messages.
const GUIDE: (&str, &str) = ("docs/operations.md", include_str!("../../../../docs/operations.md"));

/// Headings of the guide whose commands the tests of a module run. A module takes its commands from here, and cannot take
/// those of another heading.
const RUN_BY: [(&str, &[&str]); 4] = [
    (
        "it::first_day",
        &[
            "1. Install",
            "2. Configure",
            "3. Give each program a key",
            "4. Let Stripe tell you",
            "5. Start",
            "6. Sell something",
            "7. Watch",
            "8. Back up",
            "9. Change what protects you",
            "10. Scale out, and upgrade",
        ],
    ),
    (
        "it::guide",
        &[
            "Checking the settings",
            "Doctor",
            "API keys",
            "The endpoint for Stripe's events",
            "If the endpoint's secret was stolen",
            "Explaining an order",
            "The feed and outgoing webhooks",
            "Review and audit",
            "Audit trail",
            "Failover between PostgreSQL servers",
        ],
    ),
    ("it::packaging", &["Packages"]),
    ("it::recovery", &["Make a backup", "Restore a backup"]),
];

/// Headings whose commands need what no test has, each with the reason. The text beside them says that they are not run.
const NOT_RUN: [(&str, &str); 1] = [("Containers", "a Docker daemon, and a registry of images")];

/// Sentence of the text beside commands that no test runs.
const NOT_RUN_SENTENCE: &str = "these commands, are not run by the project's tests";

/// Languages of other blocks, which tests of other modules read: nginx's is run by `reverse_proxy.rs`, Prometheus's is
/// checked by `metrics.rs`, and settings are checked here.
const OTHER_LANGUAGES: [&str; 3] = ["nginx", "yaml", "toml"];

/// A fenced block of a document.
struct Block {
    heading: String,
    language: String,
    text: String,
}

/// Fenced blocks of a document, in their order.
fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut heading) = (Vec::new(), None::<Block>, String::new());
    for line in text.lines() {
        let trimmed = line.trim();
        match (trimmed.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let (heading, language) = (heading.clone(), language.to_owned());
                open = Some(Block { heading, language, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([trimmed, "\n"]),
            (None, None) if line.starts_with('#') => line.trim_start_matches('#').trim().clone_into(&mut heading),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block is closed");
    blocks
}

/// Headings whose commands the tests of `module` run.
pub(crate) fn headings(module: &str) -> &'static [&'static str] {
    RUN_BY.iter().find(|(name, _)| *name == module).expect("the module has headings").1
}

/// The commands under a heading that belongs to `module`: those that its test runs.
pub(crate) fn commands(module: &str, heading: &str) -> Vec<String> {
    assert!(headings(module).contains(&heading), "{heading} belongs to {module}");
    commands_under(heading)
}

fn commands_under(heading: &str) -> Vec<String> {
    let all = blocks(GUIDE.1).into_iter();
    all.filter(|it| it.heading == heading && it.language == "sh").map(|it| it.text).collect()
}

/// `PATH` with these folders first, then the built program and PostgreSQL's programs.
pub(crate) fn path_with(first: &[&Path]) -> OsString {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_paywright"));
    let folders = first.iter().map(|it| it.to_path_buf()).chain([built.parent().unwrap().to_owned(), programs()]);
    let path = std::env::var_os("PATH").unwrap();
    std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap()
}

/// Bash that runs commands in `folder` and ends at the first one that fails. What it has started in the background is
/// stopped at the end.
pub(crate) fn bash(script: &str, folder: &Path) -> Command {
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}");
    let mut bash = Command::new("bash");
    bash.args(["-e", "-u", "-o", "pipefail", "-c", &script]).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAYWRIGHT")) {
        bash.env_remove(name);
    }
    bash.env("PATH", path_with(&[])).env("PAYWRIGHT__DATABASE__TIMELINE_FILE", folder.join("timeline.json"));
    bash
}

/// As [`bash`], with the variables of the first day.
pub(crate) fn bash_of_first_day(script: &str, folder: &Path, database: &Database, stripe: &str) -> Command {
    let mut bash = bash(script, folder);
    let [first, second] = free_ports(2).try_into().unwrap();
    bash.env("PAYWRIGHT__STRIPE__API_BASE", stripe).env("STRIPE", stripe).env("STRIPE_KEY", "sk_test_twin");
    bash.env("DATABASE", database.url()).env("BACKUP", folder.join("backup"));
    bash.env("ADDRESS", format!("127.0.0.1:{first}")).env("SECOND", format!("127.0.0.1:{second}"));
    bash.env("PUBLIC_URL", format!("http://127.0.0.1:{first}"));
    bash
}

/// Runs bash to its end, which must be a success, and returns its standard output and standard error.
pub(crate) async fn printed_by(mut bash: Command) -> (String, String) {
    let ran = tokio::task::spawn_blocking(move || bash.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success(), "{out}\n{err}");
    (out, err)
}

/// The sections after the first day, beside the service that its steps 2 to 6 configure and start.
#[tokio::test]
async fn the_commands_of_the_sections_work_beside_a_service() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    let twin = Process::start(command(&["twin", "--port", "0"], folder.path()));
    let (receiver, url) = Receiver::start().await;
    receiver.accepts_all.store(true, Ordering::SeqCst);
    let steps = &headings("it::first_day")[1..6];
    let sections = headings(module_path!()).iter();
    let sections =
        sections.flat_map(|it| [format!("echo \"== {it}\"\n")].into_iter().chain(commands(module_path!(), it)));
    let script: String = steps.iter().flat_map(|it| commands_under(it)).chain(sections).collect();
    let mut bash = bash_of_first_day(&script, folder.path(), &database, &address_of(&twin));
    bash.env("PAYWRIGHT__WEBHOOKS__ALLOW_HTTP", "true").env("PAYWRIGHT__WEBHOOKS__ALLOWED_NETWORKS", "127.0.0.1");
    bash.env("RECEIVER", url).env("PAYWRIGHT__HTTP__DRAIN_SECONDS", "0");
    let (out, err) = printed_by(bash).await;
    assert!(!err.contains(" WARN "), "{err}");
    for (heading, expected) in [
        ("Checking the settings", "paywright.toml"),
        ("Doctor", "ok  "),
        ("Doctor", "\"status\":\"ok\""),
        ("API keys", "10.0.0.0/8"),
        ("API keys", "is revoked"),
        ("The endpoint for Stripe's events", "unchanged: it is as it should be"),
        ("The endpoint for Stripe's events", "The rotation is finished"),
        ("If the endpoint's secret was stolen", "The rotation is finished"),
        ("If the endpoint's secret was stolen", "Nothing differs"),
        ("Explaining an order", "The order was paid"),
        ("The feed and outgoing webhooks", "\"type\":\"order.paid\""),
        ("The feed and outgoing webhooks", "  delivered  204"),
        ("The feed and outgoing webhooks", "Both secrets sign until"),
        ("The feed and outgoing webhooks", "is deleted"),
        ("Review and audit", "Nothing differs"),
        ("Audit trail", "refund.requested"),
        ("Audit trail", "api_key.rotated"),
        ("Failover between PostgreSQL servers", "timeline 1"),
    ] {
        let (_, from) = out.split_once(&format!("== {heading}\n")).expect(heading);
        let (section, _) = from.split_once("\n== ").unwrap_or((from, ""));
        assert!(section.contains(expected), "{heading}: {expected}: {section}\n{err}");
    }
    assert_eq!(twin.terminate(), Some(0));
}

#[test]
fn every_command_of_the_guide_is_run_by_a_test_or_said_not_to_be() {
    let run = RUN_BY.iter().flat_map(|(_, headings)| headings.iter());
    let listed: Vec<&str> = run.chain(NOT_RUN.iter().map(|(heading, _)| heading)).copied().collect();
    let mut with_commands = BTreeSet::new();
    let all = blocks(GUIDE.1);
    for Block { heading, language, text } in &all {
        if OTHER_LANGUAGES.contains(&language.as_str()) {
            continue;
        }
        assert_eq!(language, "sh", "{heading}: a block of commands is marked as sh: {text}");
        assert!(listed.contains(&heading.as_str()), "no test runs the commands of {heading}: {text}");
        with_commands.insert(heading.as_str());
    }
    assert_eq!(listed.len(), with_commands.len(), "each heading is listed once, and has commands: {listed:?}");
}

#[test]
fn commands_that_no_test_runs_are_read_by_bash_and_said_not_to_be_run() {
    let text = GUIDE.1.split_whitespace().collect::<Vec<_>>().join(" ");
    for (heading, reason) in NOT_RUN {
        let (_, section) = text.split_once(&format!("### {heading} ")).unwrap();
        let (section, _) = section.split_once(" ## ").unwrap();
        assert!(section.contains(NOT_RUN_SENTENCE), "{heading}: {reason}");
        for block in commands_under(heading) {
            let read = Command::new("bash").args(["-n", "-c", &block]).output().unwrap();
            assert!(read.status.success(), "{block}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
}

/// Settings of each document, with those that `serve` requires from the environment.
#[test]
fn the_settings_of_the_documents_are_right() {
    let required = [
        ("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db"),
        ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x"),
        ("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS", "whsec_x"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documents = std::fs::read_dir(root.join("docs")).unwrap().map(|it| it.unwrap().path());
    let documents = documents.chain([root.join("README.md")]).filter(|it| it.extension().is_some_and(|it| it == "md"));
    let mut checked = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        // Only a program with the feature accepts settings of traces.
        let is_accepted = |it: &&Block| cfg!(feature = "traces") || !it.text.contains("[traces]");
        for block in blocks(&text).iter().filter(|it| it.language == "toml").filter(is_accepted) {
            let folder = TempDir::new().unwrap();
            std::fs::write(folder.path().join("paywright.toml"), &block.text).unwrap();
            let (right, printed, said) = run(&["config", "check"], &required, folder.path());
            assert!(right, "{}: {}: {printed}{said}", document.display(), block.heading);
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked} blocks of settings were checked");
}
