//! Secrets, which may be in a file of their own.

use std::io::ErrorKind;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::Failure;

pub(super) fn secret(value: Option<&SecretString>, file: Option<&Path>) -> Result<Option<SecretString>, Failure> {
    if let Some(value) = value.filter(|it| !it.expose_secret().trim().is_empty()) {
        return Ok(Some(value.clone()));
    }
    let Some(path) = file else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some(text.trim().to_owned()).filter(|it| !it.is_empty()).map(SecretString::from))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let todo = if error.kind() == ErrorKind::PermissionDenied {
        "; the user that paywright runs as must be able to read it (in the container that is uid 10001)"
    } else {
        ""
    };
    format!("the secret in {} cannot be read: {error}{todo}", path.display())
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    use super::unreadable;

    #[test]
    fn a_secret_of_another_user_is_refused_with_what_to_do() {
        let says = |kind: ErrorKind| unreadable(Path::new("/run/secrets/stripe_key"), &Error::from(kind));
        let denied = says(ErrorKind::PermissionDenied);
        assert!(denied.contains("/run/secrets/stripe_key") && denied.contains("uid 10001"), "{denied}");
        assert!(!says(ErrorKind::NotFound).contains("uid"));
    }
}
