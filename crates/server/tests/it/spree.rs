//! The Spree dialect, called by Spree's official npm client in Node, and by an OAuth 2.0 client in Python.

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Dev, answer, run};
use crate::served::{Served, Stand, on_both_stores};

on_both_stores! {
    the_official_spree_client_buys_and_pays
}

/// Variants for sale in these tests: the sample price list of `paywright dev`.
fn variants() -> Value {
    let variant = |id: &str, name: &str, usd: &str| json!({ "id": id, "name": name, "prices": { "USD": usd } });
    json!([
        variant("mug", "Enamel mug", "14.00"),
        variant("teapot", "Teapot", "49.00"),
        variant("leaves", "Green tea", "9.50"),
        variant("spoon", "Measuring spoon", "4.20"),
    ])
}

const TERMS: &str = include_str!("../../src/demo/terms.json");

/// Calls the platform API as an application of the shop.
pub(crate) async fn platform(dev: &Dev, method: Method, path: &str, body: &Value) -> Answer {
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    let request = dev.http.request(method, format!("{base}/api/v2/platform{path}")).header("x-api-key", &dev.key);
    answer(request.header("content-type", "application/json").body(body.to_string())).await
}

async fn the_official_spree_client_buys_and_pays(stand: &Stand) {
    let dev = stand.start(true).await;
    let listed = platform(&dev, Method::PUT, "/variants", &json!({ "variants": variants() })).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let terms: Value = serde_json::from_str(TERMS).unwrap();
    let agreed = platform(&dev, Method::PUT, "/terms", &json!({ "terms": terms })).await;
    assert_eq!(agreed.status, 200, "{agreed:?}");

    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    let environment = [("PAYWRIGHT_URL", base), ("STRIPE_TWIN_URL", dev.twin.as_str()), ("CUSTOMER_TOKEN", &dev.token)];
    node("spree-sdk", "storefront.test.mjs", 11, &environment, &dev);
}

/// Creates an API key, and returns its id and its text.
fn client_of(served: &Served) -> (String, String) {
    let scopes = ["--scope", "orders:read", "--scope", "orders:write"];
    let (done, printed, said) = served.run(&[&["keys", "create", "--name", "erp"], &scopes[..]].concat());
    assert!(done, "{said}");
    let is_id = |it: &&str| it.len() == 36 && it.matches('-').count() == 4;
    let id = printed.split_whitespace().find(is_id);
    let text = printed.lines().find(|it| it.starts_with("pwk_"));
    (id.expect("the id is printed").to_owned(), text.expect("the text is printed").to_owned())
}

/// Five orders, of which one is paid.
#[tokio::test]
async fn an_oauth_client_logs_in_with_an_api_key_and_polls_orders() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("orders.db").display());
    let served = Served::start(&database, 1, true, "0").await;
    let (id, secret) = client_of(&served);
    let dev = served.into_dev();
    for _ in 0..4 {
        dev.place().await;
    }
    let order = dev.place().await;
    let made = dev.intent(&order).await;
    dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
    dev.read_until_settled(&order).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spree-platform");
    let interpreter = folder.join(".venv/bin/python");
    assert!(interpreter.is_file(), "its environment is missing: run scripts/test ({})", interpreter.display());
    let output = Command::new(interpreter)
        .args(["-m", "unittest"])
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PAYWRIGHT_URL", dev.api.strip_suffix("/api/v1/shop").unwrap())
        .env("CLIENT_ID", id)
        .env("CLIENT_SECRET", secret)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).join("\n");
    assert!(output.status.success() && printed.contains("Ran 5 tests in "), "{printed}\n{}", dev.process.logged());
}

/// Runs the `count` tests of a file in Node.
pub(crate) fn node(folder: &str, file: &str, count: usize, environment: &[(&str, &str)], dev: &Dev) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(folder);
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "what it needs is not installed: run scripts/test, or `npm ci` in {}", folder.display());
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap", file])
        .current_dir(folder)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("Node runs: scripts/test says what is missing");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&output.stderr), dev.process.logged());
    assert!(said.contains(&format!("# pass {count}\n")), "every test of it ran: {said}");
}

