//! The Spree dialect as storefronts speak it: by the official client of npm, in Node.

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Answer, Dev, answer, run};
use crate::served::{Stand, on_both_stores};

on_both_stores! {
    the_official_client_buys_and_pays
}

/// What is sold in these tests: the shelves of `paywright dev`.
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
async fn platform(dev: &Dev, method: Method, path: &str, body: &Value) -> Answer {
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    let request = dev.http.request(method, format!("{base}/api/v2/platform{path}")).header("x-api-key", &dev.key);
    answer(request.header("content-type", "application/json").body(body.to_string())).await
}

async fn the_official_client_buys_and_pays(stand: &Stand) {
    let dev = stand.start(true).await;
    let listed = platform(&dev, Method::PUT, "/variants", &json!({ "variants": variants() })).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let terms: Value = serde_json::from_str(TERMS).unwrap();
    let agreed = platform(&dev, Method::PUT, "/terms", &json!({ "terms": terms })).await;
    assert_eq!(agreed.status, 200, "{agreed:?}");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spree-sdk");
    assert!(
        folder.join("node_modules/@spree/storefront-api-v2-sdk").is_dir(),
        "the client is not installed: run scripts/test, or `npm ci` in tests/spree-sdk"
    );
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap", "storefront.test.mjs"])
        .current_dir(folder)
        .env("PAYWRIGHT_URL", dev.api.strip_suffix("/api/v1/shop").unwrap())
        .env("STRIPE_TWIN_URL", &dev.twin)
        .env("CUSTOMER_TOKEN", &dev.token)
        .stdin(Stdio::null())
        .output()
        .expect("Node runs: scripts/test says what is missing");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}\n{}", String::from_utf8_lossy(&output.stderr), dev.process.logged());
    assert!(said.contains("# pass 7"), "every test of it ran: {said}");
}

#[test]
fn a_price_list_is_imported_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let settings = [("PAYWRIGHT__DATABASE__URL", "sqlite:orders.db")];
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("prices.csv", include_str!("../../src/demo/prices.csv"));
    let (done, printed, said) = run(&["prices", "import", "prices.csv"], &settings, folder.path());
    assert!(done && printed.contains("5 variants are on the price list"), "{printed}{said}");
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
    assert!(done && printed.contains("3 ways to ship, 3 taxes, 2 coupons"), "{printed}{said}");
    write("terms.json", r#"{ "taxes": [{ "name": "VAT", "country": "DE", "percent": "119" }] }"#);
    let (done, _, said) = run(&["prices", "terms", "terms.json"], &settings, folder.path());
    assert!(!done && said.contains("terms.json: must be a percentage"), "{said}");
}
