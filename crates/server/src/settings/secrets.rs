//! Secrets, each of which may be in a separate file.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::Failure;
use crate::settings::names::variable;
use crate::settings::stripe::WEBHOOK_SECRETS_FILE;

/// Maximum size of a secret file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Folder in which secrets are mounted for a container. Their modes are not those of the host, and a container has no
/// other users.
const MOUNTED: &str = "/run/secrets";
/// Mode bits of other users: to read a file, and to enter a folder.
const OTHERS_READ: u32 = 0o004;
const OTHERS_ENTER: u32 = 0o001;

/// A secret, and the setting from which it was read.
pub(super) struct Secret {
    pub(super) text: SecretString,
    pub(super) setting: String,
}

/// The secret of `setting`, or of the file named by `setting` with `_file`. An empty text counts as not set.
pub(super) fn secret(
    setting: &str,
    value: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<Secret>, Failure> {
    let value = value.filter(|it| !it.expose_secret().trim().is_empty());
    let file = file.filter(|it| !it.as_os_str().is_empty());
    match (value, file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(format!("{setting} and {setting}_file are both set: keep one of them").into()),
        (Some(text), None) => Ok(Some(Secret { text: text.clone(), setting: setting.to_owned() })),
        (None, Some(path)) => {
            let setting = format!("{setting}_file");
            let text = read(path).map_err(|error| unreadable(&setting, &error))?;
            if is_readable_by_all(path) {
                // Named by its variable: the lower-case name looks like a client secret and would be masked in the log.
                let name = setting.split_once('.').map_or_else(String::new, |(section, key)| variable(section, key));
                tracing::warn!("every user of this machine can read the file of {name}: remove that right (chmod o-r)");
            }
            let text = Some(text.trim()).filter(|it| !it.is_empty()).map(SecretString::from);
            let text = text.ok_or_else(|| format!("{setting} names a file that is empty"))?;
            Ok(Some(Secret { text, setting }))
        }
    }
}

/// Reads a file of a secret, of 64 KiB at most.
pub(crate) fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|it| it > FILE_BYTES_MAX) {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Error for a file that cannot be read. It names the setting and not the path, which may be the secret itself by
/// mistake.
pub(crate) fn unreadable(setting: &str, error: &std::io::Error) -> String {
    let todo = if error.kind() == ErrorKind::PermissionDenied {
        "; the user that runs paywright must be able to read it (in the container that is uid 10001)"
    } else if error.kind() == ErrorKind::NotFound && setting == WEBHOOK_SECRETS_FILE {
        "; `paywright webhooks ensure` creates it, with the endpoint at Stripe"
    } else {
        ""
    };
    format!("the file that {setting} names cannot be read: {error}{todo}")
}

/// Whether every user of the machine can read a file, by its mode and the modes of all its parent folders.
pub(super) fn is_readable_by_all(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let allows = |path: &Path, right| path.metadata().is_ok_and(|it| it.permissions().mode() & right != 0);
    !path.starts_with(MOUNTED)
        && allows(&path, OTHERS_READ)
        && path.ancestors().skip(1).all(|folder| allows(folder, OTHERS_ENTER))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Error;

    use super::*;

    #[test]
    fn a_secret_file_of_another_user_is_refused_with_advice() {
        let says = |kind: ErrorKind| unreadable("stripe.secret_key_file", &Error::from(kind));
        let denied = says(ErrorKind::PermissionDenied);
        assert!(denied.contains("stripe.secret_key_file") && denied.contains("uid 10001"), "{denied}");
        assert!(!says(ErrorKind::NotFound).contains("uid") && !says(ErrorKind::NotFound).contains("ensure"));
    }

    /// The one secret file that a command makes.
    #[test]
    fn a_missing_file_of_webhook_secrets_is_refused_with_the_command_that_creates_it() {
        let missing = unreadable(WEBHOOK_SECRETS_FILE, &Error::from(ErrorKind::NotFound));
        assert!(missing.contains("`paywright webhooks ensure` creates it"), "{missing}");
    }

    #[test]
    fn a_secret_is_a_text_or_a_file_and_never_both() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let (good, empty) = (at("good", " hush\n"), at("empty", "\n"));
        let large = at("large", &"x".repeat(70_000));
        let value = SecretString::from("text");
        let result = |value: Option<&SecretString>, file: Option<&Path>| match secret("a.key", value, file) {
            Ok(found) => found.map_or("none".into(), |it| format!("{} {}", it.setting, it.text.expose_secret())),
            Err(error) => error.to_string(),
        };
        let nothing = SecretString::from(" ");
        for (value, file, expected) in [
            (None, None, "none"),
            (Some(&nothing), Some(Path::new("")), "none"),
            (Some(&value), None, "a.key text"),
            (Some(&nothing), Some(good.as_path()), "a.key_file hush"),
            (Some(&value), Some(good.as_path()), "a.key and a.key_file are both set: keep one of them"),
            (None, Some(empty.as_path()), "a.key_file names a file that is empty"),
            (
                None,
                Some(large.as_path()),
                "the file that a.key_file names cannot be read: it has more than 65536 bytes",
            ),
            (
                None,
                Some(Path::new("sk_live_hush")),
                "the file that a.key_file names cannot be read: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(result(value, file), expected);
        }
    }

    #[test]
    fn a_file_is_readable_by_all_if_its_mode_and_its_folders_allow_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "x").unwrap();
        for (folder_mode, mode, expected) in
            [(0o755, 0o644, true), (0o755, 0o640, false), (0o755, 0o400, false), (0o700, 0o644, false)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_readable_by_all(&file), expected, "{folder_mode:o} {mode:o}");
        }
    }
}
