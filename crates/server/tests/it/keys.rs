//! API keys of the built program: rotation, networks, limits, and the audit of their scopes.

use std::time::Instant;

use paywright_app::KEY_CACHED_SECONDS;
use reqwest::Client;
use tempfile::TempDir;

use crate::command_line::{new_key, place, shop_on_a_twin};
use crate::program::{Answer, Process, TIMEOUT, address_of, answer, client, command, run};

/// Output of a command that must succeed.
fn done(args: &[&str], folder: &TempDir) -> String {
    let (done, printed, said) = run(args, &[], folder.path());
    assert!(done, "{args:?}: {said}");
    printed
}

/// Text of the key in the output of a command.
fn key_in(printed: &str) -> String {
    printed.lines().find(|it| it.starts_with("pwk_")).unwrap().to_owned()
}

/// Id of the newest key.
fn newest(folder: &TempDir) -> String {
    done(&["keys", "list"], folder).split_whitespace().next().unwrap().to_owned()
}

async fn list(http: &Client, api: &str, key: &str) -> Answer {
    answer(http.get(format!("{api}/api/v1/shop/orders")).header("x-api-key", key)).await
}

#[tokio::test]
async fn a_key_is_rotated_beneath_a_program_that_calls_all_the_time() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "0");
    let old = new_key(&folder);
    let id = newest(&folder);
    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    assert_eq!(place(&http, &api, &old).await.status, 201);
    let printed = done(&["keys", "rotate", &id, "--overlap", "2s"], &folder);
    let new = key_in(&printed);
    assert!(printed.contains(&format!("replaces {id}, which is valid until 20")), "{printed}");
    // The program takes its new key a moment later.
    assert_eq!(place(&http, &api, &old).await.status, 201);
    let begun = Instant::now();
    loop {
        assert_eq!(place(&http, &api, &new).await.status, 201);
        let told = list(&http, &api, &old).await;
        if told.status != 200 {
            assert_eq!((told.status, told.code()), (401, "api_key_rotated"));
            break;
        }
        assert!(begun.elapsed() < TIMEOUT, "the old key remains valid");
    }
    let listed = done(&["keys", "list"], &folder);
    let of_old = listed.lines().find(|it| it.starts_with(&id)).unwrap();
    assert!(of_old.contains("rotated 20") && of_old.contains(&newest(&folder)), "{listed}");
    let (again, _, said) = run(&["keys", "rotate", &id], &[], folder.path());
    assert!(!again && said.contains(&format!("is replaced by {} already", newest(&folder))), "{said}");
    let more = ["keys", "rotate", &newest(&folder), "--scope", "books:read"];
    let (done_so, _, said) = run(&more, &[], folder.path());
    assert!(!done_so && said.contains("has no scope books:read"), "{said}");
    // 0s ends the old key at once.
    let third = key_in(&done(&["keys", "rotate", &newest(&folder), "--overlap", "0s"], &folder));
    tokio::time::sleep(std::time::Duration::from_secs(KEY_CACHED_SECONDS.into())).await;
    assert_eq!(list(&http, &api, &new).await.code(), "api_key_rotated");
    assert_eq!(list(&http, &api, &third).await.status, 200);
    // Its program gets another key of the same application after a revocation, too.
    done(&["keys", "revoke", &newest(&folder)], &folder);
    let printed = done(&["keys", "rotate", &newest(&folder), "--scope", "orders:read"], &folder);
    assert!(
        printed.contains("which is not valid any more") && printed.contains("the scopes orders:read."),
        "{printed}"
    );
    assert_eq!(list(&http, &api, &key_in(&printed)).await.status, 200);
    assert_eq!(place(&http, &api, &key_in(&printed)).await.code(), "scope_missing");
    assert_eq!(serve.terminate(), Some(0));
}

#[tokio::test]
async fn an_audit_names_the_scopes_that_a_key_has_not_used() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "0");
    let key = new_key(&folder);
    done(&["keys", "create", "--name", "idle", "--scope", "books:read", "--network", "192.0.2.7"], &folder);
    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    assert_eq!(list(&http, &api, &key).await.status, 200);
    // A process stores the uses at the latest when it stops.
    assert_eq!(serve.terminate(), Some(0));
    let audited = done(&["keys", "audit"], &folder);
    let after = |name: &str| audited.lines().skip_while(|it| !it.contains(name)).skip(1).take(2).collect::<String>();
    assert!(after("storefront").contains("used: orders:read (20"), "{audited}");
    assert!(after("storefront").contains("): orders:write"), "{audited}");
    assert!(after("idle").contains("not used since it was created (20"), "{audited}");
    let listed = done(&["keys", "list"], &folder);
    let line = |name: &str| listed.lines().find(|it| it.contains(name)).unwrap();
    assert!(line("storefront").contains("last used 20"), "{listed}");
    assert!(line("idle").contains("never used") && line("idle").contains("from 192.0.2.7/32"), "{listed}");
}

