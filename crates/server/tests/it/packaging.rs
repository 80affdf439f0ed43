//! Files of the package: the settings that it installs, and its unit. The package itself is built by `scripts/build-deb`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::guide::{bash, commands, path_with, printed_by};
use crate::program::{Process, address_of, command, run};

/// Folder of the packaged secrets.
const SECRETS: &str = "/etc/paywright/secrets/";
/// File of the secret of Stripe's endpoint, which commands write.
const WEBHOOK_SECRET: &str = "/var/lib/paywright/stripe_webhook";
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
    let settings = settings.replace(WEBHOOK_SECRET, &folder.path().join("stripe_webhook").display().to_string());
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

/// Programs that need root, a package or a running systemd, as scripts. `apt` installs what the package has beside the
/// program, and runs its script.
const STAND_INS: [(&str, &str); 5] = [
    ("apt", "mkdir -p \"$ETC/secrets\" && cp \"$SETTINGS\" \"$ETC/paywright.toml\" && sh \"$POSTINST\" configure"),
    ("chgrp", "test \"$1\" = paywright"),
    ("runuser", "test \"$1 $2 $3\" = '-u paywright --' && shift 3 && exec \"$@\""),
    ("systemctl", "echo \"systemctl $*\""),
    ("systemd-sysusers", "test \"$*\" = paywright.conf"),
];

/// The commands of the guide's section, in the order in which an operator of a new machine types them.
#[tokio::test]
async fn the_commands_of_the_packages_first_start_work_on_the_packaged_settings() {
    let folder = TempDir::new().unwrap();
    let twin = Process::start(command(&["twin", "--port", "0"], folder.path()));
    let here = |text: &str| {
        let path = |name: &str| folder.path().join(name).display().to_string();
        text.replace("/etc/paywright", &path("etc")).replace("/var/lib/paywright", &path("lib"))
    };
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    // `install` without the owner of the new file: only root may set it.
    let install = "[ \"$1\" != -d ] || { mkdir \"$8\" && exec chmod \"$3\" \"$8\"; }\nexec /usr/bin/install \"$1\" \"$2\" \"$7\" \"$8\"";
    for (name, script) in STAND_INS.into_iter().chain([("install", install)]) {
        fs::write(programs.join(name), format!("#!/bin/sh\nset -eu\n{script}\n")).unwrap();
        fs::set_permissions(programs.join(name), Permissions::from_mode(0o700)).unwrap();
    }
    for (packed, unpacked) in [("paywright.toml", "packaged.toml"), ("deb/postinst", "postinst")] {
        fs::write(folder.path().join(unpacked), here(&packaged(packed))).unwrap();
    }
    let [first_start] = commands(module_path!(), "Packages").try_into().unwrap();
    let mut bash = bash(&here(&first_start), folder.path());
    bash.env("PATH", path_with(&[&programs])).env("ETC", folder.path().join("etc"));
    bash.env("POSTINST", folder.path().join("postinst"));
    bash.env("SETTINGS", folder.path().join("packaged.toml")).env("PAYWRIGHT__STRIPE__API_BASE", address_of(&twin));
    bash.env("STRIPE_KEY", "sk_test_twin").env("PUBLIC_URL", "https://shop.example");
    let (out, err) = printed_by(bash).await;
    assert!(!err.contains(" WARN "), "{err}");
    for said in ["Created the endpoint", "systemctl enable --now paywright", "pwk_"] {
        assert!(out.contains(said), "{said}: {out}\n{err}");
    }
    assert!(folder.path().join("lib/orders.db").is_file());
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("etc/secrets/stripe_key"), mode("lib/stripe_webhook"), mode("lib")), (0o640, 0o600, 0o750));
    assert_eq!(twin.terminate(), Some(0));
}
