//! Settings of the console.

use serde::Deserialize;

use crate::settings::values::flag;

/// Console at `/console`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConsoleSection {
    /// Whether there is a console.
    #[serde(deserialize_with = "flag")]
    pub(crate) enabled: bool,
}
