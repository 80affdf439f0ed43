//! Country codes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Country code of two letters (ISO 3166-1 alpha-2). Only its form is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// The United States, Spree's default country.
    pub const US: Self = Self(*b"US");
}

/// Error of a text that is not two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be the two letters of a country, like DE")]
#[non_exhaustive]
pub struct CountryProblem;

impl FromStr for CountryCode {
    type Err = CountryProblem;

    /// Parses two letters of either case.
    fn from_str(text: &str) -> Result<Self, CountryProblem> {
        let letters: [u8; 2] = text.as_bytes().try_into().map_err(|_| CountryProblem)?;
        if letters.iter().all(u8::is_ascii_alphabetic) {
            Ok(Self(letters.map(|it| it.to_ascii_uppercase())))
        } else {
            Err(CountryProblem)
        }
    }
}

impl TryFrom<String> for CountryCode {
    type Error = CountryProblem;
    fn try_from(text: String) -> Result<Self, CountryProblem> {
        text.parse()
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for CountryCode {
    /// Formats the code in upper case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_code_has_two_letters() {
        assert_eq!("de".parse::<CountryCode>().unwrap().to_string(), "DE");
        for wrong in ["", "d", "deu", "1a", "é"] {
            assert_eq!(wrong.parse::<CountryCode>(), Err(CountryProblem), "{wrong}");
        }
    }
}