/// Path of a browser: that of `CHROMIUM`, or the first one found.
pub(crate) fn browser() -> String {
    let named = std::env::var("CHROMIUM").ok();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut found = ["chromium", "chromium-browser", "google-chrome"].iter().flat_map(|name| {
        std::env::split_paths(&path).map(|it| it.join(name)).filter(|it| it.is_file()).collect::<Vec<_>>()
    });
    let browser = named.or_else(|| found.next().map(|it| it.display().to_string()));
    browser.expect("there is no Chromium: scripts/test installs one, or set CHROMIUM to the path of another")
}

#[tokio::test]
async fn the_demo_shop_sells_in_a_browser() {
    let folder = TempDir::new().unwrap();
    let dev = Dev::start(&folder, &[]);
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    node("demo", "demo.test.mjs", 6, &[("PAYWRIGHT_URL", base), ("CHROMIUM", &browser())], &dev);
}

#[tokio::test]
async fn the_demo_shop_pays_by_the_payment_element_with_a_publishable_key() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("orders.db").display());
    let more = "stripe.publishable_key = \"pk_test_demo\"\nstorefront.demo = true";
    let dev = Served::start_with(&database, 1, true, "0", more).await.into_dev();
    assert_eq!(platform(&dev, Method::PUT, "/variants", &json!({ "variants": variants() })).await.status, 200);
    let terms: Value = serde_json::from_str(TERMS).unwrap();
    assert_eq!(platform(&dev, Method::PUT, "/terms", &json!({ "terms": terms })).await.status, 200);
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    let environment = [("PAYWRIGHT_URL", base), ("STRIPE_TWIN_URL", dev.twin.as_str()), ("CHROMIUM", &browser())];
    node("demo", "element.test.mjs", 2, &environment, &dev);
}

#[test]
fn a_price_list_is_imported_completely_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let settings = [("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db")];
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("prices.csv", include_str!("../../src/demo/prices.csv"));
    let (done, printed, said) = run(&["prices", "import", "prices.csv"], &settings, folder.path());
    assert!(done && printed.contains("5 variants were imported"), "{printed}{said}");
    write("wrong.csv", "id,name,price_usd\nmug,Mug,12.001\ncap,Cap,1.00\n");
    let (done, _, said) = run(&["prices", "import", "wrong.csv"], &settings, folder.path());
    assert!(
        !done && said.contains("nothing of wrong.csv was imported") && said.contains("line 2: price_usd"),
        "{said}"
    );
    let (done, _, said) = run(&["prices", "import", "none.csv"], &settings, folder.path());
    assert!(!done && said.contains("none.csv cannot be read"), "{said}");
    write("terms.json", TERMS);
    let (done, printed, said) = run(&["prices", "terms", "terms.json"], &settings, folder.path());
    assert!(done && printed.contains("3 shipping rates, 3 taxes, 2 coupons"), "{printed}{said}");
    write("terms.json", r#"{ "taxes": [{ "name": "VAT", "country": "DE", "percent": "119" }] }"#);
    let (done, _, said) = run(&["prices", "terms", "terms.json"], &settings, folder.path());
    assert!(!done && said.contains("nothing of terms.json was imported"), "{said}");
    assert!(said.contains("taxes[0].percent must be a percentage"), "{said}");
    write("terms.json", r#"{ "taxes": [["VAT", "DE", "19"]], "coupons": {}, "shipping": [{ "id": "post" }] }"#);
    let (done, _, said) = run(&["prices", "terms", "terms.json"], &settings, folder.path());
    for problem in ["taxes[0] must be an object", "coupons must be an array", "shipping[0].name is missing"] {
        assert!(!done && said.contains(problem), "{said}");
    }
}
