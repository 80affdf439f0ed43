use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::{Date, Month};

/// Day of the books: a calendar day of the time zone in which they are kept, from 1970 to the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Day(Date);

/// Error of a text that is no day, or of a day before 1970 or after the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a day between the years 1970 and 9999, such as 2026-11-24")]
#[non_exhaustive]
pub struct DayError;

impl Day {
    /// The first day, 1970-01-01.
    pub const FIRST: Self = match Date::from_calendar_date(1970, Month::January, 1) {
        Ok(date) => Self(date),
        Err(_) => Self(Date::MIN),
    };

    /// Makes the day of a year, a month from 1 and a day of the month from 1.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self, DayError> {
        let month = Month::try_from(month).map_err(|_| DayError)?;
        Self::of(Date::from_calendar_date(year, month, day).ok()).ok_or(DayError)
    }

    fn of(date: Option<Date>) -> Option<Self> {
        date.filter(|it| (1970..=9999).contains(&it.year())).map(Self)
    }

    /// Year, month from 1, and day of the month from 1.
    pub fn parts(self) -> (i32, u8, u8) {
        (self.0.year(), u8::from(self.0.month()), self.0.day())
    }

    /// The day after this one; `None` at the end of the range.
    pub fn next(self) -> Option<Self> {
        Self::of(self.0.next_day())
    }

    /// The day before this one; `None` at the start of the range.
    pub fn previous(self) -> Option<Self> {
        Self::of(self.0.previous_day())
    }

    /// First day of the month of this day.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        Self::of(self.0.replace_day(1).ok()).unwrap_or(self)
    }

    /// Last day of the month of this day.
    #[must_use]
    pub fn last_of_month(self) -> Self {
        Self::of(self.0.replace_day(self.0.month().length(self.0.year())).ok()).unwrap_or(self)
    }
}

/// The day as ISO 8601 has it: `2026-11-24`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.parts();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = DayError;

    /// Parses `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, DayError> {
        let is_digits = |it: &&str| it.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').filter(is_digits).collect();
        let [year, month, day] = parts.as_slice() else { return Err(DayError) };
        if (year.len(), month.len(), day.len(), text.len()) != (4, 2, 2, 10) {
            return Err(DayError);
        }
        let number = |it: &str| it.parse().map_err(|_| DayError);
        Self::new(year.parse().map_err(|_| DayError)?, number(month)?, number(day)?)
    }
}

impl TryFrom<String> for Day {
    type Error = DayError;
    fn try_from(text: String) -> Result<Self, DayError> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_as_it_is_written() {
        let leap: Day = "2028-02-29".parse().unwrap();
        assert_eq!((leap.to_string().as_str(), leap.parts()), ("2028-02-29", (2028, 2, 29)));
        assert_eq!(leap.next().unwrap().to_string(), "2028-03-01");
        assert_eq!(leap.first_of_month().previous().unwrap().to_string(), "2028-01-31");
        assert_eq!(leap.first_of_month().last_of_month(), leap);
        for bad in
            ["2026-02-29", "2026-1-01", "1969-12-31", "2026-11-24T00:00", "2026-11", "", "+026-11-24", "20261124"]
        {
            assert_eq!(bad.parse::<Day>(), Err(DayError), "{bad}");
        }
        assert_eq!(Day::new(1970, 1, 1), Ok(Day::FIRST));
        assert_eq!(Day::FIRST.previous(), None);
        assert_eq!(Day::new(9999, 12, 31).unwrap().next(), None);
    }
}
