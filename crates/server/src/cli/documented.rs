//! Commands in documents, compared with the command line: a renamed option must be renamed there too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::Cli;

/// Options of other programs that documents name.
const FOREIGN: [&str; 1] = ["seeds"];

/// Words after which the name of this program is that of a package, a user, a group or a manual page.
const NAMED_BY: [&str; 5] = ["-p", "-u", "-g", "man", "edit"];

/// Characters that end a command in a shell.
const ENDS: [char; 7] = ['|', ';', '&', '<', '>', '#', '\n'];

/// Text of documents that is code: spans in backticks, and logical lines of blocks of commands.
fn code(text: &str) -> Vec<String> {
    let (mut code, mut prose, mut block) = (Vec::new(), String::new(), None::<bool>);
    for line in text.lines() {
        match (line.trim().strip_prefix("```"), block) {
            (Some(language), None) => block = Some(matches!(language, "sh" | "console")),
            (Some(_), Some(_)) => block = None,
            (None, Some(is_shell)) => code.extend(is_shell.then(|| line.trim().to_owned())),
            (None, None) => prose.extend([line.trim(), if line.trim().is_empty() { "\n" } else { " " }]),
        }
    }
    // A paragraph has whole spans.
    code.extend(prose.lines().flat_map(|it| it.split('`').skip(1).step_by(2)).map(str::to_owned));
    code
}

/// Documents that describe the present program, and the packaged settings, whose comments are read like them.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|it| it.unwrap().path());
    let docs = docs.filter(|it| it.extension().is_some_and(|it| it == "md"));
    docs.chain(["README.md", "packaging/paywright.toml"].map(|it| root.join(it))).collect()
}

/// `code` with each text in single quotes as one word.
fn quoted(code: &str) -> String {
    let spans = code.split('\'').enumerate();
    let spans = spans.map(|(n, it)| if n % 2 == 1 { it.replace(' ', "_") } else { it.to_owned() });
    spans.collect::<Vec<_>>().join("'")
}

/// The words of each command of this program in `code`, without its name.
fn commands(code: &str) -> Vec<Vec<&str>> {
    let simple = code.split(ENDS).flat_map(|it| it.split("$("));
    let words = simple.map(|it| it.split_whitespace().collect::<Vec<_>>());
    let named = words.filter_map(|words| {
        let is_name = |n: usize| bare(words[n]) == "paywright" || words[n].ends_with("/paywright");
        let is_run = |n: usize| n.checked_sub(1).is_none_or(|before| !NAMED_BY.contains(&words[before]));
        let name = (0..words.len()).rfind(|n| is_name(*n) && is_run(*n))?;
        Some(words[name + 1..].to_vec())
    });
    named.filter(|it| !it.is_empty()).collect()
}

