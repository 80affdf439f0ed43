//! Secrets, which may be in a file of their own.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::Failure;
use crate::settings::names::variable;

/// The largest file of a secret in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Where secrets are mounted for one container: their modes are not those of the host, and nobody else is there.
const MOUNTED: &str = "/run/secrets";
/// Rights of everybody: to read a file, and to pass a folder.
const OTHERS_READ: u32 = 0o004;
const OTHERS_PASS: u32 = 0o001;

/// A secret, and the setting that it was given by.
pub(super) struct Secret {
    pub(super) text: SecretString,
    pub(super) setting: String,
}

/// The secret of `setting`, or of the file that `setting` with `_file` names. An empty text is none.
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
            if is_for_everybody(path) {
                // By its variable: the lower-case name looks like a client secret, which no log line shows.
                let name = setting.split_once('.').map_or_else(String::new, |(section, key)| variable(section, key));
                tracing::warn!(
                    "every user of this machine can read the file of {name}: take that right away (chmod o-r)"
                );
            }
            let text = Some(text.trim()).filter(|it| !it.is_empty()).map(SecretString::from);
            let text = text.ok_or_else(|| format!("{setting} names a file that is empty"))?;
            Ok(Some(Secret { text, setting }))
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|it| it > FILE_BYTES_MAX) {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Says by its setting that a file cannot be read: what should be its path may be the secret itself.
fn unreadable(setting: &str, error: &std::io::Error) -> String {
    let todo = if error.kind() == ErrorKind::PermissionDenied {
        "; the user that paywright runs as must be able to read it (in the container that is uid 10001)"
    } else {
        ""
    };
    format!("the file that {setting} names cannot be read: {error}{todo}")
}

/// Whether every user of the machine can read a file: by its mode, and by those of all folders that lead to it.
pub(super) fn is_for_everybody(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let allows = |path: &Path, right| path.metadata().is_ok_and(|it| it.permissions().mode() & right != 0);
    !path.starts_with(MOUNTED)
        && allows(&path, OTHERS_READ)
        && path.ancestors().skip(1).all(|folder| allows(folder, OTHERS_PASS))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Error;

    use super::*;

    #[test]
    fn a_secret_of_another_user_is_refused_with_what_to_do() {
        let says = |kind: ErrorKind| unreadable("stripe.secret_key_file", &Error::from(kind));
        let denied = says(ErrorKind::PermissionDenied);
        assert!(denied.contains("stripe.secret_key_file") && denied.contains("uid 10001"), "{denied}");
        assert!(!says(ErrorKind::NotFound).contains("uid"));
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
        let told = |value: Option<&SecretString>, file: Option<&Path>| match secret("a.key", value, file) {
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
            assert_eq!(told(value, file), expected);
        }
    }

    #[test]
    fn a_file_is_for_everybody_where_its_mode_and_its_folders_allow_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "x").unwrap();
        for (folder_mode, mode, expected) in
            [(0o755, 0o644, true), (0o755, 0o640, false), (0o755, 0o400, false), (0o700, 0o644, false)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_for_everybody(&file), expected, "{folder_mode:o} {mode:o}");
        }
    }
}
