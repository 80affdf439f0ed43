//! Settings of the books.

use std::collections::BTreeMap;
use std::str::FromStr;

use paywright_app::{AccountNames, BooksSettings, BooksZone};
use paywright_domain::books::Day;
use paywright_domain::id::InstallationId;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::settings::values::{Within, flag, parsed};

/// Longest period of the walks: a day.
const WALK_SECONDS_MAX: u32 = 24 * 3600;

/// Longest time of grace: a week.
const GRACE_MINUTES_MAX: u32 = 7 * 24 * 60;

/// Books: what moved Stripe's balance, compared with what the orders expect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BooksSection {
    /// Whether the serving processes keep books.
    #[serde(deserialize_with = "flag")]
    enabled: bool,
    /// Time zone of the days, by its IANA name.
    #[serde(deserialize_with = "parsed")]
    timezone: Zone,
    /// First day of the books; the day on which they are begun if empty.
    #[serde(deserialize_with = "parsed")]
    start: Start,
    /// Interval at which Stripe's balance is read, in seconds.
    walk_seconds: Within<1, WALK_SECONDS_MAX>,
    /// Age from which what does not agree is a break, in minutes.
    grace_minutes: Within<0, GRACE_MINUTES_MAX>,
    /// Whether other programs take payments on the same Stripe account.
    #[serde(deserialize_with = "flag")]
    shared_account: bool,
    /// Names of accounts in exports, by the beginnings of ours.
    #[serde(deserialize_with = "account_names")]
    accounts: AccountNames,
}

impl Default for BooksSection {
    fn default() -> Self {
        Self {
            enabled: true,
            timezone: Zone(BooksZone::default()),
            start: Start(None),
            walk_seconds: Within::nearest(300),
            grace_minutes: Within::nearest(60),
            shared_account: false,
            accounts: AccountNames::default(),
        }
    }
}

impl BooksSection {
    /// Whether the serving processes keep books.
    pub(crate) const fn enabled(&self) -> bool {
        self.enabled
    }

    /// Settings of the use cases.
    pub(crate) fn settings(&self, installation: InstallationId, livemode: bool) -> BooksSettings {
        BooksSettings {
            zone: self.timezone.0.clone(),
            start: self.start.0,
            walk_seconds: self.walk_seconds.get(),
            grace_seconds: self.grace_minutes.get().saturating_mul(60),
            shared_account: self.shared_account,
            installation,
            livemode,
        }
    }

    /// Names of accounts in exports.
    pub(crate) fn account_names(&self) -> AccountNames {
        self.accounts.clone()
    }
}

/// Names by accounts of the books: a table in a file; in a variable, the text of an inline table of TOML.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Table(BTreeMap<String, String>),
    Text(String),
}

/// Reads names by accounts of the books.
fn account_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccountNames, D::Error> {
    let not_a_table = || {
        D::Error::custom("must be a table such as { \"fees\" = \"Expenses:4970-Fees\" }, each name a text in quotes")
    };
    let names = match Names::deserialize(deserializer).map_err(|_| not_a_table())? {
        Names::Table(names) => names,
        Names::Text(text) if text.trim().is_empty() => BTreeMap::new(),
        Names::Text(text) => {
            let parsed = format!("names = {text}").parse::<toml::Table>().map_err(|_| not_a_table())?;
            match (parsed.len(), parsed.get("names").cloned()) {
                (1, Some(names)) => names.try_into().map_err(|_| not_a_table())?,
                _ => return Err(not_a_table()),
            }
        }
    };
    AccountNames::new(names).map_err(|error| D::Error::custom(format!("must be names of accounts: {error}")))
}

#[derive(Debug, Clone)]
struct Zone(BooksZone);

impl FromStr for Zone {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        BooksZone::parse(text)
            .map(Self)
            .map_err(|_| "must be the IANA name of a time zone, such as Europe/Berlin or UTC")
    }
}

#[derive(Debug, Clone, Copy)]
struct Start(Option<Day>);

impl FromStr for Start {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|day| Self(Some(day))).map_err(|_| "must be a day, such as 2026-11-24, or empty")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(accounts: &str) -> Result<BooksSection, String> {
        format!("accounts = {accounts}").parse::<toml::Table>().unwrap().try_into().map_err(|it| it.to_string())
    }

    #[test]
    fn names_of_accounts_are_a_table_or_its_text() {
        let table = "{ \"sales:tax:VAT:19:DE\" = \"Liabilities:1776-VAT-19\", fees = \"Expenses:Fees\" }";
        let of_table = read(table).unwrap().accounts;
        assert_ne!(of_table, AccountNames::default());
        assert_eq!(read(&format!("'{table}'")).unwrap().accounts, of_table);
        assert_eq!(read("''").unwrap().accounts, AccountNames::default());
        for bad in ["'fees'", "'{ fees = 1 }'", "{ fees = 1 }", "'''{}\nother = 1'''", "'\"x\"'", "7"] {
            let error = read(bad).unwrap_err();
            assert!(error.contains("must be a table"), "{bad}: {error}");
        }
        assert!(read("{ fee = \"Expenses:Fees\" }").unwrap_err().contains("is no account of the books"));
        // The label of a tax is written as on the order.
        assert_ne!(read("{ \"sales:tax:vat:19:DE\" = \"Liabilities:1776-VAT-19\" }").unwrap().accounts, of_table);
    }
}
