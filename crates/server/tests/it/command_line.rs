//! Output of the commands, and the settings that they require.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use diesel::connection::{Connection, SimpleConnection};
use diesel::sqlite::SqliteConnection;
use paywright_app::KEY_CACHED_SECONDS;
use paywright_testkit::postgres::Database;
use reqwest::{Client, Method};
use tempfile::TempDir;

use crate::program::{Answer, Dev, Process, address_of, answer, client, command, run, two_lines};
use crate::served::free_ports;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn serve_names_a_missing_setting_in_one_sentence() {
    let folder = TempDir::new().unwrap();
    let (database, key) =
        (("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db"), ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_hush"));
    let token = ("PAYWRIGHT__AUTH__TOKEN_SECRET", SECRET);
    for (settings, says) in [
        (vec![], "no database is set: set PAYWRIGHT__DATABASE__URL"),
        (vec![database], "no Stripe key is set: set PAYWRIGHT__STRIPE__SECRET_KEY"),
        (vec![database, key], "no token secret is set: set PAYWRIGHT__AUTH__TOKEN_SECRET"),
        (vec![database, key, ("PAYWRIGHT__AUTH__TOKEN_SECRET", "short")], "at least 32 bytes"),
        (vec![("PAYWRIGHT__DATABASE__URL", "mysql://root:hush@db/x")], "must begin with postgres:// or sqlite:"),
        (vec![database, ("PAYWRIGHT__STRIPE__COLOR", "red")], "PAYWRIGHT__STRIPE__COLOR is not a setting"),
        (
            vec![database, key, token, ("PAYWRIGHT__PAYMENTS__SECOND_PAYMENT", "keep")],
            "payments.second_payment must be",
        ),
        (
            vec![database, key, token, ("PAYWRIGHT__HTTP__TRUSTED_PROXIES", "::1, lb")],
            "http.trusted_proxies must be addresses and networks",
        ),
    ] {
        let (done, printed, said) = run(&["serve"], &settings, folder.path());
        assert!(!done && printed.is_empty(), "{settings:?}: {printed}");
        assert!(said.contains(says), "{settings:?}: {said}");
        assert!(!said.contains("hush"), "no secret is shown: {said}");
        assert_eq!(said.lines().filter(|it| it.starts_with("paywright: ")).count(), 1, "{said}");
    }
}

#[test]
fn a_named_settings_file_must_exist() {
    let folder = TempDir::new().unwrap();
    let (done, _, said) = run(&["serve", "--config", "nowhere.toml"], &[], folder.path());
    assert!(!done && said.contains("nowhere.toml"), "{said}");
}

#[test]
fn a_file_that_is_not_a_database_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("diary.txt"), "Dear diary. ".repeat(100)).unwrap();
    let settings = [("PAYWRIGHT__DATABASE__URL", "sqlite:diary.txt")];
    let (done, _, said) = run(&["keys", "list"], &settings, folder.path());
    assert!(!done && said.contains("diary.txt is not an SQLite database"), "{said}");
}

#[tokio::test]
async fn a_database_is_migrated_by_command_or_at_the_start_unless_disabled() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    let url = database.url();
    let settings = [
        ("PAYWRIGHT__DATABASE__URL", url.as_str()),
        ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET", SECRET),
    ];
    let all = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres")).unwrap().count();
    let (done, _, said) = run(&["serve", "--migrate=check", "--bind", "127.0.0.1:0"], &settings, folder.path());
    assert!(
        !done && said.contains(&format!("lacks {all} migration(s)")) && said.contains("run `paywright migrate`"),
        "{said}"
    );
    let (done, printed, said) = run(&["migrate"], &settings, folder.path());
    assert!(done && printed.contains(&format!("{all} migrations were applied")), "{printed}{said}");
    let (done, printed, _) = run(&["migrate"], &settings, folder.path());
    assert_eq!((done, printed.as_str()), (true, "The database is up to date.\n"));
    for mode in ["--migrate=check", "--migrate=off", "--migrate=auto"] {
        let mut command = command(&["serve", mode, "--bind", "127.0.0.1:0"], folder.path());
        command.envs(settings);
        let serve = Process::start(command);
        let ready = format!("{}/readyz", address_of(&serve));
        assert_eq!(client().get(ready).send().await.unwrap().status(), 200, "{mode}");
    }
}