#[tokio::test]
async fn a_key_is_refused_elsewhere_and_beyond_its_limit() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "0");
    let create = ["keys", "create", "--name", "x", "--scope", "orders:read"];
    let elsewhere = key_in(&done(&[&create[..], &["--network", "10.0.0.0/8"]].concat(), &folder));
    let here = ["--network", "10.0.0.0/8", "--network", "127.0.0.0/8", "--per-minute", "60"];
    let here = key_in(&done(&[&create[..], &here].concat(), &folder));
    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    let told = list(&http, &api, &elsewhere).await;
    assert_eq!((told.status, told.code()), (403, "api_key_network_not_allowed"), "{told:?}");
    let mut allowed = 0;
    loop {
        let told = list(&http, &api, &here).await;
        if told.status != 200 {
            assert_eq!((told.status, told.code()), (429, "rate_limited"), "{told:?}");
            break;
        }
        allowed += 1;
        assert!(allowed < 200, "no limit");
    }
    assert!(allowed >= 10, "{allowed}");
    assert_eq!(serve.terminate(), Some(0));
}

#[test]
fn wrong_arguments_of_keys_are_named() {
    let folder = TempDir::new().unwrap();
    for (args, says) in [
        (vec!["rotate", "x", "--overlap", "1y"], "must be a number and s, m, h or d"),
        (vec!["rotate", "x", "--overlap", "366d"], "at most 365d"),
        (vec!["rotate", "x", "--overlap", "☕"], "must be a number and s, m, h or d"),
        (
            vec!["create", "--name", "x", "--scope", "orders:read", "--network", "10.0.0.1/8"],
            "the network is 10.0.0.0/8",
        ),
        (vec!["create", "--name", "x", "--scope", "orders:read", "--network", "shop"], "must be a network"),
        (
            vec!["create", "--name", "x", "--scope", "orders:read", "--network", "::ffff:10.0.0.0/104"],
            "in IPv4 notation",
        ),
        (vec!["create", "--name", "x", "--scope", "orders:read", "--per-minute", "0"], "--per-minute"),
        (vec!["audit", "--days", "0"], "--days"),
    ] {
        let (done, _, said) = run(&[&["keys"][..], &args].concat(), &[], folder.path());
        assert!(!done && said.contains(says), "{args:?}: {said}");
    }
}

/// The whole life of a key and of an endpoint, as the command prints it.
#[tokio::test]
async fn the_audit_trail_names_who_changed_access_and_from_where() {
    let folder = TempDir::new().unwrap();
    let _twin = shop_on_a_twin(&folder, "0");
    done(&["migrate"], &folder);
    assert_eq!(done(&["audit-trail"], &folder), "There is no such entry in the audit trail.\n");
    let text = new_key(&folder);
    let id = newest(&folder);
    let serve = Process::start(command(&["serve", "--bind", "127.0.0.1:0"], folder.path()));
    let (api, http) = (address_of(&serve), client());
    let placed = place(&http, &api, &text).await;
    let order = placed.body["data"]["id"].as_str().unwrap().to_owned();
    let cancel = http.post(format!("{api}/api/v1/shop/orders/{order}/cancel")).header("x-request-id", "till-1");
    assert_eq!(answer(cancel.header("x-api-key", &text)).await.status, 200);
    done(&["keys", "rotate", &id, "--overlap", "1h"], &folder);
    done(&["keys", "revoke", &id], &folder);
    done(&["keys", "revoke", &id], &folder);
    let trail = done(&["audit-trail"], &folder);
    let acts: Vec<_> = trail.lines().map(|it| it.split_whitespace().nth(1).unwrap()).collect();
    let expected = ["revoked", "created", "rotated"].map(|it| format!("api_key.{it}"));
    let expected = [&expected[..], &["cancellation.requested".to_owned(), "api_key.created".to_owned()]].concat();
    let sorted = |acts: &[&str]| {
        let mut acts: Vec<_> = acts.iter().map(|it| (*it).to_owned()).collect();
        // Both entries of a rotation are of one moment.
        acts[1..3].sort();
        acts
    };
    assert_eq!(sorted(&acts), expected, "{trail}");
    let by_operator = trail.lines().filter(|it| it.contains("  by operator ") && !it.contains(" from 127")).count();
    assert_eq!(by_operator, 4, "{trail}");
    assert!(!trail.contains("pwk_"), "{trail}");
    let canceled = format!(
        "cancellation.requested  {order}  cancellation  by API key \"storefront\" ({id}) from 127.0.0.1  request till-1"
    );
    let of_key = done(&["audit-trail", "--key", &id], &folder);
    assert!(of_key.lines().count() == 1 && of_key.contains(&canceled), "{of_key}");
    let number = placed.body["data"]["number"].as_str().unwrap();
    for subject in [&order, number, &order.to_uppercase()] {
        assert_eq!(done(&["audit-trail", "--subject", subject], &folder), of_key);
    }
    let (wrong, _, said) = run(&["audit-trail", "--key", &text], &[], folder.path());
    assert!(!wrong && said.contains("by its id") && !said.contains("pwk_"), "{said}");
    let newest_alone = done(&["audit-trail", "--limit", "1"], &folder);
    assert!(newest_alone.contains("revoked") && newest_alone.contains("(--limit)"), "{newest_alone}");
    let later = ["audit-trail", "--since", "2100-01-01T00:00:00Z"];
    assert_eq!(done(&later, &folder), "There is no such entry in the audit trail.\n");
    assert_eq!(serve.terminate(), Some(0));
}
