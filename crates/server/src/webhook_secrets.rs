//! The file of the webhook secrets: commands replace it, and serving processes read it again when it changes.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paywright_app::{SecretStoreError, WebhookSecretStore};
use paywright_payments_stripe::{SecretSet, WebhookSecrets};
use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret, SecretString};

use crate::Failure;
use crate::settings::secrets::{read, unreadable};
use crate::settings::stripe::{WEBHOOK_SECRETS_FILE, webhook_secrets_in};

/// Pause between two reads of the file by a serving process.
const READ_EVERY: Duration = Duration::from_secs(5);
/// Shortest time between two reads because of webhooks that no known secret has signed: anyone can send these.
const UNKNOWN_EVERY: Duration = Duration::from_secs(1);
/// Mode of a new file: its owner reads and writes it, and nobody else does anything.
const MODE: u32 = 0o600;
/// Mode bit that an existing file keeps: its group reads it, such as that of the service.
const GROUP_READS: u32 = 0o040;

/// The file as the commands use it.
#[derive(Debug, Clone)]
pub(crate) struct SecretsFile {
    path: PathBuf,
}

impl SecretsFile {
    /// The file at `path`, which may not exist yet.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Locks the folder of the file until the result is dropped, so that one command at a time changes it.
    pub(crate) fn lock(&self) -> Result<File, Failure> {
        let open = || File::open(Target::of(&self.path)?.folder);
        let folder = open().map_err(|error| unwritable(&error))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(folder),
            Err(_) => Err(format!("another command is changing the file that {WEBHOOK_SECRETS_FILE} names").into()),
        }
    }

    /// Reads the secrets; none if the file is empty or does not exist.
    fn read(&self) -> Result<Vec<SecretString>, Failure> {
        match read(&self.path) {
            Ok(text) => webhook_secrets_in(WEBHOOK_SECRETS_FILE, &SecretString::from(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(unreadable(WEBHOOK_SECRETS_FILE, &error).into()),
        }
    }

    /// Runs file operations where they may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, SecretStoreError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&this)).await;
        done.map_err(|error| SecretStoreError(Box::new(error)))?.map_err(SecretStoreError)
    }
}

/// Error for a file that cannot be written. It names the setting and not the path, which may be the secret itself by mistake.
fn unwritable(error: &std::io::Error) -> Failure {
    let mounted = [ErrorKind::ResourceBusy, ErrorKind::ReadOnlyFilesystem, ErrorKind::CrossesDevices];
    let todo = if error.kind() == ErrorKind::PermissionDenied {
        "; run the command as the user that owns the file and its folder"
    } else if error.kind() == ErrorKind::NotFound {
        "; make its folder first"
    } else if mounted.contains(&error.kind()) {
        "; a file that is mounted on its own cannot be replaced: mount its folder, writable"
    } else {
        ""
    };
    format!("the file that {WEBHOOK_SECRETS_FILE} names cannot be written: {error}{todo}").into()
}

#[async_trait]
impl WebhookSecretStore for SecretsFile {
    async fn secrets(&self) -> Result<Vec<SecretString>, SecretStoreError> {
        self.blocking(Self::read).await
    }

    async fn check_writable(&self) -> Result<(), SecretStoreError> {
        let check = |this: &Self| {
            let target = Target::of(&this.path)?;
            match &target.existing {
                // The only sure check: a file that is mounted on its own shows nothing of it.
                Some(_) => target.replace(&read(&this.path)?),
                None => target.write("").and_then(|it| std::fs::remove_file(it.path)),
            }
        };
        self.blocking(move |this| check(this).map_err(|error| unwritable(&error))).await
    }

    async fn replace_secrets(&self, secrets: &[SecretString]) -> Result<(), SecretStoreError> {
        let texts: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        let text = SecretString::from(format!("{}\n", texts.join(",")));
        let replace = move |this: &Self| Target::of(&this.path)?.replace(text.expose_secret());
        self.blocking(move |this| replace(this).map_err(|error| unwritable(&error))).await
    }
}

/// The file that a path means: a symbolic link is followed, and remains.
struct Target {
    path: PathBuf,
    folder: PathBuf,
    existing: Option<Metadata>,
}

/// A written file that has not its final name yet.
struct Written {
    path: PathBuf,
}

