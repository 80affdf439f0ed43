//! Sources of the key set by which customers' tokens are verified: a URL and a file.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paywright_http_api::{KEY_SET_BYTES_MAX, KeySet, KeySetError, KeySetRead, KeySetSource};
use reqwest::header::ACCEPT;
use reqwest::{StatusCode, redirect};
use url::Url;

use crate::Failure;
use crate::world::now;

/// Time limit of a read, from the resolution of the name to the end of the answer. Requests with an unknown key wait for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a connection, TLS included, within the time limit of the read.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between reads of a URL, after which a key that was removed there is not accepted any more.
const URL_PAUSE: Duration = Duration::from_secs(15 * 60);
/// Pause between reads of a file, and after a failure. A second more than the shortest, so that no read is too soon.
const SHORT_PAUSE: Duration = Duration::from_secs(61);
/// Name and version of this program in the `User-Agent` header.
const AGENT: &str = concat!("Paywright/", env!("CARGO_PKG_VERSION"));

const NO_USABLE_KEY: &str = "auth.jwks_file names a key set without a usable key: RSA of 2048 to 4096 bits, P-256 or \
                             Ed25519, for signatures";

fn unreadable(error: &dyn Error) -> Failure {
    format!("the key set that auth.jwks_file names cannot be read: {error}").into()
}

/// Checks that a file has a key set with a usable key.
pub(crate) fn check_file(path: &Path) -> Result<(), Failure> {
    let text = read_file(path).map_err(|error| unreadable(&error))?;
    match KeySet::count_keys(&text).map_err(|error| unreadable(&error))? {
        0 => Err(NO_USABLE_KEY.into()),
        _ => Ok(()),
    }
}

/// Reads a file: a byte more than a set may have at most, so that a larger one is refused.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(KEY_SET_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut text)?;
    Ok(text)
}

/// Place of a key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Url(Url),
    File(PathBuf),
}

/// Key set of an issuer, and where it is.
pub(crate) struct IssuersKeys {
    pub(crate) set: Arc<KeySet>,
    place: Place,
}

impl IssuersKeys {
    /// Takes the place of a set, which is not read yet.
    pub(crate) fn at(place: Place) -> Result<Self, Failure> {
        let source: Arc<dyn KeySetSource> = match &place {
            Place::Url(url) => Arc::new(KeySetUrl::new(url.clone())?),
            Place::File(path) => Arc::new(KeySetFile(path.clone())),
        };
        Ok(Self { set: Arc::new(KeySet::new(source)), place })
    }

    /// Reads the set, and reads it again from time to time until the process ends. Without a file there is no start; a URL
    /// may not answer yet.
    pub(crate) async fn start(self) -> Result<(), Failure> {
        match &self.place {
            Place::Url(_) => drop(self.set.refresh_or_warn(now()).await),
            Place::File(_) => match self.set.refresh(now()).await {
                Ok(KeySetRead::Read { keys: 0 }) => return Err(NO_USABLE_KEY.into()),
                Ok(KeySetRead::Read { .. } | KeySetRead::TooSoon) => {}
                Err(error) => return Err(unreadable(&error)),
            },
        }
        tokio::spawn(self.keep_fresh());
        Ok(())
    }

    async fn keep_fresh(self) {
        let mut pause = SHORT_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = match (self.set.refresh_or_warn(now()).await, &self.place) {
                (true, Place::Url(_)) => URL_PAUSE,
                (true, Place::File(_)) | (false, _) => SHORT_PAUSE,
            };
        }
    }
}

/// Key set at a URL.
struct KeySetUrl {
    http: reqwest::Client,
    url: Url,
}

impl KeySetUrl {
    /// Makes a client for the URL. rustls must have a default provider.
    fn new(url: Url) -> Result<Self, Failure> {
        let mut http = reqwest::Client::builder()
            .user_agent(AGENT)
            // The keys are those of the URL that the operator has set, and of no other.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(0);
        if url.scheme() == "http" {
            // A loopback address, which an outgoing proxy could not reach.
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, url })
    }
}

