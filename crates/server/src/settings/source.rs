//! Sources of settings: a file, and environment variables that override it. Errors give the name and the place of a
//! setting, and never a value, which may be a secret.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use toml::de::DeTable;
use toml::{Table, Value};

use crate::settings::check::Mistake;
use crate::settings::names::{
    PREFIX, SEPARATOR, nearest_setting, nearest_variable, sections, settings, shown, variable,
};

const DEFAULT_FILE: &str = "paywright.toml";
/// Prefix of variables that are probably meant for Paywright.
const OURS: &str = "PAYWRIGHT";

/// Settings and their sources.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Settings that can be read, by the names of this version alone.
    pub(super) table: Table,
    /// The file, if there is one that can be read.
    pub(super) file: Option<(PathBuf, Table)>,
    /// Whether there is a file that cannot be read, so that settings are unknown.
    pub(super) is_unreadable: bool,
    /// Number of variables that are read.
    pub(super) variables: usize,
    /// Variables that begin with [`OURS`] and are not read.
    pub(super) unread: Vec<String>,
    /// Mistakes of the file as a whole and in names, those of the file first.
    pub(super) mistakes: Vec<Mistake>,
}

/// Reads the named file, or else the default one if it exists, and overrides it with environment variables. Goes on after
/// each mistake.
pub(super) fn read(named: Option<&Path>, variables: impl Iterator<Item = (OsString, OsString)>) -> Found {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let mut mistakes = Vec::new();
    let file = match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text, &mut mistakes),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => None,
        Err(error) => {
            let text = format!("the settings in {} cannot be read: {error}", path.display());
            mistakes.push(Mistake::of_source(text));
            None
        }
    };
    let is_unreadable = file.is_none() && !mistakes.is_empty();
    let mut ours = Variables::default();
    for (name, value) in variables {
        mistakes.extend(ours.add(&name.to_string_lossy(), value).err());
    }
    let (count, unread) = (ours.read.len(), ours.unread);
    let table = layered(file.as_ref().unwrap_or(&Table::new()), ours.read).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        Table::new()
    });
    Found { table, file: file.map(|it| (path.to_owned(), it)), is_unreadable, variables: count, unread, mistakes }
}

/// The settings of a file, overridden by variables. The names of both must have been checked: this function's own errors
/// could show a value.
fn layered(file: &Table, variables: HashMap<String, String>) -> Result<Table, Mistake> {
    let prefix = PREFIX.trim_end_matches('_');
    let variables = Environment::with_prefix(prefix).prefix_separator("__").separator("__").source(Some(variables));
    let file = File::from_str(&file.to_string(), FileFormat::Toml);
    let built = Config::builder().add_source(file).add_source(variables).build();
    let table = built.and_then(Config::try_deserialize);
    table.map_err(|_| Mistake::of_source("the settings of the file and of the environment cannot be combined".into()))
}

/// Environment variables for Paywright.
#[derive(Debug, Default)]
struct Variables {
    read: HashMap<String, String>,
    /// Variables that begin with [`OURS`] and are not read.
    unread: Vec<String>,
}

impl Variables {
    /// Adds a variable, if it is for Paywright.
    fn add(&mut self, name: &str, value: OsString) -> Result<(), Mistake> {
        let upper = name.to_uppercase();
        let Some((section, _)) = settings().find(|(section, key)| variable(section, key) == upper) else {
            if let Some(rest) = upper.strip_prefix(PREFIX) {
                let section = rest.split(SEPARATOR).next().unwrap_or_default().to_lowercase();
                let (name, nearest) = (shown(name), nearest_variable(name));
                return Err(Mistake::new(section, format!("{name} is not a setting: the nearest one is {nearest}")));
            }
            if upper.starts_with(OURS) {
                self.unread.push(name.to_owned());
            }
            return Ok(());
        };
        let not_text = |_| Mistake::new(section, format!("{} must be text in UTF-8", shown(name)));
        self.read.insert(upper, value.into_string().map_err(not_text)?);
        Ok(())
    }
}

