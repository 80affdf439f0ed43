//! Files in the folder of `paywright dev`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use paywright_http_api::ApiKeyText;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::Failure;
use crate::world::random_bytes;

pub(super) const DATABASE_FILE: &str = "orders.db";
pub(super) const TWIN_FILE: &str = "twin.json";
const SECRETS_FILE: &str = "secrets.json";
const SETTINGS_FILE: &str = "paywright.toml";
/// Networks of receivers under development: this machine.
pub(super) const RECEIVERS: &str = "127.0.0.0/8, ::1/128";
/// A secret key for the twin, which accepts any that begins with `sk_test_`.
pub(super) const TWIN_KEY: &str = "sk_test_twin";

/// Secrets that were generated at the first start. They give access to this folder's demo shop only.
#[derive(Serialize, Deserialize)]
pub(super) struct Secrets {
    /// 32 bytes in hexadecimal, from which the API key is made.
    api_key: String,
    pub(super) webhook: String,
    pub(super) token: String,
}

impl Secrets {
    pub(super) fn of(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(SECRETS_FILE);
        if path.exists() {
            let read = std::fs::read_to_string(&path)?;
            let parsed = serde_json::from_str(&read);
            return Ok(parsed.map_err(|error| {
                format!("{} cannot be read ({error}): start over with `paywright dev --fresh`", path.display())
            })?);
        }
        let secrets = Self {
            api_key: hex::encode(random_bytes()?),
            webhook: format!("whsec_{}", hex::encode(random_bytes()?)),
            token: hex::encode(random_bytes()?),
        };
        write_private(&path, &serde_json::to_string_pretty(&secrets)?)?;
        Ok(secrets)
    }

    pub(super) fn api_key(&self) -> Result<ApiKeyText, Failure> {
        let bytes = hex::decode(&self.api_key).ok().and_then(|it| it.try_into().ok());
        Ok(ApiKeyText::from_random(bytes.ok_or("the API key of this folder is damaged: start over with --fresh")?))
    }
}

/// Writes a file that only its owner can read (mode 600).
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Writes a settings file with which other commands work on the same data, and returns its absolute path. The twin's
/// port may be another one after each start.
pub(super) fn write_settings(
    folder: &Path,
    address: SocketAddr,
    twin: SocketAddr,
    secrets: &Secrets,
) -> Result<PathBuf, Failure> {
    let folder = folder.canonicalize()?;
    let section = |settings: &[(&str, &str)]| -> Value {
        settings.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect::<Table>().into()
    };
    let settings = Table::from_iter([
        ("http".to_owned(), section(&[("bind", &address.to_string())])),
        ("database".to_owned(), section(&[("url", &format!("sqlite:{}", folder.join(DATABASE_FILE).display()))])),
        (
            "stripe".to_owned(),
            section(&[
                ("secret_key", TWIN_KEY),
                ("webhook_secrets", &secrets.webhook),
                ("api_base", &format!("http://{twin}")),
            ]),
        ),
        ("auth".to_owned(), section(&[("token_secret", &secrets.token)])),
        ("console".to_owned(), section(&[("enabled", "true")])),
        (
            "webhooks".to_owned(),
            section(&[("secret_key", &secrets.token), ("allow_http", "true"), ("allowed_networks", RECEIVERS)]),
        ),
    ]);
    let path = folder.join(SETTINGS_FILE);
    write_private(&path, &settings.to_string())?;
    Ok(path)
}

/// Removes the files of earlier starts.
pub(super) fn start_over(folder: &Path) -> Result<(), Failure> {
    let wal = [format!("{DATABASE_FILE}-wal"), format!("{DATABASE_FILE}-shm")];
    let names =
        [DATABASE_FILE, TWIN_FILE, SECRETS_FILE, SETTINGS_FILE].into_iter().chain(wal.iter().map(String::as_str));
    for name in names {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{} cannot be removed: {error}", folder.join(name).display()).into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
