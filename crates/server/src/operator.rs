//! The operator who runs a command, recorded with the changes that it makes.

use std::os::unix::fs::MetadataExt;

use paywright_app::Actor;
use paywright_domain::text::reorders_text;

/// Maximum number of characters of a name that are stored.
const NAME_CHARS_MAX: usize = 64;

/// The operator of this process: the name of the operating system's user, or the uid if the user has no name.
pub(crate) fn operator() -> Actor {
    let name = whoami::username().ok().filter(|it| !it.trim().is_empty());
    let operator = name.unwrap_or_else(|| match std::fs::metadata("/proc/self") {
        Ok(of_process) => format!("uid {}", of_process.uid()),
        Err(_) => "unknown".to_owned(),
    });
    let is_plain = |it: &char| !it.is_control() && !reorders_text(*it);
    Actor::Operator { operator: operator.chars().filter(is_plain).take(NAME_CHARS_MAX).collect() }
}