#[async_trait]
impl KeySetSource for KeySetUrl {
    async fn read(&self) -> Result<Vec<u8>, KeySetError> {
        let request = self.http.get(self.url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        let mut response = request.send().await.map_err(|error| self.unavailable(error))?;
        if response.status() != StatusCode::OK {
            let host = self.url.host_str().unwrap_or_default();
            let status = response.status().as_u16();
            return Err(KeySetError::Unavailable(format!("{host} answered with the status {status}, not 200").into()));
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unavailable(error))? {
            if text.len() + chunk.len() > KEY_SET_BYTES_MAX {
                return Err(KeySetError::TooLarge);
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}

impl KeySetUrl {
    /// Error for a set that did not arrive. Of the URL it names the host alone.
    fn unavailable(&self, error: reqwest::Error) -> KeySetError {
        let host = self.url.host_str().unwrap_or_default();
        if error.is_timeout() {
            let seconds = TIMEOUT.as_secs();
            return KeySetError::Unavailable(format!("{host} did not answer within {seconds} seconds").into());
        }
        let error = error.without_url();
        let mut cause: &dyn Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        KeySetError::Unavailable(format!("{host} gave no answer: {cause}").into())
    }
}

/// Key set in a file.
struct KeySetFile(PathBuf);

#[async_trait]
impl KeySetSource for KeySetFile {
    async fn read(&self) -> Result<Vec<u8>, KeySetError> {
        let path = self.0.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&path));
        let read = read.await.map_err(|error| KeySetError::Unavailable(Box::new(error)))?;
        read.map_err(|error| KeySetError::Unavailable(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use tempfile::TempDir;

    use super::*;

    /// Reads a set from a server that answers once with these bytes, and closes the connection.
    async fn read_from(answer: Vec<u8>) -> Result<Vec<u8>, KeySetError> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys?tenant=hush", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            head.take_while(|it| !it.is_empty()).for_each(drop);
            // The client may close before it has read all.
            drop(stream.write_all(&answer));
        });
        let read = KeySetUrl::new(url.parse().unwrap()).unwrap().read().await;
        server.join().unwrap();
        read
    }

    fn answer(head: &str, body: &[u8]) -> Vec<u8> {
        [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
    }

    #[test]
    fn no_background_read_is_too_soon() {
        for pause in [URL_PAUSE, SHORT_PAUSE] {
            assert!(pause.as_secs() > paywright_http_api::KEY_SET_PAUSE_SECONDS.into());
        }
    }

    #[tokio::test]
    async fn a_url_gives_its_set_and_nothing_else() {
        assert_eq!(read_from(answer("200 OK", b"{\"keys\":[]}")).await.unwrap(), b"{\"keys\":[]}");
        let largest = vec![b' '; KEY_SET_BYTES_MAX];
        assert_eq!(read_from(answer("200 OK", &largest)).await.unwrap().len(), KEY_SET_BYTES_MAX);
        for (given, says) in [
            (answer("200 OK", &vec![b' '; KEY_SET_BYTES_MAX + 1]), "it has more than 262144 bytes"),
            (answer("302 Found\r\nLocation: http://127.0.0.1:9/", b""), "answered with the status 302, not 200"),
            (answer("500 Internal Server Error", b"{\"keys\":[]}"), "answered with the status 500, not 200"),
            (answer("204 No Content", b""), "answered with the status 204, not 200"),
            (answer("200 OK\r\nContent-Length: 100", b"{\"keys\":"), "127.0.0.1 gave no answer: "),
            (Vec::new(), "127.0.0.1 gave no answer: "),
        ] {
            let error = read_from(given).await.unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hush"), "{says}: {error}");
        }
    }

    #[tokio::test]
    async fn a_file_gives_its_present_text() {
        let folder = TempDir::new().unwrap();
        let file = KeySetFile(folder.path().join("keys.json"));
        let error = file.read().await.unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
        for text in ["{}", "{\"keys\":[]}"] {
            std::fs::write(&file.0, text).unwrap();
            assert_eq!(file.read().await.unwrap(), text.as_bytes());
        }
        std::fs::write(&file.0, vec![b' '; 2 * KEY_SET_BYTES_MAX]).unwrap();
        assert_eq!(file.read().await.unwrap().len(), KEY_SET_BYTES_MAX + 1, "enough to be refused by");
    }
}