/// Reads a file, and removes names that are not settings. `None` if it is not TOML.
fn parse(path: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Option<Table> {
    let file = path.display();
    if let Err(error) = DeTable::parse(text) {
        // Only the parser's message: the line itself may contain a secret.
        let (line, column) = position(text, error.span().map_or(0, |it| it.start));
        let text = format!("{file} is not TOML: line {line}, column {column}: {}", error.message());
        mistakes.push(Mistake::of_source(text));
        return None;
    }
    let Ok(mut table) = text.parse::<Table>() else {
        mistakes.push(Mistake::of_source(format!("{file} has a number or a date that is out of range")));
        return None;
    };
    let mut unknown = |section: &str, name: &str| {
        let (name, nearest) = (shown(name), nearest_setting(name));
        let text = format!("{file}: {name} is not a setting: the nearest one is {nearest}");
        mistakes.push(Mistake::new(section, text));
    };
    let mut values = Vec::new();
    table.retain(|section, value| {
        let known = sections().into_iter().find(|(name, _)| *name == section);
        match (known, value) {
            (Some((_, keys)), Value::Table(set)) => set.retain(|key, _| {
                let is_known = keys.contains(&key);
                if !is_known {
                    unknown(section, &format!("{section}.{key}"));
                }
                is_known
            }),
            (None, Value::Table(set)) if !set.is_empty() => {
                set.keys().for_each(|key| unknown(section, &format!("{section}.{key}")));
                return false;
            }
            (None, _) => {
                unknown(section, section);
                return false;
            }
            (Some(_), _) => {
                values.push(section.to_owned());
                return false;
            }
        }
        true
    });
    let no_section = |it: String| {
        let text = format!("{file}: {it} must be a section of settings, not a value");
        Mistake::new(it, text)
    };
    mistakes.extend(values.into_iter().map(no_section));
    Some(table)
}

/// Line and column of a byte, counted from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_malformed_file_is_refused_by_line_and_column_without_its_text() {
        let file = Path::new("shop.toml");
        for (text, says) in [
            ("[stripe]\nsecret_key = sk_test_hush\n", "shop.toml is not TOML: line 2, column 14: "),
            ("[stripe]\nsecret_key = \"sk_test_hush\n", "shop.toml is not TOML: line 2, column "),
            ("secret_key: sk_test_hush", "shop.toml is not TOML: line 1, column "),
            ("[auth]\ntoken_secret = \"hush\"\ntoken_secret = \"hush\"\n", "shop.toml is not TOML: line 3, column 1: "),
            ("[auth]\ntoken_secret = 99999999999999999999999999\n", "out of range"),
            (
                "[stripe]\nsecretkey = \"hush\"\n",
                "stripe.secretkey is not a setting: the nearest one is stripe.secret_key",
            ),
            (
                "[strip]\nsecret_key = \"hush\"\n",
                "strip.secret_key is not a setting: the nearest one is stripe.secret_key",
            ),
            ("secret_key = \"hush\"", "secret_key is not a setting: the nearest one is stripe.secret_key"),
            ("stripe = \"hush\"", "stripe must be a section"),
        ] {
            let mut mistakes = Vec::new();
            parse(file, text, &mut mistakes);
            let [error] = mistakes.as_slice() else { panic!("{text}: {mistakes:?}") };
            let error = error.to_string();
            assert!(error.starts_with("shop.toml") && error.contains(says), "{text}: {error}");
            assert!(!error.contains("hush") && !error.contains("9999") && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn every_wrong_name_is_told_and_what_is_right_is_read() {
        let text = "color = 1\n[stripe]\nkey = \"hush\"\nqueue_wait_ms = 20\nlog = true\n[htp]\nbind = \"x\"\nworkers = 1\n[none]\n\
                    [feed]\nkeep_days = 3\n";
        let mut mistakes = Vec::new();
        let table = parse(Path::new("s.toml"), text, &mut mistakes).unwrap();
        assert_eq!(table, "feed.keep_days = 3\nstripe.queue_wait_ms = 20".parse().unwrap());
        let mut names: Vec<String> = mistakes.iter().map(|it| it.to_string().replace("s.toml: ", "")).collect();
        for name in &mut names {
            name.truncate(name.find(" is not a setting").unwrap());
        }
        names.sort();
        assert_eq!(names, ["color", "htp.bind", "htp.workers", "none", "stripe.key", "stripe.log"]);
    }

    #[test]
    fn names_of_accounts_keep_their_case_in_the_file_and_in_a_variable() {
        let key = "sales:tax:VAT:19:DE";
        let in_file =
            format!("books.accounts = {{ \"{key}\" = \"Liabilities:1776-VAT-19\", \"fees\" = \"Expenses:Fees\" }}");
        let names = |text: &str| text.parse::<Table>().unwrap()["books"]["accounts"].clone();
        let read = layered(&in_file.parse().unwrap(), HashMap::new()).unwrap();
        assert_eq!(read["books"]["accounts"], names(&in_file));
        // A variable replaces the whole table, and its text is read as TOML.
        let mut ours = Variables::default();
        let text = format!("{{ \"{key}\" = \"Liabilities:VAT\" }}");
        ours.add("PAYWRIGHT__BOOKS__ACCOUNTS", text.clone().into()).unwrap();
        let read = layered(&in_file.parse().unwrap(), ours.read).unwrap();
        assert_eq!(read["books"]["accounts"].as_str(), Some(text.as_str()));
        let error = ours_of("PAYWRIGHT__BOOKS__ACCOUNTS__FEES").unwrap_err().to_string();
        assert!(error.contains("is not a setting"), "{error}");
    }

    fn ours_of(name: &str) -> Result<Variables, Mistake> {
        let mut ours = Variables::default();
        ours.add(name, "Expenses:Fees".into())?;
        Ok(ours)
    }

    #[test]
    fn variables_override_the_file_and_unread_ones_are_noticed() {
        let mut ours = Variables::default();
        for (name, value) in variables(&[
            ("PAYWRIGHT__HTTP__WORKERS", "3"),
            ("paywright__stripe__api_base", "x"),
            ("PAYWRIGHT_STRIPE_SECRET_KEY", "hush"),
            ("PAYWRIGHT", "hush"),
            ("RUST_LOG", "info"),
        ]) {
            ours.add(&name.to_string_lossy(), value).unwrap();
        }
        let expected: Table = "http.workers = \"3\"\nhttp.bind = \"x\"\nstripe.api_base = \"x\"".parse().unwrap();
        let file = "http.workers = 2\nhttp.bind = \"x\"";
        assert_eq!(layered(&file.parse().unwrap(), ours.read.clone()).unwrap(), expected);
        assert_eq!(ours.unread, ["PAYWRIGHT_STRIPE_SECRET_KEY", "PAYWRIGHT"]);
        let error = ours.add("PAYWRIGHT__STRIPE__COLOR", "hush".into()).unwrap_err().to_string();
        assert!(error.starts_with("PAYWRIGHT__STRIPE__COLOR is not a setting") && !error.contains("hush"), "{error}");
    }
}