#[tokio::test]
async fn a_file_is_migrated_by_command_or_at_the_start_unless_disabled() {
    let folder = TempDir::new().unwrap();
    let settings = [
        ("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db"),
        ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x"),
        ("PAYWRIGHT__AUTH__TOKEN_SECRET", SECRET),
    ];
    for mode in ["--migrate=check", "--migrate=off"] {
        let (done, _, said) = run(&["serve", mode, "--bind", "127.0.0.1:0"], &settings, folder.path());
        assert!(!done && said.contains("orders.db does not exist") && said.contains("`paywright migrate`"), "{said}");
    }
    for expected in ["The file is up to date: it was created.\n", "The file is up to date.\n"] {
        let (done, printed, said) = run(&["migrate"], &settings, folder.path());
        assert_eq!((done, printed.as_str()), (true, expected), "{said}");
    }
    let (done, printed, said) = run(&["keys", "list"], &settings, folder.path());
    assert_eq!((done, printed.as_str()), (true, "There is no key: `paywright keys create` creates one.\n"), "{said}");
    forget_last_migration(&folder);
    let (done, _, said) = run(&["serve", "--migrate=check", "--bind", "127.0.0.1:0"], &settings, folder.path());
    assert!(
        !done && said.contains("orders.db lacks 1 migration(s)") && said.contains("run `paywright migrate`"),
        "{said}"
    );
    remember_last_migration(&folder);
    for mode in ["--migrate=check", "--migrate=off", "--migrate=auto"] {
        let mut command = command(&["serve", mode, "--bind", "127.0.0.1:0"], folder.path());
        command.envs(settings);
        let serve = Process::start(command);
        let ready = format!("{}/readyz", address_of(&serve));
        assert_eq!(client().get(ready).send().await.unwrap().status(), 200, "{mode}");
    }
}

/// The last migration of this version.
const LAST_MIGRATION: &str = "20261125000004";

fn in_file(folder: &TempDir, sql: &str) {
    let mut db = SqliteConnection::establish(folder.path().join("orders.db").to_str().unwrap()).unwrap();
    db.batch_execute(sql).unwrap();
}

/// Makes a file look like one of the previous version.
fn forget_last_migration(folder: &TempDir) {
    in_file(folder, &format!("DELETE FROM __diesel_schema_migrations WHERE version = '{LAST_MIGRATION}'"));
}