impl Target {
    fn of(path: &Path) -> std::io::Result<Self> {
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
                folder.canonicalize()?.join(name)
            }
            Err(error) => return Err(error),
        };
        let existing = match path.metadata() {
            Ok(existing) if existing.is_file() => Some(existing),
            Ok(_) => return Err(std::io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let folder = path.parent().ok_or(ErrorKind::InvalidInput)?.to_owned();
        Ok(Self { path, folder, existing })
    }

    /// Replaces the file at once: after a crash it has either text.
    fn replace(&self, text: &str) -> std::io::Result<()> {
        let written = self.write(text)?;
        if let Err(error) = std::fs::rename(&written.path, &self.path) {
            drop(std::fs::remove_file(&written.path));
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()
    }

    /// Writes a file beside it, with the owner of the present one.
    fn write(&self, text: &str) -> std::io::Result<Written> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let path = self.folder.join(format!(".{name}.{:016x}", fastrand::u64(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path)?;
        let complete = |mut new: File| {
            self.take_owner(&new)?;
            let kept = self.existing.as_ref().map_or(0, |it| it.permissions().mode() & GROUP_READS);
            new.set_permissions(Permissions::from_mode(MODE | kept))?;
            new.write_all(text.as_bytes())?;
            new.sync_all()
        };
        match complete(file) {
            Ok(()) => Ok(Written { path }),
            Err(error) => {
                drop(std::fs::remove_file(&path));
                Err(error)
            }
        }
    }

    /// Gives a new file the owner and group of the one that it replaces, or else of the folder, if this user may do that.
    fn take_owner(&self, file: &File) -> std::io::Result<()> {
        let now = file.metadata()?;
        let like = match &self.existing {
            Some(existing) => existing.clone(),
            None => self.folder.metadata()?,
        };
        if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
            return Ok(());
        }
        let changed = fchown(file, Some(like.uid()), Some(like.gid()));
        if self.existing.is_some() { changed } else { Ok(()) }
    }
}

/// The secrets of a file as a serving process uses them. Clones share them.
#[derive(Clone)]
pub(crate) struct SecretsOfFile {
    path: PathBuf,
    read: Arc<Mutex<LastRead>>,
}

struct LastRead {
    secrets: SecretSet,
    /// Text or problem of the last read, so that each is logged once.
    text: Result<SecretString, String>,
    /// Time of the last read because of an unknown signature.
    unknown_at: Option<Instant>,
}

impl SecretsOfFile {
    /// Secrets that were read from `path` at the start.
    pub(crate) fn new(path: &Path, secrets: Vec<SecretString>) -> Self {
        let last = LastRead { secrets: Arc::new(secrets), text: Err(String::new()), unknown_at: None };
        Self { path: path.to_owned(), read: Arc::new(Mutex::new(last)) }
    }

    /// Reads the file again from time to time until the process ends.
    pub(crate) async fn keep_fresh(self) {
        loop {
            tokio::time::sleep(READ_EVERY).await;
            let this = self.clone();
            drop(tokio::task::spawn_blocking(move || this.read_again(&mut this.last())).await);
        }
    }

    fn last(&self) -> MutexGuard<'_, LastRead> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the file. Secrets that cannot be read or are malformed leave the last good ones.
    fn read_again(&self, last: &mut LastRead) {
        let problem = match read(&self.path).map(SecretString::from) {
            Ok(text) if last.text.as_ref().is_ok_and(|it| it.expose_secret() == text.expose_secret()) => return,
            Ok(text) => {
                let secrets = webhook_secrets_in(WEBHOOK_SECRETS_FILE, &text);
                last.text = Ok(text);
                match secrets {
                    Ok(secrets) if secrets.is_empty() => "it has no secret".to_owned(),
                    Ok(secrets) => {
                        if !same(&secrets, &last.secrets) {
                            tracing::info!(count = secrets.len(), "webhook secrets were read again");
                            last.secrets = Arc::new(secrets);
                        }
                        return;
                    }
                    Err(problem) => problem.to_string(),
                }
            }
            Err(error) => {
                let problem = unreadable(WEBHOOK_SECRETS_FILE, &error);
                if last.text.as_ref().is_err_and(|it| *it == problem) {
                    return;
                }
                last.text = Err(problem.clone());
                problem
            }
        };
        tracing::warn!(problem, "webhook secrets cannot be read again: the last ones remain valid");
    }
}

fn same(some: &[SecretString], others: &[SecretString]) -> bool {
    some.iter().map(ExposeSecret::expose_secret).eq(others.iter().map(ExposeSecret::expose_secret))
}

impl WebhookSecrets for SecretsOfFile {
    fn current(&self) -> SecretSet {
        Arc::clone(&self.last().secrets)
    }

    /// Reads the file where it is called, once a second at most: a small file, which is in the page cache.
    fn other_than(&self, known: &SecretSet) -> Option<SecretSet> {
        let mut last = self.last();
        let now = Instant::now();
        if last.unknown_at.is_none_or(|it| now.duration_since(it) >= UNKNOWN_EVERY) {
            last.unknown_at = Some(now);
            self.read_again(&mut last);
        }
        (!Arc::ptr_eq(&last.secrets, known)).then(|| Arc::clone(&last.secrets))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|it| SecretString::from(*it)).collect()
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let mut names: Vec<_> =
            folder.path().read_dir().unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_new_file_is_private_and_an_existing_one_keeps_its_group_and_its_link() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secrets");
        let file = SecretsFile::at(&path);
        assert!(file.secrets().await.unwrap().is_empty());
        file.check_writable().await.unwrap();
        assert_eq!(names(&folder), [""; 0], "the check leaves nothing behind");
        file.replace_secrets(&secrets(&["whsec_b", "whsec_a"])).await.unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("whsec_b,whsec_a\n", 0o600));
        assert!(same(&file.secrets().await.unwrap(), &secrets(&["whsec_b", "whsec_a"])));
        for (before, after) in [(0o644, 0o640), (0o640, 0o640), (0o400, 0o600)] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            file.replace_secrets(&secrets(&["whsec_c"])).await.unwrap();
            assert_eq!(mode(&path), after, "{before:o}");
        }
        let link = folder.path().join("link");
        symlink("secrets", &link).unwrap();
        SecretsFile::at(&link).replace_secrets(&secrets(&["whsec_d"])).await.unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "whsec_d\n");
        assert_eq!(names(&folder), ["link", "secrets"]);
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_written_is_refused_without_its_path() {
        let folder = TempDir::new().unwrap();
        symlink("hush_gone", folder.path().join("hush_dangling")).unwrap();
        for name in ["hush_no_folder/secrets", "hush_dangling", "."] {
            let error = SecretsFile::at(&folder.path().join(name)).check_writable().await.unwrap_err().to_string();
            assert!(error.contains("stripe.webhook_secrets_file names cannot be written"), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn one_command_at_a_time_changes_the_file() {
        let folder = TempDir::new().unwrap();
        let file = SecretsFile::at(&folder.path().join("secrets"));
        let lock = file.lock().unwrap();
        assert!(file.lock().unwrap_err().to_string().contains("another command"));
        drop(lock);
        file.lock().unwrap();
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_leaves_the_last_secrets() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secrets");
        let read = SecretsOfFile::new(&path, secrets(&["whsec_a"]));
        for (text, expected) in [
            (Some("whsec_b,whsec_a\n"), vec!["whsec_b", "whsec_a"]),
            (Some("whsec_c,hush"), vec!["whsec_b", "whsec_a"]),
            (Some("\n"), vec!["whsec_b", "whsec_a"]),
            (None, vec!["whsec_b", "whsec_a"]),
            (Some("whsec_c"), vec!["whsec_c"]),
        ] {
            match text {
                Some(text) => fs::write(&path, text).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            read.read_again(&mut read.last());
            assert!(same(&read.current(), &secrets(&expected)), "{text:?}");
        }
    }

    #[test]
    fn an_unknown_signature_reads_the_file_at_once_and_a_flood_of_them_does_not() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secrets");
        fs::write(&path, "whsec_b").unwrap();
        let read = SecretsOfFile::new(&path, secrets(&["whsec_a"]));
        let known = read.current();
        let other = read.other_than(&known).unwrap();
        assert!(same(&other, &secrets(&["whsec_b"])));
        assert!(read.other_than(&other).is_none());
        fs::write(&path, "whsec_c").unwrap();
        assert!(read.other_than(&other).is_none(), "within a second it is not read again");
        // Another webhook that was checked with the older secrets gets those that were read meanwhile.
        assert!(same(&read.other_than(&known).unwrap(), &secrets(&["whsec_b"])));
    }
}
