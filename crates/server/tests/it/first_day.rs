//! The first day of `docs/operations.md`, by its own commands.

use std::path::PathBuf;
use std::process::Command;

use paywright_testkit::postgres::Database;
use paywright_testkit::programs;
use tempfile::TempDir;

use crate::program::{Process, address_of, command};
use crate::recovery::commands;
use crate::served::free_ports;

/// Headings of the steps, in their order.
const STEPS: [&str; 10] = [
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
];

#[tokio::test]
async fn the_commands_of_the_first_day_work_in_their_order() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    let twin = Process::start(command(&["twin", "--port", "0"], folder.path()));
    let (stripe, ports) = (address_of(&twin), free_ports(2));
    let blocks: Vec<_> = STEPS.iter().flat_map(|it| commands(it)).collect();
    assert_eq!(blocks.len(), 11, "a block for each step, and two for the last");
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}", blocks.concat());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_paywright"));
    let folders = [program.parent().unwrap().to_owned(), programs()];
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-e", "-u", "-o", "pipefail", "-c", &script]).current_dir(folder.path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PAYWRIGHT")) {
        bash.env_remove(name);
    }
    bash.env("PATH", path).env("PAYWRIGHT__DATABASE__TIMELINE_FILE", folder.path().join("timeline.json"));
    bash.env("PAYWRIGHT__STRIPE__API_BASE", &stripe).env("STRIPE", &stripe).env("STRIPE_KEY", "sk_test_twin");
    bash.env("DATABASE", database.url()).env("BACKUP", folder.path().join("backup"));
    let address = |n: usize| format!("127.0.0.1:{}", ports[n]);
    bash.env("ADDRESS", address(0)).env("SECOND", address(1)).env("PUBLIC_URL", format!("http://{}", address(0)));
    let ran = tokio::task::spawn_blocking(move || bash.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(!err.contains(" WARN "), "{err}");
    for said in ["paywright 0.", "The order was paid", "Refund requested successfully", "paywright_store_up 1"] {
        assert!(out.contains(said), "{said}: {out}\n{err}");
    }
    assert!(folder.path().join("backup").metadata().unwrap().len() > 0);
    assert_eq!(twin.terminate(), Some(0));
}
