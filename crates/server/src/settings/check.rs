//! Check of all settings, which tells every mistake and not only the first.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_path_to_error::{Path as SettingPath, Segment};
use toml::{Table, Value};
use tracing::subscriber::{NoSubscriber, with_default};

use crate::Failure;
use crate::settings::secrets::is_readable_by_all;
use crate::settings::source::{self, Found};
use crate::settings::{SECRETS, Settings, has_secrets, readable_file, unread_variable, wrong_value};

/// A mistake in the settings: one sentence that names the setting and never shows its value. Sorted by section; mistakes of
/// a source as a whole come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    section: String,
    sentence: String,
}

impl Mistake {
    pub(super) fn new(section: impl Into<String>, sentence: String) -> Self {
        Self { section: section.into(), sentence }
    }

    /// Mistake of the settings file or of the environment as a whole.
    pub(super) const fn of_source(sentence: String) -> Self {
        Self { section: String::new(), sentence }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Settings, their sources, and all mistakes in them.
pub(crate) struct Checked {
    /// The settings that are right; the others have their defaults.
    pub(crate) settings: Settings,
    /// The settings file, if one was read.
    pub(crate) file: Option<PathBuf>,
    /// Whether there is a file that cannot be read: nothing that `serve` needs was checked then.
    pub(crate) is_unreadable: bool,
    /// Number of environment variables that were read.
    pub(crate) variables: usize,
    pub(crate) mistakes: Vec<Mistake>,
}

/// A check of what `serve` needs of some settings: their section, their keys, and the check.
type Requirement = (&'static str, &'static [&'static str], fn(&Settings) -> Result<(), Failure>);

/// Checks of what `serve` needs. A check is left out if one of its settings has a wrong value already: it would only say
/// that the setting is missing.
const REQUIREMENTS: [Requirement; 10] = [
    ("database", &["url", "url_file"], |it| it.database()?.check_address()),
    ("stripe", &["secret_key", "secret_key_file"], |it| it.stripe_client().map(drop)),
    ("stripe", &["publishable_key"], |it| it.publishable_key().map(drop)),
    ("stripe", &["webhook_secrets", "webhook_secrets_file"], |it| it.webhook_secrets().map(drop)),
    ("auth", &["token_secret", "token_secret_file"], |it| it.tokens().map(drop)),
    ("auth", &["previous_token_secret", "previous_token_secret_file"], Settings::check_previous_token_secret),
    ("auth", &["jwks_file"], Settings::check_key_set_file),
    ("traces", &["endpoint", "sample_ratio", "headers", "headers_file"], |it| it.trace_export().map(drop)),
    ("webhooks", &["secret_key", "secret_key_file"], |it| it.webhook_sender().map(drop)),
    ("webhooks", &["allowed_networks"], Settings::check_webhook_networks),
];

impl Settings {
    /// Reads settings as [`Self::read`] does, goes on after each mistake, and checks what `serve` needs. Connects to
    /// nothing.
    pub(crate) fn check(named: Option<&Path>) -> Checked {
        // The warnings that settings give when they are read are mistakes here, and told once.
        with_default(NoSubscriber::default(), || checked(source::read(named, std::env::vars_os())))
    }
}

fn checked(found: Found) -> Checked {
    let Found { table, file, is_unreadable, variables, unread, mut mistakes } = found;
    mistakes.extend(unread.iter().map(|name| Mistake::of_source(unread_variable(name))));
    if let Some((path, table)) = &file
        && has_secrets(table)
        && is_readable_by_all(path)
    {
        mistakes.push(Mistake::of_source(readable_file(path)));
    }
    mistakes.extend(readable_secrets(&table));
    let (settings, wrong) = values(table, &mut mistakes);
    // What is missing may be in a file that cannot be read.
    let requirements = if is_unreadable { &[] } else { &REQUIREMENTS[..] };
    for (section, keys, check) in requirements {
        let is_wrong = keys.iter().any(|key| wrong.contains(&((*section).to_owned(), (*key).to_owned())));
        if let (false, Err(problem)) = (is_wrong, check(&settings)) {
            mistakes.push(Mistake::new(*section, problem.to_string()));
        }
    }
    mistakes.sort();
    mistakes.dedup();
    Checked { settings, file: file.map(|(path, _)| path), is_unreadable, variables, mistakes }
}

/// Secret files that every user of the machine can read.
fn readable_secrets(table: &Table) -> impl Iterator<Item = Mistake> {
    SECRETS.iter().filter_map(|(section, key)| {
        let path = table.get(*section)?.get(format!("{key}_file"))?.as_str()?;
        is_readable_by_all(Path::new(path)).then(|| {
            let who = "every user of this machine can read the file of";
            Mistake::new(*section, format!("{who} {section}.{key}_file: remove that right (chmod o-r)"))
        })
    })
}

/// The settings, without those that have wrong values, and the names of the latter.
fn values(mut table: Table, mistakes: &mut Vec<Mistake>) -> (Settings, BTreeSet<(String, String)>) {
    let mut wrong = BTreeSet::new();
    loop {
        // Serde ends at the first wrong value: it is left out, and the others are read again.
        let error = match Settings::deserialize_from(table.clone()) {
            Ok(settings) => return (settings, wrong),
            Err(error) => error,
        };
        let (section, key) = setting_of(error.path());
        mistakes.push(Mistake::new(section.clone(), wrong_value(&error)));
        let set = table.get_mut(&section).and_then(Value::as_table_mut);
        if set.and_then(|it| it.remove(&key)).is_none() {
            return (Settings::default(), wrong);
        }
        wrong.insert((section, key));
    }
}

/// Section and key of the setting at a place.
fn setting_of(path: &SettingPath) -> (String, String) {
    let mut names = path.iter().filter_map(|it| match it {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { .. } | Segment::Enum { .. } | Segment::Unknown => None,
    });
    (names.next().unwrap_or_default(), names.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_value_is_told_and_the_right_ones_are_read() {
        let text = "http.workers = \"hush\"\nhttp.bind = \"127.0.0.1:9\"\nfeed.keep_days = -1\nbooks.accounts = { fees = 1 }\n\
                    stripe.secret_key = 7\nbooks.timezone = \"hush\"\npayments.second_payment = \"hush\"";
        let mut mistakes = Vec::new();
        let (settings, wrong) = values(text.parse().unwrap(), &mut mistakes);
        assert_eq!(settings.http.bind(None).unwrap().as_str(), "127.0.0.1:9");
        let names: Vec<String> = wrong.iter().map(|(section, key)| format!("{section}.{key}")).collect();
        let expected = [
            "books.accounts",
            "books.timezone",
            "feed.keep_days",
            "http.workers",
            "payments.second_payment",
            "stripe.secret_key",
        ];
        assert_eq!(names, expected);
        mistakes.sort();
        for (name, mistake) in expected.iter().zip(&mistakes) {
            let said = mistake.to_string();
            assert!(said.starts_with(&format!("{name} must be ")) && !said.contains("hush"), "{said}");
        }
        assert_eq!(mistakes.len(), expected.len());
    }

    #[test]
    fn a_setting_with_a_wrong_value_is_not_also_missing() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let found = |text: &str| Found { table: text.parse().unwrap(), ..Found::default() };
        let said = |text: &str| checked(found(text)).mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let [token, database, stripe] = said("").try_into().unwrap();
        assert!(token.starts_with("no token secret is set"), "{token}");
        assert!(database.starts_with("no database is set"), "{database}");
        assert!(stripe.starts_with("no Stripe key is set"), "{stripe}");
        let unreadable = Found { is_unreadable: true, ..Found::default() };
        assert_eq!(checked(unreadable).mistakes, [], "what is missing may be in the file");
        let wrong = "database.url = 1\nstripe.secret_key = 1\nauth.token_secret_file = 1";
        let names: Vec<String> =
            said(wrong).iter().map(|it| it.split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(names, ["auth.token_secret_file", "database.url", "stripe.secret_key"]);
    }
}
