//! Invalid settings are refused before the program does anything, by name and without their values.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use crate::program::run;

/// Part of every value in these tests that could be a secret; no line may contain it.
const SECRET: &str = "hush";
const TOKEN_SECRET: &str = "hush0123456789abcdefghijklmnopqrst";

/// Valid settings, with which a shop starts.
fn right() -> Vec<(&'static str, &'static str)> {
    vec![
        ("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db"),
        ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_hush"),
        ("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS", "whsec_hush"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET", TOKEN_SECRET),
    ]
}

/// Runs a command with [`right`] settings except `wrong`, and asserts that it is refused in one sentence that contains
/// `says`.
fn refused(command: &[&str], wrong: &[(&'static str, &'static str)], says: &str) {
    let folder = TempDir::new().unwrap();
    let mut settings = right();
    settings.retain(|(name, _)| wrong.iter().all(|(wrong, _)| wrong != name));
    settings.extend(wrong);
    let (done, printed, said) = run(command, &settings, folder.path());
    assert!(!done && printed.is_empty(), "{command:?} {wrong:?}: {printed}");
    assert!(said.contains(says), "{command:?} {wrong:?}: {said}");
    assert!(!said.contains(SECRET), "{command:?} {wrong:?} shows a value: {said}");
    assert_eq!(said.lines().filter(|it| it.starts_with("paywright: ")).count(), 1, "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{command:?} {wrong:?} made something");
}

#[test]
fn serve_refuses_an_invalid_setting_before_it_opens_the_database() {
    for (name, value, says) in [
        ("PAYWRIGHT__HTTP__WORKERS", "99999", "http.workers must be a whole number from 0 to 512"),
        ("PAYWRIGHT__HTTP__WORKERS", "hush", "http.workers must be a whole number from 0 to 512"),
        ("PAYWRIGHT__HTTP__BIND", "hush", "http.bind must be a host and a port"),
        ("PAYWRIGHT__HTTP__DRAIN_SECONDS", "301", "http.drain_seconds must be a whole number from 0 to 300"),
        ("PAYWRIGHT__DATABASE__CONNECTIONS", "0", "database.connections must be a whole number from 1 to 10000"),
        ("PAYWRIGHT__DATABASE__WAIT_MS", "0", "database.wait_ms must be a whole number from 10 to 60000"),
        ("PAYWRIGHT__STRIPE__ATTEMPT_TIMEOUT_MS", "0", "stripe.attempt_timeout_ms must be a whole number from 100"),
        ("PAYWRIGHT__STRIPE__DEADLINE_MS", "0", "stripe.deadline_ms must be a whole number from 100 to 600000"),
        ("PAYWRIGHT__STRIPE__QUEUE_WAIT_MS", "0", "stripe.queue_wait_ms must be a whole number from 10 to 60000"),
        ("PAYWRIGHT__STRIPE__API_BASE", "127.0.0.1:4242", "stripe.api_base must be an http:// or https:// address"),
        (
            "PAYWRIGHT__STRIPE__PUBLISHABLE_KEY",
            "sk_live_hush",
            "stripe.publishable_key must begin with pk_test_ or pk_live_",
        ),
        ("PAYWRIGHT__STRIPE__PUBLISHABLE_KEY", "pk_live_hush", "stripe.secret_key is of test mode"),
        ("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS", "whsec_a,hush", "stripe.webhook_secrets must begin with whsec_"),
        ("PAYWRIGHT__STRIPE__WEBHOOK_SECRETS_FILE", "whsec_hush", "both set"),
        ("PAYWRIGHT__AUTH__JWKS_URL", "http://hush.example/keys", "auth.jwks_url must be an https:// address"),
        ("PAYWRIGHT__AUTH__JWKS_URL", "https://hush.example/keys", "auth.jwks_url needs auth.issuer"),
        ("PAYWRIGHT__AUTH__JWKS_FILE", "hush.json", "auth.jwks_file needs auth.issuer"),
        ("PAYWRIGHT__AUTH__HS256_ISSUER", "hush", "auth.hs256_issuer is for use beside a key set"),
        ("PAYWRIGHT__PAYMENTS__BACK_FILL_SECONDS", "0", "payments.back_fill_seconds must be a whole number from 1"),
        (
            "PAYWRIGHT__PAYMENTS__EXPIRE_AFTER_HOURS",
            "876001",
            "payments.expire_after_hours must be a whole number from 0",
        ),
        (
            "PAYWRIGHT__PAYMENTS__SECOND_PAYMENT",
            "hush",
            "payments.second_payment must be `refund` or `hold_for_review`",
        ),
        ("PAYWRIGHT__AUTH__LEEWAY_SECONDS", "301", "auth.leeway_seconds must be a whole number from 0 to 300"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET", "hush", "auth.token_secret: the token secret must have at least 32 bytes"),
        ("PAYWRIGHT__STOREFRONT__CURRENCY", "hush", "storefront.currency must be the three-letter"),
        ("PAYWRIGHT__STOREFRONT__DEMO", "hush", "storefront.demo must be true or false"),
        ("PAYWRIGHT__STOREFRONT__ALLOWED_ORIGINS", "https://a.example,https://hush:99999", "number 2 is not"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite:", "database.url names no file"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite::memory:", "database.url must be the path of a file"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite:q.db?mode=ro", "database.url must be a plain path"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite:file:q.db", "database.url must be a plain path"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite:.", "is not a regular file"),
        ("PAYWRIGHT__DATABASE__URL", "sqlite:/dev/null", "is not a regular file"),
        ("PAYWRIGHT__DATABASE__URL", "mysql://ada:hush@db/x", "database.url must begin with postgres:// or sqlite:"),
        ("PAYWRIGHT__DATABASE__URL_FILE", "hush", "database.url and database.url_file are both set"),
    ] {
        refused(&["serve", "--bind", "127.0.0.1:0"], &[(name, value)], says);
    }
    refused(&["serve", "--bind", "8080"], &[], "--bind must be a host and a port");
}

/// Without the check, a live key could be sent to a wrong host.
#[test]
fn every_command_that_uses_the_key_checks_it() {
    let commands: [&[&str]; 3] =
        [&["serve", "--bind", "127.0.0.1:0"], &["audit"], &["recover", "--since", "2026-01-01T00:00:00Z"]];
    for command in commands {
        for (wrong, says) in [
            (vec![("PAYWRIGHT__STRIPE__SECRET_KEY", "hush")], "stripe.secret_key must begin with sk_test_"),
            (vec![("PAYWRIGHT__STRIPE__SECRET_KEY", "pk_test_hush")], "stripe.secret_key must begin with sk_test_"),
            (vec![("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_hush hush")], "stripe.secret_key must be printable ASCII"),
            (
                vec![("PAYWRIGHT__STRIPE__SECRET_KEY_FILE", "hush")],
                "stripe.secret_key and stripe.secret_key_file are both set",
            ),
            (
                vec![("PAYWRIGHT__STRIPE__SECRET_KEY", ""), ("PAYWRIGHT__STRIPE__SECRET_KEY_FILE", "sk_test_hush")],
                "the file that stripe.secret_key_file names cannot be read",
            ),
            (
                vec![
                    ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_live_hush"),
                    ("PAYWRIGHT__STRIPE__API_BASE", "http://127.0.0.1:9"),
                ],
                "stripe.allow_live_key_at_other_host",
            ),
            (
                vec![
                    ("PAYWRIGHT__STRIPE__SECRET_KEY", "rk_live_hush"),
                    ("PAYWRIGHT__STRIPE__API_BASE", "http://api.stripe.com"),
                ],
                "is sent by https only",
            ),
            (
                vec![
                    ("PAYWRIGHT__STRIPE__SECRET_KEY", "rk_live_hush"),
                    ("PAYWRIGHT__STRIPE__PUBLISHABLE_KEY", "pk_test_hush"),
                ],
                "stripe.secret_key is of live mode, but stripe.publishable_key of test mode",
            ),
        ] {
            refused(command, &wrong, says);
        }
    }
}

#[test]
fn an_invalid_secret_file_is_reported_by_its_setting() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("key"), "pk_test_hush\n").unwrap();
    fs::write(folder.path().join("token"), "hush\n").unwrap();
    let files = [
        ("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db"),
        ("PAYWRIGHT__STRIPE__SECRET_KEY_FILE", "key"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET_FILE", "token"),
    ];
    let (done, _, said) = run(&["serve"], &files, folder.path());
    assert!(!done && said.contains("stripe.secret_key_file must begin with") && !said.contains(SECRET), "{said}");
    let (done, _, said) = run(&["token", "--customer", "ada"], &files, folder.path());
    assert!(!done && said.contains("auth.token_secret_file: ") && !said.contains(SECRET), "{said}");
}

#[test]
fn an_invalid_settings_file_is_reported_by_line_and_column_without_its_text() {
    for (text, says) in [
        ("[stripe]\nsecret_key = sk_test_hush\n", "paywright.toml is not TOML: line 2, column 14"),
        ("[auth]\ntoken_secret = \"hush\n", "paywright.toml is not TOML: line 2, column "),
        ("[stripe]\nsecret_key = [\"hush\"]\n", "stripe.secret_key must be a string"),
        ("[http]\nworkers = \"hush\"\n", "http.workers must be a whole number from 0 to 512"),
        (
            "[stripe]\nsecretkey = \"hush\"\n",
            "paywright.toml: stripe.secretkey is not a setting: the nearest one is stripe.secret_key",
        ),
        ("[strip]\nsecret_key = \"hush\"\n", "strip.secret_key is not a setting: the nearest one is stripe.secret_key"),
    ] {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("paywright.toml"), text).unwrap();
        for command in [&["serve"][..], &["token", "--customer", "ada"], &["keys", "list"], &["health"]] {
            let (done, _, said) = run(command, &[], folder.path());
            assert!(!done && said.contains(says) && !said.contains(SECRET), "{text}: {said}");
        }
    }
}

#[test]
fn an_unread_variable_causes_a_warning_with_the_nearest_correct_name() {
    let folder = TempDir::new().unwrap();
    let mut settings = right();
    settings.extend([("PAYWRIGHT_STRIPE_SECRET_KEY", "hush"), ("PAYWRIGHTDATABASE__URL", "hush"), ("PAY", "hush")]);
    let (done, _, said) = run(&["token", "--customer", "ada"], &settings, folder.path());
    assert!(done, "{said}");
    for (wrong, right) in [
        ("PAYWRIGHT_STRIPE_SECRET_KEY", "PAYWRIGHT__STRIPE__SECRET_KEY"),
        ("PAYWRIGHTDATABASE__URL", "PAYWRIGHT__DATABASE__URL"),
    ] {
        let warning = format!("the variable {wrong} is not read: the nearest variable that is read is {right}");
        assert!(said.contains(&warning), "{said}");
    }
    assert_eq!((said.matches("is not read").count(), said.contains(SECRET)), (2, false), "{said}");
    let wrong = ("PAYWRIGHT__STRIPE_SECRET_KEY", "hush");
    refused(
        &["token", "--customer", "ada"],
        &[wrong],
        "is not a setting: the nearest one is PAYWRIGHT__STRIPE__SECRET_KEY",
    );
}

#[test]
fn a_secret_file_that_all_users_can_read_causes_a_warning() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let make = |name: &str, text: &str, mode| {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
    };
    let warnings = |settings: &[(&str, &str)]| {
        let (done, _, said) = run(&["token", "--customer", "ada"], settings, folder.path());
        assert!(done && !said.contains(SECRET), "{said}");
        said.lines()
            .filter(|it| it.contains("every user of this machine can read"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let file = [("PAYWRIGHT__AUTH__TOKEN_SECRET_FILE", "token")];
    for (mode, warned) in [(0o644, true), (0o640, false), (0o600, false)] {
        make("token", TOKEN_SECRET, mode);
        let warnings = warnings(&file);
        assert_eq!(
            warnings.len() == 1 && warnings[0].contains("PAYWRIGHT__AUTH__TOKEN_SECRET_FILE"),
            warned,
            "{mode:o}: {warnings:?}"
        );
    }
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        make("paywright.toml", &format!("auth.token_secret = \"{TOKEN_SECRET}\""), mode);
        let warnings = warnings(&[]);
        assert_eq!(warnings.len() == 1 && warnings[0].contains("paywright.toml"), warned, "{mode:o}: {warnings:?}");
    }
}

/// Runs `config check`, and returns whether all is right, and the lines that it prints.
fn config_check(settings: &[(&str, &str)], folder: &TempDir) -> (bool, Vec<String>) {
    let (right, printed, said) = run(&["config", "check"], settings, folder.path());
    assert!(!printed.contains(SECRET) && said.is_empty(), "{printed} {said}");
    (right, printed.lines().map(str::to_owned).collect())
}

#[test]
fn config_check_tells_every_mistake_at_once_sorted_by_section() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    fs::write(folder.path().join("open"), TOKEN_SECRET).unwrap();
    fs::set_permissions(folder.path().join("open"), Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path().join("empty"), Permissions::from_mode(0o600)).unwrap();
    let text = "[http]\nworkers = 9999\nbnd = \"hush\"\n[strip]\napi_base = \"hush\"\nlog = 1\n[stripe]\nsecret_key_file = \"gone\"\n\
                publishable_key = \"sk_live_hush\"\n[database]\nurl = \"postgres://hush@db:99999/x\"\n\
                [auth]\ntoken_secret_file = \"empty\"\nprevious_token_secret_file = \"open\"\n";
    fs::write(folder.path().join("paywright.toml"), text).unwrap();
    fs::set_permissions(folder.path().join("paywright.toml"), Permissions::from_mode(0o600)).unwrap();
    let variables = [
        ("PAYWRIGHT_DATABASE_URL", "hush"),
        ("PAYWRIGHT__FEED__KEPT_DAYS", "hush"),
        ("PAYWRIGHT__WEBHOOKS__TIMEOUT_SECONDS", "hush"),
    ];
    let (right, lines) = config_check(&variables, &folder);
    let expected = [
        "the variable PAYWRIGHT_DATABASE_URL is not read: the nearest variable that is read is PAYWRIGHT__DATABASE__URL",
        "auth.token_secret_file names a file that is empty",
        "every user of this machine can read the file of auth.previous_token_secret_file",
        "the database address cannot be read: ",
        "PAYWRIGHT__FEED__KEPT_DAYS is not a setting: the nearest one is PAYWRIGHT__FEED__KEEP_DAYS",
        "http.workers must be a whole number from 0 to 512",
        "paywright.toml: http.bnd is not a setting: the nearest one is http.bind",
        "paywright.toml: strip.api_base is not a setting: the nearest one is stripe.api_base",
        "paywright.toml: strip.log is not a setting: ",
        "stripe.publishable_key must begin with pk_test_ or pk_live_",
        "the file that stripe.secret_key_file names cannot be read",
        "webhooks.timeout_seconds must be a whole number from 1 to 30",
    ];
    assert!(!right && lines.len() == expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    let entries = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries, 3, "config check made something");
}

#[test]
fn config_check_says_which_sources_are_right() {
    let folder = TempDir::new().unwrap();
    let (right, lines) = config_check(&right(), &folder);
    assert_eq!((right, lines.len()), (true, 1), "{lines:?}");
    assert!(lines[0].contains("no file was read") && lines[0].ends_with("5 environment variables."), "{lines:?}");
    fs::write(folder.path().join("paywright.toml"), "[http]\nworkers = 2\n").unwrap();
    let (right, lines) = config_check(&self::right(), &folder);
    assert!(right && lines[0].contains("paywright.toml was read"), "{lines:?}");
    let (right, printed, _) = run(&["config", "check", "--config", "none.toml"], &self::right(), folder.path());
    assert!(!right && printed.starts_with("the settings in none.toml cannot be read"), "{printed}");
}

#[test]
fn config_check_reads_the_file_of_a_key_set() {
    let folder = TempDir::new().unwrap();
    let oct = r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#;
    for (text, says) in [
        (None, "the key set that auth.jwks_file names cannot be read: No such file"),
        (Some("{\"keys\":"), "the key set that auth.jwks_file names cannot be read: it is not a JWK Set"),
        (Some(oct), "auth.jwks_file names a key set without a usable key"),
    ] {
        if let Some(text) = text {
            fs::write(folder.path().join("keys.json"), text).unwrap();
        }
        let mut settings = right();
        settings.extend([
            ("PAYWRIGHT__AUTH__JWKS_FILE", "keys.json"),
            ("PAYWRIGHT__AUTH__ISSUER", "https://login.example"),
            ("PAYWRIGHT__AUTH__AUDIENCE", "pay"),
        ]);
        let (right, lines) = config_check(&settings, &folder);
        assert!(!right && lines.len() == 1 && lines[0].starts_with(says), "{lines:?}");
    }
}

#[test]
fn config_check_of_a_file_that_is_not_toml_tells_no_other_mistake() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("paywright.toml"), "[database]\nurl = hush\n").unwrap();
    let (right, lines) = config_check(&[], &folder);
    assert!(!right && lines.len() == 2, "{lines:?}");
    assert!(lines[0].starts_with("paywright.toml is not TOML: line 2"), "{lines:?}");
    assert_eq!(lines[1], "The rest was not checked: mend the file first.");
}
