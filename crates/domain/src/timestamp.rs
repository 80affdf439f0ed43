//! Times in UTC. The crate reads no clock: each transition is given the time.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Time in UTC, in whole microseconds since 1970, between 1970 and the year 9999. The crate never reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "i64", into = "i64"))]
pub struct Timestamp(i64);

/// Error of a time before 1970 or after the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a time between the years 1970 and 9999")]
#[non_exhaustive]
pub struct TimestampOutOfRange;

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const SECONDS_MAX: i64 = 253_402_300_799;

impl Timestamp {
    /// The Unix epoch, 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Makes a timestamp of microseconds since 1970.
    pub fn from_unix_micros(micros: i64) -> Result<Self, TimestampOutOfRange> {
        let seconds = micros.div_euclid(MICROS_PER_SECOND);
        if (0..=SECONDS_MAX).contains(&seconds) { Ok(Self(micros)) } else { Err(TimestampOutOfRange) }
    }

    /// Makes a timestamp of seconds since 1970, the form of every time in Stripe's v1 API.
    pub fn from_unix_seconds(seconds: i64) -> Result<Self, TimestampOutOfRange> {
        seconds.checked_mul(MICROS_PER_SECOND).ok_or(TimestampOutOfRange).and_then(Self::from_unix_micros)
    }

    /// Microseconds since 1970.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Adds `seconds`, and stops at the end of the range.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        #[expect(clippy::as_conversions, reason = "u32 to i64 in a const fn; lossless")]
        let later = self.0.saturating_add(seconds as i64 * MICROS_PER_SECOND);
        let end = SECONDS_MAX * MICROS_PER_SECOND;
        Self(if later > end { end } else { later })
    }

    /// Subtracts `seconds`, and stops at the start of the range.
    #[must_use]
    pub const fn minus_seconds(self, seconds: u32) -> Self {
        #[expect(clippy::as_conversions, reason = "u32 to i64 in a const fn; lossless")]
        let earlier = self.0.saturating_sub(seconds as i64 * MICROS_PER_SECOND);
        Self(if earlier < 0 { 0 } else { earlier })
    }

    /// The day in UTC as `YYYYMMDD`.
    pub(crate) fn date_compact(self) -> String {
        let date = self.to_offset_date_time().date();
        format!("{:04}{:02}{:02}", date.year(), u8::from(date.month()), date.day())
    }

    fn to_offset_date_time(self) -> OffsetDateTime {
        // The constructors keep every value in the range of `time`, so the default is never used.
        OffsetDateTime::from_unix_timestamp(self.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
            + time::Duration::microseconds(self.0.rem_euclid(MICROS_PER_SECOND))
    }
}

impl fmt::Display for Timestamp {
    /// Formats the time by RFC 3339 in UTC, with as many decimals of a second as are needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_offset_date_time().format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

/// Error of a text that is not an RFC 3339 time from 1970 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be a time like 2025-03-31T09:57:30Z (RFC 3339), from 1970 on")]
#[non_exhaustive]
pub struct NotATimestamp;

impl FromStr for Timestamp {
    type Err = NotATimestamp;
    /// Parses an RFC 3339 time with any offset, rounded down to microseconds.
    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATimestamp)?;
        let micros = time.unix_timestamp_nanos().div_euclid(1000);
        i64::try_from(micros).ok().and_then(|it| Self::from_unix_micros(it).ok()).ok_or(NotATimestamp)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = TimestampOutOfRange;
    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Self::from_unix_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_formatted_as_rfc_3339_and_as_a_compact_day() {
        for (micros, text, day) in [
            (0, "1970-01-01T00:00:00Z", "19700101"),
            (1_743_415_050_000_000, "2025-03-31T09:57:30Z", "20250331"),
            (1_709_251_199_250_000, "2024-02-29T23:59:59.25Z", "20240229"),
        ] {
            let time = Timestamp::from_unix_micros(micros).unwrap();
            assert_eq!((time.to_string().as_str(), time.date_compact().as_str()), (text, day));
            assert_eq!(text.parse(), Ok(time));
        }
    }

    #[test]
    fn a_timestamp_is_parsed_with_any_offset_and_other_texts_are_refused() {
        assert_eq!("2025-03-31T11:57:30.5+02:00".parse(), Ok(Timestamp(1_743_415_050_500_000)));
        for text in ["", "yesterday", "2025-03-31", "2025-03-31T09:57:30", "1969-12-31T23:59:59Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATimestamp), "{text}");
        }
    }

    #[test]
    fn a_timestamp_outside_the_range_is_refused() {
        assert_eq!(Timestamp::from_unix_micros(-1), Err(TimestampOutOfRange));
        assert_eq!(Timestamp::from_unix_seconds(SECONDS_MAX + 1), Err(TimestampOutOfRange));
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), Err(TimestampOutOfRange));
        assert!(Timestamp::from_unix_seconds(SECONDS_MAX).is_ok());
    }
}
