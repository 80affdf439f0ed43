//! `paywright doctor` against the twin: what it reports, and that one failure does not end it.

use std::net::TcpListener;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Dev, Process, address_of, command, run};

/// Part of every secret in these tests; no line may contain it.
const SECRET: &str = "hush";
const TOKEN_SECRET: &str = "hush0123456789abcdefghijklmnopqrst";

/// Status of each check, in the order of the lines, and all that was printed.
fn doctor(arguments: &[&str], settings: &[(&str, &str)], folder: &TempDir) -> (bool, Vec<(String, String)>, String) {
    let (well, printed, said) = run(&[&["doctor", "--json"], arguments].concat(), settings, folder.path());
    assert!(!printed.contains(SECRET) && !said.contains(SECRET), "{printed} {said}");
    let status = |line: &str| {
        let finding: Value = serde_json::from_str(line).unwrap();
        assert!(!finding["message"].as_str().unwrap().is_empty());
        (finding["check"].as_str().unwrap().to_owned(), finding["status"].as_str().unwrap().to_owned())
    };
    (well, printed.lines().map(status).collect(), printed)
}

fn statuses(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(check, status)| ((*check).to_owned(), (*status).to_owned())).collect()
}

#[test]
fn an_installation_in_order_passes_every_check() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let _dev = Dev::start(&folder, &[]);
    let file = folder.path().join(".paywright/paywright.toml");
    let arguments = ["--config", file.to_str().unwrap()];
    let (well, found, printed) = doctor(&arguments, &[], &elsewhere);
    let webhooks = "stripe_webhooks";
    let expected = [
        "settings",
        "token_secret",
        "open_files",
        "disk",
        "database",
        "schema",
        "tasks",
        "webhook_secrets",
        "stripe",
        "stripe_key",
        "stripe_permissions",
        webhooks,
        "clock",
    ];
    assert_eq!(found.iter().map(|(check, _)| check.as_str()).collect::<Vec<_>>(), expected, "{printed}");
    assert!(well && printed.contains("in test mode") && printed.contains("SQLite 3."), "{printed}");
    // The stand-in delivers without an endpoint, and the disk may have less than a gigabyte left.
    for (check, status) in found.iter().filter(|(check, _)| check != webhooks && check != "disk") {
        assert_eq!(status, "ok", "{check}: {printed}");
    }
    let (_, text, _) = run(&[&["doctor"], &arguments[..]].concat(), &[], elsewhere.path());
    assert!(text.lines().all(|it| ["ok   ", "warn ", "fail "].iter().any(|status| it.starts_with(status))), "{text}");
}

#[test]
fn each_failure_is_one_line_and_the_other_checks_go_on() {
    let folder = TempDir::new().unwrap();
    let twin = Process::start(command(&["twin", "--port", "0"], folder.path()));
    let twin = address_of(&twin).trim_end_matches('/').to_owned();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{closed}");
    let database = ("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db");
    let token = ("PAYWRIGHT__AUTH__TOKEN_SECRET", TOKEN_SECRET);
    let settings = |base| {
        [database, token, ("PAYWRIGHT__STRIPE__SECRET_KEY", "rk_test_hush"), ("PAYWRIGHT__STRIPE__API_BASE", base)]
    };
    let (well, found, printed) = doctor(&[], &settings(&closed), &folder);
    let rest = statuses(&[
        ("database", "fail"),
        ("schema", "warn"),
        ("tasks", "warn"),
        ("webhook_secrets", "warn"),
        ("stripe", "fail"),
        ("stripe_key", "warn"),
        ("stripe_permissions", "warn"),
        ("stripe_webhooks", "warn"),
        ("clock", "warn"),
    ]);
    assert!(!well && found.ends_with(&rest), "{printed}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "doctor made something");
    let (done, _, said) = run(&["migrate"], &[database], folder.path());
    assert!(done, "{said}");
    let mut wrong = settings(&twin).to_vec();
    wrong.push(("PAYWRIGHT__HTTP__WORKERS", "hush"));
    let (well, found, printed) = doctor(&[], &wrong, &folder);
    assert!(!well && found[0] == ("settings".to_owned(), "fail".to_owned()), "{printed}");
    for check in ["database", "schema", "tasks", "stripe", "stripe_key", "stripe_permissions", "clock"] {
        assert!(found.contains(&(check.to_owned(), "ok".to_owned())), "{check}: {printed}");
    }
    assert!(printed.contains("write permissions cannot be checked"), "{printed}");
}
