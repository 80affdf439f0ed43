//! Sources of settings: a file, and environment variables that override it. Errors give the name and the place of a
//! setting, and never a value, which may be a secret.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat};
use toml::de::DeTable;
use toml::{Table, Value};

use crate::Failure;
use crate::settings::names::{PREFIX, nearest_setting, nearest_variable, sections, settings, shown, variable};

const DEFAULT_FILE: &str = "paywright.toml";
/// Prefix of variables that are probably meant for Paywright.
const OURS: &str = "PAYWRIGHT";

/// Settings and their sources.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) table: Table,
    /// The file, if there is one.
    pub(super) file: Option<(PathBuf, Table)>,
    /// Variables that begin with [`OURS`] and are not read.
    pub(super) unread: Vec<String>,
}

/// Reads the named file, or else the default one if it exists, and overrides it with environment variables.
pub(super) fn read(
    named: Option<&Path>,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Found, Failure> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => None,
        Err(error) => return Err(format!("the settings in {} cannot be read: {error}", path.display()).into()),
    };
    let file = text.as_ref().map(|it| Ok::<_, Failure>((path.to_owned(), parse(path, it)?))).transpose()?;
    let mut ours = Variables::default();
    for (name, value) in variables {
        ours.add(&name.to_string_lossy(), value)?;
    }
    let table = layered(text.as_deref().unwrap_or_default(), ours.read)?;
    Ok(Found { table, file, unread: ours.unread })
}

/// The settings of a file, overridden by variables. Both must have been checked: this function's own errors could show
/// a value.
fn layered(text: &str, variables: HashMap<String, String>) -> Result<Table, Failure> {
    let prefix = PREFIX.trim_end_matches('_');
    let variables = Environment::with_prefix(prefix).prefix_separator("__").separator("__").source(Some(variables));
    let file = File::from_str(text, FileFormat::Toml);
    let built = Config::builder().add_source(file).add_source(variables).build();
    let table = built.and_then(Config::try_deserialize);
    Ok(table.map_err(|_| "the settings of the file and of the environment cannot be combined")?)
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
    fn add(&mut self, name: &str, value: OsString) -> Result<(), Failure> {
        let upper = name.to_uppercase();
        if !settings().any(|(section, key)| variable(section, key) == upper) {
            if upper.starts_with(PREFIX) {
                let (name, nearest) = (shown(name), nearest_variable(name));
                return Err(format!("{name} is not a setting: the nearest one is {nearest}").into());
            }
            if upper.starts_with(OURS) {
                self.unread.push(name.to_owned());
            }
            return Ok(());
        }
        let value = value.into_string().map_err(|_| format!("{name} must be text in UTF-8"))?;
        self.read.insert(upper, value);
        Ok(())
    }
}

/// Reads a file, all of whose names must be settings.
fn parse(path: &Path, text: &str) -> Result<Table, Failure> {
    let file = path.display();
    if let Err(error) = DeTable::parse(text) {
        // Only the parser's message: the line itself may contain a secret.
        let (line, column) = position(text, error.span().map_or(0, |it| it.start));
        return Err(format!("{file} is not TOML: line {line}, column {column}: {}", error.message()).into());
    }
    let table: Table = text.parse().map_err(|_| format!("{file} has a number or a date that is out of range"))?;
    for (section, value) in &table {
        let known = sections().into_iter().find(|(name, _)| name == section);
        let unknown = |name: &str| {
            let (name, nearest) = (shown(name), nearest_setting(name));
            format!("{file}: {name} is not a setting: the nearest one is {nearest}")
        };
        match (known, value) {
            (Some((_, keys)), Value::Table(set)) => {
                if let Some(wrong) = set.keys().find(|it| !keys.contains(&it.as_str())) {
                    return Err(unknown(&format!("{section}.{wrong}")).into());
                }
            }
            (None, value) => {
                let key = value.as_table().and_then(|it| it.keys().next());
                let name = key.map_or_else(|| section.clone(), |key| format!("{section}.{key}"));
                return Err(unknown(&name).into());
            }
            (Some(_), _) => {
                return Err(format!("{file}: {section} must be a section of settings, not a value").into());
            }
        }
    }
    Ok(table)
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
            let error = parse(file, text).unwrap_err().to_string();
            assert!(error.starts_with("shop.toml") && error.contains(says), "{text}: {error}");
            assert!(!error.contains("hush") && !error.contains("9999") && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn names_of_accounts_keep_their_case_in_the_file_and_in_a_variable() {
        let key = "sales:tax:VAT:19:DE";
        let in_file =
            format!("books.accounts = {{ \"{key}\" = \"Liabilities:1776-VAT-19\", \"fees\" = \"Expenses:Fees\" }}");
        let names = |text: &str| text.parse::<Table>().unwrap()["books"]["accounts"].clone();
        let read = layered(&in_file, HashMap::new()).unwrap();
        assert_eq!(read["books"]["accounts"], names(&in_file));
        // A variable replaces the whole table, and its text is read as TOML.
        let mut ours = Variables::default();
        let text = format!("{{ \"{key}\" = \"Liabilities:VAT\" }}");
        ours.add("PAYWRIGHT__BOOKS__ACCOUNTS", text.clone().into()).unwrap();
        let read = layered(&in_file, ours.read).unwrap();
        assert_eq!(read["books"]["accounts"].as_str(), Some(text.as_str()));
        let error = ours_of("PAYWRIGHT__BOOKS__ACCOUNTS__FEES").unwrap_err().to_string();
        assert!(error.contains("is not a setting"), "{error}");
    }

    fn ours_of(name: &str) -> Result<Variables, Failure> {
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
        assert_eq!(layered(file, ours.read.clone()).unwrap(), expected);
        assert_eq!(ours.unread, ["PAYWRIGHT_STRIPE_SECRET_KEY", "PAYWRIGHT"]);
        let error = ours.add("PAYWRIGHT__STRIPE__COLOR", "hush".into()).unwrap_err().to_string();
        assert!(error.starts_with("PAYWRIGHT__STRIPE__COLOR is not a setting") && !error.contains("hush"), "{error}");
    }
}
