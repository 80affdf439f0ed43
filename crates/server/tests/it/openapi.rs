//! Outside judges of the OpenAPI description: a validator, Schemathesis, a typed client and a browser.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::program::Dev;
use crate::spree::browser;

/// Folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

/// Server with a twin, in a folder of its own.
struct Shop {
    dev: Dev,
    _folder: TempDir,
}

impl Shop {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        Self { dev: Dev::start(&folder, &[]), _folder: folder }
    }

    fn url(&self) -> &str {
        self.dev.api.strip_suffix("/api/v1/shop").unwrap()
    }

    /// Runs a command that must succeed, and returns what it printed.
    fn passes(&self, mut command: Command, folder: &Path) -> String {
        let environment = [
            ("PAYWRIGHT_URL", self.url()),
            ("PAYWRIGHT_KEY", &self.dev.key),
            ("PAYWRIGHT_TOKEN", &self.dev.token),
            ("STRIPE_TWIN_URL", &self.dev.twin),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ];
        command.current_dir(folder).envs(environment).stdin(Stdio::null());
        let output = command.output().expect("scripts/test installs the interpreter");
        let printed = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).join("\n");
        assert!(output.status.success(), "{printed}\n{}", self.dev.process.logged());
        printed
    }
}

/// Program of the Python environment of these tests.
fn python(program: &str) -> Command {
    let program = folder("openapi").join(".venv/bin").join(program);
    assert!(program.is_file(), "it is not installed: run scripts/test ({})", program.display());
    Command::new(program)
}

#[tokio::test]
async fn the_description_is_valid_openapi() {
    let shop = Shop::open();
    let response = shop.dev.http.get(format!("{}/openapi.json", shop.url())).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response.text().await.unwrap();
    assert_eq!(text, paywright_http_api::description());
    assert!(text.starts_with("{\"openapi\":\"3.1."), "{}", &text[..40]);
    let files = TempDir::new().unwrap();
    std::fs::write(files.path().join("openapi.json"), text).unwrap();
    let mut judge = python("python");
    judge.args(["-m", "openapi_spec_validator", "openapi.json"]);
    let printed = shop.passes(judge, files.path());
    assert!(printed.contains("openapi.json: OK"), "{printed}");
}

#[tokio::test]
async fn schemathesis_finds_no_difference_to_the_description() {
    let shop = Shop::open();
    let order = shop.dev.place().await;
    let intent = shop.dev.intent(&order).await.body["data"]["id"].as_str().unwrap().to_owned();
    shop.dev.confirm(&intent, "pm_card_visa").await;
    shop.dev.read_until_settled(&order).await;
    // Nothing listens at this port, so that each attempt fails at once.
    let url = json!({ "url": "http://127.0.0.1:9/hooks" });
    let endpoint = shop.dev.call(Method::POST, "/webhook_endpoints", Some(&url)).await;
    assert_eq!(endpoint.status, 201, "{endpoint:?}");
    let mut judge = python("schemathesis");
    let settings = folder("openapi").join("schemathesis.toml");
    judge.arg("--config-file").arg(settings).args(["run", "--no-color", "--max-examples", "20"]);
    judge.arg(format!("{}/openapi.json", shop.url()));
    judge.env("PAYWRIGHT_ORDER", order["id"].as_str().unwrap());
    judge.env("PAYWRIGHT_ENDPOINT", endpoint.body["data"]["id"].as_str().unwrap());
    let files = TempDir::new().unwrap();
    let printed = shop.passes(judge, files.path());
    assert!(printed.contains("Selected: 37/37") && printed.contains("No issues found"), "{printed}");
}

#[test]
fn a_client_typed_by_the_description_compiles_and_sells() {
    let shop = Shop::open();
    let folder = folder("openapi-client");
    let installed = folder.join("node_modules").is_dir();
    assert!(installed, "its packages are not installed: run scripts/test, or `npm ci` in {}", folder.display());
    let mut printed = String::new();
    for script in ["generate", "build", "sale"] {
        let mut npm = Command::new("npm");
        npm.args(["run", "--silent", script]);
        printed = shop.passes(npm, &folder);
    }
    assert!(printed.contains(" is paid"), "{printed}");
}

#[test]
fn the_page_of_the_description_needs_no_network() {
    let shop = Shop::open();
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap", "docs.test.mjs"]).env("CHROMIUM", browser());
    let printed = shop.passes(node, &folder("demo"));
    assert!(printed.contains("# pass 1\n"), "{printed}");
}