/// A word without the punctuation of shells and of synopses around it.
fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', '(', ')', '[', ']', '`', ','])
}

/// Checks a command's words, and says which one the program does not know.
fn check(words: &[&str]) -> Result<(), String> {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    let mut positionals = 0;
    let mut words = words.iter().take_while(|it| **it != "\\").map(|it| bare(it));
    while let Some(word) = words.next() {
        let is_placeholder = word.starts_with(['$', '.', '…', '{']);
        if let Some(option) = word.strip_prefix("--") {
            let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
            let found = command.get_arguments().find(|it| it.get_long() == Some(name));
            let argument = found.ok_or_else(|| format!("{} has no option --{name}", command.get_name()))?;
            let takes_value = argument.get_action().takes_values();
            let value = value.or_else(|| takes_value.then(|| words.next()).flatten());
            if let Some(value) = value.filter(|_| takes_value) {
                is_possible(argument, value)?;
            }
        } else if word.starts_with('.') || (is_placeholder && command.has_subcommands()) {
            return Ok(());
        } else if command.has_subcommands() {
            let found = command.find_subcommand(word);
            command = found.ok_or_else(|| format!("{} has no command {word}", command.get_name()))?;
        } else {
            let mut expected = command.get_positionals();
            let argument = expected.nth(positionals);
            let argument = argument.ok_or_else(|| format!("{} takes no argument {word}", command.get_name()))?;
            is_possible(argument, word)?;
            positionals += 1;
        }
    }
    Ok(())
}

/// Checks a value that is one of a few. Placeholders are in capitals, or variables.
fn is_possible(argument: &clap::Arg, value: &str) -> Result<(), String> {
    let possible = argument.get_possible_values();
    let is_word = value.chars().all(|it| it.is_ascii_lowercase());
    if is_word && !possible.is_empty() && !possible.iter().any(|it| it.matches(value, false)) {
        return Err(format!("{} cannot be {value}", argument.get_id()));
    }
    Ok(())
}

#[test]
fn every_command_that_a_document_names_is_accepted() {
    let (mut read, mut wrong) = (0, Vec::new());
    let known: BTreeSet<String> = Cli::command().get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for code in code(&text) {
            let code = quoted(&code);
            let mut found = commands(&code);
            // A span may leave the program's name out: `keys list`, `webhooks rotate --finish`.
            let words: Vec<&str> = code.split_whitespace().collect();
            if words.get(1).is_some_and(|it| *it != "paywright") && words.first().is_some_and(|it| known.contains(*it))
            {
                found.push(words);
            }
            for words in found {
                read += 1;
                wrong.extend(check(&words).err().map(|it| format!("{}: {code}: {it}", path.display())));
            }
        }
    }
    assert!(read > 150, "{read} commands were read");
    assert!(wrong.is_empty(), "{} wrong commands:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_option_that_a_document_names_alone_exists() {
    let mut root = Cli::command();
    root.build();
    let (mut known, mut commands) = (BTreeSet::new(), vec![&root]);
    while let Some(command) = commands.pop() {
        known.extend(command.get_arguments().filter_map(clap::Arg::get_long));
        commands.extend(command.get_subcommands());
    }
    let mut wrong = Vec::new();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for code in code(&text) {
            let Some(option) = code.strip_prefix("--") else { continue };
            let name = option.split([' ', '=']).next().unwrap_or_default();
            if !known.contains(name) && !FOREIGN.contains(&name) {
                wrong.push(format!("{}: {code}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} unknown options:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_recipe_that_a_document_names_exists() {
    let recipes = include_str!("../../../../justfile").lines();
    let recipes: BTreeSet<&str> = recipes.filter_map(|it| it.split_once(':')?.0.split(' ').next()).collect();
    let mut read = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for code in code(&text) {
            let words: Vec<&str> = code.split_whitespace().collect();
            for pair in words.windows(2).filter(|it| it[0] == "just") {
                assert!(recipes.contains(pair[1]), "{}: {code}", path.display());
                read += 1;
            }
        }
    }
    assert!(read > 5, "{read} recipes were read");
}

#[test]
fn a_command_with_a_wrong_name_option_or_value_is_found() {
    let first = |code: &'static str| commands(code).first().map(|it| check(it).is_ok());
    for (code, expected) in [
        ("paywright keys list", Some(true)),
        ("paywright keys lst", Some(false)),
        ("ID=$(paywright keys list | head -n 1)", Some(true)),
        ("target/release/paywright serve --bind 0.0.0.0:8080   # beside --others", Some(true)),
        ("paywright serve --migrate=check", Some(true)),
        ("paywright serve --migrate=never", Some(false)),
        ("paywright serve --port 1", Some(false)),
        ("paywright recover --since \"$MOMENT\" --recreate all", Some(true)),
        ("paywright review ORDER", Some(false)),
        ("source <(paywright completions bash)", Some(true)),
        ("paywright completions SHELL", Some(true)),
        ("paywright completions tcsh", Some(false)),
        ("runuser -u paywright -- paywright audit", Some(true)),
        ("install -o root -g paywright FILE", None),
        ("cargo bench -p paywright --bench load", None),
        ("systemctl edit paywright", None),
    ] {
        assert_eq!(first(code), expected, "{code}");
    }
}
