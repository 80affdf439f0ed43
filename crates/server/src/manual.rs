//! `paywright completions` and `paywright man`: completions for shells and the manual page, made of the command line's own
//! description.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::cli::{Cli, CompletionsOptions, ShellName};
use crate::{Failure, say_lines};

/// Name of the program.
const PROGRAM: &str = "paywright";

impl From<ShellName> for Shell {
    fn from(name: ShellName) -> Self {
        match name {
            ShellName::Bash => Self::Bash,
            ShellName::Zsh => Self::Zsh,
            ShellName::Fish => Self::Fish,
        }
    }
}

/// Prints the completions for a shell.
pub(crate) fn completions(options: &CompletionsOptions) -> Result<(), Failure> {
    say_lines(&String::from_utf8(completions_of(options.shell))?);
    Ok(())
}

fn completions_of(shell: ShellName) -> Vec<u8> {
    let mut text = Vec::new();
    generate(Shell::from(shell), &mut Cli::command(), PROGRAM, &mut text);
    text
}

/// Prints the manual page.
pub(crate) fn man() -> Result<(), Failure> {
    say_lines(&String::from_utf8(page()?)?);
    Ok(())
}

/// One page with all commands: each that can be run has a section of its own.
fn page() -> io::Result<Vec<u8>> {
    let mut program = Cli::command();
    program.build();
    let mut page = Vec::new();
    let man = Man::new(program.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for command in program.get_subcommands() {
        section(PROGRAM, command, &mut page)?;
    }
    writeln!(
        page,
        ".SH EXIT STATUS\n0 if all is well; 1 if the command failed or found what it looks for; 2 for wrong options."
    )?;
    writeln!(
        page,
        ".SH FILES\n.TP\npaywright.toml\nSettings, in the working directory; another file with \\-\\-config."
    )?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// Writes the sections of a command, or of the commands below it.
fn section(parent: &str, command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    if command.is_hide_set() || command.get_name() == "help" {
        return Ok(());
    }
    let name = format!("{parent} {}", command.get_name());
    if command.has_subcommands() {
        return command.get_subcommands().try_for_each(|it| section(&name, it, page));
    }
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    let man = Man::new(command.clone());
    for part in [
        rendered(|to| man.render_synopsis_section(to))?,
        rendered(|to| man.render_description_section(to))?,
        rendered(|to| man.render_options_section(to))?,
    ] {
        page.extend(part);
    }
    Ok(())
}

/// Text of a section without its heading, for a section of another name.
fn rendered(render: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    render(&mut text)?;
    let lines =
        text.split_inclusive(|it| *it == b'\n').map(|it| if it.starts_with(b".SH ") { &b".PP\n"[..] } else { it });
    Ok(lines.flatten().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of all commands that can be run, such as "keys create".
    fn commands(parent: &str, command: &Command, to: &mut Vec<String>) {
        for it in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
            let name = format!("{parent} {}", it.get_name());
            if it.has_subcommands() { commands(&name, it, to) } else { to.push(name) }
        }
    }

    #[test]
    fn the_manual_page_has_a_section_for_each_command_with_its_options() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        let mut names = Vec::new();
        commands(PROGRAM, &Cli::command(), &mut names);
        assert!(names.len() > 30, "{names:?}");
        for name in names {
            let heading = format!(".SH \"{}\"\n", name.to_uppercase());
            assert_eq!(page.matches(&heading).count(), 1, "{name}");
        }
        assert!(page.starts_with(".ie") && page.contains(".TH paywright 1"), "{page}");
        for word in ["\\-\\-migrate", "PAYWRIGHT__SECTION__KEY", "\\-\\-recreate", "\\-\\-overlap\\-hours"] {
            assert!(page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_manual_page_shows_no_value_of_this_machines_environment() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        // The variable itself is named, and a value would follow it.
        assert!(!page.contains("STRIPE_TWIN_WEBHOOK_SECRET="), "{page}");
    }

    #[test]
    fn completions_name_each_command() {
        for shell in [ShellName::Bash, ShellName::Zsh, ShellName::Fish] {
            let text = String::from_utf8(completions_of(shell)).unwrap();
            for word in ["doctor", "completions", "trust-timeline", "rotate"] {
                assert!(text.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
