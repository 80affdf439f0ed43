//! Names of settings, and the nearest setting to a wrong name.

use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use strsim::damerau_levenshtein;

use crate::settings::auth::Auth;
use crate::settings::books::BooksSection;
use crate::settings::console::ConsoleSection;
use crate::settings::database::DatabaseSettings;
use crate::settings::http::Http;
use crate::settings::limits::Limits;
use crate::settings::metrics::MetricsSection;
use crate::settings::payments::Payments;
use crate::settings::storefront::Storefront;
use crate::settings::stripe::Stripe;
use crate::settings::traces::TracesSection;
use crate::settings::webhooks::{Feed, Webhooks};

/// Prefix of the names of all variables.
pub(super) const PREFIX: &str = "PAYWRIGHT__";
/// Separator of section and key in the name of a variable.
pub(super) const SEPARATOR: &str = "__";

/// Maximum number of characters of a wrong name that are shown.
const SHOWN_MAX: usize = 100;

/// The sections, each with its keys.
pub(super) fn sections() -> [(&'static str, &'static [&'static str]); 13] {
    [
        ("http", keys_of::<Http>()),
        ("database", keys_of::<DatabaseSettings>()),
        ("stripe", keys_of::<Stripe>()),
        ("payments", keys_of::<Payments>()),
        ("auth", keys_of::<Auth>()),
        ("storefront", keys_of::<Storefront>()),
        ("limits", keys_of::<Limits>()),
        ("feed", keys_of::<Feed>()),
        ("books", keys_of::<BooksSection>()),
        ("metrics", keys_of::<MetricsSection>()),
        ("console", keys_of::<ConsoleSection>()),
        ("traces", keys_of::<TracesSection>()),
        ("webhooks", keys_of::<Webhooks>()),
    ]
}

/// All settings by section and key.
pub(super) fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    sections().into_iter().flat_map(|(section, keys)| keys.iter().map(move |key| (section, *key)))
}

/// Name of the environment variable of a setting.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("{PREFIX}{section}{SEPARATOR}{key}").to_uppercase()
}

/// The name of the setting, as in a file, that is nearest to `wrong`.
pub(super) fn nearest_setting(wrong: &str) -> String {
    nearest(wrong, settings().map(|(section, key)| format!("{section}.{key}")))
}

/// The name of the variable that is nearest to `wrong`.
pub(super) fn nearest_variable(wrong: &str) -> String {
    nearest(&wrong.to_uppercase(), settings().map(|(section, key)| variable(section, key)))
}

/// A name from outside, escaped and shortened to [`SHOWN_MAX`] characters.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

/// The names of the fields of a struct, as serde reads them.
fn keys_of<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // Always an error: there are no values to read.
    drop(T::deserialize(Keys(&mut keys)));
    keys
}

/// A deserializer that records the names of a struct's fields.
struct Keys<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("no values to read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn nearest(wrong: &str, right: impl Iterator<Item = String>) -> String {
    let wrong: String = wrong.chars().take(SHOWN_MAX).collect();
    right.min_by_key(|it| damerau_levenshtein(&wrong, it)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_section_is_known() {
        assert_eq!(sections().map(|(section, _)| section).as_slice(), keys_of::<Settings>());
    }

    #[test]
    fn the_nearest_name_is_the_intended_one() {
        for (wrong, right) in [
            ("PAYWRIGHT_STRIPE_SECRET_KEY", "PAYWRIGHT__STRIPE__SECRET_KEY"),
            ("PAYWRIGHT__STRIPE_SECRET_KEY", "PAYWRIGHT__STRIPE__SECRET_KEY"),
            ("PAYWRIGHT__STRIPE__WEBHOOK_SECRET", "PAYWRIGHT__STRIPE__WEBHOOK_SECRETS"),
            ("PAYWRIGHT_DATABASE_URL", "PAYWRIGHT__DATABASE__URL"),
            ("paywright_http_bind", "PAYWRIGHT__HTTP__BIND"),
        ] {
            assert_eq!(nearest_variable(wrong), right);
        }
        assert_eq!(nearest_setting("stripe.secretkey"), "stripe.secret_key");
        assert_eq!(nearest_setting("htpp.workers"), "http.workers");
    }

    /// Checks the table in `docs/operations.md`.
    #[test]
    fn every_setting_is_documented() {
        let documented = include_str!("../../../../docs/operations.md");
        for (section, key) in settings() {
            let key = key.strip_suffix("_file").filter(|it| !["timeline", "jwks"].contains(it)).unwrap_or(key);
            assert!(documented.contains(&format!("`{section}.{key}`")), "{section}.{key}");
        }
    }

    #[test]
    fn every_variable_that_a_document_names_is_a_setting() {
        let variables: Vec<String> = settings().map(|(section, key)| variable(section, key)).collect();
        let mut read = 0;
        for document in [
            include_str!("../../../../docs/operations.md"),
            include_str!("../../../../docs/books.md"),
            include_str!("../../../../README.md"),
            include_str!("../../../../docker-compose.yml"),
        ] {
            for (at, _) in document.match_indices(PREFIX) {
                let from = &document[at..];
                let name = from.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next().unwrap();
                assert!(name == "PAYWRIGHT__SECTION__KEY" || variables.iter().any(|it| it == name), "{name}");
                read += 1;
            }
        }
        assert!(read > 10, "{read} variables were read");
    }
}
