//! `paywright config`: checks the settings without connecting to anything.

use crate::cli::{ConfigCommand, ConfigOptions};
use crate::say;
use crate::settings::{Checked, Settings};

/// Prints the mistakes, and returns whether there are none.
pub(crate) fn run(options: &ConfigOptions) -> bool {
    match options.command {
        ConfigCommand::Check => {
            let checked = Settings::check(options.settings.config.as_deref());
            checked.mistakes.iter().for_each(|it| say(&it.to_string()));
            if checked.is_unreadable {
                say("The rest was not checked: mend the file first.");
            }
            if checked.mistakes.is_empty() {
                say(&format!("All settings are right: {}.", sources(&checked)));
            }
            checked.mistakes.is_empty()
        }
    }
}

/// The sources that were read.
pub(crate) fn sources(checked: &Checked) -> String {
    let file = checked.file.as_ref().map_or_else(
        || "no file was read (there is no paywright.toml in the working directory)".to_owned(),
        |it| format!("{} was read", it.display()),
    );
    match checked.variables {
        1 => format!("{file}, and 1 environment variable"),
        many => format!("{file}, and {many} environment variables"),
    }
}
