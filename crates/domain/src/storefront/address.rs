use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Text;

/// A country, by the two letters of ISO 3166-1. Checked for its form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct CountryCode([u8; 2]);

/// Not the code of a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be the two letters of a country, like DE")]
pub struct CountryProblem;

impl FromStr for CountryCode {
    type Err = CountryProblem;

    /// Reads two letters of either case.
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
    /// In upper case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&letter| write!(f, "{}", char::from(letter)))
    }
}

/// Where a customer lives or wants the goods. Only the country means anything to us.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Address {
    /// Given name.
    pub first_name: Text<0, 100>,
    /// Family name.
    pub last_name: Text<0, 100>,
    /// Of a company.
    pub company: Text<0, 150>,
    /// Street and number.
    pub address1: Text<0, 250>,
    /// More of it.
    pub address2: Text<0, 250>,
    /// City.
    pub city: Text<0, 100>,
    /// Postal code.
    pub zipcode: Text<0, 20>,
    /// State, province or region.
    pub state: Text<0, 100>,
    /// Country: decides on shipping and taxes.
    pub country: CountryCode,
    /// Telephone.
    pub phone: Text<0, 40>,
    /// What the customer calls it: home, office.
    pub label: Text<0, 50>,
}

impl Address {
    /// An address of a country alone, to be filled.
    pub fn of(country: CountryCode) -> Self {
        Self {
            first_name: Text::default(),
            last_name: Text::default(),
            company: Text::default(),
            address1: Text::default(),
            address2: Text::default(),
            city: Text::default(),
            zipcode: Text::default(),
            state: Text::default(),
            country,
            phone: Text::default(),
            label: Text::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!("de".parse::<CountryCode>().unwrap().to_string(), "DE");
        for wrong in ["", "d", "deu", "1a", "é"] {
            assert_eq!(wrong.parse::<CountryCode>(), Err(CountryProblem), "{wrong}");
        }
    }
}
