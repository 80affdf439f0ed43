//! Files of the package: the settings that it installs, and its unit. The package itself is built by `scripts/build-deb`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::program::run;

/// Folder of the packaged secrets.
const SECRETS: &str = "/etc/paywright/secrets/";
/// Seconds for which a stop may take longer than its drain.
const FINISH_SECONDS: u32 = 30;

fn packaged(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").join(name)).unwrap()
}

/// Runs `config check` on settings whose secrets are made in the test's folder.
fn check(settings: &str) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("stripe_key", "sk_test_x"),
        ("stripe_webhook", "whsec_x"),
        ("token_secret", "0123456789abcdef0123456789abcdef"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(0o600)).unwrap();
    }
    let settings = settings.replace(SECRETS, &format!("{}/", folder.path().display()));
    fs::write(folder.path().join("packaged.toml"), settings).unwrap();
    let (right, printed, _) = run(&["config", "check", "--config", "packaged.toml"], &[], folder.path());
    (right, printed)
}

#[test]
fn the_packaged_settings_need_nothing_but_their_secrets() {
    let (right, printed) = check(&packaged("paywright.toml"));
    assert!(right, "{printed}");
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("packaged.toml"), packaged("paywright.toml")).unwrap();
    let (right, printed, _) = run(&["config", "check", "--config", "packaged.toml"], &[], folder.path());
    assert!(!right, "{printed}");
    for setting in ["auth.token_secret_file", "stripe.secret_key_file", "stripe.webhook_secrets_file"] {
        assert!(printed.contains(&format!("the file that {setting} names cannot be read")), "{printed}");
    }
    assert_eq!(printed.lines().count(), 3, "{printed}");
}

/// A line such as `#wait_ms = 2000` shows a setting.
#[test]
fn every_setting_that_the_packaged_file_shows_exists_and_takes_its_value() {
    let text = packaged("paywright.toml");
    let is_shown =
        |line: &&str| line.strip_prefix('#').is_some_and(|it| it.starts_with(|it: char| it.is_ascii_lowercase()));
    assert!(text.lines().filter(is_shown).count() > 45);
    let all = text.lines().map(|line| if is_shown(&line) { &line[1..] } else { line });
    let (right, printed) = check(&all.collect::<Vec<_>>().join("\n"));
    assert!(right, "{printed}");
    let (right, printed) = check(&text.replace("#wait_ms", "wait_seconds"));
    assert!(!right && printed.contains("database.wait_seconds is not a setting"), "{printed}");
}

#[test]
fn the_unit_runs_the_program_unprivileged_and_lets_it_stop() {
    let unit = packaged("paywright.service");
    let value = |name: &str| {
        let line = unit.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("the unit has no {name}")).to_owned()
    };
    for (name, expected) in [
        ("Type", "exec"),
        ("Restart", "on-failure"),
        ("User", "paywright"),
        ("StateDirectory", "paywright"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("PrivateTmp", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallFilter", "@system-service"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let settings = packaged("paywright.toml");
    let drain = settings.lines().find_map(|it| it.strip_prefix("#drain_seconds = ")).unwrap();
    let stop: u32 = value("TimeoutStopSec").parse().unwrap();
    assert!(stop > drain.parse::<u32>().unwrap() + FINISH_SECONDS, "{stop}");
    assert_eq!(value("ExecStart"), "/usr/bin/paywright serve --config /etc/paywright/paywright.toml");
    assert!(packaged("paywright.sysusers").starts_with("u paywright "));
    assert!(settings.contains(&format!("url = \"sqlite:/var/lib/{}/orders.db\"", value("StateDirectory"))));
}