fn remember_last_migration(folder: &TempDir) {
    in_file(folder, &format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{LAST_MIGRATION}')"));
}

/// Every command that opens a database, except `migrate` and `serve`. `serve` of an older version may be running
/// meanwhile.
const COMMANDS: [&[&str]; 7] = [
    &["keys", "create", "--name", "x", "--scope", "orders:read"],
    &["keys", "list"],
    &["keys", "revoke", "0195ead7-0001-7000-8000-000000000001"],
    &["prices", "import", "prices.csv"],
    &["explain", "ORD-20250331-000001"],
    &["audit"],
    &["recover", "--since", "2026-01-01T00:00:00Z"],
];

#[tokio::test]
async fn only_migrate_and_serve_change_an_existing_schema() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    std::fs::write(folder.path().join("prices.csv"), "id,name,price_usd\nmug,Mug,9.50\n").unwrap();
    let url = database.url();
    let with = |url| [("PAYWRIGHT__DATABASE__URL", url), ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x")];
    let (server, file) = (with(url.as_str()), with("sqlite:orders.db"));
    let server_sql = async |sql: &str| database.client().await.batch_execute(sql).await.unwrap();
    for settings in [&server, &file] {
        assert!(run(&["migrate"], settings, folder.path()).0);
    }
    forget_last_migration(&folder);
    server_sql(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{LAST_MIGRATION}'")).await;
    for settings in [&server, &file] {
        for command in COMMANDS {
            let (done, _, said) = run(command, settings, folder.path());
            assert!(!done && said.contains("lacks 1 migration(s)"), "{command:?}: {said}");
            assert!(said.contains("run `paywright migrate`"), "{command:?}: {said}");
        }
    }
    // A database of the previous version is copied unchanged.
    let (done, printed, said) = run(&["backup", "copy.db"], &file, folder.path());
    assert!(done, "{printed}{said}");
    remember_last_migration(&folder);
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')";
    in_file(&folder, newer);
    server_sql(&format!("{newer}, ('{LAST_MIGRATION}')")).await;
    for settings in [&server, &file] {
        for command in COMMANDS {
            let (done, _, said) = run(command, settings, folder.path());
            assert!(!done && said.contains("was migrated by a newer version"), "{command:?}: {said}");
        }
    }
}

#[tokio::test]
async fn writing_commands_create_a_new_database_and_reading_ones_do_not() {
    let (folder, database) = (TempDir::new().unwrap(), Database::empty().await);
    std::fs::write(folder.path().join("prices.csv"), "id,name,price_usd\nmug,Mug,9.50\n").unwrap();
    let url = database.url();
    for url in [url.as_str(), "sqlite:orders.db"] {
        let settings = [("PAYWRIGHT__DATABASE__URL", url), ("PAYWRIGHT__STRIPE__SECRET_KEY", "sk_test_x")];
        for command in [COMMANDS[1], COMMANDS[2], COMMANDS[4], COMMANDS[5], COMMANDS[6]] {
            let (done, _, said) = run(command, &settings, folder.path());
            assert!(!done && said.contains("`paywright migrate`"), "{command:?}: {said}");
        }
        assert!(!folder.path().join("orders.db").exists(), "no database was created");
        let (done, printed, said) = run(COMMANDS[0], &settings, folder.path());
        assert!(done && printed.contains("pwk_"), "{url}: {said}");
        let (done, printed, said) = run(&["keys", "list"], &settings, folder.path());
        assert!(done && printed.contains("active"), "{url}: {said}");
    }
    let settings = [("PAYWRIGHT__DATABASE__URL", "sqlite:other.db")];
    let (done, _, said) = run(&["prices", "import", "prices.csv"], &settings, folder.path());
    assert!(done, "{said}");
}

#[test]
fn an_unusable_server_is_named_without_its_password_at_any_log_level() {
    let folder = TempDir::new().unwrap();
    let port = free_ports(1)[0];
    for (url, says) in [
        (format!("postgres://ada:hush@127.0.0.1:{port}/shop"), "no PostgreSQL answers at 127.0.0.1"),
        ("postgres://ada:hush@db:port/shop".into(), "the database address cannot be read"),
        ("postgres://ada:hush@db/shop?sslmode=perhaps".into(), "sslmode must be"),
    ] {
        let settings = [("PAYWRIGHT__DATABASE__URL", url.as_str()), ("RUST_LOG", "trace")];
        for command in [&["migrate"][..], &["keys", "list"]] {
            let (done, printed, said) = run(command, &settings, folder.path());
            assert!(!done && said.contains(says), "{url}: {said}");
            assert!(!said.contains("hush") && !printed.contains("hush"), "{url}: {said}");
        }
    }
}

/// Starts a twin with a delay, and writes the settings of a shop that uses it.
pub(crate) fn shop_on_a_twin(folder: &TempDir, latency_ms: &str) -> Process {
    std::fs::write(folder.path().join("token.secret"), format!("{SECRET}\n")).unwrap();
    let twin = Process::start(command(&["twin", "--port", "0", "--latency-ms", latency_ms], folder.path()));
    let settings = format!(
        "[database]\nurl = \"sqlite:orders.db\"\n[stripe]\napi_base = \"{}\"\nsecret_key = \"sk_test_x\"\n\
         [auth]\ntoken_secret_file = \"token.secret\"\n[http]\ndrain_seconds = 0\n",
        address_of(&twin)
    );
    std::fs::write(folder.path().join("paywright.toml"), settings).unwrap();
    twin
}

pub(crate) fn new_key(folder: &TempDir) -> String {
    let create = ["keys", "create", "--name", "storefront", "--scope", "orders:write", "--scope", "orders:read"];
    let (done, printed, said) = run(&create, &[], folder.path());
    assert!(done, "{said}");
    printed.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned()
}

/// Places an order of two lines.
pub(crate) async fn place(http: &Client, api: &str, key: &str) -> Answer {
    let place = http.post(format!("{api}/api/v1/shop/orders")).header("x-api-key", key);
    answer(place.header("content-type", "application/json").body(two_lines().to_string())).await
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_program_stops() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "2500");
    let key = new_key(&folder);
    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    let placed = place(&http, &api, &key).await;
    let url = format!("{api}/api/v1/shop/orders/{}/payment-intent", placed.body["data"]["id"].as_str().unwrap());
    let token = placed.body["data"]["token"].as_str().unwrap();
    let paying = tokio::spawn(answer(http.post(url).header("x-api-key", &key).bearer_auth(token)));
    tokio::time::sleep(std::time::Duration::from_millis(800)).await;
    let stopped = tokio::task::spawn_blocking(move || serve.terminate());
    assert_eq!(paying.await.unwrap().status, 200, "it was answered");
    assert_eq!(stopped.await.unwrap(), Some(0));
    assert!(http.get(format!("{api}/healthz")).send().await.is_err(), "the listener is closed");
}

/// As with a log collector that restarts, or `serve 2>&1 | head`: only the lines are lost.
#[tokio::test]
async fn a_program_with_a_closed_log_stream_serves_and_stops() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "0");
    let key = new_key(&folder);
    let serve = Process::start_with_closed_log(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    let placed = place(&http, &api, &key).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let stopped = tokio::task::spawn_blocking(move || serve.terminate());
    assert_eq!(stopped.await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_shop_needs_only_settings_keys_and_tokens() {
    let folder = TempDir::new().unwrap();
    let twin = shop_on_a_twin(&folder, "0");
    let key = new_key(&folder);
    let (_, listed, _) = run(&["keys", "list"], &[], folder.path());
    assert!(listed.contains("storefront") && listed.contains("active") && !listed.contains("pwk_"), "{listed}");
    let id = listed.split_whitespace().next().unwrap().to_owned();
    let (_, token, _) = run(&["token", "--customer", "cus-ada"], &[], folder.path());

    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0", "--log", "json"], folder.path()));
    let api = address_of(&serve);
    let http = client();
    let place = async || {
        let request = http.request(Method::POST, format!("{api}/api/v1/shop/orders")).header("x-api-key", &key);
        answer(request.header("content-type", "application/json").body(two_lines().to_string())).await
    };
    let placed = place().await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let url = format!("{api}/api/v1/shop/orders/{}/payment-intent", placed.body["data"]["id"].as_str().unwrap());
    let made = answer(http.post(url).header("x-api-key", &key).bearer_auth(token.trim())).await;
    assert_eq!(made.status, 200, "{made:?}");
    let (done, said, _) = run(&["keys", "revoke", &id], &[], folder.path());
    assert!(done && said.contains("revoked"), "{said}");
    // The running server refuses the key too, within the second for which it caches keys.
    tokio::time::sleep(std::time::Duration::from_secs(KEY_CACHED_SECONDS.into())).await;
    assert_eq!(place().await.code(), "api_key_revoked");
    assert_eq!(serve.terminate(), Some(0));
    assert_eq!(twin.terminate(), Some(0));
}

#[test]
fn help_lists_the_commands() {
    let folder = TempDir::new().unwrap();
    let (done, printed, _) = run(&["--help"], &[], folder.path());
    assert!(done);
    for word in ["dev", "serve", "twin", "migrate", "keys", "token"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
}

/// The shell is in another folder than `dev`.
#[tokio::test]
async fn another_command_works_on_the_data_of_dev() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let dev = Dev::start(&folder, &[]);
    let order = dev.place().await;
    let intent = dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
    dev.confirm(&intent, "pm_card_visa").await;
    dev.read_until(&order, |it| it["payment_status"] == "paid").await;
    let printed = dev.process.printed(|it| it.contains("books reconcile"));
    let done = Command::new("sh").args(["-c", printed.last().unwrap()]).current_dir(elsewhere.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), "0 breaks\n", "{}", String::from_utf8_lossy(&done.stderr));
    let settings = folder.path().join(".paywright/paywright.toml");
    assert_eq!(settings.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let settings = settings.to_str().unwrap();
    for command in [
        &["explain", order["number"].as_str().unwrap()][..],
        &["audit"],
        &["health"],
        &["webhooks", "list"],
        &["keys", "list"],
        &["events", "tail", "--no-follow"],
    ] {
        let (done, _, said) = run(&[command, &["--config", settings]].concat(), &[], elsewhere.path());
        assert!(done, "{command:?}: {said}");
    }
}

#[test]
fn completions_for_bash_are_a_script_that_bash_reads() {
    let folder = TempDir::new().unwrap();
    let (done, printed, said) = run(&["completions", "bash"], &[], folder.path());
    assert!(done && printed.contains("complete -F"), "{said}");
    std::fs::write(folder.path().join("completions"), printed).unwrap();
    let read = Command::new("bash").args(["-n", "completions"]).current_dir(folder.path()).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let (done, printed, _) = run(&["man"], &[], folder.path());
    assert!(done && printed.contains(".TH paywright 1") && printed.contains("PAYWRIGHT KEYS CREATE"), "{printed}");
    let (done, _, said) = run(&["completions", "tcsh"], &[], folder.path());
    assert!(!done && said.contains("possible values: bash, zsh, fish"), "{said}");
}
